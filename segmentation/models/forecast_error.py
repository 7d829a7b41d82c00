"""How far off is a forecast over a horizon? What its back-test on past spans found, as a model keeps it.

The sum of a forecast is corrected to the level that is foretold of the coming span
(``segmentation.models.level_forecast``): who buys how much, against others, stays as the models say. Its interval
is the one of that level. Where the interval of purchases or money is wider than ``LIMIT`` times to both sides,
there is no forecast: nothing is known but the order of the buyers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from segmentation.ecdf import Fractions
from segmentation.models.level_forecast import FARTHEST, Level

MEASURES = ("buyers", "purchases", "money")
LIMIT = 3.0  # times: a third to three times what is forecast says nothing
LATEST = 3  # spans that are told
_SURE = 1 - 1e-12


@dataclass(frozen=True)
class JudgedSpan:
    """A past span from a day on: logarithms of what came over what was then foretold, and ECE of probabilities (None:
    not of those that the model gives).
    """

    day: date
    off: Mapping[str, float]
    ece: float | None = None


@dataclass(frozen=True)
class ForecastError:
    """Of forecasts over ``horizon`` days, judged on spans of ``days`` (0: on none), the latest first.

    ``unseen``: months to come whose season the data do not hold. ``doubt``: how far probabilities are off, if the
    number of buyers is as far off as it easily may be, or as purchases were again and again.
    """

    horizon: int
    days: int
    spans: tuple[JudgedSpan, ...]
    levels: Mapping[str, Level]
    unseen: tuple[str, ...] = ()
    doubt: float = 0.0

    def interval(self, name: str) -> tuple[float, float]:
        """Shares of what is forecast between which 95% of what comes lies."""
        level = self.levels[name]
        return float(np.exp(level.low - level.level)), float(np.exp(level.high - level.level))

    def times(self, name: str) -> float:
        """By how much a sum is corrected."""
        return float(np.exp(self.levels[name].level))

    @property
    def ece(self) -> float | None:
        """The greatest of the latest judged spans; None: none was judged."""
        return max([span.ece for span in self.spans if span.ece is not None][:LATEST], default=None)

    def worst(self, name: str) -> float | None:
        """The greatest distance of what came from what was forecast, as a share of it, in the latest spans."""
        return max((abs(float(np.exp(span.off[name])) - 1) for span in self.spans[:LATEST]), default=None)

    @property
    def refused(self) -> str:
        """Why there is no forecast; "" where there is one."""
        for name in ("purchases", "money"):
            low, high = self.interval(name)
            if high / low > LIMIT**2:
                return (
                    f"in {self.horizon} days {_SUMS[name]} may be {low:.0%} to {high:.0%} of a forecast, which says too little: "
                    f"{self.past(name)}{self.season}"
                )
        return ""

    def past(self, name: str) -> str:
        """``in the last 3 spans of 92 days the money was 12% below to 5% above the forecast``."""
        if not self.spans:
            return "no past span could be judged"
        shares = sorted(float(np.exp(span.off[name])) - 1 for span in self.spans[:LATEST])
        words = " to ".join(dict.fromkeys(_beside(share) for share in (shares[0], shares[-1])))
        spans = (
            f"the last {len(shares)} spans of {self.days} days"
            if len(shares) > 1
            else f"the last {self.days} days"
        )
        return f"in {spans} {_SUMS[name]} {_WERE[name]} {words} the forecast"

    @property
    def season(self) -> str:
        """A remark where the coming season was never seen; "" where it was."""
        if not self.unseen:
            return ""
        few = ", ".join(self.unseen[:-1]) + (" and " if self.unseen[:-1] else "") + self.unseen[-1]
        return f"; the data do not hold {few} of an earlier year"

    @property
    def words(self) -> str:
        """How far off the forecasts were, where they lie now, and what the data do not hold; a sentence."""
        if self.refused:
            return f"There is no forecast over {self.horizon} days: {self.refused}."
        both = "; ".join(self.says(name) for name in ("purchases", "money"))
        return f"{both[0].upper()}{both[1:]}{self.season}."

    def says(self, name: str) -> str:
        """How far off a sum was, and where it lies now."""
        low, high = self.interval(name)
        return f"{self.past(name)}; over the next {self.horizon} days it may be {low:.0%} to {high:.0%} of the forecast (95%)"

    def summary(self) -> dict[str, Any]:
        """What people and programs are told of it."""
        told: dict[str, Any] = {"horizon": self.horizon, "judged_days": self.days, "spans": len(self.spans)}
        for name in ("purchases", "money"):
            low, high = self.interval(name)
            worst = self.worst(name)
            told[name] = {
                "corrected": round(self.times(name) - 1, 4),
                "low": round(low, 4),
                "high": round(high, 4),
                "worst": None if worst is None else round(worst, 4),
            }
        told["says"] = {name: self.says(name) for name in ("purchases", "money")}
        return {**told, "ece": self.ece, "doubt": self.doubt, "refused": self.refused, "words": self.words}

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "horizon": self.horizon,
            "days": self.days,
            "spans": [{"day": str(s.day), "off": dict(s.off), "ece": s.ece} for s in self.spans],
            "levels": {name: [level.level, level.low, level.high] for name, level in self.levels.items()},
            "unseen": list(self.unseen),
            "doubt": self.doubt,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> ForecastError:
        """What ``to_dict`` gave."""
        spans = (
            JudgedSpan(date.fromisoformat(span["day"]), span["off"], span["ece"]) for span in stored["spans"]
        )
        levels = {name: Level(*level) for name, level in stored["levels"].items()}
        own = (stored["horizon"], stored["days"], tuple(spans), levels)
        return cls(*own, tuple(stored["unseen"]), stored["doubt"])


_SUMS = {"buyers": "the number of buyers", "purchases": "purchases", "money": "the money"}
_WERE = {"buyers": "was", "purchases": "were", "money": "was"}


def _beside(share: float) -> str:
    return f"{abs(share):.0%} {'below' if share < 0 else 'above'}"


def scaled(probability: Fractions, times: float) -> Fractions:
    """Probabilities of at least one purchase, if purchases came so many times as often."""
    scaled_up: Fractions = -np.expm1(times * np.log1p(-np.clip(probability, 0.0, _SURE)))
    return scaled_up


def times(probability: Fractions, count: float) -> float:
    """How many times as often purchases must come for so many buyers to be expected."""
    low, high = -FARTHEST, FARTHEST
    for _ in range(40):
        middle = (low + high) / 2
        if float(scaled(probability, float(np.exp(middle))).sum()) < count:
            low = middle
        else:
            high = middle
    return float(np.exp(np.clip((low + high) / 2, -FARTHEST, FARTHEST)))
