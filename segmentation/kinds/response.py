"""Who will do it? (kind ``response``) A purchase, an answer to a campaign, a form; or, with ``churn``, no
purchase: churn.

The event is at least one ``target`` in the days after a day. These are *likely* responders. Whom a campaign
persuades can be told only against a control group (``segmentation.evaluation.uplift``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from segmentation.activity_words import plain
from segmentation.evaluation.judgement import AUC, TOP, Judgement, Line, calibration
from segmentation.frames import Segment
from segmentation.kinds.base import BandedKind, Event, LearningKind
from segmentation.kinds.numbers import CHURN, PROBABILITY, NumberedKind
from segmentation.point_in_time import RESPONSE

if TYPE_CHECKING:
    from segmentation.evaluation.backtest import Backtest

RANKING = 0.0005  # of the AUC that a calibration may cost: it keeps the order, so nothing but rounding
UNLIKELY, POSSIBLE, LIKELY, UNSCORED = "unlikely", "possible", "likely", "unscored"


class Response(NumberedKind, LearningKind, BandedKind):
    """Likely, possible, unlikely. ``cost`` of one contact and ``value`` of one event are in one currency."""

    target: str = Field("purchase", min_length=1, description="type of activity to predict")
    within_days: int | None = Field(
        None, ge=1, le=3650, description="days in which it must come; the 90th percentile of gaps if not set"
    )
    churn: bool = Field(False, description="predict that no purchase comes: churn")
    campaign_pattern: str | None = Field(
        None,
        min_length=1,
        description="campaigns to learn from, such as 'Spring *'; with a target in response to them",
    )
    cost: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="of one contact, in the account's currency"
    )
    value: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="of one event, in the account's currency"
    )

    known_numbers = (PROBABILITY, CHURN)
    name = "response"
    segmentation_class = "segmentation.kinds.response_segmentation:ResponseSegmentation"
    score_is_probability = True
    judgement = Judgement(shown=(), by_purchases=False)
    panels = "response_models"

    @property
    def event(self) -> str:
        """What is foreseen: ``to buy``, ``to leave``, ``to respond``."""
        if self.churn:
            return "to leave" if self.target == "purchase" else f"to make no {plain(self.target)}"
        named = {"purchase": "to buy", RESPONSE: "to respond"}
        return named.get(self.target, f"to make a {plain(self.target)}")

    @property
    def segments(self) -> list[Segment]:
        """From the likeliest."""
        depth = "the expected value covers the cost of a contact" if self.cost else "the likeliest fifth"
        less = "Less likely; contact them only where it costs little."
        return [
            Segment(LIKELY, f"Likely {self.event}", f"Of these {depth}."),
            Segment(POSSIBLE, f"Less likely {self.event}", less),
            Segment(UNLIKELY, f"Unlikely {self.event}", "A contact would cost more than it brings."),
            Segment(UNSCORED, "Not scored", "No reliable prediction is possible; the reason says why."),
        ]

    @property
    def ranked(self) -> tuple[str, ...]:
        """Of churn, those are best who stay."""
        from_likely = (LIKELY, POSSIBLE, UNLIKELY)
        return from_likely[::-1] if self.churn else from_likely

    @property
    def measured_by(self) -> Event:
        return Event(self.target, self.within_days, self.campaign_pattern)

    @property
    def activity_types_used(self) -> frozenset[str] | None:
        return None

    def value_lines(self, model: Mapping[str, Any]) -> list[Line]:
        """Its own lines tell of its probability."""
        return []

    def about_number(self, name: str) -> str:
        days = (
            f"within {self.within_days} days"
            if self.within_days
            else "within the days that were learned from the data"
        )
        return f"How likely the contact is {self.event} {days}, in percent."

    def own_lines(self, backtest: Backtest | None, model: Mapping[str, Any]) -> list[Line]:
        """Who will do it: AUC, lift and calibration on the event itself, on a day that it had not seen."""
        figures = model.get("figures", {})
        if "auc" not in figures:
            refused = figures.get("refused") or "nothing was learned yet"
            return [Line("auc", None, None, refused), *calibration(figures), *_undated(figures)]
        auc, caught = figures["auc"], figures["capture_20"]
        words = f"AUC {auc:.3f} on a day that it had not seen (from {AUC:.2f})"
        reached = f"the best fifth holds {caught:.1%} of those who do it, the best tenth does it {figures['lift_10']:.1f} times as often"
        return [
            Line("auc", auc, auc >= AUC, words),
            Line("lift on the event", caught, caught > TOP, reached),
            *calibration(figures),
            *_ranking(figures),
            *_undated(figures),
        ]

    @model_validator(mode="after")
    def _number_of_its_event(self) -> Response:
        wrong = PROBABILITY if self.churn else CHURN
        if wrong in self.numbers:
            event, own = ("true", CHURN) if self.churn else ("false", PROBABILITY)
            raise ValueError(
                f"numbers = [{wrong!r}] is not what is predicted with churn = {event}; here it is {own}"
            )
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Response:
        if self.churn and (self.target != "purchase" or self.campaign_pattern):
            raise ValueError(
                "churn = true predicts that no purchase comes; leave out target and campaign_pattern"
            )
        if self.campaign_pattern and self.target == "purchase":
            raise ValueError(
                "campaign_pattern needs what is recorded under a campaign's name; set target = 'campaign_response' or its like"
            )
        if (self.cost is None) != (self.value is None):
            raise ValueError(
                "cost and value belong together: probability * value >= cost is what makes a contact pay"
            )
        if self.cost is not None and self.value is not None and self.cost > self.value:
            raise ValueError(f"cost = {self.cost} is above value = {self.value}: no contact can ever pay")
        return self


def _ranking(figures: Mapping[str, Any]) -> list[Line]:
    """What the calibration costs in ranking; nothing of a model that did not measure it."""
    if "auc_uncalibrated" not in figures:
        return []
    cost = round(max(0.0, figures["auc_uncalibrated"] - figures["auc"]), 4)
    words = (
        f"calibration ({figures['calibration']}) costs {cost:.4f} of the AUC; "
        f"{figures['different']:,} different probabilities on that day"
    )
    return [Line("ranking", cost, cost <= RANKING, words)]


def _undated(figures: Mapping[str, Any]) -> list[Line]:
    """Who is in no earlier population, where there is anybody."""
    number = figures.get("undated", 0)
    words = f"{number:,} records have no activity and no created_at, so they are in no earlier population"
    return [Line("left out of the past", float(number), None, words)] if number else []
