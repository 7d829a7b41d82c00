"""Which numbers does the champion of kind ``potential`` say of each buyer, and how true were they in the past?

A number is not said where its forecast is refused: over the horizon, or over the days of the lifetime value.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation.ecdf import Fractions
from segmentation.kinds.numbers import CHURN, LIFETIME, NEXT_ORDER, PROBABILITY, REVENUE
from segmentation.kinds.potential import Potential
from segmentation.models import horizon_backtest, next_order
from segmentation.models.buyer_features import Buying
from segmentation.models.clv_model import ClvModel, Forecast, predict
from segmentation.models.forecast_error import ForecastError

if TYPE_CHECKING:
    from segmentation.point_in_time import Past

SOME = 20_000  # buyers by whom the error of a lifetime value is judged
QUARTER, YEAR = 91, 365.25  # days: money of a quarter is discounted as of its middle


def of_buyers(
    kind: Potential,
    champion: ClvModel,
    forecast: Forecast,
    buyers: Buying,
    fitted: Mapping[str, Any],
    unit: int,
) -> dict[str, Fractions]:
    """What is said of each buyer, by number; NaN: nothing. Money in the currency, of so many minor units each;
    dates in days from today. ``forecast`` over the horizon; ``fitted`` is what ``fit`` gave.
    """
    nothing = np.full(len(buyers), np.nan)
    said = dict.fromkeys(kind.numbers, nothing)
    if champion.models is None or forecast.probability is None or forecast.money is None:
        return said
    error, history, mbg = champion.error(), buyers.history(), champion.models.mbg
    level = 1.0 if error is None else error.times("buyers")
    ways = {
        PROBABILITY: lambda: forecast.probability,
        REVENUE: lambda: forecast.money / unit,
        LIFETIME: lambda: _lifetime(kind, champion, buyers, fitted, nothing) / unit,
        CHURN: lambda: 1 - mbg.alive(history),
        NEXT_ORDER: lambda: next_order.wait(mbg, history, level),
    }
    return {name: np.asarray(ways[name](), np.float64) for name in kind.numbers}


def fit(
    kind: Potential, champion: ClvModel, buyers: Buying, as_of: date, past: Past | None
) -> dict[str, Any]:
    """What a purchase brings on average, and how far off the lifetime value may be; JSON-able."""
    purchase = max(float(buyers.net.sum()) / max(int(buyers.days.sum()), 1), 0.0)
    if champion.models is None or LIFETIME not in kind.numbers:
        return {"purchase": purchase}
    some = buyers.at(slice(None, None, -(-len(buyers) // SOME)))
    now = predict(champion.models, champion.boosted, some, kind.lifetime_days), champion.lean
    error = horizon_backtest.judged(horizon_backtest.Cuts(past, as_of), kind.lifetime_days, now, {})
    return {"purchase": purchase, LIFETIME: error.to_dict()}


def _lifetime(
    kind: Potential, champion: ClvModel, buyers: Buying, fitted: Mapping[str, Any], nothing: Fractions
) -> Fractions:
    """Expected money of the days to come in minor units, quarter by quarter, discounted."""
    stored = fitted.get(LIFETIME)
    error = ForecastError.from_dict(stored) if stored else None
    if error is None or error.refused:
        return nothing
    total, before, ends = (
        np.zeros(len(buyers)),
        np.zeros(len(buyers)),
        [*range(QUARTER, kind.lifetime_days, QUARTER)],
    )
    start = 0
    for end in (*ends, kind.lifetime_days):
        money = champion.forecast(buyers, end, error).money
        assert money is not None
        total += (money - before) * (1 + kind.discount_rate) ** -((start + end) / 2 / YEAR)
        before, start = money, end
    return np.maximum(total, 0.0)
