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
LISTED, LONG = 3, 10  # the best so many of each record


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
    ``LISTED``; and how much of what came they found.
    """

    def __init__(self) -> None:
        self.first = self.listed = 0.0
        self.records = self.offers = 0
        self._buyers = self._wanted = 0  # who bought what may be offered, and that, up to ``LONG`` of each
        self._hits = {LISTED: 0, LONG: 0}  # buyers who bought one of the best so many
        self._recalled = 0

    def add(self, values: npt.NDArray[np.float64], came: Flags, bought: Flags) -> None:
        """``values`` (0: no offer) and whether it ``came`` (what may not be offered to a record came not), of
        records by categories; of who ``bought`` anything alone.
        """
        asked = bought & (values > 0).any(1)
        values, came = values[asked], came[asked]
        order = np.argsort(-values, axis=1, kind="stable")[:, :LONG]
        rows = np.arange(len(values))[:, None]
        offered = values[rows, order] > 0
        hits: Fractions = (came[rows, order] & offered).astype(np.float64)
        self.first += float(hits[:, :1].sum())
        self.listed += float(hits[:, :LISTED].sum())
        self.records += len(values)
        self.offers += int(offered[:, :LISTED].sum())
        self._buyers += int(came.any(1).sum())
        self._wanted += int(np.minimum(came.sum(1), LONG).sum())
        self._recalled += int(hits.sum())
        for most in self._hits:
            self._hits[most] += int((hits[:, :most] > 0).any(1).sum())

    @property
    def found(self) -> dict[str, float]:
        """Of those who bought what may be offered, who bought one of the best so many; and of all that they
        bought, up to ``LONG`` each, what the best ``LONG`` found.
        """
        hits = {f"hit_{most}": round(count / max(1, self._buyers), 4) for most, count in self._hits.items()}
        recall = round(self._recalled / max(1, self._wanted), 4)
        return {"buyers": self._buyers, **hits, f"recall_{LONG}": recall}

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


def judged(
    span: Span, option: str, options: Sequence[float], counts: Sequence[Counted], popular: Counted
) -> Tried | None:
    """The ``option`` whose list found most, of equal ones the first. None: there was nobody to offer anything."""
    if not counts[0].records:
        return None
    best = max(range(len(options)), key=lambda position: (counts[position].shares[1], -position))
    figures = {
        "days": span.days,
        "day": span.day.isoformat(),
        "records": counts[best].records,
        option: options[best],
        "bought": counts[best].shares,
        "popular": popular.shares,
        "first": counts[best].found,
        "popular_first": popular.found,
        f"by_{option}": {str(value): count.shares for value, count in zip(options, counts, strict=True)},
    }
    return Tried(options[best], figures)
