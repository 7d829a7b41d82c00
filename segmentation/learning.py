"""Which of two learners foresees an event better, and are its probabilities true?

L2 logistic regression and histogram boosting compete on an inner split in time. A calibration (sigmoid: Platt 1999; isotonic:
Zadrozny and Elkan 2002) is learned on the inner split, and used only where it lowers the Brier score on the days after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segmentation import measures
from segmentation.axis import Fractions
from segmentation.boosting import Boosted
from segmentation.threads import one_thread
from segmentation.traits import Matrix

LEARNERS = ("logistic", "boosting")
STRENGTHS = (0.003, 0.03, 0.3)  # of a logistic regression: C, the inverse of the penalty
_BOOSTING = {"max_iter": 120, "learning_rate": 0.06, "max_leaf_nodes": 15, "min_samples_leaf": 40, "l2_regularization": 1.0}


@dataclass(frozen=True)
class Logistic:
    """Log-odds as a weighted sum."""

    weights: Fractions
    start: float

    @classmethod
    def fit(cls, points: Matrix, target: Fractions, strength: float) -> Logistic:
        """Learn ``target``, 0 or 1; both must occur."""
        from sklearn.linear_model import LogisticRegression

        with one_thread():
            found = LogisticRegression(C=strength, max_iter=500).fit(points, target)
        return cls(found.coef_[0].astype(np.float64), float(found.intercept_[0]))

    def predict(self, points: Matrix) -> Fractions:
        """Probability of 1."""
        with one_thread():
            raw = points @ self.weights + self.start
        return _sigmoid(raw)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"weights": self.weights.tolist(), "start": self.start}


@dataclass(frozen=True)
class Calibration:
    """A rising curve through (x, y) in log-odds of the raw and the true probability; ``none`` leaves it as it is."""

    sort: str = "none"
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()

    def apply(self, probability: Fractions) -> Fractions:
        """True probabilities of raw ones."""
        if self.sort == "none":
            return probability
        if self.sort == "sigmoid":
            return _sigmoid(self.x[0] * _log_odds(probability) + self.y[0])
        return np.interp(probability, self.x, self.y).astype(np.float64)

    @classmethod
    def sigmoid(cls, probability: Fractions, target: Fractions) -> Calibration:
        """Two numbers that set the log-odds right."""
        found = Logistic.fit(_log_odds(probability)[:, None], target, 1e6)
        return cls("sigmoid", (float(found.weights[0]),), (found.start,))

    @classmethod
    def isotonic(cls, probability: Fractions, target: Fractions) -> Calibration:
        """Steps that never fall."""
        from sklearn.isotonic import IsotonicRegression

        found = IsotonicRegression(out_of_bounds="clip").fit(probability, target)
        return cls("isotonic", tuple(found.X_thresholds_.tolist()), tuple(found.y_thresholds_.tolist()))


@dataclass(frozen=True)
class Forecast:
    """A learner with its calibration."""

    learner: Logistic | Boosted
    calibration: Calibration = Calibration()

    @property
    def name(self) -> str:
        """Which of ``LEARNERS`` it is."""
        return LEARNERS[isinstance(self.learner, Boosted)]

    def predict(self, points: Matrix) -> Fractions:
        """Probability of the event."""
        return self.calibration.apply(self.learner.predict(points))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"name": self.name, "learner": self.learner.to_dict(), "calibration": dict(vars(self.calibration))}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Forecast:
        """What ``to_dict`` gave."""
        found = stored["learner"]
        if stored["name"] == "boosting":
            learner: Logistic | Boosted = Boosted.from_dict(found)
        else:
            learner = Logistic(np.asarray(found["weights"], np.float64), float(found["start"]))
        curve = stored["calibration"]
        return cls(learner, Calibration(curve["sort"], tuple(curve["x"]), tuple(curve["y"])))


@dataclass(frozen=True)
class Span:
    """What was known of records on a day, and whether the event came in the days after it."""

    points: Matrix
    target: Fractions


@dataclass(frozen=True)
class Contest:
    """The winner, learned from all spans; its figures on the last, which it had not seen then; and how the others did."""

    forecast: Forecast
    figures: dict[str, Any]
    tested: Fractions  # probabilities on the last span, when it was not seen yet


def contest(spans: Sequence[Span]) -> Contest:
    """Learn from spans in the order of time, three or more: the last tests, the one before it decides."""
    *earlier, judge, test = spans
    tried = {name: _fit(name, earlier, judge) for name in LEARNERS}
    losses = {name: measures.log_loss(forecast.predict(judge.points), judge.target) for name, (forecast, _) in tried.items()}
    best = min(losses, key=losses.__getitem__)
    inner, options = tried[best]
    raw = inner.predict(judge.points)
    known = _joined([*earlier, judge])
    learner = _learner(best, known, options)
    plain = learner.predict(test.points)
    curves = [Calibration(), Calibration.sigmoid(raw, judge.target), Calibration.isotonic(raw, judge.target)]
    scores = [measures.brier(curve.apply(plain), test.target) for curve in curves]
    curve = curves[int(np.argmin(scores))]
    tested = curve.apply(plain)
    figures = {
        "winner": best,
        "contest": {name: round(loss, 5) for name, loss in losses.items()},
        "calibration": curve.sort,
        "brier_by_calibration": {one.sort: round(score, 5) for one, score in zip(curves, scores, strict=True)},
        **judged(tested, test.target),
    }
    final = _learner(best, _joined(spans), options)
    return Contest(Forecast(final, curve), figures, tested)


def judged(probability: Fractions, target: Fractions) -> dict[str, float]:
    """Figures of a forecast."""
    figures = {
        "auc": measures.auc(probability, target),
        "brier": measures.brier(probability, target),
        "ece": measures.calibration_error(probability, target),
        "lift_10": measures.lift(probability, target),
        "capture_20": measures.capture(probability, target),
        "base_rate": float((target > 0).mean()) if len(target) else float("nan"),
        "forecast_rate": float(probability.mean()) if len(target) else float("nan"),
    }
    return {name: round(value, 4) if np.isfinite(value) else 0.0 for name, value in figures.items()}


def _fit(name: str, earlier: Sequence[Span], judge: Span) -> tuple[Forecast, dict[str, Any]]:
    """A learner under the options that do best on the judging span."""
    known = _joined(earlier)
    every = [{"strength": strength} for strength in STRENGTHS] if name == "logistic" else [{}]
    fitted = [(Forecast(_learner(name, known, options)), options) for options in every]
    return min(fitted, key=lambda one: measures.log_loss(one[0].predict(judge.points), judge.target))


def _learner(name: str, known: Span, options: Mapping[str, Any]) -> Logistic | Boosted:
    if name == "logistic":
        return Logistic.fit(known.points, known.target, **options)
    return Boosted.fit(known.points, known.target, "log_loss", **_BOOSTING)


def _joined(spans: Sequence[Span]) -> Span:
    return Span(np.vstack([span.points for span in spans]), np.concatenate([span.target for span in spans]))


def _log_odds(probability: Fractions) -> Fractions:
    sure = np.clip(probability, 1e-9, 1 - 1e-9)
    odds: Fractions = np.log(sure / (1 - sure))
    return odds


def _sigmoid(raw: Fractions) -> Fractions:
    return 1 / (1 + np.exp(-np.clip(raw, -500, 500)))
