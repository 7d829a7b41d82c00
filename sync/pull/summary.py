"""What did all readings together give, and what of it counts? The summary that stands before every plan.

It describes what the mirror holds, not what the last pull brought: an unchanged file keeps its figures from
earlier readings, and a mirror that was deleted has the same summary after the next pull. Rows are counted,
never quoted: no id and no name leaves here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

from connectors.schemas import RECORD_TYPES
from connectors.values.currency import major_units
from segmentation.kinds.base import MONEY
from sync.account.session import Session
from sync.config.config import Config
from sync.config.uses import activity_types_used
from sync.pull.reading import STAMP
from sync.store import parts, purchases, reading_counts
from sync.store.joined import Found, Joined, found, known, matched
from sync.store.mirror import AccountMirror

STREAMS = (*RECORD_TYPES, "activity")
TOP_REASONS = 3
RECENT_DAYS = 30
WEEKS = 5  # the last seven days, and the four weeks before


def summary(session: Session) -> dict[str, Any]:
    """Per source account and stream: what was read, refused, left out, without owner, dated after ``as_of``;
    and until when data reach.

    Kept in the mirror, so that an unchanged world is counted once, and ``status`` needs to count nothing.
    """
    config, as_of, ours = session.config, session.as_of, session.mirror()
    joined = {source.name: source for source in session.joined()}
    mirrors = session.all_mirrors()
    key = [
        as_of.isoformat(),
        [[theirs.name, theirs.revision(), sorted(_types(config, theirs) or ("all",))] for theirs in mirrors],
        [source.signature() for source in joined.values()],
        session.settings.currency,
    ]
    kept = json.loads(ours.stamp(STAMP) or "{}")
    if kept.get("key") != key:
        accounts = {}
        for theirs in mirrors:
            repeats_rows = session.source(theirs.name).capabilities.shared_ids
            accounts[theirs.name] = _account(
                config, ours, theirs, as_of, repeats_rows, joined.get(theirs.name)
            )
        through = [account["data_through"] for account in accounts.values() if account["data_through"]]
        reading = {
            "as_of": as_of.isoformat(),
            "data_through": min(through, default=None),
            "accounts": accounts,
        }
        kept = {"key": key, "reading": reading}
        ours.set_stamp(STAMP, json.dumps(kept))
    kept_reading: dict[str, Any] = kept["reading"]
    return kept_reading


def _account(
    config: Config,
    ours: AccountMirror,
    theirs: AccountMirror,
    as_of: date,
    repeats_rows: bool,
    joined: Joined | None,
) -> dict[str, Any]:
    """One of the accounts that the account of ``ours`` is read from; ``joined``: what is used of another one.

    ``repeats_rows``: its CRM gives a row again whenever it changes.
    """
    source = found(ours, joined) if joined else None
    used = joined is None or joined.activity
    types = _types(config, theirs) if used else frozenset[str]()
    currency = config.accounts[theirs.name].currency
    streams = _streams(theirs, as_of, repeats_rows)
    bought = _purchases(theirs, as_of, currency) if types is None or types & MONEY else None
    feed = None
    if types != frozenset():
        late = streams.get("activity", {}).get("after_as_of", 0)
        feed = _feed(theirs, source, types, as_of, late)
    through = feed and feed["last_day"]
    return {
        "currency": currency,
        "data_through": through,
        "days_before_as_of": (as_of - date.fromisoformat(through)).days if through else None,
        "streams": streams,
        "purchases": bought,
        "feed": feed,
        **({"match": _match(source)} if source else {}),
    }


def _match(source: Found) -> dict[str, Any]:
    """How many contacts of another account are found here, and what of their attributes is known."""
    counted = matched(source)
    return {
        "own": source.joined.own,
        "other": source.joined.other,
        "contacts": counted.contacts,
        "matched": counted.matched,
        "unmatched": counted.unmatched,
        "ambiguous": counted.ambiguous,
        "attributes": {name: asdict(numbers) for name, numbers in known(source).items()},
    }


def _types(config: Config, mirror: AccountMirror) -> frozenset[str] | None:
    """Types of activity that some segmentation looks at; empty: none, None: all of them."""
    return activity_types_used(config, mirror.name)


# -- rows of each stream -------------------------------------------------------------------------------------


def _streams(mirror: AccountMirror, as_of: date, repeats_rows: bool) -> dict[str, dict[str, Any]]:
    """What each stream was delivered with.

    Where a CRM repeats rows as they change, ``delivered`` is what it holds.
    """
    counted = reading_counts.counts(mirror)
    read = parts.live_streams(mirror) | set(counted)
    return {
        stream: _stream(mirror, stream, counted.get(stream, {}), as_of, repeats_rows)
        for stream in STREAMS
        if stream in read
    }


def recently(mirror: AccountMirror, today: date, as_of: date) -> reading_counts.Counts:
    """What was read in the last 30 days, without parts of activity whose newest row is older than that before
    ``as_of``.
    """
    span = timedelta(days=RECENT_DAYS)
    return reading_counts.counts_since(mirror, today - span, as_of - span)


def _stream(
    mirror: AccountMirror,
    stream: str,
    counted: Mapping[str, Mapping[str, int]],
    as_of: date,
    repeats_rows: bool,
) -> dict[str, Any]:
    def total(what: str) -> int:
        return sum(counted.get(what, {}).values())

    def most_first(what: str) -> list[tuple[str, int]]:
        return sorted(counted.get(what, {}).items(), key=lambda item: (-item[1], item[0]))

    if stream == "activity":
        rows = reading_counts.activity_rows(mirror, as_of)
    else:
        rows = reading_counts.CountedRows(reading_counts.rows_that_count(mirror, stream), unknown=0, late=0)
    delivered = rows.owned + rows.unknown if repeats_rows else total("rows")
    return {
        "rows": delivered + total("refused") + total("left_out") + total("ownerless"),
        "delivered": delivered,
        "refused": total("refused"),
        "reasons": dict(most_first("refused")[:TOP_REASONS]),
        "left_out": dict(most_first("left_out")),
        "without_owner": total("ownerless") + rows.unknown,
        "after_as_of": rows.late,
        "repeated": total("repeated"),
        "cells": dict(most_first("cells")),
    }


# -- purchases ---------------------------------------------------------------------------------------------


def major(minor: int, currency: str) -> str:
    """Minor units as an exact decimal text: 120450 of EUR is ``1204.50``."""
    return f"{major_units(minor, currency):f}"


def _purchases(mirror: AccountMirror, as_of: date, currency: str) -> dict[str, Any]:
    """Orders, buyers and net revenue of the records that are known, in all and by week."""
    totals = purchases.totals(mirror, as_of)
    return {
        "orders": totals.orders,
        "buyers": totals.buyers,
        "net_revenue": major(totals.net_revenue, currency),
        "first_day": totals.first_day and totals.first_day.isoformat(),
        "last_day": totals.last_day and totals.last_day.isoformat(),
        "weeks": [
            {"orders": number, "net_revenue": major(net, currency)}
            for number, net in purchases.of_weeks(mirror, as_of, WEEKS)
        ],
    }


def _feed(
    theirs: AccountMirror,
    source: Found | None,
    types: frozenset[str] | None,
    as_of: date,
    late: int,
) -> dict[str, Any]:
    """The rows that segmentations live on: purchases where some segmentation looks at them and there are any,
    else all activity.
    """
    bought = reading_counts.has_any(theirs, MONEY) if types is None else bool(types & MONEY)
    counted_types = MONEY if bought else None
    rows = reading_counts.feed(theirs, counted_types, as_of)
    ownerless = sum(reading_counts.counts(theirs).get("activity", {}).get("ownerless", {}).values())
    unmatched, ambiguous = reading_counts.strangers(source, counted_types) if source else (0, 0)
    word = "purchase row" if purchases.may_have_order_lines(theirs) else "order"
    return {
        "of": word if bought else "row of activity",
        "rows": rows.rows,
        "unknown": rows.unknown,
        "unnamed": ownerless + rows.unnamed,
        "unmatched": unmatched,
        **({"ambiguous": ambiguous} if source else {}),
        "after_as_of": late,
        "first_day": rows.first_day and rows.first_day.isoformat(),
        "last_day": rows.last_day and rows.last_day.isoformat(),
    }
