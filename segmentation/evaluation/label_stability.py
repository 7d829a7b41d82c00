"""How steady are labels, and what does that cost? Consecutive weeks of the past, labelled one after another
under one model.

Promised are at most ``MOVED`` of the records in another segment than the week before, and at most
``RETURNED`` that come back within ``WEEKS`` weeks to a segment that they had left, at any distance. Bands and
confirmations keep it; the price is what labels with a memory predict less than those without. Rank within a
list by the score, which pays nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from segmentation.ecdf import Fractions
from segmentation.evaluation import metrics
from segmentation.evaluation.migration import returns

if TYPE_CHECKING:
    from segmentation.point_in_time import Past
    from segmentation.protocol import Segmentation

WEEKS = 12
MOVED, RETURNED = 0.03, 0.05
SAFETY_FACTOR = 0.8  # of a promise: coming weeks are not quite like those that were looked at
FEW = 20_000  # records that are enough to look at: a share of 3% is then known to a tenth of a percent
FEWEST = 200  # records; the shares of fewer flap by themselves
TOP = 0.2


@dataclass(frozen=True)
class Replay:
    """Labels of consecutive weeks, and of the last one without memory (``raw``)."""

    weeks: Sequence[pd.DataFrame]
    raw: pd.DataFrame

    @property
    def steady(self) -> pd.DataFrame:
        """Labels of the last week, with the memory of those before."""
        return self.weeks[-1]

    @property
    def moved(self) -> float:
        """Share of the records with a segment in two consecutive weeks that have another one: the mean of all
        weeks.
        """
        table = self._table
        both = table.notna() & table.shift(axis=1).notna()
        moves = both & (table != table.shift(axis=1))
        return float(moves.to_numpy().sum() / max(1, both.to_numpy().sum()))

    @property
    def returned(self) -> float:
        """Share of the records that came back to a segment that they had left."""
        return returns([column for _, column in self._table.items()])

    @property
    def meets_target(self) -> bool:
        """Do these weeks hold what is promised of the next ones?"""
        return self.moved <= SAFETY_FACTOR * MOVED and self.returned <= SAFETY_FACTOR * RETURNED

    @property
    def _table(self) -> pd.DataFrame:
        """Segments by record (rows) and week (columns)."""
        columns = [week.set_index("record")["segment"] for week in self.weeks]
        return pd.concat(columns, axis=1, keys=range(len(columns)))


def days(until: date) -> list[date]:
    """``WEEKS`` weeks, both ends included."""
    return [until - timedelta(weeks=WEEKS - week) for week in range(WEEKS + 1)]


def replay(segmentation: Segmentation, model: Mapping[str, Any], past: Past, until: date) -> Replay | None:
    """Label the ``WEEKS`` weeks up to ``until`` one after another, as they were known; None where too few
    records are that old.
    """
    labels: list[pd.DataFrame] = []
    if past.first is None or past.first > days(until)[0] or len(past.features(days(until)[0])) < FEWEST:
        return None
    for day in days(until):
        previous, before = (labels[-1], day - timedelta(weeks=1)) if labels else (None, None)
        labels.append(segmentation.label(past.features(day), model, previous, before, day))
    return Replay(labels, segmentation.label(past.features(until), model, None, None, until))


def least_sensitive(
    kinds: Sequence[Segmentation], model: Mapping[str, Any], past: Past | None, until: date
) -> int:
    """The place of the first of ``kinds``, from the liveliest on, that would have kept the promise; of the
    last where none did.

    The first where there is no past to tell.
    """
    if past is None:
        return 0
    past = past.few(FEW)
    for position, kind in enumerate(kinds):
        replayed = replay(kind, model, past, until)
        if replayed is None:
            return 0
        if replayed.meets_target:
            return position
    return len(kinds) - 1


def cost(replayed: Replay, outcomes: pd.DataFrame, ranked: bool) -> dict[str, float]:
    """What steadiness costs: a measure of the score, of the label without memory (raw), and of the steady
    one.

    ``outcomes`` (``Past.outcomes`` of the last week) tell what came. The measure is the AUC of "buys again",
    or, of segments that are ``ranked`` by value, the share of the revenue in the best fifth, ties shared.
    """
    came = outcomes.set_index("record").reindex(replayed.steady["record"]).fillna(0)
    bought = (came["orders"].to_numpy(np.float64) > 0).astype(np.float64)
    gain = np.maximum(came["net_revenue"].to_numpy(np.float64), 0) if ranked else bought
    scores = {"raw": _rated(replayed.raw, gain), "steady": _rated(replayed.steady, gain)}
    score: Any = (
        pd.to_numeric(replayed.steady["score"]).astype("float64").to_numpy(np.float64, na_value=np.nan)
    )
    scores = {"score": np.where(np.isfinite(score), score, -1.0), **scores}
    figures = {
        name: metrics.capture(rating, gain, TOP) if ranked else metrics.auc(rating, bought)
        for name, rating in scores.items()
    }
    return {name: round(value, 4) for name, value in figures.items() if np.isfinite(value)}


def _rated(labels: pd.DataFrame, gain: npt.NDArray[np.float64]) -> Fractions:
    """Each record's segment as a number: what its records bring on average."""
    mean = pd.Series(gain).groupby(labels["segment"].to_numpy()).mean()
    rated: Any = labels["segment"].map(mean).to_numpy(np.float64)
    return np.asarray(rated, np.float64)
