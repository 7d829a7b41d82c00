"""What did all readings together give, and what of it counts? The summary that stands before every plan.

It describes what the mirror holds, not what the last pull brought: an unchanged file keeps its figures from
earlier readings, and a mirror that was deleted has the same summary after the next pull. Rows are counted,
never quoted: no id and no name leaves here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from connectors.schemas import RECORD_TYPES
from connectors.values.currency import major_units
from sync.account.session import Session
from sync.config.uses import MONEY, activity_types_used
from sync.pull.reading import STAMP
from sync.store.identity_resolution import same_people
from sync.store.mirror import AccountMirror, literal

STREAMS = (*RECORD_TYPES, "activity")
TOP_REASONS = 3
RECENT_DAYS = 30
WEEKS = 5  # the last seven days, and the four weeks before
_LIVE = "part IN (SELECT part FROM parts WHERE live)"


def summary(session: Session) -> dict[str, Any]:
    """Per source account and stream: what was read, refused, left out, without owner, dated after ``as_of``;
    and until when data reach.

    Kept in the mirror, so that an unchanged world is counted once, and ``status`` needs to count nothing.
    """
    mirror, key = session.mirror(), _key(session)
    kept = json.loads(mirror.stamp(STAMP) or "{}")
    if kept.get("key") != key:
        kept = {"key": key, "reading": _reading(session)}
        mirror.set_stamp(STAMP, json.dumps(kept))
    reading: dict[str, Any] = kept["reading"]
    return reading


def _key(session: Session) -> list[Any]:
    sources = [
        [name, session.mirror(name).revision(), sorted(_kinds(session, name) or ("all",))]
        for name in session.sources()
    ]
    return [session.as_of.isoformat(), sources, session.settings.match, session.settings.currency]


def _reading(session: Session) -> dict[str, Any]:
    accounts = {name: _account(session, name) for name in session.sources()}
    through = [account["data_through"] for account in accounts.values() if account["data_through"]]
    return {
        "as_of": session.as_of.isoformat(),
        "data_through": min(through, default=None),
        "accounts": accounts,
    }


def _account(session: Session, name: str) -> dict[str, Any]:
    kinds = _kinds(session, name)
    streams = _streams(session, name)
    purchases = _purchases(session, name)
    feed = None if kinds == frozenset() else _feed(session, name, streams)
    through = feed and feed["last_day"]
    return {
        "currency": session.config.accounts[name].currency,
        "data_through": through,
        "days_before_as_of": (session.as_of - date.fromisoformat(through)).days if through else None,
        "streams": streams,
        "purchases": purchases,
        "feed": feed,
    }


def _kinds(session: Session, name: str) -> frozenset[str] | None:
    """Kinds of activity that some segmentation looks at; empty: none, None: all of them."""
    return activity_types_used(session.config, name)


# -- rows of each stream -------------------------------------------------------------------------------------


def _streams(session: Session, name: str) -> dict[str, dict[str, Any]]:
    """What each stream was delivered with.

    Where a CRM repeats rows as they change, ``delivered`` is what it holds.
    """
    mirror = session.mirror(name)
    counted = counts(mirror)
    read = {stream for (stream,) in mirror.rows("SELECT DISTINCT stream FROM parts WHERE live")}
    repeats_rows = session.source(name).capabilities.shared_ids
    chosen = [stream for stream in STREAMS if stream in read | set(counted)]
    return {
        stream: _stream(session, mirror, stream, counted.get(stream, {}), repeats_rows) for stream in chosen
    }


def counts(mirror: AccountMirror, where: str = "true") -> dict[str, dict[str, dict[str, int]]]:
    """Stream → what → reason → number, over the parts that count.

    ``where``: SQL over the tables ``reading`` and ``parts``.
    """
    rows = mirror.rows(
        f"""SELECT stream, what, reason, sum(number)::BIGINT FROM reading JOIN parts USING (part)
            WHERE live AND {where} GROUP BY ALL ORDER BY ALL"""
    )
    numbers: dict[str, dict[str, dict[str, int]]] = {}
    for stream, what, reason, number in rows:
        numbers.setdefault(stream, {}).setdefault(what, {})[reason] = number
    return numbers


def recently(session: Session, name: str) -> dict[str, dict[str, dict[str, int]]]:
    """``counts`` of what was read in the last 30 days, without parts of activity whose newest row is older
    than that before ``as_of``.

    A refused row seldom has a day of its own. So the rows that came with it tell how old it is: those of its
    file, and of a file that grows, those of the same reading.
    """
    mirror = session.mirror(name)
    since = session.clock().date() - timedelta(days=RECENT_DAYS)
    newest = session.as_of - timedelta(days=RECENT_DAYS)
    dated_parts = " UNION ALL ".join(
        f"SELECT part, max(day) AS day FROM {table} GROUP BY part" for table in ("activity", "parked")
    )
    older = f"SELECT part FROM ({dated_parts}) GROUP BY part HAVING max(day) <= DATE {literal(newest.isoformat())}"
    return counts(mirror, f"read_on > DATE {literal(since.isoformat())} AND part NOT IN ({older})")


def _stream(
    session: Session,
    mirror: AccountMirror,
    stream: str,
    counted: Mapping[str, Mapping[str, int]],
    repeats_rows: bool,
) -> dict[str, Any]:
    def total(what: str) -> int:
        return sum(counted.get(what, {}).values())

    row_count, unknown, after = _held(mirror, stream, session.as_of)
    delivered = row_count if repeats_rows else total("rows")
    refused = sorted(counted.get("refused", {}).items(), key=lambda item: (-item[1], item[0]))
    return {
        "rows": delivered + total("refused") + total("left_out") + total("ownerless"),
        "delivered": delivered,
        "refused": total("refused"),
        "reasons": dict(refused[:TOP_REASONS]),
        "left_out": dict(sorted(counted.get("left_out", {}).items(), key=lambda item: (-item[1], item[0]))),
        "without_owner": total("ownerless") + unknown,
        "after_as_of": after,
        "repeated": total("repeated"),
        "cells": dict(sorted(counted.get("cells", {}).items(), key=lambda item: (-item[1], item[0]))),
    }


def _held(mirror: AccountMirror, stream: str, as_of: date) -> tuple[int, int, int]:
    """Rows of a stream that the mirror holds; of activity also those whose record is unknown, and those dated
    after a day.
    """
    if stream != "activity":
        live = "part IN (SELECT part FROM parts WHERE live AND stream = ?)"
        return int(mirror.value(f"SELECT count(*) FROM records WHERE {live}", [stream])), 0, 0
    after = f"count(*) FILTER (day > DATE {literal(as_of.isoformat())})"
    owned, late = mirror.rows(f"SELECT count(*), {after} FROM activity WHERE NOT shadowed AND {_LIVE}")[0]
    unknown, late_too = mirror.rows(f"SELECT count(*), {after} FROM parked WHERE NOT shadowed AND {_LIVE}")[0]
    return owned + unknown, unknown, late + late_too


# -- purchases ---------------------------------------------------------------------------------------------


def orders(
    mirror: AccountMirror,
    as_of: date,
    by_record: bool = True,
    once: bool = False,
    since: date | None = None,
    into: Callable[[str], str] = str,
) -> str:
    """SQL of (record, day, net, purchase): purchases up to a day as features count them
    (``segmentation.features``).

    Rows of one order are one purchase, on the day of its first line; its refunds reduce it, on that day too.
    Rows of records that we do not know stand with a null ``record``. Without ``by_record`` an order of
    several people is one. ``once``: of rows that give each of several people the whole of one thing, one
    counts. ``since``: only orders with a row on that day or later. ``into``: of SQL rows with ``day`` and
    ``amount``, the same in another currency.
    """
    schema, until = mirror.schema, literal(as_of.isoformat())
    columns = "\"order\", key, named, day, coalesce(amount, 0) AS amount, kind = 'refund' OR coalesce(amount, 0) < 0 AS refund"
    where = f"NOT shadowed AND part IN (SELECT part FROM {schema}.parts WHERE live) AND kind IN ('purchase', 'refund') AND day <= {until}"
    rows = f"""SELECT record, {columns} FROM {schema}.activity WHERE {where} AND {_not_twice(mirror)}
               UNION ALL SELECT NULL AS record, {columns} FROM {schema}.parked WHERE {where}"""
    rows = into(rows)
    if since is not None:
        late = f"day >= DATE {literal(since.isoformat())}"
        rows = f"""WITH every AS NOT MATERIALIZED ({rows}) SELECT * FROM every WHERE "order" IS NULL AND {late}
                   UNION ALL SELECT * FROM every WHERE "order" IN (SELECT "order" FROM every WHERE {late})"""
    if once:
        rows = f"SELECT * FROM ({rows}) QUALIFY NOT named OR row_number() OVER (PARTITION BY key ORDER BY record) = 1"
    if mirror.stamp("order_lines") == "no" and mirror.stamp("refunds") == "no":
        return f"SELECT record, day, amount AS net, NOT refund AS purchase FROM ({rows})"
    return f"""WITH lines AS NOT MATERIALIZED ({rows})
        SELECT {"record" if by_record else "any_value(record) AS record"},
               coalesce(min(day) FILTER (NOT refund), min(day)) AS day, sum(amount) AS net,
               bool_or(NOT refund) AND (NOT bool_or(refund) OR sum(amount) > 0) AS purchase
        FROM lines WHERE "order" IS NOT NULL GROUP BY {"record, " if by_record else ""}"order"
        UNION ALL SELECT record, day, amount, NOT refund FROM lines WHERE "order" IS NULL"""


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


def major(minor: int, currency: str) -> str:
    """Minor units as an exact decimal text: 120450 of EUR is ``1204.50``."""
    return f"{major_units(minor, currency):f}"


def _purchases(session: Session, name: str) -> dict[str, Any] | None:
    """Orders, buyers and net revenue of the records that are known, in all and by week; None where no
    purchase is read.
    """
    kinds = _kinds(session, name)
    if kinds is not None and not kinds & MONEY:
        return None
    currency = session.config.accounts[name].currency
    return {**_totals(session, name, currency), "weeks": _weeks(session, name, currency)}


def _totals(session: Session, name: str, currency: str) -> dict[str, Any]:
    """Orders, buyers, net revenue, first and last day.

    Only orders with a refund are added up one by one: they may be none.
    """
    mirror = session.mirror(name)
    money = f"kind IN ('purchase', 'refund') AND day <= {literal(session.as_of.isoformat())}"
    rows = f"""SELECT record, "order", day, coalesce(amount, 0) AS amount, kind = 'refund' OR coalesce(amount, 0) < 0 AS refund
               FROM activity WHERE NOT shadowed AND {_LIVE} AND {money} AND {_not_twice(mirror)}"""
    refunded = 'SELECT (record, "order") FROM lines WHERE refund AND "order" IS NOT NULL'
    taken_back = f"""WITH lines AS NOT MATERIALIZED ({rows})
        SELECT record, "order" FROM lines WHERE "order" IS NOT NULL AND (record, "order") IN ({refunded})
        GROUP BY ALL HAVING sum(amount) <= 0"""
    refunds = mirror.stamp("refunds") != "no"
    bought = f"SELECT * FROM ({rows}) WHERE NOT refund"
    bought += f""" AND ("order" IS NULL OR (record, "order") NOT IN ({taken_back}))""" if refunds else ""
    net = mirror.value(f"SELECT coalesce(sum(amount), 0)::HUGEINT FROM ({rows})")
    number, buyers, first, last = mirror.rows(
        f"""SELECT count(*), count(DISTINCT record), min(day), max(day) FROM ({bought})"""
    )[0]
    if mirror.stamp("order_lines") != "no":
        number += mirror.value(f"""SELECT count(DISTINCT "order") - count("order") FROM ({bought})""")
    return {
        "orders": number,
        "buyers": buyers,
        "net_revenue": major(net, currency),
        "first_day": first and first.isoformat(),
        "last_day": last and last.isoformat(),
    }


def _weeks(session: Session, name: str, currency: str) -> list[dict[str, Any]]:
    """Orders and net revenue of each of the last weeks, the newest first."""
    mirror, as_of = session.mirror(name), session.as_of
    counted = "count(*) FILTER (purchase AND week = {0}), coalesce(sum(net) FILTER (week = {0}), 0)::HUGEINT"
    week = f"date_diff('day', day, DATE {literal(as_of.isoformat())}) // 7"
    recent = orders(mirror, as_of, since=as_of - timedelta(days=7 * WEEKS - 1))
    totals = mirror.rows(
        f"""SELECT {", ".join(counted.format(number) for number in range(WEEKS))}
            FROM (SELECT *, {week} AS week FROM ({recent})) WHERE record IS NOT NULL"""
    )[0]
    pairs = zip(totals[::2], totals[1::2], strict=True)
    return [{"orders": number, "net_revenue": major(net, currency)} for number, net in pairs]


def _feed(session: Session, name: str, streams: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The rows that segmentations live on: purchases where some segmentation looks at them and there are any,
    else all activity.
    """
    mirror, kinds = session.mirror(name), _kinds(session, name)
    money = f"kind IN ({', '.join(map(literal, sorted(MONEY)))})"
    bought = kinds is not None and bool(kinds & MONEY)
    if kinds is None:
        bought = any(
            mirror.value(f"SELECT count(*) FROM {table} WHERE NOT shadowed AND {money}")
            for table in ("activity", "parked")
        )
    counted = f"NOT shadowed AND {_LIVE} AND {money if bought else 'true'}"
    until = f"DATE {literal(session.as_of.isoformat())}"
    ends = f"min(day) FILTER (day <= {until}), max(day) FILTER (day <= {until})"
    rows, first, last = mirror.rows(f"SELECT count(*), {ends} FROM activity WHERE {counted}")[0]
    parked = f"SELECT count(*) FROM parked WHERE {counted} AND"
    unnamed = sum(counts(mirror).get("activity", {}).get("ownerless", {}).values())
    unnamed += int(mirror.value(f"{parked} id IS NULL AND email IS NULL"))
    return {
        "of": "order"
        if bought and mirror.stamp("order_lines") == "no"
        else "purchase row"
        if bought
        else "row of activity",
        "rows": rows,
        "unknown": int(mirror.value(f"{parked} coalesce(id, email) IS NOT NULL")),
        "unnamed": unnamed,
        "unmatched": 0 if name == session.account else _unmatched(session, name, counted),
        "after_as_of": streams.get("activity", {}).get("after_as_of", 0),
        "first_day": first and first.isoformat(),
        "last_day": last and last.isoformat(),
    }


def _unmatched(session: Session, name: str, counted: str) -> int:
    """Rows of another account's records in which nobody of this account is found."""
    theirs = session.mirror(name)
    same = same_people(session.mirror(), theirs, session.settings.match)
    return int(
        theirs.value(
            f"SELECT count(*) FROM activity WHERE {counted} AND record NOT IN (SELECT theirs FROM ({same}))"
        )
    )


def shapes(session: Session, name: str) -> tuple[str, str]:
    """The most common shape of the ids in activity that find nobody, and of those of contacts: ``9999.0`` and
    ``9999``.

    Digits become 9 and letters a or A; zeros that lead, and a ``.0`` that trails, stay: they are what makes
    ids differ.
    """
    mirror, tail, zeros = (
        session.mirror(name),
        "regexp_extract(left(id, 40), '[.]0+$')",
        "regexp_extract(id, '^0*')",
    )
    shape = f"substr(left(id, 40), length({zeros}) + 1, greatest(0, length(left(id, 40)) - length({zeros}) - length({tail})))"
    for letters, letter in ((r"[\p{Ll}\p{Lo}\p{Lt}\p{Lm}]", "a"), (r"\p{Lu}", "A"), (r"\p{N}", "9")):
        shape = f"regexp_replace({shape}, '{letters}', '{letter}', 'g')"
    shape = f"left({zeros} || {shape} || {tail}, 40)"
    common = "SELECT {shape} AS shape FROM {table} WHERE {where} GROUP BY shape ORDER BY count(*) DESC, shape LIMIT 1"
    theirs = mirror.value(common.format(shape=shape, table="parked", where="NOT shadowed AND id IS NOT NULL"))
    ours = mirror.value(
        common.format(
            shape=shape, table="ids SEMI JOIN records USING (record)", where="record_type = 'contact'"
        )
    )
    return theirs or "", ours or ""
