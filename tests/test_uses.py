"""Is only that read which some segmentation uses, and is every call counted where it is made?"""

from __future__ import annotations

from pathlib import Path

import pytest

from segmentation.kinds.base import MONEY
from sync.config.uses import activity_types_used, types_used
from tests.world import World

RULES = """[[segmentations]]
name = "audience"
kind = "rules"
field = "seg_audience"
{population}
[[segmentations.segments]]
key = "near"
when = {when}
"""


def only(folder: Path, when: str = '{ attribute = "email", is_set = true }', population: str = "") -> World:
    """A world whose one segmentation is of rules."""
    text = RULES.format(when=when, population=population)
    world = World(folder, value=text)
    config = folder / "config.toml"
    config.write_text(
        f'state_dir = "state"\nas_of = 2024-06-30\n[accounts.portal]\ncrm = "files"\npath = "x"\n{text}'
    )
    world.config = lambda: __import__("sync.config.config", fromlist=["load"]).load(config)  # type: ignore[method-assign]
    return world


@pytest.mark.parametrize(
    ("when", "kinds"),
    [
        ('{ attribute = "email", is_set = true }', set()),
        ('{ did = "purchase", within_days = 90 }', MONEY),
        ('{ feature = "mean_gap_days", above = 3 }', MONEY),
        ('{ share_of = "shoes", above = 0.3 }', MONEY),
        ('{ last = "purchase", at_most_days_ago = 9 }', MONEY),
        ('{ did = "email_open" }', {"email_open"}),
        ('{ last = "meeting", at_most_days_ago = 9 }', {"meeting"}),
        ('{ answered = "nps", at_least = 9 }', {"survey"}),
        (
            '{ any = [ { did_not = "visit" }, { not = { feature = "orders_30", above = 1 } } ] }',
            {"visit", *MONEY},
        ),
    ],
)
def test_the_kinds_of_activity_are_those_of_the_rules(
    tmp_path: Path, when: str, kinds: frozenset[str]
) -> None:
    assert activity_types_used(only(tmp_path, when).config(), "portal") == frozenset(kinds)


def test_a_population_counts_among_the_rules(tmp_path: Path) -> None:
    world = only(tmp_path, population='population = { did = "form" }')
    assert activity_types_used(world.config(), "portal") == frozenset({"form"})


def test_purchases_are_what_ready_made_segmentations_are_about(tmp_path: Path) -> None:
    assert activity_types_used(World(tmp_path).config(), "portal") == MONEY


def test_no_activity_is_read_where_no_segmentation_looks_at_any(tmp_path: Path) -> None:
    world = only(tmp_path)
    world.customers(6)
    answer = world.do("label")
    assert "activity" not in world.do("pull")["pulled"]["rows"]
    assert answer["segments"]["audience"] == {"near": 6}
    asked = [account for account in world.opened if account.activity_types is not None]
    assert all(account.activity_types == frozenset() for account in asked)


@pytest.mark.parametrize(
    ("population", "types"),
    [
        ("", {"contact", "lead"}),
        ('population = { attribute = "record_type", is = "company" }', {"company"}),
        (
            'population = { attribute = "record_type", in = ["contact", "company"] }',
            {"contact", "lead", "company"},
        ),
        ('population = { attribute = "record_type", is = "lead" }', {"lead"}),
    ],
)
def test_record_types_are_those_of_the_populations(tmp_path: Path, population: str, types: set[str]) -> None:
    assert types_used(only(tmp_path, population=population).config(), "portal") == types


def test_the_activity_of_a_company_is_that_of_its_contacts_too(tmp_path: Path) -> None:
    world = only(
        tmp_path, '{ did = "purchase" }', 'population = { attribute = "record_type", is = "company" }'
    )
    assert types_used(world.config(), "portal") == {"company", "contact", "lead"}


def test_a_shop_is_read_for_what_the_account_that_draws_from_it_uses(tmp_path: Path) -> None:
    account = 'activity_from = ["shop"]\n[accounts.shop]\ncrm = "files"\npath = "shop"\n'
    config = World(tmp_path, account=account).config()
    assert activity_types_used(config, "shop") == MONEY and types_used(config, "shop") == {"contact", "lead"}


def test_a_kind_that_is_asked_for_later_is_read_from_its_beginning(tmp_path: Path) -> None:
    world = only(tmp_path, '{ did = "purchase" }')
    world.customers(6)
    for number in range(1, 4):
        world.buys(str(number), 3, kind="visit")
    world.do("label")

    later = only(tmp_path, '{ did = "visit" }')
    later.store = world.store
    assert later.do("label")["segments"]["audience"] == {"near": 3}


def test_the_calls_of_a_run_are_those_that_the_crm_saw(tmp_path: Path) -> None:
    world = World(tmp_path, lists="none", batch_size=10)
    world.customers(20)
    world.store.call_size = 5
    sent = [0]
    world.faults.hook = lambda moment: sent.__setitem__(0, sent[0] + (moment == "before write"))
    world.do("setup")
    planned = world.do("plan")["plan"]
    answer = world.do("apply", number=planned["plan"])
    assert answer["calls"]["write"] == sent[0] == planned["calls"] == 4
    assert world.do("run")["calls"]["write"] == 0


def test_an_account_is_opened_with_its_share_and_its_reserve(tmp_path: Path) -> None:
    world = World(tmp_path, account='deal_share = "split"\nquota_reserve = 0.5\n')
    world.customers(3)
    world.do("pull")
    assert (world.opened[-1].deal_share, world.opened[-1].quota_reserve, dict(world.opened[-1].lists)) == (
        "split",
        0.5,
        {},
    )
    world.do("setup")
    world.do("pull")
    assert set(world.opened[-1].lists) == {remote.id for remote in world.store.lists.values()}


def test_filling_a_campaign_is_no_activity_of_its_members(tmp_path: Path) -> None:
    """Otherwise a second run would read its own writes, and label everybody anew."""
    world = only(tmp_path, '{ did = "campaign_sent" }')
    path, field = world.config().path, 'field = "seg_audience"\n'
    path.write_text(path.read_text().replace(field, field + 'lists = "static"\n'))
    world.customers(6)
    world.buys("1", 3, kind="campaign_sent", campaign="somebody else's")
    world.first_run()
    labels = world.labels("audience")
    (ours,) = (remote.id for remote in world.store.lists.values())
    for number in range(1, 7):
        world.buys(str(number), 0, kind="campaign_sent", campaign="Near", campaign_id=ours)
    again = world.do("run")
    assert world.labels("audience") == labels and again["plan"]["plan"] is None


def test_what_the_crm_says_of_its_limits_is_shown_by_check_and_remembered_by_status(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.store.notes = ("tier professional: 650,000 calls a day, 30% of them left to others",)
    assert world.store.notes[0] in world.do("check")["notes"]
    world.do("pull")
    assert world.do("status")["notes"] == list(world.store.notes)
