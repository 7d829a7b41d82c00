"""What are the five sentences of page one? What grew, what shrank, how much revenue is at risk, whom to write to,
and whether the data are right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sync.pull.reading import unowned
from sync.report.events import Events
from sync.report.formats import Money, count, day, percent
from sync.report.this_month import Month, Row, ThisMonth

MATCHED = 0.95  # of the orders must have a customer, or it is told as the first thing to look at
FEWEST = 20  # customers on the earlier day, below which a change in percent says nothing


def sentences(month: ThisMonth, money: Money, events: Events, reading: Mapping[str, Any] | None) -> list[str]:
    """Whole sentences, in the order in which a person needs them."""
    lines = [*_changes(month), _at_risk(month, money), _write_to(month, money)]
    return [line for line in [*lines, attention(month, events, reading)] if line]


def _changes(month: ThisMonth) -> list[str]:
    if month.since is None:
        return [f"This is the first labelling, so nothing can have grown or shrunk yet{_largest(month)}."]
    changes = [(row.figures.records - (row.before or 0), row) for row in month.rows]
    grew = max(changes, key=lambda entry: entry[0], default=None)
    shrank = min(changes, key=lambda entry: entry[0], default=None)
    lines = []
    for change, verb in ((grew, "grew"), (shrank, "shrank")):
        if change is not None and (change[0] > 0) == (verb == "grew") and change[0]:
            lines.append(_change(*change, verb, month.since.day))
    return lines or [f"No segment has another size than on {day(month.since.day)}."]


def _change(number: int, row: Row, verb: str, since: date) -> str:
    before = row.before or 0
    share = f" ({number / before:+.0%})" if before >= FEWEST else ""
    direction = "more" if number > 0 else "fewer"
    return (
        f"{row.text.title} {verb} most: {count(row.figures.records)} customers, "
        f"{count(abs(number))} {direction} than on {day(since)}{share}."
    )


def _largest(month: ThisMonth) -> str:
    if not month.rows:
        return "; no customer has a segment"
    largest = max(month.rows, key=lambda row: row.figures.records)
    share = largest.figures.records / (month.customers or 1)
    return f"; the largest segment is {largest.text.title}, with {percent(share)} of the customers"


def _at_risk(month: ThisMonth, money: Money) -> str:
    slipping = [row for row in month.rows if row.text.standing == "slipping"]
    if not slipping:
        return ""
    names = _joined([row.text.title for row in slipping])
    if month.since is None:
        number = sum(row.figures.records for row in slipping)
        revenue = _sum(row.figures.revenue for row in slipping)
        return f"Revenue at risk: {_spent(number, revenue, money)}, now in {names}."
    since = day(month.since.day)
    usual = {row.text.key for row in month.rows if row.text.standing == "buying"}
    number, revenue = month.since.moved(usual, {row.text.key for row in slipping})
    if not number:
        return f"Revenue at risk: no customer who bought as usual has moved into {names} since {since}."
    return f"Revenue at risk: {_spent(number, revenue, money)}, who moved into {names} since {since}."


def _spent(customers: int, revenue: int | None, money: Money) -> str:
    who = f"{count(customers)} customer{'s' * (customers != 1)}"
    return who if revenue is None else f"{money.whole(revenue)} of the last twelve months, from {who}"


def whom(month: ThisMonth) -> list[Row]:
    """Whom to write to: the slipping segments in their order, else the one that brought most."""
    slipping = [row for row in month.rows if row.text.standing == "slipping" and row.figures.records]
    worth = [row for row in month.rows if row.text.to_do and row.figures.revenue]
    return slipping or sorted(worth, key=lambda row: -(row.figures.revenue or 0))[:1]


def _write_to(month: ThisMonth, money: Money) -> str:
    chosen = whom(month)
    if not chosen:
        return ""
    known = any(row.figures.reachable is not None for row in month.rows)
    silent = "" if known else " The CRM does not say who may be contacted: check it first."
    return f"Who to write to: {'; then '.join(_whom(row, money) for row in chosen)}.{silent}"


def _whom(row: Row, money: Money) -> str:
    figures = row.figures
    who = f"{count(figures.records)} in {row.text.title}"
    if figures.revenue is not None:
        who += f", who spent {money.whole(figures.revenue)} in the last twelve months"
    if figures.reachable is not None:
        who += f" ({count(figures.reachable)} may be contacted)"
    return f"{who}: {row.text.to_do[:1].lower()}{row.text.to_do[1:]}"


def attention(month: ThisMonth, events: Events, reading: Mapping[str, Any] | None) -> str:
    """The one thing that a person should look at first."""
    if month.matched is not None and month.matched < MATCHED:
        nobody = sum(unowned(a["feed"])[0] for a in (reading or {}).get("accounts", {}).values() if a["feed"])
        share = percent(1 - month.matched)
        return (
            f"Data check: {count(nobody)} orders ({share}) have no customer here, so they count for nobody."
        )
    if events.holds:
        names = _joined([str(hold["segmentation"]) for hold in events.holds])
        return f"Data check: {names} is paused because a run was undone. To go on: crm-segments run --allow undone --reason TEXT."
    if events.rejected:
        rows = f"{count(events.rejected)} row{'s' * (events.rejected != 1)} or changes"
        return f"Data check: {rows} could not be taken. To see which: crm-segments rejects."
    return "Data check: no row was rejected" + (
        ", and orders have their customers." if month.matched else "."
    )


def compared_months(months: Sequence[Month], shown: int) -> list[tuple[Month, float | None, float | None]]:
    """The last months, the oldest first, each with its change to the month before and to that of last year.

    A month that is not over is compared with nothing.
    """
    by_name = {month.month: month for month in months}
    rows = []
    for month in months[-shown:]:
        year, number = map(int, month.month.split("-"))
        previous = f"{year - (number == 1):04}-{(number - 2) % 12 + 1:02}"
        before, last_year = by_name.get(previous), by_name.get(f"{year - 1:04}-{number:02}")
        rows.append((month, _growth(month, before, months), _growth(month, last_year, months)))
    return rows


def _growth(month: Month, before: Month | None, months: Sequence[Month]) -> float | None:
    """None where either month is not whole: the first one of all may have begun before the data."""
    if before is None or not month.whole or before is months[0] or before.revenue <= 0:
        return None
    return month.revenue / before.revenue - 1


def _sum(numbers: Any) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _joined(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
