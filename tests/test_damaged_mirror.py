"""A mirror that was damaged, cut off, replaced or taken by another program: is it named, set aside and
rebuilt, and is the end the same?
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from sync.exit_codes import CommandError
from sync.store.engine import look_at
from sync.store.mirror import Mirror
from sync.store.soundness import as_closed, note_closed
from tests.world import ALLOWED, World


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World.of_files(tmp_path_factory.mktemp("lived"), extra_fields='["reason"]')
    world.customers(40)
    world.first_run()
    return world


def mirror_of(world: World) -> Path:
    return world.folder / "state" / "mirror.duckdb"


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def zeros_in_a_block(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 3)
        file.write(bytes(300_000))


def another_program(path: Path) -> None:
    path.unlink()
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE invoices AS SELECT 1 AS number")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "note.txt").write_text("of somebody else", encoding="utf-8")


def only_a_log(path: Path) -> None:
    path.rename(path.with_name(path.name + ".wal"))


def log_beside(path: Path) -> None:
    path.with_name(path.name + ".wal").write_bytes(os.urandom(5000))


DAMAGES: list[Callable[[Path], object]] = [
    cut, zeros_in_a_block, another_program, folder, only_a_log, log_beside, lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(4000)), lambda path: path.write_bytes(os.urandom(10_000)),
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_run_names_it_rebuilds_it_and_changes_nothing(
    lived: World, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    world = lived.copy(tmp_path / "life")
    damage(mirror_of(world))
    answer = world.do("run", allow=ALLOWED)
    assert answer["exit_code"] == 0 and answer["plan"]["changes"] == 0
    assert world.state() == lived.state()
    assert "healed" not in world.do("run", allow=ALLOWED)


@pytest.mark.parametrize("damage", [cut, zeros_in_a_block, another_program, folder])
def test_what_stood_there_is_kept_under_another_name(
    lived: World, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    world = lived.copy(tmp_path / "life")
    damage(mirror_of(world))
    [note] = world.do("run", allow=ALLOWED)["healed"]
    [kept] = [
        path
        for path in mirror_of(world).parent.glob("mirror.duckdb.*-*")
        if not path.name.endswith((".wal", ".tmp"))
    ]
    assert kept.name in note and "read again" in note


def test_another_programs_file_is_not_written_to(lived: World, tmp_path: Path) -> None:
    world = lived.copy(tmp_path / "life")
    another_program(mirror_of(world))
    before = mirror_of(world).read_bytes()
    world.do("run", allow=ALLOWED)
    [kept] = mirror_of(world).parent.glob("mirror.duckdb.foreign-*")
    assert kept.read_bytes() == before


def test_the_mirror_of_another_journal_is_not_believed(lived: World, tmp_path: Path) -> None:
    """Whose value is there stands in the mirror too: that of another state directory would take what people
    wrote for ours.
    """
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    world, other = lived.copy(tmp_path / "life"), World.of_files(other_folder)
    other.customers(10)
    other.first_run()
    shutil.copy(mirror_of(other), mirror_of(world))
    answer = world.do("run", allow=ALLOWED)
    assert "another journal" in answer["healed"][0] and answer["plan"]["changes"] == 0


def test_a_mirror_that_knows_of_more_than_the_journal_is_not_believed(lived: World, tmp_path: Path) -> None:
    world = lived.copy(tmp_path / "life")
    backup = (world.folder / "state" / "journal.sqlite").read_bytes()
    for number in range(1, 41):
        world.buys(str(number), 1, 900_000)
    assert world.do("run", allow=ALLOWED)["applied"]["done"]
    (world.folder / "state" / "journal.sqlite").write_bytes(backup)
    answer = world.do("run", allow=ALLOWED)
    assert "older copy" in answer["healed"][0]
    for number in range(1, 41):
        world.buys(str(number), 0, 9_000_000 // number)
    assert world.do("run", allow=ALLOWED)["plan"]["kept"], (
        "what the lost part of the journal wrote counts as other people's"
    )


def test_a_mirror_in_use_by_another_program_is_waited_for(lived: World, tmp_path: Path) -> None:
    import subprocess
    import sys

    world = lived.copy(tmp_path / "life")
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", code, str(mirror_of(world))]
    from sync.exit_codes import RetryLater

    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()
        with pytest.raises(RetryLater, match=r"has .* open"):
            world.do("run", allow=ALLOWED)
        assert process.stdin
        process.stdin.close()
    assert world.do("run", allow=ALLOWED)["plan"]["changes"] == 0


def test_an_untouched_mirror_is_opened_without_a_second_process(
    lived: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = lived.copy(tmp_path / "life")
    world.do("run", allow=ALLOWED)
    monkeypatch.setattr("subprocess.Popen", None)
    assert "healed" not in world.do("run", allow=ALLOWED)


def blocks(path: Path) -> range:
    """Where the blocks of a DuckDB file begin."""
    return range(3 * 4096, path.stat().st_size, 262_144)


def flipped(path: Path, start: int) -> None:
    with path.open("r+b") as file:
        file.seek(start + 3000)
        content = file.read(8)
        file.seek(start + 3000)
        file.write(bytes(byte ^ 255 for byte in content))


def test_a_block_that_rots_is_healed_whichever_it_is(lived: World, tmp_path: Path) -> None:
    """The file looks as it did when it was closed: what is wrong with it shows when it is read."""
    world = lived.copy(tmp_path / "life")
    healed = 0
    for start in blocks(mirror_of(lived)):
        for file in mirror_of(world).parent.glob("mirror.duckdb*"):
            file.unlink()
        shutil.copyfile(mirror_of(lived), mirror_of(world))
        flipped(mirror_of(world), start)
        note_closed(mirror_of(world))
        try:
            world.do("show", id="7")
        except CommandError as stop:  # nothing is known of the record any more, and it is said why
            assert "set aside as" in str(stop) and "`crm-segments pull`" in str(stop)
            healed += 1
    assert healed > 2


def test_a_file_that_somebody_touched_is_read_through_in_a_process_of_its_own(
    lived: World, tmp_path: Path
) -> None:
    """Who opens it sees that some blocks are damaged, and others only when they are read: DuckDB may break
    down on those.
    """
    path, verdicts = tmp_path / "mirror.duckdb", set()
    for start in blocks(mirror_of(lived)):
        shutil.copyfile(mirror_of(lived), path)
        flipped(path, start)
        kind, _ = look_at(path, "1GB")
        verdicts.add(kind)
        if not kind:
            with duckdb.connect(str(path), read_only=True) as connection:
                tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
                for schema, table in tables:
                    connection.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall()
    assert verdicts == {"", "damaged"}


def test_a_mirror_in_use_is_not_taken_for_one_that_was_closed(lived: World, tmp_path: Path) -> None:
    """A process that DuckDB ends leaves a file that the next one looks at first."""
    world = lived.copy(tmp_path / "life")
    world.do("run", allow=ALLOWED)
    assert as_closed(mirror_of(world))
    mirror = Mirror(mirror_of(world))
    assert not as_closed(mirror_of(world))
    mirror.close()
    assert as_closed(mirror_of(world))
