"""Which forecasts of each contact can a kind give as numbers, each in a field of its own? (``numbers`` in the config)

They change nothing of a segmentation's models and labels. They are coarse: a number stays as it is while the forecast
stays in a band around it (``segmentation.kinds.number_values``), so a customer for whom nothing happens costs no write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, field_validator

from segmentation.evaluation.judgement import ECE, OFF, Line
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
HALF, NEAR, FAR = (
    0.5,
    0.1,
    0.2,
)  # who should have ordered by the date; how far off is good, and how far refused
ABOUT_CHURN = (
    "How likely the customer has left for good, in percent: 100 less the probability of being active."
)
ABOUT_NEXT = "The day by which half of such customers have ordered again. Empty if more than half never do."
NOT_JUDGED = "not judged: the past is too short, or too few customers were known then"
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

    def value_lines(self, model: Mapping[str, Any]) -> list[Line]:
        """The back-tests of those numbers that the lines of a forecast do not tell of; nothing of a model that was not
        asked for them.
        """
        values = model.get("values", {})
        judged = values.get("judged", {})
        lines = _lifetime(values[LIFETIME]) if LIFETIME in values and LIFETIME in self.numbers else []
        for name, line in ((CHURN, _churn), (NEXT_ORDER, _next_order)):
            if values and name in self.numbers:
                lines.append(line(judged.get(name, {})))
        return lines

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


def refused_dates(judged: Mapping[str, Any]) -> str:
    """Why no dates of the next order are given; "": nothing speaks against them. ``judged``: their back-test."""
    if "by" not in judged or abs(judged["by"] - HALF) <= FAR:
        return ""
    return (
        f"{judged['by']:.0%} of {judged['dates']:,} customers had ordered by the date that they were given on {judged['day']}, "
        "where half should have"
    )


def _lifetime(stored: Mapping[str, Any]) -> list[Line]:
    from segmentation.models.forecast_error import ForecastError

    error = ForecastError.from_dict(stored)
    if error.refused:
        return [Line("lifetime value", None, False, error.words)]
    off = error.worst("money")
    return [Line("lifetime value", off, None if off is None else off <= OFF, error.says("money"))]


def _churn(judged: Mapping[str, Any]) -> Line:
    if not judged:
        return Line("churn probability", None, None, NOT_JUDGED)
    shares = (
        f"{share:.0%} of those who had more likely {who} than not"
        for who, share in judged["silent"].items()
        if share is not None
    )
    words = f"ECE {judged['ece']:.3f} (up to {ECE}) on the chance to order within the {judged['days']} days since {judged['day']}; "
    told = " and ".join(shares)
    words += f"in these, {told} ordered nothing" if told else "too few customers to say more"
    return Line("churn probability", judged["ece"], judged["ece"] <= ECE, words)


def _next_order(judged: Mapping[str, Any]) -> Line:
    if not judged:
        return Line("next order date", None, None, NOT_JUDGED)
    if "by" not in judged:
        few = f"too few customers had a date on {judged['day']} to judge them by"
        return Line("next order date", None, None, few)
    if why := refused_dates(judged):
        return Line("next order date", judged["by"], False, f"There are no dates: {why}")
    words = (
        f"{judged['by']:.0%} of {judged['dates']:,} customers had ordered by the date that they were given on {judged['day']} "
        f"(half should), {judged['near']:.0%} within about half the wait around it"
    )
    return Line("next order date", judged["by"], abs(judged["by"] - HALF) <= NEAR, words)


def within(days: int | None) -> str:
    """The span that forecasts look ahead, as far as the options say it."""
    return f"within {days} days" if days else "within the horizon that was learned from the data"
