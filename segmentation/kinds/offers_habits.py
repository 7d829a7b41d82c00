"""What do buyers teach about categories: which are popular in a segment, and which go together? (kind ``offers``)

Enough is max(30, 1% of the buyers). How a segment differs is told by a shrunk ratio, (n_sg + k p_g) / (n_s +
k) / p_g with k = 50: it describes and never ranks, for raw lift ranks far worse than plain popularity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from segmentation.ecdf import Fractions
from segmentation.models.category_features import Baskets

Matrix = npt.NDArray[np.float64]

EVERYONE = "all"  # the key of the habits of all buyers
SHRINK = 50.0  # buyers that the popularity among all counts for
FEWEST, SHARE = 30, 0.01  # buyers behind what is told
WIDEST = 300  # categories that are compared
CHUNK, CELLS = 50_000, 15_000_000  # rows; cells of a table of rows by categories
PRIOR = 5.0  # orders that the habits of the segment count for


@dataclass(frozen=True)
class Learned:
    """What the buyers taught: of ``names`` (those offered first) popularity per segment, cosines, and who
    buys both.
    """

    names: list[str]
    popularity: Mapping[str, Fractions]  # segment → share of the orders, per name
    cosine: Matrix  # (names, offered)
    both: Matrix  # (names, offered): buyers
    support: int  # fewest buyers
    weight: float = 1.0  # of likeness against popularity
    prior: float = PRIOR

    @property
    def offered(self) -> int:
        """The first so many of ``names`` may be offered."""
        return int(self.both.shape[1])

    def under(self, option: str, value: float) -> Learned:
        """The same with another ``weight`` or ``prior``."""
        return replace(self, prior=value) if option == "prior" else replace(self, weight=value)

    @property
    def popular(self) -> Fractions:
        """Buyers of each that may be offered; 0 where they are too few."""
        buyers = np.diag(self.both[: self.offered])
        return np.where(buyers >= self.support, buyers, 0)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, whole: of categories that the config names."""
        popularity = {segment: shares.tolist() for segment, shares in self.popularity.items()}
        return {
            "names": self.names, "popularity": popularity, "cosine": np.round(self.cosine, 6).tolist(), "both": self.both.tolist(),
            "weight": self.weight,
        }  # fmt: skip

    def of_pairs(self, likeness: bool) -> dict[str, Any]:
        """JSON-able, of any number of categories that were found: only what is used of them, once a pair."""
        popularity = {segment: np.round(shares, 7).tolist() for segment, shares in self.popularity.items()}
        kept: dict[str, Any] = {
            "names": self.names, "popularity": popularity, "buyers": np.diag(self.both).astype(int).tolist(),
            "weight": self.weight, "prior": self.prior,
        }  # fmt: skip
        if likeness:
            rows, columns = np.nonzero(np.triu(self.both >= self.support, 1))
            likes, both = np.round(self.cosine[rows, columns], 4), self.both[rows, columns].astype(int)
            kept["pairs"] = [rows.tolist(), columns.tolist(), likes.tolist(), both.tolist()]
        return kept

    @classmethod
    def from_model(cls, model: Mapping[str, Any]) -> Learned:
        """Of a stored model."""
        kept = model["learned"]
        popularity = {segment: np.array(shares) for segment, shares in kept["popularity"].items()}
        cosine, both = (np.array(kept["cosine"]), np.array(kept["both"])) if "both" in kept else _tables(kept)
        weight, prior = float(kept.get("weight", 1.0)), float(kept.get("prior", PRIOR))
        return cls(kept["names"], popularity, cosine, both, model["figures"]["support"], weight, prior)


def _tables(kept: Mapping[str, Any]) -> tuple[Matrix, Matrix]:
    """Cosines and buyers of both, of what ``Learned.of_pairs`` gave."""
    both = np.diag(np.array(kept["buyers"], np.float64))
    cosine = np.eye(len(both))
    if "pairs" in kept:
        rows, columns, likes, buyers = (np.array(part) for part in kept["pairs"])
        rows, columns = rows.astype(np.int64), columns.astype(np.int64)
        cosine[rows, columns] = cosine[columns, rows] = likes
        both[rows, columns] = both[columns, rows] = buyers
    return cosine, both


def learn(
    categories: Sequence[str], baskets: Baskets, segment: npt.NDArray[Any], others: bool = True
) -> tuple[Learned, dict[str, Any]]:
    """What the buyers of ``baskets`` teach, each in its ``segment``, and figures of it. ``others``: also by what
    they buy that may not be offered.
    """
    offered = list(categories)
    names = [*offered, *(_others(baskets, offered) if others else ())][: max(WIDEST, len(offered))]
    sums: dict[str, Matrix] = {
        key: np.zeros((2, len(names))) for key in sorted({*segment.tolist(), EVERYONE})
    }
    sizes = dict.fromkeys(sums, 0)
    cross, squares, both = (np.zeros((len(names), n)) for n in (len(offered), 1, len(offered)))
    for part in parts(len(segment), len(names)):
        orders = baskets.table(names, part)
        bought, logs = (orders > 0).astype(np.float64), np.log1p(orders)
        cross += logs.T @ logs[:, : len(offered)]
        both += bought.T @ bought[:, : len(offered)]
        squares[:, 0] += (logs**2).sum(0)
        for key in sums:
            chosen = np.ones(len(orders), np.bool_) if key == EVERYONE else segment[part] == key
            sums[key] += np.stack([orders[chosen].sum(0), bought[chosen].sum(0)])
            sizes[key] += int(bought[chosen].any(1).sum())
    length = np.sqrt(squares[:, 0])
    cosine = cross / np.maximum(np.outer(length, length[: len(offered)]), 1e-12)
    popularity = {key: orders / max(1.0, orders.sum()) for key, (orders, _) in sums.items()}
    support = _support(sizes[EVERYONE])
    figures = {"buyers": sizes[EVERYONE], "support": support, "segments": _described(names, sums, sizes)}
    return Learned(names, popularity, cosine, both, support), figures


def _others(baskets: Baskets, offered: Sequence[str]) -> list[str]:
    """Categories that are not offered, those of most buyers first."""
    popular = np.bincount(baskets.places, minlength=len(baskets.names))
    named = zip(popular.tolist(), baskets.names, strict=True)
    return [name for _count, name in sorted((-count, name) for count, name in named if name not in offered)]


def parts(count: int, width: int) -> list[slice]:
    """Pieces of so many rows of tables that are so wide."""
    size = max(1, min(CHUNK, CELLS // max(1, width)))
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _support(buyers: int) -> int:
    return max(FEWEST, int(np.ceil(SHARE * buyers)))


def _described(names: Sequence[str], sums: Mapping[str, Matrix], sizes: Mapping[str, int]) -> dict[str, Any]:
    """Per segment, of the categories with support: the five that it orders most, and the five that set it
    apart.
    """
    share = sums[EVERYONE][1] / max(1, sizes[EVERYONE])
    described = {}
    for key, (orders, buyers) in sums.items():
        enough = buyers >= _support(sizes[key])
        ratio = np.where(
            enough, (buyers + SHRINK * share) / (sizes[key] + SHRINK) / np.maximum(share, 1e-12), 0
        )
        usual = np.where(enough, orders / max(1.0, orders.sum()), 0)

        def leading(values: Fractions, buyers: Fractions = buyers) -> list[dict[str, Any]]:
            best = [
                int(position) for position in np.argsort(-values, kind="stable")[:5] if values[position] > 0
            ]
            return [
                {"category": names[p], "buyers": int(buyers[p]), "value": round(float(values[p]), 4)}
                for p in best
            ]

        described[key or "none"] = {"replenish": leading(usual)} | (
            {"distinct": leading(ratio)} if key != EVERYONE else {}
        )
    return described
