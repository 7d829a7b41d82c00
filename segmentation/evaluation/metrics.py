"""How good is a score or a probability? Measures of a ranking, of a forecast, of a drift and of an effect.

``score`` ranks records, the greater the better; ``outcome`` is what came: 0 or 1, or money. Ties share, so
that the order of the rows never matters.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from segmentation.ecdf import Flags, Fractions

Numbers = npt.NDArray[np.float64]
FLOOR = 1e-4  # of a share in a population stability index


def auc(score: Numbers, outcome: Numbers) -> float:
    """Chance that a record with an outcome above zero scores higher than one without (Mann and Whitney 1947);
    NaN of one sort alone.
    """
    _, positions, count = np.unique(score, return_inverse=True, return_counts=True)
    hit = outcome > 0
    rank = (np.cumsum(count) - (count - 1) / 2)[positions]
    hits, misses = int(hit.sum()), int((~hit).sum())
    return (
        float((rank[hit].sum() - hits * (hits + 1) / 2) / (hits * misses))
        if hits and misses
        else float("nan")
    )


def brier(probability: Numbers, outcome: Numbers) -> float:
    """Mean squared error of a probability (Brier 1950)."""
    return float(np.mean((probability - (outcome > 0)) ** 2)) if len(outcome) else float("nan")


def log_loss(probability: Numbers, outcome: Numbers) -> float:
    """Mean surprise, in nats."""
    sure = np.clip(probability, 1e-12, 1 - 1e-12)
    return (
        float(-np.mean(np.where(outcome > 0, np.log(sure), np.log1p(-sure))))
        if len(outcome)
        else float("nan")
    )


def calibration_error(probability: Numbers, outcome: Numbers, bins: int = 10) -> float:
    """ECE: mean distance of forecast and share that came, over bins of equal count (Naeini et al. 2015)."""
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    away = [
        len(part) * abs(float(probability[part].mean()) - float((outcome[part] > 0).mean())) for part in parts
    ]
    return sum(away) / len(order) if len(order) else float("nan")


def gains(score: Numbers, outcome: Numbers) -> tuple[Numbers, Numbers]:
    """The curve of the share of records taken from the top and the share of the outcome in them; both start
    at 0 and end at 1.
    """
    values, ranks = np.unique(-score, return_inverse=True)
    taken = np.bincount(ranks, minlength=len(values)).cumsum() / max(1, len(score))
    total = float(outcome.sum())
    caught = np.bincount(ranks, weights=outcome, minlength=len(values)).cumsum() / total if total else taken
    return np.concatenate([[0.0], taken]), np.concatenate([[0.0], caught])


def capture(score: Numbers, outcome: Numbers, top: float = 0.2) -> float:
    """Share of the outcome in the best ``top`` of the records."""
    return float(np.interp(top, *gains(score, outcome)))


def lift(score: Numbers, outcome: Numbers, top: float = 0.1) -> float:
    """How many times its share of the records the best ``top`` holds of the outcome."""
    return capture(score, outcome, top) / top


def area_under(x: Numbers, y: Numbers) -> float:
    """By trapezoids."""
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())


def gini(score: Numbers, outcome: Numbers) -> float:
    """Area between the gains of the score and those of chance, against that of an oracle: 1 is perfect, 0 is
    chance.
    """

    def area(ranked: Numbers) -> float:
        taken, caught = gains(ranked, outcome)
        return area_under(taken, caught) - 0.5

    best = area(outcome)
    return area(score) / best if best else 0.0


def qini(score: Numbers, outcome: Numbers, treated: Flags) -> float:
    """Area of Q(k) above the line of chance, per record: Q(k) = Y_t(k) - Y_c(k) N_t(k) / N_c(k) among the k
    best (Radcliffe 2007).
    """
    taken, gained = qini_curve(score, outcome, treated)
    every = max(1.0, float(taken[-1]))
    return area_under(taken, gained - gained[-1] * taken / every) / every**2


def qini_curve(score: Numbers, outcome: Numbers, treated: Flags) -> tuple[Numbers, Numbers]:
    """Records from the top, and the outcomes among them that the treatment brought; from (0, 0)."""
    values, ranks = np.unique(-score, return_inverse=True)

    def up_to(weights: Numbers) -> Numbers:
        summed: Numbers = np.bincount(ranks, weights=weights, minlength=len(values)).cumsum()
        return summed

    hit, dealt = (outcome > 0).astype(np.float64), treated.astype(np.float64)
    n_t, n_c = up_to(dealt), up_to(1 - dealt)
    gained = up_to(hit * dealt) - np.divide(
        up_to(hit * (1 - dealt)) * n_t, n_c, out=np.zeros(len(values)), where=n_c > 0
    )
    return np.concatenate([[0.0], n_t + n_c]), np.concatenate([[0.0], gained])


def population_stability(before: Numbers, now: Numbers, bins: int = 10) -> float:
    """PSI = sum (q - p) ln(q / p) over deciles of ``before``: below .1 none, from .25 on a major shift.

    Missing is a bin of its own.
    """
    cuts = (
        np.unique(np.nanquantile(before, np.linspace(0, 1, bins + 1)[1:-1]))
        if np.isfinite(before).any()
        else np.zeros(0)
    )

    def shares(values: Numbers) -> Fractions:
        spot = np.where(np.isnan(values), len(cuts) + 1, np.searchsorted(cuts, values, side="left"))
        return np.bincount(spot, minlength=len(cuts) + 2) / max(1, len(values))

    return _divergence(shares(before), shares(now))


def level_stability(before: npt.NDArray[np.int64], now: npt.NDArray[np.int64]) -> float:
    """PSI of categories, given as counts per level."""
    return _divergence(before / max(1, before.sum()), now / max(1, now.sum()))


def _divergence(p: Fractions, q: Fractions) -> float:
    p, q = np.maximum(p, FLOOR), np.maximum(q, FLOOR)
    return float(((q - p) * np.log(q / p)).sum())


def bootstrap(figure: npt.NDArray[np.float64], rounds: int = 200, seed: int = 7) -> tuple[float, float]:
    """95% interval of the mean of ``figure`` by drawing with replacement."""
    if not len(figure):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = [figure[rng.integers(0, len(figure), len(figure))].mean() for _ in range(rounds)]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
