"""Whose purchases are these?

Merges, conversions, deletions, strangers, shops, companies, and people who object.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.world import ALLOWED, World

EVERYONE = 'population = { attribute = "record_type", in = ["contact", "lead", "company"] }\n'


def started(folder: Path, customers: int = 10, **settings: Any) -> World:
    """A world that was set up but not labelled."""
    world = World(folder, **{"lists": "none", **settings})
    world.customers(customers)
    world.do("setup")
    return world


def feature(world: World, id: str, name: str = "net_revenue") -> Any:
    return world.do("show", id=id)["features"].get(name)


def run(world: World) -> dict[str, Any]:
    answer = world.do("run", allow=ALLOWED)
    assert answer["exit_code"] == 0, answer["applied"]
    return answer


def test_purchases_of_a_merged_contact_are_the_survivors(tmp_path: Path) -> None:
    world = started(tmp_path)
    run(world)
    before = [feature(world, id) for id in ("3", "4")]
    world.store.merge("3", "4")
    run(world)
    assert feature(world, "4") == sum(before)
    assert "3" not in world.labels("rfm") and "4" in world.labels("rfm")


def test_a_chain_of_merges_ends_at_its_last_survivor(tmp_path: Path) -> None:
    world = started(tmp_path)
    run(world)
    total = sum(feature(world, id) for id in ("2", "3", "4", "6"))
    for loser, survivor in (("2", "3"), ("3", "4"), ("4", "6")):
        world.store.merge(loser, survivor)
        run(world)
    assert feature(world, "6") == total
    world.buys("2", 1, 700)
    run(world)
    assert feature(world, "6") == total + 700


@pytest.mark.parametrize("lost", [False, True])
def test_the_order_in_which_merges_arrive_does_not_matter(tmp_path: Path, lost: bool) -> None:
    world = started(tmp_path)
    run(world)
    total = sum(feature(world, id) for id in ("2", "3", "4"))
    world.store.merge("3", "4")
    world.store.merge("2", "3")
    if lost:
        world.lose_mirror()
    run(world)
    assert feature(world, "4") == total


def test_who_was_merged_into_somebody_now_gone_stands_for_nobody(tmp_path: Path) -> None:
    world = started(tmp_path)
    run(world)
    world.store.merge("3", "4")
    run(world)
    world.store.delete("4")
    run(world)
    assert not {"3", "4"} & world.labels("rfm").keys()
    world.lose_mirror()
    run(world)
    assert not {"3", "4"} & world.labels("rfm").keys()


def test_a_lead_that_becomes_a_contact_takes_its_history_and_its_objection_along(tmp_path: Path) -> None:
    world = started(tmp_path, label=EVERYONE)
    world.store.put("L1", "lead", email="lead@example.org")
    world.buys("L1", 5, 4200, record_type="lead")
    world.store.put("L2", "lead", objects_to_profiling=True)
    run(world)
    assert world.labels("rfm")["L1"]
    world.store.convert("L1", "50")
    world.store.convert("L2", "51")
    run(world)
    assert feature(world, "50") == 4200
    assert "50" in world.labels("rfm") and not {"51", "L1", "L2"} & world.labels("rfm").keys()


def test_a_deleted_contact_loses_its_label_and_a_returning_one_has_its_history_back(tmp_path: Path) -> None:
    world = started(tmp_path)
    run(world)
    revenue, row = (
        feature(world, "4"),
        {k: v for k, v in world.store.records["contact", "4"].items() if k not in ("id", "record_type")},
    )
    world.store.delete("4")
    run(world)
    assert "4" not in world.labels("rfm")
    world.store.put("4", **{**row, "deleted": False})
    assert run(world)["plan"]["kept"] == 0
    assert feature(world, "4") == revenue
    assert world.held("seg_rfm")["4"] == world.labels("rfm")["4"]


def test_activity_of_a_stranger_waits_until_we_know_them(tmp_path: Path) -> None:
    world = started(tmp_path)
    world.buys("77", 3, 1234)
    assert run(world)["pulled"]["parked"] == 1
    assert run(world)["pulled"]["parked"] == 1
    world.store.put("77")
    assert run(world)["pulled"]["parked"] == 0
    assert feature(world, "77") == 1234


def test_what_we_wrote_is_cleared_when_someone_objects_to_profiling(tmp_path: Path) -> None:
    world = started(tmp_path, lists="static", extra_fields='["reason", "since"]')
    run(world)
    world.store.put("4", objects_to_profiling=True)
    run(world)
    assert not any(
        "4" in world.held(name) for name in ("seg_rfm", "seg_rfm_reason", "seg_rfm_since", "seg_value")
    )
    assert not any("4" in ids for ids in world.members().values())
    world.store.put("4", objects_to_profiling=False)
    run(world)
    assert world.held("seg_rfm")["4"] == world.labels("rfm")["4"]


def test_an_objection_of_the_merged_one_binds_the_survivor(tmp_path: Path) -> None:
    world = started(tmp_path)
    run(world)
    world.store.put("3", objects_to_profiling=True)
    run(world)
    world.store.merge("3", "4")
    run(world)
    assert "4" not in world.labels("rfm") and "4" not in world.held("seg_rfm")


def test_a_companys_features_are_those_of_its_contacts(tmp_path: Path) -> None:
    world = started(tmp_path, customers=0, label=EVERYONE)
    world.store.put("acme", "company")
    for id, amount in (("1", 1000), ("2", 250)):
        world.store.put(id, company_id="acme")
        world.buys(id, 2, amount)
    world.buys("acme", 9, 40, record_type="company")
    run(world)
    assert feature(world, "acme") == 1290
    assert feature(world, "1") == 1000
    assert {"acme", "1", "2"} <= world.labels("rfm").keys()


SHOP = 'activity_from = ["shop"]\nmatch = "email"\n\n[accounts.shop]\ncrm = "files"\npath = "unused too"\n'


def with_shop(folder: Path) -> World:
    """Contacts in a portal, purchases in a shop."""
    world = World(folder, lists="none", account=SHOP)
    for number in range(1, 6):
        world.store.put(str(number), email=f"Customer{number}@example.org ")
        world.shop.put(f"s{number}", email=f"customer{number}@EXAMPLE.org")
    world.do("setup")
    return world


def shop_sells(world: World, id: str, amount: int) -> None:
    world.store, world.shop = world.shop, world.store
    world.buys(id, 3, amount)
    world.store, world.shop = world.shop, world.store


def test_a_shops_purchases_belong_to_the_contacts_of_the_same_address(tmp_path: Path) -> None:
    world = with_shop(tmp_path)
    shop_sells(world, "s1", 500)
    shop_sells(world, "s1", 25)
    run(world)
    assert feature(world, "1") == 525
    assert feature(world, "2") in (None, 0)
    assert not any(name.startswith("field.") for row in world.shop.records.values() for name in row), (
        "the shop is not written"
    )


def test_purchases_under_an_address_that_two_contacts_share_are_neithers_and_are_counted(
    tmp_path: Path,
) -> None:
    world = with_shop(tmp_path)
    world.store.put("99", email="customer1@example.org")
    world.shop.put("s99", email="customer2@example.org")
    shop_sells(world, "s1", 500)
    shop_sells(world, "s2", 60)
    shop_sells(world, "s99", 7)
    answer = run(world)
    assert [feature(world, id) or 0 for id in ("1", "99", "2")] == [0, 0, 67]
    assert answer["reading"]["accounts"]["shop"]["feed"]["ambiguous"] == 1
    world.store.delete("99")
    run(world)
    assert feature(world, "1") == 500, "now the address is of one contact"


def test_a_shop_customer_who_appears_later_finds_the_purchases(tmp_path: Path) -> None:
    world = with_shop(tmp_path)
    shop_sells(world, "s7", 300)
    run(world)
    world.shop.put("s7", email="late@example.org")
    world.store.put("7", email="late@example.org")
    run(world)
    assert feature(world, "7") == 300
    assert run(world)["calls"]["write"] == 0


def test_a_lost_mirror_heals_with_one_pull_to_the_same_features_and_labels(tmp_path: Path) -> None:
    world = started(tmp_path)
    run(world)
    before, labels = [feature(world, str(n)) for n in range(1, 11)], world.labels("rfm")
    world.lose_mirror()
    assert run(world)["calls"]["write"] == 0
    assert [feature(world, str(n)) for n in range(1, 11)] == before and world.labels("rfm") == labels
