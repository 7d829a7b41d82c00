"""What of a damaged journal can still be read? Its rows one by one, each looked at by itself, into a new
file.

What cannot be vouched for is left out: a value whose note is lost counts as other people's, and stays in the
CRM as it is.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from sync.store import integrity
from sync.store.journal import Journal

_PART = 500
_SKIPPED = 1_000  # numbers that the salvaged journal leaves free: what is lost may have used them
_LAST = 2**62  # a number beyond it is damage


def salvage(damaged: Path, target: Path) -> dict[str, dict[str, int]]:
    """Write what can be read of a journal into ``target``; by table, how many rows were kept and how many are
    known to be lost.

    The damaged file is only copied, never opened: SQLite would change it.
    """
    for old in target.parent.glob(target.name + "*"):
        old.unlink()
    journal = Journal(target)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            copy = Path(folder) / damaged.name
            for end in ("", "-wal"):
                with suppress(OSError):
                    shutil.copyfile(damaged.with_name(damaged.name + end), copy.with_name(copy.name + end))
            source = sqlite3.connect(copy, isolation_level=None)
            try:
                return _copied(source, journal)
            finally:
                source.close()
    finally:
        journal.close()


def _copied(source: sqlite3.Connection, journal: Journal) -> dict[str, dict[str, int]]:
    source.text_factory = bytes
    with suppress(sqlite3.Error):
        source.execute("PRAGMA writable_schema = ON")
    tables = [
        row[0] for row in journal.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    seals = {(row["name"], row["key"]): row["seal"] for row in _read(source, journal, "seals")[0]}
    notes, notes_lost = _read(source, journal, "exceptions")
    counts: dict[str, dict[str, int]] = {}
    with journal.transaction() as connection:
        for table in (name for name in tables if name not in ("seals", "exceptions", "identity", "sequence")):
            rows, lost = _read(source, journal, table)
            vouched = [row for row in rows if _vouched(table, row, seals, notes, notes_lost)]
            kept = sum(_inserted(connection, table, row) for row in vouched)
            counts[table] = {"kept": kept, "lost": lost + len(rows) - kept}
        batches = {number for (number,) in connection.execute("SELECT batch FROM batches")}
        for row in notes:
            if row["batch"] in batches:
                _inserted(connection, "exceptions", row)
        last = connection.execute(
            "SELECT max(coalesce((SELECT max(changed) FROM batches), 0), coalesce((SELECT max(since) FROM objects), 0))"
        ).fetchone()[0]
        connection.execute("UPDATE sequence SET value = ?", (min(last, _LAST) + _SKIPPED,))
    return {table: count for table, count in counts.items() if count["kept"] or count["lost"]}


def _inserted(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> bool:
    """Whether a row could be written: one without its key cannot."""
    columns = ", ".join(f'"{name}"' for name in row)
    sql = f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({', '.join('?' * len(row))})"
    try:
        connection.execute(sql, tuple(row.values()))
    except (sqlite3.IntegrityError, UnicodeEncodeError):
        return False
    return True


def _vouched(
    table: str,
    row: dict[str, Any],
    seals: dict[tuple[str, str], str],
    notes: list[dict[str, Any]],
    notes_lost: int,
) -> bool:
    """Whether a row is what was written.

    Of a batch it counts too which of its rows were not done: without that nothing is ours.
    """
    if table in ("departed", "allowances", "merged_consents"):
        return True
    own = (
        [tuple(note.values()) for note in notes if note["batch"] == row["batch"]]
        if table == "batches"
        else []
    )
    seal = seals.get((table, integrity.key_of(table, row)))
    if seal is None:
        return table != "batches" or not notes_lost
    return seal == integrity.seal_of(table, row, sorted(own, key=lambda note: note[1]))


def _read(source: sqlite3.Connection, journal: Journal, table: str) -> tuple[list[dict[str, Any]], int]:
    """Rows of a table that can be read and are sound by themselves, and how many were met that are not."""
    types = integrity.column_types(journal.connection, table)
    rows: dict[Any, dict[str, Any]] = {}
    lost = 0
    for values in _reached(source, table):
        row = _decoded(dict(zip(types, values, strict=False)), types)
        if row is None or len(values) != len(types) or integrity.problem_of(table, row, types):
            lost += 1
        else:
            rows.setdefault(tuple(row.values()), row)
    return list(rows.values()), lost


def _reached(source: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """Rows from the front up to the damage; then by their numbers, where they have some, or from the back.

    A name of a column that is no text is damage too.
    """
    try:
        yield from source.execute(f"SELECT * FROM {table}")
        return
    except (sqlite3.Error, UnicodeDecodeError):
        yield ()  # at least one is lost
    if table in integrity.NUMBERED:
        yield from _by_number(source, table)
        return
    with suppress(sqlite3.Error, UnicodeDecodeError):
        keys = ", ".join(f'"{name}"' for name in integrity.PRIMARY_KEYS.get(table, ("rowid",)))
        yield from source.execute(f"SELECT * FROM {table} ORDER BY {keys.replace(',', ' DESC,')} DESC")


def _by_number(source: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """Each number is asked for by itself, until so many in a row are nobody's."""
    number, missed = 1, 0
    while missed < 100 * _PART:
        try:
            row = source.execute(f"SELECT * FROM {table} WHERE rowid = ?", (number,)).fetchone()
        except (sqlite3.Error, UnicodeDecodeError):
            row = None
        if row is None:
            missed += 1
        else:
            missed = 0
            yield row
        number += 1


def _decoded(row: dict[str, Any], types: dict[str, str]) -> dict[str, Any] | None:
    """Texts come as bytes, so that one of them does not end the reading of all."""
    try:
        return {
            name: value.decode() if isinstance(value, bytes) and types[name] != "BLOB" else value
            for name, value in row.items()
        }
    except UnicodeDecodeError:
        return None
