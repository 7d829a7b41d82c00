"""Is the journal what was written into it? SQLite notices a damaged page, but neither a changed byte in a row
nor one in a blob.

So every blob ends with a digest of itself, and every row that decides something has a *seal*: a digest of
what it holds, made when the journal is closed. Whoever changes a row through SQL removes its seal (triggers
do that), so a seal that does not fit tells of damage. Rows without a seal, of a run that was killed, are
believed. All this is looked at only where the file was touched since it was closed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sync.exit_codes import CommandError

DIGEST_BYTES = 16

# Tables whose rows have a number of their own in the first column.
NUMBERED = ("runs", "plans", "batches", "rejects", "segment_files", "alerts", "approvals")
# The key of a row: the row number, or the primary key of tables that have none.
_KEYS = {
    **dict.fromkeys(("sequence", "identity", *NUMBERED), ("rowid",)),
    "labels": ("account", "segmentation", "as_of", "part"),
    "models": ("account", "segmentation", "version"),
    "objects": ("account", "kind", "record_type", "key"),
    "holds": ("account", "segmentation"),
    "forgotten": ("digest",),
    "exports": ("path",),
    "homes": ("account",),
}
_JSON = {
    "runs": ("summary",),
    "plans": ("basis", "guards", "allowed", "summary"),
    "objects": ("form",),
    "segment_files": ("columns",),
    "alerts": ("fields",),
    "approvals": ("without",),
}
_BLOBS = {"batches": "content", "labels": "content"}
_TYPES = {"INTEGER": int, "TEXT": str, "BLOB": bytes}


PRIMARY_KEYS = {
    **{name: key for name, key in _KEYS.items() if key != ("rowid",)},
    "exceptions": ("batch", "position"),
    "alert_messages": ("alert", "channel", "state"),
}


class JournalDamaged(CommandError):
    """Something in the journal is not what was written there; says what, without a word of what it holds."""


def _key_of(table: str, row: str, keys: Mapping[str, Sequence[str]] = _KEYS) -> str:
    return " || ',' || ".join(f"quote({row}.{column})" for column in keys[table])


def triggers(keys: Mapping[str, Sequence[str]]) -> str:
    """SQL: whoever changes a row of these tables (name → key) removes its seal."""
    parts = ["CREATE TABLE seals (name TEXT, key TEXT, seal TEXT, PRIMARY KEY (name, key)) WITHOUT ROWID"]
    parts.append(row_triggers(keys))
    for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
        gone = f"DELETE FROM seals WHERE name = 'batches' AND key = quote({row}.batch)"
        parts.append(
            f"CREATE TRIGGER exceptions_{event.lower()} AFTER {event} ON exceptions BEGIN {gone}; END"
        )
    return ";\n".join(parts)


def row_triggers(keys: Mapping[str, Sequence[str]]) -> str:
    """The same of further tables, once there are seals."""
    parts = []
    for table in keys:
        for event, rows in (("INSERT", ("NEW",)), ("UPDATE", ("OLD", "NEW")), ("DELETE", ("OLD",))):
            gone = "; ".join(
                f"DELETE FROM seals WHERE name = '{table}' AND key = {_key_of(table, row, keys)}"
                for row in rows
            )
            parts.append(f"CREATE TRIGGER {table}_{event.lower()} AFTER {event} ON {table} BEGIN {gone}; END")
    return ";\n".join(parts)


def key_of(table: str, row: dict[str, Any]) -> str:
    """The key of a row of a table of ours, as SQL writes it."""
    columns = _KEYS[table] if _KEYS[table] != ("rowid",) else (next(iter(row)),)
    return ",".join(
        str(row[c]) if isinstance(row[c], int) else "'" + str(row[c]).replace("'", "''") + "'"
        for c in columns
    )


# -- blobs ---------------------------------------------------------------------------------------------------


def signed(content: bytes) -> bytes:
    """Bytes with a digest of theirs at the end."""
    return content + hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def require_signed(content: object) -> None:
    """JournalDamaged where the digest at the end of a blob does not fit."""
    if not isinstance(content, bytes) or signed(content[:-DIGEST_BYTES]) != content:
        raise JournalDamaged("a table of changes or labels in the journal is damaged")


# -- seals ---------------------------------------------------------------------------------------------------


def seal(connection: sqlite3.Connection) -> None:
    """Seal every row that has no seal; JournalDamaged where one that is there cannot be found."""
    for table in _KEYS:
        open_rows = f"""SELECT {_key_of(table, "t")} FROM {table} AS t WHERE NOT EXISTS (
            SELECT 1 FROM seals WHERE name = '{table}' AND key = {_key_of(table, "t")})"""
        for (key,) in connection.execute(open_rows).fetchall():
            made = next(_seals(connection, table, key), None)
            if made is None:
                raise JournalDamaged(f"a row of its table {table} is not found by its key")
            connection.execute("INSERT INTO seals VALUES (?, ?, ?)", (table, key, made[1]))


def _seals(connection: sqlite3.Connection, table: str, key: str | None = None) -> Iterator[tuple[str, str]]:
    """(key, seal) of all rows of a table, or of one, as they are now."""
    where, chosen = (f"WHERE {_key_of(table, 't')} = ?", (key,)) if key is not None else ("", ())
    if table in NUMBERED and key is not None:
        where, chosen = "WHERE t.rowid = ?", (int(key),)  # type: ignore[assignment]
    sql = f"SELECT {_key_of(table, 't')}, t.* FROM {table} AS t {where}"
    names = [column[0] for column in connection.execute(f"SELECT * FROM {table} LIMIT 0").description]
    for row_key, *values in connection.execute(sql, chosen):
        yield (
            row_key,
            seal_of(table, dict(zip(names, values, strict=True)), _notes(connection, table, values[0])),
        )


def _notes(connection: sqlite3.Connection, table: str, batch: object) -> Sequence[Any]:
    if table != "batches":
        return ()
    return [
        tuple(row)
        for row in connection.execute("SELECT * FROM exceptions WHERE batch = ? ORDER BY position", (batch,))
    ]


def seal_of(table: str, row: dict[str, Any], notes: Sequence[Any] = ()) -> str:
    """What a row holds, as a short digest; ``notes``: of a batch, which of its rows were not done."""
    blob = _BLOBS.get(table)
    values = [
        value[-DIGEST_BYTES:] if name == blob and isinstance(value, bytes) else value
        for name, value in row.items()
    ]
    return hashlib.blake2b(repr((values, list(notes))).encode(), digest_size=DIGEST_BYTES).hexdigest()


# -- the whole file ------------------------------------------------------------------------------------------


def shape_of(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Name, kind and SQL of everything in a journal."""
    rows = connection.execute(
        "SELECT name, type, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name, type"
    ).fetchall()
    return [(row[0], row[1], row[2]) for row in rows]


def copy_soundly(connection: sqlite3.Connection, copy: Path) -> None:
    """Copy a whole journal into one file; an error of SQLite where it is damaged, and the older copy stays."""
    new = copy.with_name(copy.name + ".new")
    new.unlink(missing_ok=True)
    target = sqlite3.connect(new)
    try:
        os.chmod(new, 0o600)
        connection.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # one file, and nothing beside it
        if target.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("the copy is damaged, as the journal is")
    finally:
        target.close()
    os.replace(new, copy)


def check(connection: sqlite3.Connection, tables: Sequence[str]) -> None:
    """JournalDamaged names the first thing that is not what was written; reads the whole file."""
    [first, *_] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if first != "ok":
        what = " ".join(str(first).removeprefix("*** in database main ***").split())
        raise JournalDamaged(f"it is damaged ({what[:100]})")
    for table in tables:
        _check_rows(connection, table)
    if "seals" not in tables:
        return
    for table in (name for name in _KEYS if name in tables):
        now = dict(_seals(connection, table))
        with closing(connection.execute("SELECT key, seal FROM seals WHERE name = ?", (table,))) as seals:
            if any(now.get(key) != made for key, made in seals):
                raise JournalDamaged(f"the content of its table {table} is not what was written there")


def _check_rows(connection: sqlite3.Connection, table: str) -> None:
    types = column_types(connection, table)
    sql = f"SELECT * FROM {table}"
    try:
        with closing(connection.execute(sql)) as rows:  # an open cursor would keep the file locked
            for values in rows:
                problem = problem_of(table, dict(zip(types, values, strict=True)), types)
                if problem:
                    raise JournalDamaged(f"in its table {table} {problem}")
    except (UnicodeDecodeError, sqlite3.OperationalError) as error:
        raise JournalDamaged(f"its table {table} cannot be read to the end") from error


def column_types(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """The declared type of each column of a table."""
    return {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({table})")}


def problem_of(table: str, row: dict[str, Any], types: dict[str, str]) -> str:
    """What is wrong with a row by itself; nothing where it can be right."""
    for name, value in row.items():
        if value is not None and not isinstance(value, _TYPES.get(types[name], object)):
            return f"{name} is of the wrong type"
    for name in _JSON.get(table, ()):
        try:
            json.loads(row.get(name) or "{}")
        except ValueError:
            return f"{name} cannot be read"
    blob = _BLOBS.get(table)
    if blob is not None:
        try:
            require_signed(row[blob])
        except JournalDamaged:
            return f"{blob} is damaged"
    return ""
