"""Who buys on many days? A kind of segmentation in one module, as CONTRIBUTING says. (kind ``regulars``)"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field

from segmentation import frames, model_file, reason_text
from segmentation.evaluation.judgement import Judgement, Line
from segmentation.feature_request import Needs
from segmentation.frames import Segment
from segmentation.kinds.base import Kind, Suggestion
from segmentation.kinds.labelling import Given, LabellingKind, Start

if TYPE_CHECKING:
    import ibis

    from segmentation.evaluation.backtest import Backtest
    from segmentation.point_in_time import Past

Days = np.ndarray[Any, np.dtype[np.int64]]  # purchase days, record by record


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


class RegularsSegmentation(LabellingKind[Regulars, Days]):
    """Learns how many regulars there are, and labels by purchase days."""

    needs = Needs()

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """The features that it is about."""
        return facts.select("record", "purchase_days")

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> model_file.Model:
        """The share of the regulars. ValueError: a wrong frame."""
        regular = self._seen(features, as_of) >= self.kind.days
        figures = {"share": round(float(regular.mean()), 4) if len(regular) else 0.0}
        return model_file.model(self.kind.name, as_of, self._frozen, {"records": len(regular)}, {}, figures)

    def _given(self, seen: Days, start: Start) -> Given:
        def reasons(rows: Days) -> pa.Array:
            return reason_text.counted(seen[rows], "purchase day", "purchase days")

        codes = np.where(seen >= self.kind.days, 0, 1)
        score = seen / max(1, seen.max(initial=1))
        return Given(self.kind.keys(), codes, score, reasons, {})

    @property
    def _frozen(self) -> dict[str, Any]:
        return {"days": self.kind.days}

    def _seen(self, features: pd.DataFrame, as_of: date) -> Days:
        frames.check_features(features, ("purchase_days",), (), as_of)
        return features["purchase_days"].to_numpy(np.int64)
