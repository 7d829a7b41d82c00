"""How is a DuckDB file written to? By one transaction of the only process that has it open."""

from __future__ import annotations

import os

import duckdb
import pyarrow as pa

from connectors.sql.engines.duckdb import DuckDbEngine
from connectors.sql.writers.base import Writer


class DuckDbWriter(Writer, DuckDbEngine):
    def begin(self) -> None:
        with self.asking(grant="the right to write to the file and its folder"):
            if not self.address.path.is_file():
                raise self.failed("database", "no such file")
            self._connection = duckdb.connect(str(self.address.path))
            self._connection.execute("SET TimeZone = 'UTC'")
            self._connection.execute("BEGIN TRANSACTION")

    def run(self, statement: str) -> None:
        assert self._connection is not None
        self._connection.execute(statement)

    def stage(self, name: str, rows: pa.Table) -> None:
        assert self._connection is not None
        self._connection.register(name, rows)

    def commit(self) -> None:
        self.run("COMMIT")

    def may_create(self) -> bool:
        return os.access(self.address.path, os.W_OK) and os.access(self.address.path.parent, os.W_OK)

    def create_grant(self) -> str:
        return "the right to write to the file and its folder"


WRITER = DuckDbWriter
