"""A journal that was damaged: is it noticed before anything is believed, does the refusal say what to
restore, and is the rest saved?
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from sync.exit_codes import CommandError, SetupNeeded
from sync.store.journal import Journal
from sync.store.journal.database import backup_of
from sync.store.soundness import note_closed
from tests.world import ALLOWED, World


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World.of_files(tmp_path_factory.mktemp("lived"), extra_fields='["reason"]')
    world.customers(40)
    world.first_run()
    return world


def journal_of(world: World) -> Path:
    return world.folder / "state" / "journal.sqlite"


def in_bytes(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content and len(old) == len(new)
    path.write_bytes(content.replace(old, new))


def a_blob(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        content = bytes(
            connection.execute("SELECT content FROM batches ORDER BY batch LIMIT 1").fetchone()[0]
        )
    in_bytes(path, content[200:240], bytes(40))


def a_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a blob": a_blob,
    "a text": lambda path: in_bytes(path, b"rfm.champions", b"rfm.champion?"),
    "no UTF-8": lambda path: in_bytes(path, b"rfm.champions", b"rfm.champion\xff"),
    "JSON": lambda path: in_bytes(path, b'"exit_code": 0', b'"exit_code": ?'),
    "a page": a_page,
    "cut off": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: path.write_bytes(b""),
    "no journal": lambda path: path.write_bytes(os.urandom(8000)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_it_is_refused_with_what_to_restore_and_the_copy_that_is_named_goes_on(
    lived: World, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    world = lived.copy(tmp_path / "a life")
    damage(journal_of(world))
    with pytest.raises(CommandError, match="cannot be used"):
        world.do("undo", number=3)
    with pytest.raises(CommandError, match="cannot be used") as stop:
        world.do("run")
    way_back = re.search(r"`(rm .*?)` restores it", str(stop.value))
    assert way_back and "--salvage" in str(stop.value)
    subprocess.run(way_back[1], shell=True, check=True)
    answer = world.do("run", allow=ALLOWED)
    assert answer["exit_code"] == 0 and not answer["applied"]["done"] and world.state() == lived.state()


@pytest.mark.parametrize("damage", ["a blob", "a text", "no UTF-8", "JSON", "a page", "cut off"])
def test_what_can_still_be_read_is_saved_and_can_be_gone_on_with(
    lived: World, tmp_path: Path, damage: str
) -> None:
    from sync import commands

    world = lived.copy(tmp_path / "life")
    DAMAGES[damage](journal_of(world))
    before = journal_of(world).read_bytes()
    answer = commands.salvage(world.config())
    assert journal_of(world).read_bytes() == before
    kept = sum(count["kept"] for count in answer["salvaged"].values())
    assert kept > 10 or damage in ("a page", "cut off")
    for end in ("-wal", "-shm"):
        journal_of(world).with_name(journal_of(world).name + end).unlink(missing_ok=True)
    shutil.move(answer["out"], journal_of(world))
    Journal(journal_of(world)).close()
    with suppress(SetupNeeded):  # where it is lost what we made, set-up says what it wants to adopt
        world.do("run", allow=ALLOWED)
    assert world.held("seg_rfm") == lived.held("seg_rfm") and world.members() == lived.members()


def without_a_key(path: Path) -> None:
    """The first column of some rows of ``objects`` is nothing: their key is incomplete."""
    account, kind, record_type = (13 + 2 * len(text) for text in ("portal", "field", "contact"))
    in_bytes(path, bytes((account, kind, record_type)), bytes((0, kind, record_type)))


def a_name_of_a_column(path: Path) -> None:
    in_bytes(path, b"quarantined", b"quarantin\xff\xfe")


@pytest.mark.parametrize("damage", [without_a_key, a_name_of_a_column])
def test_what_cannot_be_written_or_named_is_counted_as_lost(
    lived: World, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    from sync import commands

    world = lived.copy(tmp_path / "life")
    damage(journal_of(world))
    answer = commands.salvage(world.config())
    assert sum(count["kept"] for count in answer["salvaged"].values()) > 10
    assert sum(count["lost"] for count in answer["salvaged"].values()) > 0
    Journal(Path(answer["out"])).close()


def rotten(world: World, table: str) -> None:
    """A page of a table is gone, and the file looks as it did when it was closed."""
    path = journal_of(world)
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    with path.open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(os.urandom(4096))
    note_closed(path)


@pytest.mark.parametrize("table", ["runs", "plans", "objects", "seals", "models"])
def test_damage_that_nobody_saw_coming_is_named_and_does_not_reach_the_copy(
    lived: World, tmp_path: Path, table: str
) -> None:
    world = lived.copy(tmp_path / "life")
    copy = backup_of(journal_of(world))
    rotten(world, table)
    before = copy.read_bytes()
    for _ in range(2):  # the second one does not trust it either
        with pytest.raises(CommandError, match=r"the journal .* cannot be used: .*restores it"):
            world.do("run", allow=ALLOWED)
    assert copy.read_bytes() == before
    assert world.held("seg_rfm") == lived.held("seg_rfm")


def test_what_somebody_changed_through_sql_is_believed(lived: World, tmp_path: Path) -> None:
    world = lived.copy(tmp_path / "life")
    with sqlite3.connect(journal_of(world)) as connection:
        connection.execute("UPDATE plans SET state = 'void' WHERE state = 'open'")
    connection.close()
    assert world.do("run", allow=ALLOWED)["plan"]["changes"] == 0


def test_a_backup_of_the_file_alone_is_believed(lived: World, tmp_path: Path) -> None:
    world = lived.copy(tmp_path / "life")
    backup = journal_of(world).read_bytes()
    for number in range(1, 41):
        world.buys(str(number), 1, 900_000)
    world.do("run", allow=ALLOWED)
    journal_of(world).write_bytes(backup)
    assert world.do("run", allow=ALLOWED)["exit_code"] == 0


def test_an_untouched_journal_is_not_read_through(
    lived: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = lived.copy(tmp_path / "life")
    world.do("run", allow=ALLOWED)
    monkeypatch.setattr("sync.store.integrity.check", None)
    world.do("run", allow=ALLOWED)


def test_the_copy_of_the_journal_forgets_a_person_too(lived: World, tmp_path: Path) -> None:
    world = lived.copy(tmp_path / "life")
    world.do("run", allow=ALLOWED)
    copy = journal_of(world).with_name("journal.backup.sqlite")
    assert copy.stat().st_mode & 0o777 == 0o600
    world.do("forget", id="7")
    os.replace(copy, journal_of(world))
    assert not [row for row in world.do("history")["history"] if row["id"] == "7"]
