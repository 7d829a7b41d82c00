"""How is a database read that has an ADBC driver? Arrow all the way, from the server's buffers to our pages."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from connectors.errors import ConnectorError
from connectors.sql.engines.base import NUMERIC, Engine


class AdbcEngine(Engine):
    """An engine whose driver speaks ADBC."""

    module: str

    _connection: Any = None
    _cursor: Any = None

    @abstractmethod
    def connected(self, dbapi: Any) -> Any:
        """A connection of the driver's."""

    def prepare(self, cursor: Any) -> None:
        """Open the snapshot."""

    def begin(self) -> None:
        dbapi = self.driver(self.module)
        with self.asking():
            self._connection = self.connected(dbapi)
            self.answered()
            self._cursor = self._connection.cursor()
            self.prepare(self._cursor)

    def schema(self, statement: str) -> pa.Schema:
        self._cursor.execute(statement)
        schema: pa.Schema = self._cursor.fetch_record_batch().schema
        return schema

    def batches(self, statement: str) -> Iterator[pa.Table]:
        self._cursor.execute(statement)
        # the reader of the public fetch_record_batch loses the server's codes of errors
        for batch in self._cursor._results.reader:
            yield _plain(pa.Table.from_batches([batch]))

    def end(self) -> None:
        cursor, connection = self._cursor, self._connection
        self._cursor = self._connection = None
        for opened in (cursor, connection):
            try:
                if opened is not None:
                    opened.close()
            except Exception as error:  # a broken connection cannot be closed well
                if self.explained(error, "", "") is None:
                    raise

    def explained(self, error: Exception, source: str, grant: str) -> ConnectorError | None:
        manager = self.driver("adbc_driver_manager")
        if not isinstance(error, (manager.Error, pa.ArrowException, OSError)):
            return None
        return self.failed(
            self.meaning((getattr(error, "sqlstate", None) or "").strip("\0"), str(error)),
            _said(error),
            source,
            grant,
        )

    def meaning(self, sqlstate: str, said: str) -> str:
        """What an error means (``failures.Meaning``), by its code and by what was said."""
        if sqlstate == "53300":
            return "crowded"
        by_state = {
            "08": "lost", "28": "log-in", "40": "again", "53": "full", "55": "busy", "58": "fault", "XX": "fault"
        }  # fmt: skip
        return by_state.get(sqlstate[:2], "request" if sqlstate else "lost")


def _said(error: Exception) -> str:
    """The server's own words."""
    text = str(error)
    for mark in ("ERROR:", "FATAL:", "[libpq]"):
        if mark in text:
            return text.partition(mark)[2].strip()
    return text


def _plain(table: pa.Table) -> pa.Table:
    """Without the driver's own types, as far as their storage is plain."""
    fields, columns = [], []
    for field, column in zip(table.schema, table.columns, strict=True):
        kind, metadata = field.type, None
        if isinstance(kind, pa.BaseExtensionType):
            metadata = NUMERIC if getattr(kind, "type_name", "") == "numeric" else None
            kind = kind.storage_type
            column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind)
        fields.append(pa.field(field.name, kind, metadata=metadata))
        columns.append(column)
    return pa.table(columns, schema=pa.schema(fields))
