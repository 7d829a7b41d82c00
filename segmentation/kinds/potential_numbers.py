"""Which numbers does the champion of kind ``potential`` say of each buyer, and how true were they in the past?

A number is not said where its forecast is refused: over the horizon, or over the days of the lifetime value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation.ecdf import Fractions
from segmentation.kinds.numbers import CHURN, LIFETIME, NEXT_ORDER, PROBABILITY, REVENUE, refused_dates
from segmentation.kinds.potential import Potential
from segmentation.models import horizon_backtest, next_order, number_backtest
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
    nothing: Fractions = np.full(len(buyers), np.nan)
    probability, money = forecast.probability, forecast.money
    if champion.models is None or probability is None or money is None:
        return dict.fromkeys(kind.numbers, nothing)
    error, history, mbg = champion.error(), buyers.history(), champion.models.mbg
    level = 1.0 if error is None else error.times("buyers")
    no_dates = refused_dates(fitted.get("judged", {}).get(NEXT_ORDER, {}))
    ways: Mapping[str, Callable[[], Fractions]] = {
        PROBABILITY: lambda: probability,
        REVENUE: lambda: money / unit,
        LIFETIME: lambda: _lifetime(kind, champion, buyers, fitted, nothing) / unit,
        CHURN: lambda: 1 - mbg.alive(history),
        NEXT_ORDER: lambda: nothing if no_dates else next_order.wait(mbg, history, level),
    }
    return {name: ways[name]() for name in kind.numbers}


def fit(
    kind: Potential, champion: ClvModel, buyers: Buying, as_of: date, past: Past | None
) -> dict[str, Any]:
    """What a purchase brings on average, how far off the lifetime value may be, and how true dates and chances to have
    left were in the past; JSON-able.
    """
    purchase = max(float(buyers.net.sum()) / max(int(buyers.days.sum()), 1), 0.0)
    cuts, judged = horizon_backtest.Cuts(past, as_of), dict[str, Any]()
    days = number_backtest.judged_days(cuts.past, as_of) if cuts.past is not None and champion.models else []
    then = next((day for day in days if cuts.at(day[1]) is not None), None)
    earlier = cuts.at(then[1]) if then is not None else None
    if then is not None and earlier is not None and cuts.past is not None:
        buying, models = earlier
        own = (models.mbg, buying.history(), buying.row, cuts.past, *then)
        judged = number_backtest.of_buyers(kind.numbers, *own)
    fitted = {"purchase": purchase, "judged": judged}
    if champion.models is None or LIFETIME not in kind.numbers:
        return fitted
    some = buyers.at(slice(None, None, -(-len(buyers) // SOME)))
    now = predict(champion.models, champion.boosted, some, kind.lifetime_days), champion.lean
    error = horizon_backtest.judged(cuts, kind.lifetime_days, now, {})
    return {**fitted, LIFETIME: error.to_dict()}


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
