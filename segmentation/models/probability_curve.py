"""How does a raw probability become a true one? By a calibration that keeps the order: equal stays equal, higher
stays higher.

    none      as it is
    level     all log-odds moved alike, so that the mean is right
    sigmoid   log-odds stretched and moved (Platt 1999)
    curve     straight lines in log-odds through the middles of groups whose rates rise (Zadrozny and Elkan 2002,
              without the steps). Each group holds ``GROUP`` events and as many records without; beyond the
              outermost middles, log-odds are moved alike. For fewer than ``FEWEST`` of either there is none:
              steps of few events would make most records equal.

Models of earlier versions may hold ``isotonic``, the steps themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from segmentation.ecdf import Fractions
from segmentation.models.blas_threads import one_thread

GROUP, FEWEST = 50, 500
_FAR, _HALVINGS = 10.0, 40  # log-odds that a level may move by, found to so many binary places


def log_odds(probability: Fractions) -> Fractions:
    """Of a probability; 0 and 1 count as nearly so."""
    sure = np.clip(probability, 1e-9, 1 - 1e-9)
    odds: Fractions = np.log(sure / (1 - sure))
    return odds


def sigmoid(odds: Fractions) -> Fractions:
    """The probability of log-odds. Their last bits, which depend on how many are computed at a time, do not count."""
    return 1 / (1 + np.exp(-np.round(np.clip(odds, -500, 500), 9)))


@dataclass(frozen=True)
class Calibration:
    """A rising curve; ``x`` and ``y`` are its numbers."""

    sort: str = "none"
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()

    def apply(self, probability: Fractions) -> Fractions:
        """True probabilities of raw ones."""
        if self.sort == "none":
            return probability
        if self.sort in ("level", "sigmoid"):
            return sigmoid(self.x[0] * log_odds(probability) + self.y[0])
        if self.sort == "curve":
            odds = log_odds(probability)
            inside = np.clip(odds, self.x[0], self.x[-1])
            return sigmoid(np.interp(inside, self.x, self.y) + (odds - inside))
        return np.interp(probability, self.x, self.y).astype(np.float64)


UNCHANGED = Calibration()


def calibrations(probability: Fractions, target: Fractions) -> Iterator[Calibration]:
    """Those that as many events can teach, the simplest first."""
    yield UNCHANGED
    yield level(probability, target)
    stretched = stretch(probability, target)
    if stretched is not None:
        yield stretched
    bent = curve(probability, target)
    if bent is not None:
        yield bent


def level(probability: Fractions, target: Fractions) -> Calibration:
    """One number that sets the mean right."""
    odds, low, high = log_odds(probability), -_FAR, _FAR
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if sigmoid(odds + middle).mean() < target.mean() else (low, middle)
    return Calibration("level", (1.0,), ((low + high) / 2,))


def stretch(probability: Fractions, target: Fractions) -> Calibration | None:
    """Two numbers that set the log-odds right; None where that would turn the order round."""
    from sklearn.linear_model import LogisticRegression

    with one_thread():
        fitted = LogisticRegression(C=1e6, max_iter=500).fit(log_odds(probability)[:, None], target)
    slope = float(fitted.coef_[0][0])
    return Calibration("sigmoid", (slope,), (float(fitted.intercept_[0]),)) if slope > 0 else None


def curve(probability: Fractions, target: Fractions) -> Calibration | None:
    """Through groups; None where events, or records without one, are few or make fewer than two groups."""
    from sklearn.isotonic import IsotonicRegression

    if min(target.sum(), (1 - target).sum()) < FEWEST:
        return None
    odds = log_odds(probability)
    steps = IsotonicRegression().fit_transform(odds, target)
    groups: list[tuple[float, float, float]] = []  # events, records, sum of log-odds
    events = records = total = 0.0
    for step in np.unique(steps):  # equal steps stand side by side
        inside = steps == step
        events, records, total = (
            events + float(target[inside].sum()),
            records + float(inside.sum()),
            total + float(odds[inside].sum()),
        )
        if min(events, records - events) >= GROUP:
            groups.append((events, records, total))
            events = records = total = 0.0
    if groups and records:  # too few are left for a group of their own
        groups[-1] = tuple(map(sum, zip(groups[-1], (events, records, total), strict=True)))  # type: ignore[assignment]
    if len(groups) < 2:
        return None
    x = tuple(total / records for _events, records, total in groups)
    y = tuple(float(np.log(events / (records - events))) for events, records, _total in groups)
    return Calibration("curve", x, y)
