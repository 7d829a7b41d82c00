"""Do changes that start something in the CRM go only when they may, while the others and consent wait for nothing?"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connectors.contract import Automation
from connectors.schemas import MEMBER
from sync.config.windows import Window, Windows
from sync.exit_codes import RetryLater
from tests.memory_crm import Sent
from tests.test_enrolments import Clock, _twice, busiest_hour
from tests.test_laws import Killed
from tests.world import ALLOWED, VALUE, World

NIGHT = datetime(2024, 7, 2, 2, tzinfo=UTC)  # a Tuesday
DAY = datetime(2024, 7, 2, 10, tzinfo=UTC)


def world_of(path: Path, more: str = "", count: int = 30, value: str = VALUE) -> World:
    """A world with an automation on one field, at night."""
    world = World(path, value=value, more=f"[pace]\n{more}", now=NIGHT)
    world.store.listeners = (Automation("Any move", "seg_rfm"),)
    world.store.wall = lambda: world.now
    world.customers(count)
    world.do("setup")
    return world


def test_what_starts_something_waits_for_the_day_and_the_rest_does_not(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    with pytest.raises(
        RetryLater, match=r"changes of 30 records in plan 1 start .* until 2024-07-02 09:00 UTC"
    ) as later:
        world.do("run", allow=ALLOWED)
    assert later.value.at == datetime(2024, 7, 2, 9, tzinfo=UTC)
    assert not world.held("seg_rfm") and not any(world.members().values())
    assert len(world.held("seg_value")) == 30
    world.now = DAY
    assert world.do("run")["exit_code"] == 0
    assert len(world.held("seg_rfm")) == 30 and any(world.members().values())


def test_on_a_frozen_day_nothing_starts(tmp_path: Path) -> None:
    world = world_of(tmp_path, "freeze = [2024-07-02]\n")
    world.now = DAY
    with pytest.raises(RetryLater, match="until 2024-07-03 09:00 UTC"):
        world.do("run", allow=ALLOWED)
    assert not world.held("seg_rfm")
    world.now += timedelta(days=1)
    assert world.do("run")["exit_code"] == 0
    assert len(world.held("seg_rfm")) == 30


def test_without_automations_no_change_waits_for_the_day(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.store.listeners = ()
    assert world.do("run", allow=ALLOWED)["exit_code"] == 0
    assert len(world.held("seg_rfm")) == 30


def test_what_consent_takes_away_waits_for_no_window_and_no_pace(tmp_path: Path) -> None:
    world = world_of(tmp_path, 'writes_per_hour = 1\nwindows = ["Sat 01:00-01:30"]\nfreeze = [2024-07-02]\n')
    world.more = ""
    world.now = DAY
    assert world.do("run", allow=ALLOWED)["exit_code"] == 0
    world.more = '[pace]\nwrites_per_hour = 1\nwindows = ["Sat 01:00-01:30"]\nfreeze = [2024-07-02]\n'
    gone = sorted(world.held("seg_rfm"))[:3]
    for id in gone:
        world.store.put(id, objects_to_profiling=True)
    with suppress(RetryLater):
        world.do("run", allow=ALLOWED)
    assert not set(gone) & (world.held("seg_rfm").keys() | set().union(*world.members().values()))


def test_a_frozen_day_ends_at_midnight_and_a_window_that_goes_on_over_it_opens_then() -> None:
    windows = Windows(
        (Window.parse("22:00-04:00"),), ZoneInfo("Europe/Berlin"), frozenset({date(2024, 12, 24)})
    )
    at = datetime(2024, 12, 24, 23, tzinfo=ZoneInfo("Europe/Berlin"))
    assert not windows.open_at(at)
    assert windows.next_opening(at) == datetime(2024, 12, 25, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    whole_year = frozenset(date(2024, 1, 1) + timedelta(days=day) for day in range(366))
    windows = Windows((Window.parse("Mon 09:00-18:00"),), ZoneInfo("UTC"), whole_year)
    assert windows.next_opening(DAY) == datetime(2025, 1, 6, 9, tzinfo=UTC)


def test_a_canary_of_50_then_500_an_hour_in_the_window_killed_and_resumed_enrol_nobody_twice(
    tmp_path: Path,
) -> None:
    world = world_of(tmp_path, "writes_per_hour = 500\n", count=600, value="")
    world.store.listeners = (
        Automation("Any move", "seg_rfm"),
        Automation("Win them back", "seg_rfm", "lost"),
        Automation("Greet champions", "rfm.champions", MEMBER),
    )
    clock, world.batch_size = Clock(world, 1), 100
    world.now = datetime(2024, 7, 2, 15, 30, tzinfo=UTC)
    number = world.do("plan", allow=ALLOWED)["plan"]["plan"]
    world.do("apply", number=number, first=50, allow=ALLOWED)
    segments = set(world.labels("rfm").values())
    assert len(world.held("seg_rfm")) == 50 and set(world.held("seg_rfm").values()) == segments
    kills = iter((3, 9, 5))
    for _ in range(12):
        world.now += timedelta(minutes=50) if world.now.hour < 18 else timedelta(hours=15)
        clock.kind, clock.left = "kill", next(kills, -1)
        with suppress(RetryLater, Killed):
            if world.do("run", allow=ALLOWED)["plan"]["plan"] is None:
                break
        clock.left = -1
    assert len(world.held("seg_rfm")) == 600
    listened = ("seg_rfm", "rfm.champions")
    enrolling = [move for move in world.store.sent if move.moved and move.after and move.target in listened]
    assert all(_in_window(move) for move in enrolling)
    assert busiest_hour([move for move in enrolling if move.target == "seg_rfm"]) <= 500
    assert not _twice(world.store.sent)
    assert len([move for move in enrolling if move.target == "seg_rfm"]) == 600


def _in_window(move: Sent) -> bool:
    return 9 <= move.at.hour < 18
