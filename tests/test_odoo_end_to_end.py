"""Do segments go into an Odoo and out of it again, through the commands of the product, on a stand-in for it?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sync import commands
from sync.commands import Options
from tests.servers.odoo import KEY, Database, Server, serving
from tests.world import ALLOWED

DAY = date(2026, 11, 1)
CUSTOMERS = 40
CONFIG = """
state_dir = "state"
as_of = 2026-11-01

[accounts.odoo]
crm = "odoo"
api_url = "{url}"
database = "shop"
user = "sync"
api_key = "env:ODOO_KEY_OF_A_TEST"
"""
SEGMENTATION = """
[[segmentations]]
name = "rfm"
title = "Buying habits"
kind = "rfm"
field = "seg_rfm"
lists = "{lists}"
"""


class OdooShop:
    """A database with customers, and a folder with the config and the state of our program."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder, self.server, self.database, self.lists = folder, server, server.database, "dynamic"
        self.segmented = True

    def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        path = self.folder / "config.toml"
        text = CONFIG + (SEGMENTATION if self.segmented else "")
        path.write_text(text.format(url=self.server.url, lists=self.lists), encoding="utf-8")
        options = Options(allow=ALLOWED, as_of=DAY, clock=lambda: datetime.now(UTC))
        answer: dict[str, Any] = getattr(commands, command)(path, options, **arguments)
        return answer

    def segments(self) -> dict[int, str]:
        rows = self.database.rows["res.partner"].values()
        return {row["id"]: row["x_seg_rfm"] for row in rows if row.get("x_seg_rfm")}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OdooShop]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("ODOO_KEY_OF_A_TEST", KEY)
    database = Database()
    for n in range(CUSTOMERS):
        partner = database.make("res.partner", name=f"Customer {n}", email=f"customer{n}@example.org")
        for sale in range(n % 5):
            day = f"{DAY - timedelta(days=(n * 7 + sale * 31) % 300 + 1)} 10:00:00"
            values = {"state": "sale", "date_order": day, "amount_untaxed": 10.0 + n, "currency_id": 1}
            database.make("sale.order", partner_id=partner, **values)
    with serving(database) as server:
        yield OdooShop(tmp_path, server)


def test_every_partner_gets_a_segment_and_filters_find_it_and_undo_takes_it_back(shop: OdooShop) -> None:
    shop.do("setup")
    run = shop.do("run")
    segments = shop.segments()
    assert len(segments) == CUSTOMERS and len(set(segments.values())) > 1
    found = {
        id
        for row in shop.database.rows["ir.filters"].values()
        for id in shop.database.execute("res.partner", "search", [[list(c) for c in eval(row["domain"])]], {})
    }
    assert found == set(segments)
    again = shop.do("run")
    assert (again["plan"]["plan"], again["calls"]["write"]) == (None, 0), (
        "an unchanged Odoo is not written to"
    )
    assert shop.do("undo", number=run["run"])["exit_code"] == 0
    assert shop.segments() == {}


def test_lists_of_addresses_follow_the_segments_and_retiring_leaves_those_of_people(shop: OdooShop) -> None:
    shop.lists = "static"
    theirs = shop.database.make("mailing.list", name="Friends")
    shop.database.make("mailing.contact", name="x", email="friend@example.org", list_ids=[[4, theirs]])
    shop.do("setup")
    shop.do("run")
    members = [row for row in shop.database.rows["mailing.subscription"].values() if row["list_id"] != theirs]
    assert len(members) == CUSTOMERS
    shop.segmented = False
    shop.do("retire", target="rfm")
    left = [row["list_id"] for row in shop.database.rows["mailing.subscription"].values()]
    assert left == [theirs]
    lists = shop.database.rows["mailing.list"].values()
    assert [row["name"] for row in lists if row["active"]] == ["Friends"]
