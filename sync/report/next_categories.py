"""What do the members of each segment want next more often than all do?

Counted are the offers of a segmentation that offers categories: the first three of each record where fields hold them,
else its first. A category stands here when more members want it than would if the segment were like all; how many more
is its rank. Ratios are not told: of few members they are large by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sync.config.settings import SegmentationSettings
from sync.report import formats
from sync.report.panels import Panel, Table
from sync.report.sizes import SHARED_BY, SegmentFigures
from sync.store.label_tables import LabelTables, labels_of
from sync.store.mirror import AccountMirror
from sync.store.next_categories import wanted_by_segment

_MOST = 3


@dataclass(frozen=True)
class Category:
    """So many ``records`` of a segment want it next, of ``expected`` if the segment were like all."""

    title: str
    records: int
    members: int
    share_of_all: float

    @property
    def more(self) -> float:
        """How many more want it than would if the segment were like all."""
        return self.records - self.members * self.share_of_all

    @property
    def told(self) -> str:
        """``Wine: 312 of 1,204 (26%, of all 18%)``."""
        share = formats.percent(self.records / self.members)
        return f"{self.title}: {self.records:,} of {self.members:,} ({share}, of all {formats.percent(self.share_of_all)})"


@dataclass(frozen=True)
class NextCategories:
    """By segment, the most wanted first; ``source``: what offers them."""

    source: str
    of: Mapping[str, Sequence[Category]]


def gather(
    mirror: AccountMirror,
    by: str,
    sizes: Sequence[SegmentFigures],
    offering: Sequence[SegmentationSettings],
    titles: Mapping[str, Mapping[str, str]],
) -> NextCategories | None:
    """Of the segmentation ``by``, by the first of the ``offering`` ones that is another; None: there is none.

    ``titles``: of the segments of each segmentation.
    """
    settings = next((entry for entry in offering if entry.name != by), None)
    if settings is None:
        return None
    there = LabelTables(mirror, settings.name).columns()
    values = [name for name in settings.value_fields if f"value.{name}" in there]
    none = settings.options.no_category
    rows = wanted_by_segment(mirror, labels_of(by), labels_of(settings.name), values, none)
    members = {segment.key: segment.records for segment in sizes if segment.records}
    all_members, wanted = sum(members.values()), dict[str, int]()
    for _segment, category, records in rows:
        wanted[category] = wanted.get(category, 0) + records
    names = {} if values else titles.get(settings.name, {})
    of: dict[str, list[Category]] = {}
    for segment, category, records in rows:
        share = wanted[category] / max(1, all_members)
        entry = Category(names.get(category, category), records, members.get(segment, records), share)
        if records >= SHARED_BY and entry.more > 0:
            of.setdefault(segment, []).append(entry)
    best = {key: sorted(entries, key=lambda e: (-e.more, e.title))[:_MOST] for key, entries in of.items()}
    return NextCategories(settings.title or settings.name, best)


def with_playbook(segment: SegmentFigures, categories: NextCategories | None) -> SegmentFigures:
    """The segment, of which what to do says what its members want next."""
    best = categories.of.get(segment.key, ()) if categories else ()
    if not best:
        return segment
    wish = f"wants next: {', '.join(category.title for category in best)}"
    return replace(
        segment, to_do=f"{segment.to_do}; {wish}" if segment.to_do else f"{wish[:1].upper()}{wish[1:]}"
    )


def panels(categories: NextCategories | None, titles: Mapping[str, str]) -> list[Panel]:
    """A table of what the members of each segment want next."""
    if categories is None or not categories.of:
        return []
    rows = [
        (title, "; ".join(category.told for category in categories.of[key]))
        for key, title in titles.items()
        if key in categories.of
    ]
    remark = (
        f"by {categories.source}: members who want a category next, and the share of all records that do; first what most more members "
        f"want than would if they were like all; at least {SHARED_BY} members"
    )
    return [
        Panel(
            "What they want next",
            remark,
            table=Table(("Segment", "Wants next more often than all"), rows),
            wide=True,
        )
    ]
