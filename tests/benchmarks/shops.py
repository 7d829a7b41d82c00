"""Businesses made up to be unlike each other, for figures that must hold on any: who buys how often, how
regularly, for how long?

Each customer joins on a day, buys at gaps drawn from a gamma law around a rhythm of its own, and leaves after
any purchase with a chance of its own; seasons thin the purchases out. Everything is drawn with a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks.trades import Business

START, DAYS = date(2022, 1, 3), 1000
FIRST = 800  # the day of the first labelling: what comes after is for the weeks


@dataclass(frozen=True)
class Habits:
    """Of one customer each: the day it joins, its rhythm in days, the chance to leave after a purchase, what
    it pays.
    """

    joined: np.ndarray
    rhythm: np.ndarray
    leaving: np.ndarray
    paid: np.ndarray
    regular: float = 1.0  # shape of the gaps: 1 at random, greater like clockwork
    spread: float = 0.5  # of single amounts
    season: Callable[[np.ndarray], np.ndarray] | None = None  # chance that a purchase on a day comes about
    returned: float = 0.0  # share of purchases that are taken back


def play(habits: Habits, seed: int) -> Business:
    """All purchases and refunds of ``DAYS`` days."""
    rng = np.random.default_rng(seed)
    who, when = np.arange(len(habits.joined)), habits.joined.astype(float)
    customers, days = [], []
    while len(who):
        customers.append(who)
        days.append(when.astype(int))
        stays = rng.random(len(who)) >= habits.leaving[who]
        who, when = who[stays], when[stays]
        when = when + np.maximum(1, rng.gamma(habits.regular, habits.rhythm[who] / habits.regular))
        who, when = who[when < DAYS], when[when < DAYS]
    customer, day = np.concatenate(customers), np.concatenate(days)
    if habits.season is not None:
        bought = (rng.random(len(day)) < habits.season(day)) | (day == habits.joined[customer])
        customer, day = customer[bought], day[bought]
    amount = habits.paid[customer] * rng.lognormal(0, habits.spread, len(day))
    rows = pd.DataFrame(
        {"customer": customer.astype(str), "day": pd.Timestamp(START) + pd.to_timedelta(day, unit="D")}
    )
    rows = rows.assign(
        amount=np.round(np.maximum(amount, 0.01), 2), kind="purchase", order=np.arange(len(rows))
    )
    back = rows[rng.random(len(rows)) < habits.returned]
    back = back.assign(
        day=back["day"] + pd.to_timedelta(rng.integers(2, 30, len(back)), unit="D"),
        amount=-back["amount"],
        kind="refund",
    )
    rows = pd.concat([rows, back], ignore_index=True)
    return Business(rows, (pd.Timestamp(START) + pd.Timedelta(days=FIRST)).date(), 90)


def sparse() -> Business:
    """Furniture: most buy once, the others every two years."""
    n, rng = 12_000, np.random.default_rng(11)
    return play(
        Habits(rng.integers(0, 900, n), rng.gamma(2, 180, n), rng.beta(3, 2, n), rng.lognormal(5, 0.8, n)), 11
    )


def dense() -> Business:
    """A canteen: nearly everybody comes several times a week."""
    n, rng = 1_500, np.random.default_rng(12)
    return play(
        Habits(
            rng.integers(0, 700, n), rng.gamma(2, 1.5, n) + 1, rng.beta(1, 400, n), rng.lognormal(2, 0.3, n)
        ),
        12,
    )


def seasonal() -> Business:
    """A garden shop: ten times as much in May as in December."""
    n, rng = 5_000, np.random.default_rng(13)
    habits = Habits(
        rng.integers(0, 800, n), rng.gamma(1.5, 15, n) + 3, rng.beta(1, 20, n), rng.lognormal(3, 0.7, n)
    )
    return play(
        Habits(**{**vars(habits), "season": lambda day: 0.55 - 0.45 * np.cos(2 * np.pi * (day + 30) / 365)}),
        13,
    )


def growing() -> Business:
    """A young shop: half of its customers came in the last 200 days."""
    n, rng = 9_000, np.random.default_rng(14)
    joined = (DAYS * rng.random(n) ** 0.35).astype(int)
    return play(Habits(joined, rng.gamma(1, 40, n) + 2, rng.beta(1, 4, n), rng.lognormal(3.5, 0.6, n)), 14)


def subscribers() -> Business:
    """Boxes each month like clockwork, until notice is given."""
    n, rng = 4_000, np.random.default_rng(15)
    rhythm = rng.choice([7.0, 14.0, 30.0], n, p=[0.2, 0.3, 0.5])
    return play(
        Habits(
            rng.integers(0, 900, n),
            rhythm,
            rng.beta(1, 14, n),
            rng.choice([19.0, 29.0, 49.0], n),
            200.0,
            0.01,
        ),
        15,
    )


def cohort() -> Business:
    """Nobody new after the first quarter."""
    n, rng = 8_000, np.random.default_rng(16)
    return play(
        Habits(rng.integers(0, 90, n), rng.gamma(1, 90, n) + 5, rng.beta(1, 6, n), rng.lognormal(3, 0.9, n)),
        16,
    )


def whales() -> Business:
    """One in a hundred pays half of it all, at odd times and amounts."""
    n, rng = 6_000, np.random.default_rng(17)
    paid = rng.lognormal(3, 0.5, n) * np.where(rng.random(n) < 0.01, 100, 1)
    return play(
        Habits(rng.integers(0, 900, n), rng.gamma(0.8, 60, n) + 2, rng.beta(1, 8, n), paid, spread=1.4), 17
    )


def returners() -> Business:
    """Clothes by mail: a third comes back within a month."""
    n, rng = 6_000, np.random.default_rng(18)
    habits = Habits(
        rng.integers(0, 900, n), rng.gamma(1, 50, n) + 2, rng.beta(1, 7, n), rng.lognormal(4, 0.6, n)
    )
    return play(Habits(**{**vars(habits), "returned": 0.33}), 18)


def fashion() -> Business:
    """Bursts: silent for a season, then three purchases in two weeks."""
    n, rng = 6_000, np.random.default_rng(19)
    return play(
        Habits(
            rng.integers(0, 900, n),
            rng.gamma(2, 20, n) + 2,
            rng.beta(1, 15, n),
            rng.lognormal(3.6, 0.6, n),
            0.25,
        ),
        19,
    )


SHOPS: dict[str, Callable[[], Business]] = {
    maker.__name__: maker
    for maker in (sparse, dense, seasonal, growing, subscribers, cohort, whales, returners, fashion)
}


def told(business: Business) -> dict[str, Any]:
    """What sort of business it is, in numbers."""
    bought = business.rows[business.rows["kind"] == "purchase"]
    days = bought.groupby("customer")["day"].nunique()
    return {"customers": len(days), "purchases": len(bought), "once": round(float((days == 1).mean()), 2)}
