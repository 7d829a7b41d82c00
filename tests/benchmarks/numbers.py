"""Are the numbers that reach the CRM true, and do they stand still? (``numbers`` of kind ``potential``)

    python -m tests.benchmarks.numbers [--only writes values dates] [--weeks 17] [--seeds 3]

``writes``: of CDNOW, Complete Journey and a drawn shop, the share of the records with no purchase in a week that a
weekly run writes, in all and by number (bar: 5%), and by how much sums of the numbers that stand are off the forecasts.
``values``: of businesses drawn from BG/NBD and Gamma-Gamma with several parameters, the lifetime value as it is written
against the truth, discounted alike: error of the sum (bar: 10%) and rank correlation, beside those of the package
lifetimes where it is installed (bar: not below it). ``dates``: of the next order dates given on a past day, how many
had ordered by their date (half should), and how many within half the wait around it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd

from segmentation.kinds.numbers import CHURN, LIFETIME, NEXT_ORDER, NUMBERS
from segmentation.models import bg_nbd, gamma_gamma
from segmentation.models.bg_nbd import History
from tests.segmentation_frames import Played, cdnow, complete_journey, computed, segmentation

Column = np.ndarray[Any, np.dtype[np.float64]]
WRITTEN, OFF = 0.05, 0.1
DAY, YEAR, RATE = date(2024, 6, 30), 364, 0.1
# r, alpha, a, b in weeks; p, q, v
BUSINESSES = {
    "rare": ((0.243, 4.414, 0.793, 2.426), (6.25, 3.74, 15.44)),
    "middling": ((0.8, 10.0, 0.6, 3.0), (2.0, 3.0, 60.0)),
    "often": ((1.5, 6.0, 0.4, 5.0), (4.0, 2.5, 40.0)),
    "loyal": ((1.0, 12.0, 0.2, 4.0), (1.5, 4.0, 90.0)),
}


@dataclass(frozen=True)
class Drawn:
    """A business as activity up to DAY, and what each customer's orders of the next year are worth on DAY, as who drew it
    knows: by its rate, its chance to leave, its spending, and whether it has left.
    """

    con: Any
    worth: Column


def drawn(buying: Sequence[float], spending: Sequence[float], seed: int, customers: int = 4000) -> Drawn:
    """Customers that come over two years; gamma rates, beta chances to leave after an order, gamma-gamma money."""
    draw = np.random.default_rng(seed)
    r, alpha, a, b = buying
    p, q, v = spending
    rows, worth = [], np.zeros(customers)
    rate, leaves = draw.gamma(r, 1 / alpha, customers) / 7, draw.beta(a, b, customers)  # orders a day
    scale, interest = draw.gamma(q, 1 / v, customers), np.log1p(RATE) / 365.25
    for customer in range(customers):
        day, orders, alive = float(draw.integers(0, 2 * YEAR)), 0, True
        while alive and day < 2 * YEAR:
            rows.append((customer, int(day), round(100 * draw.gamma(p, 1 / scale[customer]))))
            orders += 1
            alive = orders == 1 or bool(draw.random() >= leaves[customer])
            day += draw.exponential(1 / max(rate[customer], 1e-12))
        if alive:
            fades = rate[customer] * leaves[customer] + interest
            worth[customer] = rate[customer] * -np.expm1(-fades * YEAR) / fades * p / scale[customer]
    return Drawn(_connection(rows, customers), worth)


def _connection(rows: list[tuple[int, int, int]], customers: int) -> Any:
    con = ibis.duckdb.connect()
    table = pd.DataFrame(rows, columns=["record", "ago", "amount"])
    con.con.register("drawn", table)
    con.con.execute(
        f"""CREATE TABLE activity AS SELECT record, NULL::BIGINT AS "order", 'purchase' AS kind,
            (DATE '{DAY}' - {2 * YEAR - 1} + ago::INTEGER)::DATE AS day, amount::BIGINT AS amount, NULL::VARCHAR AS category FROM drawn"""
    )
    con.con.execute(f"CREATE TABLE records AS SELECT range AS record FROM range({customers})")
    return con


@dataclass(frozen=True)
class Labelled:
    """A labelling: its day, features and labels, in the same order of records."""

    day: date
    features: pd.DataFrame
    labels: pd.DataFrame

    def number(self, name: str) -> Column:
        """As it is written; NaN: none."""
        return pd.to_numeric(self.labels[f"value.{name}"]).to_numpy(np.float64, na_value=np.nan)

    @property
    def last(self) -> Any:
        """Days of the last purchases."""
        return pd.to_datetime(self.features["last_purchase"]).to_numpy().astype("datetime64[D]")


def weekly(con: Any, start: date, weeks: int, **options: Any) -> Iterator[Labelled]:
    """Labellings of so many weeks by one model; each starts from the one before."""
    chosen = segmentation("potential", {"numbers": list(NUMBERS), **options}, "USD", 2)
    features, past = computed(con, start, chosen.needs), Played(con, chosen, start)
    model = chosen.fit(features, start, past)
    model = {**model, "values": chosen.fit_values(features, model, start, past)}
    before: Labelled | None = None
    for week in range(weeks + 1):
        day = start + timedelta(weeks=week)
        features = computed(con, day, chosen.needs)
        labels, labelled_on = (before.labels, before.day) if before else (None, None)
        before = Labelled(day, features, chosen.label(features, model, labels, labelled_on, day))
        yield before


def writes(weeks: int) -> int:
    """Bars missed."""
    shops = {
        "cdnow": (cdnow(), date(1997, 9, 30)),
        "journey": (complete_journey(), date(2017, 8, 20)),
        "drawn": (drawn(*BUSINESSES["middling"], seed=1, customers=2000).con, DAY - timedelta(weeks=26)),
    }
    return sum(_writes(name, con, start, weeks) for name, (con, start) in shops.items())


def _writes(name: str, con: Any, start: date, weeks: int) -> int:
    quiet_records, counts, before = 0, dict.fromkeys(("any", *NUMBERS), 0), None
    for now in weekly(con, start, weeks):
        if before is not None:
            quiet = ~np.isnat(now.last) & (now.last <= np.datetime64(before.day, "D"))
            changed = {
                number: quiet
                & (
                    now.labels[f"value.{number}"].fillna("").to_numpy()
                    != before.labels[f"value.{number}"].fillna("").to_numpy()
                )
                for number in NUMBERS
            }
            counts["any"] += int(np.any(list(changed.values()), axis=0).sum())
            for number, which in changed.items():
                counts[number] += int(which.sum())
            quiet_records += int(quiet.sum())
        before = now
    shares = {number: count / quiet_records for number, count in counts.items()}
    print(
        f"{name:10} written where nothing was bought: " + ", ".join(f"{n} {s:.1%}" for n, s in shares.items())
    )
    return int(shares["any"] > WRITTEN)


def values(seeds: int) -> int:
    """Bars missed."""
    missed = 0
    for name, (buying, spending) in BUSINESSES.items():
        for seed in range(seeds):
            business = drawn(buying, spending, seed)
            labelled = next(weekly(business.con, DAY, 0, lifetime_days=YEAR, discount_rate=RATE))
            ours, came = labelled.number(LIFETIME), business.worth[labelled.labels["record"].to_numpy()]
            if np.isnan(ours).all():
                print(f"{name:10} seed {seed}: refused")
                continue
            theirs = {"BG/NBD": _plain(labelled), **_lifetimes(labelled)}
            off = float(np.nansum(ours) / came.sum() - 1)
            ranks = {rule: _rank(value, came) for rule, value in {"ours": ours, **theirs}.items()}
            sums = ", ".join(f"{rule} {value.sum() / came.sum() - 1:+.1%}" for rule, value in theirs.items())
            print(
                f"{name:10} seed {seed}: sum {off:+.1%} ({sums}); rank "
                + ", ".join(f"{rule} {rank:.4f}" for rule, rank in ranks.items())
            )
            missed += abs(off) > OFF or ranks["ours"] < max(ranks[rule] for rule in theirs) - 0.005
    return missed


def _rank(value: Column, came: Column) -> float:
    return float(pd.Series(np.nan_to_num(value)).corr(pd.Series(came), method="spearman"))


def _history(labelled: Labelled) -> tuple[History, Any, Column]:
    days = labelled.features["purchase_days"].to_numpy(np.int64)
    first = pd.to_datetime(labelled.features["first_purchase"]).to_numpy().astype("datetime64[D]")
    history = History.of_days(first, labelled.last, days, np.datetime64(labelled.day, "D"))
    return history, days, labelled.features["net_revenue"].to_numpy(np.float64) / 100 / days


def _plain(labelled: Labelled) -> Column:
    """BG/NBD and Gamma-Gamma as the textbooks have them."""
    history, days, mean = _history(labelled)
    model, spent = bg_nbd.fit(history, "bg"), gamma_gamma.fit(days, mean)
    monthly = (1 + RATE) ** (1 / 12) - 1
    return gamma_gamma.lifetime_value(model, history, spent.expected(days, mean), 12, monthly, YEAR / 7 / 12)


def _lifetimes(labelled: Labelled) -> dict[str, Column]:
    try:
        from lifetimes import BetaGeoFitter, GammaGammaFitter
        from lifetimes.utils import ConvergenceError
    except ImportError:
        return {}
    history, _days, mean = _history(labelled)
    again = history.x > 0
    buying, money = BetaGeoFitter(0.0), GammaGammaFitter(0.0)
    buying.fit(history.x, history.recency, history.age)
    try:
        money.fit(history.x[again], mean[again])
    except ConvergenceError:
        return {}
    value = money.customer_lifetime_value(
        buying, pd.Series(history.x), pd.Series(history.recency), pd.Series(history.age), pd.Series(mean),
        time=12, freq="W", discount_rate=(1 + RATE) ** (1 / 12) - 1,
    )  # fmt: skip
    return {"lifetimes": value.to_numpy(np.float64)}


def dates() -> int:
    """Bars missed: of none, it is a figure to publish."""
    for name, con, day, end in (
        ("cdnow", cdnow(), date(1997, 9, 30), date(1998, 6, 30)),
        ("journey", complete_journey(), date(2017, 8, 20), date(2017, 12, 31)),
        ("drawn", drawn(*BUSINESSES["often"], seed=2, customers=2000).con, DAY - timedelta(weeks=52), DAY),
    ):
        labelled = next(weekly(con, day, 0))
        given = pd.to_datetime(labelled.labels[f"value.{NEXT_ORDER}"]).to_numpy().astype("datetime64[D]")
        wait = (given - np.datetime64(day, "D")).astype(np.float64)
        then = con.con.execute(
            f"SELECT record, min(day) AS day FROM activity WHERE day > DATE '{day}' GROUP BY record"
        ).df()
        came = (
            then.set_index("record")["day"]
            .reindex(labelled.labels["record"])
            .to_numpy()
            .astype("datetime64[D]")
        )
        waited = np.where(np.isnat(came), np.inf, (came - np.datetime64(day, "D")).astype(np.float64))
        seen = ~np.isnat(given) & (1.5 * wait <= (end - day).days)
        by, near = waited[seen] <= wait[seen], np.abs(waited[seen] - wait[seen]) <= wait[seen] / 2
        print(
            f"{name:10} {int(seen.sum()):,} dates: {by.mean():.1%} had ordered by theirs (half should), {near.mean():.1%} within half "
            f"the wait around it; median wait {np.median(wait[seen]):.0f} days; churn on average {np.nanmean(labelled.number(CHURN)):.0f}%"
        )
    return 0


def main() -> int:
    """Exit code 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.numbers", description=(__doc__ or "").splitlines()[0]
    )
    parts = ("writes", "values", "dates")
    parser.add_argument("--only", nargs="*", choices=parts, default=list(parts))
    parser.add_argument("--weeks", type=int, default=17)
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    missed = writes(chosen.weeks) if "writes" in chosen.only else 0
    missed += values(chosen.seeds) if "values" in chosen.only else 0
    missed += dates() if "dates" in chosen.only else 0
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
