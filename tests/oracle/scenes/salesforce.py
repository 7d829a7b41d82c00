"""A Salesforce org, once by pages and single records and once by bulk jobs: campaigns as lists, people who
edit, delete and merge, and refused records.

The org's clock stands still but between the steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import org_shop
from tests.oracle.normal import Tree
from tests.oracle.player import Player
from tests.org_store import RIGHTS
from tests.servers.salesforce import Org, seed, serving
from tests.servers.salesforce import http as wire
from tests.servers.salesforce.clock import Clock
from tests.servers.salesforce.service import serve as answer

_POLLS = r"/jobs/(query|ingest)/\w+$"
_MORE = """
[[segmentations]]
name = "places"
title = "Places"
kind = "rules"
field = "seg_places"
extra_fields = ["reason", "since", "previous"]
lists = "dynamic"

[[segmentations.segments]]
key = "south"
title = "South"
when = { attribute = "city", in = ["Ulm", "Mainz", "Trier"] }

[[segmentations.segments]]
key = "buyers"
title = "Buyers"
when = { feature = "purchase_days", at_least = 2 }
"""


def play(folder: Path, small: bool) -> dict[str, Tree]:
    size = 1 if small else 8
    return {
        "pages": _part(folder / "pages", 60 * size, 120 * size, {}),
        "bulk": _part(folder / "bulk", 220 * size, 2_100 * size, {"reads": 2_000, "writes": 200}),
    }


def _part(folder: Path, contacts: int, opportunities: int, settings: dict[str, Any]) -> dict[str, Tree]:
    with pytest.MonkeyPatch.context() as patch:
        org_shop.hasten(patch, folder)
        org = Org(7, rights=RIGHTS, clock=Clock(org_shop.START, speed=0.0))
        seed(org, contacts, opportunities=opportunities, campaigns=1, days=500, odd=True)
        with _listening(patch) as heard, serving(org) as server:
            (folder / "company").mkdir(parents=True)
            shop = org_shop.Shop(folder / "company", server, more=_MORE, **settings)
            player = Player(shop.folder, shop.config, clock=org.clock.now, polls=_POLLS)
            heard.append(player)
            _played(org, player)
            assert org.errors == [], org.errors
            return player.end()


@contextmanager
def _listening(patch: pytest.MonkeyPatch) -> Iterator[list[Player]]:
    """Whoever is in the list knows of every call."""
    players: list[Player] = []

    def heard(org: Org, request: Any, faults: Any) -> Any:
        for player in players:
            player.call(request.method, request.target, request.body, request.headers)
        return answer(org, request, faults)

    patch.setattr(wire, "serve", heard)
    yield players


def _played(org: Org, player: Player) -> None:
    day = org_shop.DAY
    player.do("check", "check", as_of=day)
    player.do("setup", "setup", as_of=day)
    org.clock.advance(3600)
    planned = player.do("first plan", "plan", as_of=day)["plan"]["plan"]
    player.do("canary", "apply", as_of=day, number=planned, first=5)
    player.do("first apply", "apply", as_of=day, number=planned)
    org.clock.advance(3600)
    player.do("quiet run", "run", as_of=day)
    org.clock.advance(3600)
    ids = sorted(row["Id"] for row in org.rows("Contact"))
    org.edit("Contact", ids[1], MailingCity="Ulm")
    org.edit("Contact", ids[2], seg_rfm__c=None)
    org.delete("Contact", ids[3])
    org.merge("Contact", ids[4], ids[5])
    org.create("Contact", LastName="Neumann", MailingCity="Mainz", Email="neu@example.org")
    org.clock.advance(400 * 86_400)
    later = day.replace(year=2027)
    run = player.do("run after a year", "run", as_of=later)
    org.clock.advance(3600)
    player.do("rejects", "rejects", as_of=later)
    player.do("someone", "show", as_of=later, id=ids[1])
    player.do("undo", "undo", as_of=later, number=run.get("run", 0))
    org.clock.advance(3600)
    player.do("run under holds", "run", as_of=later)
    player.do("forget", "forget", as_of=later, id=ids[9])
    player.do("status", "status", as_of=later)
    for entity in ("Contact", "CampaignMember"):
        player.note(f"{entity} of the org", {"unordered": org.rows(entity)})
