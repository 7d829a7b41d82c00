"""Do segments come from a real Tryton's parties and sales, and go back as people use them: as categories and mailing
lists that a user of Tryton filters by?
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import TemporaryError
from connectors.tryton.server import Tryton
from sync.exit_codes import CommandError
from tests.servers.tryton import TrytonServer, installed
from tests.tryton_shop import CUSTOMERS, TrytonShop, seed


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonServer]:
    with TrytonServer(installed(), tmp_path_factory.mktemp("tryton")) as started:
        seed(started)
        started.save(started.folder / "seeded")
        yield started


@pytest.fixture
def shop(server: TrytonServer, tmp_path: Path) -> TrytonShop:
    server.begin_again(server.folder / "seeded")
    return TrytonShop(tmp_path, server)


def test_every_customer_is_found_by_category_and_list_and_undo_takes_all_of_it_back(shop: TrytonShop) -> None:
    shop.do("setup")
    run = shop.do("run")
    categories = shop.categories()
    assert len(categories) > 1 and sum(map(len, categories.values())) == CUSTOMERS
    assert shop.in_lists() == {name: shop.addresses(ids) for name, ids in categories.items()}
    again = shop.do("run")
    assert (again["plan"]["plan"], again["calls"]["write"]) == (None, 0), (
        "an unchanged Tryton is not written to"
    )
    assert shop.do("undo", number=run["run"])["exit_code"] == 0
    assert (shop.categories(), shop.in_lists()) == ({}, {})


def test_what_people_do_between_runs_is_seen(shop: TrytonShop) -> None:
    shop.lists = "none"
    shop.do("setup")
    shop.do("run")
    people = shop.server.people()
    segment, ids = next((name, sorted(ids)) for name, ids in shop.categories().items() if len(ids) > 1)
    parties = people.find("party.party", [["id", "in", ids]], "categories")
    people.call("party.party", "write", [ids[0]], {"categories": [["remove", parties[0]["categories"]]]})
    people.call("party.party", "delete", [max(n for n in range(1, 42) if n not in _sold_to(people))])
    run = shop.do("run")
    assert run["exit_code"] == 0
    assert ids[0] not in shop.categories().get(segment, set()), "what a person took away stays away"
    assert sum(map(len, shop.categories().values())) == CUSTOMERS - 2


def test_a_category_of_a_person_is_taken_over_only_when_asked_and_outlives_us(shop: TrytonShop) -> None:
    shop.lists, people = "none", shop.server.people()
    (theirs,) = people.create("party.category", {"name": "Buying habits"})
    (vip,) = people.create("party.category", {"name": "VIP", "parent": theirs})
    people.call("party.party", "write", [5], {"categories": [["add", [vip]]]})
    with pytest.raises(CommandError, match="did not create"):
        shop.do("setup")
    assert people.find("party.category", [["parent", "=", theirs]], "name") == [{"id": vip, "name": "VIP"}]
    shop.do("setup", adopt=["seg_rfm"])
    shop.do("run")
    assert sum(map(len, shop.categories().values())) >= CUSTOMERS
    shop.segmented = False
    shop.do("retire", target="seg_rfm")
    assert people.in_category("Buying habits", "VIP") == {5}


def test_a_list_of_a_person_is_no_list_of_ours(shop: TrytonShop) -> None:
    people = shop.server.people()
    shop.do("setup")
    ours = people.find("marketing.email.list", [], "name")[0]["name"]
    shop.server.begin_again(shop.server.folder / "seeded")
    people = shop.server.people()
    (theirs,) = people.create("marketing.email.list", {"name": ours, "language": 1})
    people.create("marketing.email", {"email": "friend@example.org", "list_": theirs})
    fresh = TrytonShop(shop.folder / "fresh", shop.server)
    fresh.folder.mkdir()
    with pytest.raises(CommandError, match="did not create"):
        fresh.do("setup")
    assert people.members(ours) == {"friend@example.org"}


def test_who_unsubscribed_is_not_put_back_into_a_list(shop: TrytonShop) -> None:
    shop.do("setup")
    shop.do("run")
    people = shop.server.people()
    entry = people.find("marketing.email", [], "email", "list_")[0]
    people.call("marketing.email", "write", [entry["id"]], {"active": False})
    shop.do("run")
    (listed,) = people.find("marketing.email.list", [["id", "=", entry["list_"]]], "name")
    assert entry["email"] not in people.members(listed["name"])


def test_a_run_that_is_killed_while_it_writes_is_finished_by_the_next(shop: TrytonShop) -> None:
    shop.do("setup")
    process = shop.started("run")
    people, ends = shop.server.people(), time.monotonic() + 60
    while process.poll() is None and time.monotonic() < ends:
        if people.find("party.party", [["categories", "!=", None]], "id"):
            process.kill()
    process.wait()
    shop.do("run")
    assert sum(map(len, shop.categories().values())) == CUSTOMERS
    assert shop.in_lists() == {name: shop.addresses(ids) for name, ids in shop.categories().items()}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_server_that_dies_around_a_write_is_written_to_once_it_is_back(
    shop: TrytonShop, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    shop.lists = "none"
    shop.do("setup")
    write, crashes = Tryton.write, [1]

    def crashing(self: Tryton, model: str, *arguments: Any, **options: Any) -> None:
        if crashes and model == "party.party":
            crashes.clear()
            if when == "after":
                write(self, model, *arguments, **options)
            shop.server.kill()
            shop.server.start()
            if when == "after":
                raise TemporaryError("The answer was lost.")
        write(self, model, *arguments, **options)

    monkeypatch.setattr(Tryton, "write", crashing)
    with suppress(CommandError):  # it may say that the CRM is away: the next run goes on
        shop.do("run")
    shop.do("run")
    assert not crashes
    assert sum(map(len, shop.categories().values())) == CUSTOMERS


def _sold_to(people: Any) -> set[int]:
    return {row["party"] for row in people.find("sale.sale", [], "party")} | {1}
