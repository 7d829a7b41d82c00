"""Does a test contact stand in every list, first of all, and in no figure?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sync.config.config import load
from sync.views.plan_changes import Page
from tests.each_crm import CRMS, company_of
from tests.test_cli import answer, cli, folder
from tests.world import ALLOWED, World

NAMED = 'test_contacts = ["3", "Customer8@example.org"]\n'
TESTED = {"3", "8"}


def first_plan(world: World) -> dict[str, Any]:
    world.do("setup")
    answered: dict[str, Any] = world.do("plan")
    return answered


def batches(world: World, plan: int) -> list[set[str]]:
    """The records of each batch of a plan, in the order in which they are written."""
    import pyarrow as pa

    rows = world.journal("SELECT content FROM batches WHERE plan = ? ORDER BY batch", plan)
    return [set(pa.ipc.open_stream(row["content"]).read_all()["id"].to_pylist()) for row in rows]


def test_test_contacts_stand_in_every_list_and_hold_their_own_segment(tmp_path: Path) -> None:
    plain, world = World(tmp_path / "plain"), World(tmp_path / "tested", account=NAMED)
    for made in (plain, world):
        made.folder.mkdir()
        made.customers(60)
        made.first_run()
    assert world.members() and all(members >= TESTED for members in world.members().values())
    assert {id: world.held("seg_value")[id] for id in TESTED} == {
        id: plain.held("seg_value")[id] for id in TESTED
    }
    again = world.do("plan")["plan"]
    assert again["plan"] is None, "nothing repeats for ever"


def test_no_figure_counts_a_test_contact(tmp_path: Path) -> None:
    without, world = World(tmp_path / "without"), World(tmp_path / "tested", account=NAMED)
    for made in (without, world):
        made.folder.mkdir()
        for number in range(1, 61):
            if made is world or str(number) not in TESTED:
                made.store.put(str(number), email=f"customer{number}@example.org")
                for purchase in range(number % 5):
                    made.buys(str(number), (number * 7 + purchase * 31) % 300, 1000 + number * 10)
    plans = [first_plan(made) for made in (without, world)]
    assert plans[0]["segments"] == plans[1]["segments"]
    for name in ("changes", "records", "by_target", "first_labelling", "trips"):
        assert plans[0]["plan"][name] == plans[1]["plan"][name], name
    reviews = [
        made.do("show_plan", number=planned["plan"]["plan"], page=Page())["review"]
        for made, planned in zip((without, world), plans, strict=True)
    ]
    for name in ("totals", "segments", "lists", "losing"):
        assert reviews[0][name] == reviews[1][name], name
    assert reviews[1]["sentence"].endswith("Nothing else is touched.")
    assert "Plus 2 test contacts in every static list" in reviews[1]["sentence"]
    assert not TESTED & set(world.labels("rfm"))
    models = [made.journal("SELECT segmentation, content FROM models ORDER BY segmentation") for made in (without, world)]  # fmt: skip
    assert models[0] == models[1]


def test_test_contacts_are_in_the_first_batch_and_in_every_trial(tmp_path: Path) -> None:
    world = World(tmp_path, account=NAMED, lists="static")
    world.customers(60)
    number = first_plan(world)["plan"]["plan"]
    assert batches(world, number)[0] == TESTED
    world.do("apply", number=number, first=5)
    assert set(world.held("seg_rfm")) > TESTED and len(world.held("seg_rfm")) == 7
    assert all(members >= TESTED for members in world.members().values())


def test_who_is_no_test_contact_any_more_leaves_the_lists_by_the_next_plan(tmp_path: Path) -> None:
    world = World(tmp_path, account=NAMED)
    world.customers(60)
    world.first_run()
    world.account = ""
    world.do("run", allow=ALLOWED)
    labels = world.labels("rfm")
    assert labels.keys() >= TESTED
    for list_name, members in world.members().items():
        if list_name.startswith("rfm."):
            assert members == {id for id, segment in labels.items() if list_name == f"rfm.{segment}"}
    assert world.do("plan")["plan"]["plan"] is None


def test_test_contacts_are_in_no_control_group_and_keep_their_right_to_say_no(tmp_path: Path) -> None:
    campaign = 'reachable_only = true\ncontrol = 0.5\nchannel = "email"\n'
    world = World(
        tmp_path,
        account='test_contacts = ["3", "4", "5", "8", "9"]\n',
        lists='static"\n' + campaign + 'title = "Habits',
    )
    world.customers(40)
    for number in range(1, 41):
        world.store.put(str(number), "contact", **{"reachable.email": True})
    world.store.put("4", objects_to_profiling=True)
    world.store.put("5", "contact", **{"reachable.email": False})
    told = first_plan(world)
    world.do("apply", number=told["plan"]["plan"])
    for members in world.members().values():
        assert members & {"3", "4", "5", "8", "9"} == {"3", "8", "9"}
    assert "4" not in world.held("seg_rfm") and "5" in world.held("seg_rfm")
    [objecting, unreached] = [note for note in told["notes"] if "test_contacts" in note]
    assert "entry 2 " in objecting and "objects to profiling" in objecting
    assert "entry 3 " in unreached and "may not be reached by email" in unreached
    world.store.put("3", objects_to_profiling=True)
    world.do("run", allow=ALLOWED)
    assert not any("3" in members for members in world.members().values())


def test_who_is_not_found_or_fits_two_is_told_by_check_without_their_address(tmp_path: Path) -> None:
    world = folder(tmp_path, account='test_contacts = ["nobody@example.org", "twice@example.org", "2"]\n')
    for id in ("5", "6"):
        world.store.put(id, email="twice@example.org")
    world.store.save()  # type: ignore[attr-defined]
    assert answer(world, "plan")[0] == 0
    notes = [note for note in answer(world, "check")[1]["notes"] if "test_contacts" in note]
    assert [note.partition(" of ")[0] for note in notes] == [
        "entry 1",
        "entry 2 fits 2 contacts, so none",
    ] or (
        "entry 1 " in notes[0]
        and "no contact" in notes[0]
        and "entry 2 " in notes[1]
        and "fits 2" in notes[1]
    )
    assert not any("@" in note for note in notes)
    assert "Plus 1 test contact in every static list" in cli(world, "plan").stdout


def test_dynamic_lists_are_said_to_hold_a_test_contact_in_its_own_segment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with company_of("hubspot", tmp_path, monkeypatch) as company:
        company.shop.lists = "dynamic"  # type: ignore[attr-defined]
        one = company.people()[0]
        ordinary = company.do

        def do(command: str, **arguments: Any) -> dict[str, Any]:
            company.on_conflict = f'keep"\ntest_contacts = ["{one}"]\n#'
            return ordinary(command, **arguments)

        assert any("dynamic lists of their own segments" in note for note in do("check")["notes"])


@pytest.mark.parametrize("crm", CRMS)
def test_in_every_crm(crm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with company_of(crm, tmp_path, monkeypatch) as company:
        one, two, *_others = company.people()
        company.on_conflict = f'keep"\ntest_contacts = ["{one}", "{two}"]\n#'
        company.do("setup")
        planned = company.do("plan")["plan"]
        company.do("apply", number=planned["plan"])
        assert company.lists() and all({one, two} <= set(ids) for ids in company.lists().values())
        assert {one, two} <= company.fields().keys()
        assert company.do("plan")["plan"]["plan"] is None


def test_a_test_contact_makes_nobody_train_again_and_no_older_plan_void(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(30)
    before = {s.name: world.config().digest(s) for s in world.config().segmentations}
    world.first_run()
    versions = world.journal("SELECT segmentation, version FROM models")
    world.account = NAMED
    assert {s.name: load(world.config().path).digest(s) for s in world.config().segmentations} == before
    planned = world.do("plan")["plan"]
    assert planned["changes"] == 0 and planned["test_contacts"]["records"] == [
        ["contact", "3"],
        ["contact", "8"],
    ]
    assert json.dumps(planned).count("@") == 0
    world.do("apply", number=planned["plan"])
    assert world.journal("SELECT segmentation, version FROM models") == versions
    assert all(members >= TESTED for members in world.members().values())
