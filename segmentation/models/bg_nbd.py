"""When will each customer buy again, and is it still one? BG/NBD and MBG/NBD.

While alive a customer buys at random at its own rate; after a purchase it leaves with its own probability.
Rates and probabilities differ between customers (gamma, beta). BG/NBD: Fader, Hardie and Lee, "Counting Your
Customers the Easy Way" (2005). MBG/NBD: Batislam, Denizel and Filiztekin (2007); a customer may leave after
its first purchase too, so that silence tells something of who bought once.

    History   x repeat purchases, the last of them ``recency`` after the first, ``age`` = time from the first
              until now
    fit       maximum likelihood over log-parameters with its gradient; equal histories are counted once

Times are in whatever unit the history is in. Purchases of one customer on one day are one purchase.
Everything is finite for customers with ten thousand purchases.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from segmentation.ecdf import Flags, Fractions, Integers
from segmentation.models.optimizer import FEWEST_CUSTOMERS, FEWEST_REPEATERS, Maximum, TooLittle, maximise

Form = Literal["bg", "mbg"]
SAMPLE = 1_000_000  # customers; more are thinned out evenly before the fit
BOUNDS = (-9.0, 9.0)  # of log-parameters, times in units of the mean age
# the formula of the expectation has a removable gap at a = 1, its series where r - a is whole
_SINGULAR = 1e-6
_CONCENTRATED = 30.0  # from this a on, the series loses digits and a quadrature has them


@dataclass(frozen=True)
class History:
    """Purchase histories of customers with a first purchase: 0 <= recency <= age, recency 0 where x is 0."""

    x: Integers
    recency: Fractions
    age: Fractions

    @classmethod
    def of_days(
        cls,
        first: npt.NDArray[Any],
        last: npt.NDArray[Any],
        purchase_days: Integers,
        now: Any,
        unit: float = 7.0,
    ) -> History:
        """Histories from days (datetime64[D]), in weeks unless ``unit`` says otherwise."""
        recency = (last - first).astype(np.int64) / unit
        age = (np.asarray(now, "datetime64[D]") - first).astype(np.int64) / unit
        return cls(np.maximum(purchase_days - 1, 0), recency, np.maximum(age, recency))

    def __len__(self) -> int:
        return len(self.x)

    def at(self, rows: Any) -> History:
        """Those at some places."""
        return History(self.x[rows], self.recency[rows], self.age[rows])


@dataclass(frozen=True)
class Purchasing:
    """Fitted parameters. ``loglik`` is that of the customers fitted on; ``warnings`` are for people to read."""

    form: Form
    r: float
    alpha: float
    a: float
    b: float
    loglik: float = float("nan")
    customers: int = 0
    sampled: int = 0  # customers fitted on
    converged: bool = False
    gradient: float = float("nan")  # greatest slope of the mean log-likelihood along a log-parameter
    warnings: tuple[str, ...] = ()

    @property
    def _leaves_first(self) -> int:
        return 1 if self.form == "mbg" else 0

    def alive(self, history: History) -> Fractions:
        """Probability that each customer has not left."""
        x, b = history.x.astype(np.float64), self.b + history.x + self._leaves_first
        may_leave = (history.x > 0) | (self.form == "mbg")
        odds = np.log(self.a) - np.log(np.where(may_leave, b - 1, 1.0))
        odds = odds + (self.r + x) * (np.log(self.alpha + history.age) - np.log(self.alpha + history.recency))
        left: Fractions = np.where(may_leave, odds, -np.inf)
        staying: Fractions = np.exp(-np.logaddexp(0.0, left))
        return staying

    def purchase(self, history: History, horizon: float | Fractions) -> Fractions:
        """Probability of at least one purchase within the horizon, of all or of each."""
        if_alive: Fractions = -np.expm1(
            -(self.r + history.x) * np.log1p(horizon / (self.alpha + history.age))
        )
        return self.alive(history) * if_alive

    def expected(self, history: History, horizon: float) -> Fractions:
        """Expected number of purchases within the horizon.

        Of a history of age 0, x 0: repeat purchases of a new customer.
        """
        ages, nth = np.unique(history.age, return_inverse=True)
        # as one number they sort several times faster
        pairs, positions = np.unique(history.x * len(ages) + nth, return_inverse=True)
        often, aged = np.divmod(pairs, max(1, len(ages)))
        purchases: Fractions = self._if_alive(often.astype(np.float64), ages[aged], horizon)[
            positions
        ] * self.alive(history)
        return purchases

    def _if_alive(self, x: Fractions, age: Fractions, horizon: float) -> Fractions:
        """Expected purchases of customers that are alive now; the hypergeometric series after Euler's
        transform.
        """
        from scipy.special import hyp2f1

        a = self.a if abs(self.a - 1) > _SINGULAR else 1 + _SINGULAR
        a += 2 * _SINGULAR * (abs(self.r - a - round(self.r - a)) < _SINGULAR)
        b, r = self.b + x + self._leaves_first, self.r + x
        if a > _CONCENTRATED:
            return _concentrated(a, b, r, self.alpha + age, horizon)
        z = horizon / (self.alpha + age + horizon)
        series = hyp2f1(a - 1, a + b - 1 - r, a + b - 1, z)
        number: Fractions = (a + b - 1) / (a - 1) * (1 - np.exp((a - 1) * np.log1p(-z)) * series)
        # nobody buys more often than if it stayed for ever
        return np.clip(number, 0.0, r * horizon / (self.alpha + age))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {**asdict(self), "warnings": list(self.warnings)}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Purchasing:
        return cls(**{**stored, "warnings": tuple(stored["warnings"])})


def _concentrated(a: float, b: Fractions, r: Fractions, age: Fractions, horizon: float) -> Fractions:
    """The same where the probability to leave hardly differs between customers: Gauss-Jacobi quadrature over
    it, five points.

    The expectation is that of (1 - (age / (age + p horizon))^r) / p over p ~ beta(a, b).
    """
    n, total = np.arange(5.0)[:, None], a + b - 2
    diagonal = (a - b) * total / ((2 * n + total) * (2 * n + total + 2))
    n = n[1:]
    beside = (
        4
        * n
        * (n + b - 1)
        * (n + a - 1)
        * (n + total)
        / ((2 * n + total) ** 2 * (2 * n + total + 1) * (2 * n + total - 1))
    )
    matrix = np.zeros((len(b), 5, 5))
    matrix[:, range(5), range(5)] = diagonal.T
    matrix[:, range(1, 5), range(4)] = np.sqrt(beside).T  # eigh reads the lower half
    nodes, vectors = np.linalg.eigh(matrix)
    p = np.clip((1 + nodes) / 2, 1e-12, 1.0)
    values = -np.expm1(-r[:, None] * np.log1p(p * horizon / age[:, None])) / p
    number: Fractions = (vectors[:, 0, :] ** 2 * values).sum(axis=1)
    return number


def fit(history: History, form: Form = "mbg") -> Purchasing:
    """The parameters under which the histories are likeliest.

    TooLittle: too few customers, or too few that came back.
    """
    customers, repeaters = len(history), int((history.x > 0).sum())
    if customers < FEWEST_CUSTOMERS or repeaters < FEWEST_REPEATERS:
        raise TooLittle(
            f"{customers} customers, {repeaters} of them with a second purchase; a purchase model needs {FEWEST_CUSTOMERS} and"
            f" {FEWEST_REPEATERS}"
        )
    step = -(-customers // SAMPLE)
    sampled = history.at(slice(None, None, step)) if step > 1 else history
    scale = float(sampled.age.mean()) or 1.0
    likelihood = _Likelihood.of(sampled, scale, form)
    starts = [(0.0, 0.0, 0.0, 0.0), (-1.5, -2.0, -0.5, 0.5), (0.5, -1.0, -3.0, 2.0)]
    best = maximise(likelihood.mean, starts, BOUNDS)
    r, alpha, a, b = np.exp(best.at)
    fitted = Purchasing(
        form, float(r), float(alpha * scale), float(a), float(b), customers=customers, sampled=len(sampled)
    )
    return replace(
        fitted,
        loglik=best.value * len(sampled) - float(sampled.x.sum()) * float(np.log(scale)),
        converged=best.converged,
        gradient=best.gradient,
        warnings=_warnings(best, step),
    )


def log_likelihood(model: Purchasing, history: History) -> float:
    """That of the histories under the model's parameters."""
    mean, _ = _Likelihood.of(history, 1.0, model.form).mean(np.log([model.r, model.alpha, model.a, model.b]))
    return mean * len(history)


def _warnings(best: Maximum, step: int) -> tuple[str, ...]:
    warnings = [] if best.converged else [f"the fit did not settle (slope {best.gradient:.1e})"]
    warnings += [
        f"{name} lies at its bound"
        for name, bound in zip(("r", "alpha", "a", "b"), best.bound, strict=True)
        if bound
    ]
    return (*warnings, *([f"fitted on every {step}th customer"] if step > 1 else []))


@dataclass(frozen=True)
class _Likelihood:
    """Distinct histories, how often each occurs (weights of sum 1), and the place of each x among the
    distinct ones.
    """

    x: Fractions
    recency: Fractions
    age: Fractions
    weight: Fractions
    distinct: Fractions
    place: Integers
    share: Fractions  # of customers, by distinct x
    leaves_first: int
    may_leave: Flags

    @classmethod
    def of(cls, history: History, scale: float, form: Form) -> _Likelihood:
        rows, size = _distinct(history)
        weight = size / size.sum()
        distinct, positions = np.unique(rows.x, return_inverse=True)
        share = np.asarray(np.bincount(positions, weight), np.float64)
        leaves_first = 1 if form == "mbg" else 0
        x = rows.x.astype(np.float64)
        may_leave = (rows.x > 0) | (form == "mbg")
        return cls(
            x,
            rows.recency / scale,
            rows.age / scale,
            weight,
            distinct.astype(np.float64),
            positions,
            share,
            leaves_first,
            may_leave,
        )

    def mean(self, logs: Fractions) -> tuple[float, Fractions]:
        """Mean log-likelihood at log-parameters, and its gradient there."""
        from scipy.special import gammaln, psi

        r, alpha, a, b = np.exp(logs)
        n, later = self.distinct, self.distinct + self.leaves_first
        by_x = gammaln(r + n) - gammaln(r) + r * np.log(alpha)
        by_x += gammaln(a + b) + gammaln(b + later) - gammaln(b) - gammaln(a + b + later)
        log_age, log_recency = np.log(alpha + self.age), np.log(alpha + self.recency)
        stayed = -(r + self.x) * log_age
        before = np.where(self.may_leave, b + self.x + self.leaves_first - 1, 1.0)
        left = np.where(self.may_leave, np.log(a) - np.log(before) - (r + self.x) * log_recency, -np.inf)
        both = np.logaddexp(stayed, left)
        gone = np.exp(left - both)  # probability to have left
        value = float(self.share @ by_x + self.weight @ both)
        here, there = self.weight * (1 - gone), self.weight * gone
        d_r = self.share @ (psi(r + n) - psi(r)) + np.log(alpha) - here @ log_age - there @ log_recency
        d_alpha = (
            r / alpha
            - here @ ((r + self.x) / (alpha + self.age))
            - there @ ((r + self.x) / (alpha + self.recency))
        )
        d_a = psi(a + b) - self.share @ psi(a + b + later) + there.sum() / a
        d_b = self.share @ (psi(b + later) - psi(a + b + later)) - psi(b) + psi(a + b) - there @ (1 / before)
        return value, np.array([d_r * r, d_alpha * alpha, d_a * a, d_b * b])


def _distinct(history: History) -> tuple[History, Integers]:
    """Distinct histories and how often each occurs; sorting places is several times faster than ``np.unique``
    of rows.
    """
    order = np.lexsort((history.age, history.recency, history.x))
    rows = history.at(order)
    news = np.ones(len(rows), np.bool_)
    news[1:] = (np.diff(rows.x) != 0) | (np.diff(rows.recency) != 0) | (np.diff(rows.age) != 0)
    starts = np.flatnonzero(news)
    return rows.at(starts), np.diff(np.append(starts, len(rows)))
