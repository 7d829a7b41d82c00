"""Do lists that the CRM fills, lists that we fill, and campaign lists follow the segments, also where
somebody deletes one?
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Automation
from connectors.schemas import MEMBER
from tests.world import ALLOWED, World

CAMPAIGN = 'reachable_only = true\nchannel = "email"\n'


def dynamic(folder: Path, room: int | None = None, **settings: Any) -> World:
    """A world whose CRM has dynamic lists, and whose customers can mostly be reached."""
    world = World(folder, lists="dynamic", value="", **settings)
    world.store.dynamic_lists, world.store.room = True, room
    world.customers(30)
    for number in range(1, 31):
        reachable: dict[str, Any] = {"reachable.email": None if number % 7 == 0 else number % 5 > 0}
        world.store.put(str(number), **reachable)
    return world


def by_segment(world: World) -> dict[str, set[str]]:
    ids_by_list: dict[str, set[str]] = {key: set() for key in world.store.lists}
    for id, segment in world.labels("rfm").items():
        ids_by_list["rfm." + segment].add(id)
    return ids_by_list


def test_a_dynamic_list_costs_no_membership_change(tmp_path: Path) -> None:
    world = dynamic(tmp_path)
    answer = world.first_run()
    assert {target for _, target, _, _ in world.written()} == {"seg_rfm"}
    assert world.members() == by_segment(world)
    assert answer["calls"]["write"] == 2, "30 records in batches of 25"
    assert world.do("run")["calls"]["write"] == 0


def test_where_the_crm_has_no_more_room_for_dynamic_lists_members_are_written(tmp_path: Path) -> None:
    world = dynamic(tmp_path, room=3)
    world.first_run()
    kinds = {remote.kind for remote in world.store.lists.values()}
    assert kinds == {"dynamic", "static"} and world.members() == by_segment(world)
    assert {
        json.loads(row["form"])["kind"]
        for row in world.journal("SELECT form FROM objects WHERE kind = 'list'")
    } == kinds
    written = {target for _, target, _, _ in world.written()} - {"seg_rfm"}
    assert written and written.isdisjoint(world.store.filters)
    again = world.do("setup")
    assert again["setup"]["steps"] == [] and any("no room" in note for note in again["setup"]["notes"])


def test_a_dynamic_campaign_list_holds_only_those_who_can_be_reached(tmp_path: Path) -> None:
    world = dynamic(tmp_path, label=CAMPAIGN)
    world.do("setup")
    planned = world.do("plan")["plan"]
    assert planned["withheld"]["rfm"] == len({n for n in range(1, 31) if n % 7 == 0 or n % 5 == 0})
    world.do("apply", number=planned["plan"])
    everyone = set().union(*world.members().values())
    assert everyone == {str(n) for n in range(1, 31) if n % 7 and n % 5}
    assert len(world.held("seg_rfm")) == 30, "the field is for everybody"


def test_another_filter_is_a_step_of_set_up(tmp_path: Path) -> None:
    world = dynamic(tmp_path, label=CAMPAIGN)
    world.first_run()
    world.label = CAMPAIGN + "unknown_reachable = true\n"
    steps = world.do("setup")["setup"]["steps"]
    assert {(step["kind"], step["action"], step["detail"]) for step in steps} == {
        ("list", "update", "unknown_reachable")
    }
    assert {"7", "14"} <= set().union(*world.members().values())
    assert world.do("setup")["setup"]["steps"] == []


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_a_deleted_list_is_missed_by_name_and_made_again_with_its_members(tmp_path: Path, kind: str) -> None:
    world = dynamic(tmp_path) if kind == "dynamic" else World(tmp_path, value="")
    if kind == "static":
        world.customers(30)
    world.first_run()
    wanted = by_segment(world)
    lost = max(wanted, key=lambda key: len(wanted[key]))
    world.store.delete_list(lost)
    answer = world.do("run")
    assert (answer["exit_code"], answer["plan"]["deleted"]) == (4, [lost])
    assert [
        note
        for note in answer["notes"]
        if f"list {lost} was deleted" in note and "crm-segments setup" in note
    ]
    steps = world.do("setup")["setup"]["steps"]
    assert [(step["action"], step["name"]) for step in steps] == [("create", lost)]
    answer = world.do("run", allow=ALLOWED)
    assert answer["plan"]["kept"] == 0 and world.members() == wanted
    assert world.do("run")["plan"]["plan"] is None


def test_a_batch_that_was_open_when_its_list_was_deleted_is_settled(tmp_path: Path) -> None:
    world = World(tmp_path, value="")
    world.customers(20)
    world.do("setup")
    planned = world.do("plan")["plan"]["plan"]
    world.faults.fail_after = 1
    with pytest.raises(Exception, match="run again"):
        world.do("apply", number=planned)
    (key,) = (row["target"] for row in world.journal("SELECT target FROM batches WHERE state = 'open'"))
    world.store.delete_list(key)
    assert world.do("run", allow=ALLOWED)["plan"]["deleted"] == [key]
    world.do("setup")
    world.do("run", allow=ALLOWED)
    assert world.members() == by_segment(world)


def test_a_list_knows_the_id_that_the_crm_gave_it(tmp_path: Path) -> None:
    world = dynamic(tmp_path)
    world.first_run()
    world.label = 'title = "Habits"\n'
    world.do("setup")
    assert all(world.store.filters[key].id == remote.id for key, remote in world.store.lists.items())


def test_people_read_what_a_segment_is_and_what_to_do_with_it(tmp_path: Path) -> None:
    about = 'segments = [{ key = "champions", description = "Buy often.", playbook = { message = "Thank you", priority = 1 } }]\n'
    world = dynamic(tmp_path, label='title = "Habits"\n' + about, extra_fields='["reason"]')
    world.do("setup")
    text = world.store.fields["contact", "seg_rfm"].description
    assert text.startswith("Habits\n") and "Champions: Buy often. message: Thank you; priority: 1" in text
    assert (
        world.store.fields["contact", "seg_rfm_reason"].description
        == "Habits: why the record is in its segment\n"
        "Written by crm-segments; do not edit. Source: segmentation rfm, account portal."
    )
    spec = world.store.filters["rfm.champions"]
    assert spec is not None and spec.description.splitlines()[0] == (
        "Champions: Buy often. message: Thank you; priority: 1"
    )
    world.label = world.label.replace("Thank you", "Hello")
    steps = world.do("setup")["setup"]["steps"]
    assert {(step["kind"], step["name"]) for step in steps} == {
        ("field", "seg_rfm"),
        ("list", "rfm.champions"),
    }


def test_a_help_text_is_never_longer_than_the_crm_takes(tmp_path: Path) -> None:
    from sync.account.help_texts import LONGEST, of_field, of_list
    from sync.account.segment_catalog import SegmentText

    for length in (10, 60, 300, 3000):
        many = [
            SegmentText(f"k{n}", f"Label {n}", "d" * length, {"message": "m" * length}) for n in range(12)
        ]
        assert len(of_field("Habits", many)) <= LONGEST and all(
            len(of_list(text)) <= LONGEST for text in many
        )
        assert all(text.title in of_field("Habits", many) for text in many)


def test_an_export_holds_what_an_administrator_deploys(tmp_path: Path) -> None:
    world = dynamic(tmp_path)
    answer = world.do("setup", export=tmp_path / "out")
    assert sorted(
        path.relative_to(tmp_path / "out").as_posix()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    ) == [
        "portal.json",
        "portal/fields/contact.seg_rfm.json",
    ]
    assert answer["made"] == 0 and len(answer["files"]) == 2 and not world.store.fields


def test_a_plan_names_what_starts_in_the_crm_and_for_how_many(tmp_path: Path) -> None:
    world = dynamic(tmp_path)
    world.store.listeners = (
        Automation("Any move", "seg_rfm"),
        Automation("Win them back", "seg_rfm", "lost"),
        Automation("Greet champions", "rfm.champions", MEMBER),
        Automation("Never", "seg_rfm", "no such segment"),
    )
    world.do("setup")
    heard = {
        listener["name"]: listener["records"] for listener in world.do("plan")["plan"]["listeners"]["found"]
    }
    wanted = by_segment(world)
    assert heard == {
        "Any move": 30, "Win them back": len(wanted["rfm.lost"]), "Greet champions": len(wanted["rfm.champions"]), "Never": 0,
    }  # fmt: skip


def test_a_workflow_on_a_list_that_we_fill_starts_for_those_who_join(tmp_path: Path) -> None:
    world = World(tmp_path, value="", more='[automations]\n"Greet" = 100\n')
    world.store.listeners = (Automation("Greet", "rfm.champions", MEMBER),)
    world.customers(30)
    world.first_run()
    champions = sorted(world.members()["rfm.champions"])
    quiet = [str(n) for n in range(1, 31) if str(n) not in champions][:4]
    for number in quiet:
        for day in range(5):
            world.buys(number, day, 900_000)
    (greeted,) = world.do("plan", allow=ALLOWED)["plan"]["listeners"]["found"]
    assert greeted["records"] == len(
        {id for id, segment in world.labels("rfm").items() if segment == "champions"} - set(champions)
    )


def test_the_terminal_names_what_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from sync.terminal.printers import print_answer

    world = dynamic(tmp_path)
    world.store.listeners = (Automation("Win \x1bthem back", "seg_rfm", "lost"),)
    world.do("setup")
    print_answer("plan", world.do("plan"))
    output = capsys.readouterr().out
    assert "Win \\x1bthem back" in output and "workflow or flow" in output
