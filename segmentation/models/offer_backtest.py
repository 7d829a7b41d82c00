"""How often was what would have been offered bought in the days that followed? (Offers, tried out on an
earlier day.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from segmentation.ecdf import Flags, Fractions
from segmentation.point_in_time import Past

SHORTEST = 30
SPANS = (SHORTEST, 90, 180)  # days; the first in which enough buy
FEWEST = 100  # buyers by whom something is judged
LISTED = 3  # the best so many of each record


@dataclass(frozen=True)
class Span:
    """As of which earlier day offers are tried, and who of its records bought anything in the days since."""

    day: date
    days: int
    bought: Flags


@dataclass(frozen=True)
class Tried:
    """The option that found most, and what each found."""

    best: float
    figures: dict[str, Any]


class Counted:
    """How many offers there were, and how many of them were bought: of the best one, and of the best
    ``LISTED``.
    """

    def __init__(self) -> None:
        self.first = self.listed = 0.0
        self.records = self.offers = 0

    def add(self, values: npt.NDArray[np.float64], came: Flags, bought: Flags) -> None:
        """``values`` (0: no offer) and whether it ``came``, of records by categories; of who ``bought``
        anything alone.
        """
        asked = bought & (values > 0).any(1)
        values, came = values[asked], came[asked]
        order = np.argsort(-values, axis=1, kind="stable")[:, :LISTED]
        rows = np.arange(len(values))[:, None]
        offered = values[rows, order] > 0
        hits: Fractions = (came[rows, order] & offered).astype(np.float64)
        self.first += float(hits[:, :1].sum())
        self.listed += float(hits.sum())
        self.records += len(values)
        self.offers += int(offered.sum())

    @property
    def shares(self) -> list[float]:
        """Of the best offers, and of the listed ones, that were bought."""
        return [round(self.first / max(1, self.records), 4), round(self.listed / max(1, self.offers), 4)]


def span(past: Past, as_of: date, spans: Sequence[int] = SPANS) -> Span | None:
    """The shortest span in which ``FEWEST`` buy; None: in none of them do."""
    for days in spans:
        day = as_of - timedelta(days=days)
        if past.first is None or past.first + timedelta(days=days) > day:
            return None
        bought = past.outcomes(day, days)["orders"].to_numpy(np.int64) > 0
        if bought.sum() >= FEWEST:
            return Span(day, days, bought)
    return None


def judged(span: Span, options: Sequence[float], counts: Sequence[Counted], popular: Counted) -> Tried | None:
    """The option whose list found most, of equal ones the first. None: there was nobody to offer anything."""
    if not counts[0].records:
        return None
    best = max(range(len(options)), key=lambda position: (counts[position].shares[1], -position))
    figures = {
        "days": span.days,
        "day": span.day.isoformat(),
        "records": counts[best].records,
        "weight": options[best],
        "bought": counts[best].shares,
        "popular": popular.shares,
        "by_weight": {str(option): count.shares for option, count in zip(options, counts, strict=True)},
    }
    return Tried(options[best], figures)
