"""Can the workflows of a CRM rely on us: never more enrolments an hour than configured, never one record
twice for one change?
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.exit_codes import CommandError, RetryLater
from tests.memory_crm import Sent
from tests.test_laws import Killed, law
from tests.world import ALLOWED, World

HOUR = timedelta(hours=1)
START = datetime(2024, 7, 1, 2, tzinfo=UTC)


class Clock:
    """Time goes by with every call; strikes when told to."""

    def __init__(self, world: World, seconds: int) -> None:
        self.world, self.seconds, self.left = world, seconds, -1
        self.kind = ""
        world.store.wall = lambda: world.now
        world.faults.hook = self._hook

    def _hook(self, moment: str) -> None:
        self.world.now += timedelta(seconds=self.seconds)
        if moment.endswith("write"):
            self.left -= 1
            if self.left == 0:
                if self.kind == "kill":
                    raise Killed
                self.world.faults.fail_after = 0


def started(folder: Path, pace: int, batch: int, call: int, seconds: int) -> tuple[World, Clock]:
    more = f"[pace]\nwrites_per_hour = {pace}\n"
    world = World(folder, lists="static", value="", more=more, batch_size=batch, now=START)
    world.customers(24)
    world.store.call_size = call
    world.do("setup")
    return world, Clock(world, seconds)


def busiest_hour(sent: list[Sent]) -> int:
    """The most records that were moved (a field, or a list) in any hour, as workflows see it."""
    moved = [move.at for move in sent if move.moved]
    return max((sum(start <= move < start + HOUR for move in moved) for start in moved), default=0)


STEP = st.tuples(
    st.sampled_from(["run", "canary", "apply", "undo", "buy", "kill", "lost answer"]),
    st.integers(0, 50),
    st.integers(1, 8),
)


@law(3)
@given(
    pace=st.integers(8, 30),
    batch=st.integers(2, 25),
    call=st.integers(1, 9),
    seconds=st.integers(1, 900),
    steps=st.lists(STEP, max_size=6),
)
def test_no_hour_holds_more_enrolments_than_configured(
    tmp_path_factory: pytest.TempPathFactory, pace: int, batch: int, call: int, seconds: int, steps: list[Any]
) -> None:
    world, clock = started(tmp_path_factory.mktemp("pace"), pace, batch, call, seconds)
    runs: list[int] = []
    for what, minutes, number in steps:
        world.now += timedelta(minutes=minutes)
        with suppress(CommandError, Killed):
            match what:
                case "kill" | "lost answer":
                    clock.kind, clock.left = what.split()[0], number
                    world.do("run", allow=ALLOWED)
                case "run":
                    runs.append(world.do("run", allow=ALLOWED)["run"])
                case "canary":
                    world.do("plan", allow=ALLOWED)
                    world.do("apply", first=number, allow=ALLOWED)
                case "apply":
                    world.do("apply", allow=ALLOWED)
                case "undo" if runs:
                    world.do("undo", number=runs[-1], allow=ALLOWED)
                case "buy":
                    for customer in range(1, number + 1):
                        world.buys(str(customer), 0, 300_000 * number)
        clock.left = -1
    assert busiest_hour(world.store.sent) <= pace
    _come_to_rest(world)
    assert busiest_hour(world.store.sent) <= pace
    assert not _twice(world.store.sent)


def _come_to_rest(world: World) -> None:
    """Run every hour until nothing is left to do."""
    world.faults.fail_after = None
    allow = {**ALLOWED, "undone": "it was right after all"}
    for _ in range(80):
        world.now += HOUR + timedelta(minutes=1)
        try:
            if world.do("run", allow=allow)["plan"]["plan"] is None:
                return
        except RetryLater:
            continue
    raise AssertionError("a plan never came to its end")


def _twice(sent: list[Sent]) -> list[tuple[str, str, str | None]]:
    """Records that were moved to the value that we had moved them to already."""
    latest: dict[tuple[str, str], str | None] = {}
    repeats = []
    for move in (move for move in sent if move.moved):
        if latest.get((move.id, move.target)) == move.after:
            repeats.append((move.id, move.target, move.after))
        latest[move.id, move.target] = move.after
    return repeats


@pytest.mark.parametrize("moment", (2, 5, 9, 14))
@pytest.mark.parametrize("kind", ["kill", "lost"])
def test_nothing_that_stands_in_the_crm_is_sent_again_after_a_batch_was_cut_off(
    tmp_path: Path, kind: str, moment: int
) -> None:
    world = World(tmp_path, lists="none", value="", batch_size=20, now=START)
    world.customers(40)
    world.store.call_size = 5
    world.do("setup")
    clock = Clock(world, 1)
    clock.kind, clock.left = kind, moment
    with suppress(RetryLater, Killed):
        world.do("run", allow=ALLOWED)
    clock.left, world.faults.fail_after = -1, None
    world.do("run")
    assert len(world.held("seg_rfm")) == 40
    assert max(Counter((change.id, change.target) for change in world.store.sent).values()) == 1, (
        "also not with the same value"
    )
    assert world.journal("SELECT * FROM rejects") == [], "an outage costs no attempt"


def test_a_poisoned_call_in_a_big_batch_sends_nothing_twice(tmp_path: Path) -> None:
    world = World(tmp_path, lists="none", value="", batch_size=100, now=START)
    world.customers(60)
    world.store.call_size = 10
    world.do("setup")
    world.faults.poison = {"37"}
    answer = world.do("run", allow=ALLOWED)
    assert (answer["applied"]["done"], answer["applied"]["rejected"]) == (59, 1)
    assert max(Counter(change.id for change in world.store.sent).values()) == 1


def test_the_pace_counts_from_the_answer_of_a_long_batch(tmp_path: Path) -> None:
    """A job that runs for 50 minutes writes its last records at the end of them."""
    world, clock = started(tmp_path, pace=24, batch=24, call=24, seconds=3000)
    with pytest.raises(RetryLater):
        world.do("run", allow=ALLOWED)
    closed = datetime.fromisoformat(
        world.journal("SELECT closed_at FROM batches WHERE state = 'done'")[0]["closed_at"]
    )
    clock.seconds = 0
    world.now = closed + timedelta(minutes=59)
    with pytest.raises(RetryLater) as later:
        world.do("run", allow=ALLOWED)
    assert later.value.at == closed + HOUR
    world.now = closed + timedelta(minutes=61)
    world.do("run", allow=ALLOWED)
    assert busiest_hour(world.store.sent) <= 24


def test_a_rest_that_waits_for_the_pace_in_the_last_batch_says_so(tmp_path: Path) -> None:
    world = World(
        tmp_path, lists="none", value="", more="[pace]\nwrites_per_hour = 15", batch_size=1000, now=START
    )
    world.customers(40)
    world.do("setup")
    with pytest.raises(RetryLater, match="15 records an hour"):
        world.do("run", allow=ALLOWED)
    assert len(world.held("seg_rfm")) == 15


def test_a_window_that_closes_while_we_write_ends_the_writing(tmp_path: Path) -> None:
    world = World(
        tmp_path, lists="none", value="", more='[pace]\nwindows = ["02:00-03:00"]', batch_size=10, now=START
    )
    world.customers(40)
    world.do("setup")
    clock = Clock(world, 0)
    planned = world.do("plan")["plan"]["plan"]
    clock.seconds = 1000
    with pytest.raises(RetryLater, match="02:00") as later:
        world.do("apply", number=planned)
    assert 0 < len(world.held("seg_rfm")) < 40 and later.value.at == START + timedelta(days=1)
