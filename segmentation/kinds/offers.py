"""What should be offered next? (kind ``offers``)

The segment of a record is the category that it is most likely to want next, of those that the config names:
``replenish`` what it buys anyway, ``discover`` what it never bought. Not where people buy once, or one thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from segmentation.evaluation.judgement import Judgement, Line
from segmentation.frames import Segment
from segmentation.kinds.base import Kind
from segmentation.slugs import slugs

if TYPE_CHECKING:
    from segmentation.evaluation.backtest import Backtest

NOTHING = "no_offer"


class Offers(Kind):
    """The next category per record."""

    categories: tuple[str, ...] = Field(
        min_length=1, max_length=60, description="that may be offered, as the activity names them"
    )
    goal: Literal["replenish", "discover"] = "replenish"
    window_days: int = Field(365, ge=1, description="days of purchases that are looked at")
    segment_by: str | None = Field(None, description="a segmentation whose segments have habits of their own")
    dead_band: float = Field(0.1, ge=0, lt=1, description="how much better another category must be")

    name = "offers"
    segmentation_class = "segmentation.kinds.offers_segmentation:OffersSegmentation"
    judgement = Judgement(shown=(), by_purchases=False)
    panels = "offers"

    @property
    def segments(self) -> list[Segment]:
        """The categories in the order of the config."""
        replenish = "Buys this anyway: remind in time."
        text = (
            replenish
            if self.goal == "replenish"
            else "Never bought this; customers with similar purchases do."
        )
        named = zip(slugs(self.categories), self.categories, strict=True)
        return [
            *(Segment(key, name, text) for key, name in named),
            Segment(NOTHING, "No offer", "No offer is known that would fit."),
        ]

    @property
    def uses(self) -> tuple[str, ...]:
        return (self.segment_by,) if self.segment_by is not None else ()

    @property
    def categories_used(self) -> tuple[str, ...]:
        return self.categories

    def own_lines(self, backtest: Backtest | None, model: Mapping[str, Any]) -> list[Line]:
        """What is wanted next: more hits than offering everybody what sells best."""
        tried = model.get("figures", {}).get("tried")
        if not tried:
            return [Line("hits", None, None, "the past is too short to see whether offers are wanted")]
        rate, popular = tried["bought"][0], tried["popular"][0]
        error = (max(popular * (1 - popular), 1e-9) / max(1, tried["records"])) ** 0.5
        words = f"{rate:.1%} of {tried['records']:,} buyers bought what would have been offered within {tried['days']} days, "
        return [Line("hits", rate, rate >= popular - error, f"{words}{popular:.1%} what is bought most")]

    @field_validator("categories")
    @classmethod
    def _different(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len({category.strip() for category in value} - {""}) < len(value):
            raise ValueError("a category is named twice, or has no name")
        return value
