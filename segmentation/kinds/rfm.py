"""How do records buy: how lately, how often, for how much? (kind ``rfm``)

Each record has a score of 1 to 5 for recency, frequency and money; the three make a cell, and the cell belongs
to a named group: of the config's table, of a preset that it names, or else of ``rfm_presets.SHOPS``. A model that
an earlier version fitted keeps the groups of that version until the next training, so that an update labels nobody
anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from segmentation.evaluation.judgement import Judgement
from segmentation.frames import Segment
from segmentation.kinds.base import PROSPECT, BandedKind, Suggestion
from segmentation.kinds.rfm_groups import ADVICE, DEFAULT, STANDING, Group, table
from segmentation.kinds.rfm_presets import PRESETS, SHOPS

# how a model scores; 1: those of the earliest versions
APART = 2  # one-time buyers apart, newcomers recent
USUAL = 3  # a usual silence is no news
SCORING = USUAL  # of models fitted now


class Rfm(BandedKind):
    """RFM scores and named groups."""

    window_days: int = Field(365, ge=1, description="days of purchases that F and M count")
    recency_patience: float = Field(
        3.0,
        ge=0,
        description="R falls only after a silence longer than this many of the record's mean gaps; "
        "if not set, 7 of them within 90 days or 2 of them, in models of earlier versions 3",
    )
    groups: tuple[Group, ...] = DEFAULT

    name = "rfm"
    segmentation_class = "segmentation.kinds.rfm_segmentation:RfmSegmentation"
    suggestion = Suggestion("Buying habits", "recency, frequency and money in named groups")
    how_to_read = "Groups compare customers with each other: lost means the longest ago among your customers, not gone for good."
    texts_from_model = True
    cuts_by_ranks = True
    judgement = Judgement(judged=("lift",))
    forecast_column = "rfm"

    @property
    def segments(self) -> list[Segment]:
        """The groups in their order, then prospects."""
        return _segments(self.table_of(None))

    def named(self, model: Mapping[str, Any]) -> list[Segment]:
        return _segments(self.table_of(model))

    def outdated(self, model: Mapping[str, Any]) -> str:
        if scoring(model) == SCORING:
            return ""
        if scoring(model) == APART:
            return (
                "its model is of an earlier version, in which regular customers change their group with each "
                "purchase; the plan after a training says who moves"
            )
        reason = "its model is of an earlier version, in which groups run empty where many bought once"
        own = "" if "groups" in self.model_fields_set else ", and promising are rare buyers of some time ago"
        return f"{reason}{own}; the plan after a training says what changes"

    def patience(self, version: int) -> float | None:
        """How many mean gaps a silence may last in models that score so; None: as ``segmentation.usual_silence`` says."""
        said = version < USUAL or "recency_patience" in self.model_fields_set
        return self.recency_patience if said else None

    def table_of(self, model: Mapping[str, Any] | None) -> tuple[Group, ...]:
        """The groups by which a model labels; None: one that is fitted now."""
        if "groups" in self.model_fields_set:
            return self.groups
        return PRESETS[SHOPS].groups if model is None or scoring(model) >= APART else DEFAULT

    @field_validator("groups", mode="before")
    @classmethod
    def _preset(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in PRESETS:
            raise ValueError(
                f"there are no groups {value!r}; there are {', '.join(map(repr, PRESETS))}, or a table of your own"
            )
        return PRESETS[value].groups

    @field_validator("groups")
    @classmethod
    def _total(cls, value: tuple[Group, ...]) -> tuple[Group, ...]:
        table(value, several=any(value == preset.groups for preset in PRESETS.values()))
        return value


def scoring(model: Mapping[str, Any]) -> int:
    """How a model scores."""
    return int(model.get("figures", {}).get("scoring", 1))


def _segments(groups: tuple[Group, ...]) -> list[Segment]:
    named = [
        Segment(
            group.key,
            group.title or group.key,
            group.description,
            ADVICE.get(group.key, ""),
            STANDING.get(group.key, "buying"),
        )
        for group in {group.key: group for group in groups}.values()
    ]
    return [*named, Segment(PROSPECT, "Prospect", "No purchase yet", ADVICE[PROSPECT], "gone")]
