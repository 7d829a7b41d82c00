"""What did the records of an account buy? Orders and net revenue, counted as features count them
(``segmentation.features``): rows of one order are one purchase, on the day of its first line; its refunds
reduce it, on that day too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sync.store.mirror import AccountMirror, literal
from sync.store.parts import LIVE
from sync.store.relation import Relation


def orders(
    mirror: AccountMirror,
    as_of: date,
    by_record: bool = True,
    once: bool = False,
    since: date | None = None,
    into: Callable[[Relation], Relation] | None = None,
) -> Relation:
    """(record, day, net, purchase): purchases up to a day.

    Rows of records that we do not know stand with a null ``record``. Without ``by_record`` an order of
    several people is one. ``once``: of rows that give each of several people the whole of one thing, one
    counts. ``since``: only orders with a row on that day or later. ``into``: of rows with ``day`` and
    ``amount``, the same in another currency.
    """
    schema, until = mirror.schema, literal(as_of.isoformat())
    columns = "\"order\", key, named, day, coalesce(amount, 0) AS amount, kind = 'refund' OR coalesce(amount, 0) < 0 AS refund"
    where = f"NOT shadowed AND part IN (SELECT part FROM {schema}.parts WHERE live) AND kind IN ('purchase', 'refund') AND day <= {until}"
    rows = f"""SELECT record, {columns} FROM {schema}.activity WHERE {where} AND {_not_twice(mirror)}
               UNION ALL SELECT NULL AS record, {columns} FROM {schema}.parked WHERE {where}"""
    if into is not None:
        rows = into(Relation(rows)).sql
    if since is not None:
        late = f"day >= DATE {literal(since.isoformat())}"
        rows = f"""WITH every AS NOT MATERIALIZED ({rows}) SELECT * FROM every WHERE "order" IS NULL AND {late}
                   UNION ALL SELECT * FROM every WHERE "order" IN (SELECT "order" FROM every WHERE {late})"""
    if once:
        rows = f"SELECT * FROM ({rows}) QUALIFY NOT named OR row_number() OVER (PARTITION BY key ORDER BY record) = 1"
    if not may_have_order_lines(mirror) and not may_have_refunds(mirror):
        return Relation(f"SELECT record, day, amount AS net, NOT refund AS purchase FROM ({rows})")
    return Relation(
        f"""WITH lines AS NOT MATERIALIZED ({rows})
        SELECT {"record" if by_record else "any_value(record) AS record"},
               coalesce(min(day) FILTER (NOT refund), min(day)) AS day, sum(amount) AS net,
               bool_or(NOT refund) AND (NOT bool_or(refund) OR sum(amount) > 0) AS purchase
        FROM lines WHERE "order" IS NOT NULL GROUP BY {"record, " if by_record else ""}"order"
        UNION ALL SELECT record, day, amount, NOT refund FROM lines WHERE "order" IS NULL"""
    )


def _not_twice(mirror: AccountMirror) -> str:
    """Condition on rows of activity: none of a company whose deal stands with people too, so that no deal
    counts twice.
    """
    schema = mirror.schema
    if not mirror.value(f"SELECT count(*) FROM {schema}.parts WHERE live AND stream = 'company'"):
        return "true"
    companies = f"SELECT record FROM {schema}.ids WHERE record_type = 'company'"
    people = f"SELECT key FROM {schema}.activity WHERE named AND NOT shadowed AND record NOT IN ({companies})"
    return f"NOT (named AND record IN ({companies}) AND key IN ({people}))"


@dataclass(frozen=True)
class Totals:
    """Of the records that are known: ``net_revenue`` in minor units; days are of the first and the last
    purchase.
    """

    orders: int
    buyers: int
    net_revenue: int
    first_day: date | None
    last_day: date | None


def totals(mirror: AccountMirror, as_of: date) -> Totals:
    """All purchases up to a day. Only orders with a refund are added up one by one: they may be none."""
    money = f"kind IN ('purchase', 'refund') AND day <= {literal(as_of.isoformat())}"
    rows = f"""SELECT record, "order", day, coalesce(amount, 0) AS amount, kind = 'refund' OR coalesce(amount, 0) < 0 AS refund
               FROM activity WHERE NOT shadowed AND {LIVE} AND {money} AND {_not_twice(mirror)}"""
    refunded = 'SELECT (record, "order") FROM lines WHERE refund AND "order" IS NOT NULL'
    taken_back = f"""WITH lines AS NOT MATERIALIZED ({rows})
        SELECT record, "order" FROM lines WHERE "order" IS NOT NULL AND (record, "order") IN ({refunded})
        GROUP BY ALL HAVING sum(amount) <= 0"""
    refunds = may_have_refunds(mirror)
    counts = "NOT refund"
    counts += f""" AND ("order" IS NULL OR (record, "order") NOT IN ({taken_back}))""" if refunds else ""
    bought = f"SELECT * FROM ({rows}) WHERE {counts}"
    net, number, first, last = mirror.rows(
        f"""SELECT coalesce(sum(amount), 0)::HUGEINT, count(*) FILTER (counts), min(day) FILTER (counts), max(day) FILTER (counts)
            FROM (SELECT *, {counts} AS counts FROM ({rows}))"""
    )[0]
    buyers = _different_records(mirror, bought)
    if may_have_order_lines(mirror):
        number += mirror.value(f"""SELECT count(DISTINCT "order") - count("order") FROM ({bought})""")
    return Totals(number, buyers, net, first, last)


def _different_records(mirror: AccountMirror, rows: str) -> int:
    """How many records some rows are of. Records are small numbers: grouped by their place instead of by a hash, up to
    four millions of them cost a fifth.
    """
    mirror.run("SET perfect_ht_threshold = 22")
    try:
        return int(mirror.value(f"SELECT count(*) FROM (SELECT record FROM ({rows}) GROUP BY record)"))
    finally:
        mirror.run("RESET perfect_ht_threshold")


def of_weeks(mirror: AccountMirror, as_of: date, weeks: int) -> Sequence[tuple[int, int]]:
    """Orders and net revenue (minor units) of known records in each of the last weeks, the newest first."""
    counted = "count(*) FILTER (purchase AND week = {0}), coalesce(sum(net) FILTER (week = {0}), 0)::HUGEINT"
    week = f"date_diff('day', day, DATE {literal(as_of.isoformat())}) // 7"
    recent = orders(mirror, as_of, since=as_of - timedelta(days=7 * weeks - 1))
    sums = mirror.rows(
        f"""SELECT {", ".join(counted.format(number) for number in range(weeks))}
            FROM (SELECT *, {week} AS week FROM ({recent})) WHERE record IS NOT NULL"""
    )[0]
    return list(zip(sums[::2], sums[1::2], strict=True))


def of_months(mirror: AccountMirror, counted: Relation) -> dict[str, tuple[int, int, int, int]]:
    """Month (``2026-01``) → orders and net revenue of known records, then of nobody, among ``orders``."""
    rows = mirror.rows(
        f"""SELECT strftime(day, '%Y-%m'),
                   count(*) FILTER (purchase AND record IS NOT NULL), coalesce(sum(net) FILTER (record IS NOT NULL), 0)::HUGEINT,
                   count(*) FILTER (purchase AND record IS NULL), coalesce(sum(net) FILTER (record IS NULL), 0)::HUGEINT
            FROM ({counted}) GROUP BY 1"""
    )
    return {month: (orders, net, nobodys, nobodys_net) for month, orders, net, nobodys, nobodys_net in rows}


def note_shape(mirror: AccountMirror) -> None:
    """Remember two facts about the activity that decide how costly its features are: are there refunds, and
    orders of several rows?
    """
    refunds = mirror.value("SELECT coalesce(bool_or(kind = 'refund'), false) FROM activity")
    orders = mirror.run(
        """SELECT "order" FROM activity WHERE "order" IS NOT NULL AND NOT shadowed"""
    ).fetchnumpy()["order"]
    lines = False
    if len(orders):
        import numpy as np

        orders = np.sort(orders)
        lines = bool((orders[1:] == orders[:-1]).any())
    mirror.set_stamp("refunds", "yes" if refunds else "no")
    mirror.set_stamp("order_lines", "yes" if lines else "no")


def may_have_refunds(mirror: AccountMirror) -> bool:
    """Whether a row may be a refund, as far as it was noted."""
    return mirror.stamp("refunds") != "no"


def may_have_order_lines(mirror: AccountMirror) -> bool:
    """Whether several rows may be one order, as far as it was noted."""
    return mirror.stamp("order_lines") != "no"


def amounts_before(mirror: AccountMirror, day: str) -> int:
    """How many amounts that count are older than a day."""
    early = f"amount IS NOT NULL AND NOT shadowed AND day < DATE {literal(day)}"
    return int(mirror.value(f"SELECT count(*) FROM activity WHERE {early} AND {LIVE}"))
