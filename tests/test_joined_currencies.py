"""Is money of a joined account counted at its worth in the account that takes it?"""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync import commands
from sync.commands import Options
from sync.exit_codes import CommandError

CONFIG = """
as_of = 2025-06-30
[accounts.portal]
crm = "files"
path = "portal"
currency = "EUR"
activity_from = ["shop"]
[accounts.shop]
crm = "files"
path = "shop"
currency = "USD"
[rates]
USD = { "2025-01-01" = 0.9, "2025-06-01" = 0.875 }
[[segmentations]]
name = "value"
kind = "abc"
field = "seg_value"
"""
ORDERS = [
    "a@x.org,o1,2025-03-01,10.03",
    "a@x.org,o2,2025-06-02,0.04",
    "b@x.org,o3,2025-05-31,100.00",
    "b@x.org,o4,2025-06-01,-1.00",
]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name in ("portal", "shop"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "contacts.csv").write_text("id,email\n1,a@x.org\n2,b@x.org\n")
    (tmp_path / "portal" / "activities.csv").write_text("contact_id,occurred_at,amount\n")
    write(tmp_path, CONFIG, ORDERS)
    return tmp_path


def write(folder: Path, config: str, orders: list[str]) -> None:
    (folder / "config.toml").write_text(config)
    rows = [f"{1 if order.startswith('a') else 2},{order.split(',', 1)[1]}" for order in orders]
    (folder / "shop" / "activities.csv").write_text(
        "\n".join(["contact_id,order_id,occurred_at,amount", *rows]) + "\n"
    )


def revenue(folder: Path) -> dict[str, Decimal]:
    options = Options(account="portal")
    commands.pull(folder / "config.toml", options)
    commands.label(folder / "config.toml", options, folder / "labels.csv")
    with (folder / "labels.csv").open(newline="") as file:
        return {row["id"]: Decimal(row["net_revenue"]) for row in csv.DictReader(file)}


def check(folder: Path) -> dict[str, Any]:
    return commands.check(folder / "config.toml", Options(account="portal"))


def test_money_is_converted_by_the_rate_of_its_day_half_to_even(shop: Path) -> None:
    # 10.03 * 0.9 = 9.027, 0.04 * 0.875 = 0.035 (even: 0.04); 100 * 0.9, -1 * 0.875 = -0.875 (even: -0.88)
    assert revenue(shop) == {"1": Decimal("9.07"), "2": Decimal("89.12")}
    write(shop, CONFIG.replace("0.875", "0.5"), ORDERS)
    assert revenue(shop) == {"1": Decimal("9.05"), "2": Decimal("89.50")}, (
        "another rate is another worth at once"
    )


def test_currencies_of_other_decimals_are_converted_too(shop: Path) -> None:
    yen = CONFIG.replace('"USD"', '"JPY"').replace(
        'USD = { "2025-01-01" = 0.9, "2025-06-01" = 0.875 }', "JPY = 0.006"
    )
    write(shop, yen, ["a@x.org,o1,2025-03-01,1500", "b@x.org,o2,2025-03-01,1"])
    assert revenue(shop) == {"1": Decimal("9.00"), "2": Decimal("0.01")}


def test_check_tells_that_two_accounts_have_different_currencies(shop: Path) -> None:
    answer = check(shop)
    assert answer["problems"] == []
    assert any(
        "account shop counts in USD, account portal, which takes its activity, in EUR" in note
        for note in answer["notes"]
    )


def test_attributes_of_another_currency_are_taken_as_they_stand_and_check_says_so(shop: Path) -> None:
    """Nothing says which of them are money, or of which day: no rate is asked for."""
    config = CONFIG.replace("activity_from", "attributes_from").replace("USD = {", "GBP = {")
    rules = """[[segmentations]]
name = "spenders"
kind = "rules"
field = "seg_spenders"
segments = [{ key = "big", when = { attribute = "shop.spent", above = 99.5 } }]
"""
    write(
        shop,
        config + rules + '[accounts.shop.attributes]\nspent = { field = "spent", type = "number" }\n',
        [],
    )
    (shop / "shop" / "contacts.csv").write_text("id,email,spent\n1,a@x.org,100.00\n2,b@x.org,99.00\n")
    answer = check(shop)
    assert answer["problems"] == []
    assert any(
        "(shop.spent) are not converted, so write amounts of money in rules in USD" in n
        for n in answer["notes"]
    )
    revenue(shop)
    with (shop / "labels.csv").open(newline="") as file:
        assert {row["id"]: row["spenders"] for row in csv.DictReader(file)} == {"1": "big", "2": ""}


def test_without_a_rate_check_names_both_accounts_and_the_remedy_and_nothing_is_labelled(shop: Path) -> None:
    write(shop, CONFIG.replace("USD = {", "GBP = {"), ORDERS)
    problem = check(shop)["problems"][0]
    assert (
        problem["what"]
        == "Account shop counts in USD, account portal, which takes its activity, in EUR, and [rates] has no rate of USD."
    )
    assert "[rates] USD" in problem["remedy"]
    with pytest.raises(CommandError, match="no rate of USD"):
        revenue(shop)


def test_purchases_before_the_first_rate_are_not_guessed(shop: Path) -> None:
    write(shop, CONFIG, [*ORDERS, "a@x.org,o9,2024-12-31,5.00"])
    with pytest.raises(
        CommandError, match=r"1 amounts of account shop are older than the first rate of USD \(2025-01-01\)"
    ):
        revenue(shop)


def test_months_beside_those_of_the_shop_are_in_the_currency_of_the_account(shop: Path) -> None:
    months = commands.check(shop / "config.toml", Options(account="portal"), totals=["2025-03=1/9.03"])[
        "reconcile"
    ]["months"]
    assert [month["net_revenue_difference"] for month in months] == ["0.00"]
