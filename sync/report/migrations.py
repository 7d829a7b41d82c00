"""Where do records of a segment go? The migration matrix of two labellings.

One transition says nothing about where records end up in the long run, so that is not told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sync.report import formats
from sync.report.panels import Panel, Shade, matrix
from sync.report.transitions import Flow

NARROW, WIDE = 3, 12  # segments that half a page has room for, and a whole one


def panels(flows: Sequence[Flow], labels: Mapping[str, str]) -> list[Panel]:
    """Of each segment (a row) the share that went to each other one."""
    from segmentation.evaluation.migration import Migration

    migration = Migration.of_counts(
        [(flow.before, flow.after, flow.records) for flow in flows if flow.before and flow.after],
        list(labels),
    )
    keys = migration.keys[:-1]
    if len(keys) < 2:
        return []
    names = [labels.get(key, key) for key in keys]
    rows: list[tuple[str | Shade, ...]] = []
    for position, title in enumerate(names):
        if migration.records[position].sum():
            shares = [float(share) for share in migration.probabilities[position]]
            rows.append((title, *(Shade(formats.percent(share) if share else "", share) for share in shares)))
    remark = "of the records of a segment (a row), the share that is in each segment now"
    shown = matrix(("From", *names), rows)
    return [Panel("Migration", remark, table=shown, wide=len(keys) > NARROW, folded=len(keys) > WIDE)]
