"""Do our months add up to the shop's own, and are those that do not named?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sync.cli import app
from sync.exit_codes import CommandError, UsageError
from tests.reading_shop import ReadingShop

LINES = [
    "1,2026-09-30,10.00,a",
    "1,2026-10-01,10.00,b",
    "1,2026-10-01,5.50,b",  # a second line of the same order
    "2,2026-10-31,100.00,c",
    "2,2026-11-02,-40.00,c",  # a refund: on the order's day
    "3,2026-11-03,7.25,d",
    "guest,2026-11-04,3.00,e",
    "3,2026-11-28,99.00,f",  # after the last day that counts
]


@pytest.fixture
def shop(tmp_path: Path) -> ReadingShop:
    reading_shop = ReadingShop(tmp_path)
    reading_shop.contacts(range(1, 5))
    reading_shop.orders(LINES)
    return reading_shop


def stated(shop: ReadingShop, *lines: str, header: str = "month,orders,net_revenue") -> Path:
    path = shop.folder / "totals.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def cli(shop: ReadingShop, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--config", str(shop.config)])


def test_months_that_agree_are_all_well(shop: ReadingShop) -> None:
    file = stated(shop, "2026-09,1,10.00", "2026-10,2,75.50", "2026-11,2,10.25")
    answer = shop.do("check", reconcile=file)
    assert answer["exit_code"] == 0 and answer["reconcile"]["differ"] == []
    november = answer["reconcile"]["months"][-1]
    assert (november["orders"], november["orders_of_nobody"], november["net_revenue_of_nobody"]) == (
        2,
        1,
        "3.00",
    )


def test_a_month_that_differs_is_named_with_both_figures_and_the_difference(shop: ReadingShop) -> None:
    file = stated(shop, "2026-09,1,10.00", "2026-10,3,80.00", "2026-08,4,")
    answer = shop.do("check", reconcile=file)
    assert (answer["exit_code"], answer["reconcile"]["differ"]) == (4, ["2026-08", "2026-10"])
    august, _september, october = answer["reconcile"]["months"]
    assert (october["orders_stated"], october["orders"], october["orders_difference"]) == (3, 2, -1)
    assert (october["net_revenue_stated"], october["net_revenue"], october["net_revenue_difference"]) == (
        "80.00",
        "75.50",
        "-4.50",
    )
    assert (august["orders"], august["net_revenue_stated"], august["differs"]) == (0, None, True)


def test_status_compares_what_was_read_and_reads_nothing(shop: ReadingShop) -> None:
    file = stated(shop, "75.5,2026-10", header=" Net_Revenue , MONTH")
    with pytest.raises(CommandError, match="crm-segments pull"):
        shop.do("status", reconcile=file)
    shop.do("pull")
    shop.orders([])
    assert shop.do("status", reconcile=file)["exit_code"] == 0
    assert shop.do("status", reconcile=file, max_age_hours=1)["exit_code"] == 1, "no good run yet"


def test_totals_may_be_said_on_the_command_line(shop: ReadingShop) -> None:
    good = cli(
        shop, "check", "--total", "2026-10=2/75.50", "--total", "2026-09=1", "--total", "2026-11=/10.25"
    )
    assert good.exit_code == 0 and "Every month agrees." in good.stdout
    assert "2026-11: 1 of these orders (3.00 EUR) belong to no known contact" in good.stdout
    bad = cli(shop, "status", "--total", "2026-10=2/75.51")
    assert bad.exit_code == 4 and "Different: 2026-10" in bad.stdout and "-0.01" in bad.stdout
    answer = json.loads(cli(shop, "status", "--total", "2026-10=2/75.51", "--json").stdout)
    assert answer["exit_code"] == 4 and answer["reconcile"]["differ"] == ["2026-10"]


def test_days_are_local(shop: ReadingShop) -> None:
    shop.account = 'time_zone = "Europe/Berlin"\n'
    shop.orders(["1,2026-10-31T23:30:00Z,10.00,a"])
    answer = shop.do("check", totals=["2026-10=0/0", "2026-11=1/10.00"])
    assert answer["exit_code"] == 0


def test_a_refunded_order_is_no_order(shop: ReadingShop) -> None:
    shop.orders(["1,2026-10-02,10.00,a", "1,2026-11-02,-10.00,a", "1,2026-10-03,0.00,b"])
    assert shop.do("check", totals=["2026-10=1/0.00", "2026-11=0/0"])["exit_code"] == 0


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        ("month,orders,net_revenue", "2026-10,2,75,50", "decimal comma"),
        ("month;orders;net_revenue", "2026-10;2;75.50", "header"),
        ("month,sales", "2026-10,2", "header"),
        ("month,orders", "October,2", "'October' is not a month"),
        ("month,orders", "2026-13,2", "'2026-13' is not a month"),
        ("month,orders", "2026-10,two", "'two' is not a number of orders"),
        ("month,net_revenue", '2026-10,"1,075.50"', "'1,075.50' is not an amount"),
        ("month,net_revenue", "2026-10,NaN", "'NaN' is not an amount"),
        ("month,orders", "2026-10,", "neither orders nor net_revenue"),
        ("month,orders", "2026-10,1\n2026-10,2", "twice"),
        ("month,orders", "", "states no month"),
    ],
)
def test_totals_that_cannot_be_understood_are_refused_with_a_remedy(
    shop: ReadingShop, header: str, line: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        shop.do("check", reconcile=stated(shop, line, header=header))
    assert refused.value.exit_code == 2


def test_a_file_that_is_not_there_is_said_to_be_so(shop: ReadingShop) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        shop.do("status", reconcile=shop.folder / "nowhere.csv")
