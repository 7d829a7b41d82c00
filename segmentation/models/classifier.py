"""Which learner predicts an event best, and are its probabilities true?

L2 logistic regression, histogram boosting and the mean of the two log-odds compete on an inner split in time,
by log loss. The last columns of the points may be habits, many that each say little: the inner split also
decides whether a learner looks at them, and of the logistic regression how strongly they are held back (a
penalty of their own). A calibration (``segmentation.models.probability_curve``) is learned on the inner split,
and used only where it lowers the Brier score on the days after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segmentation.ecdf import Fractions
from segmentation.evaluation import metrics
from segmentation.models.blas_threads import one_thread
from segmentation.models.boosting import Boosted
from segmentation.models.encoder import Matrix
from segmentation.models.probability_curve import UNCHANGED, Calibration, calibrations, log_odds, sigmoid

LEARNERS = ("logistic", "boosting", "mixture")
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3)  # of a logistic regression: C, the inverse of the penalty
SHARES = (0.0, 0.2, 0.4)  # what a standard deviation of a habit counts for, against that of another column
MANY, EVENTS = 20_000, 1_000  # of more records and events than that, some choose the options for all
_BOOSTING = {"learning_rate": 0.06, "min_samples_leaf": 40, "l2_regularization": 1.0}
_SIZES = ({"max_iter": 120, "max_leaf_nodes": 15}, {"max_iter": 60, "max_leaf_nodes": 6})


@dataclass(frozen=True)
class Logistic:
    """Log-odds as a weighted sum of the first columns, as many as there are weights."""

    weights: Fractions
    start: float

    @classmethod
    def fit(
        cls, points: Matrix, target: Fractions, strength: float, scale: Fractions | None = None
    ) -> Logistic:
        """Learn ``target``, 0 or 1; both must occur. ``scale``: below 1, a column is held back."""
        from sklearn.linear_model import LogisticRegression

        scale = np.ones(points.shape[1]) if scale is None else scale
        with one_thread():
            fitted = LogisticRegression(C=strength, max_iter=500).fit(points * scale, target)
        return cls(fitted.coef_[0].astype(np.float64) * scale, float(fitted.intercept_[0]))

    def predict(self, points: Matrix) -> Fractions:
        """Probability of 1."""
        with one_thread():
            raw = points[:, : len(self.weights)] @ self.weights + self.start
        return sigmoid(raw)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"weights": self.weights.tolist(), "start": self.start}


@dataclass(frozen=True)
class Mixture:
    """The mean of two log-odds."""

    logistic: Logistic
    boosting: Boosted

    def predict(self, points: Matrix) -> Fractions:
        """Probability of 1."""
        return sigmoid(
            (log_odds(self.logistic.predict(points)) + log_odds(self.boosting.predict(points))) / 2
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"logistic": self.logistic.to_dict(), "boosting": self.boosting.to_dict()}


Learner = Logistic | Boosted | Mixture


@dataclass(frozen=True)
class Forecast:
    """A learner with its calibration."""

    learner: Learner
    calibration: Calibration = UNCHANGED

    @property
    def name(self) -> str:
        """Which of ``LEARNERS`` it is."""
        return LEARNERS[
            0 if isinstance(self.learner, Logistic) else 1 if isinstance(self.learner, Boosted) else 2
        ]

    @property
    def weights(self) -> Fractions | None:
        """Of the columns, where the learner adds them up, or half of it does."""
        learner = self.learner.logistic if isinstance(self.learner, Mixture) else self.learner
        return learner.weights if isinstance(learner, Logistic) else None

    def predict(self, points: Matrix) -> Fractions:
        """Probability of the event."""
        return self.calibration.apply(self.learner.predict(points))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "name": self.name,
            "learner": self.learner.to_dict(),
            "calibration": dict(vars(self.calibration)),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Forecast:
        """What ``to_dict`` gave."""
        parameters, name = stored["learner"], stored["name"]
        parts = parameters if name == "mixture" else {name: parameters}
        logistic = _logistic(parts["logistic"]) if "logistic" in parts else None
        boosting = Boosted.from_dict(parts["boosting"]) if "boosting" in parts else None
        learner = Mixture(logistic, boosting) if logistic and boosting else logistic or boosting
        if learner is None:
            raise ValueError(f"a model of this program has no learner {name!r}; train again")
        curve = stored["calibration"]
        return cls(learner, Calibration(curve["sort"], tuple(curve["x"]), tuple(curve["y"])))


@dataclass(frozen=True)
class Span:
    """What was known of records on a day, and whether the event came in the days after it."""

    points: Matrix
    target: Fractions


@dataclass(frozen=True)
class Contest:
    """The winner, learned from all spans; its figures on the last, which it had not seen then; and how the
    others did.
    """

    forecast: Forecast
    figures: dict[str, Any]
    tested: Fractions  # probabilities on the last span, when it was not seen yet
    habits: bool  # whether it looks at them


_Options = dict[str, dict[str, Any]]  # learner → its options


def contest(spans: Sequence[Span], habits: int = 0) -> Contest:
    """Learn from spans in the order of time, three or more: the last tests, the one before it decides.

    ``habits``: so many of the last columns are habits.
    """
    *earlier, judge, test = spans
    plain = test.points.shape[1] - habits
    best, raw, options, losses = _chosen(_joined(earlier), judge, plain)
    learner = _learner(best, _joined([*earlier, judge]), options, plain)
    seen = learner.predict(test.points)
    curves = list(calibrations(raw, judge.target))
    scores = [metrics.brier(curve.apply(seen), test.target) for curve in curves]
    curve = curves[int(np.argmin(scores))]
    tested = curve.apply(seen)
    used = {name: options[name] for name in (LEARNERS[:2] if best == "mixture" else (best,))}
    figures = {
        "winner": best,
        "contest": {name: round(loss, 5) for name, loss in losses.items()},
        "options": used,
        "calibration": curve.sort,
        "brier_by_calibration": {
            candidate.sort: round(score, 5) for candidate, score in zip(curves, scores, strict=True)
        },
        **judged(tested, test.target),
        "auc_uncalibrated": judged(seen, test.target)["auc"],
        "different": len(np.unique(tested)),
    }
    final = _learner(best, _joined(spans), options, plain)
    return Contest(
        Forecast(final, curve), figures, tested, any(candidate["habits"] > 0 for candidate in used.values())
    )


def judged(probability: Fractions, target: Fractions) -> dict[str, float]:
    """Figures of a forecast."""
    figures = {
        "auc": metrics.auc(probability, target),
        "brier": metrics.brier(probability, target),
        "ece": metrics.calibration_error(probability, target),
        "lift_10": metrics.lift(probability, target),
        "capture_20": metrics.capture(probability, target),
        "base_rate": float((target > 0).mean()) if len(target) else float("nan"),
        "forecast_rate": float(probability.mean()) if len(target) else float("nan"),
    }
    return {name: round(value, 4) if np.isfinite(value) else 0.0 for name, value in figures.items()}


def _chosen(training: Span, judge: Span, plain: int) -> tuple[str, Fractions, _Options, dict[str, float]]:
    """The learner that does best on the judging span, what it says there, options of each learner, and
    losses.
    """
    some = _thinned(training)
    options: _Options = {}
    predictions: dict[str, Fractions] = {}
    shares = SHARES if training.points.shape[1] > plain else (0.0,)
    tried = {
        "logistic": [{"strength": strength, "habits": share} for strength in STRENGTHS for share in shares],
        "boosting": [
            {**size, "habits": share}
            for size in _SIZES
            for share in sorted({min(1.0, 5 * share) for share in shares})
        ],
    }
    for name, every in tried.items():
        predicted = [_learner(name, some, {name: option}, plain).predict(judge.points) for option in every]
        best = min(
            range(len(every)), key=lambda position: metrics.log_loss(predicted[position], judge.target)
        )
        options[name], predictions[name] = every[best], predicted[best]
        if len(some.target) < len(training.target):
            predictions[name] = _learner(name, training, options, plain).predict(judge.points)
    predictions["mixture"] = sigmoid(
        (log_odds(predictions["logistic"]) + log_odds(predictions["boosting"])) / 2
    )
    losses = {name: metrics.log_loss(predictions[name], judge.target) for name in LEARNERS}
    winner = min(losses, key=losses.__getitem__)
    return winner, predictions[winner], options, losses


def _thinned(span: Span) -> Span:
    """Every n-th record of many, as long as events are many as well."""
    step = max(1, min(len(span.target) // MANY, int(span.target.sum()) // EVENTS))
    return Span(span.points[::step], span.target[::step])


def _learner(name: str, training: Span, options: _Options, plain: int) -> Learner:
    """``plain``: columns that are no habits; a learner without habits sees these alone."""
    if name == "mixture":
        return Mixture(
            _regression(training, options["logistic"], plain), _boosted(training, options["boosting"], plain)
        )
    return (_regression if name == "logistic" else _boosted)(training, options[name], plain)


def _regression(training: Span, options: Mapping[str, Any], plain: int) -> Logistic:
    points = training.points if options["habits"] else training.points[:, :plain]
    scale = np.where(np.arange(points.shape[1]) < plain, 1.0, options["habits"])
    return Logistic.fit(points, training.target, options["strength"], scale)


def _boosted(training: Span, options: Mapping[str, Any], plain: int) -> Boosted:
    points = training.points if options["habits"] else training.points[:, :plain]
    size = {name: value for name, value in options.items() if name != "habits"}
    return Boosted.fit(points, training.target, "log_loss", **_BOOSTING, **size)


def _logistic(stored: Mapping[str, Any]) -> Logistic:
    return Logistic(np.asarray(stored["weights"], np.float64), float(stored["start"]))


def _joined(spans: Sequence[Span]) -> Span:
    return Span(np.vstack([span.points for span in spans]), np.concatenate([span.target for span in spans]))
