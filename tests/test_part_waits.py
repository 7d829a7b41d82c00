"""Does a run write at once what needs no approval, and leave only the rest to a person?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Automation
from sync.exit_codes import ApprovalNeeded, GuardTripped, RetryLater
from sync.pipeline import both_parts
from sync.plan.finish import Planned
from sync.store.journal import Journal
from sync.watch.watch import judge
from tests.test_approval import labelled, moved, planned, why
from tests.test_cli import answer, cli, folder
from tests.ui_server import Visit, serving
from tests.world import World

RULE = "dead_band = 0.0\n"


def half_new(path: Path, approval: str = "[approval]\nabove = 1000\n") -> World:
    """A world in which customers moved and the settings of rfm, not those of value, changed."""
    world = labelled(path, approval=approval)
    world.label = RULE
    moved(world)
    return world


def changed(world: World, plan: int) -> set[str]:
    return {row["target"] for row in world.do("show_plan", number=plan)["changes"]}


def alerts(world: World) -> list[tuple[str, dict[str, Any]]]:
    journal = Journal(world.folder / "state" / "journal.sqlite")
    try:
        judge(world.config(), journal, world.now)
        return [(alert.cause, dict(alert.fields)) for alert in journal.alerts.open()]
    finally:
        journal.close()


def segments(world: World, fields: Iterable[str] = ("seg_rfm", "seg_value")) -> dict[str, dict[str, Any]]:
    return {field: dict(world.held(field)) for field in fields}


def test_what_needs_no_approval_is_written_and_the_rest_waits_as_a_plan_of_its_own(tmp_path: Path) -> None:
    world = half_new(tmp_path)
    before = segments(world)
    run = world.do("run")
    waiting = run["waiting"]
    assert run["exit_code"] == 5 and run["applied"]["done"] == run["plan"]["changes"] > 0
    assert run["plan"]["approval"] == [] and waiting["applied"]["done"] == 0
    assert {reason["why"] for reason in waiting["plan"]["approval"]} == {"changed_rule"}
    assert "waits for an approval: the settings or rules of rfm changed" in waiting["waits"]
    after = segments(world)
    assert after["seg_rfm"] == before["seg_rfm"] and after["seg_value"] != before["seg_value"]
    assert all(target.startswith(("seg_value", "value")) for target in changed(world, run["plan"]["plan"]))
    assert changed(world, waiting["plan"]["plan"]) >= {"seg_rfm"}


def test_the_part_that_waited_is_written_once_somebody_approves_of_it(tmp_path: Path) -> None:
    world = half_new(tmp_path)
    number = world.do("run")["waiting"]["plan"]["plan"]
    with pytest.raises(ApprovalNeeded):
        world.do("apply", number=number)
    decision = world.do("approve", number=number)
    applied = world.do("apply", number=number)["applied"]
    assert applied["done"] == decision["changes"] and applied["remaining"] == 0
    assert world.do("run")["plan"]["plan"] is None, "nothing is left, and nothing is written twice"


def test_neither_part_is_new_again_once_both_are_written(tmp_path: Path) -> None:
    world = half_new(tmp_path)
    number = world.do("run")["waiting"]["plan"]["plan"]
    world.do("approve", number=number)
    world.do("apply", number=number)
    moved(world, 6)
    run = world.do("run")
    assert run["plan"]["approval"] == [] and run["waiting"] is None and run["applied"]["done"] > 0


def test_a_run_writes_the_waiting_part_where_somebody_approved_of_the_same_changes(tmp_path: Path) -> None:
    world = half_new(tmp_path)
    waiting = world.do("run")["waiting"]["plan"]
    world.do("approve", number=waiting["plan"])
    run = world.do("run")
    assert run["applied"]["done"] == waiting["changes"] and run["waiting"] is None
    assert world.do("run")["plan"]["plan"] is None


def test_who_approves_of_all_has_all_written_by_the_next_run(tmp_path: Path) -> None:
    world = half_new(tmp_path)
    plan = planned(world)
    world.do("approve", number=plan["plan"])
    run = world.do("run")
    assert run["waiting"] is None and run["applied"]["done"] == plan["changes"]


def test_a_new_list_waits_and_the_field_of_its_segmentation_does_not(tmp_path: Path) -> None:
    world = labelled(tmp_path)
    world.extra_fields = '["reason"]'
    world.do("setup")
    moved(world)
    run = world.do("run")
    assert changed(world, run["waiting"]["plan"]["plan"]) == {"seg_rfm_reason"}
    assert "seg_rfm" in changed(world, run["plan"]["plan"])
    number = run["waiting"]["plan"]["plan"]
    world.do("approve", number=number)
    world.do("apply", number=number)
    moved(world, 5)
    assert planned(world)["approval"] == [], "field and extra field were both seen before"


def test_both_parts_are_undone_each_by_the_run_that_wrote_it(tmp_path: Path) -> None:
    world = half_new(tmp_path)
    before = segments(world)
    run = world.do("run")
    world.do("approve", number=run["waiting"]["plan"]["plan"])
    later = world.do("apply", number=run["waiting"]["plan"]["plan"])
    assert segments(world) != before
    for number in (later["run"], run["run"]):
        undone = world.do("undo", number=number)
        if undone["plan"]["plan"] is not None and undone.get("applied", {}).get("done") == 0:
            world.do("approve", number=undone["plan"]["plan"])
            world.do("apply", number=undone["plan"]["plan"])
    assert segments(world) == before


def test_a_run_that_was_killed_and_comes_again_leaves_the_waiting_part(tmp_path: Path) -> None:
    world = half_new(tmp_path)
    rfm = segments(world)["seg_rfm"]

    def kill(what: str, done: int, total: int) -> None:
        if what == "writing":
            raise KeyboardInterrupt

    world.progress = kill
    with pytest.raises(KeyboardInterrupt):
        world.do("run")
    world.progress = lambda what, done, total: None
    with pytest.raises(ApprovalNeeded, match="the settings or rules of rfm changed"):
        world.do("run")  # the other part was written before it was killed
    assert segments(world)["seg_rfm"] == rfm
    assert why(planned(world)) == {("changed_rule", "rfm")}


def test_a_large_rest_waits_too(tmp_path: Path) -> None:
    world = half_new(tmp_path, approval="[approval]\nabove = 1\n")
    with pytest.raises(ApprovalNeeded) as stop:
        world.do("run")
    assert stop.value.plan is not None


def test_a_guard_that_stops_the_part_without_approval_stops_the_run_and_names_the_other_part(
    tmp_path: Path,
) -> None:
    world = half_new(tmp_path)
    world.more += "[guards]\nmax_writes = 1\n"
    with pytest.raises(GuardTripped, match="has the part that needs an approval"):
        world.do("run")


def test_a_closed_window_is_told_together_with_what_waits_for_a_person(tmp_path: Path) -> None:
    world = half_new(tmp_path)
    world.more += "[pace]\nwindows = ['02:00-03:00']\n"
    with pytest.raises(
        RetryLater, match=r"windows are closed .* waits for an approval: the settings or rules"
    ):
        world.do("run")
    assert ("approval", "rfm changed") in [
        (cause, fields.get("why", "")[-11:]) for cause, fields in alerts(world)
    ]


def test_a_rejected_part_holds_nothing_else_back(tmp_path: Path) -> None:
    world = half_new(tmp_path)
    number = world.do("run")["waiting"]["plan"]["plan"]
    world.do("reject", number=number, reason="Not this month")
    moved(world, 6)
    run = world.do("run")
    assert run["applied"]["done"] > 0 and run["plan"]["approval"] == []
    assert "undecided" in {reason["why"] for reason in run["waiting"]["plan"]["approval"]}


def test_the_alert_says_what_was_written_and_what_waits_and_ends_with_the_decision(tmp_path: Path) -> None:
    world = half_new(tmp_path)
    run = world.do("run")
    number = run["waiting"]["plan"]["plan"]
    [(cause, fields)] = [entry for entry in alerts(world) if entry[0] in ("approval", "guard", "silence")]
    assert cause == "approval" and fields["plan"] == number
    assert fields["written"] == f"{run['applied']['done']:,}"
    world.do("approve", number=number)
    world.do("apply", number=number)
    assert not [cause for cause, _ in alerts(world) if cause in ("approval", "guard")]


def test_the_terminal_says_what_was_written_and_what_waits(tmp_path: Path) -> None:
    world = folder(tmp_path, 40, more="[approval]\n")
    assert cli(world, "setup", "--yes").exit_code == 0
    number = answer(world, "plan")[1]["plan"]["plan"]
    assert cli(world, "approve", str(number)).exit_code == 0
    assert cli(world, "apply", str(number)).exit_code == 0
    world.label = RULE
    moved(world)
    world.store.save()  # type: ignore[attr-defined]
    world.config()
    result = cli(world, "run")
    assert result.exit_code == 5, result.output
    assert (
        "Wrote " in result.output and "waits for an approval: the settings or rules of rfm" in result.output
    )
    shown = cli(world, "plan", "show", str(number + 1)).output
    assert f"Plan {number + 2} has the other" in shown and "needs an approval" in shown
    assert "needs no approval" in cli(world, "plan", "show", str(number + 2)).output


def test_the_interface_says_what_was_written_and_what_waits(tmp_path: Path, browser: Any) -> None:
    world = folder(tmp_path, 40, more="[approval]\n")
    world.do("setup")
    number = world.do("plan")["plan"]["plan"]
    world.do("approve", number=number)
    world.do("apply", number=number)
    world.label = RULE
    moved(world)
    waiting = world.do("run")["waiting"]["plan"]["plan"]
    with serving(world.folder / "config.toml") as address, Visit(browser, address) as visit:
        visit.go("/portal/plans")
        assert "waits for one" in visit.text() and visit.faults() == []
        visit.go(f"/portal/plans/{waiting}")
        assert f"Plan {waiting - 1} has the other" in visit.text() and "it needs no approval" in visit.text()
        assert visit.faults() == []
        visit.page.click(f"text=Plan {waiting - 1}")
        assert "the settings or rules of rfm changed" in visit.text() and "written" in visit.text()
        assert visit.quiet(), (visit.console, visit.foreign)


def test_what_both_parts_start_together_is_held_to_one_cap(tmp_path: Path) -> None:
    world = half_new(tmp_path, '[approval]\nabove = 1000\n[automations]\n"Greet" = 40\n')
    world.store.listeners = (Automation("Greet", "seg_value"), Automation("Greet", "seg_rfm_reason"))
    world.extra_fields = '["reason"]'
    world.do("setup")
    rehearsed = world.do("plan")["plan"]
    starts = {one["target"]: one["records"] for one in rehearsed["listeners"]["found"]}
    world.more = world.more.replace('"Greet" = 40', f'"Greet" = {starts["seg_value"]}')
    run = world.do("run")
    assert starts["seg_rfm_reason"] > starts["seg_value"] > 0
    assert run["exit_code"] == 5 and run["applied"]["done"] > 0 and run["plan"]["trips"] == []
    [trip] = [trip["what"] for trip in run["waiting"]["plan"]["trips"]]
    assert trip.startswith("Greet would start for ") and trip.endswith(f"(at most {starts['seg_value']})")
    number = run["waiting"]["plan"]["plan"]
    world.do("approve", number=number)
    with pytest.raises(GuardTripped, match="max_enrolled: Greet would start"):
        world.do("run")


def test_guards_that_stop_the_approved_part_do_not_hide_what_the_other_wrote() -> None:
    written = {"plan": 2, "done": 7, "rejected": 0, "skipped": 0, "remaining": 0}

    def carry_out(number: int) -> dict[str, Any]:
        if number == 3:
            raise GuardTripped("guards stopped plan 3", (), 3)
        return written

    answer = both_parts(Planned(plan=2, waiting=Planned(plan=3)), carry_out)
    assert answer["applied"] == written and answer["waiting"]["exit_code"] == GuardTripped.exit_code
    assert answer["waiting"]["waits"] == "Guards stopped plan 3." and answer["waiting"]["why"]
