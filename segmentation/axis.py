"""Where does a value stand among those that were seen when the model was made, and in which level?

An axis is frozen at the fit: labelling later data moves nobody because others moved. Values are whole numbers, greater is
better. ``cuts`` are the greatest values of each level but the highest; level = 1 + number of cuts below the value.
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

KNOTS = 2000  # up to so many different values an axis is exact; above, positions are off by 1/KNOTS at most, levels never


@dataclass(frozen=True)
class Axis:
    """Values seen at the fit (``knots``, ascending), how many were below and up to each, and the cuts between levels."""

    knots: Integers
    below: Integers
    upto: Integers
    count: int
    cuts: Integers

    @classmethod
    def fit(cls, values: Integers, cuts: Sequence[int]) -> Axis:
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
        """Fraction of those seen that are worse, ties counted half; between two values that were seen, interpolated."""
        middle = (self.below + self.upto) / (2 * self.count)
        return np.interp(values, self.knots, middle).astype(np.float64)

    def share_below(self, values: Integers) -> Fractions:
        """Fraction of those seen that are strictly worse."""
        return self._share(np.searchsorted(self.knots, values, side="left"))

    def share_upto(self, values: Integers) -> Fractions:
        """Fraction of those seen that are not better."""
        return self._share(np.searchsorted(self.knots, values, side="right"))

    def _share(self, place: npt.NDArray[np.intp]) -> Fractions:
        shares: Fractions = np.concatenate([[0], self.upto])[place] / self.count
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
    def from_dict(cls, stored: Mapping[str, Any]) -> Axis:
        knots, below, upto, cuts = (np.asarray(stored[part], np.int64) for part in ("knots", "below", "upto", "cuts"))
        return cls(knots, below, upto, int(stored["count"]), cuts)


def even_cuts(values: Integers, levels: int) -> list[int]:
    """Cuts such that level = 1 + floor(levels * (number strictly worse) / n): ties share a level, empty levels are legal.

    At least k n / levels values are strictly worse than v exactly when v is above the ceil(k n / levels)-th smallest.
    """
    n = len(values)
    places = [-(-k * n // levels) - 1 for k in range(1, levels)]
    return [int(value) for value in np.partition(values, sorted(set(places)))[places]] if n else []
