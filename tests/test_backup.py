"""Can the memory be carried elsewhere and brought back, whole or not at all, and what does an older one overwrite?"""

from __future__ import annotations

import fcntl
import re
import shutil
import sqlite3
import stat
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from sync import commands
from sync.exit_codes import CommandError, UsageError
from sync.store.journal import Journal
from tests.test_cli import answer, cli, first, folder
from tests.world import ALLOWED, World


def journal_of(world: World) -> Path:
    return world.folder / "state" / "journal.sqlite"


def saved(world: World) -> Path:
    out = world.folder / "backup.tar.gz"
    commands.backup(world.config(), out)
    return out


def content(path: Path) -> list[str]:
    """All rows of a journal, but for the seals of its rows."""
    with sqlite3.connect(path) as connection:
        return [line for line in connection.iterdump() if '"seals"' not in line]


def test_what_was_saved_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    world = folder(tmp_path / "one")
    first(world)
    before = content(journal_of(world))
    out = tmp_path / "one" / "backup.tar.gz"
    assert cli(world, "backup", str(out)).exit_code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    shutil.rmtree(tmp_path / "one" / "state")
    assert cli(world, "restore", str(out)).exit_code == 0
    assert content(journal_of(world)) == before
    assert stat.S_IMODE(journal_of(world).stat().st_mode) == 0o600
    code, planned = answer(world, "plan")
    assert code == 0 and planned["plan"]["plan"] is None
    [note] = [note for note in planned["notes"] if "restored" in note]
    assert "does not know: none." in note
    assert cli(world, "run").exit_code == 0
    assert not [note for note in answer(world, "plan")[1]["notes"] if "restored" in note], (
        "it is of today again"
    )


def test_a_backup_says_nothing_of_the_machine(tmp_path: Path) -> None:
    world = folder(tmp_path)
    first(world)
    with tarfile.open(saved(world)) as tar:
        assert {(entry.name, entry.uid, entry.uname, entry.mode) for entry in tar} == {
            ("manifest.json", 0, "", 0o600),
            ("journal.sqlite", 0, "", 0o600),
        }


def test_a_backup_of_a_journal_in_use_is_whole(tmp_path: Path) -> None:
    """Another process holds the lock and writes all the time."""
    world = folder(tmp_path)
    first(world)
    journal, stop = Journal(journal_of(world), beside=True), threading.Event()

    def write() -> None:
        busy = Journal(journal_of(world), beside=True)
        while not stop.is_set():
            with busy.transaction():
                run = busy.runs.begin("portal", "run")
                busy.runs.end(run, 0, {"whole": run})
        busy.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with (tmp_path / "state" / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            out = saved(world)
    finally:
        stop.set()
        writer.join()
        journal.close()
    (tmp_path / "other").mkdir()
    other = folder(tmp_path / "other")
    commands.restore(other.config(), out)
    restored = Journal(journal_of(other))
    runs = [run for run in restored.runs.last("portal", 10_000) if "whole" in run["summary"]]
    restored.close()
    assert all(run["summary"] == {"whole": run["run"]} for run in runs)


def test_a_journal_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    world = folder(tmp_path)
    first(world)
    out = saved(world)
    cli(world, "run")
    before = content(journal_of(world))
    refused = cli(world, "restore", str(out))
    assert refused.exit_code == 2 and "--replace" in refused.output
    assert content(journal_of(world)) == before
    assert cli(world, "restore", str(out), "--replace").exit_code == 0
    [aside] = (tmp_path / "state").glob("journal.sqlite.replaced-*")
    assert content(aside) == before


@pytest.mark.parametrize("at", [0.02, 0.3, 0.5, 0.9])
def test_a_damaged_backup_is_refused_and_changes_nothing(tmp_path: Path, at: float) -> None:
    world = folder(tmp_path)
    first(world)
    out = saved(world)
    damaged = bytearray(out.read_bytes())
    damaged[int(len(damaged) * at)] ^= 0x55
    out.write_bytes(damaged)
    before = journal_of(world).read_bytes()
    with pytest.raises(CommandError, match="nothing was changed"):
        commands.restore(world.config(), out, replace=True)
    assert journal_of(world).read_bytes() == before


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    world = folder(tmp_path)
    with pytest.raises(UsageError, match="no file"):
        commands.restore(world.config(), tmp_path / "nowhere")
    (tmp_path / "text").write_text("hello", encoding="utf-8")
    with pytest.raises(CommandError, match="not a backup of crm-segments"):
        commands.restore(world.config(), tmp_path / "text")
    with pytest.raises(UsageError, match="nothing to back up"):
        commands.backup(world.config(), tmp_path / "out")


def test_nobody_restores_while_a_command_works(tmp_path: Path) -> None:
    world = folder(tmp_path)
    first(world)
    out = saved(world)
    with (tmp_path / "state" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert cli(world, "restore", str(out), "--replace").exit_code == 75


def test_an_older_journal_says_what_it_does_not_know_and_overwrites_nothing_of_it(tmp_path: Path) -> None:
    """Backup, more than 200 further changes, restore: what was written since counts as other people's."""
    world = World(tmp_path)
    world.customers(400)
    world.first_run()
    out = saved(world)
    known = world.held("seg_rfm")
    for number in range(1, 401):
        world.buys(str(number), days_ago=number % 40, amount=200 * number)
    ran = world.do("run", allow=ALLOWED)
    assert ran["applied"]["done"] >= 200
    before = world.state()
    since = {id for id, value in world.held("seg_rfm").items() if known.get(id) != value}

    commands.restore(world.config(), out, replace=True)
    for number in range(1, 401, 2):  # and life goes on: labels want something else again
        world.buys(str(number), days_ago=0, amount=60_000)
    ran = world.do("run", allow=ALLOWED)
    after = world.state()
    told = _told(ran["notes"])
    assert told["seg_rfm"] == len(since), "it says how much it does not know, field by field"
    for id in since:
        assert after[0]["seg_rfm"][id] == before[0]["seg_rfm"][id], "what it does not know stays"
    assert ran["plan"]["kept"] > 0, "and is reported as kept"
    assert all(before[1][key] - _ours(world, key) <= after[1][key] for key in before[1])
    assert not _told(world.do("run", allow=ALLOWED)["notes"])


def _told(notes: list[str]) -> dict[str, int]:
    """Target → values that the restored journal does not know."""
    [note] = [note for note in notes if "was restored" in note] or [""]
    return {name: int(number.replace(",", "")) for number, name in re.findall(r"([\d,]+) in ([\w.]+)", note)}


def _ours(world: World, key: str) -> set[Any]:
    """Members of a list that the restored journal knows to be ours: those may leave."""
    journal = Journal(journal_of(world))
    known = {
        row["id"]
        for batch in journal.batches.changed_since("portal", 0)
        for row in batch.changes().to_pylist()
        if row["target"] == key
    }
    journal.close()
    return known
