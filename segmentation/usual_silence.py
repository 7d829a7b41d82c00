"""How long has a record been silent, where a silence that is usual for it is no news?

Who buys each week is not further away five days after a purchase than one day after it. So a silence that is usual
for the record counts as half of its mean gap between purchases, which it is on average; a longer one counts in full.
Usual are up to ``GAPS`` mean gaps within ``LONG`` days (who shops often pauses for a holiday), and ``LONG_GAPS`` mean
gaps beyond them: who came each month is not silent for half a year as usual. Of records with fewer than ``FEWEST``
purchase days no usual gap is known, and each silence counts in full.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from segmentation.ecdf import Flags, Fractions, Integers

FEWEST = 3  # purchase days
GAPS, LONG, LONG_GAPS = 7, 90, 2
Days = np.ndarray[Any, np.dtype[np.datetime64]]


@dataclass(frozen=True)
class Silence:
    """Days since the last purchase, and whether they are usual for the record."""

    days: Integers
    rhythm: Fractions  # mean days between purchases, 0 where unknown

    @classmethod
    def of(cls, first: Days, last: Days, purchase_days: Integers, as_of: date) -> Silence:
        """Of each record; 0 days where it never bought."""
        today = np.datetime64(as_of, "D")
        bought = ~np.isnat(last)
        days = (today - np.where(bought, last, today)).astype(np.int64)
        known = bought & ~np.isnat(first) & (purchase_days >= FEWEST)
        span = (np.where(known, last, today) - np.where(known, first, today)).astype(np.int64)
        return cls(days, np.where(known, span / np.maximum(purchase_days - 1, 1), 0.0))

    def usual(self, gaps: float | None = None) -> Flags:
        """Is the silence no longer than so many mean gaps of the record? None: than what is usual (see above); 0: no silence is."""
        often = np.minimum(GAPS * self.rhythm, LONG)
        longest = np.maximum(often, LONG_GAPS * self.rhythm) if gaps is None else gaps * self.rhythm
        usual: Flags = (longest > 0) & (self.days <= longest)
        return usual

    def counted(self, gaps: float | None = None) -> Integers:
        """Days that the silence counts as, where so many mean gaps are usual."""
        half = np.floor(self.rhythm / 2).astype(np.int64)
        return np.where(self.usual(gaps), half, self.days)
