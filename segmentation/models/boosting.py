"""Boosted trees that are kept as JSON: scikit-learn's histogram boosting fits them, and its own predictor
applies them.

Source: Friedman, *Greedy function approximation* (2001); scikit-learn, HistGradientBoostingClassifier and
-Regressor. Missing numbers (NaN) take the side that the fit found for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from segmentation.ecdf import Fractions
from segmentation.models.blas_threads import one_thread

Loss = Literal["log_loss", "squared_error", "poisson"]
SEED = 7


@dataclass(frozen=True)
class _Tree:
    """Nodes as arrays; a node whose ``left`` is 0 is a leaf."""

    feature: npt.NDArray[np.int64]
    threshold: Fractions
    missing_left: npt.NDArray[np.bool_]
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    value: Fractions

    def nodes(self) -> npt.NDArray[Any]:
        """As scikit-learn's predictor holds them: compiled, it walks ten times as fast as NumPy."""
        from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

        made = np.zeros(len(self.left), PREDICTOR_RECORD_DTYPE)
        made["feature_idx"], made["num_threshold"], made["value"] = self.feature, self.threshold, self.value
        made["missing_go_to_left"], made["left"], made["right"] = self.missing_left, self.left, self.right
        made["is_leaf"] = self.left == 0
        return made


@dataclass(frozen=True)
class Boosted:
    """A sum of trees over a start; ``loss`` says what the sum means."""

    loss: Loss
    start: float
    trees: tuple[_Tree, ...]

    @classmethod
    def fit(
        cls,
        points: npt.NDArray[np.float64],
        target: npt.NDArray[Any],
        loss: Loss = "log_loss",
        **options: Any,
    ) -> Boosted:
        """Learn ``target`` (0 or 1 for ``log_loss``). ``options`` are those of scikit-learn's estimator."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        chosen = {"random_state": SEED, "early_stopping": False, **options}
        estimator = (
            HistGradientBoostingClassifier(**chosen)
            if loss == "log_loss"
            else HistGradientBoostingRegressor(loss=loss, **chosen)
        )
        with one_thread():
            estimator.fit(points, target)
        start = float(np.ravel(estimator._baseline_prediction)[0])
        return cls(loss, start, tuple(_tree(step[0].nodes) for step in estimator._predictors))

    def raw(self, points: npt.NDArray[np.float64]) -> Fractions:
        """The sum of the trees: log-odds, mean or log-mean."""
        from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

        total = np.full(len(points), self.start)
        no_category, places = np.zeros((0, 8), np.uint32), np.zeros(points.shape[1], np.uint32)
        for tree in self.trees:
            total += TreePredictor(tree.nodes(), no_category, no_category).predict(
                points, no_category, places, 1
            )
        return total

    def predict(self, points: npt.NDArray[np.float64]) -> Fractions:
        """Probability of 1, or the expected value."""
        raw = self.raw(points)
        if self.loss == "squared_error":
            return raw
        return np.exp(raw) if self.loss == "poisson" else 1 / (1 + np.exp(-raw))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "loss": self.loss,
            "start": self.start,
            "trees": [{k: v.tolist() for k, v in vars(tree).items()} for tree in self.trees],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Boosted:
        """What ``to_dict`` gave."""
        kinds = {
            "feature": np.int64,
            "threshold": np.float64,
            "missing_left": np.bool_,
            "left": np.int64,
            "right": np.int64,
        }
        trees = [
            _Tree(**{name: np.asarray(tree[name], kinds.get(name, np.float64)) for name in (*kinds, "value")})
            for tree in stored["trees"]
        ]
        return cls(stored["loss"], float(stored["start"]), tuple(trees))


def _tree(nodes: npt.NDArray[Any]) -> _Tree:
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, 0, nodes[side]).astype(np.int64) for side in ("left", "right"))
    threshold = np.where(leaf, 0.0, nodes["num_threshold"])
    # An infinite threshold sends every known number to the left; JSON has no infinity.
    threshold = np.nan_to_num(threshold, posinf=np.finfo(np.float64).max)
    feature = np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64)
    return _Tree(
        feature,
        threshold,
        nodes["missing_go_to_left"].astype(bool),
        left,
        right,
        nodes["value"].astype(np.float64),
    )
