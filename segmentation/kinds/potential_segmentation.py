"""How are tiers of potential learned and given? (kind ``potential``)

The champion score of ``segmentation.models.clv_model`` is cut among the buyers of the fit. Equal scores share a
tier; more than ``high_share`` of equal ones stand where they stand among the others
(``segmentation.ecdf.fair_cuts``).

Reasons tell expected money and purchases within the horizon: the 90th percentile of the days between
purchases, or ``horizon_days``. The score is the mid-rank percentile. Cuts are frozen at the fit, and a record
moves as ``segmentation.hysteresis`` says. Not for few customers, nor where purchases are few contracts: the
model then says so, ranks by RFM or spending, and predicts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from segmentation import model_file, reason_text
from segmentation.ecdf import EmpiricalCdf, Fractions, Integers, fair_cuts
from segmentation.hysteresis import Circumstances, settle
from segmentation.kinds import potential_numbers
from segmentation.kinds.base import PROSPECT, Account
from segmentation.kinds.labelling import Given, LabellingKind, Start
from segmentation.kinds.number_values import Forecasts, given, place_of
from segmentation.kinds.potential import Potential
from segmentation.models import buyer_features, model_selection
from segmentation.models.buyer_features import Buying
from segmentation.models.clv_model import ClvModel, Forecast

if TYPE_CHECKING:
    import ibis

    from segmentation.point_in_time import Past

TIERS = ("low", "medium", "high")  # by level
_STEPS = 1e6  # of a logarithm: an axis holds whole numbers


@dataclass(frozen=True)
class _Seen:
    """The buyers among the records, and how many records there are."""

    buyers: Buying
    count: int


class PotentialSegmentation(LabellingKind[Potential, _Seen]):
    """Tiers of what buyers will bring."""

    needs = buyer_features.NEEDS

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """The features that it is about."""
        return facts.select(*buyer_features.COLUMNS)

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> model_file.Model:
        """The champion on the past, and the cuts of its score. ValueError: a wrong frame."""
        buyers = Buying.of(features, as_of)
        horizon = self.kind.horizon_days or buyer_features.horizon(features)
        champion = model_selection.fit(buyers, as_of, horizon, past)
        forecast = champion.forecast(buyers)
        steps = _steps(forecast.score)
        axes = {"score": EmpiricalCdf.fit(steps, self._cuts(steps))} if len(steps) else {}
        figures: dict[str, Any] = {
            "winner": champion.winner,
            "horizon": horizon,
            "lean": dict(champion.lean),
            **champion.figures,
        }
        if champion.errors:
            figures["forecasts"] = [error.summary() for error in champion.errors.values()]
            if reason := champion.errors[horizon].refused:
                figures["refused"] = reason
        figures["tiers"] = _tiers(axes, steps, forecast)
        made = model_file.model(
            self.kind.name,
            as_of,
            self._frozen,
            {"records": len(features), "buyers": len(buyers)},
            axes,
            figures,
        )
        return {**made, "learned": champion.to_dict()}

    def _given(self, seen: _Seen, start: Start) -> Given:
        axes, before = start.axes, start.before
        buyers, count = seen.buyers, seen.count
        level, pending = np.zeros(count, np.int64), np.zeros(count, np.int64)
        rank, reasons = np.zeros(count), _Reasons(self.account, count)
        tier = np.zeros(count, np.int64)
        numbers: dict[str, pa.Array] = {name: pa.nulls(count, pa.string()) for name in self.kind.numbers}
        if len(buyers):
            champion, row = ClvModel.from_dict(start.model["learned"]), buyers.row
            forecast = champion.forecast(buyers)
            level[row], pending[row] = was, waiting = (
                before.memory("tier")[row],
                before.memory("tier_pending")[row],
            )
            if axes:
                steps = _steps(forecast.score)
                level[row], pending[row] = settle(
                    axes["score"], steps, was, waiting, self.kind.dead_band, Circumstances.none(len(row))
                )
                rank[row] = axes["score"].midrank(steps)
            tier[row] = np.maximum(level[row], 1)
            reasons = _Reasons.of(self.account, count, row, champion, forecast, rank)
            numbers = self._numbers(seen, start, champion, forecast)
        memory = {"tier": level, "tier_pending": pending}
        return Given((PROSPECT, *TIERS), tier, rank, reasons.words, memory, numbers)

    def _numbers(
        self, seen: _Seen, start: Start, champion: ClvModel, forecast: Forecast
    ) -> dict[str, pa.Array]:
        buyers, before = seen.buyers, start.before
        fitted, unit = start.model.get("values", {}), 10**self.account.exponent
        said = potential_numbers.of_buyers(self.kind, champion, forecast, buyers, fitted, unit)
        columns = {name: place_of(buyers.row, seen.count, values) for name, values in said.items()}
        bought = np.zeros(seen.count, np.bool_)
        if before.as_of is not None:
            bought[buyers.row] = buyers.last > np.datetime64(before.as_of, "D")
        forecasts = Forecasts(columns, bought, float(fitted.get("purchase", 0)) / unit)
        return given(forecasts, before, np.datetime64(start.as_of, "D"), self.account.exponent)

    def fit_values(
        self, features: pd.DataFrame, model: Mapping[str, Any], as_of: date, past: Past | None
    ) -> dict[str, Any]:
        """How far off the numbers may be that have a horizon of their own."""
        champion, buyers = ClvModel.from_dict(model["learned"]), Buying.of(features, as_of)
        return potential_numbers.fit(self.kind, champion, buyers, as_of, past)

    def _seen(self, features: pd.DataFrame, as_of: date) -> _Seen:
        return _Seen(Buying.of(features, as_of), len(features))

    @property
    def _frozen(self) -> dict[str, Any]:
        return {
            "horizon_days": self.kind.horizon_days,
            "high_share": self.kind.high_share,
            "medium_share": self.kind.medium_share,
        }

    def _cuts(self, steps: Integers) -> list[int]:
        """Greatest scores of ``low`` and of ``medium``; a tie that is wider than ``high`` stands where it
        stands among the others.
        """
        borders = [1 - self.kind.medium_share, 1 - self.kind.high_share]
        cuts = [int(cut) for cut in np.quantile(steps, borders, method="lower")]
        return fair_cuts(steps, cuts, borders, self.kind.high_share)


@dataclass(frozen=True)
class _Reasons:
    """``410.00 EUR expected in 125 days (2.1 purchases), more than of 93% of the buyers``."""

    account: Account
    count: int
    place: Integers | None = None  # of each record among the buyers, -1: none
    winner: str = ""
    horizon: int = 0
    forecast: Forecast | None = None
    rank: Fractions | None = None
    refused: bool = False  # for how far off forecasts were

    @classmethod
    def of(
        cls,
        account: Account,
        count: int,
        row: Integers,
        champion: ClvModel,
        forecast: Forecast,
        rank: Fractions,
    ) -> _Reasons:
        positions = np.full(count, -1)
        positions[row] = np.arange(len(row))
        error = champion.error()
        own = (account, count, positions, champion.winner, champion.horizon, forecast, rank)
        return cls(*own, error is not None and bool(error.refused))

    def words(self, rows: Integers) -> pa.Array:
        if self.forecast is None or self.place is None or self.rank is None or not len(self.forecast.score):
            return pa.array(["no purchase yet"] * len(rows), pa.string())
        at = np.maximum(self.place[rows], 0)
        share = reason_text.number((100 * self.rank[rows]).astype(np.int64))
        if self.forecast.money is None or self.forecast.purchases is None:
            why = "forecasts were too far off" if self.refused else "too little data for a forecast"
            summary = reason_text.reasons(why, "; by ", self.winner, " above ", share, "% of the buyers")
        else:
            tenths = np.round(10 * self.forecast.purchases[at]).astype(np.int64)
            money = np.clip(self.forecast.money[at], -1e15, 1e15).round().astype(np.int64)
            summary = reason_text.reasons(
                *(
                    reason_text.money(money, self.account.currency, self.account.exponent),
                    f" expected in {self.horizon} days (",
                ),
                *(
                    reason_text.number(tenths // 10),
                    ".",
                    reason_text.number(tenths % 10),
                    " purchases); score above ",
                    share,
                    "% of the buyers",
                ),
            )
        return pc.if_else(pa.array(self.place[rows] >= 0), summary, "no purchase yet")


def _steps(score: Fractions) -> Integers:
    """Scores as whole numbers in the same order."""
    return np.round(_STEPS * np.log(np.maximum(score, 1e-12))).astype(np.int64)


def _tiers(axes: Mapping[str, EmpiricalCdf], steps: Integers, forecast: Forecast) -> dict[str, Any]:
    """Buyers of each tier, and the money that is expected of them."""
    if not axes:
        return {}
    level = axes["score"].level(steps)
    money = forecast.money if forecast.money is not None else np.zeros(len(steps))
    tiers = enumerate(TIERS, start=1)
    return {
        tier: {"buyers": int((level == n).sum()), "money": round(float(money[level == n].sum()))}
        for n, tier in tiers
    }
