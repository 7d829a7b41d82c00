"""Which numbers does the purchase model of kind ``lifecycle`` say of each record, and how true were they in the past?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from segmentation.ecdf import Flags, Fractions, Integers
from segmentation.kinds.lifecycle import Lifecycle
from segmentation.kinds.numbers import CHURN, NEXT_ORDER, PROBABILITY, refused_dates
from segmentation.models import bg_nbd, next_order, number_backtest
from segmentation.models.bg_nbd import History, Purchasing
from segmentation.models.optimizer import TooLittle

if TYPE_CHECKING:
    from segmentation.point_in_time import Past

SOME = 20_000  # records by whom the past is judged
Buyers = Callable[[pd.DataFrame, date], tuple[History, Integers]]  # of a frame as of a day, and their rows


def of_records(
    kind: Lifecycle,
    model: Purchasing | None,
    history: History,
    buyer: Flags,
    probability: Fractions,
    fitted: Mapping[str, Any],
) -> dict[str, Fractions]:
    """What is said of each record, by number; NaN: nothing. Dates in days from today. ``model`` None: stages go by
    silence alone, which says no number.
    """
    nothing: Fractions = np.full(len(buyer), np.nan)
    if model is None:
        return dict.fromkeys(kind.numbers, nothing)
    no_dates = refused_dates(fitted.get("judged", {}).get(NEXT_ORDER, {}))
    ways: Mapping[str, Callable[[], Fractions]] = {
        PROBABILITY: lambda: probability,
        CHURN: lambda: 1 - model.alive(history),
        NEXT_ORDER: lambda: nothing if no_dates else next_order.wait(model, history),
    }
    return {name: np.where(buyer, ways[name](), np.nan) for name in kind.numbers}


def fit(kind: Lifecycle, buyers: Buyers, as_of: date, past: Past | None) -> dict[str, Any]:
    """How true dates and chances to have left were; JSON-able."""
    if past is None:
        return {}
    some = past.few(SOME)
    for day, days in number_backtest.judged_days(some, as_of):
        history, row = buyers(some.features(day), day)
        try:
            model = bg_nbd.fit(history, "mbg")
        except TooLittle:
            continue
        return {"judged": number_backtest.of_buyers(kind.numbers, model, history, row, some, day, days)}
    return {}
