"""What is known of each customer's buying on a day, as numbers that models of it take?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from segmentation import frames
from segmentation.ecdf import Flags, Fractions, Integers
from segmentation.feature_request import Needs
from segmentation.models.bg_nbd import History

WINDOWS = (7, 30, 90, 180, 365)  # days
NEEDS = Needs(windows=WINDOWS, horizon=True)
COUNTS = (
    *("purchase_days", "net_revenue"),
    *(f"{name}_{days}" for days in WINDOWS for name in ("purchase_days", "net_revenue")),
)
DAYS = ("first_purchase", "last_purchase")
FEWEST_GAPS = 30  # between purchase days; with fewer, their quantile says little
ASSUMED = 30  # days that stand in for it
LONGEST = 3660  # days that anything may look ahead
COLUMNS = ("record", *COUNTS, *DAYS, "horizon_days")


@dataclass(frozen=True)
class Buying:
    """The buyers of a features frame: counts of purchase days, money in minor units, times in days."""

    record: Integers
    row: Integers  # place of each buyer in the frame
    days: Integers
    net: Fractions
    first: npt.NDArray[Any]
    last: npt.NDArray[Any]
    now: np.datetime64
    days_within: tuple[Fractions, ...]  # by WINDOWS
    net_within: tuple[Fractions, ...]

    @classmethod
    def of(cls, features: pd.DataFrame, as_of: date) -> Buying:
        """ValueError: a wrong frame."""
        frames.check_features(features, COUNTS, DAYS, as_of)
        first, last = (frames.as_days(features[column]) for column in DAYS)
        counts = {name: features[name].to_numpy(np.int64) for name in COUNTS}
        row = np.flatnonzero(~np.isnat(last) & ~np.isnat(first) & (counts["purchase_days"] > 0))
        within = {
            name: tuple(counts[f"{name}_{n}"][row].astype(np.float64) for n in WINDOWS)
            for name in ("purchase_days", "net_revenue")
        }
        record, net = (
            features["record"].to_numpy(np.int64)[row],
            counts["net_revenue"][row].astype(np.float64),
        )
        first, last, days = np.minimum(first, last)[row], last[row], counts["purchase_days"][row]
        return cls(
            record,
            row,
            days,
            net,
            first,
            last,
            np.datetime64(as_of, "D"),
            within["purchase_days"],
            within["net_revenue"],
        )

    def __len__(self) -> int:
        return len(self.record)

    def at(self, rows: Any) -> Buying:
        """Those at some places."""
        days_within, net_within = (
            tuple(part[rows] for part in parts) for parts in (self.days_within, self.net_within)
        )
        own, ends = (
            (self.record[rows], self.row[rows], self.days[rows], self.net[rows]),
            (self.first[rows], self.last[rows]),
        )
        return Buying(*own, *ends, self.now, days_within, net_within)

    @property
    def silent(self) -> Integers:
        """Days since the last purchase."""
        return (self.now - self.last).astype(np.int64)

    @property
    def age(self) -> Integers:
        """Days since the first purchase."""
        return (self.now - self.first).astype(np.int64)

    @property
    def mean(self) -> Fractions:
        """Net revenue of a purchase day."""
        return self.net / self.days

    @property
    def repeaters(self) -> Flags:
        """Who bought on more than one day."""
        again: Flags = self.days > 1
        return again

    def history(self) -> History:
        """For purchase models, in weeks."""
        return History.of_days(self.first, self.last, self.days, self.now)

    def matrix(self, *more: Fractions) -> npt.NDArray[np.float64]:
        """What boosting looks at: times, counts and money, in all and by window; ``more`` columns come first.

        NaN is unknown.
        """
        gap = np.where(
            self.days > 1, (self.last - self.first).astype(np.int64) / np.maximum(self.days - 1, 1), np.nan
        )
        own = (self.silent, self.age, self.days, gap, self.silent / np.maximum(gap, 1.0), self.net, self.mean)
        return np.column_stack([*more, *own, *self.days_within, *self.net_within]).astype(np.float64)


def horizon(features: pd.DataFrame) -> int:
    """The data's own horizon in days: the 90th percentile of the days between purchases, or a month where
    there are few.
    """
    gaps = np.maximum(features["purchase_days"].to_numpy(np.float64) - 1, 0).sum()
    horizons = pd.to_numeric(features["horizon_days"]).astype("float64").to_numpy(na_value=np.nan)
    horizons = horizons[np.isfinite(horizons)]
    return (
        int(np.clip(round(float(horizons.max())), 1, LONGEST))
        if gaps >= FEWEST_GAPS and len(horizons)
        else ASSUMED
    )
