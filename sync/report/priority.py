"""Which message has priority, and which rule takes whom? Where playbooks and rules overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.account.segment_catalog import segments_of
from sync.config.config import Config
from sync.report import formats, svg
from sync.report.panels import Panel, Picture, table
from sync.report.svg import Bar
from sync.store.label_tables import labels_of
from sync.store.mirror import AccountMirror
from sync.store.segment_figures import claimed


@dataclass(frozen=True)
class Ranked:
    """A segment whose playbook has a priority: its records, and those that no better priority claims."""

    segmentation: str
    segment: str
    priority: int
    message: str
    records: int
    first: int


def gather(mirror: AccountMirror, config: Config, account: str, names: Sequence[str]) -> list[Ranked]:
    """Segments with a priority, the most urgent (1) first; of equal ones the earlier in the config."""
    wanted: list[tuple[int, int, str, str, str]] = []
    for settings in config.segmentations_of(account):
        if settings.name in names:
            for segment in segments_of(config, settings):
                priority = str(segment.playbook.get("priority", ""))
                if priority.isdigit():
                    wanted.append(
                        (
                            int(priority),
                            len(wanted),
                            settings.name,
                            segment.key,
                            str(segment.playbook.get("message", "")),
                        )
                    )
    if not wanted:
        return []
    wanted.sort()
    sizes = claimed(mirror, [(labels_of(name), key) for _, _, name, key, _ in wanted])
    return [
        Ranked(name, key, priority, message, *sizes.get(position, (0, 0)))
        for position, (priority, _, name, key, message) in enumerate(wanted)
    ]  # fmt: skip


def panels(
    ranked: Sequence[Ranked], labels: Mapping[str, Mapping[str, str]], titles: Mapping[str, str]
) -> list[Panel]:
    """``labels``: by segmentation and segment what people read; ``titles``: by segmentation."""
    if not ranked:
        return []
    most = max(entry.records for entry in ranked) or 1
    bars, rows = [], []
    for entry in ranked:
        label = labels.get(entry.segmentation, {}).get(entry.segment, entry.segment)
        bars.append(
            Bar(
                f"{entry.priority}. {label}",
                (entry.records / most, entry.first / most),
                f"{entry.first:,} of {entry.records:,}",
            )
        )
        counts = (formats.count(number) for number in (entry.priority, entry.records, entry.first))
        rows.append((titles.get(entry.segmentation, entry.segmentation), label, entry.message, *counts))
    drawn = svg.bars(
        "Records of each segment with a playbook, and those that no better priority claims", bars
    )
    head = ("Segmentation", "Segment", "Message", "Priority", "Records", "First")
    remark = (
        "segments whose playbooks have a priority; who is in several gets the message of the best one first"
    )
    key = ("in the segment", "no better priority claims them")
    return [Panel("Which message has priority", remark, [Picture(drawn)], key, table(head, rows, texts=3))]


def rules(rule_counts: Sequence[Mapping[str, object]], labels: Mapping[str, str]) -> list[Panel]:
    """Of a segmentation by rules (``sync.views.rule_coverage``): how many records each rule holds for, and how many
    it takes.
    """
    counted = [
        (str(rule["key"]), int(str(rule["holds"])), int(str(rule["fires"])), rule["overlaps"])
        for rule in rule_counts
    ]
    most = max((holds for _, holds, _, _ in counted), default=0)
    if not most:
        return []
    bars = [
        Bar(labels.get(key, key), (holds / most, fires / most), f"{fires:,} of {holds:,}")
        for key, holds, fires, _ in counted
    ]
    rows = [
        (
            labels.get(key, key),
            formats.count(holds),
            formats.count(fires),
            labels.get(str(over), str(over)) if over else formats.UNKNOWN,
        )
        for key, holds, fires, over in counted
    ]
    drawn = svg.bars("Records that each rule matches, and that it gets", bars)
    remark = "rules are tried in this order, and the first that matches gets the record"
    head = ("Rule", "Matches", "Takes", "Always behind")
    return [
        Panel(
            "Coverage of rules",
            remark,
            [Picture(drawn)],
            ("the rule matches", "it gets"),
            table(head, rows),
        )
    ]
