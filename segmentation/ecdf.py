"""Where does a value stand among those that were seen when the model was made, and in which level?

An axis is frozen at the fit: labelling later data moves nobody because others moved. Values are whole
numbers, greater is better. ``cuts`` are the greatest values of each level but the highest; level = 1 + number
of cuts below the value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Fractions = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# up to so many different values an axis is exact; above, positions are off by 1/KNOTS at most, levels never
KNOTS = 2000


@dataclass(frozen=True)
class EmpiricalCdf:
    """Values seen at the fit (``knots``, ascending), how many were below and up to each, and the cuts between
    levels.
    """

    knots: Integers
    below: Integers
    upto: Integers
    count: int
    cuts: Integers

    @classmethod
    def fit(cls, values: Integers, cuts: Sequence[int]) -> EmpiricalCdf:
        """The axis of ``values`` (any order). At least one value."""
        knots, size = np.unique(values, return_counts=True)
        upto = np.cumsum(size)
        if len(knots) > KNOTS:
            ranks = np.linspace(0, len(values) - 1, KNOTS).round().astype(np.int64)
            kept = np.unique(np.searchsorted(upto, ranks, side="right"))
            knots, size, upto = knots[kept], size[kept], upto[kept]
        return cls(knots, upto - size, upto, len(values), np.asarray(cuts, np.int64))

    @property
    def levels(self) -> int:
        return len(self.cuts) + 1

    def level(self, values: Integers) -> Integers:
        """1 (worst) .. levels (best)."""
        return 1 + np.searchsorted(self.cuts, values, side="left").astype(np.int64)

    def midrank(self, values: Integers) -> Fractions:
        """Fraction of those seen that are worse, ties counted half; between two values that were seen,
        interpolated.
        """
        middle = (self.below + self.upto) / (2 * self.count)
        return np.interp(values, self.knots, middle).astype(np.float64)

    def share_below(self, values: Integers) -> Fractions:
        """Fraction of those seen that are strictly worse."""
        return self._share(np.searchsorted(self.knots, values, side="left"))

    def share_upto(self, values: Integers) -> Fractions:
        """Fraction of those seen that are not better."""
        return self._share(np.searchsorted(self.knots, values, side="right"))

    def _share(self, positions: npt.NDArray[np.intp]) -> Fractions:
        shares: Fractions = np.concatenate([[0], self.upto])[positions] / self.count
        return shares

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "count": self.count,
            "cuts": self.cuts.tolist(),
            "knots": self.knots.tolist(),
            "below": self.below.tolist(),
            "upto": self.upto.tolist(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> EmpiricalCdf:
        knots, below, upto, cuts = (
            np.asarray(stored[part], np.int64) for part in ("knots", "below", "upto", "cuts")
        )
        return cls(knots, below, upto, int(stored["count"]), cuts)


def even_cuts(values: Integers, levels: int) -> list[int]:
    """Cuts such that level = 1 + floor(levels * (number strictly worse) / n), but for wide ties
    (``fair_cuts``); empty levels are legal.

    At least k n / levels values are strictly worse than v exactly when v is above the ceil(k n / levels)-th
    smallest.
    """
    n = len(values)
    if not n:
        return []
    places = [-(-k * n // levels) - 1 for k in range(1, levels)]
    cuts = [int(value) for value in np.partition(values, sorted(set(places)))[places]]
    return fair_cuts(values, cuts, [k / levels for k in range(1, levels)], 1 / levels)


def fair_cuts(values: Integers, cuts: Sequence[int], borders: Sequence[float], top: float) -> list[int]:
    """The same cuts with wide ties at the level where they stand among the others.

    ``borders`` are the shares from which the second and each higher level begin, ``top`` is the share of the
    highest one. A tie is wide when it is more than the highest level is meant to hold: tied > top * n.
    Counted by those who are worse, nine in ten who share the best value would have the worst level. A wide
    tie has the level of

        share = worse / (n - tied)        (1 where all are equal)

    So equal values have equal levels, a better value never has a worse one (worse / n <= share <= (worse +
    tied) / n), the best value has the highest level, the worst one the lowest unless all are equal, and what
    is not in a wide tie stays as it is. Where values are fewer than levels (n < 1 / top), only a best value
    that several share, or that is the only one, is wide.
    """
    n, fair = len(values), list(cuts)
    for value in sorted(set(cuts)):  # a wide tie that holds no cut has the right level as it is
        tied, worse = int((values == value).sum()), int((values < value).sum())
        shared_best = tied + worse == n and (tied > 1 or n == 1)
        if tied <= top * n or (top * n < 1 and not shared_best):
            continue
        share = worse / (n - tied) if tied < n else 1.0
        lower = sum(share >= border for border in borders)
        beneath = int(values[values < value].max()) if worse else value - 1
        fair[:lower] = [min(cut, beneath) for cut in fair[:lower]]
    return fair
