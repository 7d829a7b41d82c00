"""Where is a log-likelihood greatest? What purchase models and spending models share.

The mean log-likelihood over log-parameters is maximised by L-BFGS-B with its own gradient, from several
starting points; linear algebra is held to one thread, since four parameters are not worth waking others for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from segmentation.ecdf import Fractions

FEWEST_CUSTOMERS = 200
FEWEST_REPEATERS = 50
FLAT = 1e-5  # slope below which a fit has settled


class TooLittle(ValueError):
    """There is too little to learn from; the message says what there is and what it takes."""


@dataclass(frozen=True)
class Maximum:
    """Where it is, how great, how steep it still is, and which parameters lie at a bound."""

    at: Fractions
    value: float
    gradient: float
    bound: tuple[bool, ...]

    @property
    def converged(self) -> bool:
        """Is it flat there, bounds aside?"""
        return self.gradient < FLAT


def maximise(
    mean: Callable[[Fractions], tuple[float, Fractions]],
    starts: Sequence[Sequence[float]],
    bounds: tuple[float, float],
) -> Maximum:
    """The greatest value of ``mean`` (value, gradient) within the bounds; later starts are tried until one
    has settled.
    """
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    def falling(at: Fractions) -> tuple[float, Fractions]:
        value, slope = mean(at)
        return -value, -slope

    best: Maximum | None = None
    with threadpool_limits(limits=1, user_api="blas"):
        for start in starts:
            options = {"maxiter": 1000, "ftol": 1e-15, "gtol": FLAT / 10}
            solution = minimize(
                falling,
                np.asarray(start),
                jac=True,
                method="L-BFGS-B",
                bounds=[bounds] * len(start),
                options=options,
            )
            maximum = _maximum(solution.x, mean, bounds)
            if best is None or maximum.value > best.value:
                best = maximum
            if best.converged and not any(best.bound):
                break
    assert best is not None, "at least one start"
    return best


def _maximum(
    at: Fractions, mean: Callable[[Fractions], tuple[float, Fractions]], bounds: tuple[float, float]
) -> Maximum:
    value, slope = mean(at)
    low, high = at <= bounds[0] + 1e-6, at >= bounds[1] - 1e-6
    free = np.where((low & (slope < 0)) | (high & (slope > 0)), 0.0, slope)
    return Maximum(at, value, float(np.abs(free).max()), tuple(bool(at_bound) for at_bound in low | high))
