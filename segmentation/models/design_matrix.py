"""What does a model of kind ``response`` see of a record?

Its traits as numbers, its habits, and which of the traits spoke.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from segmentation.ecdf import Fractions, Integers
from segmentation.models.category_features import Habits
from segmentation.models.classifier import Forecast
from segmentation.models.encoder import Encoder, Matrix

BASKETS = "baskets"  # the column that habits are of
CHUNK = 100_000


@dataclass(frozen=True)
class Points:
    """How records become points: traits first, then habits, where there are any."""

    encoder: Encoder
    habits: Habits | None = None

    @property
    def width(self) -> int:
        """Number of columns that are habits."""
        return 1 + len(self.habits.names) if self.habits else 0

    def without_habits(self) -> Points:
        """The traits alone."""
        return replace(self, habits=None)

    def matrix(self, frame: pd.DataFrame, as_of: date) -> Matrix:
        """(records, columns)."""
        points = self.encoder.matrix(frame, as_of)
        return np.hstack([points, self.habits.matrix(frame[BASKETS])]) if self.habits else points

    def predicted(self, forecast: Forecast, frame: pd.DataFrame, as_of: date) -> Fractions:
        """Probabilities, in bounded memory."""
        return np.concatenate(
            [np.zeros(0), *(forecast.predict(self.matrix(part, as_of)) for part in _parts(frame))]
        )

    def because(self, forecast: Forecast, frame: pd.DataFrame, as_of: date, against: Integers) -> pa.Array:
        """The trait that speaks most for (where ``against`` is 1: against) the event; null where the learner
        does not add up traits.

        A habit is never told.
        """
        if forecast.weights is None:
            return pa.nulls(len(frame), pa.string())
        words = []
        for trait, level in self.encoder.names():
            words += [
                f": {trait.name} {level}" if level else f": {trait.low}",
                f": {trait.name} {level}" if level else f": {trait.high}",
            ]
        places, begun = [np.zeros(0, np.int64)], 0
        for part in _parts(frame):
            points = self.encoder.matrix(part, as_of)
            sides = np.where(against[begun : begun + len(part), None] == 1, -1, 1)
            best = (points * forecast.weights[: points.shape[1]] * sides).argmax(1)
            places.append(2 * best + (points[np.arange(len(best)), best] > 0))
            begun += len(part)
        return pa.array(words, pa.string()).take(pa.array(np.concatenate(places).astype(np.int64)))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"encoder": self.encoder.to_dict(), "habits": self.habits.to_dict() if self.habits else None}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Points:
        """What ``to_dict`` gave."""
        habits = stored.get("habits")
        return cls(Encoder.from_dict(stored["encoder"]), Habits.from_dict(habits) if habits else None)


def _parts(frame: pd.DataFrame) -> list[pd.DataFrame]:
    return [frame.iloc[start : start + CHUNK] for start in range(0, len(frame), CHUNK)]
