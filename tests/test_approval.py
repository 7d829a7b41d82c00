"""Does a plan wait for a person's approval where it has to, and is no more carried out than they approved?"""

from __future__ import annotations

import os
import pwd
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sync.exit_codes import ApprovalNeeded, CommandError, UsageError
from tests.test_cli import cli, folder
from tests.world import World

ON = "[approval]\nabove = 1000\n"
ME = pwd.getpwuid(os.getuid()).pw_name


def world_of(path: Path, count: int = 40, approval: str = ON) -> World:
    world = World(path, more=approval)
    world.customers(count)
    world.do("setup")
    return world


def planned(world: World) -> dict[str, Any]:
    plan: dict[str, Any] = world.do("plan")["plan"]
    return plan


def why(plan: dict[str, Any]) -> set[tuple[str, str]]:
    return {(reason["why"], reason["about"]) for reason in plan["approval"]}


def labelled(path: Path, count: int = 40, approval: str = ON) -> World:
    """A world whose first labelling was approved and written."""
    world = world_of(path, count, approval)
    number = planned(world)["plan"]
    world.do("approve", number=number)
    world.do("apply", number=number)
    return world


def moved(world: World, count: int = 2) -> None:
    """Some customers buy, so that they move."""
    for number in range(1, count + 1):
        for _ in range(4):
            world.buys(str(number * 5), amount=90_000)


def test_without_the_table_no_plan_waits(tmp_path: Path) -> None:
    world = world_of(tmp_path, approval="")
    plan = planned(world)
    assert plan["approval"] is None
    assert world.do("apply", number=plan["plan"])["applied"]["remaining"] == 0


def test_a_first_labelling_waits_until_somebody_approves_of_it(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    plan = planned(world)
    assert why(plan) == {("first_labelling", "rfm"), ("first_labelling", "value")}
    before = world.state()
    with pytest.raises(ApprovalNeeded, match=f"plan {plan['plan']} waits for an approval: it is the first"):
        world.do("apply", number=plan["plan"])
    assert world.state() == before
    decision = world.do("approve", number=plan["plan"])
    assert (decision["who"], decision["decision"], decision["records"]) == (ME, "approved", plan["records"])
    assert world.do("apply", number=plan["plan"])["applied"]["done"] == plan["changes"]


def test_an_unattended_run_writes_what_needs_no_approval(tmp_path: Path) -> None:
    world = labelled(tmp_path)
    moved(world)
    answer = world.do("run")
    assert answer["plan"]["approval"] == [] and answer["applied"]["done"] > 0


def test_an_unattended_run_leaves_what_needs_approval_as_an_open_plan(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    with pytest.raises(ApprovalNeeded) as stop:
        world.do("run")
    assert stop.value.exit_code == 5 and stop.value.plan is not None
    number = stop.value.plan
    world.do("approve", number=number)
    assert world.do("apply", number=number)["applied"]["done"] > 0


def test_a_run_carries_out_the_same_changes_that_were_approved(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.do("approve", number=planned(world)["plan"])
    assert world.do("run")["applied"]["done"] > 0


def test_a_changed_rule_and_a_new_field_and_a_new_list_wait(tmp_path: Path) -> None:
    world = labelled(tmp_path)
    world.label = "dead_band = 0.0\n"
    world.extra_fields = '["reason"]'
    world.do("setup")
    moved(world)
    assert why(planned(world)) == {("changed_rule", "rfm"), ("new_target", "seg_rfm_reason")}


def test_a_refit_waits(tmp_path: Path) -> None:
    world = labelled(tmp_path)
    for number in range(41, 60):
        world.store.put(str(number), email=f"customer{number}@example.org")
        world.buys(str(number), number % 50, 500_000 + number)
    world.do("train", names=["rfm"])
    assert why(planned(world)) == {("refit", "rfm")}


def test_a_large_plan_waits_whatever_it_is_about(tmp_path: Path) -> None:
    world = labelled(tmp_path, approval="[approval]\nabove = 1\n")
    moved(world, 3)
    plan = planned(world)
    assert why(plan) == {("size", "")} and plan["records"] > 1


def test_an_approval_lapses_after_a_day(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    number = planned(world)["plan"]
    world.do("approve", number=number)
    world.now += timedelta(hours=24)
    with pytest.raises(ApprovalNeeded, match="lapsed at 2024-07-02 12:00 UTC"):
        world.do("apply", number=number)
    world.do("approve", number=number)
    world.now += timedelta(hours=23, minutes=59)
    assert world.do("apply", number=number)["applied"]["done"] > 0


def test_changes_that_are_not_those_that_were_approved_are_not_written(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    number = planned(world)["plan"]
    world.do("approve", number=number)
    world.journal("UPDATE batches SET target = 'seg_other' WHERE plan = ? AND kind = 'list'", number)
    with pytest.raises(ApprovalNeeded, match="its changes are others now"):
        world.do("apply", number=number)


def test_a_rejected_plan_is_not_written_and_the_next_ones_wait(tmp_path: Path) -> None:
    world = labelled(tmp_path)
    moved(world)
    number = planned(world)["plan"]
    with pytest.raises(UsageError, match="a rejection needs a reason"):
        world.do("reject", number=number, reason=" ")
    world.do("reject", number=number, reason="Too many champions")
    with pytest.raises(ApprovalNeeded, match=f"plan {number} was rejected by {ME}: Too many champions"):
        world.do("apply", number=number)
    with pytest.raises(ApprovalNeeded, match="was rejected"):
        world.do("run")
    world.buys("20", amount=100)
    world.buys("25", amount=90_000)
    later = planned(world)
    assert why(later) == {("undecided", "")}
    world.do("approve", number=later["plan"])
    world.do("apply", number=later["plan"])
    moved(world, 4)
    assert planned(world)["approval"] == []


def test_a_trial_writes_so_many_records_and_no_more_however_often_it_is_applied(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    number = planned(world)["plan"]
    world.do("approve", number=number, first=8)
    for _ in range(2):
        assert world.do("apply", number=number)["applied"]["remaining"] > 0
        assert len(world.held("seg_rfm").keys() | world.held("seg_value").keys()) == 8
    with pytest.raises(ApprovalNeeded):
        world.do("run")
    number = planned(world)["plan"]
    world.do("approve", number=number)
    assert world.do("apply", number=number)["applied"]["remaining"] == 0


def test_a_plan_is_approved_without_a_segment(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    plan = planned(world)
    with pytest.raises(UsageError, match="'nobody' is no segment"):
        world.do("approve", number=plan["plan"], without=["nobody"])
    decision = world.do("approve", number=plan["plan"], without=["champions"])
    assert list(decision["without"]) == ["rfm.champions"]
    applied = world.do("apply", number=plan["plan"])["applied"]
    labels = {
        row["id"]: row["after"]
        for row in world.do("show_plan", number=plan["plan"])["changes"]
        if row["target"] == "seg_rfm"
    }
    assert "champions" in labels.values()
    assert world.held("seg_rfm") == {id: segment for id, segment in labels.items() if segment != "champions"}
    assert world.members()["rfm.champions"] == set() and applied["left_out"] > 0
    assert set(world.held("seg_value")) == set(labels), "other segmentations of these records are written"
    assert {reason for reason, _ in why(planned(world))} >= {"undecided"}


def test_two_people_look_at_a_plan_where_four_eyes_are_asked_for(tmp_path: Path) -> None:
    world = world_of(tmp_path, approval="[approval]\nfour_eyes = true\n")
    number = planned(world)["plan"]
    with pytest.raises(CommandError, match=f"plan {number} was created by {ME}"):
        world.do("approve", number=number)
    assert world.do("approve", number=number, who="ann@proxy")["who"] == "ann@proxy"
    assert world.do("apply", number=number)["applied"]["done"] > 0


def test_no_variable_of_the_environment_names_who_approves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "somebody-else")
    world = world_of(tmp_path)
    assert world.do("approve", number=planned(world)["plan"])["who"] == ME


def test_what_consent_takes_away_waits_for_nobody(tmp_path: Path) -> None:
    world = labelled(tmp_path, approval=ON)
    world.label = "dead_band = 0.0\n"  # a changed rule: the rest waits
    moved(world)
    gone = next(iter(world.held("seg_rfm")))
    world.store.put(gone, objects_to_profiling=True)
    assert world.do("run")["exit_code"] == 5
    assert gone not in world.held("seg_rfm")


def test_nothing_can_be_decided_about_a_plan_that_is_done_or_that_is_not_there(tmp_path: Path) -> None:
    world = labelled(tmp_path)
    with pytest.raises(CommandError, match="plan 1 is done"):
        world.do("approve", number=1)
    with pytest.raises(CommandError, match="there is no plan 99"):
        world.do("reject", number=99, reason="late")


def test_the_verbs_say_who_decided_and_what_comes_next(tmp_path: Path) -> None:
    world = folder(tmp_path, 12, more=ON)
    assert cli(world, "setup", "--yes").exit_code == 0
    text = cli(world, "plan").output
    assert "needs approval: it is the first labelling by rfm" in text and "crm-segments approve 1" in text
    refused = cli(world, "apply", "1")
    assert refused.exit_code == 5 and "lan 1 waits for an approval" in refused.output
    assert cli(world, "reject", "1").exit_code == 2, "a reason is needed"
    told = cli(world, "approve", "1", "--first", "3", "--without", "rfm.champions").output
    assert f"{ME} approved plan 1: a trial of 3 customers, without rfm.champions" in told
    assert "crm-segments apply 1" in told
    told = cli(world, "reject", "1", "--reason", "Too early").output
    assert f"{ME} rejected plan 1: Too early" in told
    assert cli(world, "apply", "1").exit_code == 5
