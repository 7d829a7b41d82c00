"""Are companies records like people: with segmentations, fields, lists and guards of their own, and leads the
people they become?
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from connectors.schemas import CHANNELS
from sync.exit_codes import SetupNeeded
from tests.world import ALLOWED, World

TIERS = """[[segmentations]]
name = "tier"
title = "Tier"
kind = "rules"
field = "seg_tier"
lists = "{lists}"
extra_fields = ["reason"]
population = {{ attribute = "record_type", is = "company" }}
[[segmentations.segments]]
key = "customer"
title = "Customer"
when = {{ did = "purchase" }}
[[segmentations.segments]]
key = "target"
title = "Target"
when = {{ attribute = "employees", at_least = 100 }}
[[segmentations.segments]]
key = "other"
title = "Other"
when = {{ attribute = "id", is_set = true }}
"""


def firms(folder: Path, lists: str = "static") -> World:
    """Nine companies: 1 to 3 buy through their contacts, 4 by itself, 5 and 6 are big."""
    attributes = '[accounts.portal.attributes]\nemployees = { field = "staff", type = "number" }\n'
    world = World(folder, lists="none", account=attributes, value=TIERS.format(lists=lists))
    world.store.dynamic_lists = lists == "dynamic"
    world.customers(12)
    for number in range(1, 10):
        world.store.put(f"f{number}", "company", staff=200.0 if number in (5, 6) else 3.0)
    for number in (1, 2, 3):
        world.store.put(str(number), company_id=f"f{number}")
        world.buys(str(number), 4)
    world.buys("f4", 9, record_type="company")
    return world


EXPECTED = {f"f{n}": "customer" if n < 5 else "target" if n < 7 else "other" for n in range(1, 10)}


@pytest.mark.parametrize("lists", ["static", "dynamic"])
def test_companies_get_their_own_fields_and_lists(tmp_path: Path, lists: str) -> None:
    world = firms(tmp_path, lists)
    world.do("setup")
    planned = world.do("plan")
    assert planned["segments"]["tier"] == {"customer": 4, "other": 3, "target": 2}
    world.do("apply", number=planned["plan"]["plan"])
    assert world.held("seg_tier") == EXPECTED and set(world.held("seg_rfm")) == {str(n) for n in range(1, 13)}
    assert {key: sorted(ids) for key, ids in world.members().items()} == {
        f"tier.{segment}": sorted(id for id, tier in EXPECTED.items() if tier == segment)
        for segment in ("customer", "target", "other")
    }
    assert {remote.record_type for remote in world.store.lists.values()} == {"company"}
    assert {record_type for record_type, name in world.store.fields if name == "seg_tier"} == {"company"}
    assert world.do("run")["plan"]["plan"] is None


def test_a_company_moves_with_the_purchase_of_its_contact(tmp_path: Path) -> None:
    world = firms(tmp_path)
    world.first_run()
    world.store.put("7", company_id="f9")
    world.buys("7", 0)
    world.do("run", allow=ALLOWED)
    assert world.held("seg_tier")["f9"] == "customer" and "f9" in world.members()["tier.customer"]
    assert "f9" not in world.members()["tier.other"]


def test_a_company_is_shown_with_its_reason_and_counted_in_the_report(tmp_path: Path) -> None:
    world = firms(tmp_path)
    world.first_run()
    shown = world.do("show", id="f5")
    assert shown["record_type"] == "company" and shown["segmentations"]["tier"]["segment"] == "target"
    assert shown["held"]["seg_tier_reason"]
    assert world.do("report")["figures"]["tier"]["records"] == 9


def test_a_field_that_only_one_of_two_record_types_has_is_missed_by_name(tmp_path: Path) -> None:
    world = firms(tmp_path)
    world.first_run()
    both = 'population = { attribute = "record_type", in = ["contact", "company"] }'
    world.value = world.value.replace('population = { attribute = "record_type", is = "company" }', both)
    with pytest.raises(SetupNeeded, match="field seg_tier"):
        world.do("run")
    world.do("setup")
    world.do("run", allow=ALLOWED)
    assert {"f5", "5"} <= set(world.held("seg_tier"))


@pytest.mark.parametrize(
    "consent", ["objects_to_profiling", *(f"reachable.{channel}" for channel in CHANNELS)]
)
@pytest.mark.parametrize("refused_by", ["lead", "contact"])
def test_the_less_permissive_consent_of_a_lead_and_its_contact_wins(
    tmp_path: Path, consent: str, refused_by: str
) -> None:
    objection = consent == "objects_to_profiling"
    channel = "email" if objection else consent.removeprefix("reachable.")
    may: dict[str, Any] = {f"reachable.{channel}": True}
    may_not: dict[str, Any] = {consent: objection}
    world = World(tmp_path, lists="static", value="", label=f'reachable_only = true\nchannel = "{channel}"\n')
    world.customers(6)
    for number in range(1, 7):
        world.store.put(str(number), **may)
    world.store.put("l1", "lead", **may)
    world.first_run()
    everyone = set().union(*world.members().values())
    assert "3" in everyone
    person = ("3", "contact") if refused_by == "contact" else ("l1", "lead")
    world.store.put(*person, **may_not)
    world.store.convert("l1", "3")
    world.do("run", allow=ALLOWED)
    assert set().union(*world.members().values()) == everyone - {"3"}
    assert ("3" in world.held("seg_rfm")) == (not objection)


def test_what_nobody_knows_of_a_lead_takes_nothing_from_its_contact(tmp_path: Path) -> None:
    world = World(tmp_path, lists="static", value="", label="reachable_only = true\n")
    world.customers(3)
    consent: dict[str, Any] = {"reachable.email": True}
    world.store.put("2", **consent)
    world.store.put("l1", "lead")
    world.store.convert("l1", "2")
    world.first_run()
    assert set().union(*world.members().values()) == {"2"}


def test_the_history_of_a_lead_becomes_that_of_its_contact(tmp_path: Path) -> None:
    world = World(tmp_path, lists="none")
    world.customers(10)
    world.store.put("l1", "lead")
    world.buys("l1", 3, 9_000_000, record_type="lead")
    world.do("label")
    assert world.labels("value")["5"] == "prospect"
    world.store.convert("l1", "5")
    world.do("label", as_of=date(2024, 7, 1))
    assert world.labels("value")["5"] == "a"
