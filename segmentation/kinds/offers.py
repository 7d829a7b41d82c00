"""What should be offered next? (kind ``offers``)

The segment of a record is the category that it is most likely to want next: ``replenish`` what it buys anyway,
``discover`` what it never bought. Categories are those that the config names; where it names none, those that
enough records buy, of which the first have a segment of their own. Not where people buy once, or one thing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from segmentation.evaluation.judgement import Judgement, Line
from segmentation.frames import Segment
from segmentation.kinds.base import Kind
from segmentation.slugs import slugs
from segmentation.value_fields import ValueField

if TYPE_CHECKING:
    from segmentation.evaluation.backtest import Backtest

NOTHING, OTHER = "no_offer", "other_category"
NO_OFFER = Segment(NOTHING, "No offer", "No offer is known that would fit.")
OTHERS = Segment(OTHER, "Another category", "Wants a category most that has no segment of its own.")
EVER = 2  # times ``max_segments``: numbers that may ever be given to categories
TITLE = 80  # characters of a category's name, where people read it
THREE, JOINED = ("offer_1", "offer_2", "offer_3"), "offers"  # names of fields
STEADY = "Changes only when another category is clearly ahead. Empty: no offer is known that would fit."
OF_FOUND = ("min_buyers", "max_segments", "exclude", "sensitive")


def plain(category: str) -> str:
    """A category's name as people read it: one line, not too long, without what separates names."""
    visible = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in category)
    name = " ".join(visible.replace(";", ",").split())
    return name if len(name) <= TITLE else name[: TITLE - 1].rstrip() + "…"


def category_key(number: int) -> str:
    """The key of the segment of a category that was found."""
    return f"category_{number}"


class Offers(Kind):
    """The next category per record."""

    categories: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        max_length=60,
        description="that may be offered, as the activity names them; if not set, all that enough records buy",
    )
    goal: Literal["replenish", "discover"] = "replenish"
    window_days: int = Field(365, ge=1, description="days of purchases that are looked at")
    segment_by: str | None = Field(None, description="a segmentation whose segments have habits of their own")
    dead_band: float = Field(0.1, ge=0, lt=1, description="how much better another category must be")
    min_buyers: int = Field(
        30, ge=1, description="buyers within the window that a category needs to be found"
    )
    max_segments: int = Field(
        12, ge=1, le=20, description="categories found that have a segment of their own at a time"
    )
    exclude: tuple[str, ...] = Field((), description="categories that are never found")
    sensitive: tuple[str, ...] = Field((), description="sensitive categories that are found all the same")
    offer_fields: Literal["three", "joined"] | None = Field(
        None,
        description="the first three offers as text: in three fields (offer_1 to offer_3), or joined in one (offers)",
    )

    beside_labels = frozenset({"offer_fields"})
    no_category = frozenset({NOTHING, OTHER})
    name = "offers"
    segmentation_class = "segmentation.kinds.offers_segmentation:OffersSegmentation"
    judgement = Judgement(shown=(), by_purchases=False)
    panels = "offers"

    @property
    def names_from_model(self) -> bool:
        return self.categories is None

    @classmethod
    def finds_segments(cls, model: Mapping[str, Any]) -> bool:
        return "numbers" in model.get("learned", {})

    @property
    def segments(self) -> list[Segment]:
        """The categories in the order of the config, or as many numbers as may ever be given."""
        if self.categories is None:
            numbers = range(1, EVER * self.max_segments + 1)
            unused = "Kept for a category that is found later."
            found = (Segment(category_key(number), f"Category {number}", unused) for number in numbers)
            return [*found, OTHERS, NO_OFFER]
        named = zip(slugs(self.categories), self.categories, strict=True)
        return [*(Segment(key, name, self._about) for key, name in named), NO_OFFER]

    def named(self, model: Mapping[str, Any]) -> list[Segment]:
        if self.categories is not None:
            return self.segments
        taken = {OTHERS.title.casefold(), NO_OFFER.title.casefold()}
        segments = []
        for category, number in sorted(model.get("learned", {}).get("numbers", ()), key=lambda pair: pair[1]):
            title = plain(category) or category_key(number)
            title = f"{title} ({number})" if title.casefold() in taken else title
            taken.add(title.casefold())
            segments.append(Segment(category_key(number), title, self._about))
        return [*segments, OTHERS, NO_OFFER]

    @property
    def value_fields(self) -> tuple[ValueField, ...]:
        if self.offer_fields is None:
            return ()
        if self.offer_fields == "joined":
            about = f"The categories to offer, the best first, with semicolons between them. {self._about}"
            return (ValueField(JOINED, "text", "Offers", f"{about} {STEADY}"),)
        which = ("first", "second", "third")
        return tuple(
            ValueField(
                name,
                "text",
                f"Offer {number}",
                f"The {which[number - 1]} category to offer. {self._about} {STEADY}",
            )
            for number, name in enumerate(THREE, 1)
        )

    @property
    def _about(self) -> str:
        if self.goal == "replenish":
            return "Buys this anyway: remind in time."
        return "Never bought this; customers with similar purchases do."

    @property
    def uses(self) -> tuple[str, ...]:
        return (self.segment_by,) if self.segment_by is not None else ()

    @property
    def categories_used(self) -> tuple[str, ...]:
        return self.categories or ()

    def own_lines(self, backtest: Backtest | None, model: Mapping[str, Any]) -> list[Line]:
        """What is wanted next: more hits than offering everybody what sells best."""
        tried = model.get("figures", {}).get("tried")
        if not tried:
            return [Line("hits", None, None, "the past is too short to see whether offers are wanted")]
        rate, popular = tried["bought"][0], tried["popular"][0]
        error = (max(popular * (1 - popular), 1e-9) / max(1, tried["records"])) ** 0.5
        words = f"{rate:.1%} of {tried['records']:,} buyers bought what would have been offered within {tried['days']} days, "
        lines = [Line("hits", rate, rate >= popular - error, f"{words}{popular:.1%} what is bought most")]
        first, most = tried.get("first"), tried.get("popular_first")
        if first and most:
            what = "" if self.goal == "replenish" else "a new category, "
            words = (
                f"of {first['buyers']:,} who bought {what}{first['hit_3']:.1%} bought one of the first three (those bought most: "
                f"{most['hit_3']:.1%}), {first['hit_10']:.1%} one of the first ten; recall@10 {first['recall_10']:.3f}"
            )
            lines.append(Line("hit@3", first["hit_3"], None, words))
        return lines

    @field_validator("categories")
    @classmethod
    def _different(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and len({category.strip() for category in value} - {""}) < len(value):
            raise ValueError("a category is named twice, or has no name")
        return value

    @model_validator(mode="after")
    def _only_found(self) -> Offers:
        idle = [name for name in OF_FOUND if self.categories is not None and name in self.model_fields_set]
        if idle:
            raise ValueError(
                f"{', '.join(idle)} is about categories that are found; leave categories out, or this"
            )
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the younger keys where they say nothing: nobody is trained again for their sake."""
        table: dict[str, Any] = dump(self)
        younger = {name: type(self).model_fields[name].default for name in (*OF_FOUND, "offer_fields")}
        return {
            key: value
            for key, value in table.items()
            if key not in younger or getattr(self, key) != younger[key]
        }
