"""Where does each record stand in its life as a customer? (kind ``lifecycle``)

From prospect over new and active to lost and won back. A stage looks ahead for a horizon, which is learned
unless ``horizon_days`` says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from segmentation.evaluation.judgement import AUC, ECE, Judgement, Line
from segmentation.frames import Segment
from segmentation.kinds.base import PROSPECT, Suggestion
from segmentation.kinds.numbers import (
    ABOUT_CHURN,
    ABOUT_NEXT,
    CHURN,
    NEXT_ORDER,
    PROBABILITY,
    NumberedKind,
    within,
)

if TYPE_CHECKING:
    from segmentation.evaluation.backtest import Backtest

SEGMENTS = (
    Segment(PROSPECT, "Prospect", "No purchase yet", "Show what customers buy first", "gone"),
    Segment("new", "New", "First purchase recently, none since", "Welcome them and suggest a second order"),
    Segment("active", "Active", "Buys at the usual pace", "Tell them what is new; no need to push"),
    Segment(
        "at_risk",
        "At risk",
        "Quiet for longer than usual; may not buy soon",
        "Remind them now; call those who spend most",
        "slipping",
    ),
    Segment(
        "dormant",
        "Dormant",
        "Quiet for a long time; unlikely to buy soon",
        "Ask what went wrong, once",
        "gone",
    ),
    Segment(
        "lost",
        "Lost",
        "Quiet for so long that hardly any such customer buys soon",
        "Leave them out of costly campaigns",
        "gone",
    ),
    Segment(
        "won_back",
        "Won back",
        "Bought again after being dormant or lost",
        "Thank them and follow up within the month",
    ),
)
STAGES = tuple(segment.key for segment in SEGMENTS)


class Lifecycle(NumberedKind):
    """Stages of life."""

    dead_band: float | None = Field(
        None, ge=0, lt=1, description="dead band, as a share of the border between two stages; else learned"
    )
    horizon_days: int | None = Field(
        None, ge=1, description="days that stages look ahead, and that new and won back last; else learned"
    )

    known_numbers = (PROBABILITY, CHURN, NEXT_ORDER)
    name = "lifecycle"
    segmentation_class = "segmentation.kinds.lifecycle_segmentation:LifecycleSegmentation"
    suggestion = Suggestion("Life cycle", "from prospect over active to lost and won back")
    judgement = Judgement(
        shown=("separation", "bought again", "efficiency"),
        judged=("bought again", "efficiency"),
        steady=True,
        by_revenue=False,
    )
    how_to_read = "Stages compare each customer with the usual time between purchases."
    panels = "life_stages"
    leads = True
    forecast_column = "lifecycle"

    @property
    def segments(self) -> list[Segment]:
        """The stages in the order of a life."""
        return list(SEGMENTS)

    @property
    def ranked(self) -> tuple[str, ...]:
        return ("active", "at_risk", "dormant", "lost")

    @property
    def days_ahead(self) -> int | None:
        return self.horizon_days

    def about_number(self, name: str) -> str:
        probability = f"How likely an order is {within(self.horizon_days)}, in percent."
        return {PROBABILITY: probability, CHURN: ABOUT_CHURN, NEXT_ORDER: ABOUT_NEXT}[name]

    def own_lines(self, backtest: Backtest | None, model: Mapping[str, Any]) -> list[Line]:
        """Who will buy again: AUC, and calibration of its probability."""
        import numpy as np

        from segmentation.evaluation import metrics

        if backtest is None:
            return self.value_lines(model)
        buyer = backtest.labels["segment"].to_numpy(dtype=object).astype(str) != PROSPECT
        score, bought = backtest.score[buyer], backtest.bought[buyer]
        area = metrics.auc(score, bought)
        if not np.isfinite(area):
            return self.value_lines(model)
        words = f"AUC {area:.3f} of buying again within {backtest.days} days, among buyers (from {AUC:.2f})"
        lines = [Line("auc", round(area, 4), area >= AUC, words)]
        figures = model.get("figures", {})
        if figures.get("driver") == "repurchase" and backtest.days == round(float(figures["horizon"])):
            off, rate = metrics.calibration_error(score, bought), float(bought.mean())
            words = f"ECE {off:.3f} (up to {ECE}); forecast {float(score.mean()):.1%}, came {rate:.1%}"
            lines.append(Line("calibration", round(off, 4), off <= ECE, words))
        return [*lines, *self.value_lines(model)]
