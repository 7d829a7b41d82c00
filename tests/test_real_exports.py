"""The exports of shops as they are: through init, check, set-up and label, each customer's figures are right,
or a remedy is named.
"""

from __future__ import annotations

import csv
import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync import commands
from sync.exit_codes import CommandError

CASES = Path(__file__).parent / "real_exports"
RIGHT = {path.parent.name: json.loads(path.read_text()) for path in CASES.glob("*/expected.json")}
PER_CUSTOMER = sorted(
    name
    for name, right in RIGHT.items()
    if all(isinstance(answer, dict) for key, answer in right.items() if key != "_note")
)
TWO_READINGS = {"int_thousands": {"decimal": ","}}  # what only the person who exported it knows


def started(case: str, folder: Path, **described: Any) -> Path:
    """A config that init wrote for a copy of the case's exports."""
    shutil.copytree(CASES / case / "exports", folder / "exports")
    commands.init(folder / "config.toml", "files", folder / "exports", "rfm,abc", described=described)
    return folder / "config.toml"


def figures(config: Path) -> dict[str, dict[str, str]]:
    """The rows of ``label --out`` by id."""
    out = config.parent / "labels.csv"
    commands.label(config, out=out, reason="a test of our figures")
    with out.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def compare(config: Path, right: dict[str, Any]) -> None:
    """Every customer's orders, net revenue and last purchase."""
    labelled = figures(config)
    wrong = {}
    for key, answer in right.items():
        if key == "_note" or (key not in labelled and answer["orders"] == 0):
            continue  # no file names them
        row = labelled[key] if key in labelled else labelled[commands.show(config, id=key)["id"]]
        got = (int(row["orders"]), Decimal(row["net_revenue"]), row["last_purchase"] or None)
        expected = (answer["orders"], Decimal(str(answer["net_revenue"])), answer["last_purchase"])
        if got != expected:
            wrong[key] = (got, expected)
    assert not wrong


@pytest.mark.parametrize("case", sorted(set(PER_CUSTOMER) - {"stripe"}))
def test_every_customer_has_the_right_figures(case: str, tmp_path: Path) -> None:
    if case in TWO_READINGS:
        with pytest.raises(CommandError, match=r"10\.960.* or 10960.*--decimal"):
            started(case, tmp_path / "asked")
    config = started(case, tmp_path, **TWO_READINGS.get(case, {}))
    assert commands.check(config)["problems"] == []
    compare(config, RIGHT[case])


def test_stripe_amounts_are_in_the_currency_that_they_were_paid_out_in(tmp_path: Path) -> None:
    config = started("stripe", tmp_path)
    right = {key: answer for key, answer in RIGHT["stripe"].items() if key != "_note"}
    compare(config, right)


SHOPIFY = CASES.parent / "more_exports" / "shopify_two_files" / "exports" / "orders_export_1.csv"


def exported(file: Path, *orders: tuple[str, str]) -> None:
    """An export of orders of 20 EUR of one buyer, in the platform's own columns: number and status."""
    header = SHOPIFY.read_text(encoding="utf-8").splitlines()[0].split(",")
    with file.open("w", encoding="utf-8", newline="") as sheet:
        rows = csv.DictWriter(sheet, header, restval="")
        rows.writeheader()
        for number, status in orders:
            cells = {
                "Name": f"#{number}",
                "Email": "ada@example.com",
                "Financial Status": status,
                "Currency": "EUR",
                "Total": "20.00",
            }
            cells["Created at"] = f"2026-03-0{9 - int(number)} 09:59:00 +0000"
            cells["Refunded Amount"] = "20.00" if status == "refunded" else "0.00"
            rows.writerow(
                {
                    **cells,
                    "Paid at": cells["Created at"] if status != "voided" else "",
                    "Subtotal": "20.00",
                    "Id": number,
                }
            )


@pytest.mark.parametrize("status", ["refunded", "voided", "pending"])
def test_an_order_that_a_later_export_calls_off_counts_no_more(status: str, tmp_path: Path) -> None:
    exports, config = tmp_path / "exports", tmp_path / "config.toml"
    exports.mkdir()
    (exports / "customers.csv").write_text(
        "Customer ID,First Name,Last Name,Email\n7,Ada,Lund,ada@example.com\n", encoding="utf-8"
    )
    exported(exports / "orders_export_1.csv", ("1", "paid"), ("2", "paid"))
    commands.init(config, "files", exports, "rfm,abc")
    revenue = [figures(config)["7"]["net_revenue"]]
    exported(exports / "orders_export_2.csv", ("1", status), ("3", "paid"))
    revenue.append(figures(config)["7"]["net_revenue"])
    exported(exports / "orders_export_2.csv", ("3", "paid"))
    revenue.append(figures(config)["7"]["net_revenue"])
    assert revenue == ["40.00", "40.00", "60.00"]


def test_who_said_no_to_e_mail_is_on_no_e_mail_list(tmp_path: Path) -> None:
    config = started("consent_e2e", tmp_path)
    text = config.read_text().replace('lists = "static"', 'lists = "static"\nreachable_only = true', 1)
    config.write_text(text)
    commands.setup(config)
    planned = commands.plan(config)
    commands.apply(config, number=planned["plan"]["plan"])
    lists = sorted((tmp_path / "exports" / "lists").glob("rfm*.csv"))
    assert lists and all(len(file.read_text().splitlines()) <= 1 for file in lists), (
        "all of them accept SMS, and none e-mail"
    )


def test_a_row_of_the_year_2062_moves_no_day_and_is_told(tmp_path: Path) -> None:
    config = started("returns", tmp_path)
    assert 'as_of = "2026-10-05"' in config.read_text()
    labelled = figures(config)
    assert (labelled["9"]["orders"], labelled["9"]["last_purchase"]) == ("1", "2026-10-01")


def test_nine_of_ten_subscribers_who_paid_on_one_day_are_not_lost(tmp_path: Path) -> None:
    config = started("subs", tmp_path)
    sizes = commands.label(config)["segments"]["rfm"]
    assert sizes.get("lost", 0) <= 10
