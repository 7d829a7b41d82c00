"""Where do records of a segment go, and where does that lead? The migration matrix of two labellings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sync.report import formats
from sync.report.panels import Panel, Shade, matrix
from sync.report.transitions import Flow

NARROW, WIDE = 3, 12  # segments that half a page has room for, and a whole one


def panels(flows: Sequence[Flow], labels: Mapping[str, str]) -> list[Panel]:
    """Of each segment (a row) the share that went to each other one, how long records stay, and where all of
    it leads.
    """
    from segmentation.evaluation.migration import Migration

    migration = Migration.of_counts(
        [(flow.before, flow.after, flow.records) for flow in flows if flow.before and flow.after],
        list(labels),
    )
    keys = migration.keys[:-1]
    if len(keys) < 2:
        return []
    shares, stay, leads, counts = (
        migration.probabilities,
        migration.stay,
        migration.stationary,
        migration.records,
    )
    names = [labels.get(key, key) for key in keys]
    rows: list[tuple[str | Shade, ...]] = []
    for position, key in enumerate(keys):
        if counts[position].sum():
            cells = [
                Shade(formats.percent(float(share)) if share else "", float(share))
                for share in shares[position]
            ]
            labellings = stay[key]
            rows.append((names[position], *cells, "∞" if labellings is None else f"{labellings:.1f}"))
    rows.append(("In the long run", *(Shade(formats.percent(leads[key]), leads[key]) for key in keys), ""))
    remark = (
        "of the records of a segment (a row), the share that is in each segment now; the last column says for how many labellings a "
        "record stays (∞: none has left), the last row where it leads if records go on moving so"
    )
    shown = matrix(("From", *names, "Stays"), rows)
    return [Panel("Migration", remark, table=shown, wide=len(keys) > NARROW, folded=len(keys) > WIDE)]
