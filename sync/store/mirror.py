"""The mirror: what the CRM held when we last looked. A DuckDB file, and only a cache: delete it and one full pull heals it.

Each account has a schema of its own (its name, quoted) with these tables:
  ids          record (int64) ⇄ (record_type, id): text ids stop at this door
  records      one row per record that the CRM holds
  activity     one row per thing that a record did (see ``sync.store.activity``); ``shadowed`` rows repeat another row and do not count
  parked       activity of records that we do not know yet
  actual       what the CRM holds in our fields and lists: (record, target, value)
  written      what we wrote or meant to write, rebuilt from the journal: whose value is there?
  redirects    record → survivor, of merges and conversions
  parts        the pieces that streams were delivered in;  positions: how far each stream was read
and per segmentation ``labels_NAME`` and ``before_NAME`` (see ``sync.label.label``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

VERSION = "1"  # of the tables below: a mirror of another version is thrown away

_TABLES = """
CREATE TABLE ids (record BIGINT, record_type VARCHAR, id VARCHAR);
CREATE TABLE records (record BIGINT, part INTEGER, line BIGINT, changed_at TIMESTAMPTZ, created_at TIMESTAMPTZ, email VARCHAR,
    company_id VARCHAR, merged_into VARCHAR, converted_to VARCHAR, deleted BOOLEAN, objects_to_profiling BOOLEAN,
    "reachable.email" BOOLEAN, "reachable.phone" BOOLEAN, "reachable.sms" BOOLEAN, "reachable.post" BOOLEAN);
CREATE TABLE activity (record BIGINT, part INTEGER, line BIGINT, key UBIGINT, named BOOLEAN, shadowed BOOLEAN, "order" BIGINT,
    kind VARCHAR, day DATE, occurred_at TIMESTAMP, amount BIGINT, category VARCHAR);
CREATE TABLE parked (record_type VARCHAR, id VARCHAR, part INTEGER, line BIGINT, key UBIGINT, named BOOLEAN, shadowed BOOLEAN,
    "order" BIGINT, kind VARCHAR, day DATE, occurred_at TIMESTAMP, amount BIGINT, category VARCHAR);
CREATE TABLE actual (record BIGINT, target VARCHAR, value VARCHAR, part INTEGER);
CREATE TABLE written (batch BIGINT, opened BIGINT, record BIGINT, target VARCHAR, after VARCHAR, mine BOOLEAN);
CREATE TABLE redirects (record BIGINT, survivor BIGINT);
CREATE TABLE parts (part INTEGER, stream VARCHAR, name VARCHAR, live BOOLEAN, rejected BIGINT);
CREATE TABLE positions (stream VARCHAR, position VARCHAR);
CREATE TABLE stamps (name VARCHAR, value VARCHAR);
"""


def quoted(name: str) -> str:
    """A name as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as a SQL literal."""
    return "'" + value.replace("'", "''") + "'"


class Mirror:
    """The DuckDB file of a state directory. ``account`` gives the tables of one account."""

    def __init__(self, path: Path, memory_limit: str = "2GB") -> None:
        self.path = path
        self._memory_limit = memory_limit
        self.connection = self._open()

    def _open(self) -> duckdb.DuckDBPyConnection:
        """Open the file, or begin anew where it is of another version or broken: everything in it can be read again."""
        for attempt in ("kept", "new"):
            if attempt == "new":
                for leftover in (self.path, self.path.with_name(self.path.name + ".wal")):
                    leftover.unlink(missing_ok=True)
            try:
                connection = duckdb.connect(str(self.path), config={"memory_limit": self._memory_limit})
                connection.execute("SET preserve_insertion_order = false; SET TimeZone = 'UTC'; SET enable_progress_bar = false")
                connection.execute("CREATE TABLE IF NOT EXISTS main.mirror (version VARCHAR)")
                version = connection.execute("SELECT version FROM main.mirror").fetchone()
                if version is None:
                    connection.execute("INSERT INTO main.mirror VALUES (?)", [VERSION])
                    os.chmod(self.path, 0o600)
                elif version[0] != VERSION:
                    connection.close()
                    continue
                return connection
            except duckdb.Error:
                if attempt == "new":
                    raise
        raise AssertionError("a new mirror has the present version")

    def account(self, name: str) -> AccountMirror:
        """The tables of one account; they are made when first asked for."""
        return AccountMirror(self.connection, name)

    def accounts(self) -> list[str]:
        """Names of the accounts that have tables here."""
        rows = self.connection.execute("SELECT schema_name FROM duckdb_schemas() WHERE NOT internal AND database_name = current_database()")
        return [name for (name,) in rows.fetchall() if name != "main"]

    def close(self) -> None:
        """Write everything to the file and let go of it."""
        self.connection.close()


class AccountMirror:
    """The tables of one account. SQL in here names them without their schema."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        self.connection = connection
        self.name = name
        self.schema = quoted(name)
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self.schema}")
        self._use()
        if not self.has_table("ids"):
            with self.transaction():
                connection.execute(_TABLES)

    def _use(self) -> None:
        self.connection.execute(f"USE {self.schema}")

    def has_table(self, table: str) -> bool:
        """Whether this account has that table."""
        return bool(self.value("SELECT count(*) FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?", [self.name, table]))

    def columns(self, table: str) -> set[str]:
        """Names of a table's columns."""
        rows = self.rows("SELECT column_name FROM duckdb_columns() WHERE schema_name = ? AND table_name = ?", [self.name, table])
        return {name for (name,) in rows}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, also against ``kill -9``."""
        self._use()
        self.connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def run(self, sql: str, parameters: list[Any] | None = None, **frames: pa.Table) -> duckdb.DuckDBPyConnection:
        """Execute SQL in this account's schema; Arrow tables given by keyword are readable under that name."""
        self._use()
        for name, frame in frames.items():
            self.connection.register(name, frame)
        try:
            return self.connection.execute(sql, parameters or [])
        finally:
            for name in frames:
                self.connection.unregister(name)

    def value(self, sql: str, parameters: list[Any] | None = None, **frames: pa.Table) -> Any:
        """First column of the first row, or None."""
        row = self.run(sql, parameters, **frames).fetchone()
        return None if row is None else row[0]

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows, for small answers."""
        return self.run(sql, parameters).fetchall()

    def table(self, sql: str, parameters: list[Any] | None = None, **frames: pa.Table) -> pa.Table:
        """All rows as an Arrow table."""
        self._use()
        for name, frame in frames.items():
            self.connection.register(name, frame)
        try:
            result: pa.Table = self.connection.execute(sql, parameters or []).to_arrow_table()
            return result
        finally:
            for name in frames:
                self.connection.unregister(name)

    def stamp(self, name: str) -> str | None:
        """A remembered text: what a derived table was made from."""
        found: str | None = self.value("SELECT value FROM stamps WHERE name = ?", [name])
        return found

    def set_stamp(self, name: str, value: str) -> None:
        """Remember what a derived table was made from."""
        self.run("DELETE FROM stamps WHERE name = ?", [name])
        self.run("INSERT INTO stamps VALUES (?, ?)", [name, value])

    def position(self, stream: str) -> str | None:
        """How far a stream was read."""
        found: str | None = self.value("SELECT position FROM positions WHERE stream = ?", [stream])
        return found

    def set_position(self, stream: str, position: str) -> None:
        """Call it in the transaction that stores what was read."""
        self.run("DELETE FROM positions WHERE stream = ?", [stream])
        self.run("INSERT INTO positions VALUES (?, ?)", [stream, position])

    def revision(self) -> int:
        """Grows whenever records or activity change: equal revisions hold equal frames."""
        return int(self.stamp("revision") or 0)

    def touched(self) -> None:
        """Say that records or activity changed."""
        self.set_stamp("revision", str(self.revision() + 1))

    def register(self, frame: pa.Table) -> None:
        """Give every (record_type, id) of a frame its number; the order of ids decides, so that two mirrors number alike."""
        self.run(
            """INSERT INTO ids
               SELECT (SELECT coalesce(max(record), 0) FROM ids) + row_number() OVER (ORDER BY length(id), id, record_type), record_type, id
               FROM (SELECT DISTINCT record_type, id FROM frame) AS seen ANTI JOIN ids USING (record_type, id)""",
            frame=frame,
        )

    def record(self, id: str, record_type: str | None = None) -> tuple[int, str] | None:
        """Number and type of a record by its id in the CRM."""
        found = self.rows(
            "SELECT record, record_type FROM ids WHERE id = ? AND coalesce(record_type = ?, true) ORDER BY record_type", [id, record_type]
        )
        return (int(found[0][0]), str(found[0][1])) if found else None

    def attributes(self) -> Mapping[str, str]:
        """Attribute columns of ``records`` and their SQL types."""
        rows = self.rows(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = ? AND table_name = 'records' AND "
            "starts_with(column_name, 'attribute.')",
            [self.name],
        )
        return dict(rows)
