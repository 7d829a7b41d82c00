"""Which named group does each of the 125 RFM cells belong to?

Groups are tried in their order; the first whose ranges hold the cell takes it. A table must cover every cell,
and every group must take at least one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from segmentation.kinds.base import PROSPECT

if TYPE_CHECKING:
    from segmentation.ecdf import Integers

LEVELS = 5

Score = Annotated[int, Field(ge=1, le=LEVELS)]


class Group(BaseModel):
    """A named part of the cube of scores; ranges hold both ends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str = ""
    description: str = ""
    r: tuple[Score, Score] = (1, LEVELS)
    f: tuple[Score, Score] = (1, LEVELS)
    m: tuple[Score, Score] = (1, LEVELS)

    @model_validator(mode="after")
    def _ascending(self) -> Group:
        for axis, (low, high) in (("r", self.r), ("f", self.f), ("m", self.m)):
            if low > high:
                raise ValueError(f"{axis} = [{low}, {high}] is empty; write the lower score first")
        return self

    def holds(self, cell: tuple[int, int, int]) -> bool:
        return all(
            low <= score <= high for score, (low, high) in zip(cell, (self.r, self.f, self.m), strict=True)
        )


Range = tuple[int, int]
Standing = Literal["buying", "slipping", "gone"]


def group(key: str, title: str, r: Range, f: Range, m: Range, description: str) -> Group:
    """A group of a table that is ready to use."""
    return Group(key=key, title=title, description=description, r=r, f=f, m=m)


# of models that an earlier version fitted, and of digests; for others ``rfm_presets.SHOPS`` stands in its place
DEFAULT: tuple[Group, ...] = (
    group("champions", "Champions", (4, 5), (4, 5), (4, 5), "Bought recently, often and spent the most"),
    group(
        "cannot_lose",
        "Cannot lose",
        (1, 2),
        (4, 5),
        (4, 5),
        "Used to buy often and spend the most, but not for a long time",
    ),
    group("loyal", "Loyal", (3, 5), (4, 5), (1, 5), "Buy often, and not long ago"),
    group("at_risk", "At risk", (1, 2), (3, 5), (1, 5), "Used to buy regularly, but not for a long time"),
    group(
        "potential_loyal", "Potential loyal", (4, 5), (2, 3), (1, 5), "Bought recently, now and then so far"
    ),
    group("new", "New", (4, 5), (1, 1), (1, 5), "Bought recently, but only rarely so far"),
    group(
        "needs_attention", "Needs attention", (3, 3), (2, 3), (1, 5), "Average customers who are slowing down"
    ),
    group("promising", "Promising", (3, 3), (1, 1), (3, 5), "Rare buyers, some time ago, with good spending"),
    group(
        "about_to_sleep",
        "About to sleep",
        (3, 3),
        (1, 1),
        (1, 2),
        "Rare buyers, some time ago, with low spending",
    ),
    group("hibernating", "Hibernating", (2, 2), (1, 2), (1, 5), "Rare buyers, inactive for a long time"),
    group("lost", "Lost", (1, 1), (1, 2), (1, 5), "Rare buyers, inactive the longest"),
)

# what to do about the customers of a group, by its key; none of it costs a discount
ADVICE: Mapping[str, str] = {
    "champions": "Thank them, show new things first, ask for a review",
    "cannot_lose": "Call or write in person this week",
    "loyal": "Offer membership and what goes with their last order",
    "at_risk": "Remind them of what they bought; ask what is missing",
    "potential_loyal": "Suggest a second category",
    "new": "Welcome them and help with the first order",
    "needs_attention": "Show what is new since their last order",
    "promising": "Suggest a second order that fits the first",
    "about_to_sleep": "Send one reminder of what they liked",
    "hibernating": "One e-mail a season is enough",
    "lost": "Leave them out of costly campaigns",
    "recent": "Suggest a second order that fits the first",
    "active": "Suggest a second category",
    "previously_loyal": "Call or write in person this week",
    "almost_lost": "Send one reminder of what they liked",
    "inactive": "Leave them out of costly campaigns",
    "dormant": "Leave them out of costly campaigns",
    "recency_5": "Show new things first",
    "recency_4": "Show new things first",
    "recency_3": "Remind them of what they bought",
    "recency_2": "One e-mail a season is enough",
    "recency_1": "Leave them out of costly campaigns",
    PROSPECT: "Show what customers buy first",
}
STANDING: Mapping[str, Standing] = {
    "cannot_lose": "slipping",
    "previously_loyal": "slipping",
    "almost_lost": "gone",
    "inactive": "gone",
    "dormant": "gone",
    "recency_2": "gone",
    "recency_1": "gone",
    "at_risk": "slipping",
    "hibernating": "gone",
    "lost": "gone",
}  # of the groups that do not buy as usual


def table(groups: Sequence[Group], several: bool = False) -> Integers:
    """Place of the group of each cell, as [r - 1, f - 1, m - 1].

    ``several``: groups of one key are parts of one group. ValueError names a key given twice or reserved, the
    first cell that no group takes, or a group that can take none.
    """
    import numpy as np

    keys = [group.key for group in groups]
    for position, key in enumerate(keys):
        if key == PROSPECT or (key in keys[:position] and not several):
            raise ValueError(
                f"group key {key!r} is {'reserved for records without a purchase' if key == PROSPECT else 'given twice'}"
            )
    cells = np.empty((LEVELS, LEVELS, LEVELS), np.int64)
    for r, f, m in product(range(1, LEVELS + 1), repeat=3):
        taker = next((position for position, group in enumerate(groups) if group.holds((r, f, m))), None)
        if taker is None:
            raise ValueError(
                f"no group takes the cell R{r} F{f} M{m}; widen a group, or add a last one without ranges"
            )
        cells[r - 1, f - 1, m - 1] = taker
    idle = set(range(len(groups))) - set(cells.ravel().tolist())
    if idle:
        raise ValueError(
            f"group {keys[min(idle)]!r} takes no cell: the groups before it take all of its cells; move it up or drop it"
        )
    return cells
