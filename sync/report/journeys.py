"""By which ways do the records of each segment come to buy? Their touchpoints, steps, and the time to a
purchase.

See ``segmentation.evaluation.attribution``. Of many records some are drawn, and the page says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.report import formats, svg
from sync.report.panels import Panel, Picture, Shade, Text, matrix, table
from sync.report.svg import Bar

DRAWN = 20_000  # records
FEWEST = 10  # records of a segment that is told apart
NARROW = 4  # columns that half a page has room for
_POINTS = 48  # of a curve
_WAITS = (30, 90, 365)  # days


@dataclass(frozen=True)
class Journeys:
    """``found`` by segment of the segmentation ``by`` (``segmentation.evaluation.attribution``), of ``drawn`` of so many
    records.
    """

    by: str
    found: dict[str, dict[str, Any]]
    drawn: int
    records: int

    @property
    def steps(self) -> list[str]:
        """All steps, those with most touches first."""
        sums: dict[str, int] = {}
        for journey in self.found.values():
            for row in journey["steps"]:
                sums[row["step"]] = sums.get(row["step"], 0) + int(row["touches"])
        return sorted(sums, key=lambda step: (-sums[step], step))


def gather(by: str, records: int, journeys: Mapping[str, dict[str, Any]]) -> Journeys:
    """The journeys of the segments of ``by``, that has so many records, as ``sync.views.journeys`` gives them
    of ``DRAWN``.
    """
    return Journeys(
        by,
        {key: journey for key, journey in journeys.items() if journey["first"].records >= FEWEST},
        min(records, DRAWN),
        records,
    )


def panels(journeys: Journeys, labels: Mapping[str, str]) -> list[Panel]:
    """Touchpoints, steps, removal effects, and curves of waiting; what there is nothing to tell of is left
    out.
    """
    order = [key for key in labels if key in journeys.found]
    if not order:
        return []
    steps = journeys.steps
    touch_panels = (
        []
        if not steps
        else [
            _mix(journeys, order, labels, steps),
            _steps(journeys, order, labels),
            *_removal(journeys, order, labels),
        ]
    )
    waits = [("first", "Time to the first purchase", "from the first touch")] if steps else []
    waits.append(("second", "Time to the second purchase", "from the first"))
    return [*touch_panels, *(panel for which in waits for panel in _waits(journeys, order, labels, *which))]


def _plain(step: str) -> str:
    return step.replace("_", " ")


def _mix(journeys: Journeys, order: list[str], labels: Mapping[str, str], steps: list[str]) -> Panel:
    shown = steps[: svg.COLOURS - 1] if len(steps) > svg.COLOURS else steps
    bars, rows = [], []
    overall = _shares_of_all(journeys, order)
    for key in order:
        touches = {row["step"]: row for row in journeys.found[key]["steps"]}
        shares = [float(touches[step]["share"]) if step in touches else 0.0 for step in shown]
        others = [] if shown == steps else [max(0.0, 1 - sum(shares))] if touches else [0.0]
        sum_ = sum(int(row["touches"]) for row in touches.values())
        bars.append(Bar(labels[key], (*shares, *others), f"{sum_:,} touches"))
        for step, row in touches.items():
            counts = (formats.count(row[column]) for column in ("touches", "records", "first", "last"))
            index = f"{100 * row['share'] / overall[step]:,.0f}"
            rows.append((labels[key], _plain(step), *counts, formats.percent(row["share"]), index))
    key_names = (*(_plain(step) for step in shown), *(() if shown == steps else ("others",)))
    drawn = svg.stacks("Touchpoints of each segment, other than purchases", bars)
    remark = (
        "what people do or receive other than purchases; first: the ways that begin with it; last: the purchases "
        "that it stands right before; "
        f"index: its share against that of all segments, which is 100. Touches before a purchase: {_each(journeys, order, labels)}"
    )
    if journeys.drawn < journeys.records:
        remark += f". Of about {journeys.drawn:,} records, evenly drawn from {journeys.records:,}"
    head = ("Segment", "Touchpoint", "Touches", "Records", "First", "Last", "Share", "Index")
    return Panel("Touchpoints", remark, [Picture(drawn)], key_names, table(head, rows, texts=2))


def _shares_of_all(journeys: Journeys, order: list[str]) -> dict[str, float]:
    sums: dict[str, int] = {}
    for key in order:
        for row in journeys.found[key]["steps"]:
            sums[row["step"]] = sums.get(row["step"], 0) + int(row["touches"])
    return {step: number / sum(sums.values()) for step, number in sums.items()}


def _each(journeys: Journeys, order: list[str], labels: Mapping[str, str]) -> str:
    """``Active 2.1, Lost 7.3``: touches on the ways to a purchase, by purchases."""
    bought = {key: journeys.found[key]["bought"] for key in order}
    averages = [
        f"{labels[key]} {numbers['touches'] / numbers['purchases']:,.1f}"
        for key, numbers in bought.items()
        if numbers["purchases"]
    ]
    return ", ".join(averages) or "there was none"


def _steps(journeys: Journeys, order: list[str], labels: Mapping[str, str]) -> Panel:
    """Of all segments; those of each segment wait behind."""
    sums: dict[tuple[str, str], int] = {}
    for key in order:
        for pair, number in journeys.found[key]["transitions"].items():
            sums[pair] = sums.get(pair, 0) + number
    froms = [step for step in ("start", *journeys.steps) if any(pair[0] == step for pair in sums)]
    tos = [step for step in (*journeys.steps, "purchase", "end") if any(pair[1] == step for pair in sums)]
    whole: list[tuple[Text, ...]] = [
        (_plain(step), *_shares([sums.get((step, other), 0) for other in tos])) for step in froms
    ]
    rows: list[tuple[Text, ...]] = []
    for key in order:
        counts = journeys.found[key]["transitions"]
        rows += [
            (f"{labels[key]}: {_plain(step)}", *_shares([counts.get((step, other), 0) for other in tos]))
            for step in froms
            if any((step, other) in counts for other in tos)
        ]
    remark = "of the ways that come to a step (a row), the share that goes on to each other; a way ends with a purchase, or with as_of"
    head = ("From", *(_plain(step) for step in tos))
    wide = len(tos) > NARROW
    return Panel(
        "From step to step",
        remark,
        table=matrix(head, whole),
        wide=wide,
        more=("By segment", matrix(head, rows)),
    )


def _shares(numbers: list[int]) -> list[Shade]:
    total = sum(numbers)
    return [
        Shade(formats.percent(number / total) if total else formats.UNKNOWN, number / total if total else 0.0)
        for number in numbers
    ]


def _removal(journeys: Journeys, order: list[str], labels: Mapping[str, str]) -> list[Panel]:
    steps = [step for step in journeys.steps if any(step in journeys.found[key]["removal"] for key in order)]
    if not steps:
        return []
    rows: list[tuple[Text, ...]] = []
    for step in steps:
        shares = [journeys.found[key]["removal"].get(step) for key in order]
        rows.append((_plain(step), *(Shade(formats.percent(share), share or 0.0) for share in shares)))
    remark = "the share of the purchases that would be lost were the step taken out of all ways; a description, no proof of cause"
    return [
        Panel(
            "Removal effect",
            remark,
            table=matrix(("Without", *(labels[key] for key in order)), rows),
            wide=len(order) > NARROW,
        )
    ]


def _waits(
    journeys: Journeys, order: list[str], labels: Mapping[str, str], which: str, title: str, since: str
) -> list[Panel]:
    waits = {key: journeys.found[key][which] for key in order if journeys.found[key][which].events}
    if not waits or all(wait.median == 0 for wait in waits.values()):
        return []
    far = max(float(wait.days.max()) for wait in waits.values())
    days = sorted({round(far * point / _POINTS) for point in range(_POINTS + 1)})
    pictures, rows = [], []
    for key, wait in waits.items():
        had = f"{title} of {labels[key]}: share that has it after so many days"
        line = svg.lines(had, days, [[wait.after(day) for day in days]], top=1.0, dots=False)
        half = formats.UNKNOWN if wait.median is None else formats.days(wait.median)
        pictures.append(
            Picture(line, labels[key], f"half after {half}" if wait.median is not None else "fewer than half")
        )
        shares = (formats.percent(wait.after(day)) for day in _WAITS)
        rows.append((labels[key], formats.count(wait.records), formats.count(wait.events), half, *shares))
    head = (
        "Segment",
        "Records",
        "Bought",
        "Half have after",
        *(f"After {formats.days(day)}" for day in _WAITS),
    )
    remark = f"share that has it, {since}; who has not bought yet counts as waiting (Kaplan and Meier). Curves end at {formats.days(far)}"
    return [Panel(title, remark, pictures, table=table(head, rows), wide=True)]
