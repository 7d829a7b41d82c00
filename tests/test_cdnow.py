"""The CDNOW purchases of Fader and Hardie through the files CRM, by column mapping alone, against published
counts.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections import Counter
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest

from sync import commands
from sync.commands import Options

CONFIG = """
as_of = 1997-09-30

[accounts.cdnow]
crm = "files"
path = "crm"
currency = "USD"

[accounts.cdnow.activities]
files = "CDNOW_*.txt"
delimiter = "whitespace"

[accounts.cdnow.activities.columns]
contact_id = "customer_id"
occurred_at = "date"
quantity = "number_of_cds"
amount = "dollar_value"

[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"
"""


@pytest.fixture
def cdnow(tmp_path: Path) -> Path:
    """The folder of a config whose CRM is the package's file as it is, and a list of the customers in it."""
    spec = find_spec("lifetimes")
    if spec is None or spec.origin is None:
        if os.environ.get("CI"):
            pytest.fail("the package lifetimes is not installed")
        pytest.skip("python3 -m pip install --no-deps lifetimes")
    (tmp_path / "crm").mkdir()
    purchases = tmp_path / "crm" / "CDNOW_master.txt"
    shutil.copy(Path(spec.origin).parent / "datasets" / "CDNOW_master.txt", purchases)
    customers = sorted({line.split()[0] for line in purchases.read_text().splitlines()[1:]})
    (tmp_path / "crm" / "contacts.csv").write_text("id\n" + "\n".join(customers) + "\n")
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


def scores(folder: Path, as_of: date | None = None) -> list[dict[str, str]]:
    commands.label(folder / "config.toml", Options(as_of=as_of), out=folder / "labels.csv")
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def counts(rows: list[dict[str, str]], axis: str) -> list[int]:
    tally = Counter(row[f"rfm.{axis}"] for row in rows)
    return [tally[str(level)] for level in range(1, 6)]


def test_scores_are_those_of_the_reference(cdnow: Path) -> None:
    rows = scores(cdnow)
    assert len(rows) == 23_570
    # the reference has 4855, 4696, 4598, 4709, 4712; the silence of some regular customers is no news
    assert counts(rows, "recency") == [4855, 4696, 4598, 4719, 4702]
    assert counts(rows, "frequency") == [14119, 4442, 2064, 1689, 1256]
    assert counts(rows, "money") == [4875, 4554, 4713, 4714, 4714]
    assert sum(row["rfm.recency"] == row["rfm.frequency"] == row["rfm.money"] == "5" for row in rows) == 1_086


def test_equal_purchases_of_one_day_all_count_and_a_file_read_twice_adds_nothing(cdnow: Path) -> None:
    pulled = commands.pull(cdnow / "config.toml")["pulled"]
    assert pulled["rows"]["activity"] == 69_659 and not pulled["rejected"]
    before = scores(cdnow, date(1998, 6, 30))
    shutil.copy(cdnow / "crm" / "CDNOW_master.txt", cdnow / "crm" / "CDNOW_again.txt")
    assert commands.pull(cdnow / "config.toml")["pulled"]["rows"]["activity"] == 69_659
    assert scores(cdnow, date(1998, 6, 30)) == before
    assert revenue(cdnow) == 2_500_315_63


def revenue(folder: Path) -> int:
    """Net revenue of all customers in cents, as features see it."""
    from sync.store.mirror import Mirror

    mirror = Mirror(folder / "state" / "mirror.duckdb")
    try:
        return int(mirror.account("cdnow").value("SELECT sum(net_revenue) FROM features"))
    finally:
        mirror.close()
