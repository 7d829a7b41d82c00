"""How does everything statistical become figures in a template? For who judges the models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from sync.pull import reading
from sync.report import svg
from sync.report.events import without_addresses
from sync.report.figures import AccountFigures, Coverage, Overlap, SegmentationFigures
from sync.report.formats import Money, percent
from sync.report.moves import flow_of
from sync.report.rendering import rendered
from sync.report.sections import judgement, of_account, of_segmentation
from sync.report.sizes import every
from sync.report.svg import Bar, Cell

_LISTS = 12  # that a chart shows
_EXITS = {
    0: "done", 1: "failed", 2: "config", 3: "changes found", 4: "done with rejects", 5: "stopped by a guard or hold", 75: "try again later",
}  # fmt: skip


def render(accounts: Sequence[AccountFigures], made_at: str) -> str:
    """The page that ``crm-segments report --for analyst`` writes."""
    names = ", ".join(figures.account for figures in accounts)
    return rendered(
        "analyst.html", [_account(f) for f in accounts], f"Segments of {names}, for analysts", made_at
    )


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if whole and part is not None else None


# -- an account --------------------------------------------------------------------------------------------


def _account(figures: AccountFigures) -> dict[str, Any]:
    segmentations = [_segmentation(entry, figures) for entry in figures.segmentations]
    written = figures.events.written
    return {
        "figures": figures,
        "events": figures.events,
        "as_of": max((entry.as_of for entry in figures.segmentations if entry.as_of), default=None),
        "segmentations": segmentations,
        "coverage": _coverage(figures.coverage, figures.records),
        "overlaps": [_overlap(entry, figures.segmentations) for entry in figures.overlaps],
        "written": written,
        "changes": _changes(written.by_target) if written else None,
        "exits": _EXITS,
        "sections": of_account(figures),
        **_reading(figures.reading),
    }


def _reading(last_reading: dict[str, Any] | None) -> dict[str, Any]:
    """What was read, as a table and in sentences, and until when data reach."""
    if last_reading is None:
        return {"data_through": "", "reading": [], "reading_head": reading.COLUMNS, "sentences": []}
    return {
        "data_through": reading.data_through(last_reading),
        "reading": reading.table(last_reading),
        "reading_head": reading.COLUMNS,
        "sentences": [without_addresses(sentence) for sentence in reading.sentences(last_reading)],
    }


def _of(figures: AccountFigures) -> Money:
    return Money(figures.currency, figures.exponent)


def _coverage(coverage: Sequence[Coverage], records: int) -> dict[str, Any]:
    rows = [(covered.attribute, covered.known, _share(covered.known, records) or 0.0) for covered in coverage]
    drawn = svg.bars(
        "Share of records of which each attribute is known",
        [Bar(n, (s,), f"{k:,} · {percent(s)}") for n, k, s in rows],
        True,
    )
    return {"chart": drawn, "rows": rows}


def _overlap(overlap: Overlap, segmentations: Sequence[SegmentationFigures]) -> dict[str, Any]:
    """A table whose cells are tinted by the share of their row."""
    of = {segmentation.name: segmentation for segmentation in segmentations}
    first, second = of[overlap.first], of[overlap.second]
    columns = [key for key in second.titles if any(pair[1] == key for pair in overlap.cells)]
    rows = []
    for key, label in first.titles.items():
        counts = [overlap.cells.get((key, column), 0) for column in columns]
        total = sum(counts)
        if total:
            rows.append((label, total, [(count, count / total) for count in counts]))
    return {
        "first": first.title,
        "second": second.title,
        "columns": [second.titles[key] for key in columns],
        "rows": rows,
    }


def _changes(by_target: dict[str, dict[str, int]]) -> dict[str, Any]:
    """Fields, and lists with who came in and who went out; each with the table behind its chart."""
    lists = {
        target: (actions.get("enter", 0), actions.get("leave", 0))
        for target, actions in by_target.items()
        if {"enter", "leave"} & set(actions)
    }
    fields = {target: actions for target, actions in by_target.items() if target not in lists}
    most = max((sum(actions.values()) for actions in fields.values()), default=1) or 1
    words = {"clear": "cleared", "overwrite": "overwritten", "restore": "restored"}
    shown = [
        (
            target,
            sum(actions.values()),
            ", ".join(f"{number:,} {words.get(action, action)}" for action, number in actions.items()),
        )
        for target, actions in fields.items()
    ]
    members = sorted(((target, *both) for target, both in lists.items()), key=lambda row: -sum(row[1:]))
    largest = max((max(row[1:]) for row in members), default=1) or 1
    return {
        "fields": svg.bars(
            "Changes by field", [Bar(target, (number / most,), text) for target, number, text in shown]
        ),
        "lists": svg.bars(
            "Members that came into and went out of lists",
            [
                Bar(target, (came / largest, went / largest), f"{came:,} in · {went:,} out")
                for target, came, went in members[:_LISTS]
            ],
        ),
        "field_rows": shown,
        "members": members,
        "shown": _LISTS,
    }


# -- a segmentation ----------------------------------------------------------------------------------------


def _segmentation(segmentation: SegmentationFigures, figures: AccountFigures) -> dict[str, Any]:
    table = [
        (
            s,
            _share(s.records, segmentation.records) or 0.0,
            _share(s.revenue, segmentation.revenue),
            _of(figures).whole(s.revenue),
        )
        for s in segmentation.segments
    ]
    largest = max((max(records, revenue or 0) for _, records, revenue, _ in table), default=1) or 1
    rows = []
    for segment, records, revenue, _ in table:
        shares = (records / largest,) if revenue is None else (records / largest, revenue / largest)
        words = percent(records) if revenue is None else f"{percent(records)} · {percent(revenue)}"
        rows.append(Bar(segment.title, shares, f"{segment.records:,}   {words}"))
    return {
        "figures": segmentation,
        "table": table,
        "sizes": svg.bars(f"Segments of {segmentation.title}: share of records, and of revenue", rows),
        "has_revenue": segmentation.revenue is not None,
        "headline": _headline(table),
        "map": _map(segmentation),
        "flow": flow_of(
            segmentation, segmentation.flows, {key: place for place, key in enumerate(segmentation.titles)}
        ),
        **_trends(segmentation),
        "own": of_segmentation(segmentation, figures),
        "judged": judgement(segmentation, figures),
        "reasons": [
            (segmentation.titles.get(r.segment, r.segment), r.pattern, r.records)
            for r in segmentation.reasons
        ],
        "every": every(segmentation.records),
    }


def _headline(table: Sequence[tuple[Any, float, float | None, str]]) -> str:
    """The most telling sentence: where revenue is most out of proportion to the number of records."""
    with_revenue = [
        (segment, records, revenue)
        for segment, records, revenue, _ in table
        if revenue is not None and records >= 0.01
    ]
    if not with_revenue:
        return ""
    segment, records, revenue = max(with_revenue, key=lambda row: row[2] - row[1])
    return f"{segment.title}: {percent(records)} of the records, {percent(revenue)} of the net revenue."


def _map(segmentation: SegmentationFigures) -> Markup:
    if not segmentation.spots:
        return Markup("")
    at = {(spot.recency, spot.frequency): spot for spot in segmentation.spots}
    most = max(spot.records for spot in segmentation.spots)
    rows = []
    for recency in range(5, 0, -1):
        cells = []
        for frequency in range(1, 6):
            spot = at.get((recency, frequency))
            label = segmentation.titles.get(spot.segment, spot.segment) if spot else ""
            cells.append(Cell(spot.records / most, f"{spot.records:,}", label) if spot else Cell(0, "0"))
        rows.append((f"R{recency}", cells))
    return svg.heat(
        "Records by recency and frequency score",
        [f"F{f}" for f in range(1, 6)],
        rows,
        "buy more often",
        "bought longer ago",
    )


def _trends(segmentation: SegmentationFigures) -> dict[str, Any]:
    motions, sizes = segmentation.movement.motions, segmentation.movement.sizes
    if len(motions) < 2:
        return {"trends": [], "motion": "", "motions": motions, "days": []}
    days = [motion.as_of.toordinal() for motion in motions]
    keys = [
        *(key for key in segmentation.titles if key in sizes),
        *(key for key in sizes if key not in segmentation.titles),
    ]
    trends = []
    for key in keys:
        label, values = segmentation.titles.get(key, key), sizes[key]
        words = f"{label}: {values[0]:,} on {motions[0].as_of}, {values[-1]:,} on {motions[-1].as_of}"
        trends.append((label, values, svg.lines(words, days, [values])))
    moving = svg.lines(
        f"Share of records that moved, and that returned to an earlier segment within twelve weeks, of {segmentation.title}",
        days[1:],
        [[motion.share for motion in motions[1:]], [motion.returned_share for motion in motions[1:]]],
        height=140,
    )
    return {
        "trends": trends,
        "motion": moving,
        "motions": motions,
        "days": [motion.as_of for motion in motions],
    }
