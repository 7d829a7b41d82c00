"""Does each guard stop a plan before its first write, by name, and does only a reason let it pass?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sync.exit_codes import GuardTripped
from tests.world import ALLOWED, World

MORE = """
[guards]
{guards}
"""


def labelled(folder: Path, guards: str = "", customers: int = 60, **settings: Any) -> World:
    """A world that was reviewed and written, under these guards."""
    world = World(folder, more=MORE.format(guards=guards), **{"lists": "none", **settings})
    world.customers(customers)
    world.first_run()
    return world


def stopped(world: World, guard: str, command: str = "run", **arguments: Any) -> GuardTripped:
    """The stop that this guard causes; nothing was written."""
    before = world.state()
    with pytest.raises(GuardTripped) as stop:
        world.do(command, **arguments)
    assert stop.value.exit_code == 5
    assert guard in {trip.guard for trip in stop.value.trips} and guard in str(stop.value)
    assert "--allow" in str(stop.value)
    assert world.state() == before
    return stop.value


def everybody_buys(world: World, count: int = 60) -> None:
    for number in range(1, count + 1):
        world.buys(str(number), number % 3, 100_000 * number)


def test_a_first_labelling_waits_for_a_look_at_the_plan(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(10)
    world.do("setup")
    stop = stopped(world, "max_enter")
    assert all(trip.first for trip in stop.trips)
    stopped(world, "max_enter")
    planned = world.do("plan")["plan"]
    stopped(world, "max_enter", "apply")
    assert world.do("apply", number=planned["plan"])["applied"]["done"] == planned["changes"]


def test_a_first_labelling_may_be_allowed_by_name(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(10)
    world.do("setup")
    answer = world.do("run", allow={"max_enter": "a new shop"})
    assert answer["applied"]["done"] == answer["plan"]["changes"] > 0


def test_an_allowance_is_kept_with_its_reason_and_its_plan(tmp_path: Path) -> None:
    world = labelled(tmp_path, "max_change = { count = 3 }")
    everybody_buys(world)
    stopped(world, "max_change", allow={"max_enter": "spree", "max_leave": "spree"})
    answer = world.do("run", allow={**dict.fromkeys(("max_change", "max_enter", "max_leave"), "spring sale")})
    kept = world.journal("SELECT * FROM allowances WHERE run = ?", answer["run"])
    assert {(row["guard"], row["reason"]) for row in kept} == {
        (name, "spring sale") for name in ("max_change", "max_enter", "max_leave")
    }
    assert all(row["who"] for row in kept)
    [plan] = world.journal("SELECT allowed FROM plans WHERE plan = ?", answer["plan"]["plan"])
    assert "spring sale" in plan["allowed"]


@pytest.mark.parametrize(
    ("guard", "setting"),
    [
        ("max_change", "{ count = 3 }"),
        ("max_change", "{ share = 0.01, floor = 1 }"),
        ("max_enter", "{ count = 1 }"),
        ("max_leave", "{ count = 1 }"),
        ("max_writes", "70"),
        ("max_calls", "1"),
        ("min_size", "9"),
    ],
)
def test_a_guard_stops_what_it_is_named_for(tmp_path: Path, guard: str, setting: str) -> None:
    world = World(tmp_path, lists="none")
    world.customers(60)
    world.do("setup")
    world.do("run", allow=ALLOWED)
    world.more = MORE.format(guards=f"{guard} = {setting}")
    everybody_buys(world)
    stop = stopped(world, guard, allow={name: reason for name, reason in ALLOWED.items() if name != guard})
    assert {trip.guard for trip in stop.trips} == {guard}
    assert world.do("run", allow=ALLOWED)["applied"]["done"] > 0


def test_many_writes_of_a_first_labelling_are_settled_by_the_review(tmp_path: Path) -> None:
    world = World(tmp_path, lists="none", more=MORE.format(guards="max_writes = 30"))
    world.customers(40)
    world.do("setup")
    stopped(world, "max_writes")
    planned = world.do("plan")["plan"]
    assert world.do("apply", number=planned["plan"])["applied"]["done"] == 80


def test_losing_labels_has_a_guard_of_its_own(tmp_path: Path) -> None:
    population = 'population = { attribute = "email", is_set = true }\n'
    world = labelled(tmp_path, "max_cleared = { count = 4 }", label=population)
    for number in range(1, 11):
        world.store.put(str(number), email=None)
    stopped(world, "max_cleared", allow={"max_leave": "we lost their addresses"})
    world.do("run", allow=dict.fromkeys(("max_leave", "max_cleared"), "we lost their addresses"))
    assert not {str(number) for number in range(1, 11)} & world.held("seg_rfm").keys()


def test_overwriting_others_has_a_guard_of_its_own(tmp_path: Path) -> None:
    world = labelled(tmp_path, "max_overwrite = { count = 2 }", on_conflict="overwrite")
    for number in range(5, 30, 5):
        world.store.set_field(str(number), "seg_rfm", "champions")
    stopped(
        world,
        "max_overwrite",
        allow={name: reason for name, reason in ALLOWED.items() if name != "max_overwrite"},
    )
    assert world.do("run", allow=ALLOWED)["applied"]["done"] == 5


def test_a_segment_of_500_that_a_bad_column_inflates_to_40000_stops(tmp_path: Path) -> None:
    world = World(tmp_path, lists="none", batch_size=20_000, page_size=50_000)
    world.customers(0)
    for number in range(1, 41_001):
        world.store.put(str(number))
    for number in range(1, 501):
        world.buys(str(number), 3, 10_000)
    world.do("setup")
    world.do("run", allow=ALLOWED)
    assert sum(segment == "a" for segment in world.held("seg_value").values()) <= 500
    for number in range(501, 40_501):
        world.buys(str(number), 2, 10_000)
    before = world.state()
    with pytest.raises(GuardTripped) as stop:
        world.do("run")
    assert {"max_enter", "max_change"} <= {trip.guard for trip in stop.value.trips}
    assert world.state() == before


def test_the_rest_of_an_approved_plan_goes_on_without_a_new_approval(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(40)
    world.do("setup")
    planned = world.do("plan")["plan"]
    world.batch_size, world.faults.hook = 7, _die_at(3)
    with pytest.raises(KeyboardInterrupt):
        world.do("apply", number=planned["plan"])
    world.faults.hook = lambda moment: None
    answer = world.do("run")
    assert answer["exit_code"] == 0 and answer["plan"]["trips"] == []
    assert 0 < answer["applied"]["done"] < planned["changes"]
    assert len(world.held("seg_rfm")) == 40


def test_what_comes_on_top_of_an_approved_plan_is_judged_again(tmp_path: Path) -> None:
    world = World(tmp_path, lists="none")
    world.customers(40)
    world.do("setup")
    planned = world.do("plan")["plan"]
    world.do("apply", number=planned["plan"], first=5)
    for number in range(100, 200):
        world.store.put(str(number))
    with pytest.raises(GuardTripped) as stop:
        world.do("run")
    assert "max_enter" in {trip.guard for trip in stop.value.trips}


def _die_at(call: int) -> Any:
    left = [call]

    def strike(moment: str) -> None:
        if moment == "before write":
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt

    return strike


def test_a_plan_that_another_one_overtook_is_superseded(tmp_path: Path) -> None:
    world = labelled(tmp_path)
    world.buys("1", 0, 900_000)
    old = world.do("plan", allow=ALLOWED)["plan"]["plan"]
    world.buys("2", 0, 900_000)
    world.do("run", allow=ALLOWED)
    with pytest.raises(GuardTripped, match="superseded") as stop:
        world.do("apply", number=old)
    assert stop.value.exit_code == 5


def test_a_plan_of_an_earlier_config_or_model_is_superseded(tmp_path: Path) -> None:
    world = labelled(tmp_path)
    everybody_buys(world)
    old = world.do("plan", allow=ALLOWED)["plan"]["plan"]
    world.label = "window_days = 100\n"
    with pytest.raises(GuardTripped, match="superseded"):
        world.do("apply", number=old, allow=ALLOWED)
    world.label = ""
    new = world.do("plan", allow=ALLOWED)["plan"]["plan"]
    world.do("train")
    with pytest.raises(GuardTripped, match="superseded"):
        world.do("apply", number=new, allow=ALLOWED)


def test_a_plan_that_was_applied_is_not_applied_again(tmp_path: Path) -> None:
    world = labelled(tmp_path)
    with pytest.raises(GuardTripped, match="finished"):
        world.do("apply", number=1)


def test_a_new_label_of_a_segment_writes_no_record(tmp_path: Path) -> None:
    world = labelled(tmp_path, lists="static")
    world.label = 'title = "Buying habits"\nsegments = [ { key = "champions", title = "Heroes" } ]\n'
    renamed = world.do("setup")
    assert {(step["kind"], step["action"]) for step in renamed["setup"]["steps"]} == {
        ("list", "rename"),
        ("field", "update"),
    }
    assert world.do("setup")["setup"]["steps"] == []
    answer = world.do("run")
    assert (answer["plan"]["changes"], answer["calls"]["write"]) == (0, 0)
    assert world.store.lists["rfm.champions"].label == "Buying habits: Heroes"


def test_a_new_description_alone_stops_no_run_and_is_updated_by_setup(tmp_path: Path) -> None:
    world = labelled(tmp_path, lists="static")
    world.label = 'segments = [ { key = "champions", description = "Those who buy most" } ]\n'
    ran, checked = world.do("run"), world.do("check")
    assert ran.get("exit_code", 0) == 0 and ran["plan"]["changes"] == 0
    (note,) = [note for note in ran["notes"] if "`crm-segments setup` updates 2 fields and lists" in note]
    assert checked["problems"] == [] and checked["exit_code"] == 0
    updated = world.do("setup")["setup"]
    assert updated["refused"] == [] and {step["action"] for step in updated["steps"]} == {"update"}
    assert world.do("setup")["setup"]["steps"] == []
    assert not [text for text in world.do("run")["notes"] if text == note]
