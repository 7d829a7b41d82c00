"""What does page one tell? This month of one leading segmentation, for a person who sells.

``gather`` reads the figures; ``sync.report.sentences`` says them.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sync.account.segment_catalog import SegmentText
from sync.pull.reading import unowned
from sync.report.transitions import Since
from sync.store.mirror import AccountMirror
from sync.store.parts import live_streams
from sync.store.segment_figures import Typical
from sync.views.reconcile import by_month

if TYPE_CHECKING:
    from sync.config.config import Config

YEARS_DAYS = 2 * 365 + 31  # of the table of months
_NOBODY = Typical(0, None, None, None, None, None, None)


@dataclass(frozen=True)
class Leading:
    """The segmentation of page one as of its last labelling. ``customers``: by segment."""

    name: str
    title: str
    as_of: date
    customers: Mapping[str, Typical]
    since: Since | None


@dataclass(frozen=True)
class Row:
    """One segment: what people read of it, its customers, and how many there were on the earlier day."""

    text: SegmentText
    figures: Typical
    before: int | None  # None: there is no earlier day


@dataclass(frozen=True)
class Month:
    """Orders and net revenue (minor units) of one month, all customers; ``nobodys``: of it, what is of no
    customer that is known. ``whole``: the month is over.
    """

    month: str  # 2026-01
    orders: int
    revenue: int
    nobodys: int
    whole: bool


@dataclass(frozen=True)
class ThisMonth:
    """The figures of page one."""

    name: str
    title: str
    as_of: date
    rows: Sequence[Row] = ()
    months: Sequence[Month] = ()  # the oldest first
    matched: float | None = None  # share of orders that have a customer
    since: Since | None = None  # last month; None: this is the first labelling

    @property
    def revenue(self) -> int | None:
        """Net revenue of the last year of all rows."""
        known = [row.figures.revenue for row in self.rows if row.figures.revenue is not None]
        return sum(known) if known else None

    @property
    def customers(self) -> int:
        """Records that have a segment."""
        return sum(row.figures.records for row in self.rows)


def gather(
    config: Config,
    mirrors: Sequence[AccountMirror],
    texts: Sequence[SegmentText],
    leading: Leading,
    last_reading: Mapping[str, Any] | None,
) -> ThisMonth:
    """Of the ``leading`` segmentation of an account, whose segments people read as ``texts``.

    ``mirrors``: its own, then those of accounts that it draws from.
    """
    customers, since = leading.customers, leading.since
    every = [*texts, *(SegmentText(key, key) for key in sorted(customers.keys() - {t.key for t in texts}))]
    rows = [
        Row(text, customers.get(text.key, _NOBODY), since.size(text.key) if since else None) for text in every
    ]
    return ThisMonth(
        name=leading.name,
        title=leading.title,
        as_of=leading.as_of,
        rows=[row for row in rows if row.figures.records or row.before],
        months=_months(config, mirrors, leading.as_of),
        matched=_matched(last_reading),
        since=since,
    )


def _months(config: Config, mirrors: Sequence[AccountMirror], as_of: date) -> list[Month]:
    """The months of two years and a month up to ``as_of`` in which something was bought; none where nothing is
    read.
    """
    if not any(map(live_streams, mirrors)):
        return []
    first = (as_of - timedelta(days=YEARS_DAYS)).replace(day=1)
    sums = by_month(config, mirrors[0].name, mirrors, as_of, first)
    return [
        Month(month, known + nobodys, net + nobodys_net, nobodys_net, _is_over(month, as_of))
        for month, (known, net, nobodys, nobodys_net) in sorted(sums.items())
        if month >= first.isoformat()[:7]
    ]


def _is_over(month: str, as_of: date) -> bool:
    year, number = map(int, month.split("-"))
    return date(year, number, monthrange(year, number)[1]) <= as_of


def _matched(last_reading: Mapping[str, Any] | None) -> float | None:
    feeds = [account["feed"] for account in (last_reading or {}).get("accounts", {}).values()]
    counts = [unowned(feed) for feed in feeds if feed]
    whole = sum(of for _nobody, of in counts)
    return 1 - sum(nobody for nobody, _of in counts) / whole if whole else None
