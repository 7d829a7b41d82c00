"""Who gets which message first, and which rule takes whom? Where playbooks and rules overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.account.segment_catalog import segments_of
from sync.account.session import Session
from sync.report import charts, formats
from sync.report.charts import Bar
from sync.report.panels import Panel, Picture, table
from sync.store.mirror import literal, quoted


@dataclass(frozen=True)
class Ranked:
    """A segment whose playbook has a priority: its records, and those that no better priority claims."""

    segmentation: str
    segment: str
    priority: int
    message: str
    records: int
    first: int


def gather(session: Session, names: Sequence[str]) -> list[Ranked]:
    """Segments with a priority, the most urgent (1) first; of equal ones the earlier in the config."""
    wanted: list[tuple[int, int, str, str, str]] = []
    for settings in session.segmentations:
        if settings.name in names:
            for one in segments_of(session.config, settings):
                priority = str(one.playbook.get("priority", ""))
                if priority.isdigit():
                    wanted.append(
                        (
                            int(priority),
                            len(wanted),
                            settings.name,
                            one.key,
                            str(one.playbook.get("message", "")),
                        )
                    )
    if not wanted:
        return []
    wanted.sort()
    parts = [
        f"SELECT record, {place} AS place FROM {quoted('labels_' + name)} WHERE segment = {literal(key)}"
        for place, (_, _, name, key, _) in enumerate(wanted)
    ]
    claimed = (
        f"SELECT place, min(place) OVER (PARTITION BY record) AS best FROM ({' UNION ALL '.join(parts)})"
    )
    rows = session.mirror().rows(
        f"SELECT place, count(*), count(*) FILTER (place = best) FROM ({claimed}) GROUP BY place"
    )
    sizes = {place: (records, first) for place, records, first in rows}
    return [
        Ranked(name, key, priority, message, *sizes.get(place, (0, 0)))
        for place, (priority, _, name, key, message) in enumerate(wanted)
    ]  # fmt: skip


def panels(
    ranked: Sequence[Ranked], labels: Mapping[str, Mapping[str, str]], titles: Mapping[str, str]
) -> list[Panel]:
    """``labels``: by segmentation and segment what people read; ``titles``: by segmentation."""
    if not ranked:
        return []
    most = max(one.records for one in ranked) or 1
    bars, rows = [], []
    for one in ranked:
        label = labels.get(one.segmentation, {}).get(one.segment, one.segment)
        bars.append(
            Bar(
                f"{one.priority}. {label}",
                (one.records / most, one.first / most),
                f"{one.first:,} of {one.records:,}",
            )
        )
        told = (formats.count(number) for number in (one.priority, one.records, one.first))
        rows.append((titles.get(one.segmentation, one.segmentation), label, one.message, *told))
    drawn = charts.bars(
        "Records of each segment with a playbook, and those that no better priority claims", bars
    )
    head = ("Segmentation", "Segment", "Message", "Priority", "Records", "First")
    remark = (
        "segments whose playbooks have a priority; who is in several gets the message of the best one first"
    )
    key = ("in the segment", "no better priority claims them")
    return [Panel("Who gets which message first", remark, [Picture(drawn)], key, table(head, rows, texts=3))]


def rules(found: Sequence[Mapping[str, object]], labels: Mapping[str, str]) -> list[Panel]:
    """Of a segmentation by rules (``sync.views.rule_coverage``): how many records each rule holds for, and how many
    it takes.
    """
    told = [
        (str(one["key"]), int(str(one["holds"])), int(str(one["fires"])), one["overlaps"]) for one in found
    ]
    most = max((holds for _, holds, _, _ in told), default=0)
    if not most:
        return []
    bars = [
        Bar(labels.get(key, key), (holds / most, fires / most), f"{fires:,} of {holds:,}")
        for key, holds, fires, _ in told
    ]
    rows = [
        (
            labels.get(key, key),
            formats.count(holds),
            formats.count(fires),
            labels.get(str(over), str(over)) if over else formats.UNKNOWN,
        )
        for key, holds, fires, over in told
    ]
    drawn = charts.bars("Records that each rule holds for, and that it takes", bars)
    remark = "rules are asked in this order, and the first that holds takes the record"
    head = ("Rule", "Holds for", "Takes", "Always behind")
    return [
        Panel(
            "Which rule takes whom",
            remark,
            [Picture(drawn)],
            ("the rule holds for", "it takes"),
            table(head, rows),
        )
    ]
