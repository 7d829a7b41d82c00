"""A first plan is told in one sentence, and a plan that a person carries out counts as a good run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from sync.exit_codes import GuardTripped
from sync.terminal.printers import print_answer
from tests.world import World


def world_of(folder: Path, customers: int = 30) -> World:
    world = World(folder, label='title = "Buying habits"\n')
    world.customers(customers)
    world.do("setup")
    return world


def test_a_first_plan_says_one_sentence_of_its_guards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = world_of(tmp_path)
    planned = world.do("plan")
    assert planned["plan"]["first_labelling"] == {
        "records": 30,
        "segmentations": ["Buying habits", "value"],
    }
    assert len([trip for trip in planned["plan"]["trips"] if trip["guard"] == "max_enter"]) > 2
    print_answer("plan", planned)
    printed = capsys.readouterr().out
    sentence = (
        "Warning: First run: 30 customers will get a segment of Buying habits and value. Please review.\n"
    )
    assert printed.count(sentence) == 1 and "max_enter" not in printed
    with pytest.raises(GuardTripped) as stopped:
        world.do("run")
    assert str(stopped.value).count("First run: 30 customers") == 1
    world.do("apply", number=world.do("plan")["plan"]["plan"])
    world.buys("1", 3, 900_000)
    assert world.do("plan")["plan"]["first_labelling"] == {}


def test_a_plan_that_was_applied_wholly_is_a_good_run(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    number = world.do("plan")["plan"]["plan"]
    world.do("apply", number=number, first=5)
    assert world.do("status")["last_good_run"] is None, "most of it waits"
    assert world.do("status", max_age_hours=1)["exit_code"] == 1
    world.do("apply", number=number)
    state = world.do("status", max_age_hours=24 * 365 * 100)
    assert state["last_good_run"] and state["exit_code"] == 0
    world.now += timedelta(days=36_600 * 2)
    assert world.do("status", max_age_hours=24 * 365 * 100)["exit_code"] == 1
