"""After ``forget``: is there really no byte left of the person, and nothing lost of all others?"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from connectors.contract import Page
from connectors.schemas import ACTIVITY_SCHEMA, VOID_SCHEMA
from sync.cli import app
from sync.exit_codes import UsageError
from sync.pull.pull import Pulled, _without_forgotten
from sync.store.journal import Journal
from tests.reading import void
from tests.world import ALLOWED, World

ID, MAIL = "person-4711", "erika.mustermann@example.org"


def lived(folder: Path, make: Any = World) -> World:
    """A world in which the person was labelled, refused, parked, exported and changed."""
    world: World = make(folder, extra_fields='["reason", "since", "previous"]')
    world.customers(20)
    world.store.put(ID, email=MAIL)
    world.buys(ID, 3, 4000)
    world.first_run()
    world.faults.reject = {ID: "data"}
    for number in (*range(1, 21), ID):
        world.buys(str(number), 1, 900_000)
    world.do("run", allow=ALLOWED)
    world.faults.reject = {}
    for id in (ID, "7"):
        world.store.set_field(id, "seg_value", "c")
    world.do("run", allow=ALLOWED)
    world.do("history", out=folder / "history.csv")
    world.do("label", out=folder / "labels.csv")
    return world


def traces(folder: Path) -> list[str]:
    """Files of ours that hold the id or the address, also inside the journal's compressed tables."""
    wanted = [ID.encode(), MAIL.encode()]
    ours = [
        path
        for path in folder.rglob("*")
        if path.is_file() and "crm" not in path.relative_to(folder).parts[:1]
    ]
    names = [path.name for path in ours if any(text in path.read_bytes() for text in wanted)]
    connection = sqlite3.connect(folder / "state" / "journal.sqlite")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in connection.execute(f"SELECT * FROM {name}").fetchall():
            if any(text in _plain(cell) for cell in row for text in wanted):
                names.append(f"journal.{name}")
    connection.close()
    return sorted(set(names))


def _plain(cell: Any) -> bytes:
    if isinstance(cell, bytes):
        with pa.ipc.open_stream(cell) as reader:
            return str(reader.read_all().to_pylist()).encode()
    return str(cell).encode()


@pytest.mark.parametrize("make", [World, World.of_files])
def test_no_file_of_ours_holds_the_id_or_the_address(tmp_path: Path, make: Any) -> None:
    world = lived(tmp_path, make)
    assert {"journal.batches", "journal.labels", "history.csv", "labels.csv"} <= set(traces(tmp_path)), (
        "it was there before"
    )
    answer = world.do("forget", id=ID)
    assert answer["forgotten"] == 1 and answer["files"] == 2
    assert traces(tmp_path) == []


@pytest.mark.parametrize("make", [World, World.of_files])
def test_what_we_wrote_on_the_person_is_cleared_and_they_never_come_back(tmp_path: Path, make: Any) -> None:
    world = lived(tmp_path, make)
    world.do("forget", id=ID)
    assert (
        all(ID not in values for values in world.state()[0].values() if values)
        or world.held("seg_value").get(ID) == "c"
    )
    assert not any(ID in ids for ids in world.members().values())
    world.buys(ID, 0, 100)
    world.store.put(ID, email=MAIL)
    answer = world.do("run", allow=ALLOWED)
    assert answer["exit_code"] == 0 and answer["pulled"]["forgotten"] > 0
    assert ID not in world.labels("rfm") and ID not in world.held("seg_rfm")
    assert traces(tmp_path) == []


def test_all_others_keep_their_owners_their_history_and_their_labels(tmp_path: Path) -> None:
    world = lived(tmp_path)
    history = [row for row in world.do("history")["history"] if row["id"] != ID]
    labels, values = world.labels("rfm"), world.held("seg_rfm")
    world.do("forget", id=ID)
    assert world.do("history")["history"] == history
    answer = world.do("run", allow=ALLOWED)
    assert (answer["plan"]["changes"], answer["plan"]["kept"]) == (0, 1), (
        "what somebody typed at 7 is still theirs"
    )
    assert world.labels("rfm") == {id: segment for id, segment in labels.items() if id != ID}
    assert world.held("seg_rfm") == {id: value for id, value in values.items() if id != ID}


def test_an_undo_after_forgetting_restores_all_others(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(20)
    world.store.put(ID, email=MAIL)
    world.first_run()
    before = world.held("seg_rfm")
    for number in (*range(1, 21), ID):
        world.buys(str(number), 1, 900_000)
    run = world.do("run", allow=ALLOWED)["run"]
    world.do("forget", id=ID)
    world.do("undo", number=run)
    assert world.held("seg_rfm") == {id: value for id, value in before.items() if id != ID}
    assert traces(tmp_path) == []


@pytest.mark.parametrize("name", ["4712", "person-471", "nobody@example.org", "", "%", "'"])
def test_who_is_known_to_nobody_is_refused_and_nothing_is_done(tmp_path: Path, name: str) -> None:
    world = World(tmp_path)
    world.customers(5)
    world.first_run()
    before = world.state()
    with pytest.raises(UsageError, match="Nothing is stored about"):
        world.do("forget", id=name)
    assert world.state() == before and not world.journal("SELECT * FROM forgotten WHERE at <> 'key'")
    assert world.do("run", allow=ALLOWED)["plan"]["changes"] == 0


def test_what_will_be_erased_is_shown_first_and_a_no_erases_nothing(tmp_path: Path) -> None:
    world = lived(tmp_path)
    before = (world.state(), traces(tmp_path))
    answer = world.do("forget", id=ID, confirm=lambda _found: False)
    assert answer["exit_code"] == 1 and (world.state(), traces(tmp_path)) == before
    [preview] = answer["shown"]
    assert [record["id"] for record in preview["records"]] == [ID] and preview["addresses"] == [MAIL]
    assert {value["target"] for value in preview["values"]} >= {"seg_rfm", "seg_rfm_reason"}
    assert preview["journal_rows"] > 3 and len(preview["files"]) == 2


def test_the_others_are_not_read_again(tmp_path: Path) -> None:
    world = lived(tmp_path)
    world.do("forget", id=ID)
    answer = world.do("run", allow=ALLOWED)
    assert answer["pulled"]["rows"].get("activity", 0) == 0 and answer["plan"]["changes"] == 0
    assert "7" in world.labels("rfm") and ID not in world.labels("rfm")


def test_who_left_the_crm_is_forgotten_out_of_the_journal(tmp_path: Path) -> None:
    world = lived(tmp_path)
    del world.store.records["contact", ID]
    world.lose_mirror()
    world.do("pull", allow=ALLOWED)
    assert world.do("forget", id=ID)["journal_rows"] > 3
    assert traces(tmp_path) == []
    assert world.do("forget", id=ID)["journal_rows"] == 0, "whoever asks twice is not refused"


def test_the_command_asks_and_scripts_say_yes(tmp_path: Path) -> None:
    world = lived(tmp_path, World.of_files)
    words = ["forget", ID, "--config", str(tmp_path / "config.toml")]
    world.config()
    asked = CliRunner().invoke(app, words)
    assert (
        asked.exit_code == 1
        and "--yes" in asked.output
        and "seg_rfm" in asked.output
        and MAIL in asked.output
    )
    assert "journal.batches" in traces(tmp_path)
    done = CliRunner().invoke(app, [*words, "--yes"])
    assert done.exit_code == 0 and "cannot be undone" in done.output and traces(tmp_path) == []
    assert CliRunner().invoke(app, ["forget", "stranger", *words[2:], "--yes"]).exit_code == 2


def test_retention_ages_the_journal_but_never_whose_value_is_where(tmp_path: Path) -> None:
    world = World(tmp_path, now=datetime.now(UTC))
    world.customers(20)
    world.first_run()
    for number in range(1, 21):
        world.buys(str(number), 1, 900_000)
    world.do("run", allow=ALLOWED)
    before = len(world.do("history")["history"])
    world.now += timedelta(days=731)
    world.do("run")
    history = world.do("history")["history"]
    assert 0 < len(history) < before
    places = [(row["id"], row["target"]) for row in history]
    assert len(places) == len(set(places)), "of each value the last change stays"
    world.store.put("4", objects_to_profiling=True)
    world.do("run", allow=ALLOWED)
    assert "4" not in world.held("seg_rfm"), "it was still ours to clear"
    world.lose_mirror()
    assert world.do("run")["plan"]["plan"] is None


def test_the_journal_forgets_who_was_deleted_once_nothing_of_ours_is_left_on_them(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(30)
    world.first_run()
    world.store.delete("7")
    world.do("run", allow=ALLOWED)
    world.now += timedelta(days=29)
    world.do("run", allow=ALLOWED)
    assert any(row["id"] == "7" for row in world.do("history")["history"]), "they may come back"
    world.now += timedelta(days=3)
    world.do("run", allow=ALLOWED)
    assert not any(row["id"] == "7" for row in world.do("history")["history"])
    assert any(row["id"] == "8" for row in world.do("history")["history"])


def test_who_is_forgotten_right_after_another_is_cleared_in_the_crm_too(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(12)
    world.first_run()
    for id in ("3", "7"):
        assert world.do("forget", id=id)["cleared"] == 3
    assert not {"3", "7"} & (
        world.held("seg_rfm").keys() | world.held("seg_value").keys() | set().union(*world.members().values())
    )


def test_a_cancelled_order_of_a_forgotten_person_is_not_kept_either(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "journal.sqlite")) as journal:
        journal.forgotten.add("shop", "contact", ID)
        voids = pa.Table.from_pylist([void(ID, order_id="A"), void("7", order_id="B")], schema=VOID_SCHEMA)
        page = Page(ACTIVITY_SCHEMA.empty_table(), "", "orders.csv", voids=voids)
        kept = _without_forgotten(journal, "shop", page, Pulled())
    assert kept.voids is not None and kept.voids["record_id"].to_pylist() == ["7"]
