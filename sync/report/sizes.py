"""Who is in each segment, and why? Sizes and revenue, the RFM map, and the reasons that many records share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.account.segment_catalog import SegmentText
from sync.config.settings import SegmentationSettings
from sync.store.features_table import feature_names
from sync.store.label_tables import LabelTables, labels_of
from sync.store.mirror import AccountMirror
from sync.store.segment_figures import by_scores, every_nth, frequent_reasons

SHARED_BY = 5  # a reason of fewer records is not shown: it could tell who is meant
REASONS = 3  # of one segment
READ = 200_000  # records whose reasons are read; of more, every n-th by a hash, and it stands for n
AXES = ("recency", "frequency", "money")


@dataclass(frozen=True)
class SegmentFigures:
    """One segment: who is in it, and what they spent."""

    key: str
    title: str
    description: str
    to_do: str
    records: int
    revenue: int | None  # minor units; None where features hold no money


@dataclass(frozen=True)
class Reason:
    """So many records of a segment stand there for this reason."""

    segment: str
    pattern: str
    records: int


@dataclass(frozen=True)
class Spot:
    """One place of the RFM map: scores 1 to 5, who stands there, in which segment most of them are."""

    recency: int
    frequency: int
    records: int
    money: float  # mean score
    segment: str


def revenue_column(mirror: AccountMirror) -> str | None:
    """The features' column of money: all history where it is there, else the widest window."""
    names = feature_names(mirror)
    windows = [
        name for name in names if name.startswith("net_revenue_") and name.rpartition("_")[2].isdigit()
    ]
    if "net_revenue" in names:
        return "net_revenue"
    return max(windows, key=lambda name: int(name.rpartition("_")[2]), default=None)


def segments(
    sizes: Mapping[str, tuple[int, int | None]],
    settings: SegmentationSettings,
    named: Sequence[SegmentText],
    revenue: str | None,
) -> list[SegmentFigures]:
    """In the order of the config; what holds labels but left the config stands at the end, segments of nobody
    too.

    ``sizes``: records and revenue by segment. ``named``: the segments as people read them.
    """
    nobody = (0, 0 if revenue else None)
    listed = [segment for segment in named if not settings.options.names_from_model or segment.key in sizes]
    figures = [
        SegmentFigures(s.key, s.title, s.description, s.to_do, *sizes.get(s.key, nobody)) for s in listed
    ]
    others = sizes.keys() - {segment.key for segment in listed}
    return figures + [SegmentFigures(key, key, "", "", *sizes[key]) for key in sorted(others)]


def spots(mirror: AccountMirror, name: str) -> list[Spot]:
    """Records by their scores, where the segmentation remembers scores of recency, frequency and money."""
    if not {f"memory.{axis}" for axis in AXES} <= LabelTables(mirror, name).columns():
        return []
    scores = [f"memory.{axis}" for axis in AXES]
    return [Spot(*row) for row in by_scores(mirror, labels_of(name), scores)]


def every(records: int) -> int:
    """Of so many records, the reason of every n-th is read."""
    return every_nth(records, READ)


def reasons(mirror: AccountMirror, name: str) -> list[Reason]:
    """The most frequent ones of each segment, without amounts, dates and addresses."""
    frequent = frequent_reasons(mirror, labels_of(name), READ, SHARED_BY, REASONS)
    return [Reason(*row) for row in frequent]
