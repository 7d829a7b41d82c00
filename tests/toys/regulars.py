"""Who buys on many days? A kind of segmentation in one module, as CONTRIBUTING says. (kind ``regulars``)"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field

from segmentation import frames, model_file, previous_labels, reason_text
from segmentation.evaluation.judgement import Judgement, Line
from segmentation.feature_request import Needs
from segmentation.frames import Segment
from segmentation.kinds.base import Kind, KindSegmentation, Suggestion

if TYPE_CHECKING:
    import ibis

    from segmentation.evaluation.backtest import Backtest
    from segmentation.point_in_time import Past


class Regulars(Kind):
    """Regulars, and the others."""

    days: int = Field(3, ge=1, description="purchase days from which a record is a regular")

    name = "regulars"
    segmentation_class = "tests.toys.regulars:RegularsSegmentation"
    suggestion = Suggestion("Regulars", "who buys on many days")
    judgement = Judgement(judged=("lift",), steady=True)

    @property
    def segments(self) -> list[Segment]:
        """The best first."""
        return [Segment("regular", "Regulars"), Segment("seldom", "Seldom", "Fewer purchase days")]

    @property
    def ranked(self) -> tuple[str, ...]:
        return ("regular", "seldom")

    def own_lines(self, backtest: Backtest | None, model: Mapping[str, Any]) -> list[Line]:
        """How many are regulars."""
        share = model["figures"]["share"]
        return [Line("regulars", share, None, f"{share:.0%} were regulars at the fit")]


class RegularsSegmentation(KindSegmentation[Regulars]):
    """Learns how many regulars there are, and labels by purchase days."""

    needs = Needs()

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """The features that it is about."""
        return facts.select("record", "purchase_days")

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> model_file.Model:
        """The share of the regulars. ValueError: a wrong frame."""
        regular = self._days(features, as_of) >= self.kind.days
        figures = {"share": round(float(regular.mean()), 4) if len(regular) else 0.0}
        return model_file.model(self.kind.name, as_of, self._frozen, {"records": len(regular)}, {}, figures)

    def label(
        self,
        features: pd.DataFrame,
        model: Mapping[str, Any],
        previous: pd.DataFrame | None,
        previous_as_of: date | None,
        as_of: date,
    ) -> pd.DataFrame:
        """Labels of every record. ValueError: a wrong frame, or a model of other settings."""
        days = self._days(features, as_of)
        model_file.axes(model, self.kind.name, self._frozen)
        record = features["record"].to_numpy(np.int64)
        before = previous_labels.before(previous, previous_as_of, record, as_of)

        def reasons(rows: np.ndarray[Any, Any]) -> pa.Array:
            return reason_text.counted(days[rows], "purchase day", "purchase days")

        codes = np.where(days >= self.kind.days, 0, 1)
        score = days / max(1, days.max(initial=1))
        return previous_labels.labels(record, self.kind.keys(), codes, score, reasons, before, as_of, {})

    @property
    def _frozen(self) -> dict[str, Any]:
        return {"days": self.kind.days}

    def _days(self, features: pd.DataFrame, as_of: date) -> np.ndarray[Any, np.dtype[np.int64]]:
        frames.check_features(features, ("purchase_days",), (), as_of)
        return features["purchase_days"].to_numpy(np.int64)
