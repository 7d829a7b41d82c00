"""How is SQLite read? Cell by cell, because each cell has a type of its own; a page holds text, exactly as it
stands in the file.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from connectors.errors import ConnectorError
from connectors.sql.engines.base import NUMERIC, ROWS
from connectors.sql.engines.files import FileEngine

_SAID = (
    ("unable to open|not a database", "database"),
    ("readonly", "would write"),
    ("locked|busy", "busy"),
    ("is full|out of memory", "full"),
    ("disk I/O error|malformed", "fault"),
)


class SqliteEngine(FileEngine):
    title, dialect = "SQLite", "sqlite"
    catalogue = """SELECT '', m.name, c.name, c.type FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c
        WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY m.name, c.cid"""

    _connection: sqlite3.Connection | None = None

    def begin(self) -> None:
        with self.asking():
            uri = f"file:{quote(str(self.existing().absolute()))}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
            self._connection.text_factory = bytes
            self._connection.execute("PRAGMA query_only = ON")
            self._connection.execute("BEGIN")

    def schema(self, statement: str) -> pa.Schema:
        names = [column[0] for column in self._execute(statement).description]
        return pa.schema([pa.field(name, pa.string()) for name in names])

    def batches(self, statement: str) -> Iterator[pa.Table]:
        cursor = self._execute(statement)
        names = [column[0] for column in cursor.description]
        while rows := cursor.fetchmany(ROWS):
            yield _table(names, list(zip(*rows, strict=True)))

    def explained(self, error: Exception, source: str, grant: str) -> ConnectorError | None:
        if not isinstance(error, sqlite3.Error):
            return super().explained(error, source, grant)
        said = str(error)
        if "no such" in said:
            return self.failed("missing", said, source)
        meaning = next((meaning for pattern, meaning in _SAID if re.search(pattern, said)), "request")
        return self.failed(meaning, said, source)

    def _execute(self, statement: str) -> sqlite3.Cursor:
        assert self._connection is not None
        return self._connection.execute(statement)


def _table(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> pa.Table:
    fields, arrays = [], []
    for name, cells in zip(names, columns, strict=True):
        numeric = not any(isinstance(cell, bytes) for cell in cells)
        fields.append(pa.field(name, pa.string(), metadata=NUMERIC if numeric else None))
        arrays.append(pa.array([_letters(cell) for cell in cells], pa.binary()).view(pa.string()))
    return pa.table(arrays, schema=pa.schema(fields))


def _letters(cell: Any) -> bytes | None:
    """A cell as text; whole numbers that are kept as floats lose their ``.0``."""
    if cell is None or isinstance(cell, bytes):
        return cell
    if isinstance(cell, float):
        return (str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)).encode()
    return str(cell).encode()


ENGINE = SqliteEngine
