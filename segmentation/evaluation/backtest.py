"""What would a segmentation have said on a day that lies back, and what came after it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from segmentation import frames
from segmentation.ecdf import Fractions

if TYPE_CHECKING:
    from segmentation.point_in_time import Past
    from segmentation.protocol import Segmentation


@dataclass(frozen=True)
class Backtest:
    """Labels as of a day that lies back, and what came in the ``days`` after it, row by row.

    ``simple``: scores to beat.
    """

    labels: pd.DataFrame
    outcomes: pd.DataFrame
    days: int
    simple: Mapping[str, Fractions]

    @property
    def revenue(self) -> Fractions:
        """Of the days after, not below zero."""
        revenue: Fractions = np.maximum(self.outcomes["net_revenue"].to_numpy(np.float64), 0)
        return revenue

    @property
    def bought(self) -> Fractions:
        """1 where the record bought in the days after."""
        return (self.outcomes["orders"].to_numpy(np.int64) > 0).astype(np.float64)

    @property
    def score(self) -> Fractions:
        """The segmentation's own; who has none comes last."""
        score = numbers(self.labels["score"])
        finite: Fractions = np.where(np.isfinite(score), score, -1.0)
        return finite


def run_backtest(segmentation: Segmentation, past: Past, day: date, days: int) -> Backtest:
    """Fit and label as of ``day`` with what was known then, and look at the ``days`` after.

    ValueError: they are not over yet.
    """
    features = past.features(day)
    model = segmentation.fit(features, day, past.until(day))
    labels = segmentation.label(features, model, None, None, day)
    outcomes = past.outcomes(day, days).set_index("record").reindex(labels["record"]).fillna(0).reset_index()
    return Backtest(labels, outcomes, days, _simple(features, labels["record"]))


def _simple(features: pd.DataFrame, record: pd.Series) -> dict[str, Fractions]:
    """Recency, frequency and money where the features hold them."""
    rows = features.set_index("record").reindex(record)
    scores: dict[str, Any] = {}
    if "last_purchase" in rows:
        last = frames.as_days(rows["last_purchase"])
        scores["recency"] = np.where(np.isnat(last), -1.0, last.astype("int64")).astype(np.float64)
    for name, column in (("frequency", "purchase_days"), ("money", "net_revenue")):
        held_columns = sorted(c for c in rows.columns if str(c) == column or str(c).startswith(column + "_"))
        if held_columns:
            amounts = numbers(rows[held_columns[0]])
            scores[name] = np.where(np.isfinite(amounts), amounts, 0.0)
    return scores


def numbers(series: pd.Series) -> Fractions:
    """A column of any type as floats; NaN where it is none."""
    column: Any = (
        pd.to_numeric(series, errors="coerce").astype("float64").to_numpy(np.float64, na_value=np.nan)
    )
    floats: Fractions = column
    return floats
