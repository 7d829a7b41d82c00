"""Records that merge or vanish between our read and our write: whose is what stands there, and who is written
again?
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world import ALLOWED, World


def merging(folder: Path, answer: str, on_conflict: str = "keep") -> World:
    """At our first write, record 4 is merged into record 3, which is of another segment; 4's change lands on
    3.
    """
    world = World(folder, lists="none", value="", on_conflict=on_conflict)
    world.customers(20)
    world.store.through_merged = answer
    world.do("setup")

    def hook(moment: str) -> None:
        if moment == "before write":
            world.faults.hook = lambda _: None
            world.store.merge("4", "3")

    world.faults.hook = hook
    world.do("run", allow=ALLOWED)
    world.store.put("3")
    return world


@pytest.mark.parametrize("answer", ["done", "gone"])
def test_what_a_write_to_a_merged_id_left_on_the_survivor_is_ours(tmp_path: Path, answer: str) -> None:
    world = merging(tmp_path, answer)
    assert "4" not in world.held("seg_rfm")
    foreign = "lost" if world.held("seg_rfm")["3"] != "lost" else "loyal"
    planned = world.do("run", allow=ALLOWED)["plan"]
    assert planned["kept"] == 0
    assert world.held("seg_rfm")["3"] == world.labels("rfm")["3"]
    world.store.set_field("3", "seg_rfm", foreign)
    assert world.do("run", allow=ALLOWED)["plan"]["kept"] == 1, "what a person typed there since is theirs"
    assert world.held("seg_rfm")["3"] == foreign


def test_an_empty_survivor_was_not_emptied_by_a_person(tmp_path: Path) -> None:
    world = World(tmp_path, lists="none", value="")
    world.customers(20)
    world.first_run()
    world.store.put("new")
    world.store.merge("4", "new")
    answer = world.do("run", allow=ALLOWED)
    assert answer["plan"]["kept"] == 0 and world.held("seg_rfm")["new"] == world.labels("rfm")["new"]


def gone(folder: Path, ids: tuple[str, ...] = ("5",), customers: int = 40, lists: str = "static") -> World:
    """These records are erased, and no page will ever tell."""
    world = World(folder, lists=lists)
    world.customers(customers)
    world.do("setup")
    world.faults.reject = dict.fromkeys(ids, "gone")
    return world


@pytest.mark.parametrize("lists", ["none", "static"])
def test_a_record_that_the_crm_says_is_gone_is_not_written_again(tmp_path: Path, lists: str) -> None:
    world = gone(tmp_path, lists=lists)
    assert world.do("run", allow=ALLOWED)["exit_code"] == 4
    for _ in range(2):
        world.buys("5", 0, 9_000_000)
        for number in range(1, 5):
            world.buys(str(number), 0, 1_000_000)
        answer = world.do("run", allow=ALLOWED)
        assert (answer["exit_code"], answer["applied"]["rejected"]) == (0, 0)
        assert {row["reason"] for row in world.do("rejects")["rejects"]} == {"the CRM refuses record 5"}
    assert "5" not in world.labels("rfm")


def test_a_record_that_was_gone_and_is_read_again_is_written_at_once(tmp_path: Path) -> None:
    world = gone(tmp_path)
    world.do("run", allow=ALLOWED)
    world.faults.reject = {}
    assert world.do("run", allow=ALLOWED)["plan"]["plan"] is None
    world.store.put("5")
    assert world.do("run", allow=ALLOWED)["exit_code"] == 0
    assert world.held("seg_rfm")["5"] == world.labels("rfm")["5"] and world.do("rejects")["rejects"] == []


def test_a_member_of_a_list_that_is_gone_is_not_taken_off_it_for_ever(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(40)
    world.first_run()
    world.faults.reject = {"5": "gone"}
    world.buys("5", 0, 9_000_000)
    assert world.do("run", allow=ALLOWED)["exit_code"] == 4
    codes = [world.do("run", allow=ALLOWED)["exit_code"] for _ in range(2)]
    world.lose_mirror()
    world.store.records.pop(("contact", "5"))
    codes += [world.do("run", allow=ALLOWED)["exit_code"] for _ in range(3)]
    assert codes[1] == 0 and codes[-1] == 0, codes


def test_so_many_gone_at_once_are_a_fault_of_the_crm_and_stay_known(tmp_path: Path) -> None:
    world = gone(tmp_path, tuple(str(number) for number in range(1, 31)), lists="none")
    world.do("run", allow=ALLOWED)
    world.faults.reject = {}
    world.journal("UPDATE rejects SET next_at = NULL")
    assert world.do("run", allow=ALLOWED)["exit_code"] == 0
    assert len(world.held("seg_rfm")) == 40
