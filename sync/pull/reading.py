"""What do people read of a reading summary (``sync.pull.summary``), and where is the last one kept?

``status`` and the terminal import this; it opens the mirror only where one is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.store.journal import Journal
from sync.store.soundness import stamp_in

if TYPE_CHECKING:
    from connectors.contract import Problem
    from sync.config.settings import AccountSettings

STAMP = "reading"  # under which the mirror of an account keeps its summary


def unowned(feed: Mapping[str, Any]) -> tuple[int, int]:
    """Rows that count for nobody here, of all rows that could."""
    nobody = feed["unknown"] + feed["unnamed"]
    return nobody + feed["unmatched"] + feed.get("ambiguous", 0), nobody + feed["rows"]


# -- what is kept of it --------------------------------------------------------------------------------------


def kept(journal: Journal, account: str, mirror_file: Path) -> dict[str, Any] | None:
    """The summary of the last reading: from the mirror, or where it is not there or in use, from the journal."""
    return _in_mirror(account, mirror_file) or next(in_journal(journal, account), None)


def _in_mirror(account: str, mirror_file: Path) -> dict[str, Any] | None:
    try:
        stamp = stamp_in(mirror_file, account, STAMP)
        reading: dict[str, Any] | None = json.loads(stamp)["reading"] if stamp else None
    except (ValueError, KeyError):
        return None
    return reading


def in_journal(journal: Journal, account: str, good: bool = False) -> Iterator[dict[str, Any]]:
    """Summaries of earlier runs, the newest first.

    ``good``: only of runs that wrote, or had nothing to write.
    """
    for run in journal.runs.ended(account, wrote=good):
        reading = run["summary"].get("reading")
        if reading:
            yield reading


# -- what people read ----------------------------------------------------------------------------------------

_WORDS = {"contact": "contacts", "lead": "leads", "company": "companies", "activity": "activity"}
TOP_CELLS = 5  # reasons
COLUMNS = ("stream", "rows", "rejected", "left out", "no customer", "after as_of", "repeated")


def table(reading: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """One line per stream under ``COLUMNS``; streams of which everything was refused are among them."""
    return [
        (
            _named(reading, account, _WORDS[stream]),
            *(counted[key] for key in ("rows", "refused")),
            sum(counted["left_out"].values()),
            *(counted[key] for key in ("without_owner", "after_as_of", "repeated")),
        )
        for account, figures in reading["accounts"].items()
        for stream, counted in figures["streams"].items()
    ]


def data_through(reading: Mapping[str, Any]) -> str:
    """``Data through 2026-11-25 (2 days before as_of)``; by account where there are several."""
    ends = {
        name: account
        for name, account in reading["accounts"].items()
        if account["feed"] and _expected(account)
    }
    if not ends:
        return (
            "No segmentation looks at activity"
            if not any(a["feed"] for a in reading["accounts"].values())
            else "No activity was read"
        )
    texts = [(f"{name}: " if len(ends) > 1 else "") + _through(account) for name, account in ends.items()]
    return (
        "Data through " + "; ".join(texts)
        if all(a["data_through"] for a in ends.values())
        else "; ".join(texts)
    )


def _expected(account: Mapping[str, Any]) -> bool:
    return bool(account["data_through"] or account["streams"].get("activity", {}).get("rows"))


def _through(account: Mapping[str, Any]) -> str:
    days = account["days_before_as_of"]
    if days is None:
        return "No activity up to as_of counts"
    distance = "the day of" if not days else "1 day before" if days == 1 else f"{days:,} days before"
    return f"{account['data_through']} ({distance} as_of)"


def sentences(reading: Mapping[str, Any]) -> list[str]:
    """What a person should know of a reading, most important first."""
    lines: list[str] = []
    for account, figures in reading["accounts"].items():
        for stream, counted in figures["streams"].items():
            lines += _of_stream(_named(reading, account, _WORDS[stream]), counted, reading["as_of"])
        lines += _of_match(account, figures)
        lines += _of_feed(reading, account, figures)
    return lines


def _of_match(account: str, figures: Mapping[str, Any]) -> Iterator[str]:
    """How many contacts of another account are found here, and where its records disagree."""
    match = figures.get("match")
    if not match:
        return
    contacts, ambiguous = match["contacts"], match["ambiguous"]
    if not match["matched"]:
        yield f"WARNING: {none_found(account, match)}."
    else:
        yield (
            f"{match['matched']:,} of {contacts:,} contacts of {account} ({_share(match['matched'], contacts)}) are found here "
            f"{by_what(match)}; {match['unmatched']:,} match nobody."
        )
    if ambiguous:
        yield (
            f"{ambiguous:,} contacts of {account} ({_share(ambiguous, contacts)}) fit several contacts here: nothing of theirs "
            f"counts for any."
        )
    for name, counted in match["attributes"].items():
        yield f"{counted['known']:,} contacts here have {name}." + (
            f" Of {counted['disagreeing']:,} more, the records of {account} disagree, so it is unknown."
            if counted["disagreeing"]
            else ""
        )


def none_found(account: str, match: Mapping[str, Any]) -> str:
    """That nobody of another account is found here."""
    if not match["contacts"]:
        return f"{account} has no contacts, so none of them is found here"
    return f"none of the {match['contacts']:,} contacts of {account} is found here {by_what(match)}"


def without_match(reading: Mapping[str, Any], settings: AccountSettings) -> Iterator[Problem]:
    """Joined accounts of which the last reading found nobody here, by what they are matched by today."""
    from connectors.contract import Problem

    for account in settings.joined:
        match, today = reading["accounts"].get(account, {}).get("match"), settings.match_with(account)
        if match and not match["matched"] and (match["own"], match["other"]) == (today.own, today.other):
            yield Problem(
                f"in the last reading {none_found(account, match)}",
                "check that contacts of both have it and write it the same way, or set match of account "
                f"{settings.name}; then `crm-segments pull`",
            )


def by_what(match: Mapping[str, Any]) -> str:
    """``by email``, or ``by customer_number = id there``."""
    own, other = match["own"], match["other"]
    return f"by {own}" if own == other else f"by {own} = {other} there"


def untaken(reading: Mapping[str, Any]) -> list[str]:
    """The sentences about cells that could not be taken."""
    return [
        sentence
        for account, account_reading in reading["accounts"].items()
        for stream, counted in account_reading["streams"].items()
        for sentence in _of_cells(_named(reading, account, _WORDS[stream]), counted)
    ]


def _of_cells(name: str, counted: Mapping[str, Any]) -> Iterator[str]:
    if counted.get("cells"):
        number, why = sum(counted["cells"].values()), listed(dict(list(counted["cells"].items())[:TOP_CELLS]))
        yield f"{number:,} cells of {name} could not be read and count as unknown: {why}. To see them: crm-segments rejects"


def _named(reading: Mapping[str, Any], account: str, what: str) -> str:
    return what if account == next(iter(reading["accounts"])) else f"{what} of {account}"


def _of_stream(name: str, counted: Mapping[str, Any], as_of: str) -> Iterator[str]:
    rows, refused = counted["rows"], counted["refused"]
    if refused:
        whole = "All" if refused == rows and rows > 1 else f"{refused:,} of"
        why = listed(counted["reasons"])
        yield f"{whole} {rows:,} rows of {name} ({_share(refused, rows)}) were rejected: {why}. To see them: crm-segments rejects"
    if counted["left_out"]:
        yield f"{sum(counted['left_out'].values()):,} of {rows:,} rows of {name} do not count: {listed(counted['left_out'])}."
    yield from _of_cells(name, counted)
    if counted["after_as_of"]:
        yield f"{counted['after_as_of']:,} rows of {name} are dated after {as_of}: they do not count yet."


def _of_feed(reading: Mapping[str, Any], account: str, figures: Mapping[str, Any]) -> Iterator[str]:
    feed, bought = figures["feed"], figures["purchases"]
    if not feed:
        return
    _nobody, whole = unowned(feed)
    word, of = plural(feed["of"]), "" if account == next(iter(reading["accounts"])) else f" of {account}"
    for number, what in (
        (feed["unknown"], "belong to no known contact"),
        (feed["unnamed"], "name no customer"),
        (feed["unmatched"], f"belong to customers of {account} who are not found among the contacts here"),
        (feed.get("ambiguous", 0), f"belong to customers of {account} who match several contacts here"),
    ):
        if number:
            yield f"{number:,} of {whole:,} {word}{of} ({_share(number, whole)}) {what}: they are not counted for anyone."
    if bought and bought["orders"]:
        yield (
            f"{bought['orders']:,} orders{of} of {bought['buyers']:,} customers count, net revenue "
            f"{Decimal(bought['net_revenue']):,} {figures['currency']}, from {bought['first_day']} to {bought['last_day']}."
        )


def listed(reasons: Mapping[str, int]) -> str:
    """``status cancelled (5), a total (2)``"""
    return ", ".join(f"{reason} ({number:,})" for reason, number in reasons.items())


def plural(word: str) -> str:
    """``order`` → ``orders``, ``row of activity`` → ``rows of activity``."""
    first, *others = word.split(" ", 1) if word.startswith("row ") else [word]
    return " ".join([first + "s", *others])


def _share(part: int, whole: int) -> str:
    share = part / whole if whole else 0.0
    return f"{share:.1%}" if share >= 0.001 or not part else "less than 0.1%"
