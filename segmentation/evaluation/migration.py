"""Who moved from which segment to which, and where does that lead?

Two labellings of the same segmentation make a migration matrix: records by segment before and after; ``""``
stands for those that had no label (newcomers) or have none any more (leavers). Its rows as probabilities are
a Markov chain: the share that each segment would come to if records went on moving so (``stationary``), and
how many labellings a record stays (``stay``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

NOBODY = ""
MOST = 9e18  # minor units that a whole number holds


@dataclass(frozen=True)
class Migration:
    """``records[i, j]`` were in ``keys[i]`` and are in ``keys[j]``; ``revenue`` (minor units) is theirs,
    where it is known.
    """

    keys: tuple[str, ...]
    records: npt.NDArray[np.int64]
    revenue: npt.NDArray[np.int64]

    @property
    def moved(self) -> float:
        """Share of the records that have a label before and after, and another one."""
        inside = self._inside
        total = int(inside.sum())
        return float(1 - np.trace(inside) / total) if total else 0.0

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """Of each segment's records, the share that went to each segment; who left is left out.

        An empty row stays as it is.
        """
        rows = self._inside.sum(1, keepdims=True)
        return np.where(rows > 0, self._inside / np.maximum(rows, 1), np.eye(len(rows)))

    @property
    def stationary(self) -> dict[str, float]:
        """Share of each segment if records went on moving so for ever, from where they are now."""
        share = self._inside.sum(0) / max(1, int(self._inside.sum()))
        lazy = (self.probabilities + np.eye(len(share))) / 2  # the same end, without going in circles
        for _ in range(60):
            lazy = lazy @ lazy
            lazy /= np.maximum(lazy.sum(1, keepdims=True), 1e-12)
        return {key: round(float(portion), 4) for key, portion in zip(self._named, share @ lazy, strict=True)}

    @property
    def stay(self) -> dict[str, float | None]:
        """Labellings that a record is in a segment, once it came there; None: nobody left it."""
        leaving = 1 - np.diag(self.probabilities)
        return {
            key: round(float(1 / chance), 2) if chance > 0 else None
            for key, chance in zip(self._named, leaving, strict=True)
        }

    def flows(self) -> list[dict[str, Any]]:
        """For a Sankey: source, target, records, revenue; the largest first."""
        places = [(i, j) for i, j in np.argwhere(self.records > 0)]
        flows = [
            {
                "source": self.keys[i],
                "target": self.keys[j],
                "records": int(self.records[i, j]),
                "revenue": int(self.revenue[i, j]),
            }
            for i, j in places
        ]
        return sorted(
            flows, key=lambda flow: (-int(str(flow["records"])), str(flow["source"]), str(flow["target"]))
        )

    @classmethod
    def of_counts(
        cls, counts: Iterable[tuple[str | None, str | None, int]], keys: Sequence[str] = ()
    ) -> Migration:
        """Of (segment before, segment after, records); None: no label.

        Segments that ``keys`` does not name come at the end.
        """
        moves = [(before or NOBODY, after or NOBODY, records) for before, after, records in counts]
        segments = {side for before, after, _ in moves for side in (before, after)} - {NOBODY}
        named = (*dict.fromkeys([*(key for key in keys if key in segments), *sorted(segments)]), NOBODY)
        records = np.zeros((len(named), len(named)), np.int64)
        for before, after, number in moves:
            records[named.index(before), named.index(after)] += number
        return cls(named, records, np.zeros_like(records))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: per segment the share that went to each segment, how long records stay, and where it all
        leads.
        """
        shares = dict(zip(self._named, self.probabilities, strict=True))
        rows = {
            key: {to: round(float(chance), 4) for to, chance in zip(self._named, row, strict=True) if chance}
            for key, row in shares.items()
        }
        return {
            "moved": round(self.moved, 4),
            "probabilities": rows,
            "stay": self.stay,
            "stationary": self.stationary,
        }

    @property
    def _named(self) -> list[str]:
        return [key for key in self.keys if key != NOBODY]

    @property
    def _inside(self) -> npt.NDArray[np.int64]:
        kept = [position for position, key in enumerate(self.keys) if key != NOBODY]
        return self.records[np.ix_(kept, kept)]


def migration(
    before: pd.DataFrame,
    after: pd.DataFrame,
    keys: Sequence[str],
    revenue: Mapping[int, int] | pd.Series | None = None,
) -> Migration:
    """Of two labels frames (``record``, ``segment``). ``revenue`` per record.

    Segments that ``keys`` does not name come at the end.
    """
    joined = before[["record", "segment"]].merge(
        after[["record", "segment"]], on="record", how="outer", suffixes=("_0", "_1")
    )
    pair = [
        joined[f"segment_{n}"].astype(object).where(joined[f"segment_{n}"].notna(), NOBODY) for n in (0, 1)
    ]
    segments = set(pair[0]) | set(pair[1])
    named = tuple(dict.fromkeys([*keys, *sorted(segments - {NOBODY}), NOBODY]))
    places = {key: position for position, key in enumerate(named)}
    cell = pair[0].map(places).to_numpy(np.int64) * len(named) + pair[1].map(places).to_numpy(np.int64)
    shape = (len(named), len(named))
    worth = (
        np.zeros(len(joined))
        if revenue is None
        else joined["record"].map(revenue).fillna(0).to_numpy(np.float64)
    )
    records = np.bincount(cell, minlength=len(named) ** 2).reshape(shape)
    money = np.bincount(cell, weights=worth, minlength=len(named) ** 2).reshape(shape)
    return Migration(named, records.astype(np.int64), np.round(np.clip(money, -MOST, MOST)).astype(np.int64))


def returns(history: Sequence[pd.Series]) -> float:
    """Share of the records that come back to a segment that they had left (A-B-A, at any distance) within
    these labellings.

    Each of ``history`` holds the segments by record, the earliest first.
    """
    frame = pd.concat(history, axis=1).dropna()
    codes = frame.apply(lambda column: column.astype(str)).to_numpy()
    back = np.zeros(len(codes), np.bool_)
    for first in range(codes.shape[1]):
        left = np.zeros(len(codes), np.bool_)
        for later in range(first + 1, codes.shape[1]):
            same = codes[:, later] == codes[:, first]
            back |= left & same
            left |= ~same
    return float(back.mean()) if len(back) else 0.0
