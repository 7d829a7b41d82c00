"""Does a plan stop that would start a workflow or a flow which nobody allowed?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Automation
from connectors.schemas import MEMBER
from sync.config.settings import Limit
from sync.exit_codes import GuardTripped
from sync.plan.automation_impact import enrolment_trips
from tests import org_shop
from tests.portal_shop import Shop, hasten, portal_of
from tests.servers.hubspot import Knobs
from tests.world import ALLOWED, World

OTHERS = {guard: reason for guard, reason in ALLOWED.items() if guard != "max_enrolled"}


def world_of(path: Path, allowed: str = "", count: int = 30) -> World:
    """A world whose CRM has three automations on our field, its values and a list."""
    world = World(path, value="", more=allowed)
    world.store.listeners = (
        Automation("Any move", "seg_rfm"),
        Automation("Win them back", "seg_rfm", "lost"),
        Automation("Greet champions", "rfm.champions", MEMBER),
    )
    world.customers(count)
    world.do("setup")
    return world


def counts(world: World) -> dict[str, int]:
    labels = list(world.labels("rfm").values())
    return {
        "Any move": 30,
        "Win them back": labels.count("lost"),
        "Greet champions": labels.count("champions"),
    }


def enrolling(plan: dict[str, Any]) -> list[str]:
    return [trip["what"] for trip in plan["trips"] if trip["guard"] == "max_enrolled"]


def test_a_plan_names_each_automation_that_it_would_start_and_stops(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    plan = world.do("plan")["plan"]
    assert sorted(enrolling(plan)) == sorted(
        f"{name} would start for {count} records, and no line of [automations] allows it"
        for name, count in counts(world).items()
    )
    before = world.state()
    with pytest.raises(GuardTripped, match="max_enrolled: Any move would start for 30 records"):
        world.do("apply", number=plan["plan"])
    assert world.state() == before
    world.do("apply", number=plan["plan"], allow={"max_enrolled": "agreed with marketing"})
    assert len(world.held("seg_rfm")) == 30


def test_automations_start_that_are_allowed_by_name_for_so_many_records(tmp_path: Path) -> None:
    world = world_of(
        tmp_path, '[automations]\n"Any move" = 30\n"Win them back" = 100\n"Greet champions" = 100\n'
    )
    plan = world.do("plan")["plan"]
    assert enrolling(plan) == []
    world.more = world.more.replace("= 30", "= 29")
    plan = world.do("plan")["plan"]
    assert enrolling(plan) == ["Any move would start for 30 records (at most 29)"]
    with pytest.raises(GuardTripped):
        world.do("apply", number=plan["plan"])


def test_a_plan_that_starts_nothing_trips_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, value="")
    world.store.listeners = (Automation("Never", "seg_rfm", "no such segment"),)
    world.customers(10)
    world.do("setup")
    assert enrolling(world.do("plan")["plan"]) == []


def test_what_cannot_be_known_counts_as_starting_for_every_record() -> None:
    def trips(most: int | None) -> list[str]:
        return [trip.what for trip in enrolment_trips({}, "the key may not look", 12, {}, Limit(count=most))]

    assert trips(0) == ["it is unknown what the changes of 12 records start in the CRM: the key may not look"]
    assert trips(12) == trips(None) == []


def test_others_count_together_and_the_rest_of_an_approved_plan_is_not_judged_again(tmp_path: Path) -> None:
    two = {"A": 6, "B": 5, "Known": 3}
    assert [trip.guard for trip in enrolment_trips(two, "", 0, {"Known": 3}, Limit(count=10))] == [
        "max_enrolled"
    ] * 2
    assert not list(enrolment_trips(two, "", 0, {"Known": 3}, Limit(count=11)))
    world = world_of(tmp_path)
    number = world.do("plan")["plan"]["plan"]
    world.do("apply", number=number, first=5, allow={"max_enrolled": "a trial"})
    assert enrolling(world.do("plan")["plan"]) == []


def test_hubspot_and_its_answers_stop_a_plan_that_starts_workflows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch, tmp_path)
    (tmp_path / "shop").mkdir()
    start = datetime.now(UTC)
    with portal_of(Knobs(), 20, 60, start) as server:
        shop = Shop(tmp_path / "shop", server, lists="static", day=start.date() - timedelta(days=2))
        assert shop.code("setup") == 0
        flows = server.portal.flows
        flows.add("Any habit", property="seg_rfm")
        flows.add("Top value", property="seg_value", value="a", shape="event_property")
        shop.more = '[pace]\nsend_windows = ["00:00-24:00"]\n'
        plan = shop.do("plan", allow=OTHERS)["plan"]
        heard = {entry["name"]: entry["records"] for entry in plan["listeners"]["found"]}
        assert len(enrolling(plan)) == 2 and heard["Any habit"] == 20
        assert shop.code("apply", number=plan["plan"], allow=OTHERS) == 5
        assert not server.portal.flows.entered()
        shop.more += f'[automations]\n"Any habit" = 20\n"Top value" = {heard["Top value"]}\n'
        assert shop.code("apply", number=shop.do("plan", allow=OTHERS)["plan"]["plan"], allow=OTHERS) == 0


def test_salesforce_and_its_answers_stop_a_plan_that_starts_flows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_shop.hasten(monkeypatch, tmp_path)
    with org_shop.shop_of(tmp_path / "shop", 40) as shop:
        flow = {"Label": "Welcome", "ApiName": "Welcome", "IsActive": True, "TriggerType": "RecordAfterSave"}
        about = {"TriggerObjectOrEventId": "Contact", "RecordTriggerType": "CreateAndUpdate"}
        shop.org.add("FlowDefinitionView", {**flow, **about})
        shop.more = '[pace]\nsend_windows = ["00:00-24:00"]\n'
        plan = shop.do("plan", allow=OTHERS)["plan"]
        (trip,) = enrolling(plan)
        assert (
            trip
            == f"flow Welcome would start for {plan['records']} records, and no line of [automations] allows it"
        )
        assert shop.code("apply", number=plan["plan"], allow=OTHERS) == 5
        assert not shop.flow.runs
        shop.more += f'[automations]\n"flow Welcome" = {plan["records"]}\n'
        assert shop.code("apply", number=shop.do("plan", allow=OTHERS)["plan"]["plan"], allow=OTHERS) == 0
        assert len(set(shop.flow.runs)) == plan["records"]
