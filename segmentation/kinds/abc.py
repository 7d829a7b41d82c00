"""Who brings the money? (kind ``abc``)

ABC on net revenue, of all history or of a window: ``a`` is the smallest set of buyers that brings ``a_share``
of the revenue, ``b`` the next up to ``b_share``, ``c`` the rest; who never bought is ``prospect``.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from segmentation.evaluation.judgement import Judgement
from segmentation.frames import Segment
from segmentation.kinds.base import PROSPECT, BandedKind, Suggestion

_ADVICE = {
    "a": "Give each a named contact; call before they go quiet",
    "b": "Suggest products that A customers buy",
    "c": "Serve them by e-mail and self-service",
    PROSPECT: "Show what customers buy first",
}


class Abc(BandedKind):
    """ABC tiers of net revenue."""

    window_days: int | None = Field(None, ge=1, description="days of revenue; all history if not set")
    a_share: float = Field(0.8, gt=0, lt=1)
    b_share: float = Field(0.95, gt=0, le=1)

    name = "abc"
    segmentation_class = "segmentation.kinds.abc_segmentation:AbcSegmentation"
    suggestion = Suggestion(
        "Customer value", "who brings 80% of net revenue, who up to 95%, who the rest", name="value"
    )
    judgement = Judgement(judged=("lift", "bought again"), steady=True)
    how_to_read = "A, B and C are tiers of net revenue: A brings most of it."
    value_axis = "past"

    @property
    def segments(self) -> list[Segment]:
        """The tiers from the best, then prospects."""
        a, b = f"{self.a_share:.0%}", f"{self.b_share:.0%}"
        return [
            Segment("a", "A", f"The top customers, who together bring {a} of the revenue", _ADVICE["a"]),
            Segment("b", "B", f"The next customers, up to {b} of the revenue", _ADVICE["b"]),
            Segment("c", "C", "All other customers, who bring the rest of the revenue", _ADVICE["c"]),
            Segment(PROSPECT, "Prospect", "No purchase yet", _ADVICE[PROSPECT], "gone"),
        ]

    @property
    def ranked(self) -> tuple[str, ...]:
        return ("a", "b", "c")

    @model_validator(mode="after")
    def _rising(self) -> Abc:
        if self.a_share >= self.b_share:
            raise ValueError(f"a_share = {self.a_share} must be below b_share = {self.b_share}")
        return self
