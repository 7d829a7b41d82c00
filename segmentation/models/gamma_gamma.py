"""How much will each customer spend on a purchase? Gamma-Gamma, and what a customer is worth.

Spending per purchase varies around a customer's own mean, and means differ between customers (both gamma).
Fader and Hardie, "The Gamma-Gamma Model of Monetary Value" (note 025, 2013). It supposes that how much is
spent does not hang on how often; ``Spending.correlation`` tells how far that holds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from segmentation.ecdf import Fractions, Integers
from segmentation.models.bg_nbd import SAMPLE, History, Purchasing
from segmentation.models.optimizer import FEWEST_REPEATERS, TooLittle, maximise

BOUNDS = (-7.0, 9.0)  # of log-parameters, money in units of the median
DEPENDENT = 0.3  # correlation of how often and how much, from which the model is doubtful
_ALIKE = 1e6  # purchases that a customer would need before its own mean counted as much as that of all
MONTH = 365.25 / 12 / 7  # weeks


@dataclass(frozen=True)
class Spending:
    """Fitted parameters, money in the unit of what was fitted on. ``warnings`` are for people to read."""

    p: float
    q: float
    v: float
    loglik: float = float("nan")
    customers: int = 0
    converged: bool = False
    correlation: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """Mean spending of the population; infinite where q <= 1."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else float("inf")

    def expected(self, purchases: Integers, mean: Fractions) -> Fractions:
        """Expected spending on a purchase of customers with so many purchases of that mean; with none, the
        population's mean.

        Where q <= 1 the prior has no mean: the customer's own mean then stands, and the median's unit v for
        who has none.
        """
        has_mean = (purchases > 0) & (mean > 0)
        n, m = np.where(has_mean, purchases, 0).astype(np.float64), np.where(has_mean, mean, 0.0)
        q = max(self.q, 1 + 1e-3)
        return np.asarray(self.p * (self.v + n * m) / (self.p * n + q - 1), np.float64)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {**asdict(self), "warnings": list(self.warnings)}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Spending:
        return cls(**{**stored, "warnings": tuple(stored["warnings"])})


def fit(purchases: Integers, mean: Fractions) -> Spending:
    """The parameters under which the means are likeliest; customers without a purchase or with a mean of 0 or
    less are left out.

    TooLittle: too few customers, or all of them spend the same.
    """
    usable = (purchases > 0) & (mean > 0) & np.isfinite(mean)
    n, m = purchases[usable].astype(np.float64), mean[usable]
    if len(n) < FEWEST_REPEATERS or np.ptp(m) == 0:
        raise TooLittle(
            f"{len(n)} customers with spending that differs; a spending model needs {FEWEST_REPEATERS}"
        )
    step = -(-len(n) // SAMPLE)
    n, m = n[::step], m[::step]
    unit = float(np.median(m))
    likelihood = _Likelihood.of(n, m / unit)
    best = maximise(likelihood.mean, [(1.0, 1.0, 1.0), (0.0, 0.5, 0.0), (2.0, 1.5, 0.0)], BOUNDS)
    p, q, v = (float(parameter) for parameter in np.exp(best.at))
    correlation = float(np.corrcoef(n, m)[0, 1]) if np.ptp(n) else 0.0
    warnings = [] if best.converged else [f"the fit did not settle (slope {best.gradient:.1e})"]
    warnings += [f"{name} lies at its bound" for name, bound in zip("pqv", best.bound, strict=True) if bound]
    warnings += ["q <= 1: mean spending of the population is not finite"] if q <= 1 else []
    warnings += (
        [f"how much hangs on how often (correlation {correlation:.2f})"]
        if abs(correlation) > DEPENDENT
        else []
    )
    loglik = best.value * len(n) - len(n) * float(np.log(unit))
    return Spending(p, q, v * unit, loglik, len(n), best.converged, correlation, tuple(warnings))


def alike(mean: float) -> Spending:
    """Of customers that all spend the same, or about whom too little is known: nobody's own mean says more
    than that of all.
    """
    nothing = 0.0  # is the log-likelihood of what was not fitted: a model is kept as JSON, which knows no NaN
    return Spending(1.0, 1 + _ALIKE, mean * _ALIKE, nothing, warnings=("spending is taken to be alike",))


@dataclass(frozen=True)
class _Likelihood:
    n: Fractions
    m: Fractions
    weight: Fractions
    distinct: Fractions
    share: Fractions

    @classmethod
    def of(cls, n: Fractions, m: Fractions) -> _Likelihood:
        pairs, size = np.unique(n + 1j * m, return_counts=True)
        weight = size / size.sum()
        distinct, positions = np.unique(pairs.real, return_inverse=True)
        return cls(
            pairs.real, pairs.imag, weight, distinct, np.asarray(np.bincount(positions, weight), np.float64)
        )

    def mean(self, logs: Fractions) -> tuple[float, Fractions]:
        """Mean log-likelihood at log-parameters, and its gradient there."""
        from scipy.special import gammaln, psi

        p, q, v = np.exp(logs)
        pn, share = p * self.distinct, self.share
        by_n = gammaln(pn + q) - gammaln(pn) - gammaln(q) + q * np.log(v) + pn * np.log(self.distinct)
        log_total, log_m = np.log(self.n * self.m + v), np.log(self.m)
        value = float(share @ by_n + self.weight @ ((p * self.n - 1) * log_m - (p * self.n + q) * log_total))
        d_p = share @ (self.distinct * (psi(pn + q) - psi(pn) + np.log(self.distinct))) + self.weight @ (
            self.n * (log_m - log_total)
        )
        d_q = share @ psi(pn + q) - psi(q) + np.log(v) - self.weight @ log_total
        d_v = q / v - self.weight @ ((p * self.n + q) / (self.n * self.m + v))
        return value, np.array([d_p * p, d_q * q, d_v * v])


def lifetime_value(
    purchasing: Purchasing,
    history: History,
    spending: Fractions,
    months: int = 12,
    discount: float = 0.01,
    month: float = MONTH,
) -> Fractions:
    """Expected money of the coming months, discounted by a rate a month: sum of new purchases x spending / (1
    + discount)^k.

    ``history`` in weeks (or ``month`` in its unit); ``spending`` on a purchase, per customer.
    """
    total, before = np.zeros(len(history)), np.zeros(len(history))
    for k in range(1, months + 1):
        so_far = purchasing.expected(history, k * month)
        total += (so_far - before) * spending / (1 + discount) ** k
        before = so_far
    return total
