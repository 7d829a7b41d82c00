"""Guards on what was read: is this a reading that a plan may be made from?

A plan that is made from half of the orders is a correct plan of a wrong world, so these stop it before it is
saved as ready. Each source account is judged by itself; what was allowed by name, or reviewed where it is
only a question, passes.

    max_rejected    refused rows of a stream, or their worth, as a share of what was read; over all, and over
                    the last 30 days alone. A refused row seldom has a date, so "the last 30 days" are the
                    readings of these days, without files whose newest row is older. Fewer than 3 rows are
                    told and stop nothing, but half of a stream always does
    max_unmatched   rows that count for nobody, in points above the last good run; without one, a question;
                    where most rows that name somebody find nobody, the ids are written differently: that
                    stops. So with contacts of an account whose attributes are used (attributes_from):
                    where none of them is found here, that stops
    max_stale_days  days from the newest row that segmentations live on to ``as_of``. Nothing at all is as old
                    as NEVER
    max_drop        orders or net revenue of the last seven days, as a share of the median of the four weeks
                    before
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from statistics import median
from typing import Any

from connectors.contract import Source
from sync.account.session import Session
from sync.config.settings import Limit
from sync.exit_codes import Trip
from sync.pull.reading import by_what, in_journal, listed, none_found, plural, unowned
from sync.pull.summary import RECENT_DAYS, TOP_REASONS, recently, summary
from sync.store.journal import Journal
from sync.store.mirror import AccountMirror
from sync.store.reading_counts import counts, id_shapes

GUARDS = ("max_rejected", "max_unmatched", "max_stale_days", "max_drop")
_REMEDY = "Check that both sides have it and write it the same way, or set `match`"
NEVER = 36_500  # days: a limit of so many switches max_stale_days off


def reading_trips(session: Session) -> list[Trip]:
    """Every guard that what was read trips, and that is not allowed by name.

    It is asked for before anything is planned: an account without activity may be asked whether it has none.
    """
    reading, trips = summary(session), list[Trip]()
    limits, today = session.config.guards, session.clock().date()
    for name in session.sources():
        mirror, account = session.mirror(name), reading["accounts"][name]
        trips += _rejected(limits.max_rejected, mirror, today, session.as_of)
        if "match" in account:
            trips += _strangers(
                limits.max_unmatched, session.journal, session.account, name, account["match"]
            )
        feed = account["feed"]
        elsewhere = name == session.account and session.settings.activity_from
        if feed is None or (elsewhere and _no_activity(account, session.source())):
            continue
        trips += _unmatched(limits.max_unmatched, session.journal, session.account, mirror, feed)
        trips += _stale(limits.max_stale_days.count, name, account, reading["as_of"])
        trips += _dropped(limits.max_drop, name, account)
    return [trip for trip in trips if trip.guard not in session.allow]


def _no_activity(account: Mapping[str, Any], source: Source) -> bool:
    """Whether an account has no activity, and does not say that there should be some."""
    return not account["streams"].get("activity", {}).get("rows") and not source.count("activity")


# -- refused rows ------------------------------------------------------------------------------------------


def _rejected(limit: Limit, mirror: AccountMirror, today: date, as_of: date) -> Iterator[Trip]:
    name = mirror.name
    whole, recent = counts(mirror), recently(mirror, today, as_of)
    for stream, counted in whole.items():
        what = _refused(limit, counted)
        when = ""
        if not what:
            what, when = (
                _refused(limit, recent.get(stream, {})),
                f" read in the last {RECENT_DAYS} days",
            )
        if what:
            why = listed(dict(sorted(counted["refused"].items(), key=lambda item: -item[1])[:TOP_REASONS]))
            yield Trip(
                "max_rejected",
                f"{what.format(stream=stream, name=name, when=when)}: {why}. `crm-segments rejects` lists them; fix the export, or the "
                f"columns in the config",
            )


def _refused(limit: Limit, counted: Mapping[str, Mapping[str, int]]) -> str:
    """What is wrong with the refused rows of a stream, or nothing."""
    taken, refused, left_out, ownerless, worth, refused_worth = (
        sum(counted.get(what, {}).values())
        for what in ("rows", "refused", "left_out", "ownerless", "worth", "refused_worth")
    )
    rows = taken + refused + left_out + ownerless
    if refused and not taken + ownerless:
        return (
            f"all {refused:,} rows of {{stream}} in {{name}}{{when}} that should count were rejected"
            if refused > 1
            else ("the only row of {stream} in {name}{when} was rejected")
        )
    over = refused >= limit.floor and limit.share is not None and refused > limit.share * rows
    if over or 2 * refused >= rows > 0 or (limit.count is not None and refused > limit.count):
        return f"{refused:,} of {rows:,} rows of {{stream}} in {{name}}{{when}} ({refused / rows:.1%}) were rejected"
    if (
        refused >= limit.floor
        and limit.share is not None
        and refused_worth > limit.share * (worth + refused_worth)
    ):
        share = refused_worth / (worth + refused_worth)
        return f"{refused:,} rejected rows of {{stream}} in {{name}}{{when}} are {share:.1%} of the money that was read"
    return ""


# -- rows that count for nobody ----------------------------------------------------------------------------


def _unmatched(
    limit: Limit, journal: Journal, account: str, mirror: AccountMirror, feed: Mapping[str, Any]
) -> Iterator[Trip]:
    name = mirror.name
    nobody, whole = unowned(feed)
    if not whole or limit.share is None or nobody < limit.floor:
        return
    share, before = nobody / whole, _share_before(journal, account, name)
    if share <= limit.share + (before or 0.0):
        return
    word = plural(feed["of"])
    what = f"{nobody:,} of {whole:,} {word} in {name} ({share:.1%}) count for nobody here"
    if 2 * (nobody - feed["unnamed"]) > whole - feed["unnamed"]:
        yield Trip("max_unmatched", f"{what}: {_why_nobody(mirror, account, feed)}")
    elif before is None:
        yield Trip("max_unmatched", f"{what}, {_parts(feed)}: is this expected?", first=True)
    else:
        yield Trip("max_unmatched", f"{what}, {_parts(feed)}; in the last good run it was {before:.1%}")


def _strangers(
    limit: Limit, journal: Journal, account: str, name: str, match: Mapping[str, Any]
) -> Iterator[Trip]:
    """Contacts of an account whose attributes are used, and that are nobody here: what they have steers no
    rule.
    """
    whole, nobody = match["contacts"], match["contacts"] - match["matched"]
    if not match["attributes"] or limit.share is None:
        return
    if not match["matched"] and (nobody >= limit.floor or not whole):
        yield Trip("max_unmatched", f"{none_found(name, match)}: rules on {name}.* match nobody. {_REMEDY}")
        return
    before = _strangers_before(journal, account, name)
    if nobody < limit.floor or nobody / whole <= limit.share + (before or 0.0):
        return
    what = f"{nobody:,} of {whole:,} contacts of {name} ({nobody / whole:.1%}) are not found here {by_what(match)}"
    what += (
        f", {match['ambiguous']:,} of them because they fit several contacts" if match["ambiguous"] else ""
    )
    if before is None:
        yield Trip(
            "max_unmatched", f"{what}, so rules cannot use their attributes: is this expected?", first=True
        )
    else:
        yield Trip("max_unmatched", f"{what}; in the last good run it was {before:.1%}. {_REMEDY}")


def _strangers_before(journal: Journal, account: str, name: str) -> float | None:
    """Share of contacts that were nobody here in the last good run that looked for them."""
    for reading in in_journal(journal, account, good=True):
        match = reading["accounts"].get(name, {}).get("match")
        if match and match["contacts"]:
            return float((match["contacts"] - match["matched"]) / match["contacts"])
    return None


def _share_before(journal: Journal, account: str, name: str) -> float | None:
    """Share of rows that counted for nobody in the last good run that looked at this account."""
    for reading in in_journal(journal, account, good=True):
        feed = reading["accounts"].get(name, {}).get("feed")
        if feed:
            nobody, whole = unowned(feed)
            return nobody / whole if whole else 0.0
    return None


def _parts(feed: Mapping[str, Any]) -> str:
    words = (
        ("unknown", "are of an unknown contact"),
        ("unnamed", "name no customer"),
        ("unmatched", "are of customers not found here"),
        ("ambiguous", "are of customers who match several contacts here"),
    )
    return ", ".join(f"{feed[key]:,} {text}" for key, text in words if feed.get(key))


def _why_nobody(mirror: AccountMirror, account: str, feed: Mapping[str, Any]) -> str:
    """Shapes of ids on both sides, never the ids themselves, and what to do."""
    name = mirror.name
    if feed["unmatched"] + feed.get("ambiguous", 0) > feed["unknown"]:
        return (
            f"customers of {name} are found among the contacts of {account} by `match`: check that both sides have it and write "
            f"it the same way, each value for one contact only"
        )
    theirs, ours = id_shapes(mirror)
    if theirs == ours:
        return f'ids on both sides look like "{ours}": is the export of contacts complete, and from the same shop?'
    return (
        f'ids in activities look like "{theirs}", ids of contacts like "{ours}". Set id_type in [accounts.{name}] ("number", "email" '
        f'or "salesforce"), or name the right columns'
    )


# -- rows that no longer come ------------------------------------------------------------------------------


def _stale(limit: int | None, name: str, account: Mapping[str, Any], as_of: str) -> Iterator[Trip]:
    feed = account["feed"]
    if limit is None:
        return
    word = "order" if feed["of"] != "row of activity" else feed["of"]
    if account["data_through"] is None:
        if limit < NEVER:
            yield Trip("max_stale_days", _nothing(name, account, as_of))
        return
    days, newest = account["days_before_as_of"], account["data_through"]
    if days > limit:
        yield Trip(
            "max_stale_days",
            f"the newest {word} in {name} is of {newest}, {days:,} days before {as_of}: everybody would seem to have bought that long "
            f'ago; set as_of = "{newest}" if the export is a snapshot, or export again',
        )


def _nothing(name: str, account: Mapping[str, Any], as_of: str) -> str:
    feed, seem = account["feed"], "everybody would seem to have done nothing"
    word = plural(feed["of"])
    if feed["rows"]:
        return f"all {feed['rows']:,} {word} in {name} are dated after {as_of}: set as_of to the day of the export"
    if feed["unknown"]:
        return f"none of the {feed['unknown']:,} {word} in {name} belongs to a known contact: {seem}"
    return f"{name} has no activity that counts, though segmentations need it: {seem}"


# -- weeks that fall ---------------------------------------------------------------------------------------


def _dropped(limit: Limit, name: str, account: Mapping[str, Any]) -> Iterator[Trip]:
    bought = account["purchases"]
    if limit.share is None or not bought:
        return
    last, *before = bought["weeks"]
    usual = median(week["orders"] for week in before)
    if usual < max(limit.floor, 1):
        return
    if last["orders"] < limit.share * usual:
        yield _drop(name, limit.share, f"{last['orders']:,} orders", f"{usual:,.0f}")
        return
    revenue, usual_revenue = Decimal(last["net_revenue"]), median(_revenues(before))
    if revenue < Decimal(str(limit.share)) * usual_revenue:
        currency = account["currency"]
        yield _drop(
            name, limit.share, f"{revenue:,} {currency} of net revenue", f"{usual_revenue:,.2f} {currency}"
        )


def _revenues(weeks: Sequence[Mapping[str, Any]]) -> list[Decimal]:
    return [Decimal(week["net_revenue"]) for week in weeks]


def _drop(name: str, share: float, last: str, usual: str) -> Trip:
    return Trip(
        "max_drop",
        f"{name} has {last} in the last seven days, less than {share:.0%} of the {usual} that are usual (median of the four weeks "
        f"before): is the export complete?",
    )
