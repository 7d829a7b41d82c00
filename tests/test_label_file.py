"""Can a user check our arithmetic in a spreadsheet? What the file of labels tells of each record's purchases."""

from __future__ import annotations

import csv
import stat
from datetime import date, timedelta
from pathlib import Path

import pytest

from sync.exit_codes import UsageError
from tests.world import DAY, World

BOUGHT = ["orders", "net_revenue", "first_purchase", "last_purchase"]


def told(world: World, as_of: date | None = None) -> dict[str, dict[str, str]]:
    """Rows of the file by id."""
    out = world.folder / "labels.csv"
    world.do("label", out=out, as_of=as_of)
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:5] == ["id", *BOUGHT]
    return {row["id"]: row for row in rows}


def bought(row: dict[str, str]) -> list[str]:
    return [row[name] for name in BOUGHT]


def test_each_row_tells_orders_money_and_days_as_of_the_day_of_the_labels(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(20)
    world.store.put("anna", email="anna@example.org")
    world.buys("anna", 40, 100_000)
    world.buys("anna", 9, 18_850)
    world.buys("anna", 8, -5_000, kind="refund")
    world.buys("anna", 9, 10_005)
    world.store.put("nobody")
    rows = told(world)
    assert bought(rows["anna"]) == ["3", "1238.55", "2024-05-21", "2024-06-21"]
    assert bought(rows["nobody"]) == ["0", "0.00", "", ""]
    earlier = told(world, as_of=DAY - timedelta(days=30))
    assert bought(earlier["anna"]) == ["1", "1000.00", "2024-05-21", "2024-05-21"]


@pytest.mark.parametrize(("currency", "shown"), [("JPY", "123456"), ("KWD", "123.456")])
def test_money_stands_in_units_of_its_currency(tmp_path: Path, currency: str, shown: str) -> None:
    world = World(tmp_path, account=f'currency = "{currency}"\n')
    world.customers(10)
    world.store.put("anna")
    world.buys("anna", 1, 123_456)
    assert told(world)["anna"]["net_revenue"] == shown


def test_a_large_sum_is_exact(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(10)
    world.store.put("anna")
    for days in range(9):
        world.buys("anna", days, 999_999_999_999_999)
    assert told(world)["anna"]["net_revenue"] == "89999999999999.91"


def test_an_id_that_a_spreadsheet_would_run_is_guarded(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(10)
    world.store.put("=cmd|' /C calc'!A0")
    assert "'=cmd|' /C calc'!A0" in told(world)


def test_nobody_can_be_contacted_by_it_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(10)
    world.store.put("anna", email="anna@example.org", first_name="Anna")
    row = told(world)["anna"]
    assert "@" not in ",".join(row.values()) and not {"email", "phone", "name", "first_name"} & row.keys()
    out = world.folder / "labels.csv"
    out.chmod(0o644)
    told(world)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_the_journal_keeps_who_had_it_written_when_with_which_columns_and_why(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(10)
    out = world.folder / "labels.csv"
    done = world.do("label", out=out, reason="  a look at the sums ")
    (file,) = world.do("status")["segment_files"]
    assert (file["segment"], file["records"], file["channel"]) == ("rfm, value", done["rows"], "")
    assert (file["reason"], file["run"]) == ("a look at the sums", done["run"]) and file["who"] and file["at"]
    with out.open(newline="", encoding="utf-8") as opened:
        assert file["columns"] == next(csv.reader(opened))


@pytest.mark.parametrize("id", ["ann@example.org", "+49 30 1234567"])
def test_ids_by_which_people_can_be_contacted_need_a_reason(tmp_path: Path, id: str) -> None:
    world = World(tmp_path)
    world.customers(10)
    world.store.put(id)
    out = world.folder / "labels.csv"
    with pytest.raises(UsageError, match="--reason") as caught:
        world.do("label", out=out)
    assert id not in str(caught.value) and not out.exists()
    assert world.do("status")["segment_files"] == []
    world.do("label", out=out, reason="to compare with the shop's own list")
    assert out.exists()


def test_one_that_cannot_be_finished_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    world.customers(10)
    told(world)
    before = (world.folder / "labels.csv").read_bytes()

    def full(*_given: object, **_named: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr("pyarrow.csv.CSVWriter", full)
    with pytest.raises(OSError, match="no room"):
        told(world)
    assert (world.folder / "labels.csv").read_bytes() == before
    assert {path.name for path in world.folder.glob("*labels*")} == {"labels.csv"}
