"""Do our figures add up to the shop's own? Orders and net revenue per month, beside totals that the user
states.

Purchases are counted as features count them: rows of one order are one, refunds reduce it on the order's day,
days are local. An order of several people is one order. What belongs to no known record is counted too,
because the shop's own total holds it, and stands in figures of its own.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any

from connectors.values.currency import major_units
from sync.account.rates import converted
from sync.account.session import Session
from sync.config.config import Config
from sync.exit_codes import CommandError, UsageError
from sync.pull.summary import major
from sync.store.mirror import AccountMirror
from sync.store.parts import live_streams
from sync.store.purchases import of_months, orders

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_COLUMNS = ("month", "orders", "net_revenue")
_REMEDY = "write a CSV file with the header month,orders,net_revenue and lines such as 2026-01,123,4567.89"


@dataclass(frozen=True)
class Total:
    """What a user states of a month; None: nothing."""

    orders: int | None = None
    net_revenue: Decimal | None = None


def totals(file: Path | None, stated: Sequence[str] = ()) -> dict[str, Total]:
    """Month → total, from a CSV file and from texts such as ``2026-01=123/4567.89``.

    Usage names the line that cannot be understood.
    """
    by_month: dict[str, Total] = {}
    for where, month, count, revenue in [*(_of_file(file) if file else ()), *map(_of_text, stated)]:
        if month in by_month:
            raise UsageError(f"{where}: month {month} is stated twice")
        by_month[month] = Total(_count(where, count), _revenue(where, revenue))
        if by_month[month] == Total():
            raise UsageError(f"{where}: month {month} states neither orders nor net_revenue")
    if not by_month:
        raise UsageError(f"{file} states no month: {_REMEDY}")
    return by_month


def _of_file(file: Path) -> list[tuple[str, str, str, str]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as source:
            rows = [
                (number, row)
                for number, row in enumerate(csv.reader(source), 1)
                if any(cell.strip() for cell in row)
            ]
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise UsageError(f"{file} is not a CSV file in UTF-8: {_REMEDY}") from None
    header = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    columns = {name: header.index(name) for name in _COLUMNS if name in header}
    if "month" not in columns or len(columns) < 2 or len(set(header)) < len(header):
        raise UsageError(
            f"{file} has the header {', '.join(header) or '(nothing)'}: {_REMEDY}; orders or net_revenue may be missing"
        )
    entries = []
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise UsageError(
                f"{file}, line {number}: {len(row)} cells under {len(header)} headers (a decimal comma?): {_REMEDY}"
            )
        cells = {name: row[at].strip() for name, at in columns.items()}
        where = f"{file}, line {number}"
        entries.append(
            (where, _month(where, cells["month"]), cells.get("orders", ""), cells.get("net_revenue", ""))
        )
    return entries


def _of_text(text: str) -> tuple[str, str, str, str]:
    month, _, figures = text.partition("=")
    count, _, revenue = figures.partition("/")
    where = f"--total {text}"
    return where, _month(where, month.strip()), count.strip(), revenue.strip()


def _month(where: str, text: str) -> str:
    if not _MONTH.fullmatch(text):
        raise UsageError(f"{where}: {text!r} is not a month: write it like 2026-01")
    return text


def _count(where: str, text: str) -> int | None:
    if text and not re.fullmatch(r"[0-9]+", text):
        raise UsageError(f"{where}: {text!r} is not a number of orders: write it like 1234")
    return int(text) if text else None


def _revenue(where: str, text: str) -> Decimal | None:
    try:
        if text and not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
            raise InvalidOperation
        return Decimal(text) if text else None
    except InvalidOperation:
        raise UsageError(
            f"{where}: {text!r} is not an amount: write it with a decimal point and no other sign, like 1234567.89"
        ) from None


def reconcile(session: Session, stated: Mapping[str, Total]) -> dict[str, Any]:
    """Month by month both figures and their difference; ``differ`` names the months that do.

    Reads the mirror alone.
    """
    mirrors = [session.mirror(), *(source.mirror for source in session.joined() if source.activity)]
    if not any(map(live_streams, mirrors)):
        raise CommandError(f"nothing was read from {session.account} yet: run `crm-segments pull` first")
    ours, currency = (
        by_month(session.config, session.account, mirrors, session.as_of),
        session.settings.currency,
    )
    months = [
        _compared(month, stated[month], ours.get(month, (0, 0, 0, 0)), currency) for month in sorted(stated)
    ]
    return {
        "as_of": session.as_of.isoformat(),
        "currency": currency,
        "months": months,
        "differ": [row["month"] for row in months if row["differs"]],
    }


def by_month(
    config: Config, ours: str, mirrors: Sequence[AccountMirror], as_of: date, since: date | None = None
) -> dict[str, tuple[int, int, int, int]]:
    """Month → orders and net revenue of known records, and of nobody, up to ``as_of`` (from ``since`` on), over
    all source accounts.
    """
    months: dict[str, tuple[int, int, int, int]] = {}
    once = config.accounts[ours].deal_share == "full"
    for mirror in mirrors:
        money = partial(converted, config, ours, mirror)
        counted = orders(mirror, as_of, by_record=False, once=once, since=since, into=money)
        for month, figures in of_months(mirror, counted).items():
            before = months.get(month, (0, 0, 0, 0))
            months[month] = (
                before[0] + figures[0],
                before[1] + figures[1],
                before[2] + figures[2],
                before[3] + figures[3],
            )
    return months


def _compared(month: str, total: Total, ours: tuple[int, int, int, int], currency: str) -> dict[str, Any]:
    count, minor, nobodys, nobodys_minor = ours
    revenue = major_units(minor + nobodys_minor, currency)
    orders_off = None if total.orders is None else count + nobodys - total.orders
    revenue_off = None if total.net_revenue is None else revenue - total.net_revenue
    return {
        "month": month,
        "orders": count + nobodys,
        "orders_stated": total.orders,
        "orders_difference": orders_off,
        "net_revenue": str(revenue),
        "net_revenue_stated": None if total.net_revenue is None else str(total.net_revenue),
        "net_revenue_difference": None if revenue_off is None else str(revenue_off),
        "orders_of_nobody": nobodys,
        "net_revenue_of_nobody": major(nobodys_minor, currency),
        "differs": bool(orders_off or revenue_off),
    }
