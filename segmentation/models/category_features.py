"""What did each record buy, by category, and how does that look to a model?

Habits are log1p(orders) per category of those that most records buy, centred and scaled, after the number of
categories that a record buys from. Categories that speak of what people must not be judged by
(``segmentation.sensitive``) are none, and habits are never told in a reason: what somebody buys is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from segmentation.ecdf import Fractions, Integers
from segmentation.sensitive import sensitive

Matrix = npt.NDArray[np.float64]

SEPARATOR = "\x1f"  # of baskets: ``segmentation.features``
WIDEST = 100  # categories that are habits
RARE = 0.01  # share of the records that must buy one
FEWEST = 30  # and so many of them
FAR = 5.0  # standard deviations: further is not looked


@dataclass(frozen=True)
class Baskets:
    """Orders per record and category: row, place in ``names``, orders."""

    rows: Integers
    places: Integers
    orders: Integers
    names: list[str]
    count: int  # rows

    @classmethod
    def read(cls, texts: pd.Series) -> Baskets:
        """From the feature ``baskets_N``. ValueError: it is none."""
        column = pa.array(texts, pa.string(), from_pandas=True)
        split = pc.split_pattern(column, SEPARATOR)
        flat, parents = pc.list_flatten(split), pc.list_parent_indices(split).to_numpy(zero_copy_only=False)
        if len(flat) % 2:
            raise ValueError(
                "the baskets of the features frame are broken: a category without its number of orders"
            )
        named = flat.take(pa.array(np.arange(0, len(flat), 2))).dictionary_encode()
        try:
            orders = flat.take(pa.array(np.arange(1, len(flat), 2))).cast(pa.int64())
        except pa.ArrowInvalid as fault:
            raise ValueError(f"the baskets of the features frame are broken ({fault})") from fault
        numbers = orders.to_numpy(zero_copy_only=False).astype(np.int64)
        places = named.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return cls(parents[::2].astype(np.int64), places, numbers, named.dictionary.to_pylist(), len(column))

    def renamed(self, names: list[str]) -> Baskets:
        """The same under other names; what shares a name is added up by ``table``."""
        return replace(self, names=names)

    def table(self, names: Sequence[str], part: slice) -> Matrix:
        """(rows of the part, names): orders; categories that are not named are left out."""
        wanted = {name: position for position, name in enumerate(names)}
        spots = np.array([wanted.get(name, -1) for name in self.names] or [-1], np.int64)
        some = slice(*np.searchsorted(self.rows, (part.start, part.stop)))
        spot, size = spots[self.places[some]], part.stop - part.start
        cell, orders = (self.rows[some] - part.start) * len(names) + spot, self.orders[some]
        counts = np.bincount(cell[spot >= 0], weights=orders[spot >= 0], minlength=size * len(names))
        return counts.reshape(size, len(names)).astype(np.float64)

    def held(self) -> Fractions:
        """Per row: orders, counted once per category."""
        return np.bincount(self.rows, weights=self.orders, minlength=self.count).astype(np.float64)


@dataclass(frozen=True)
class Habits:
    """How baskets become columns: the number of categories, then orders of each of ``names``."""

    names: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, texts: pd.Series) -> Habits | None:
        """Of the categories that most buy; None: there are not two that enough buy.

        ValueError: the texts are no baskets.
        """
        baskets = Baskets.read(texts)
        buyers = np.bincount(baskets.places, minlength=len(baskets.names))  # a category stands once in a row
        usual = [
            position
            for position in np.argsort(-buyers, kind="stable")
            if buyers[position] >= max(FEWEST, RARE * len(texts))
        ]
        names = tuple(
            baskets.names[position] for position in usual if not sensitive(baskets.names[position])
        )[:WIDEST]
        if len(names) < 2:
            return None
        raw = _raw(baskets, names)
        return cls(names, tuple(raw.mean(0).tolist()), tuple(np.maximum(raw.std(0), 1e-9).tolist()))

    def matrix(self, texts: pd.Series) -> Matrix:
        """(records, 1 + names)."""
        scaled: Matrix = (_raw(Baskets.read(texts), self.names) - np.array(self.centre)) / np.array(
            self.scale
        )
        return scaled.clip(-FAR, FAR)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"names": list(self.names), "centre": list(self.centre), "scale": list(self.scale)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Habits:
        """What ``to_dict`` gave."""
        return cls(tuple(stored["names"]), tuple(stored["centre"]), tuple(stored["scale"]))


def _raw(baskets: Baskets, names: Sequence[str]) -> Matrix:
    breadth = np.bincount(baskets.rows, minlength=baskets.count)[:, None]
    return np.log1p(np.hstack([breadth, baskets.table(names, slice(0, baskets.count))]))
