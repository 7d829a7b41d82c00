"""Does undo lead back, under guards, and does nothing redo what a person has taken back?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sync.exit_codes import CommandError, GuardTripped
from tests.folder_store import FolderStore
from tests.world import ALLOWED, World


def moved(folder: Path, **settings: Any) -> tuple[World, Any, int]:
    """A world after a run that moved many: what it held before, and the run's number."""
    world = World(folder, **settings)
    world.customers(40)
    world.first_run()
    before = world.state()
    for number in range(1, 41):
        world.buys(str(number), number % 3, 100_000 * number)
    run = world.do("run", allow=ALLOWED)
    assert run["applied"]["done"] > 40
    return world, before, run["run"]


def test_undo_brings_back_every_value_and_member_of_a_run(tmp_path: Path) -> None:
    world, before, run = moved(tmp_path, extra_fields='["reason", "since", "previous", "score"]')
    answer = world.do("undo", number=run)
    assert world.state() == before
    assert (answer["undoes"], answer["held"], answer["exit_code"]) == (run, ["rfm", "value"], 0)


def test_the_next_run_does_not_redo_it_until_it_is_allowed(tmp_path: Path) -> None:
    world, before, run = moved(tmp_path)
    world.do("undo", number=run)
    for _ in range(2):
        rerun = world.do("run")
        assert (rerun["exit_code"], rerun["plan"]["held"], rerun["calls"]["write"]) == (
            5,
            ["rfm", "value"],
            0,
        )
        assert world.state() == before
    answer = world.do("run", allow={**ALLOWED, "undone": "marketing agreed"})
    assert answer["applied"]["done"] > 40
    assert world.do("run")["exit_code"] == 0
    assert {"guard": "undone", "reason": "marketing agreed"} in world.journal(
        "SELECT guard, reason FROM allowances WHERE guard = 'undone'"
    )


def test_a_changed_config_lets_only_that_segmentation_go(tmp_path: Path) -> None:
    world, before, run = moved(tmp_path)
    world.do("undo", number=run)
    world.label = "window_days = 100\n"
    answer = world.do("run", allow=ALLOWED)
    assert answer["plan"]["held"] == ["value"]
    assert world.held("seg_rfm") == world.labels("rfm")
    assert world.held("seg_value") == before[0]["seg_value"]


def test_undo_of_a_first_labelling_leaves_empty_fields_and_lists(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(20)
    run = world.first_run()["run"]
    world.do("undo", number=run)
    assert not world.held("seg_rfm") and not any(world.members().values())
    assert ("contact", "seg_rfm") in world.store.fields and "rfm.champions" in world.store.lists
    assert world.do("run", allow={**ALLOWED, "undone": "again"})["exit_code"] == 0
    assert len(world.held("seg_rfm")) == 20


def test_what_somebody_changed_since_stays_and_is_reported(tmp_path: Path) -> None:
    world, before, run = moved(tmp_path)
    changed = {row[0] for row in world.written() if row[1] == "seg_rfm" and row[2]}
    mine = min(changed)
    world.store.set_field(mine, "seg_rfm", "cannot_lose")
    answer = world.do("undo", number=run)
    assert answer["plan"]["kept"] == 1
    assert world.held("seg_rfm") == {**before[0]["seg_rfm"], mine: "cannot_lose"}


def test_undo_stops_at_the_counts_of_guards(tmp_path: Path) -> None:
    world, _before, run = moved(tmp_path)
    after = world.state()
    world.more = "[guards]\nmax_writes = 10"
    with pytest.raises(GuardTripped, match="max_writes"):
        world.do("undo", number=run)
    assert world.state() == after
    assert world.do("undo", number=run, allow={"max_writes": "a mistake"})["exit_code"] == 0


def test_a_run_that_wrote_nothing_cannot_be_undone(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(5)
    world.first_run()
    quiet = world.do("run")["run"]
    for number in (quiet, 999):
        with pytest.raises(CommandError, match=f"run {number} has nothing to undo"):
            world.do("undo", number=number)


def test_undo_gives_overwritten_values_back_to_their_owners(tmp_path: Path) -> None:
    world = World(tmp_path, on_conflict="overwrite")
    world.customers(20)
    world.first_run()
    world.store.set_field("5", "seg_rfm", "champions")
    run = world.do("run", allow=ALLOWED)
    assert world.held("seg_rfm")["5"] == "prospect"
    world.do("undo", number=run["run"])
    assert world.held("seg_rfm")["5"] == "champions"
    world.on_conflict = "keep"
    answer = world.do("run", allow={"undone": "keep theirs"})
    assert (answer["plan"]["kept"], answer["plan"]["changes"]) == (1, 0), "it is theirs again"


def test_an_undo_can_be_undone(tmp_path: Path) -> None:
    world, _before, run = moved(tmp_path)
    after = world.state()
    undo = world.do("undo", number=run)
    world.do("undo", number=undo["run"])
    assert world.state() == after
    assert world.do("run", allow={"undone": "it was right"})["plan"]["changes"] == 0


def test_undo_brings_back_every_byte_of_a_folder_of_files(tmp_path: Path) -> None:
    world = World.of_files(tmp_path, extra_fields='["reason", "since"]')
    world.customers(40)
    world.first_run()
    assert isinstance(world.store, FolderStore)
    before = world.store.bytes()
    for number in range(1, 41):
        world.buys(str(number), number % 3, 100_000 * number)
    run = world.do("run", allow=ALLOWED)
    assert world.store.bytes() != before
    world.do("undo", number=run["run"])
    assert world.store.bytes() == before
    assert world.do("run")["exit_code"] == 5
    assert world.store.bytes() == before


def cut_off_undo(folder: Path) -> tuple[World, Any, int]:
    """A world whose undo of a run was killed in the middle: what it goes back to, and the number of the plan."""
    world, before, run = moved(folder, batch_size=5)
    calls: list[str] = []

    def kill(moment: str) -> None:
        calls.extend([moment] if moment == "before write" else [])
        if len(calls) == 3:
            raise KeyboardInterrupt

    world.faults.hook = kill
    with pytest.raises(KeyboardInterrupt):
        world.do("undo", number=run)
    world.faults.hook = lambda moment: None
    return world, before, world.journal("SELECT plan FROM plans WHERE undoes = ?", run)[0]["plan"]


def test_an_undo_that_was_cut_off_outlives_a_run_about_other_fields(tmp_path: Path) -> None:
    world, before, plan = cut_off_undo(tmp_path)
    assert world.state() != before
    world.more = '[[segmentations]]\nname = "again"\nkind = "abc"\nfield = "seg_again"\n'
    world.do("setup")
    run = world.do("run", allow=ALLOWED)
    assert run["applied"]["done"] > 10 and run["plan"]["held"] == ["rfm", "value"]
    [note] = [note for note in run["notes"] if "was interrupted" in note]
    assert f"continue with `crm-segments apply {plan}`" in note
    assert world.do("status")["plans"][0]["plan"] == plan
    assert world.do("apply", number=plan)["applied"]["remaining"] == 0
    fields, members = world.state()
    assert ({name: fields[name] for name in before[0]}, members) == before


def test_a_cut_off_undo_ends_where_a_run_writes_the_same_fields(tmp_path: Path) -> None:
    world, _before, plan = cut_off_undo(tmp_path)
    world.do("run", allow={**ALLOWED, "undone": "it was right"})
    with pytest.raises(GuardTripped, match="superseded"):
        world.do("apply", number=plan)


def test_a_run_that_was_killed_is_called_interrupted(tmp_path: Path) -> None:
    world, _before, _plan = cut_off_undo(tmp_path)
    for _ in range(2):
        undone = next(run for run in world.do("status")["runs"] if run["command"] == "undo")
        assert undone["summary"] == {"interrupted": True}
        world.do("plan")


def test_what_an_outage_kept_from_an_undo_is_written_when_it_goes_on(tmp_path: Path) -> None:
    world, before, run = moved(tmp_path)
    world.faults.reject = dict.fromkeys(("7", "8"), "transient")
    undone = world.do("undo", number=run)
    assert undone["exit_code"] == 75 and undone["applied"]["remaining"] == undone["applied"]["transient"] > 1
    world.faults.reject = {}
    assert world.do("apply", number=undone["plan"]["plan"])["exit_code"] == 0
    assert world.state() == before
