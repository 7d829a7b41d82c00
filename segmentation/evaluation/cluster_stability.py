"""Into how many clusters do points fall for certain, and which cluster of today is which of yesterday?

A clustering is as good as it is repeatable: fitted again on draws with replacement, each cluster must come
back. Jaccard of a cluster is the mean over draws of its best overlap; below .75 it is a pattern at most, from
.85 on it is highly stable (Hennig,
*Cluster-wise assessment of cluster stability*, 2007). ARI is the adjusted Rand index of Hubert and Arabie
(1985).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segmentation.ecdf import Fractions, Integers
from segmentation.models.blas_threads import one_thread
from segmentation.models.encoder import Matrix

KS = (3, 4, 5, 6, 7, 8)
JACCARD, HIGH, ARI, SMALLEST = 0.75, 0.85, 0.8, 0.02
SAME = 0.5  # Jaccard from which a cluster of a refit is the one of before
DRAWS = 12
DRAWN = 10_000  # points of a draw
WHOLE = 200_000  # points; of more, centres are improved batch by batch
CHUNK = 500_000
SEED = 7


@dataclass(frozen=True)
class Stability:
    """How well a clustering comes back: its worst Jaccard, mean ARI, and the share of its smallest cluster."""

    k: int
    jaccard: float
    ari: float
    smallest: float

    @property
    def holds(self) -> bool:
        """Are these clusters to be trusted?"""
        return self.jaccard >= JACCARD and self.ari >= ARI and self.smallest >= SMALLEST

    def figures(self) -> dict[str, Any]:
        """Rounded, for people and models."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def centres_of(points: Matrix, k: int, start: Matrix | None = None) -> Matrix:
    """Centres of k-means, from the best of 10 starts, or from ``start``. Deterministic."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    drawn = draw(points, WHOLE)
    first = {"n_init": 10} if start is None else {"n_init": 1, "init": start}
    with one_thread():
        centres: Matrix = KMeans(k, random_state=SEED, **first).fit(drawn).cluster_centers_
        if len(points) > len(drawn):
            batches = MiniBatchKMeans(k, random_state=SEED, init=centres, n_init=1, batch_size=4096)
            for part in parts(len(points)):
                batches.partial_fit(points[part])
            centres = batches.cluster_centers_
    return centres


def draw(points: Matrix, most: int) -> Matrix:
    """At most so many of the points, evenly drawn; the same each time."""
    if len(points) <= most:
        return points
    return points[np.sort(np.random.default_rng(SEED).choice(len(points), most, replace=False))]


def parts(count: int) -> Iterator[slice]:
    """Bounded pieces of so many rows."""
    return (slice(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK))


def distances(points: Matrix, centres: Matrix) -> Matrix:
    """(points, centres): Euclidean."""
    with one_thread():
        squares = (points**2).sum(1)[:, None] - 2 * points @ centres.T + (centres**2).sum(1)[None]
    lengths: Matrix = np.sqrt(np.maximum(squares, 0))
    return lengths


def nearest(points: Matrix, centres: Matrix) -> Integers:
    """Place of the nearest centre, in bounded memory."""
    closest = [distances(points[part], centres).argmin(1) for part in parts(len(points))]
    return np.concatenate(closest).astype(np.int64) if closest else np.zeros(0, np.int64)


def stability(points: Matrix, centres: Matrix) -> Stability:
    """How well these clusters come back when they are fitted to draws with replacement."""
    from sklearn.cluster import KMeans

    k, drawn = len(centres), draw(points, 2 * DRAWN)
    labels = nearest(drawn, centres)
    rng = np.random.default_rng(SEED)
    overlap, agreement = np.zeros(k), 0.0
    with one_thread(), warnings.catch_warnings():
        # of a draw: what it does not hold does not come back
        warnings.filterwarnings("ignore", "Number of distinct clusters")
        for seed in range(DRAWS):
            some = drawn[rng.integers(0, len(drawn), min(DRAWN, len(drawn)))]
            again = KMeans(k, n_init=3, random_state=seed).fit(some)
            shared = contingency(labels, nearest(drawn, again.cluster_centers_), k, k)
            overlap += jaccard(shared).max(1) / DRAWS
            agreement += rand_index(shared) / DRAWS
    return Stability(
        k, float(overlap.min()), agreement, float(np.bincount(labels, minlength=k).min() / max(1, len(drawn)))
    )


def most_stable(points: Matrix) -> tuple[Matrix, list[Stability]]:
    """Centres of the best k, and what each k came to.

    The best is the largest whose clusters are highly stable, else the largest whose clusters hold, else the k
    whose worst cluster comes back best.
    """
    tried: list[tuple[Matrix, Stability]] = []
    different = len(np.unique(draw(points, DRAWN), axis=0))
    for k in KS:
        if k <= different or not tried:
            centres = centres_of(points, min(k, different))
            tried.append((centres, stability(points, centres)))
    stable = [trial for trial in tried if trial[1].holds]
    best = [trial for trial in stable if trial[1].jaccard >= HIGH] or stable
    chosen = (
        best[-1] if best else max(tried, key=lambda trial: (trial[1].smallest >= SMALLEST, trial[1].jaccard))
    )
    return chosen[0], [figures for _, figures in tried]


def contingency(first: Integers, other: Integers, rows: int, columns: int) -> npt.NDArray[np.int64]:
    """(rows, columns): points in cluster r of one clustering and c of the other."""
    return np.bincount(first * columns + other, minlength=rows * columns).reshape(rows, columns)


def jaccard(shared: npt.NDArray[np.int64]) -> Fractions:
    """Shared points over points in either, of every pair; 0 of two empty ones."""
    either = shared.sum(1)[:, None] + shared.sum(0)[None] - shared
    overlap: Fractions = shared / np.maximum(either, 1)
    return overlap


def rand_index(shared: npt.NDArray[np.int64]) -> float:
    """Adjusted for chance: 1 the same, 0 no better than chance."""

    def pairs(counts: npt.NDArray[np.int64]) -> float:
        return float((counts.astype(np.float64) * (counts - 1.0) / 2).sum())

    both, rows, columns, every = (
        pairs(shared),
        pairs(shared.sum(1)),
        pairs(shared.sum(0)),
        pairs(shared.sum(keepdims=True)),
    )
    expected = rows * columns / every if every else 0.0
    most = (rows + columns) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def matched(shared: npt.NDArray[np.int64]) -> dict[int, int]:
    """New cluster (column) → the old one (row) that it is: one to one, the most points in all, and each
    overlap at least ``SAME``.
    """
    from scipy.optimize import linear_sum_assignment

    overlap = jaccard(shared)
    old, new = linear_sum_assignment(shared, maximize=True)
    return {int(n): int(o) for o, n in zip(old, new, strict=True) if overlap[o, n] >= SAME}
