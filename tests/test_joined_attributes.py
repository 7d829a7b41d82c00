"""Does what another account knows of a person steer the segments of the CRM's contact, and nothing it does not
know?
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sync.exit_codes import CommandError, GuardTripped
from tests.test_forget import ID, MAIL
from tests.test_forget import traces as files_with_the_person
from tests.world import ALLOWED, World

ACCOUNT = """attributes_from = ["shop"]
{match}
[accounts.portal.attributes]
customer = "customer_number"

[accounts.shop]
crm = "files"
path = "unused too"
[accounts.shop.attributes]
tier = {{ field = "loyalty", type = "ordered", order = ["bronze", "silver", "gold"] }}
plan = "plan"
spent = {{ field = "spent", type = "number" }}
card = {{ field = "card", type = "number" }}
likes = {{ field = "likes", type = "set" }}
"""
RULES = """[[segmentations]]
name = "tiers"
kind = "rules"
field = "seg_tiers"
extra_fields = ["reason"]
segments = [
    { key = "top", when = { attribute = "shop.tier", at_least = "gold" } },
    { key = "paying", when = { any = [{ attribute = "shop.plan", is = "pro" }, { attribute = "shop.spent", above = 99 }] } },
    { key = "wine", when = { attribute = "shop.likes", contains = "wine" } },
    { key = "known", when = { attribute = "shop.tier", is_set = true } },
]
"""


def a_world(folder: Path, match: str = "", rules: str = RULES, **settings: Any) -> World:
    """Five contacts in a portal, four of them customers of a shop."""
    account = ACCOUNT.format(match=match)
    world = World(folder, account=account, value=rules, **{"lists": "none", **settings})
    for number in range(1, 6):
        world.store.put(str(number), email=f"Customer{number}@example.org ", customer_number=f"00{number}")
        world.buys(str(number), number, 1000)
    for number in range(1, 5):
        world.shop.put(f"s{number}", email=f"customer{number}@EXAMPLE.org", loyalty="silver", card=number)
    world.do("setup")
    return world


def run(world: World) -> dict[str, str]:
    """The segments after a run, as the CRM holds them."""
    answer = world.do("run", allow=ALLOWED)
    assert answer["exit_code"] == 0, answer
    return world.held("seg_tiers")


def of_the_shop(answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = answer["reading"]["accounts"]["shop"]["match"]
    return found


def test_attributes_of_every_type_steer_rules_on_the_contacts_of_the_same_address(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    world.shop.put("s1", loyalty="gold")
    world.shop.put("s2", plan=" PRO ")
    world.shop.put("s3", spent=100.0)
    world.shop.put("s4", likes="cheese;Wine")
    assert run(world) == {"1": "top", "2": "paying", "3": "paying", "4": "wine"}
    assert world.held("seg_tiers_reason")["2"] == "paying: shop.plan PRO", "as the shop spells it"
    assert not any(name.startswith("field.") for row in world.shop.records.values() for name in row)


def test_the_activity_of_an_account_that_gives_attributes_alone_counts_for_nobody(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    world.store, world.shop = world.shop, world.store
    world.buys("s5", 3, 99_999)
    world.store, world.shop = world.shop, world.store
    run(world)
    assert world.do("show", id="5")["features"]["net_revenue"] == 1000
    pulled = world.do("pull")
    assert pulled["reading"]["accounts"]["shop"]["feed"] is None
    assert "shop.activity" not in pulled["pulled"]["rows"]


def test_all_addresses_of_both_sides_are_tried(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    world.store.put("5", emails=["old@example.org", "five@example.org"])
    world.shop.put("s5", email="nobody@example.org", emails=["FIVE@example.org "], loyalty="gold")
    assert run(world)["5"] == "top"


def test_a_changed_and_a_removed_value_and_a_deleted_customer_are_followed_at_the_next_run(
    tmp_path: Path,
) -> None:
    world = a_world(tmp_path)
    assert run(world)["1"] == "known"
    world.shop.put("s1", loyalty="gold")
    assert run(world)["1"] == "top"
    world.shop.put("s1", loyalty=None)
    world.shop.delete("s2")
    assert run(world) == {"3": "known", "4": "known"}
    world.lose_mirror()
    answer = world.do("run", allow=ALLOWED)
    assert answer["calls"]["write"] == 0, "a new mirror tells the same"


def test_nothing_is_written_where_nothing_changed(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    run(world)
    assert world.do("run", allow=ALLOWED)["calls"]["write"] == 0


def test_customers_who_are_one_contact_give_what_they_agree_on(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    world.shop.put("s91", email="customer1@example.org", loyalty="gold")
    world.shop.put("s92", email="customer2@example.org", loyalty="silver", likes="b;a")
    world.shop.put("s2", likes="a;b")
    world.shop.put("s93", email="customer3@example.org")  # its tier is not known
    held = run(world)
    assert held == {"2": "known", "3": "known", "4": "known"}
    counted = of_the_shop(world.do("pull"))["attributes"]
    assert counted["shop.tier"] == {"known": 3, "disagreeing": 1}
    assert counted["shop.likes"] == {"known": 1, "disagreeing": 0}, "the order of a set is none"


def test_a_customer_who_fits_two_contacts_gives_nothing_to_either_and_is_counted(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    world.store.put("5", email="customer1@example.org")
    assert not {"1", "5"} & run(world).keys()
    found = of_the_shop(world.do("pull"))
    assert (found["contacts"], found["matched"], found["ambiguous"], found["unmatched"]) == (4, 3, 1, 0)
    world.store.merge("5", "1")
    assert run(world)["1"] == "known", "the two are one now"


@pytest.mark.parametrize(
    ("match", "keys"),
    [
        ('match = { own = "customer", other = "id" }', {"id": "00{}"}),
        ('match = { shop = { own = "customer", other = "card" } }', {"card": "{}"}),
        ('match = { shop = { own = "id", other = "card" } }', {"card": "{}"}),
        ('match = "id"', {"id": "{}"}),
    ],
)
def test_customers_are_found_by_an_id_or_any_attribute(
    tmp_path: Path, match: str, keys: dict[str, str]
) -> None:
    world = a_world(tmp_path, match)
    for number in range(1, 5):
        world.shop.delete(f"s{number}")
        id = keys.get("id", "x{}").format(number)
        card = float(number) if "card" in keys else None
        world.shop.put(id, email="everybody@example.org", loyalty="gold", card=card)
    assert run(world) == dict.fromkeys("1234", "top")


def test_purchases_and_attributes_are_found_by_the_same_key(tmp_path: Path) -> None:
    world = a_world(tmp_path, 'match = { own = "customer", other = "id" }\nactivity_from = ["shop"]')
    world.shop.put("005", loyalty="gold")
    world.store, world.shop = world.shop, world.store
    world.buys("005", 3, 500)
    world.store, world.shop = world.shop, world.store
    assert run(world) == {"5": "top"}
    assert world.do("show", id="5")["features"]["net_revenue"] == 1500


def test_who_objects_in_the_shop_is_not_profiled_by_its_attributes(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    run(world)
    world.shop.put("s1", objects_to_profiling=True)
    assert run(world).keys() == {"2", "3", "4"}
    assert "1" not in world.held("seg_rfm")


@pytest.mark.parametrize("match", ["", 'match = { own = "customer", other = "id" }'])
def test_a_person_who_is_forgotten_is_so_in_the_shop_too(tmp_path: Path, match: str) -> None:
    world = a_world(tmp_path, match)
    world.store.put(ID, email=MAIL, customer_number="c4711")
    address = "other@example.org" if match else MAIL
    world.shop.put("C4711", email=address, loyalty="gold")
    assert run(world)[ID] == "top"
    answer = world.do("forget", id=ID)
    assert answer["forgotten"] == 2 and ID not in world.held("seg_tiers")
    assert files_with_the_person(tmp_path) == []
    mirror = (tmp_path / "state" / "mirror.duckdb").read_bytes()
    assert address.encode() not in mirror and b"C4711" not in mirror
    run(world)
    assert ID not in world.held("seg_tiers"), "neither account brings the person back"


# -- told, and loud ------------------------------------------------------------------------------------------


def test_a_plan_tells_how_many_match(tmp_path: Path) -> None:
    from sync.pull.reading import sentences

    world = a_world(tmp_path)
    world.store.put("5", email="customer1@example.org")
    world.shop.put("s9", email="nobody@example.org")
    told = sentences(world.do("plan", allow=ALLOWED)["reading"])
    assert "3 of 5 contacts of shop (60.0%) are found here by email; 1 match nobody." in told
    assert "1 contacts of shop (20.0%) fit several contacts here: nothing of theirs counts for any." in told
    assert "3 contacts here have shop.tier." in told


def test_a_shop_in_which_nobody_is_found_stops_a_plan_and_is_a_problem_of_check(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    run(world)
    for number in range(1, 5):
        world.shop.put(f"s{number}", email=f"x{number}@example.org")
    others = {guard: reason for guard, reason in ALLOWED.items() if guard != "max_unmatched"}
    with pytest.raises(GuardTripped, match="none of the 4 contacts of shop is found here by email"):
        world.do("run", allow=others)
    assert world.held("seg_tiers").keys() == {"1", "2", "3", "4"}, "nothing was written"
    checked = world.do("check")
    assert checked["exit_code"] == 1
    assert [p["what"] for p in checked["problems"]] == [
        "In the last reading none of the 4 contacts of shop is found here by email."
    ]


def test_a_match_that_collapses_against_the_last_good_run_stops_a_plan(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    for number in range(6, 56):
        world.store.put(str(number), email=f"customer{number}@example.org")
        world.shop.put(f"s{number}", email=f"customer{number}@example.org", loyalty="silver")
    run(world)
    for number in range(6, 16):
        world.shop.put(f"s{number}", email=f"x{number}@example.org")
    others = {guard: reason for guard, reason in ALLOWED.items() if guard != "max_unmatched"}
    with pytest.raises(
        GuardTripped, match=r"10 of 54 contacts of shop \(18.5%\) .* last good run it was 0.0%"
    ):
        world.do("run", allow=others)


def test_an_attribute_of_the_shop_is_judged_and_shown_like_one_of_the_contact(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    run(world)
    coverage = world.do("label", explain=True)["explain"]["tiers"]["coverage"]
    assert coverage["shop.tier"] == 0.8 and coverage["shop.plan"] == 0
    card = world.do("evaluate", composition=["shop.tier"])["cards"]["tiers"]
    assert "shop.tier" in str(card["composition"])
    with pytest.raises(CommandError, match=r"has no attribute 'shop.hat': it has customer, shop.tier"):
        world.do("evaluate", composition=["shop.hat"])
    world.do("report", out=tmp_path / "report.html")
    assert "shop.tier" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_clusters_learn_from_attributes_of_the_shop(tmp_path: Path) -> None:
    rules = """[[segmentations]]
name = "tiers"
kind = "clusters"
field = "seg_tiers"
attributes = ["shop.tier"]
k = 2
"""
    world = a_world(tmp_path, rules=rules)
    for number in range(6, 206):
        world.store.put(str(number), email=f"customer{number}@example.org")
        world.buys(str(number), 3, 1000)
        tier = "gold" if number % 2 else "bronze"
        world.shop.put(f"s{number}", email=f"customer{number}@example.org", loyalty=tier)
    held = run(world)
    gold, bronze = ({held[str(n)] for n in range(6 + odd, 206, 2)} for odd in (1, 0))
    assert len(gold) == len(bronze) == 1 and gold != bronze
