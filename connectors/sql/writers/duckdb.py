"""How is a DuckDB file written to? By one transaction of the only process that has it open."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from connectors.sql.engines.duckdb import DuckDbEngine
from connectors.sql.writers.files import GRANT, FileWriter


class DuckDbWriter(FileWriter, DuckDbEngine):
    def begin(self) -> None:
        with self.asking(grant=GRANT):
            self._connection = duckdb.connect(str(self.existing()))
            self._connection.execute("SET TimeZone = 'UTC'")
            self._connection.execute("BEGIN TRANSACTION")

    def run(self, statement: str) -> None:
        assert self._connection is not None
        self._connection.execute(statement)

    def stage(self, name: str, rows: pa.Table) -> None:
        assert self._connection is not None
        self._connection.register(name, rows)


WRITER = DuckDbWriter
