"""When will a customer order next? The day by which it has ordered as likely as not: the median of the wait.

A purchase model says how likely an order is within any span. Who has probably left never reaches a half, and so
has no such day; nor has who would reach it later than ``LONGEST``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from segmentation.ecdf import Fractions
from segmentation.models.bg_nbd import History, Purchasing
from segmentation.models.forecast_error import scaled

LONGEST = 730.0  # days ahead; farther than that nothing was ever judged
WEEK = 7.0
_HALVINGS = 20


def wait(model: Purchasing, history: History, level: float = 1.0) -> Fractions:
    """Median days to the next order of each customer, orders coming ``level`` times as often as the model says;
    NaN: none. ``history`` in weeks.
    """
    return median(lambda days: scaled(model.purchase(history, days / WEEK), level), len(history))


def median(chance: Callable[[Fractions], Fractions], count: int) -> Fractions:
    """Days at which ``chance``, which rises with them, is a half; NaN where it is not by ``LONGEST``."""
    low, high = np.zeros(count), np.full(count, LONGEST)
    reached = chance(high) >= 0.5
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        enough = chance(middle) >= 0.5
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(reached, np.maximum(high, 1.0), np.nan)
