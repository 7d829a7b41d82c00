"""What becomes of changes that the CRM refuses?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.world import ALLOWED, World


def refused(folder: Path, kind: str = "data") -> World:
    """A world whose CRM refuses every change of record 5."""
    world = World(folder, lists="none", now=datetime.now(UTC))
    world.customers(20)
    world.faults.reject = {"5": kind}
    world.do("setup")
    return world


def entries(world: World) -> list[dict[str, Any]]:
    rejects: list[dict[str, Any]] = world.do("rejects")["rejects"]
    return rejects


def test_a_refused_record_is_listed_and_all_others_go_through(tmp_path: Path) -> None:
    world = refused(tmp_path)
    answer = world.do("run", allow=ALLOWED)
    assert (answer["exit_code"], answer["applied"]["rejected"], answer["applied"]["done"]) == (4, 2, 38)
    assert {(row["record_id"], row["target"], row["kind"], row["attempts"]) for row in entries(world)} == {
        ("5", "seg_rfm", "data", 1),
        ("5", "seg_value", "data", 1),
    }
    assert "the CRM refuses record 5" in answer["applied"]["reasons"]


def test_it_is_tried_again_later_and_later_and_then_put_in_quarantine(tmp_path: Path) -> None:
    world = refused(tmp_path)
    world.do("run", allow=ALLOWED)
    for attempt in range(1, 5):
        assert {row["attempts"] for row in entries(world)} == {attempt}
        delay = 15 * 4 ** (attempt - 1)
        world.now += timedelta(minutes=delay - 1)
        assert world.do("run")["plan"]["plan"] is None, "its time has not come"
        world.now += timedelta(minutes=2)
        assert world.do("run")["applied"]["rejected"] == 2
    assert {(row["attempts"], row["quarantined"]) for row in entries(world)} == {(5, 1)}
    world.now += timedelta(days=300)
    answer = world.do("run")
    assert (answer["plan"]["plan"], answer["exit_code"], answer["calls"]["write"]) == (None, 0, 0)


def test_quarantine_ends_when_another_value_is_wanted(tmp_path: Path) -> None:
    world = refused(tmp_path)
    world.do("run", allow=ALLOWED)
    world.journal("UPDATE rejects SET quarantined = 1, attempts = 5")
    world.faults.reject = {}
    world.buys("5", 0, 9_000_000)
    world.do("run", allow=ALLOWED)
    assert world.held("seg_rfm")["5"] == world.labels("rfm")["5"]
    assert entries(world) == []


def test_retry_gives_a_new_budget_of_attempts(tmp_path: Path) -> None:
    world = refused(tmp_path)
    world.do("run", allow=ALLOWED)
    world.journal("UPDATE rejects SET quarantined = 1, attempts = 5")
    world.faults.reject = {}
    assert world.do("run")["plan"]["plan"] is None
    assert world.do("rejects", action="retry")["count"] == 2
    assert world.do("run")["applied"]["done"] == 2
    assert entries(world) == []


def test_drop_takes_one_entry_off_the_list(tmp_path: Path) -> None:
    world = refused(tmp_path)
    world.do("run", allow=ALLOWED)
    first, second = entries(world)
    world.do("rejects", action="drop", numbers=[first["reject"]])
    assert [row["reject"] for row in entries(world)] == [second["reject"]]


def test_a_passing_refusal_is_tried_at_the_next_run_and_never_quarantined(tmp_path: Path) -> None:
    world = refused(tmp_path, "transient")
    world.do("run", allow=ALLOWED)
    for _ in range(6):
        assert world.do("run")["applied"]["rejected"] == 2
    assert not any(row["quarantined"] for row in entries(world))
    world.faults.reject = {}
    assert world.do("run")["applied"]["done"] == 2
    assert entries(world) == []


def test_a_record_that_poisons_its_batch_is_found_and_stands_alone(tmp_path: Path) -> None:
    world = World(tmp_path, batch_size=16)
    world.customers(40)
    world.faults.poison = {"11", "30"}
    world.do("setup")
    answer = world.do("run", allow=ALLOWED)
    assert answer["exit_code"] == 4
    assert {row["record_id"] for row in entries(world)} == {"11", "30"}
    assert world.held("seg_rfm").keys() == {str(n) for n in range(1, 41)} - {"11", "30"}
    assert set().union(*world.members().values()) == world.held("seg_rfm").keys()
    assert not world.journal("SELECT * FROM batches WHERE state = 'open'")


def test_a_refused_change_is_not_ours(tmp_path: Path) -> None:
    world = refused(tmp_path)
    world.do("run", allow=ALLOWED)
    world.faults.reject = {}
    world.store.set_field("5", "seg_rfm", "champions" if world.labels("rfm")["5"] != "champions" else "lost")
    typed = world.held("seg_rfm")["5"]
    world.now += timedelta(minutes=16)
    assert world.do("run")["plan"]["kept"] == 1
    assert world.held("seg_rfm")["5"] == typed
