"""A HubSpot portal: contacts, companies, deals, dynamic and static lists, people who edit, and refused records.

The portal's clock stands still but between the steps.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests import portal_shop
from tests.oracle.normal import Tree
from tests.oracle.player import Player
from tests.servers.hubspot import Clock, Fault, Knobs, Portal, seed, serving

_START = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
_DAY = date(2026, 3, 8)
_KNOBS: dict[str, Any] = {
    "limit": 1_000_000,
    "search_limit": 1_000_000,
    "list_build": 0.0,
    "list_lag": 0.0,
    "index_lag": 0.0,
}
_MORE = """
[[segmentations]]
name = "tiers"
title = "Tiers"
kind = "rules"
field = "seg_tiers"
lists = "static"
extra_fields = ["reason"]
population = { attribute = "record_type", is = "company" }

[[segmentations.segments]]
key = "customer"
title = "Customer"
when = { did = "purchase" }

[[segmentations.segments]]
key = "other"
title = "Other"
when = { attribute = "id", is_set = true }

[[segmentations]]
name = "news"
title = "Newsletter"
kind = "rules"
field = "seg_news"
lists = "dynamic"
reachable_only = true
extra_fields = ["reason", "since", "previous"]

[[segmentations.segments]]
key = "south"
title = "South"
when = { attribute = "city", in = ["Ulm", "Graz", "Bern"] }

[[segmentations.segments]]
key = "buyers"
title = "Buyers"
when = { feature = "purchase_days", at_least = 2 }
"""


def play(folder: Path, small: bool) -> dict[str, Tree]:
    size = 1 if small else 10
    with pytest.MonkeyPatch.context() as patch:
        portal_shop.hasten(patch, folder)
        portal = Portal(Knobs(**_KNOBS), Clock(0.0, _START))
        seed(portal, 60 * size, 150 * size, 12 * size)
        portal.flows.add("Welcome", property="seg_value", value="a")
        with serving(portal) as server:
            (folder / "company").mkdir(parents=True)
            shop = portal_shop.Shop(folder / "company", server, lists="static", more=_MORE)
            player = Player(shop.folder, shop.config, clock=shop.now)
            _listen(portal, player)
            _played(portal, player)
            return player.end()


def _listen(portal: Portal, player: Player) -> None:
    """Let the player know of every call."""
    answer = portal.answer

    def heard(method: str, target: str, headers: dict[str, str], body: bytes) -> Any:
        player.call(method, target, body, headers)
        return answer(method, target, headers, body)

    portal.answer = heard  # type: ignore[method-assign]


def _played(portal: Portal, player: Player) -> None:
    player.do("check", "check", as_of=_DAY)
    player.do("setup", "setup", as_of=_DAY)
    portal.clock.advance(3600)
    planned = player.do("first plan", "plan", as_of=_DAY)["plan"]["plan"]
    player.do("canary", "apply", as_of=_DAY, number=planned, first=5)
    portal.clock.advance(60)
    people = sorted(portal.dump("contacts"), key=int)
    portal.knobs.poison = {people[7]: "INVALID_EMAIL"}
    player.do("first apply", "apply", as_of=_DAY, number=planned)
    portal.clock.advance(3600)
    player.do("rejects", "rejects", as_of=_DAY)
    player.do("quiet run", "run", as_of=_DAY)
    portal.clock.advance(3600)
    portal.put("contacts", {"city": "Kiel", "hs_email_optout": "true"}, int(people[1]))
    portal.put("contacts", {"city": "Ulm", "seg_value": "a"}, int(people[2]))
    portal.put("contacts", {"email": "new@example.org", "city": "Bern"})
    portal.archive("contacts", int(people[5]))
    portal.knobs.poison = {}
    portal.clock.advance(400 * 86_400)
    later = date(2027, 4, 10)
    portal.script.rules = [Fault(method="POST", path="batch/update", nth=1, do="status", status=502)]
    run = player.do("run after a year", "run", as_of=later)
    portal.clock.advance(3600)
    player.do("someone", "show", id=people[2])
    player.do("undo", "undo", as_of=later, number=run.get("run", 0))
    portal.clock.advance(3600)
    player.do("run under holds", "run", as_of=later)
    player.do("forget", "forget", as_of=later, id=people[9])
    player.do("status", "status", as_of=later)
    for kind in ("contacts", "companies"):
        player.note(f"{kind} of the portal", {"unordered": list(portal.dump(kind).values())})
