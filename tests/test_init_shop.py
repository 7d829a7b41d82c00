"""Orders are exported from a shop, contacts are in HubSpot: does one `init` make a config that segments them?"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sync import commands
from sync.cli import app
from sync.commands import Options
from sync.config.config import load
from sync.exit_codes import CommandError
from tests.hubspot_account import Shop, shop
from tests.servers.hubspot import TOKEN
from tests.world import ALLOWED

DAY = date(2026, 1, 31)
OPTIONS = Options(allow=ALLOWED, clock=lambda: datetime(2026, 2, 1, 9, tzinfo=UTC))
_HEADER = (
    "Name,Email,Financial Status,Currency,Total,Created at,Cancelled at,Refunded Amount,Outstanding Balance,"
    "Lineitem quantity,Lineitem name"
)
SHOPIFY = _HEADER.split(",")


def orders(folder: Path, buyers: int) -> Path:
    """An orders export of Shopify: some orders of two rows, one address in capitals, one order of nobody."""
    folder.mkdir()
    rows = [["#1", "", "paid", "EUR", "5.00", f"{DAY} 10:00:00 +0100", "", "0.00", "0.00", 1, "At the till"]]
    for number in range(240):
        buyer = number % buyers
        email = f"person-{buyer}@example.org"
        when = f"{DAY - timedelta(days=number * 3)} 10:00:00 +0100"
        total = f"{10 + number % 50}.00"
        email = email.upper() if number % 7 == 0 else email
        rows.append([f"#{number + 2}", email, "paid", "EUR", total, when, "", "0.00", "0.00", 1, "Bread"])
        if number % 5 == 0:
            rows.append([f"#{number + 2}", email, "", "", "", when, "", "", "", 1, "Wine"])
    with (folder / "orders_export_1.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([SHOPIFY, *rows])
    return folder


@pytest.fixture(autouse=True)
def _token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)


@pytest.fixture
def portal() -> Iterator[Shop]:
    """Forty contacts, of whom the shop knows all."""
    with shop(40, fields=False) as opened:
        yield opened


def test_orders_alone_become_segments_of_the_contacts_in_hubspot(tmp_path: Path, portal: Shop) -> None:
    config = tmp_path / "config.toml"
    made = commands.init(
        config, "hubspot", orders(tmp_path / "exports", 40), access={"api_url": portal.url},
        described={"time_zone": "Europe/Berlin"}, clock=OPTIONS.clock,
    )  # fmt: skip
    assert made["preview"]["orders"] == 240 and made["preview"]["contacts"] == made["preview"]["buyers"] == 40
    accounts = load(config).accounts
    assert (accounts["shop"].writable, accounts["portal"].writable) == (False, True)
    assert accounts["portal"].activity_from == ("shop",)
    checked = commands.check(config, OPTIONS)
    assert checked["exit_code"] == 0, checked["problems"]
    commands.setup(config, OPTIONS)
    done = commands.run(config, OPTIONS)
    assert done["exit_code"] == 0 and sum(done["pulled"]["rejected"].values()) == 0
    segments = portal.held("seg_rfm")
    assert set(segments) == set(portal.ids) and len(set(segments.values())) > 1
    assert "prospect" not in segments.values(), "each of them has bought"
    assert all(id in portal.ids for id in portal.held("seg_value"))


def test_who_buys_and_is_no_contact_is_counted_and_stops_the_plan(tmp_path: Path, portal: Shop) -> None:
    config = tmp_path / "config.toml"
    exports = orders(tmp_path / "exports", 80)
    commands.init(config, "hubspot", exports, access={"api_url": portal.url}, clock=OPTIONS.clock)
    commands.setup(config, OPTIONS)
    planned = commands.plan(config, Options(clock=OPTIONS.clock))
    (match,) = planned["reading"]["matches"].values() if "matches" in planned["reading"] else ({},)
    assert match == {} or (match["matched"], match["contacts"]) == (40, 80)
    assert "max_unmatched" in {trip["guard"] for trip in planned["plan"]["trips"]}


def test_a_customers_file_is_used_where_there_is_one(tmp_path: Path, portal: Shop) -> None:
    config, exports = tmp_path / "config.toml", orders(tmp_path / "exports", 40)
    people = [
        ["Customer ID", "First Name", "Last Name", "Email", "Accepts Email Marketing", "Default Address City"]
    ]
    people += [[f"'{n}", "A", "B", f"person-{n}@example.org", "yes", "Bonn"] for n in range(40)]
    with (exports / "customers_export.csv").open("w", newline="") as file:
        csv.writer(file).writerows(people)
    commands.init(config, "hubspot", exports, access={"api_url": portal.url}, clock=OPTIONS.clock)
    assert "of_orders" not in config.read_text()
    assert commands.check(config, OPTIONS)["exit_code"] == 0


def numbered(folder: Path) -> Path:
    """Orders that name the customer by a number alone."""
    folder.mkdir()
    rows = [f"A{n},{n % 40},{DAY - timedelta(days=n * 3)},{10 + n % 50}.00" for n in range(240)]
    (folder / "orders.csv").write_text("\n".join(["order_no,customer_no,order_date,total", *rows]))
    return folder


def test_orders_with_a_number_alone_need_the_field_that_holds_it(tmp_path: Path, portal: Shop) -> None:
    config, exports = tmp_path / "config.toml", numbered(tmp_path / "exports")
    with pytest.raises(CommandError, match=r"tells no e-mail address.*'customer_no'.*--match"):
        commands.init(config, "hubspot", exports, access={"api_url": portal.url})
    assert not config.exists()
    for number, id in enumerate(portal.ids):
        portal.portal.put("contacts", {"jobtitle": str(number)}, int(id))
    words = [
        "init",
        "--config",
        str(config),
        "--crm",
        "hubspot",
        "--path",
        str(exports),
        "--api-url",
        portal.url,
    ]
    made = CliRunner().invoke(app, [*words, "--match", "jobtitle"])
    assert made.exit_code == 0, made.output
    commands.setup(config, OPTIONS)
    assert commands.run(config, OPTIONS)["exit_code"] == 0
    assert set(portal.held("seg_rfm")) == set(portal.ids)


def test_without_a_crm_orders_alone_name_the_way(tmp_path: Path) -> None:
    exports = orders(tmp_path / "exports", 40)
    shown = CliRunner().invoke(
        app, ["init", "--config", str(tmp_path / "c.toml"), "--path", str(exports), "--json"]
    )
    assert shown.exit_code == 1
    assert f"crm-segments init --crm hubspot --path {exports}" in json.loads(shown.stdout)["error"]


def test_on_a_terminal_the_folder_is_asked_for(tmp_path: Path, portal: Shop) -> None:
    exports, questions = orders(tmp_path / "exports", 40), list[str]()

    def ask(question: str, proposed: str) -> str:
        questions.append(question)
        return str(exports) if "exports of orders" in question else proposed

    config = tmp_path / "config.toml"
    commands.init(config, "hubspot", ask=ask, access={"api_url": portal.url}, clock=OPTIONS.clock)
    assert set(load(config).accounts) == {"shop", "portal"}
    assert any("exports of orders" in question for question in questions)


def test_nobody_of_orders_is_left_out_and_not_refused(tmp_path: Path) -> None:
    config, exports = tmp_path / "config.toml", orders(tmp_path / "exports", 40)
    (tmp_path / "crm").mkdir()
    people = "".join(f"{n},person-{n}@example.org\n" for n in range(40))
    (tmp_path / "crm/activities.csv").write_text("contact_id,occurred_at,amount\n")
    (tmp_path / "crm/contacts.csv").write_text(f"id,email\n{people}")
    config.write_text(
        '[accounts.shop]\ncrm = "files"\npath = "exports"\n[accounts.shop.contacts]\nfiles = "orders_export_1.csv"\n'
        'of_orders = true\n[accounts.shop.contacts.columns]\nid = "Email"\n'
        '[accounts.shop.activities]\nfiles = "orders_export_1.csv"\nline_items = "blank"\n'
        '[accounts.shop.activities.columns]\ncontact_email = "Email"\norder_id = "Name"\noccurred_at = "Created at"\n'
        'amount = "Total"\n[accounts.crm]\ncrm = "files"\npath = "crm"\nactivity_from = ["shop"]\n'
        '[[segmentations]]\nname = "rfm"\nkind = "rfm"\nfield = "seg_rfm"\n'
    )
    assert exports.exists()
    done = commands.pull(config, OPTIONS)
    contacts = done["reading"]["accounts"]["shop"]["streams"]["contact"]
    assert (contacts["delivered"], contacts["refused"]) == (40, 0)
    assert contacts["left_out"] == {"orders that name nobody": 1, "further orders of a customer": 248}
