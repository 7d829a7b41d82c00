"""What is counted segment by segment? Labels are given as a relation of (record, segment, …)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sync.store.mirror import AccountMirror, literal, quoted
from sync.store.relation import Relation

if TYPE_CHECKING:
    import pandas as pd

# A reason with its addresses, days and amounts left out, so that reasons of several records are alike.
_PATTERN = r"""
    regexp_replace(regexp_replace(regexp_replace(reason, '\S+@\S+', '…', 'g'), '\d{4}-\d\d-\d\d', '…', 'g'),
                   '(^|[\s(])[-+]?\d+([.,]\d+)*($|[\s;,:%)])', '\1…\3', 'g')"""


def labelled(mirror: AccountMirror, labels: Relation) -> int:
    """Records that have a segment."""
    return int(mirror.value(f"SELECT count(*) FROM ({labels}) WHERE segment IS NOT NULL"))


def scored(mirror: AccountMirror, labels: Relation) -> pd.DataFrame:
    """``record``, ``segment``, ``score`` and ``since`` of each record, in the order of their numbers."""
    return mirror.run(f"SELECT record, segment, score, since FROM ({labels}) ORDER BY record").df()


def segment_of_each(mirror: AccountMirror, labels: Relation) -> pd.Series:
    """The segment of each record, by its number."""
    return mirror.run(f"SELECT record, segment FROM ({labels})").df().set_index("record")["segment"]


def sizes_and_revenue(
    mirror: AccountMirror, labels: Relation, revenue: str | None
) -> dict[str, tuple[int, int | None]]:
    """Segment → records, and their revenue in minor units by a column of the features; None without one."""
    money = f"coalesce(sum({quoted(revenue)}), 0)::BIGINT" if revenue else "NULL"
    join = "LEFT JOIN features USING (record)" if revenue else ""
    rows = mirror.rows(
        f"SELECT segment, count(*), {money} FROM ({labels}) {join} WHERE segment IS NOT NULL GROUP BY segment"
    )
    return {segment: (records, amount) for segment, records, amount in rows}


def crossed(mirror: AccountMirror, first: Relation, second: Relation) -> dict[tuple[str, str], int]:
    """(segment of the one labelling, segment of the other) → records that have both."""
    rows = mirror.rows(
        f"""SELECT a.segment, b.segment, count(*) FROM ({first}) AS a JOIN ({second}) AS b USING (record)
            WHERE a.segment IS NOT NULL AND b.segment IS NOT NULL GROUP BY ALL"""
    )
    return {(a, b): number for a, b, number in rows}


def by_scores(
    mirror: AccountMirror, labels: Relation, axes: Sequence[str]
) -> list[tuple[int, int, int, float, str]]:
    """(first score, second score, records, mean third score, most frequent segment) of labels that remember
    scores 1 to 5 on three ``axes`` (columns).
    """
    first, second, third = map(quoted, axes)
    rows = mirror.rows(
        f"""SELECT {first}, {second}, count(*), avg({third}), mode(segment) FROM ({labels})
            WHERE {first} BETWEEN 1 AND 5 AND {second} BETWEEN 1 AND 5 GROUP BY 1, 2 ORDER BY 1, 2"""
    )
    return [(int(x), int(y), number, float(mean), segment) for x, y, number, mean, segment in rows]


def frequent_reasons(
    mirror: AccountMirror, labels: Relation, read: int, shared_by: int, most: int
) -> list[tuple[str, str, int]]:
    """(segment, reason without amounts, days and addresses, records): the ``most`` frequent of each segment.

    Of more than ``read`` records, every n-th by a hash is read and stands for n. A reason of fewer than
    ``shared_by`` records read is left out.
    """
    step = every_nth(mirror.value(f"SELECT count(*) FROM ({labels})"), read)
    rows = mirror.rows(
        f"""SELECT segment, pattern, {step} * count(*) AS records
            FROM (SELECT segment, {_PATTERN} AS pattern FROM ({labels}) WHERE hash(record) % {step} = 0)
            WHERE segment IS NOT NULL AND pattern IS NOT NULL GROUP BY segment, pattern HAVING count(*) >= {shared_by}
            QUALIFY row_number() OVER (PARTITION BY segment ORDER BY count(*) DESC, pattern) <= {most}
            ORDER BY records DESC, segment, pattern"""
    )
    return [(segment, pattern, number) for segment, pattern, number in rows]


def every_nth(records: int, read: int) -> int:
    """Of so many records, every n-th is read where ``read`` of them are enough."""
    return -(-records // read) or 1


def claimed(mirror: AccountMirror, in_order: Sequence[tuple[Relation, str]]) -> dict[int, tuple[int, int]]:
    """Position → records of a segment, given as (labels, segment), and those that no earlier position has."""
    members = [
        f"SELECT record, {position} AS position FROM ({labels}) WHERE segment = {literal(segment)}"
        for position, (labels, segment) in enumerate(in_order)
    ]
    best = f"SELECT position, min(position) OVER (PARTITION BY record) AS best FROM ({' UNION ALL '.join(members)})"
    rows = mirror.rows(
        f"SELECT position, count(*), count(*) FILTER (position = best) FROM ({best}) GROUP BY position"
    )
    return {position: (records, first) for position, records, first in rows}


def mean_features(
    mirror: AccountMirror, labels: Relation, days_of: Mapping[str, bool], end: date
) -> dict[str, dict[str, float | None]]:
    """Feature → segment → mean; of a feature that is a day (true), days from it to ``end``. Features that the
    mirror does not keep are left out.
    """
    kept = mirror.columns("features")
    columns = [column for column in days_of if column in kept]
    if not columns:
        return {}
    expressions = [
        f"DATE '{end.isoformat()}' - {quoted(column)}::DATE" if days_of[column] else quoted(column)
        for column in columns
    ]
    means = ", ".join(f"avg({expression})" for expression in expressions)
    rows = mirror.rows(
        f"SELECT segment, {means} FROM ({labels}) JOIN features USING (record) GROUP BY segment"
    )
    return {column: {row[0]: row[1 + at] for row in rows} for at, column in enumerate(columns)}


@dataclass(frozen=True)
class Typical:
    """The customers of one segment. Money in minor units; None: not known.

    ``revenue`` and ``orders``: sums of the last year. ``days_since``: median days since the last purchase.
    ``typical_orders``, ``typical_revenue``: medians of buyers, in all history. ``reachable``: records that some
    channel reaches.
    """

    records: int
    revenue: int | None
    orders: int | None
    days_since: float | None
    typical_orders: float | None
    typical_revenue: float | None
    reachable: int | None


YEAR = 365  # days
YEARLY_REVENUE = f"net_revenue_{YEAR}"
_YEARLY = (YEARLY_REVENUE, f"orders_{YEAR}")


def typical(
    mirror: AccountMirror, labels: Relation, consents: Relation, channels: Sequence[str], as_of: date
) -> dict[str, Typical]:
    """Segment → what its customers have in common. ``channels``: columns of the consents."""
    kept = mirror.columns("features") if mirror.has_table("features") else frozenset[str]()
    revenue, orders = (f"sum({column})::BIGINT" if column in kept else "NULL" for column in _YEARLY)
    days = f"DATE {literal(as_of.isoformat())} - last_purchase"
    since = f"median({days})" if "last_purchase" in kept else "NULL"
    medians = (
        "median(orders) FILTER (orders > 0), median(net_revenue) FILTER (orders > 0)"
        if "orders" in kept
        else "NULL, NULL"
    )
    reached = " OR ".join(f"coalesce({quoted(channel)}, false)" for channel in channels)
    known = " OR ".join(f"{quoted(channel)} IS NOT NULL" for channel in channels)
    told = mirror.value(f"SELECT coalesce(bool_or({known}), false) FROM ({consents})")
    rows = mirror.rows(
        f"""SELECT segment, count(*), {revenue}, {orders}, {since}, {medians},
                   {f"count(*) FILTER ({reached})" if told else "NULL"}
            FROM ({labels}) {"LEFT JOIN features USING (record)" if kept else ""}
            LEFT JOIN ({consents}) AS consents USING (record)
            WHERE segment IS NOT NULL GROUP BY segment"""
    )
    return {segment: Typical(*figures) for segment, *figures in rows}


def moves_between(
    mirror: AccountMirror, then: Relation, now: Relation
) -> list[tuple[str | None, str | None, int, int | None]]:
    """(segment then, segment now, records, what they spent in the last year in minor units) of the labels of two
    days. None: no segment that day; of money, not known.
    """
    money = mirror.has_table("features") and _YEARLY[0] in mirror.columns("features")
    revenue = f"coalesce(sum({_YEARLY[0]}), 0)::BIGINT" if money else "NULL"
    return mirror.rows(
        f"""SELECT earlier.segment, later.segment, count(*), {revenue}
            FROM ({then}) AS earlier FULL JOIN ({now}) AS later USING (record)
            {"LEFT JOIN features USING (record)" if money else ""}
            WHERE earlier.segment IS NOT NULL OR later.segment IS NOT NULL GROUP BY ALL ORDER BY ALL"""
    )


def reachable_shares(
    mirror: AccountMirror, labels: Relation, consents: Relation, column: str, unknown: bool
) -> dict[str, float]:
    """Segment → share of its records that a channel reaches, by that column of the consents; ``unknown``:
    whether those count of whom it is not known.
    """
    rows = mirror.rows(
        f"""SELECT segment, avg(coalesce({quoted(column)}, {str(unknown).lower()})::INTEGER)
            FROM ({labels}) JOIN ({consents}) AS consents USING (record) GROUP BY segment"""
    )
    return {segment: float(share) for segment, share in rows}
