"""Who is in each segment, and why? Sizes and revenue, the RFM map, and the reasons that many records share."""

from __future__ import annotations

from dataclasses import dataclass

from sync.account.segment_catalog import named_segments
from sync.account.session import Session
from sync.config.settings import SegmentationSettings
from sync.store.mirror import AccountMirror, quoted

SHARED_BY = 5  # a reason of fewer records is not shown: it could tell who is meant
REASONS = 3  # of one segment
READ = 200_000  # records whose reasons are read; of more, every n-th by a hash, and it stands for n
AXES = ("recency", "frequency", "money")

_PATTERN = r"""
    regexp_replace(regexp_replace(regexp_replace(reason, '\S+@\S+', '…', 'g'), '\d{4}-\d\d-\d\d', '…', 'g'),
                   '(^|[\s(])[-+]?\d+([.,]\d+)*($|[\s;,:%)])', '\1…\3', 'g')"""


@dataclass(frozen=True)
class SegmentFigures:
    """One segment: who is in it, and what they spent."""

    key: str
    title: str
    description: str
    playbook: dict[str, str | int]
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
    windows = [
        name
        for name in mirror.columns("features")
        if name.startswith("net_revenue_") and name.rpartition("_")[2].isdigit()
    ]
    if "net_revenue" in mirror.columns("features"):
        return "net_revenue"
    return max(windows, key=lambda name: int(name.rpartition("_")[2]), default=None)


def segments(session: Session, settings: SegmentationSettings, revenue: str | None) -> list[SegmentFigures]:
    """In the order of the config; what holds labels but left the config stands at the end, segments of nobody
    too.
    """
    money = f"coalesce(sum({quoted(revenue)}), 0)::BIGINT" if revenue else "NULL"
    join = "LEFT JOIN features USING (record)" if revenue else ""
    rows = session.mirror().rows(
        f"SELECT segment, count(*), {money} FROM {quoted('labels_' + settings.name)} {join} WHERE segment IS NOT NULL GROUP BY segment"
    )
    sizes: dict[str, tuple[int, int | None]] = {key: (records, money) for key, records, money in rows}
    nobody = (0, 0 if revenue else None)
    named = named_segments(session.config, session.journal, settings, session.account)
    listed = [segment for segment in named if settings.kind != "clusters" or segment.key in sizes]
    figures = [
        SegmentFigures(s.key, s.title, s.description, s.playbook, *sizes.pop(s.key, nobody)) for s in listed
    ]
    return figures + [SegmentFigures(key, key, "", {}, *size) for key, size in sorted(sizes.items())]


def spots(mirror: AccountMirror, name: str) -> list[Spot]:
    """Records by their scores, where the segmentation remembers scores of recency, frequency and money."""
    if not {f"memory.{axis}" for axis in AXES} <= mirror.columns("labels_" + name):
        return []
    recency, frequency, money = (quoted(f"memory.{axis}") for axis in AXES)
    rows = mirror.rows(
        f"""SELECT {recency}, {frequency}, count(*), avg({money}), mode(segment) FROM {quoted("labels_" + name)}
            WHERE {recency} BETWEEN 1 AND 5 AND {frequency} BETWEEN 1 AND 5 GROUP BY 1, 2 ORDER BY 1, 2"""
    )
    return [Spot(int(r), int(f), n, float(m), s) for r, f, n, m, s in rows]


def every(records: int) -> int:
    """Of so many records, the reason of every n-th is read."""
    return -(-records // READ) or 1


def reasons(mirror: AccountMirror, name: str) -> list[Reason]:
    """The most frequent ones of each segment, without amounts, dates and addresses."""
    labels = quoted("labels_" + name)
    step = every(mirror.value(f"SELECT count(*) FROM {labels}"))
    rows = mirror.rows(
        f"""SELECT segment, pattern, {step} * count(*) AS records
            FROM (SELECT segment, {_PATTERN} AS pattern FROM {labels} WHERE hash(record) % {step} = 0)
            WHERE segment IS NOT NULL AND pattern IS NOT NULL GROUP BY segment, pattern HAVING count(*) >= {SHARED_BY}
            QUALIFY row_number() OVER (PARTITION BY segment ORDER BY count(*) DESC, pattern) <= {REASONS}
            ORDER BY records DESC, segment, pattern"""
    )
    return [Reason(*row) for row in rows]
