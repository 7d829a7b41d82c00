"""What stands in a journal, table by table: read through SQL, so that no name inside the product is needed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.oracle.normal import Normal, Tree

_DIGEST_BYTES = 16  # at the end of a stored Arrow table
_OURS_ALONE = {
    "seals",
    "sequence",
    "identity",
    "exports",
}  # how the file is kept, and where files were written

_MEASURED = {"seconds", "quota"}  # of this machine and this day


def recorded(path: Path, normal: Normal) -> dict[str, Tree]:
    """By table that has some: its rows."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        ).fetchall()
        names = [name for (name,) in tables if name not in _OURS_ALONE and not name.startswith("sqlite_")]
        rows = {name: list(_rows(connection, name, normal)) for name in names}
        return {name: {"unordered": of_table} for name, of_table in rows.items() if of_table}


def _rows(connection: sqlite3.Connection, table: str, normal: Normal) -> Iterator[Tree]:
    for row in connection.execute(f"SELECT * FROM {table}"):
        named = {column: row[column] for column in row.keys() if column != "who"}  # noqa: SIM118 - a row is no dict
        yield {column: _cell(value, normal) for column, value in named.items()}


def _cell(value: Any, normal: Normal) -> Tree:
    if isinstance(value, bytes):
        return table_of(pa.ipc.open_stream(value[:-_DIGEST_BYTES]).read_all(), normal)
    told = normal.stored(value) if isinstance(value, str) else normal.tree(value)
    return (
        {key: each for key, each in told.items() if key not in _MEASURED} if isinstance(told, dict) else told
    )


def table_of(table: pa.Table, normal: Normal) -> Tree:
    """An Arrow table, row by row."""
    names = table.column_names
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    return {"columns": names, "rows": [[normal.tree(value) for value in row] for row in rows]}
