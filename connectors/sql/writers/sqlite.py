"""How is SQLite written to? By one immediate transaction: nobody else writes to the file meanwhile."""

from __future__ import annotations

import sqlite3
from urllib.parse import quote

import pyarrow as pa

from connectors.sql.engines.sqlite import SqliteEngine
from connectors.sql.statements import name_of
from connectors.sql.writers.files import GRANT, FileWriter


class SqliteWriter(FileWriter, SqliteEngine):
    def begin(self) -> None:
        with self.asking(grant=GRANT):
            uri = f"file:{quote(str(self.existing().absolute()))}?mode=rw"
            self._connection = sqlite3.connect(
                uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30
            )
            self._connection.text_factory = bytes
            self._connection.execute("BEGIN IMMEDIATE")

    def run(self, statement: str) -> None:
        self._execute(statement)

    def stage(self, name: str, rows: pa.Table) -> None:
        assert self._connection is not None
        names = [name_of(column).sql(self.dialect) for column in rows.column_names]
        table = f"temp.{name_of(name).sql(self.dialect)}"
        self.run(f"CREATE TABLE {table} ({', '.join(names)})")
        cells = zip(*(column.to_pylist() for column in rows.columns), strict=True)
        places = ", ".join("?" * len(names))
        self._connection.executemany(f"INSERT INTO {table} VALUES ({places})", cells)


WRITER = SqliteWriter
