"""Does a response model learn the same where nobody says when contacts were made?

    python -m tests.benchmarks.point_in_time [--folder DIR] [--seeds 101 102 103]

Shops that nobody tuned on, through the files CRM: each is labelled with ``created_at`` of its contacts and
without. Contacts who come later than the day of the labelling are in the file too, as they are in a CRM that
is asked about an earlier day. Printed are AUC and ECE on the tested days of either, and what was refused.
Exit code 1 where they are further apart than the bars and nothing was refused.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segmentation import model_file
from sync import commands
from sync.commands import Options
from sync.store.journal import Journal
from tests.benchmarks.shops import DAYS, START, Habits, play
from tests.benchmarks.trades import Business

AUC, ECE = 0.01, 0.02
CONFIG = """
state_dir = "state"

[accounts.shop]
crm = "files"
path = "crm"
currency = "EUR"

[accounts.shop.activities.columns]
contact_id = "customer"
occurred_at = "day"
amount = "amount"
kind = "kind"
order_id = "order"

[[segmentations]]
name = "buyers"
kind = "response"
field = "seg_buyers"
within_days = {days}
"""


def growing(seed: int) -> Business:
    """Most customers came lately, and many once only."""
    n, rng = 6_000, np.random.default_rng(seed)
    joined = (DAYS * rng.random(n) ** rng.uniform(0.3, 0.5)).astype(int)
    return play(Habits(joined, rng.gamma(1, 40, n) + 2, rng.beta(1, 4, n), rng.lognormal(3.5, 0.6, n)), seed)


def contracts(seed: int) -> Business:
    """Boxes each month, until notice is given."""
    n, rng = 3_000, np.random.default_rng(seed)
    rhythm = rng.choice([14.0, 30.0, 60.0], n, p=[0.2, 0.5, 0.3])
    joined = rng.integers(0, DAYS, n)
    return play(Habits(joined, rhythm, rng.beta(1, 9, n), rng.lognormal(3, 0.3, n), 60.0, 0.05), seed)


def mixed(seed: int) -> Business:
    """Contracts, shoppers and people who buy once."""
    n, rng = 6_000, np.random.default_rng(seed)
    kind = rng.choice(3, n, p=[0.2, 0.4, 0.4])
    rhythm = np.choose(kind, [np.full(n, 30.0), rng.gamma(2, 30, n) + 3, np.full(n, 200.0)])
    leaving = np.choose(kind, [rng.beta(1, 20, n), rng.beta(1, 6, n), rng.beta(8, 2, n)])
    return play(
        Habits(rng.integers(0, DAYS, n), rhythm, leaving, rng.lognormal(3.2, 0.6, n), regular=3.0), seed
    )


SHOPS: dict[str, Callable[[int], Business]] = {maker.__name__: maker for maker in (growing, contracts, mixed)}
# days from the making of a contact to its first purchase, and contacts who never buy, as a share of the others
SIGN_UPS: dict[str, tuple[int, float]] = {
    "at purchase": (0, 0.0),
    "a week before": (7, 0.0),
    "leads": (30, 0.3),
}


def contacts_of(business: Business, lead_days: int, leads: float, seed: int) -> pd.DataFrame:
    """id and created_at of everybody, those who never buy among them."""
    rng = np.random.default_rng(seed + 1)
    first = business.rows.groupby("customer")["day"].min()
    ahead = pd.to_timedelta(rng.integers(0, lead_days + 1, len(first)), unit="D")
    made = pd.DataFrame({"id": first.index, "created_at": (first - ahead).to_numpy()})
    silent = int(leads * len(first))
    days = pd.Timestamp(START) + pd.to_timedelta(rng.integers(0, DAYS, silent), unit="D")
    never = pd.DataFrame({"id": [f"lead{number}" for number in range(silent)], "created_at": days})
    return pd.concat([made, never], ignore_index=True)


def figures_of(folder: Path, business: Business, contacts: pd.DataFrame, days: int) -> Mapping[str, Any]:
    """What the model says of itself."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "crm").mkdir(parents=True)
    business.rows.to_csv(folder / "crm" / "activities.csv", index=False, date_format="%Y-%m-%d")
    contacts.to_csv(folder / "crm" / "contacts.csv", index=False, date_format="%Y-%m-%d")
    config = folder / "config.toml"
    config.write_text(CONFIG.format(days=days))
    commands.label(config, Options(as_of=business.day))
    journal = Journal(folder / "state" / "journal.sqlite")
    try:
        kept = journal.models.latest("shop", "buyers")
    finally:
        journal.close()
    assert kept is not None
    return dict(model_file.from_json(kept.content)["figures"])


def main() -> int:
    """Exit code 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.point_in_time", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/point_in_time"))
    parser.add_argument("--seeds", type=int, nargs="*", default=[101, 102, 103])
    parser.add_argument("--days", type=int, default=60)
    chosen = parser.parse_args()
    missed = 0
    for name, maker in SHOPS.items():
        for sign_up, (ahead, leads) in SIGN_UPS.items():
            for seed in chosen.seeds:
                business = maker(seed)
                contacts = contacts_of(business, ahead, leads, seed)
                files = {"with": contacts, "without": contacts[["id"]]}
                told = {
                    dated: figures_of(chosen.folder.resolve() / dated, business, table, chosen.days)
                    for dated, table in files.items()
                }
                missed += _printed(f"{name:10} {sign_up:14} seed {seed}", told["with"], told["without"])
    return int(missed > 0)


def _printed(shop: str, dated: Mapping[str, Any], undated: Mapping[str, Any]) -> int:
    """1 where the two are too far apart."""
    if undated["refused"]:
        print(
            f"{shop}: AUC {dated.get('auc')} ECE {dated.get('ece')}; refused: {undated['refused']}",
            flush=True,
        )
        return 0
    if dated["refused"]:
        print(f"{shop}: refused with created_at: {dated['refused']} !", flush=True)
        return 1
    bad = abs(dated["auc"] - undated["auc"]) > AUC or abs(dated["ece"] - undated["ece"]) > ECE
    print(
        f"{shop}: AUC {dated['auc']:.4f} and {undated['auc']:.4f}, ECE {dated['ece']:.4f} and {undated['ece']:.4f}"
        f"{' !' if bad else ''}",
        flush=True,
    )
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
