"""How much of a segmentation usually changes in one plan, and so how much may, where the config sets no limit?

The default of ``max_change`` is 5%, or three times the median of what the last plans changed, whichever is more: a shop
whose customers move a lot is not stopped each time, and one whose customers hardly move is not let down. Fewer than three
plans tell nothing yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Any

from sync.config.settings import Limit
from sync.store.journal import Journal

PLANS = 10  # the last ones that were carried out
_FEWEST = 3
_TIMES = 3


@dataclass(frozen=True)
class UsualChange:
    """The median share of records that the last plans moved to another segment."""

    share: float
    plans: int


def usual_changes(journal: Journal, account: str) -> dict[str, UsualChange]:
    """By segmentation, of those that enough plans tell of."""
    shares: dict[str, list[float]] = {}
    for plan in islice(journal.plans.carried_out(account), PLANS):
        moves: Mapping[str, Mapping[str, Any]] = plan.summary.get(
            "moves", {}
        )  # none in those of earlier versions
        for name, counted in moves.items():
            if counted["of"]:
                shares.setdefault(name, []).append(counted["moved"] / counted["of"])
    return {
        name: UsualChange(median(found), len(found))
        for name, found in shares.items()
        if len(found) >= _FEWEST
    }


def change_limit(limit: Limit, usual: UsualChange | None) -> tuple[Limit, str]:
    """How many may change their segment, and where that comes from."""
    if limit.configured:
        return limit, "set in [guards]"
    if usual is None or usual.share * _TIMES <= (limit.share or 0):
        return limit, "the default"
    share = min(1.0, usual.share * _TIMES)
    why = f"{_TIMES} times the median of the last {usual.plans} plans that changed it"
    return limit.model_copy(update={"share": share}), why
