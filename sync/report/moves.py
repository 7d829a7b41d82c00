"""Who moved between the segments of a segmentation, drawn? Those who stay would leave the moves hair-thin: their
number stands in the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sync.report import svg
from sync.report.figures import SegmentationFigures
from sync.report.svg import Ribbon
from sync.report.transitions import Flow

OUTSIDE = "no segment"


@dataclass(frozen=True)
class Drawn:
    """``moves``: (from, to, records), the most frequent first."""

    drawn: Markup
    moves: list[tuple[str, str, int]]
    stayed: int
    stayed_share: float | None


def flow_of(segmentation: SegmentationFigures, moved: Sequence[Flow], colours: Mapping[str, int]) -> Drawn:
    """The moves between two labellings. ``colours``: of segments, by key."""
    titles = list(segmentation.titles.values())
    names = {
        key: title if titles.count(title) == 1 else f"{title} ({key})"
        for key, title in segmentation.titles.items()
    }
    flows = [
        (
            names.get(flow.before or "", flow.before) or OUTSIDE,
            names.get(flow.after or "", flow.after) or OUTSIDE,
            flow.records,
        )
        for flow in moved
    ]
    order: dict[str, int] = {}
    for name in [*names.values(), *(side for flow in flows for side in flow[:2])]:
        order.setdefault(name, len(order))
    moves = sorted((flow for flow in flows if flow[0] != flow[1]), key=lambda flow: -flow[2])
    stayed = sum(flow.records for flow in moved if flow.before and flow.before == flow.after)
    before = sum(flow.records for flow in moved if flow.before)
    title = f"Customers that moved from one segment of {segmentation.title} to another"
    by_name = {names[key]: colours[key] for key in names if key in colours}
    drawn = svg.flow(title, [Ribbon(*flow) for flow in moves], order, by_name)
    return Drawn(drawn, moves, stayed, stayed / before if before else None)
