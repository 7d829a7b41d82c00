"""Does a journal of every earlier version come up to the present one, wholly or not at all?"""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from sync.store import migrations
from sync.store.arrow_bytes import packed, unpacked
from sync.store.integrity import JournalDamaged, shape_of
from sync.store.journal import Journal
from sync.store.journal.batches import PLAN_SCHEMA
from sync.store.journal.plans import Plan
from sync.store.migrations import (
    MIGRATIONS,
    SIGNED,
    JournalTooNew,
    change_json,
    change_tables,
    migrate,
    renamed,
)
from tests.make_state_fixture import do
from tests.test_state_of_before import LAST, company, labels, written  # noqa: F401 - a fixture

PRESENT = len(MIGRATIONS)
CHANGE = {
    "record_type": "contact",
    "id": "7",
    "target": "seg_rfm",
    "after": "lost",
    "segmentation": "rfm",
    "action": "set",
}
CHANGES = pa.Table.from_pylist([CHANGE], PLAN_SCHEMA)
STATE = pa.table({"record_type": ["contact"], "id": ["7"], "segment": ["lost"]})
MODEL = json.dumps(
    {"kind": "rfm", "settings": {"band": 0.03}, "version": 1}, sort_keys=True, separators=(",", ":")
)


def journal_of_version(path: Path, version: int) -> Path:
    """A journal as that version left it, with a run, a plan, a batch, a label, a model, a list and a hold."""
    blobs = [content if version >= SIGNED else content[:-16] for content in (packed(CHANGES), packed(STATE))]
    part = ", 0" if version >= 3 else ""
    form = ", '{}', 4" if version >= 2 else ""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, version)
        connection.execute("INSERT INTO runs (run, account, command) VALUES (1, 'shop', 'run')")
        connection.execute(
            "INSERT INTO plans (plan, account, run, state, basis) VALUES (2, 'shop', 1, 'open', ?)",
            ('{"a": 1}',),
        )
        connection.execute(
            "INSERT INTO batches (batch, plan, rows, state, content) VALUES (3, 2, 1, 'done', ?)", blobs[:1]
        )
        connection.execute(
            f"INSERT INTO labels VALUES ('shop', 'rfm', '2026-03-01'{part}, 'then', ?)", blobs[1:]
        )
        connection.execute(
            "INSERT INTO models VALUES ('shop', 'rfm', 1, '2026-03-01', 'digest', 'then', ?)", (MODEL,)
        )
        connection.execute(
            f"INSERT INTO objects VALUES ('shop', 'list', 'contact', 'rfm.lost', '77', 0, 1{form})"
        )
        connection.execute("INSERT INTO holds VALUES ('shop', 'rfm', 1, 'digest', 'then')")
    return path


def content_of(journal: Journal) -> str:
    stored = journal.models.latest("shop", "rfm")
    assert stored is not None
    return stored.content


def plan_of(journal: Journal) -> Plan:
    stored = journal.plans.get(2)
    assert stored is not None
    return stored


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [f"version {connection.execute('PRAGMA user_version').fetchone()[0]}", *connection.iterdump()]


def append(monkeypatch: pytest.MonkeyPatch, *more: migrations.Migration) -> None:
    """A later version of the program has more migrations."""
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, *more))


@pytest.mark.parametrize("version", range(1, PRESENT + 1))
def test_a_journal_of_any_earlier_version_comes_up_with_all_that_it_holds(
    version: int, tmp_path: Path
) -> None:
    with closing(Journal(journal_of_version(tmp_path / "journal.sqlite", version))) as journal:
        assert journal.value("PRAGMA user_version") == PRESENT
        assert journal.batches.get(3).changes().equals(CHANGES)
        assert [(day, part.equals(STATE)) for day, part in journal.labels.days("shop", "rfm")] == [
            ("2026-03-01", True)
        ]
        assert content_of(journal) == MODEL
        assert [row.remote for row in journal.objects.of("shop")] == ["77"]
        assert journal.rows("SELECT segmentation, digest FROM holds") == [
            {"segmentation": "rfm", "digest": "digest"}
        ]
        assert plan_of(journal).state == "open"
    with closing(Journal(tmp_path / "journal.sqlite")) as journal:
        assert shape_of(journal.connection) == migrations.shape_of_version(PRESENT)


@pytest.mark.parametrize("version", range(1, PRESENT))
def test_step_by_step_is_the_same_as_at_once(version: int, tmp_path: Path) -> None:
    at_once, by_steps = (journal_of_version(tmp_path / name, version) for name in ("at_once", "by_steps"))
    for path, stops in ((at_once, [PRESENT]), (by_steps, range(version + 1, PRESENT + 1))):
        for stop in stops:
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                migrate(connection, stop)
    plain = [[line for line in dump(path) if 'INTO "identity"' not in line] for path in (at_once, by_steps)]
    assert plain[0] == plain[1]


def test_migrations_are_numbered_as_they_stand() -> None:
    assert [int(migration.__name__[1:4]) for migration in MIGRATIONS] == list(range(1, PRESENT + 1))


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = journal_of_version(tmp_path / "journal.sqlite", 3)
    before = dump(path)

    def failing(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE models SET content = '{}'")
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        append(patch, failing)
        with pytest.raises(ZeroDivisionError):
            Journal(path)
    assert dump(path) == before
    with closing(Journal(path)) as journal:
        assert content_of(journal) == MODEL


KILLED = """
import os, signal, sys
from pathlib import Path
from sync.store import migrations
from sync.store.journal import Journal

def killed(connection):
    connection.execute("UPDATE models SET content = '{}'")
    os.kill(os.getpid(), signal.SIGKILL)

steps = list(migrations.MIGRATIONS)
steps.insert(int(sys.argv[2]), killed)
migrations.MIGRATIONS = tuple(steps)
Journal(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("place", [3, PRESENT])
def test_a_process_that_is_killed_between_two_migrations_leaves_the_file_as_it_was(
    place: int, tmp_path: Path
) -> None:
    path = journal_of_version(tmp_path / "journal.sqlite", 3)
    before = dump(path)
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(place)], check=False, cwd=Path(__file__).parent.parent
    )
    assert process.returncode == -signal.SIGKILL
    assert dump(path) == before
    with closing(Journal(path)) as journal:
        assert journal.value("PRAGMA user_version") == PRESENT and journal.batches.get(3).changes().equals(
            CHANGES
        )


def test_a_journal_of_a_newer_version_is_refused_with_what_to_do(company: Path) -> None:  # noqa: F811
    path = company / "state" / "journal.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {PRESENT + 1}")
    before = path.read_bytes()
    with pytest.raises(JournalTooNew, match=r"newer crm-segments .* upgrade this installation") as refused:
        do(company, "status", LAST)
    assert "backup" not in str(refused.value) and path.read_bytes() == before


def test_damage_of_an_earlier_version_is_told_before_anything_is_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.sqlite"
    Journal(journal_of_version(path, PRESENT)).close()
    data = path.read_bytes()
    assert data.count(b'"kind":"rfm"') == 1
    path.write_bytes(data.replace(b'"kind":"rfm"', b'"kind":"rfx"'))
    append(
        monkeypatch,
        lambda connection: change_json(connection, "models", "content", lambda model: {**model, "new": 1}),
    )
    with pytest.raises(JournalDamaged, match="models"):
        Journal(path)


def test_stored_words_are_renamed_by_one_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = journal_of_version(tmp_path / "journal.sqlite", 1)

    def words(connection: sqlite3.Connection) -> None:
        change_json(
            connection,
            "models",
            "content",
            lambda model: renamed({**model, "kind": "abc"}, {"band": "dead_band"}),
        )
        change_json(connection, "plans", "basis", lambda basis: renamed(basis, {"a": "b"}))
        change_tables(connection, "batches", "content", _with_assign)

    append(monkeypatch, words)
    for _touched in range(2):  # the second time it is read as it was sealed
        with closing(Journal(path)) as journal:
            assert json.loads(content_of(journal)) == {
                "kind": "abc", "settings": {"dead_band": 0.03}, "version": 1
            }  # fmt: skip
            assert plan_of(journal).basis == {"b": 1}
            assert journal.batches.get(3).changes()["action"].to_pylist() == ["assign"]
        path.touch()


def _with_assign(changes: pa.Table) -> pa.Table:
    place = changes.schema.get_field_index("action")
    return changes.set_column(
        place, changes.schema.field(place), pc.replace_substring(changes["action"], "set", "assign")
    )


def test_what_a_migration_leaves_alone_is_not_rewritten(tmp_path: Path) -> None:
    path = journal_of_version(tmp_path / "journal.sqlite", PRESENT)
    Journal(path).close()
    before = dump(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for table, column in (("models", "content"), ("plans", "basis")):
            change_json(connection, table, column, lambda tree: tree)
        change_tables(connection, "labels", "content", lambda rows: rows)
    assert dump(path) == before


def test_the_state_of_before_lives_on_under_a_later_rename(
    company: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the next version called the bands of its models otherwise, and back."""

    def renaming(words: dict[str, str]) -> migrations.Migration:
        return lambda connection: change_json(
            connection, "models", "content", lambda model: renamed(model, words)
        )

    append(monkeypatch, renaming({"band": "dead_band"}), renaming({"dead_band": "band"}))
    moved, before = labels(company), written(company / "crm")
    answer = do(company, "run", LAST, allow={})
    assert (answer["plan"]["changes"], answer["plan"]["held"]) == (0, ["mailing"])
    assert (labels(company), written(company / "crm")) == (moved, before)


def test_blobs_of_a_batch_and_of_labels_are_kept_whole() -> None:
    many: Any = pa.table({"id": [str(number % 7) for number in range(5_000)]})
    assert unpacked(packed(many)).equals(many)
