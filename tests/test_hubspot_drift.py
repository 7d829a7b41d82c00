"""People change a portal at random while it is read bit by bit: does the sum of what was read equal what is
there?
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import TemporaryError
from connectors.schemas import ATTRIBUTE
from tests.contract_suite import Reader
from tests.portal_store import PortalCrm
from tests.servers.hubspot import Fault, Knobs, Portal, serving

SEEN = ("email", "merged_into", ATTRIBUTE + "city", "record_id", "amount_minor", "kind", "occurred_at")


@pytest.fixture
def crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PortalCrm]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with serving(Portal(Knobs(index_lag=20, limited=False))) as server:
        crm = PortalCrm(server, activity=("deals",), products=False)
        yield crm
        crm.close()


class People:
    """Everybody who works in the portal."""

    def __init__(self, crm: PortalCrm, seed: int) -> None:
        self.crm, self.portal, self.dice = crm, crm.portal, random.Random(seed)
        self.count = 0

    def act(self) -> None:
        """One change, of some kind."""
        live, dice = self.portal.store.shelves["contacts"].live, self.dice
        deals = self.portal.store.shelves["deals"]
        doing = dice.choice(
            [
                "create",
                "edit",
                "edit",
                "archive",
                "restore",
                "merge",
                "buy",
                "buy",
                "reprice",
                "lose",
                "cancel",
            ]
        )
        self.count += 1
        if doing == "create" or len(live) < 5:
            self.portal.put("contacts", {"email": f"new{self.count}@example.org", "city": "Ulm"})
        elif doing == "edit":
            self.portal.put("contacts", {"city": f"Town {self.count}"}, dice.choice(live))
        elif doing == "archive":
            self.portal.archive("contacts", dice.choice(live))
        elif doing == "restore" and self.portal.store.shelves["contacts"].recycled:
            self.portal.restore("contacts", dice.choice(self.portal.store.shelves["contacts"].recycled))
        elif doing == "merge":
            self.portal.join("contacts", *dice.sample(live, 2))
        elif doing == "buy":
            moment = datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=dice.randrange(300))
            self.crm.buy(str(dice.choice(live)), moment, str(dice.randrange(1, 500)), f"order {self.count}")
        elif deals.live and doing == "reprice":
            self.portal.put("deals", {"amount": str(dice.randrange(1, 500))}, dice.choice(deals.live))
        elif deals.live and doing == "lose":
            self.portal.put(
                "deals", {"dealstage": dice.choice(["closedlost", "closedwon"])}, dice.choice(deals.live)
            )
        elif deals.live and doing == "cancel":
            self.portal.archive("deals", dice.choice(deals.live))


def read_on(reader: Reader, people: People) -> None:
    """Read a few pages, or as far as a broken connection lets us."""
    portal = people.portal
    portal.script.rules = [Fault("meanwhile", event="edit", probability=0.2)]
    if people.dice.random() < 0.3:
        portal.script.rules.append(
            Fault("status", status=477, retry_after=9000, nth=people.dice.randrange(1, 6))
        )
    try:
        reader.pull(pages=people.dice.choice([1, 2, None, None]))
    except TemporaryError:
        pass
    finally:
        portal.script.rules = []


def held(reader: Reader, contacts: Reader) -> dict[str, dict[str, Any]]:
    """What a reader knows of those who are there; the deeds of merged records are their survivors'."""
    into = {id: row["merged_into"] for id, row in contacts.rows.items() if row.get("merged_into")}
    here = contacts.rows.keys() - into.keys()
    rows_by_key = {}
    for key, row in reader.rows.items():
        owner = row.get("record_id", key)
        while owner in into and reader is not contacts:
            owner = into[owner]
        if owner in here:
            rows_by_key[key] = {**{name: row.get(name) for name in SEEN}, "record_id": owner}
    return rows_by_key


@pytest.mark.parametrize("mode", ["new", "keep"])
@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_read_bit_by_bit_is_what_a_new_reader_finds(crm: PortalCrm, seed: int, mode: str) -> None:
    crm.portal.knobs.merge_id = mode  # type: ignore[assignment]
    people = People(crm, seed)
    for _ in range(40):
        people.act()
    readers = [Reader(crm, "contact"), Reader(crm, "activity")]
    for _ in range(6):
        for _ in range(people.dice.randrange(6)):
            people.act()
        crm.portal.clock.advance(people.dice.choice([0, 1, 30, 200, 4000]))
        for reader in readers:
            read_on(reader, people)
    crm.portal.clock.advance(3600)
    for reader in readers:
        while reader.pull():
            pass
    fresh = [Reader(crm, reader.stream) for reader in readers]
    for reader in fresh:
        reader.pull()
    for reader, new in zip(readers, fresh, strict=True):
        assert held(reader, readers[0]) == held(new, fresh[0])
    live = {str(id) for id in crm.portal.store.shelves["contacts"].live}
    assert held(readers[0], readers[0]).keys() == live
