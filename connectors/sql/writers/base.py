"""What must a database do for us, so that segments can be written to it? One module beside this one for each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pyarrow as pa

from connectors.errors import ConnectorError
from connectors.sql.address import DatabaseAddress
from connectors.sql.engines.base import Engine
from connectors.sql.failures import failure
from connectors.sql.own_tables import OwnTables

ENGINES = ("postgres", "mysql", "sqlite", "duckdb")
# what an error means where we write and do not read
_MEANINGS = {
    "grant": "write grant", "missing": "not set up", "request": "not written", "would write": "read only"
}  # fmt: skip


class Writer(Engine):
    """An engine whose connection can write. All from ``begin`` to ``commit`` is one transaction; without it, nothing
    of it happened. A class of a database extends this one, and its engine for reading.
    """

    tables: OwnTables

    @abstractmethod
    def run(self, statement: str) -> None:
        """A statement that gives no rows."""

    @abstractmethod
    def stage(self, name: str, rows: pa.Table) -> None:
        """Rows of text and whole numbers as a temporary table, as bound values. A name is used once."""

    @abstractmethod
    def commit(self) -> None:
        """Make everything since ``begin`` lasting."""

    @abstractmethod
    def may_create(self) -> bool:
        """Whether our role may make what is missing of the schema and its tables."""

    @abstractmethod
    def create_grant(self) -> str:
        """The statement that would let our role make them."""

    def stage_grant(self) -> str:
        """The statement that would let our role make temporary tables."""
        return "the right to make temporary tables"

    def lock(self, table: str) -> None:
        """From now until the end, nobody else writes to a table of ours. Here: ``begin`` saw to it."""

    def failed(self, meaning: Any, said: object, source: str = "", grant: str = "") -> ConnectorError:
        meaning_here: Any = _MEANINGS.get(meaning, meaning)
        return failure(meaning_here, self.address, str(said), source, grant)


@contextmanager
def writing(address: DatabaseAddress, schema: str, timeout_minutes: int) -> Iterator[Writer]:
    """A connection that can write. What is not committed at its end did not happen."""
    writer: Writer = import_module(f"connectors.sql.writers.{address.engine}").WRITER(
        address, timeout_minutes
    )
    writer.tables = OwnTables(writer.dialect, schema)
    writer.begin()
    try:
        with writer.asking(f"schema {schema}", writer.create_grant()):
            yield writer
    finally:
        writer.end()
