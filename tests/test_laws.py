"""Do the laws of planning and applying hold, whatever people do to the CRM between two runs?

A law is tried on a business of two dozen customers whose past (set up, labelled, written) is made once and
copied. ``LAWS=200 pytest tests/test_laws.py`` looks harder.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st

from sync.exit_codes import GuardTripped, RetryLater
from tests.world import ALLOWED, DAY, World

CUSTOMERS = 24
IDS = st.integers(1, CUSTOMERS + 3).map(str)  # some of them are not there yet
VALUES = st.sampled_from(["champions", "lost", "loyal", "new", "prospect", None])
EXTRA_FIELDS = ("seg_rfm_reason", "seg_rfm_since")
LISTS = st.sampled_from(["rfm.champions", "rfm.lost", "rfm.prospect", "rfm.potential_loyal"])

EDITS = st.one_of(
    st.tuples(st.just("buy"), IDS, st.integers(0, 300), st.sampled_from([500, 20_000, 900_000])),
    st.tuples(st.just("edit"), IDS),
    st.tuples(st.just("field"), IDS, st.just("seg_rfm"), VALUES),
    st.tuples(st.just("field"), IDS, st.just("seg_value"), st.sampled_from(["a", "b", "c", None])),
    st.tuples(st.just("member"), LISTS, IDS, st.booleans()),
    st.tuples(st.just("delete"), IDS),
    st.tuples(st.just("merge"), IDS, IDS),
    st.tuples(st.just("objects"), IDS, st.booleans()),
)
CONFLICT = st.sampled_from(["keep", "overwrite"])
CRMS = st.sampled_from(["memory", "files"])
# what people do, and days that pass
ROUND = st.tuples(st.lists(EDITS, min_size=1, max_size=8), st.integers(0, 40))


def law(examples: int) -> settings:
    """So many examples, or as many as LAWS says."""
    phases = [phase for phase in Phase if phase != Phase.shrink or "LAWS" not in os.environ]
    return settings(max_examples=int(os.environ.get("LAWS", examples)), phases=phases)


def edit(world: World, change: tuple[Any, ...]) -> None:
    """A person changes something; what cannot be done to a record that is gone is left undone."""
    store, (what, *arguments) = world.store, change
    there = {id for type, id in store.records if store.exists(type, id)}
    match what, arguments:
        case "buy", [id, days, amount]:
            world.buys(id, days, amount)
        case "edit", [id]:
            if id not in {record_id for _, record_id in store.records}:
                store.put(id, email=f"new{id}@example.org")
            elif id in there:
                store.put(id, email=f"changed{store.clock}@example.org")
        case "field", [id, name, value] if id in there:
            store.set_field(id, name, value)
        case "member", [key, id, member] if id in there:
            store.set_member(key, id, member)
        case "delete", [id] if id in there:
            store.delete(id)
        case "merge", [loser, survivor] if loser != survivor and {loser, survivor} <= there:
            store.merge(loser, survivor)
        case "objects", [id, objects] if id in there:
            store.put(id, objects_to_profiling=objects)


def spree(world: World) -> None:
    """Everybody buys a lot, so that segments change."""
    for number in range(1, CUSTOMERS + 1):
        world.buys(str(number), number % 3, 100_000 * number)


_FOLDERS = tempfile.TemporaryDirectory(prefix="laws-")  # removed when the tests have ended


@cache
def _past(on_conflict: str, crm: str) -> World:
    """A world that was labelled and written once; only ever copied."""
    make = World if crm == "memory" else World.of_files
    world = make(
        Path(tempfile.mkdtemp(dir=_FOLDERS.name)),
        on_conflict=on_conflict,
        extra_fields='["reason", "since"]',
        batch_size=7,
    )
    world.customers(CUSTOMERS)
    world.first_run()
    return world


@contextmanager
def lived(on_conflict: str = "keep", crm: str = "memory") -> Iterator[World]:
    """A copy of that world."""
    folder = Path(tempfile.mkdtemp(dir=_FOLDERS.name))
    try:
        yield _past(on_conflict, crm).copy(folder / "one")
    finally:
        shutil.rmtree(folder)


def wanted_of(world: World) -> dict[tuple[str, str], str]:
    """What the labels want, as cells; the plan's own reckoning is not asked."""
    wanted = {
        (id, f"seg_{name}"): segment
        for name in ("rfm", "value")
        for id, segment in world.labels(name).items()
    }
    return wanted | {
        (id, f"rfm.{segment}"): "member" for (id, field), segment in wanted.items() if field == "seg_rfm"
    }


def cells(world: World) -> dict[tuple[str, str], str]:
    """Everything that we can write, one cell each: (id, target) → value, where there is one."""
    fields, lists = world.state()
    alive = {id for type, id in world.store.records if world.store.exists(type, id)}
    field_cells = {
        (id, name): value for name, values in fields.items() for id, value in values.items() if id in alive
    }
    return field_cells | {(id, key): "member" for key, ids in lists.items() for id in ids if id in alive}


def ever_ours(world: World) -> set[tuple[str, str, str]]:
    """Cells with a value that we wrote there at some time, or that a label wanted there."""
    written = {(id, target, after) for id, target, _before, after in world.written() if after}
    return written | {(id, f"rfm.{after}", "member") for id, target, after in written if target == "seg_rfm"}


@law(4)
@given(crm=CRMS, rounds=st.lists(ROUND, min_size=1, max_size=3))
def test_keep_never_replaces_a_foreign_value_and_a_second_run_changes_nothing(
    crm: str, rounds: list[Any]
) -> None:
    with lived("keep", crm=crm) as world:
        day = DAY
        for edits, days in rounds:
            day += timedelta(days=days)
            for change in edits:
                edit(world, change)
            before, ours = cells(world), ever_ours(world)
            answer = world.do("run", as_of=day, allow=ALLOWED)
            assert answer["exit_code"] == 0
            after = cells(world)
            wanted = wanted_of(world)
            for cell, value in before.items():
                if cell[1] in EXTRA_FIELDS:
                    continue
                if (*cell, value) not in ours and value != wanted.get(cell):
                    assert after.get(cell) == value, f"{cell} was not ours"
                assert cell in after or (*cell, value) in ours, f"{cell} was cleared and not ours"
            again = world.do("run", as_of=day, allow=ALLOWED)
            assert (again["plan"]["plan"], again["calls"]["write"]) == (None, 0)
            assert cells(world) == after


@law(4)
@given(crm=CRMS, rounds=st.lists(ROUND, min_size=1, max_size=3))
def test_overwrite_reaches_every_wanted_value(crm: str, rounds: list[Any]) -> None:
    with lived("overwrite", crm=crm) as world:
        day = DAY
        for edits, days in rounds:
            day += timedelta(days=days)
            for change in edits:
                edit(world, change)
            assert world.do("run", as_of=day, allow=ALLOWED)["exit_code"] == 0
            after, wanted = cells(world), wanted_of(world)
            assert {cell: after.get(cell) for cell in wanted} == wanted
            again = world.do("run", as_of=day, allow=ALLOWED)
            assert (again["plan"]["plan"], again["calls"]["write"]) == (None, 0)


def objectors(world: World) -> set[str]:
    """Who objects to profiling, and who was merged with one who does: undo gives them nothing back."""
    merged = [
        (id, row["merged_into"]) for (_, id), row in world.store.records.items() if row.get("merged_into")
    ]
    objecting = {id for (_, id), row in world.store.records.items() if row.get("objects_to_profiling")}
    objecting |= world.store.objected
    for _ in merged:
        objecting |= {record_id for pair in merged if objecting & set(pair) for record_id in pair}
    return objecting


@law(3)
@given(
    crm=CRMS, edits=st.lists(EDITS, min_size=1, max_size=10), days=st.integers(0, 60), on_conflict=CONFLICT
)
def test_undo_restores_value_and_owner(crm: str, edits: list[Any], days: int, on_conflict: str) -> None:
    day = DAY + timedelta(days=days)
    with lived(on_conflict, crm=crm) as world:
        for change in edits:
            edit(world, change)
        before = cells(world)
        run = world.do("run", as_of=day, allow=ALLOWED)
        event("something to undo" if run["applied"]["done"] else "nothing to undo")
        if not run["applied"]["done"]:
            return
        undone = world.do("undo", number=run["run"], allow=ALLOWED)
        assert (undone["plan"]["kept"], undone["exit_code"]) == (0, 0)
        gone = objectors(world)
        assert {c: v for c, v in cells(world).items() if c[0] not in gone} == {
            c: v for c, v in before.items() if c[0] not in gone
        }
        rerun = world.do("run", as_of=day, allow=ALLOWED)
        assert (rerun["plan"]["changes"], rerun["exit_code"]) == (0, 5) or set(rerun["plan"]["held"]) < {
            "rfm",
            "value",
        }
        again = world.do("plan", as_of=day, allow={**ALLOWED, "undone": "it was right after all"})
        if set(rerun["plan"]["held"]) == set(undone["held"]) and not rerun["plan"]["changes"]:
            assert again["plan"]["by_target"] == run["plan"]["by_target"], (
                "owners are as they were, so the same plan comes out"
            )


@law(3)
@given(
    crm=CRMS,
    edits=st.lists(EDITS, min_size=2, max_size=8),
    since=st.lists(EDITS, min_size=1, max_size=6),
    days=st.integers(10, 60),
)
def test_undo_leaves_what_people_changed_since(
    crm: str, edits: list[Any], since: list[Any], days: int
) -> None:
    with lived(crm=crm) as world:
        for change in edits:
            edit(world, change)
        before = cells(world)
        run = world.do("run", as_of=DAY + timedelta(days=days), allow=ALLOWED)
        if not run["applied"]["done"]:
            return
        written = cells(world)
        for change in since:
            edit(world, change)
        meanwhile = cells(world)
        world.do("undo", number=run["run"], allow=ALLOWED)
        after = cells(world)
        alive = {id for type, id in world.store.records if world.store.exists(type, id)}
        for cell in {*before, *written, *meanwhile, *after}:
            if cell[0] in alive - objectors(world):
                expected = (
                    before.get(cell) if meanwhile.get(cell) == written.get(cell) else meanwhile.get(cell)
                )
                assert after.get(cell) == expected, cell


class Killed(BaseException):
    """What kill -9 looks like from inside."""


@contextmanager
def killed_at(world: World, moment: int) -> Iterator[list[int]]:
    """Die at the n-th call of the CRM or report of progress; the list holds how many there were."""
    count = [0]

    def strike(*_what: Any) -> None:
        count[0] += 1
        if count[0] == moment:
            raise Killed

    world.faults.hook, world.progress = strike, strike
    try:
        yield count
    except Killed:
        pass
    finally:
        world.faults.hook, world.progress = (lambda moment: None), (lambda what, done, total: None)


@law(4)
@given(
    crm=CRMS,
    edits=st.lists(EDITS, min_size=1, max_size=8),
    moments=st.lists(st.integers(1, 25), min_size=1, max_size=2),
    mirror=st.sampled_from(["as it is", "deleted", "as it was before the run"]),
    days=st.integers(5, 60),
)
def test_killing_anywhere_and_running_again_equals_one_quiet_run(
    crm: str, edits: list[Any], moments: list[int], mirror: str, days: int
) -> None:
    day = DAY + timedelta(days=days)
    with lived(crm=crm) as world:
        for change in edits:
            edit(world, change)
        quiet = world.copy(world.folder.parent / "quiet")
        assert quiet.do("run", as_of=day, allow=ALLOWED)["exit_code"] == 0
        for moment in moments:
            cache = {path: path.read_bytes() for path in (world.folder / "state").glob("mirror.duckdb*")}
            with killed_at(world, moment):
                world.do("run", as_of=day, allow=ALLOWED)
            if mirror != "as it is":
                world.lose_mirror()
            if mirror == "as it was before the run":
                for path, content in cache.items():
                    path.write_bytes(content)
        assert world.do("run", as_of=day, allow=ALLOWED)["exit_code"] == 0
        assert cells(world) == cells(quiet)
        assert sorted(world.written(), key=str) == sorted(quiet.written(), key=str), (
            "nothing twice, nothing lost"
        )
        again = world.do("run", as_of=day, allow=ALLOWED)
        assert (again["plan"]["plan"], again["calls"]["write"]) == (None, 0)


@law(4)
@given(crm=CRMS, moment=st.integers(1, 20), deleted=st.booleans())
def test_an_undo_that_was_killed_goes_on(crm: str, moment: int, deleted: bool) -> None:
    with lived(crm=crm) as world:
        spree(world)
        before = cells(world)
        run = world.do("run", allow=ALLOWED)
        with killed_at(world, moment):
            world.do("undo", number=run["run"], allow=ALLOWED)
        if deleted:
            world.lose_mirror()
        if cells(world) != before:
            world.do("undo", number=run["run"], allow=ALLOWED)
        assert cells(world) == before
        assert world.do("run", allow=ALLOWED)["exit_code"] == 5, "and the next run does not redo it"


@pytest.mark.parametrize("crm", ["memory", "files"])
def test_an_apply_that_was_killed_at_any_moment_is_ended_by_the_next_one(crm: str) -> None:
    def planned(world: World) -> int:
        spree(world)
        return int(world.do("plan", allow=ALLOWED)["plan"]["plan"])

    with lived(crm=crm) as world:
        plan = planned(world)
        with killed_at(world, 0) as moments:
            world.do("apply", number=plan, allow=ALLOWED)
        wanted = cells(world)
    assert moments[0] > 3
    for moment in range(1, moments[0] + 1):
        with lived(crm=crm) as world:
            plan = planned(world)
            with killed_at(world, moment):
                world.do("apply", number=plan, allow=ALLOWED)
            if cells(world) != wanted:
                world.do("apply", number=plan, allow=ALLOWED)
            assert cells(world) == wanted, moment


@law(4)
@given(
    crm=CRMS, edits=st.lists(EDITS, min_size=1, max_size=8), seed=st.integers(0, 99), size=st.integers(1, 30)
)
def test_the_order_and_the_size_of_batches_do_not_matter(
    crm: str, edits: list[Any], seed: int, size: int
) -> None:
    day = DAY + timedelta(days=45)
    with lived(crm=crm) as world:
        for change in edits:
            edit(world, change)
        straight = world.copy(world.folder.parent / "straight")
        straight.do("run", as_of=day, allow=ALLOWED)
        world.batch_size = size
        planned = world.do("plan", as_of=day, allow=ALLOWED)["plan"]["plan"]
        if planned:
            _shuffle(world, planned, seed)
            world.do("apply", number=planned, as_of=day, allow=ALLOWED)
        assert cells(world) == cells(straight)


def _shuffle(world: World, plan: int, seed: int) -> None:
    numbers = [row["batch"] for row in world.journal("SELECT batch FROM batches WHERE plan = ?", plan)]
    mixed = random.Random(seed).sample(numbers, len(numbers))
    for number in numbers:
        world.journal("UPDATE batches SET batch = -batch WHERE batch = ?", number)
    for number, other in zip(numbers, mixed, strict=True):
        world.journal("UPDATE batches SET batch = ? WHERE batch = ?", other, -number)


@law(4)
@given(lost=st.integers(0, 8), arrived=st.booleans())
def test_applying_a_plan_twice_equals_applying_it_once(lost: int, arrived: bool) -> None:
    day = DAY
    with lived() as world:
        spree(world)
        once = world.copy(world.folder.parent / "once")
        once.do("run", as_of=day, allow=ALLOWED)
        planned = world.do("plan", as_of=day, allow=ALLOWED)["plan"]["plan"]
        setattr(world.faults, "fail_after" if arrived else "fail_before", lost)
        with pytest.raises(RetryLater):
            world.do("apply", number=planned, as_of=day, allow=ALLOWED)
        world.do("apply", number=planned, as_of=day, allow=ALLOWED)
        world.do("run", as_of=day, allow=ALLOWED)
        assert cells(world) == cells(once)
        with pytest.raises(GuardTripped):
            world.do("apply", number=planned, as_of=day, allow=ALLOWED)
        assert cells(world) == cells(once)
