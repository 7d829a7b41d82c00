"""How true were dates of the next order, and chances to have left, that models of an earlier day told?

They are judged on the later half of the history, at most a year, or on its last fourth: a purchase model that knew what
was known then, and who ordered since. Spans of days are asked for, never single days, so that a date is judged as the
nearest of ``SPANS``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation.ecdf import Flags, Integers
from segmentation.evaluation import metrics
from segmentation.models import next_order
from segmentation.models.bg_nbd import History, Purchasing

if TYPE_CHECKING:
    from segmentation.point_in_time import Past

SPANS = (7, 10, 15, 23, 34, 51, 76, 114, 171, 256)  # days, each half as long again as the one before
SHORTEST, LONGEST = 28, 365  # days that anything is judged on
FEWEST = 30  # customers of whom something is said
WEEK = 7.0


def next_orders(
    model: Purchasing, history: History, row: Integers, past: Past, day: date, days: int
) -> dict[str, Any]:
    """Of the dates of buyers, who stand at ``row`` of the past's records: how many had ordered by theirs, and how many
    within about half the wait around it. JSON-able.
    """
    wait = next_order.wait(model, history)
    within = {span: _ordered(past, day, span, row) for span in SPANS if span <= days}
    spans = np.array(list(within))
    place = np.full(len(wait), -1)
    given = ~np.isnan(wait)
    nearest = np.abs(np.log(np.maximum(wait[given], 1.0)[:, None] / spans[None, :])).argmin(axis=1)
    place[given] = nearest
    # the span after the nearest must be over, to tell who ordered in time
    judged = given & (place < len(spans) - 1) & (wait <= spans[-2] * 1.2)
    if int(judged.sum()) < FEWEST:
        return {"day": day.isoformat(), "dates": int(judged.sum())}
    table = np.vstack([np.zeros(len(wait), np.bool_), np.zeros(len(wait), np.bool_), *within.values()])
    column = np.flatnonzero(judged)
    by = table[place[judged] + 2, column]
    near = table[place[judged] + 3, column] & ~table[place[judged], column]
    return {
        "day": day.isoformat(),
        "dates": int(judged.sum()),
        "by": round(float(by.mean()), 4),
        "near": round(float(near.mean()), 4),
    }


def churn(
    model: Purchasing, history: History, row: Integers, past: Past, day: date, days: int
) -> dict[str, Any]:
    """Of buyers: how many of those who had more likely left than not ordered nothing since, and of the others; and the
    calibration of the chance to order, which rests on the same.
    """
    left, ordered = 1 - model.alive(history) >= 0.5, _ordered(past, day, days, row)
    chance = model.purchase(history, days / WEEK)
    shares = {name: _share(~ordered[who]) for name, who in (("left", left), ("stayed", ~left))}
    ece = metrics.calibration_error(chance, ordered.astype(np.float64))
    return {"day": day.isoformat(), "days": days, "ece": round(float(ece), 4), "silent": shares}


def _share(values: Flags) -> float | None:
    return round(float(values.mean()), 4) if len(values) >= FEWEST else None


def _ordered(past: Past, day: date, days: int, row: Integers) -> Flags:
    """Who of the buyers ordered within so many days after a day."""
    ordered: Flags = past.outcomes(day, days)["purchase_days"].to_numpy(np.float64)[row] > 0
    return ordered


def of_buyers(
    numbers: Iterable[str],
    model: Purchasing,
    history: History,
    row: Integers,
    past: Past,
    day: date,
    days: int,
) -> dict[str, Any]:
    """The back-tests of those of the numbers that have one here, by number."""
    tests = {"next_order_date": next_orders, "churn_probability": churn}
    return {name: tests[name](model, history, row, past, day, days) for name in numbers if name in tests}


def judged_days(past: Past, as_of: date) -> list[tuple[date, int]]:
    """Days that may be judged, the best first, each with the days since: half of the history back, or a fourth where
    too few customers were known then.
    """
    known = (as_of - past.first).days if past.first is not None else 0
    ago = [min(known // part, LONGEST) for part in (2, 4)]
    return [(as_of - timedelta(days=days), days) for days in ago if days >= SHORTEST]
