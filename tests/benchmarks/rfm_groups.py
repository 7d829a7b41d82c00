"""Do the named groups of kind ``rfm`` live on, and are first-time buyers new or promising, week by week?

    python -m tests.benchmarks.rfm_groups [--only NAME ...] [--weeks 104] [--train 13]

CDNOW, Complete Journey and businesses that are made up, each as long as its history lasts. Each week is labelled from
the week before, and the model is trained again every so many weeks; beside it, each week is fitted and labelled by
itself. Printed are how many weeks in a row a group was empty at most, and how many of those whose first and only
purchase is at most 30 days old are new or promising. Exit code 1 where a group was empty for more than four weeks,
or fewer than nine in ten are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta

import ibis
import numpy as np
import pandas as pd

from segmentation.feature_request import Shape
from segmentation.kinds.rfm import Rfm
from tests.benchmarks.point_in_time import contracts, mixed
from tests.benchmarks.point_in_time import growing as young
from tests.benchmarks.shops import SHOPS
from tests.benchmarks.trades import Business, cdnow, journey
from tests.segmentation_frames import computed

EMPTY, FIRST, LATELY = 4, 0.9, 30
LEAST = 500  # buyers of a first week, and days of history before it
BEFORE = 91

WATCHED: dict[str, Callable[[], Business]] = {
    "cdnow": cdnow,
    "journey": journey,
    **SHOPS,
    "young": lambda: young(301),
    "contracts": lambda: contracts(302),
    "mixed": lambda: mixed(303),
}


def weeks_of(business: Business, weeks: int) -> Iterator[tuple[date, pd.DataFrame]]:
    """Each week with the features of its day, from when enough have bought."""
    con = ibis.duckdb.connect()
    rows = business.rows.assign(record=business.rows["customer"].astype("category").cat.codes + 1)
    con.con.register("told", rows)
    con.con.execute(
        """CREATE TABLE activity AS SELECT record::BIGINT AS record, "order"::BIGINT AS "order", kind, day::DATE AS day,
               round(amount * 100)::BIGINT AS amount, NULL::VARCHAR AS category FROM told"""
    )
    con.con.execute("CREATE TABLE records AS SELECT DISTINCT record FROM activity")
    first, last = (rows["day"].agg(end).date() for end in ("min", "max"))
    bought = rows.groupby("customer")["day"].min().sort_values()
    enough = bought.iloc[min(LEAST, len(bought)) - 1].date()
    day = max(last - timedelta(weeks=weeks), first + timedelta(days=BEFORE), enough)
    needs = Rfm().in_account().needs
    while day <= last:
        yield day, computed(con, day, needs, Shape(order_lines=False, refunds=True))
        day += timedelta(weeks=1)


def longest(empty: list[bool]) -> int:
    """Weeks in a row."""
    most = row = 0
    for week in empty:
        row = row + 1 if week else 0
        most = max(most, row)
    return most


def watched(business: Business, weeks: int, train: int) -> dict[str, tuple[dict[str, int], int, int, int]]:
    """By way of labelling: longest emptiness of each group, first-time buyers, those of them who are new or promising, weeks."""
    kind = Rfm().in_account()
    keys = [segment.key for segment in kind.segments if segment.key != "prospect"]
    empty: dict[str, dict[str, list[bool]]] = {way: {key: [] for key in keys} for way in ("steady", "fitted")}
    firsts, right = dict.fromkeys(empty, 0), dict.fromkeys(empty, 0)
    model, previous, before, count = None, None, None, 0
    for day, features in weeks_of(business, weeks):
        fresh = kind.fit(features, day)
        model = fresh if model is None or count % train == 0 else model
        previous = kind.label(features, model, previous, before, day)
        before, count = day, count + 1
        since = (pd.Timestamp(day) - pd.to_datetime(features["first_purchase"])).dt.days
        first = ((features["purchase_days"] == 1) & (since <= LATELY)).to_numpy()
        for way, labels in (("steady", previous), ("fitted", kind.label(features, fresh, None, None, day))):
            segments = labels["segment"].to_numpy(str)
            for key in keys:
                empty[way][key].append(not (segments == key).any())
            firsts[way] += int(first.sum())
            right[way] += int(np.isin(segments[first], ("new", "promising")).sum())
    return {
        way: ({k: longest(w) for k, w in empty[way].items()}, firsts[way], right[way], count) for way in empty
    }


def main() -> int:
    """Exit code 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.rfm_groups", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--only", nargs="*", choices=WATCHED, default=list(WATCHED))
    parser.add_argument("--weeks", type=int, default=104)
    parser.add_argument("--train", type=int, default=13)
    chosen = parser.parse_args()
    missed = 0
    for name in chosen.only:
        for way, (empty, firsts, right, weeks) in watched(
            WATCHED[name](), chosen.weeks, chosen.train
        ).items():
            dead = {key: most for key, most in empty.items() if most > EMPTY}
            share = right / firsts if firsts else 1.0
            bad = bool(dead) or share < FIRST
            missed += bad
            print(
                f"{name:12} {way:7} {weeks:3} weeks: empty for {max(empty.values())} weeks at most {dead or ''}; "
                f"of {firsts:,} first-time buyers {share:.1%} new or promising{' !' if bad else ''}",
                flush=True,
            )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
