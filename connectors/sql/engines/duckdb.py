"""How is a DuckDB file read? As Arrow, in one transaction of a connection that cannot write."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
from sqlglot import exp

from connectors.errors import ConnectorError
from connectors.sql.engines.base import ROWS
from connectors.sql.engines.files import FileEngine
from connectors.sql.statements import as_type
from connectors.values.text import readable


class DuckDbEngine(FileEngine):
    title, dialect = "DuckDB", "duckdb"
    catalogue = """SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
        WHERE table_catalog = current_database() AND table_schema NOT IN ('information_schema', 'pg_catalog')
        ORDER BY table_schema, table_name, ordinal_position"""

    _connection: duckdb.DuckDBPyConnection | None = None

    def begin(self) -> None:
        with self.asking():
            self._connection = duckdb.connect(str(self.existing()), read_only=True)
            self._connection.execute("SET TimeZone = 'UTC'")
            self._connection.execute("BEGIN TRANSACTION")

    def schema(self, statement: str) -> pa.Schema:
        assert self._connection is not None
        schema: pa.Schema = self._connection.execute(statement).to_arrow_table().schema
        return schema

    def batches(self, statement: str) -> Iterator[pa.Table]:
        assert self._connection is not None
        for batch in self._connection.execute(statement).to_arrow_reader(ROWS * 5):
            yield pa.Table.from_batches([batch])

    def plain(self, column: exp.Expression, field: pa.Field) -> exp.Expression:
        kind = field.type
        # TIMETZ comes without its zone, and HUGEINT and UHUGEINT as decimals that they do not fit into
        lossy = pa.types.is_time(kind) or (pa.types.is_decimal(kind) and kind.scale == 0)
        return as_type(column, "TEXT") if lossy or not readable(kind) else column

    def explained(self, error: Exception, source: str, grant: str) -> ConnectorError | None:
        if not isinstance(error, duckdb.Error):
            return super().explained(error, source, grant)
        said = str(error)
        if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
            return self.failed("missing", said, source)
        if "No space left" in said or isinstance(error, duckdb.OutOfMemoryException):
            return self.failed("full", said, source)
        if isinstance(error, duckdb.IOException):
            return self.failed("busy" if "lock" in said else "database", said)
        if isinstance(error, duckdb.FatalException | duckdb.InternalException):
            return self.failed("fault", said, source)
        return self.failed("request", said, source)


ENGINE = DuckDbEngine
