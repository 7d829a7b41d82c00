"""How does a journal of an earlier version become one of the present? By numbered functions, each done once.

The version of the file (``PRAGMA user_version``) says which have been done. Those that are due run in one
transaction: where one fails, or the process is killed, the file is as it was, and the version that wrote it can
still open it.

To rename or reshape what is stored, append a function. Never change one that was released: from all of them
follows what a journal of each version looks like. ``change_json`` and ``change_tables`` rewrite what is kept as
JSON (models, plans, summaries of runs) and as Arrow tables (changes, labels), ``renamed`` renames keys.

What is compared by a digest is not migrated, because nobody can compute a digest without the config: there a
setting that is renamed keeps its first name (``sync.config.renames``).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from sync.exit_codes import CommandError
from sync.store import integrity
from sync.store.arrow_bytes import packed, unpacked

Migration = Callable[[sqlite3.Connection], None]
SIGNED = 4  # since this version blobs carry a digest and rows a seal


class JournalTooNew(CommandError):
    """A later version of this program wrote the journal."""


# -- the migrations ------------------------------------------------------------------------------------------


def m001_tables(connection: sqlite3.Connection) -> None:
    """The tables of the first version."""
    _run(
        connection,
        """
CREATE TABLE sequence (value INTEGER NOT NULL);
INSERT INTO sequence VALUES (0);
CREATE TABLE runs (run INTEGER PRIMARY KEY, account TEXT, command TEXT, started_at TEXT, finished_at TEXT, exit_code INTEGER, summary TEXT);
CREATE TABLE plans (plan INTEGER PRIMARY KEY, account TEXT, run INTEGER, kind TEXT, state TEXT, as_of TEXT, created_at TEXT,
    basis TEXT, guards TEXT, allowed TEXT, summary TEXT, undoes INTEGER);
CREATE TABLE batches (batch INTEGER PRIMARY KEY, plan INTEGER, account TEXT, run INTEGER, kind TEXT, target TEXT, record_type TEXT,
    rows INTEGER, records INTEGER, state TEXT, job TEXT, opened INTEGER, changed INTEGER, opened_at TEXT, closed_at TEXT, content BLOB);
CREATE INDEX batches_by_plan ON batches (plan, state);
CREATE INDEX batches_by_change ON batches (account, changed);
CREATE TABLE exceptions (batch INTEGER, position INTEGER, status TEXT, kind TEXT, reason TEXT, PRIMARY KEY (batch, position)) WITHOUT ROWID;
CREATE TABLE rejects (reject INTEGER PRIMARY KEY, account TEXT, source TEXT, stream TEXT, part TEXT, line INTEGER, "column" TEXT,
    record_type TEXT, record_id TEXT, target TEXT, after TEXT, kind TEXT, reason TEXT, attempts INTEGER, next_at TEXT, quarantined
        INTEGER, at TEXT);
CREATE INDEX rejects_by_place ON rejects (account, source, stream, part);
CREATE TABLE labels (account TEXT, segmentation TEXT, as_of TEXT, at TEXT, content BLOB, PRIMARY KEY (account, segmentation, as_of))
    WITHOUT ROWID;
CREATE TABLE models (account TEXT, segmentation TEXT, version INTEGER, as_of TEXT, digest TEXT, at TEXT, content TEXT,
    PRIMARY KEY (account, segmentation, version)) WITHOUT ROWID;
CREATE TABLE objects (account TEXT, kind TEXT, record_type TEXT, key TEXT, remote TEXT, adopted INTEGER, run INTEGER,
    PRIMARY KEY (account, kind, record_type, key)) WITHOUT ROWID;
CREATE TABLE holds (account TEXT, segmentation TEXT, run INTEGER, digest TEXT, at TEXT, PRIMARY KEY (account, segmentation)) WITHOUT ROWID;
CREATE TABLE allowances (run INTEGER, account TEXT, guard TEXT, reason TEXT, who TEXT, at TEXT);
CREATE TABLE forgotten (digest TEXT PRIMARY KEY, at TEXT) WITHOUT ROWID;
CREATE TABLE departed (account TEXT, record_type TEXT, id TEXT, at TEXT, PRIMARY KEY (account, record_type, id)) WITHOUT ROWID;
CREATE TABLE exports (path TEXT PRIMARY KEY, at TEXT) WITHOUT ROWID;
""",
    )


def m002_forms_of_objects(connection: sqlite3.Connection) -> None:
    """In which form a field or list was made, and when; the time zone and currency that an account has."""
    _run(
        connection,
        """
ALTER TABLE objects ADD COLUMN form TEXT;
ALTER TABLE objects ADD COLUMN since INTEGER;
CREATE INDEX rejects_by_record ON rejects (account, source, record_type, record_id, target);
CREATE TABLE homes (account TEXT PRIMARY KEY, time_zone TEXT, currency TEXT) WITHOUT ROWID;
""",
    )


def m003_parts_of_labels(connection: sqlite3.Connection) -> None:
    """The labels of a day may stand in several parts."""
    _run(
        connection,
        """
ALTER TABLE labels RENAME TO undivided;
CREATE TABLE labels (account TEXT, segmentation TEXT, as_of TEXT, part INTEGER, at TEXT, content BLOB,
    PRIMARY KEY (account, segmentation, as_of, part)) WITHOUT ROWID;
INSERT INTO labels SELECT account, segmentation, as_of, 0, at, content FROM undivided;
DROP TABLE undivided;
""",
    )


def m004_seals(connection: sqlite3.Connection) -> None:
    """A journal has an identity, rows have seals, and blobs end with a digest."""
    _run(
        connection,
        """
CREATE TABLE identity (value TEXT);
INSERT INTO identity VALUES (lower(hex(randomblob(16))));
""",
    )
    numbered = dict.fromkeys(("sequence", "identity", "runs", "plans", "batches", "rejects"), ("rowid",))
    keyed = {
        "labels": ("account", "segmentation", "as_of", "part"),
        "models": ("account", "segmentation", "version"),
        "objects": ("account", "kind", "record_type", "key"),
        "holds": ("account", "segmentation"),
        "forgotten": ("digest",),
        "exports": ("path",),
        "homes": ("account",),
    }
    _run(connection, integrity.triggers({**numbered, **keyed}))
    for table in ("batches", "labels"):
        change(connection, table, "content", integrity.signed)


def m005_merged_consents(connection: sqlite3.Connection) -> None:
    """What records refused that were merged into others."""
    _run(
        connection,
        "CREATE TABLE merged_consents (account TEXT, record_type TEXT, id TEXT, survivor_type TEXT, survivor TEXT, refused TEXT, "
        "PRIMARY KEY (account, record_type, id)) WITHOUT ROWID",
    )


def m006_names_in_models(connection: sqlite3.Connection) -> None:
    """Kind ``value`` is called ``abc``; settings of ``response`` and ``offers`` have other names."""
    change_json(connection, "models", "content", model_of_m006)


def model_of_m006(model: dict[str, Any]) -> dict[str, Any]:
    """A stored model under the names of version 6."""
    kind = "abc" if model["kind"] == "value" else model["kind"]
    words = {
        "response": {"absent": "churn", "campaign": "campaign_pattern"},
        "offers": {"by": "segment_by"},
    }.get(kind, {})
    settings = {words.get(name, name): value for name, value in model["settings"].items()}
    return {**model, "kind": kind, "settings": settings}


def m007_segment_files(connection: sqlite3.Connection) -> None:
    """Files of a segment's members: who had them written, when, of whom, with what, and why."""
    _run(
        connection,
        """
CREATE TABLE segment_files (file INTEGER PRIMARY KEY, account TEXT, run INTEGER, segment TEXT, path TEXT, columns TEXT, records INTEGER,
    channel TEXT, reason TEXT, who TEXT, at TEXT);
""",
    )
    _run(connection, integrity.row_triggers({"segment_files": ("rowid",)}))


def m008_alerts(connection: sqlite3.Connection) -> None:
    """What is wrong with an account, from when to when, and which channel was told of it."""
    _run(
        connection,
        """
CREATE TABLE alerts (alert INTEGER PRIMARY KEY, account TEXT, cause TEXT, subject TEXT, fields TEXT, times INTEGER, opened_at TEXT,
    seen_at TEXT, closed_at TEXT);
CREATE TABLE alert_messages (alert INTEGER, channel TEXT, state TEXT, at TEXT, PRIMARY KEY (alert, channel, state)) WITHOUT ROWID;
""",
    )
    _run(connection, integrity.row_triggers({"alerts": ("rowid",)}))


def m009_approvals(connection: sqlite3.Connection) -> None:
    """What people decided about plans: who, when, how much of them may be carried out, and why not."""
    _run(
        connection,
        """
CREATE TABLE approvals (approval INTEGER PRIMARY KEY, account TEXT, plan INTEGER, digest TEXT, decision TEXT, first INTEGER, without TEXT,
    reason TEXT, who TEXT, at TEXT);
""",
    )
    _run(connection, integrity.row_triggers({"approvals": ("rowid",)}))


MIGRATIONS: tuple[Migration, ...] = (
    m001_tables,
    m002_forms_of_objects,
    m003_parts_of_labels,
    m004_seals,
    m005_merged_consents,
    m006_names_in_models,
    m007_segment_files,
    m008_alerts,
    m009_approvals,
)

# -- doing them ----------------------------------------------------------------------------------------------


def version_of(connection: sqlite3.Connection) -> int:
    """The version of a journal; 0 of an empty file. JournalTooNew where it is later than ours."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise JournalTooNew(
            f"the journal was written by a newer crm-segments (its version is {version}, this program reads up to {len(MIGRATIONS)}): "
            "upgrade this installation. Nothing was changed"
        )
    return version


def migrate(connection: sqlite3.Connection, until: int | None = None) -> None:
    """Do the migrations that are due, up to a version (default: the present one), in the caller's transaction."""
    done = version_of(connection)
    for number, migration in enumerate(MIGRATIONS[done:until], done + 1):
        migration(connection)
        connection.execute(f"PRAGMA user_version = {number}")


def shape_of_version(version: int) -> list[tuple[str, str, str]]:
    """What a journal of that version has to look like."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(connection, version)
        return integrity.shape_of(connection)
    finally:
        connection.close()


# -- what migrations are made of -----------------------------------------------------------------------------


def change(connection: sqlite3.Connection, table: str, column: str, changed: Callable[[Any], Any]) -> None:
    """Replace each value of a column that is not null, one row in memory at a time."""
    keys = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[5]] or ["rowid"]
    where = " AND ".join(f'"{key}" = ?' for key in keys)
    named = ", ".join(f'"{key}"' for key in keys)
    for key in connection.execute(f'SELECT {named} FROM {table} WHERE "{column}" IS NOT NULL').fetchall():
        [value] = connection.execute(f'SELECT "{column}" FROM {table} WHERE {where}', tuple(key)).fetchone()
        new = changed(value)
        if new != value:
            connection.execute(f'UPDATE {table} SET "{column}" = ? WHERE {where}', (new, *key))


def change_json(
    connection: sqlite3.Connection, table: str, column: str, changed: Callable[[Any], Any]
) -> None:
    """Replace what a column holds as JSON. Equal models are equal texts, so theirs have sorted keys."""
    written: dict[str, Any] = {}
    if table == "models":
        written = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False, "allow_nan": False}

    def rewritten(text: str) -> str:
        tree = json.loads(text)
        new = changed(json.loads(text))
        return text if new == tree else json.dumps(new, **written)

    change(connection, table, column, rewritten)


def change_tables(
    connection: sqlite3.Connection, table: str, column: str, changed: Callable[[pa.Table], pa.Table]
) -> None:
    """Replace what a column holds as Arrow tables."""

    def rewritten(content: bytes) -> bytes:
        rows = unpacked(content)
        new = changed(rows)
        return content if new is rows or new.equals(rows) else packed(new)

    change(connection, table, column, rewritten)


def renamed(tree: Any, words: Mapping[str, str]) -> Any:
    """A tree of JSON with other keys, on every level; values stay."""
    if isinstance(tree, dict):
        return {words.get(key, key): renamed(value, words) for key, value in tree.items()}
    return [renamed(value, words) for value in tree] if isinstance(tree, list) else tree


def _run(connection: sqlite3.Connection, script: str) -> None:
    for statement in _statements(script):
        connection.execute(statement)


def _statements(script: str) -> Iterator[str]:
    """The statements of a script. Those of triggers hold semicolons too, but none at the end of a line."""
    return (statement for statement in script.split(";\n") if statement.strip())
