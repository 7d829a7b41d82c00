"""What does a person need to judge a plan? Figures that are counted while its changes still stand in the mirror, and
kept with it: so a plan of a million changes is shown at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sync.account.segment_catalog import SegmentText, named_segments
from sync.config.config import Config
from sync.store import plan_figures
from sync.store.journal import Journal
from sync.store.mirror import AccountMirror
from sync.store.relation import Relation

LOSING = 20  # customers that lose status, the biggest
_STANDINGS = ("buying", "slipping", "gone")


def figures(config: Config, journal: Journal, mirror: AccountMirror, changes: Relation) -> dict[str, Any]:
    """Of the changes of a plan, for ``sync.views.plan_review``."""
    return {
        "totals": plan_figures.totals(mirror, changes),
        "segments": plan_figures.segments(mirror, changes),
        "lists": plan_figures.lists(mirror, changes),
        "losing": plan_figures.losing_status(mirror, changes, _places(config, journal, mirror.name), LOSING),
    }


def _places(config: Config, journal: Journal, account: str) -> dict[str, dict[str, int]]:
    """Segmentation → segment → its place, 0 the best."""
    return {
        settings.name: _placed(
            named_segments(config, journal, settings, account), list(settings.options.ranked)
        )
        for settings in config.segmentations_of(account)
    }


def _placed(texts: Sequence[SegmentText], ranked: Sequence[str]) -> dict[str, int]:
    """By the kind's own order; a segment that it leaves out, by what becomes of its customers: beside the first
    ranked one of the same standing, or else behind them all, unless they buy as usual.
    """
    if not ranked:
        return {text.key: _STANDINGS.index(text.standing) for text in texts}
    by_standing = {"buying": 0}
    for text in texts:
        if text.key in ranked:
            place = ranked.index(text.key)
            by_standing[text.standing] = min(place, by_standing.get(text.standing, place))
    return {
        text.key: ranked.index(text.key)
        if text.key in ranked
        else by_standing.get(text.standing, len(ranked))
        for text in texts
    }
