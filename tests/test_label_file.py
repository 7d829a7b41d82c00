"""Can a user check our arithmetic in a spreadsheet? What the file of labels tells of each record's purchases."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.world import DAY, World

BOUGHT = ["email", "orders", "net_revenue", "first_purchase", "last_purchase"]


def told(world: World, as_of: date | None = None) -> dict[str, dict[str, str]]:
    """Rows of the file by id."""
    out = world.folder / "labels.csv"
    world.do("label", out=out, as_of=as_of)
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:6] == ["id", *BOUGHT]
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
    assert bought(rows["anna"]) == ["anna@example.org", "3", "1238.55", "2024-05-21", "2024-06-21"]
    assert bought(rows["nobody"]) == ["", "0", "0.00", "", ""]
    earlier = told(world, as_of=DAY - timedelta(days=30))
    assert bought(earlier["anna"]) == ["anna@example.org", "1", "1000.00", "2024-05-21", "2024-05-21"]


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


def test_an_address_that_a_spreadsheet_would_run_is_guarded(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(10)
    world.store.put("anna", email="=cmd|' /C calc'!A0@example.org")
    assert told(world)["anna"]["email"] == "'=cmd|' /C calc'!A0@example.org"
