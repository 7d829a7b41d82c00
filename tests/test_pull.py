"""Does a pull read only what is new, refuse what looks cut off, and lead to the same labels however it went?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sync.exit_codes import GuardTripped
from tests.folder_store import FolderStore
from tests.world import ALLOWED, DAY, World


def folder(path: Path, customers: int = 60) -> tuple[World, FolderStore]:
    """A folder of files that was labelled and written."""
    world = World.of_files(path)
    world.customers(customers)
    world.first_run()
    assert isinstance(world.store, FolderStore)
    return world, world.store


def shrink(world: World) -> None:
    """An export that was cut off at 60%."""
    for number in range(37, 61):
        del world.store.records["contact", str(number)]


@pytest.mark.parametrize("make", [World, World.of_files])
def test_an_unchanged_world_is_neither_read_nor_written_again(tmp_path: Path, make: type[World]) -> None:
    world = make(tmp_path)
    world.customers(20)
    world.first_run()
    world.do("run")  # our own writes come back once
    answer = world.do("run")
    assert (answer["plan"]["plan"], answer["pulled"]["rows"], answer["calls"]["write"]) == (None, {}, 0)
    assert answer["exit_code"] == 0


def test_an_export_at_60_percent_of_its_size_stops_and_leaves_all_as_it_was(tmp_path: Path) -> None:
    world, store = folder(tmp_path)
    before, labels = store.bytes(), world.labels("rfm")
    shrink(world)
    for _ in range(2):
        with pytest.raises(GuardTripped, match="max_shrink") as stop:
            world.do("run")
        assert stop.value.exit_code == 5
        assert store.bytes() == before and world.labels("rfm") == labels
    world.do(
        "run",
        allow=dict.fromkeys(
            ("max_shrink", "max_cleared", "max_leave", "max_unmatched"), "we closed a branch"
        ),
    )
    assert len(world.labels("rfm")) == 36


def test_a_shrunken_export_that_is_mended_goes_through(tmp_path: Path) -> None:
    world, store = folder(tmp_path)
    before, records = store.bytes(), dict(world.store.records)
    shrink(world)
    with pytest.raises(GuardTripped):
        world.do("run")
    world.store.records = records
    answer = world.do("run")
    assert answer["plan"]["plan"] is None and store.bytes() == before


def test_the_allowance_of_a_shrunken_export_is_kept_in_the_journal(tmp_path: Path) -> None:
    world, _store = folder(tmp_path)
    shrink(world)
    world.do("pull", allow={"max_shrink": "we closed a branch"})
    assert {"guard": "max_shrink", "reason": "we closed a branch"} in world.journal(
        "SELECT guard, reason FROM allowances"
    )


@pytest.mark.parametrize("make", [World, World.of_files])
def test_a_lost_mirror_heals_with_one_pull(tmp_path: Path, make: type[World]) -> None:
    world = make(tmp_path)
    world.customers(30)
    world.first_run()
    before, labels = world.state(), world.labels("rfm")
    world.lose_mirror()
    answer = world.do("run")
    assert (answer["plan"]["plan"], answer["exit_code"]) == (None, 0)
    assert world.state() == before and world.labels("rfm") == labels


def test_repeating_a_day_or_going_back_to_one_changes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(30)
    world.first_run()
    days = [DAY + timedelta(days=days) for days in (40, 80, 120)]
    labels = []
    for day in days:
        world.do("label", as_of=day)
        labels.append(world.labels("rfm"))
    assert labels[0] != labels[-1]
    for index in (2, 0, 1, 1, 2, 0, 2):
        world.do("label", as_of=days[index])
        assert world.labels("rfm") == labels[index]
    world.lose_mirror()
    world.do("label", as_of=days[2])
    assert world.labels("rfm") == labels[2]


def test_a_segmentation_that_leaves_the_config_is_reported_and_only_retire_clears_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(30)
    world.first_run()
    world.store.set_field("5", "seg_value", "a")
    world.do("run")
    value = world.held("seg_value")
    world.value = ""
    answer = world.do("run")
    assert answer["plan"]["retired"] == ["seg_value"] and world.held("seg_value") == value
    retired = world.do("retire", target="seg_value", allow=ALLOWED)
    assert retired["applied"]["done"] == 29
    assert world.held("seg_value") == {"5": "a"}, "a value that we did not write stays"


def test_setup_refuses_a_strangers_field_unless_it_is_adopted(tmp_path: Path) -> None:
    from connectors.contract import FieldSpec
    from sync.exit_codes import SetupNeeded

    world = World(tmp_path, lists="none")
    world.customers(20)
    with pytest.raises(SetupNeeded, match="setup"):
        world.do("run")
    world.store.fields["contact", "seg_rfm"] = FieldSpec("seg_rfm", label="their own")
    world.store.set_field("5", "seg_rfm", "champions")
    with pytest.raises(SetupNeeded, match="--adopt seg_rfm") as refused:
        world.do("setup")
    assert refused.value.exit_code == 2 and ("contact", "seg_value") not in world.store.fields
    assert world.do("setup", adopt=["seg_rfm"])["made"] == 2
    world.do("run", allow=ALLOWED)
    assert world.held("seg_rfm")["5"] == "champions", "values of an adopted field stay their owners'"
    assert world.do("setup")["made"] == 0


def test_setup_refuses_a_strangers_list_unless_it_is_adopted(tmp_path: Path) -> None:
    from connectors.contract import ListSpec
    from sync.exit_codes import SetupNeeded
    from tests.memory_crm import MemoryCrm

    world = World(tmp_path)
    world.customers(20)
    config = world.config()
    MemoryCrm(config.account("portal"), world.store).ensure_list(ListSpec("rfm.champions", "rfm: Champions"))
    world.store.set_member("rfm.champions", "5", True)
    with pytest.raises(SetupNeeded, match=r"--adopt rfm\.champions"):
        world.do("setup")
    world.do("setup", adopt=["rfm.champions"])
    world.do("run", allow=ALLOWED)
    assert "5" in world.members()["rfm.champions"]
    assert world.do("setup")["made"] == 0


def test_an_exported_set_up_makes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    answer = world.do("setup", export=tmp_path / "out")
    assert answer["made"] == 0 and (tmp_path / "out" / "portal.json").exists() and not world.store.fields


@pytest.mark.parametrize("make", [World, World.of_files])
def test_backfill_writes_extra_fields_of_some_or_of_all(tmp_path: Path, make: type[World]) -> None:
    world = make(tmp_path, lists="none")
    world.customers(20)
    world.first_run()
    world.extra_fields = '["reason"]'
    world.do("setup")
    assert world.do("run")["plan"]["plan"] is None, "extra fields are written when a segment changes"
    world.do("backfill", ids=["3", "4"])
    assert world.held("seg_rfm_reason").keys() == {"3", "4"}
    world.do("backfill")
    assert len(world.held("seg_rfm_reason")) == 20
    assert world.do("backfill")["plan"]["plan"] is None


def test_a_pull_cut_off_behind_its_last_page_counts_the_refunds_of_that_page(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(20)
    world.first_run()
    before = world.do("show", id="4")["features"]["net_revenue"]
    world.store.act(
        "4", datetime(2024, 6, 29, 10, tzinfo=UTC), kind="refund", amount_minor=-500, order_id="4-0"
    )

    def cut(what: str, _done: int, _total: int) -> None:
        if what == "reading activity":
            raise KeyboardInterrupt

    world.progress = cut
    with pytest.raises(KeyboardInterrupt):
        world.do("run", allow=ALLOWED)
    world.progress = lambda what, done, total: None
    world.do("run", allow=ALLOWED)
    assert world.do("show", id="4")["features"]["net_revenue"] == before - 500
