"""How do records buy: how lately, how often, for how much? (kind ``rfm``)

Each record has a score of 1 to 5 for recency, frequency and money; the three make a cell, and the cell belongs
to a named group (``segmentation.kinds.rfm_groups``).
"""

from __future__ import annotations

from pydantic import Field, field_validator

from segmentation.evaluation.judgement import Judgement
from segmentation.frames import Segment
from segmentation.kinds.base import PROSPECT, BandedKind, Suggestion
from segmentation.kinds.rfm_groups import ADVICE, DEFAULT, STANDING, Group, table


class Rfm(BandedKind):
    """RFM scores and named groups."""

    window_days: int = Field(365, ge=1, description="days of purchases that F and M count")
    recency_patience: float = Field(
        3.0, ge=0, description="R falls only after a silence longer than this many of the record's mean gaps"
    )
    groups: tuple[Group, ...] = DEFAULT

    name = "rfm"
    segmentation_class = "segmentation.kinds.rfm_segmentation:RfmSegmentation"
    suggestion = Suggestion("Buying habits", "recency, frequency and money in named groups")
    how_to_read = "Groups compare customers with each other: lost means the longest ago among your customers, not gone for good."
    cuts_by_ranks = True
    judgement = Judgement(judged=("lift",))
    forecast_column = "rfm"

    @property
    def segments(self) -> list[Segment]:
        """The groups in their order, then prospects."""
        named = [
            Segment(
                group.key,
                group.title or group.key,
                group.description,
                ADVICE.get(group.key, ""),
                STANDING.get(group.key, "buying"),
            )
            for group in self.groups
        ]
        return [*named, Segment(PROSPECT, "Prospect", "No purchase yet", ADVICE[PROSPECT], "gone")]

    @field_validator("groups")
    @classmethod
    def _total(cls, value: tuple[Group, ...]) -> tuple[Group, ...]:
        table(value)
        return value
