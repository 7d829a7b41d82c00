"""How many purchases and how much money will each segment bring in the coming periods, and how far off may
that be?

Of each period: expected purchases and money of the segment's buyers by the champion's forecasts, and an
interval meant for 95%. It holds the chance of single customers (expected purchases are taken to spread like a
negative binomial, and money with them) and the error of the model as a whole, as its back-test over all the periods
together found it (``segmentation.models.forecast_error``). A model of before has one back-test: its error holds to
both sides, at least ``LEAST``, and grows with the root of the distance in time, once that is longer than the days of
the back-test. New customers are not in it: only who has bought before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from segmentation.ecdf import Fractions
from segmentation.models.buyer_features import Buying
from segmentation.models.clv_model import ClvModel, Forecast
from segmentation.models.forecast_error import ForecastError

LEAST = 0.1  # of a sum: one back-test proves no forecast better
WIDE = 1.959964  # standard deviations that hold 95%
COLUMNS = ("segment", "period", "start", "end", "buyers")
FIGURES = ("purchases", "purchases_low", "purchases_high", "money", "money_low", "money_high")


def outlook(
    features: pd.DataFrame,
    model: Mapping[str, Any],
    segments: pd.Series[Any],
    as_of: date,
    days: int = 30,
    periods: int = 3,
) -> pd.DataFrame:
    """One row per segment and period: COLUMNS and FIGURES, money in minor units; and ``all`` for the sum of
    all segments.

    ``features`` as kind ``potential`` reads them, ``model`` of that kind, ``segments`` by record (any
    segmentation's). Empty where the model predicts nothing. ValueError: a wrong frame, days or periods below
    1.
    """
    if days < 1 or periods < 1:
        raise ValueError(f"an outlook needs a day and a period or more, not {days} and {periods}")
    buyers, champion = Buying.of(features, as_of), ClvModel.from_dict(model["learned"])
    error = champion.error(days * periods)
    labels = segments.reindex(buyers.record).fillna("unscored").astype(str).to_numpy()
    names = sorted(set(labels.tolist()))
    rows: list[dict[str, Any]] = []
    before: Forecast | None = None
    for period in range(1, periods + 1):
        until = champion.forecast(buyers, period * days, error)
        if until.purchases is None or until.money is None:
            break
        purchases, money = until.purchases, until.money
        if before is not None and before.purchases is not None and before.money is not None:
            purchases, money = (
                np.maximum(purchases - before.purchases, 0.0),
                np.maximum(money - before.money, 0.0),
            )
        before = until
        span = {
            "period": period,
            "start": as_of + timedelta(days=(period - 1) * days + 1),
            "end": as_of + timedelta(days=period * days),
        }
        for name in [*names, "all"]:
            inside = labels == name if name != "all" else np.ones(len(labels), np.bool_)
            off = _off(error, model["figures"], period * days)
            interval = _interval(purchases[inside], money[inside], off)
            rows.append({"segment": name, **span, "buyers": int(inside.sum()), **interval})
    return pd.DataFrame(rows, columns=[*COLUMNS, *FIGURES])


def error_in_words(model: Mapping[str, Any], days: int) -> str:
    """How far off forecasts over so many days were in the back-test; "" where nobody knows."""
    if error := ClvModel.from_dict(model["learned"]).error(days):
        return error.words
    figures = model["figures"]
    if "bias_purchases" not in figures or "bias_money" not in figures:
        return ""
    off = f"purchases by {figures['bias_purchases']:+.1%} and revenue by {figures['bias_money']:+.1%}"
    return f"In the back-test forecasts were off: {off}."


def _off(
    error: ForecastError | None, figures: Mapping[str, Any], ahead: int
) -> dict[str, tuple[float, float]]:
    """Shares of a sum between which what comes lies, for the error of the model as a whole."""
    if error is not None:
        return {name: error.interval(name) for name in ("purchases", "money")}
    farther = float(np.sqrt(max(1.0, ahead / (figures.get("span") or ahead))))
    ends = {}
    for name in ("purchases", "money"):
        off = min(max(abs(float(figures.get(f"bias_{name}", 0.0))), LEAST) * farther, 0.9)
        ends[name] = (1 / (1 + off), 1 / (1 - off))
    return ends


def _interval(
    purchases: Fractions, money: Fractions, off: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """Sums and where they lie with 95%."""
    each = np.divide(money, purchases, out=np.zeros_like(money), where=purchases > 0)
    chance = purchases * (1 + purchases)  # a negative binomial of shape 1: as uneven as customers are
    intervals: dict[str, float] = {}
    for name, values, variance in (("purchases", purchases, chance), ("money", money, chance * each**2 * 2)):
        total, spread = float(values.sum()), WIDE * float(np.sqrt(variance.sum()))
        low, high = off[name]
        intervals[name] = round(total, 3)
        intervals[f"{name}_low"] = round(max(0.0, total * low - spread), 3)
        intervals[f"{name}_high"] = round(total * high + spread, 3)
    return intervals
