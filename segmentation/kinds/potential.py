"""Who is going to bring the money? (kind ``potential``)

The score that predicted best on this business's own past (``segmentation.models.clv_model``) cuts the buyers:
``high`` are the best ``high_share`` of them, ``medium`` the next up to ``medium_share``, ``low`` the rest; who
never bought is ``prospect``. What a record has brought so far is another question: kind ``abc``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from segmentation.evaluation.judgement import Judgement, Line, forecast_lines
from segmentation.frames import Segment
from segmentation.kinds.base import PROSPECT
from segmentation.kinds.numbers import (
    ABOUT_CHURN,
    ABOUT_NEXT,
    CHURN,
    LIFETIME,
    NEXT_ORDER,
    NUMBERS,
    PROBABILITY,
    REVENUE,
    NumberedKind,
    within,
)

if TYPE_CHECKING:
    from segmentation.evaluation.backtest import Backtest

_ADVICE = {
    "high": "Spend time here first: advice, previews, service",
    "medium": "Suggest a second category or a larger order",
    "low": "Keep contact cheap: newsletters, not calls",
    PROSPECT: "Show what customers buy first",
}


class Potential(NumberedKind):
    """Tiers of what buyers will bring."""

    # expectations flap more than revenue so far
    dead_band: float = Field(0.05, ge=0, lt=0.5, description="dead band, as a share of the population")
    horizon_days: int | None = Field(
        None, ge=1, description="days that are looked ahead; the 90th percentile of gaps if not set"
    )
    high_share: float = Field(0.2, gt=0, lt=1, description="share of the buyers that is high")
    medium_share: float = Field(0.5, gt=0, lt=1, description="share of the buyers that is high or medium")

    lifetime_days: int = Field(365, ge=28, le=3650, description="days whose orders count for lifetime_value")
    discount_rate: float = Field(
        0.1, ge=0, le=1, description="what money loses in a year that it is waited for, for lifetime_value"
    )

    known_numbers = tuple(NUMBERS)
    beside_labels = frozenset({"numbers", "lifetime_days", "discount_rate"})
    name = "potential"
    segmentation_class = "segmentation.kinds.potential_segmentation:PotentialSegmentation"
    cuts_by_ranks = True
    predicts_value = True
    judgement = Judgement(judged=("lift", "against", "efficiency"), steady=True)
    how_to_read = "Tiers of expected revenue, by the score that predicted best in your past data."
    panels = "model_selection"
    value_axis = "future"
    forecast_column = "value_tier"

    @property
    def segments(self) -> list[Segment]:
        """The tiers from the best, then prospects."""
        high, medium = f"{self.high_share:.0%}", f"{self.medium_share:.0%}"
        return [
            Segment(
                "high",
                "High potential",
                f"The top {high} of customers by expected revenue",
                _ADVICE["high"],
            ),
            Segment(
                "medium", "Medium potential", f"The next customers, up to the top {medium}", _ADVICE["medium"]
            ),
            Segment("low", "Low potential", "The customers with the lowest expected revenue", _ADVICE["low"]),
            Segment(PROSPECT, "Prospect", "No purchase yet", _ADVICE[PROSPECT], "gone"),
        ]

    @property
    def ranked(self) -> tuple[str, ...]:
        return ("high", "medium", "low")

    @property
    def days_ahead(self) -> int | None:
        return self.horizon_days

    def about_number(self, name: str) -> str:
        ahead = within(self.horizon_days)
        return {
            PROBABILITY: f"How likely an order is {ahead}, in percent.",
            REVENUE: f"Revenue expected {ahead}.",
            LIFETIME: f"Revenue expected within {self.lifetime_days} days, later money counting less by "
            f"{self.discount_rate:.3g} a year.",
            CHURN: ABOUT_CHURN,
            NEXT_ORDER: ABOUT_NEXT,
        }[name]

    def own_lines(self, backtest: Backtest | None, model: Mapping[str, Any]) -> list[Line]:
        """Whether forecasts over its horizon are true: probabilities, purchases and money."""
        judged = model.get("figures", {}).get("forecasts")
        if not judged or backtest is None:
            return [*super().own_lines(backtest, model), *self.value_lines(model)]
        horizon = model["figures"]["horizon"]
        told = next(told for told in judged if told["horizon"] == horizon)
        return [*forecast_lines(told), *self.value_lines(model)]

    @model_validator(mode="after")
    def _rising(self) -> Potential:
        if self.high_share >= self.medium_share:
            raise ValueError(
                f"high_share = {self.high_share} must be below medium_share = {self.medium_share}"
            )
        return self
