"""Do we write only as fast, and only when, the config says, and does the rest of a plan follow?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sync.exit_codes import RetryLater
from tests.world import ALLOWED, World


def fresh(folder: Path, more: str = "", customers: int = 40) -> World:
    """A world that was set up, and where it is now."""
    world = World(folder, lists="none", more=more, now=datetime.now(UTC))
    world.customers(customers)
    world.do("setup")
    return world


def test_no_more_records_an_hour_than_the_pace_allows(tmp_path: Path) -> None:
    world = fresh(tmp_path, "[pace]\nwrites_per_hour = 15")
    with pytest.raises(RetryLater, match="15 records an hour") as later:
        world.do("run", allow=ALLOWED)
    assert later.value.exit_code == 75
    assert len(world.held("seg_rfm")) == 15
    with pytest.raises(RetryLater):
        world.do("run")
    assert len(world.held("seg_rfm")) == 15
    for expected in (30, 40):
        world.now += timedelta(minutes=61)
        try:
            world.do("run")
        except RetryLater:
            assert expected == 30
        assert len(world.held("seg_rfm")) == expected
    assert world.do("run")["plan"]["plan"] is None


def test_outside_its_windows_a_plan_waits(tmp_path: Path) -> None:
    world = fresh(tmp_path, '[pace]\nwindows = ["Mon-Fri 02:00-05:00"]')
    world.now = datetime(2024, 7, 5, 12, tzinfo=UTC)  # a Friday
    planned = world.do("plan")["plan"]["plan"]
    with pytest.raises(RetryLater, match="2024-07-08 02:00") as later:
        world.do("apply", number=planned)
    assert later.value.exit_code == 75 and not world.held("seg_rfm")
    world.now = datetime(2024, 7, 8, 2, 30, tzinfo=UTC)
    assert world.do("apply", number=planned)["exit_code"] == 0
    assert len(world.held("seg_rfm")) == 40


def test_a_window_that_is_closed_stops_no_reading(tmp_path: Path) -> None:
    world = fresh(tmp_path, '[pace]\nwindows = ["Mon-Fri 02:00-05:00"]')
    world.now = datetime(2024, 7, 5, 12, tzinfo=UTC)
    assert world.do("plan", exit_code=True)["exit_code"] == 3


def test_a_canary_writes_the_first_records_and_the_rest_follows(tmp_path: Path) -> None:
    world = fresh(tmp_path)
    planned = world.do("plan")["plan"]
    canary = world.do("apply", number=planned["plan"], first=3)["applied"]
    assert len(world.held("seg_rfm")) == len(world.held("seg_value")) == 3
    assert (canary["done"], canary["remaining"]) == (6, planned["changes"] - 6)
    remainder = world.do("apply", number=planned["plan"])["applied"]
    assert (remainder["done"], remainder["remaining"]) == (planned["changes"] - 6, 0)
    assert len(world.held("seg_rfm")) == 40


def test_a_canary_takes_the_lists_of_its_records_along(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(20)
    world.do("setup")
    planned = world.do("plan")["plan"]
    world.do("apply", number=planned["plan"], first=4)
    assert set().union(*world.members().values()) == world.held("seg_rfm").keys()
    assert len(world.held("seg_rfm")) == 4


def test_after_a_canary_a_plain_run_finishes_what_was_approved(tmp_path: Path) -> None:
    world = fresh(tmp_path)
    planned = world.do("plan")["plan"]
    world.do("apply", number=planned["plan"], first=3)
    assert world.do("run")["exit_code"] == 0
    assert len(world.held("seg_rfm")) == 40


def test_an_outage_saves_what_was_written_and_says_to_come_again(tmp_path: Path) -> None:
    world = fresh(tmp_path)
    world.batch_size, world.faults.fail_before = 7, 2
    with pytest.raises(RetryLater, match="run again"):
        world.do("run", allow=ALLOWED)
    assert len(world.held("seg_rfm")) == 14
    assert world.do("run")["exit_code"] == 0
    assert len(world.held("seg_rfm")) == 40


def test_values_are_read_again_before_writing_when_the_pull_is_old(tmp_path: Path) -> None:
    world = fresh(tmp_path)
    planned = world.do("plan")["plan"]["plan"]
    world.store.set_field("7", "seg_rfm", "lost")
    world.now += timedelta(minutes=16)
    answer = world.do("apply", number=planned)
    assert answer["exit_code"] == 4
    assert (answer["applied"]["skipped"], answer["applied"]["reasons"]) == (
        1,
        {"somebody changed it since the pull": 1},
    )
    assert world.held("seg_rfm")["7"] == "lost"


def test_who_is_forgotten_counts_in_the_hour_and_is_not_held_back_by_it(tmp_path: Path) -> None:
    world = World(tmp_path, lists="none", more="[pace]\nwrites_per_hour = 15", now=datetime.now(UTC))
    world.customers(40)
    world.do("setup")
    with pytest.raises(RetryLater):
        world.do("run", allow=ALLOWED)
    for id in list(world.held("seg_rfm"))[:2]:
        world.do("forget", id=id)
    assert len(world.held("seg_rfm")) == 13
    with pytest.raises(RetryLater):
        world.do("run", allow=ALLOWED)
    assert len(world.held("seg_rfm")) == 13, "what was written to them this hour still counts"
    world.now += timedelta(minutes=61)
    world.do("forget", id=next(iter(world.held("seg_rfm"))))
    with pytest.raises(RetryLater):
        world.do("run", allow=ALLOWED)
    assert len(world.held("seg_rfm")) == 12 + 14
    assert all(row["id"] for row in world.do("history")["history"])
