"""Do forecasts hold on businesses of every sort? ``label --as-of DAY --horizon DAYS --out FILE`` against what
came afterwards.

    python -m tests.benchmarks.businesses [--folder DIR] [--only NAME ...]

The businesses are those of ``tests.benchmarks.trades``. Beside the product's score stand the simple ones:
recency, frequency, money, mean rank and sum of fifths of the three, BG/NBD and MBG/NBD times Gamma-Gamma;
beside its forecasts those of a BG/NBD and an MBG/NBD fitted on the same days. A line is printed for each
business, with ``!`` where it does worse than the best simple score less one standard error, or than BG/NBD in
absolute or squared error.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segmentation.ecdf import EmpiricalCdf
from segmentation.evaluation import metrics
from segmentation.models import bg_nbd, gamma_gamma
from segmentation.models.bg_nbd import History
from segmentation.models.optimizer import TooLittle
from tests.benchmarks.trades import BUSINESSES, Business

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


Numbers = np.ndarray[Any, np.dtype[np.float64]]
HEAD = "business      buyers | capture  best simple         se | gini  |   auc plain  brier plain  ece  | MAE bg      RMSE bg     bias"
EXACT = 1.002  # times the error of BG/NBD: what two fits of it differ by


def main() -> int:
    """Exit code 1 where a business falls short."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.businesses", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/businesses"))
    parser.add_argument("--only", nargs="*", choices=BUSINESSES, default=list(BUSINESSES))
    chosen = parser.parse_args()
    print(HEAD)
    return max(_measured(name, BUSINESSES[name](), chosen.folder.resolve() / name) for name in chosen.only)


def _measured(name: str, business: Business, folder: Path) -> int:
    """1 where the business falls short."""
    table = _came(business).join(_told(business, folder), how="left")
    revenue, came = table["revenue"].to_numpy(np.float64), table["came"].to_numpy(np.float64)
    plain = _plain(table, business)
    captures = {rule: metrics.capture(score, revenue) for rule, score in _simple(table, plain).items()}
    best = max(captures, key=captures.__getitem__)
    score = table["value_score"].to_numpy(np.float64)
    ours, error = metrics.capture(score, revenue), _error(score, revenue)
    line = f"{name:12}{len(table):8} | {ours:.4f}  {captures[best]:.4f} {best:12} {error:.4f} | {metrics.gini(score, revenue):.3f} | "
    short = ours < captures[best] - error
    if plain is None or table["p_purchase"].isna().any():
        line += f"foretells nothing of {table['p_purchase'].isna().mean():.0%}"
    else:
        chance, expected = (
            table[column].to_numpy(np.float64) for column in ("p_purchase", "expected_purchases")
        )
        for measure, rule in ((metrics.auc, max), (metrics.brier, min)):
            line += f"{measure(chance, came):.4f} {rule(measure(plain[form], came) for form in ('bg', 'mbg')):.4f} "
        (absolute, squared), (their_absolute, their_squared) = (
            _errors(expected, came),
            _errors(plain["expected"], came),
        )
        line += f"{metrics.calibration_error(chance, came):.4f} | {absolute:.3f} {their_absolute:.3f} {squared:.3f} {their_squared:.3f}"
        line += f" {expected.sum() / came.sum() - 1:+.0%}"
        short |= absolute > EXACT * their_absolute or squared > EXACT * their_squared
    print(line + (" !" if short else ""), flush=True)
    return int(short)


def _came(business: Business) -> pd.DataFrame:
    """By customer: first and last day, purchase days and money so far, and what came afterwards: revenue,
    purchase days.
    """
    rows, day = business.rows, pd.Timestamp(business.day)
    end = day + pd.Timedelta(days=business.horizon)
    later, until = (rows["day"] > day) & (rows["day"] <= end), _kept(rows[rows["day"] <= end])
    buyers = _kept(rows[rows["day"] <= day]).groupby("customer")["day"].agg(["min", "max", "nunique"])
    buyers["money"] = rows[rows["day"] <= day].groupby("customer")["amount"].sum()
    buyers["revenue"] = rows[later].groupby("customer")["amount"].sum().clip(lower=0)
    buyers["came"] = until[until["day"] > day].groupby("customer")["day"].nunique()
    return buyers.fillna(0)


def _plain(table: pd.DataFrame, business: Business) -> Mapping[str, Numbers] | None:
    """Probabilities by BG/NBD and MBG/NBD, expectations by BG/NBD, and both scores; None: too few customers."""
    first, last = (table[name].to_numpy("datetime64[D]") for name in ("min", "max"))
    days, weeks = table["nunique"].to_numpy(np.int64), business.horizon / 7
    history = History.of_days(first, last, days, np.datetime64(business.day))
    mean = table["money"].to_numpy(np.float64) / days
    try:
        bg, mbg = bg_nbd.fit(history, "bg"), bg_nbd.fit(history, "mbg")
        spent = gamma_gamma.fit(days, mean).expected(days, mean)
    except TooLittle:
        return None
    scores = {
        "bg": bg.purchase(history, weeks),
        "mbg": mbg.purchase(history, weeks),
        "expected": bg.expected(history, weeks),
    }
    return {**scores, "bg x gg": scores["expected"] * spent, "mbg x gg": mbg.expected(history, weeks) * spent}


def _simple(table: pd.DataFrame, plain: Mapping[str, Numbers] | None) -> dict[str, Numbers]:
    parts = {
        "recency": table["max"].astype("int64"),
        "frequency": table["nunique"],
        "money": 100 * table["money"],
    }
    whole = {name: part.round().to_numpy(np.int64) for name, part in parts.items()}
    scores = {name: values.astype(np.float64) for name, values in whole.items()}
    scores["mean rank"] = np.mean(
        [EmpiricalCdf.fit(values, []).midrank(values) for values in whole.values()], axis=0
    )
    fifths = [
        np.floor(5 * np.searchsorted(np.sort(values), values) / len(values)) for values in whole.values()
    ]
    scores["fifths"] = np.sum(fifths, axis=0)
    return scores | {name: plain[name] for name in ("bg x gg", "mbg x gg") if plain is not None}


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
    business.rows[["customer"]].drop_duplicates().rename(columns={"customer": "id"}).to_csv(
        folder / "crm" / "contacts.csv", index=False
    )
    (folder / "config.toml").write_text(CONFIG.format(day=business.day))
    out, command = (
        folder / "labels.csv",
        [sys.executable, "-m", "sync", "label", "--json", "--config", str(folder / "config.toml")],
    )
    command += ["--as-of", business.day.isoformat(), "--horizon", str(business.horizon), "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return pd.read_csv(out, dtype={"id": str}).set_index("id")


def _error(score: Numbers, revenue: Numbers, rounds: int = 60) -> float:
    rng = np.random.default_rng(7)
    drawn = (rng.integers(0, len(score), len(score)) for _ in range(rounds))
    return float(np.std([metrics.capture(score[rows], revenue[rows]) for rows in drawn]))


def _errors(expected: Numbers, came: Numbers) -> tuple[float, float]:
    return float(np.abs(expected - came).mean()), float(np.sqrt(((expected - came) ** 2).mean()))


if __name__ == "__main__":
    sys.exit(main())
