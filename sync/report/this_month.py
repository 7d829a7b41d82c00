"""What does page one tell? This month of one leading segmentation, for a person who sells.

``gather`` reads the figures; ``sync.report.sentences`` says them.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sync.account.segment_catalog import SegmentText, named_segments
from sync.pull.reading import unowned
from sync.store.journal import Journal
from sync.store.label_tables import labels_of, states
from sync.store.mirror import AccountMirror
from sync.store.parts import live_streams
from sync.store.segment_figures import Since, Typical, since
from sync.views.reconcile import by_month

if TYPE_CHECKING:
    from sync.config.config import Config
    from sync.config.settings import SegmentationSettings

MONTH_DAYS = 25  # an earlier labelling is "last month's" from so many days on
YEARS_DAYS = 2 * 365 + 31  # of the table of months
_NOBODY = Typical(0, None, None, None, None, None, None)


@dataclass(frozen=True)
class LastLabelling:
    """The last labelling of a segmentation. ``days``: of all its labellings. ``customers``: by segment."""

    as_of: date
    days: Sequence[date]
    customers: Mapping[str, Typical]

    @property
    def earlier(self) -> date | None:
        """The latest labelling that is about a month old, else the oldest; None at the first labelling."""
        days = sorted(day for day in self.days if day < self.as_of)
        month_old = [day for day in days if (self.as_of - day).days >= MONTH_DAYS]
        return month_old[-1] if month_old else days[0] if days else None


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
    compared: date | None = None  # the earlier day
    rows: Sequence[Row] = ()
    months: Sequence[Month] = ()  # the oldest first
    matched: float | None = None  # share of orders that have a customer
    slipped: Since | None = None

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
    journal: Journal,
    settings: SegmentationSettings,
    last: LastLabelling,
    last_reading: Mapping[str, Any] | None,
) -> ThisMonth:
    """Of the leading segmentation of an account. ``mirrors``: its own, then those of accounts that it draws from."""
    mirror, as_of, customers = mirrors[0], last.as_of, last.customers
    texts = named_segments(config, journal, settings, mirror.name)
    texts += [SegmentText(key, key) for key in sorted(customers.keys() - {text.key for text in texts})]
    compared = last.earlier
    change = _since(mirror, journal, settings.name, compared, texts) if compared else None
    rows = [
        Row(
            text,
            customers.get(text.key, _NOBODY),
            None if change is None else change.sizes.get(text.key, 0),
        )
        for text in texts
        if text.key in customers or not settings.options.names_from_model
    ]
    return ThisMonth(
        name=settings.name,
        title=settings.title or settings.name,
        as_of=as_of,
        compared=compared,
        rows=rows,
        months=_months(config, mirrors, as_of),
        matched=_matched(last_reading),
        slipped=change,
    )


def _since(
    mirror: AccountMirror, journal: Journal, name: str, day: date, texts: Sequence[SegmentText]
) -> Since:
    good, slipping = (
        [text.key for text in texts if text.standing == standing] for standing in ("buying", "slipping")
    )
    until = (day + timedelta(days=1)).isoformat()
    with states(journal.labels, mirror, name, until) as then:
        return since(mirror, then, labels_of(name), good, slipping)


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
