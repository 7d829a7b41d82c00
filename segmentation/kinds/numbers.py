"""Which forecasts of each contact can a kind give as numbers, each in a field of its own? (``numbers`` in the config)

They change nothing of a segmentation's models and labels. They are coarse: a number stays as it is while the forecast
stays in a band around it (``segmentation.kinds.number_values``), so a customer for whom nothing happens costs no write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, field_validator

from segmentation.kinds.base import Kind
from segmentation.value_fields import ValueField

PROBABILITY, REVENUE, LIFETIME = "probability", "expected_revenue", "lifetime_value"
CHURN, NEXT_ORDER = "churn_probability", "next_order_date"
NUMBERS: Mapping[str, tuple[str, str, str]] = {  # name → type, title, unit
    PROBABILITY: ("number", "Probability", "percent"),
    REVENUE: ("number", "Expected revenue", "money"),
    LIFETIME: ("number", "Lifetime value", "money"),
    CHURN: ("number", "Churn probability", "percent"),
    NEXT_ORDER: ("date", "Next order date", ""),
}
COARSE = "Rounded, and changed only when the forecast has clearly moved. Empty: no forecast; the scorecard says why."


class NumberedKind(Kind):
    """A kind whose models say numbers of each contact."""

    numbers: tuple[str, ...] = Field((), description="forecasts that each contact gets in a field of its own")

    known_numbers: ClassVar[tuple[str, ...]] = ()
    beside_labels = frozenset({"numbers"})

    @property
    def value_fields(self) -> tuple[ValueField, ...]:
        return tuple(
            ValueField(name, type_, title, f"{self.about_number(name)} {COARSE}", unit)  # type: ignore[arg-type]
            for name, (type_, title, unit) in NUMBERS.items()
            if name in self.numbers
        )

    def about_number(self, name: str) -> str:
        """What a number means in this kind: sentences."""
        raise NotImplementedError

    @field_validator("numbers")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in value if name not in cls.known_numbers]:
            problem = "is a number that only other kinds know" if unknown[0] in NUMBERS else "is no number"
            raise ValueError(
                f"{unknown[0]!r} {problem}; kind {cls.name} knows {', '.join(cls.known_numbers)}"
            )
        if len(set(value)) < len(value):
            raise ValueError(
                f"a number stands here twice; write each once: {', '.join(dict.fromkeys(value))}"
            )
        return value


def within(days: int | None) -> str:
    """The span that forecasts look ahead, as far as the options say it."""
    return f"within {days} days" if days else "within the horizon that was learned from the data"
