"""Which earlier days tell what is coming? Days of the past, each with what was known then and what came in
the days after it.

The *inner span*, the days that each lesson predicts, is the horizon, at most a fourth of the history; whole
years where it is longer than one, so that every lesson sees all seasons. Lessons lie one inner span apart, up
to four of them.

A business has seasons where both hold: the days that come now brought, a year ago, ``FAR`` times what the
purchase models then expected, or less than its inverse, measured against any of the lessons; and what came of
late is told better by the same days of the year before it than by the lessons beside it. All is then learned
and judged at the same time of earlier years. A shock, or a business that rises or falls, is no season. An
earlier lesson that brought ``ODD`` times what lessons usually bring is left out: it tells of a shock, or of a
gap in what was collected.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation.ecdf import Fractions
from segmentation.models.buyer_features import Buying
from segmentation.models.clv_model import WEEK, BuyingModels
from segmentation.models.optimizer import FEWEST_CUSTOMERS, FEWEST_REPEATERS

if TYPE_CHECKING:
    from segmentation.point_in_time import Past

PARTS = 4  # inner spans that a history holds
MOST = 4  # lessons
YEAR = 365  # days
FEWEST = 30  # buyers that can be ranked
ODD = 2.0  # times what is usual among the lessons
FAR = 1.5  # times what the purchase models expected


@dataclass(frozen=True)
class BacktestSplit:
    """A day of the past: what was known then, and the money and purchase days of each buyer in the ``span``
    days after.
    """

    buying: Buying
    money: Fractions
    purchases: Fractions
    span: int

    @cached_property
    def models(self) -> BuyingModels:
        """Purchase models as of that day."""
        return BuyingModels.fit(self.buying)

    @cached_property
    def points(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """What boosting looks at."""
        return self.models.points(self.buying, self.span)

    @cached_property
    def level(self) -> float:
        """Purchases that came, over those that MBG/NBD expected: the logarithm."""
        expected = self.models.mbg.expected(self.buying.history(), self.span / WEEK)
        return float(np.log((self.purchases.sum() + 1) / (expected.sum() + 1)))


def lessons(past: Past | None, as_of: date, horizon: int) -> list[BacktestSplit]:
    """The latest first; none where the history is too short. ``horizon`` in days."""
    if past is None:
        return []
    span = _inner_span(past.first, as_of, horizon)
    taught = _apart(past, as_of, span, span) if span else []
    taught = (
        _apart(past, as_of, span, YEAR)
        if taught and span < YEAR and _seasonal(past, as_of, taught)
        else taught
    )
    usual = np.median([lesson.level for lesson in taught]) if taught else 0.0
    return taught[:1] + [lesson for lesson in taught[1:] if abs(lesson.level - usual) <= np.log(ODD)]


def small_lessons(past: Past | None, as_of: date, horizon: int) -> list[BacktestSplit]:
    """The same where buyers are too few for purchase models: ``FEWEST`` are enough to rank, seasons are not
    looked for.
    """
    span = _inner_span(past.first, as_of, horizon) if past is not None else 0
    return _apart(past, as_of, span, span, fewest=(FEWEST, 0)) if past is not None and span else []


def level(taught: list[BacktestSplit]) -> float:
    """How many times what purchase models expect comes, if that is far from once; else 1.

    They themselves have one vote for once.
    """
    usual = float(np.median([0.0, *(lesson.level for lesson in taught)]))
    return float(np.exp(usual)) if abs(usual) > np.log(FAR) else 1.0


def _inner_span(first: date | None, as_of: date, horizon: int) -> int:
    """Days; 0 where the history is too short."""
    span = min(horizon, (as_of - first).days // PARTS) if first is not None and first < as_of else 0
    return span if span < YEAR else span // YEAR * YEAR


def _apart(
    past: Past,
    as_of: date,
    span: int,
    apart: int,
    most: int = MOST,
    fewest: tuple[int, int] = (FEWEST_CUSTOMERS, FEWEST_REPEATERS),
) -> list[BacktestSplit]:
    """Days before as_of, so many days apart, as long as enough was known."""
    taught: list[BacktestSplit] = []
    for step in range(1, most + 1):
        day = as_of - timedelta(days=step * apart)
        if past.first is None or day <= past.first:
            break
        features = past.features(day)
        buying = Buying.of(features, day) if len(features) else None
        if buying is None or len(buying) < fewest[0] or int(buying.repeaters.sum()) < fewest[1]:
            break
        came = past.outcomes(day, span)
        money, purchases = (
            came[name].to_numpy(np.float64)[buying.row] for name in ("net_revenue", "purchase_days")
        )
        taught.append(BacktestSplit(buying, np.maximum(money, 0.0), purchases, span))
    return taught


def _seasonal(past: Past, as_of: date, late: list[BacktestSplit]) -> bool:
    span, levels = late[0].span, [lesson.level for lesson in late]
    coming = _a_year_before(past, as_of, span)
    if coming is None or float(np.abs(np.array(levels) - coming).max()) <= np.log(FAR):
        return False
    by_year = by_days = 0.0
    for position, came in enumerate(levels[:2]):
        beside = levels[:position] + levels[position + 1 :]
        before = _a_year_before(past, as_of - timedelta(days=(position + 1) * span), span)
        if before is None or not beside:
            break
        by_year += abs(came - before)
        by_days += abs(came - float(np.median(beside)))
    return by_year < by_days


def _a_year_before(past: Past, day: date, span: int) -> float | None:
    """The level of the lesson of a year before that day."""
    taught = _apart(past, day, span, YEAR, 1)
    return taught[0].level if taught else None
