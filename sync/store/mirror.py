"""The mirror: what the CRM held when we last looked. A DuckDB file, and only a cache: delete it and one full
pull heals it.

Each account has a schema of its own (its name, quoted) with these tables:
  ids          record (int64) ⇄ (record_type, id): text ids stop at this door
  records      one row per record that the CRM holds
  activity     one row per thing that a record did (see ``sync.store.activity``); ``shadowed`` rows repeat
               another row and do not count
  parked       activity of records that we do not know yet, by the id and the address that it names them by
  names        what activity names its records by, where that may be more than their exact id (see
               ``sync.store.activity_owner``)
  actual       what the CRM holds in our fields and lists: (record, target, value)
  written      what we wrote or meant to write, rebuilt from the journal: whose value is there?
  redirects    record → survivor, of merges and conversions
  first_seen   the day on which a pull first saw a record without created_at (see ``sync.store.first_seen``)
  merged_consents  what merged records had said no to (see ``sync.store.merged_consent``)
  parts        the pieces that streams were delivered in;  positions: how far each stream was read
  reading      what the reading of each part gave, by day: rows delivered, refused and left out by reason, and
               so on
and ``features`` of the last labelling, and per segmentation ``labels_NAME`` and ``before_NAME`` (see
``sync.store.label_tables``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import duckdb
import pyarrow as pa

from sync.exit_codes import RetryLater
from sync.store import copies, engine
from sync.store.soundness import as_closed, begin_anew, note_closed, note_opened

VERSION = "4"  # of the tables below: a mirror of another version is thrown away

_schema_in_use: WeakKeyDictionary[duckdb.DuckDBPyConnection, str] = WeakKeyDictionary()
_SETTINGS = "SET preserve_insertion_order = false; SET TimeZone = 'UTC'; SET enable_progress_bar = false"
_TABLES = """
CREATE TABLE ids (record BIGINT, record_type VARCHAR, id VARCHAR);
CREATE TABLE records (record BIGINT, part INTEGER, line BIGINT, changed_at TIMESTAMPTZ, created_at TIMESTAMPTZ, email VARCHAR,
    emails VARCHAR[], phones VARCHAR[], name VARCHAR, first_name VARCHAR, last_name VARCHAR, country VARCHAR,
    consented_at TIMESTAMPTZ, consent_source VARCHAR, company_id VARCHAR,
    merged_into VARCHAR, converted_to VARCHAR, deleted BOOLEAN, objects_to_profiling BOOLEAN,
    "reachable.email" BOOLEAN, "reachable.phone" BOOLEAN, "reachable.sms" BOOLEAN, "reachable.post" BOOLEAN,
    "reachable.ads" BOOLEAN);
CREATE TABLE activity (record BIGINT, part INTEGER, line BIGINT, key UBIGINT, named BOOLEAN, shadowed BOOLEAN, "order" BIGINT,
    kind VARCHAR, day DATE, occurred_at TIMESTAMP, amount BIGINT, category VARCHAR);
CREATE TABLE parked (record_type VARCHAR, id VARCHAR, email VARCHAR, part INTEGER, line BIGINT, key UBIGINT, named BOOLEAN,
    shadowed BOOLEAN, "order" BIGINT, kind VARCHAR, day DATE, occurred_at TIMESTAMP, amount BIGINT, category VARCHAR);
CREATE TABLE names (name BIGINT, record_type VARCHAR, id VARCHAR, email VARCHAR, by_id BIGINT, by_key BIGINT, by_address BIGINT,
    record BIGINT);
CREATE TABLE actual (record BIGINT, target VARCHAR, value VARCHAR, part INTEGER);
CREATE TABLE written (batch BIGINT, opened BIGINT, record BIGINT, target VARCHAR, after VARCHAR, mine BOOLEAN);
CREATE TABLE redirects (record BIGINT, survivor BIGINT);
CREATE TABLE merged_consents (record BIGINT, survivor BIGINT, objects_to_profiling BOOLEAN,
    "reachable.email" BOOLEAN, "reachable.phone" BOOLEAN, "reachable.sms" BOOLEAN, "reachable.post" BOOLEAN,
    "reachable.ads" BOOLEAN);
CREATE TABLE parts (part INTEGER, stream VARCHAR, name VARCHAR, live BOOLEAN, rejected BIGINT);
CREATE TABLE reading (part INTEGER, read_on DATE, what VARCHAR, reason VARCHAR, number BIGINT);
CREATE TABLE positions (stream VARCHAR, position VARCHAR);
CREATE TABLE stamps (name VARCHAR, value VARCHAR);
"""


def quoted(name: str) -> str:
    """A name as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as a SQL literal."""
    return "'" + value.replace("'", "''") + "'"


class Memory(NamedTuple):
    """Which journal a mirror belongs to: whose it is, and the number of the last thing that happened in it."""

    identity: str
    sequence: int


class Mirror:
    """The DuckDB file of a state directory. ``account`` gives the tables of one account.

    A file that cannot be used is set aside, or thrown away where it is of another version: everything in it
    can be read again. ``healed`` says so in sentences. RetryLater or CommandError where a new file would not help: another
    program has it open, there is no room.
    """

    def __init__(self, path: Path, memory_limit: str = "2GB", memory: Memory | None = None) -> None:
        self.path = path
        self.healed: list[str] = []
        self._memory_limit = memory_limit
        self._look()
        self.connection = self._open()
        if memory is not None:
            self._belong_or_renew(memory)

    def _look(self) -> None:
        """Nobody has touched it since we closed it: that costs nothing.

        Else it is read through in a process of its own first, because DuckDB may break down on it.
        """
        there = os.path.lexists(self.path) or self.path.with_name(self.path.name + ".wal").exists()
        if there and not as_closed(self.path):
            kind, why = engine.look_at(self.path, self._memory_limit)
            if why:
                self._begin_anew(kind, why)
        note_opened(self.path)

    def _begin_anew(self, kind: str, why: str) -> None:
        self.healed.append(begin_anew(self.path, why, kind))

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            connection = self._connect()
        except duckdb.Error as error:
            self._begin_anew("damaged", str(engine.judge(error, self.path)))
            connection = self._connect()
        try:
            connection.execute("CREATE TABLE IF NOT EXISTS main.mirror (version VARCHAR)")
            version = connection.execute("SELECT version FROM main.mirror").fetchone()
            if version is not None and version[0] != VERSION:
                connection.close()
                self.path.unlink()
                return self._open()
            if version is None:
                connection.execute("INSERT INTO main.mirror VALUES (?)", [VERSION])
                os.chmod(self.path, 0o600)
        except duckdb.Error as error:
            _let_go(connection)
            if self.healed:
                raise
            self._begin_anew("damaged", str(engine.judge(error, self.path)))
            return self._open()
        return connection

    def _connect(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(
            str(self.path),
            config={"memory_limit": self._memory_limit, "autoinstall_known_extensions": "false"},
        )
        connection.execute(_SETTINGS)
        return connection

    def _belong_or_renew(self, memory: Memory) -> None:
        """Where DuckDB cannot read whose it is, a new one is begun.

        A connection that stays open would keep the old file in the place of the new one.
        """
        try:
            self._belong(memory)
        except duckdb.Error as error:
            _let_go(self.connection)
            if self.healed:
                raise
            self._begin_anew("damaged", str(engine.judge(error, self.path)))
            self.connection = self._open()
            self._belong(memory)

    def _belong(self, memory: Memory) -> None:
        """What another journal's mirror says of who wrote a value is not true here; nor what one says that
        knows of more than happened.
        """
        why = ""
        self.connection.execute("CREATE TABLE IF NOT EXISTS main.journal (identity VARCHAR)")
        row = self.connection.execute("SELECT identity FROM main.journal").fetchone()
        if row is not None and row[0] != memory.identity:
            why = "it belongs to another journal"
        elif any(
            int(AccountMirror(self.connection, name).stamp("written") or 0) > memory.sequence
            for name in self.accounts()
        ):
            why = "it knows of writes that the journal does not know, which an older copy has replaced"
        if why:
            _let_go(self.connection)
            self._begin_anew("outdated", why)
            self.connection = self._open()
            self._belong(memory)
        elif row is None:
            self.connection.execute("INSERT INTO main.journal VALUES (?)", [memory.identity])

    def account(self, name: str) -> AccountMirror:
        """The tables of one account; they are made when first asked for."""
        return AccountMirror(self.connection, name)

    def accounts(self) -> list[str]:
        """Names of the accounts that have tables here."""
        rows = self.connection.execute(
            "SELECT schema_name FROM duckdb_schemas() WHERE NOT internal AND database_name = current_database()"
        )
        return [name for (name,) in rows.fetchall() if name != "main"]

    @cached_property
    def publisher(self) -> copies.Publisher:
        """What shows others the mirror while we work on it."""
        return copies.Publisher(self.path)

    def compact(self) -> None:
        """Write what is left into a new file that takes the place of the old one: deleted rows stay readable
        in that.

        Closes it.
        """
        new, path = self.path.with_name(self.path.name + ".new"), literal(str(self.path))
        new.unlink(missing_ok=True)
        own = self.connection.execute(
            f"SELECT database_name FROM duckdb_databases() WHERE path = {path}"
        ).fetchone()
        self.connection.execute(f"ATTACH {literal(str(new))} AS compacted")
        self.connection.execute(
            f"COPY FROM DATABASE {quoted(own[0] if own else self.path.stem)} TO compacted"
        )
        self.connection.execute("DETACH compacted")
        os.chmod(new, 0o600)
        _let_go(self.connection)
        self.path.with_name(self.path.name + ".wal").unlink(missing_ok=True)
        os.replace(new, self.path)
        note_closed(self.path)
        self._publish_no_more()

    def close(self) -> None:
        """Write everything to the file and let go of it.

        What DuckDB cannot write is looked at when the file is opened again.
        """
        try:
            self.connection.close()
        except duckdb.Error:
            return
        else:
            note_closed(self.path)
        finally:
            self._publish_no_more()

    def _publish_no_more(self) -> None:
        if "publisher" in self.__dict__:
            self.publisher.close()
            del self.publisher


class MirrorBeside(Mirror):
    """What can be read of a mirror while a command works on it; ``moment``: of when that is. Nothing is written.

    RetryLater: nothing can be read yet.
    """

    def __init__(self, path: Path, memory_limit: str) -> None:
        opened = copies.connect(path, memory_limit)
        if opened is None:
            raise RetryLater("the local copy of the CRM cannot be read while it is being changed")
        self.path, self.healed = path, []
        self.connection, self.moment = opened
        self.connection.execute(_SETTINGS)

    def account(self, name: str) -> AccountMirror:
        """The tables of one account."""
        if name not in self.accounts():
            raise RetryLater(f"nothing of {name} has been read before")
        return AccountMirror(self.connection, name, read_only=True)

    def close(self) -> None:
        """Let go of it."""
        _let_go(self.connection)


def _let_go(connection: duckdb.DuckDBPyConnection) -> None:
    with suppress(duckdb.Error):
        connection.close()


class AccountMirror:
    """The tables of one account. SQL in here names them without their schema.

    What every command asks has no parameters: DuckDB imports pandas before it binds the first one.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str, read_only: bool = False) -> None:
        self.connection = connection
        self.name = name
        self.schema = quoted(name)
        self.read_only = read_only
        if read_only:
            self._use()
            return
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self.schema}")
        self._use()
        if not self.has_table("ids"):
            with self.transaction():
                connection.execute(_TABLES)

    def _use(self) -> None:
        """Name tables in this account's schema; asked of DuckDB only where another's was last: it costs as much as a small query."""
        if _schema_in_use.get(self.connection) != self.schema:
            self.connection.execute(f"USE {self.schema}")
            _schema_in_use[self.connection] = self.schema

    def has_table(self, table: str) -> bool:
        """Whether this account has that table."""
        named = f"schema_name = {literal(self.name)} AND table_name = {literal(table)}"
        return bool(self.value(f"SELECT count(*) FROM duckdb_tables() WHERE {named}"))

    def columns(self, table: str) -> set[str]:
        """Names of a table's columns."""
        named = f"schema_name = {literal(self.name)} AND table_name = {literal(table)}"
        rows = self.rows(f"SELECT column_name FROM duckdb_columns() WHERE {named}")
        return {name for (name,) in rows}

    def columns_of(self, rows: object) -> set[str]:
        """Names of the columns of a relation."""
        return set(self.table(f"SELECT * FROM ({rows}) LIMIT 0").column_names)

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

    @contextmanager
    def _executed(
        self, sql: str, parameters: list[Any] | None, frames: Mapping[str, pa.Table]
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Executed SQL, whose rows are to be fetched within: the frames are readable no longer."""
        self._use()
        for name, frame in frames.items():
            self.connection.register(name, frame)
        try:
            yield self.connection.execute(sql, parameters or [])
        finally:
            for name in frames:
                self.connection.unregister(name)

    def run(
        self, sql: str, parameters: list[Any] | None = None, **frames: pa.Table
    ) -> duckdb.DuckDBPyConnection:
        """Execute SQL in this account's schema; Arrow tables given by keyword are readable under that name.

        Rows of such a table are not fetched from the answer: ask ``value`` or ``table`` for them.
        """
        with self._executed(sql, parameters, frames) as executed:
            return executed

    def value(self, sql: str, parameters: list[Any] | None = None, **frames: pa.Table) -> Any:
        """First column of the first row, or None."""
        with self._executed(sql, parameters, frames) as executed:
            row = executed.fetchone()
        return None if row is None else row[0]

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows, for small answers."""
        return self.run(sql, parameters).fetchall()

    def table(self, sql: str, parameters: list[Any] | None = None, **frames: pa.Table) -> pa.Table:
        """All rows as an Arrow table."""
        with self._executed(sql, parameters, frames) as executed:
            rows: pa.Table = executed.to_arrow_table()
        return rows

    def stamp(self, name: str) -> str | None:
        """A remembered text: what a derived table was made from."""
        text: str | None = self.value(f"SELECT value FROM stamps WHERE name = {literal(name)}")
        return text

    def set_stamp(self, name: str, value: str) -> None:
        """Remember what a derived table was made from; a mirror that is only read remembers nothing."""
        if self.read_only:
            return
        self.run("DELETE FROM stamps WHERE name = ?", [name])
        self.run("INSERT INTO stamps VALUES (?, ?)", [name, value])

    def position(self, stream: str) -> str | None:
        """How far a stream was read."""
        position: str | None = self.value(f"SELECT position FROM positions WHERE stream = {literal(stream)}")
        return position

    def set_position(self, stream: str, position: str) -> None:
        """Call it in the transaction that stores what was read."""
        self.forget_position(stream)
        self.run("INSERT INTO positions VALUES (?, ?)", [stream, position])

    def forget_position(self, stream: str) -> None:
        """Let a stream be read from its beginning."""
        self.run("DELETE FROM positions WHERE stream = ?", [stream])

    def revision(self) -> int:
        """Grows whenever records or activity change: equal revisions hold equal frames."""
        return int(self.stamp("revision") or 0)

    def touched(self) -> None:
        """Say that records or activity changed."""
        self.set_stamp("revision", str(self.revision() + 1))

    def register(self, frame: pa.Table) -> None:
        """Give every (record_type, id) of a frame its number; the order of ids decides, so that two mirrors
        number alike. One that is only read numbers nobody new.
        """
        if self.read_only:
            return
        self.run(
            """INSERT INTO ids
               SELECT (SELECT coalesce(max(record), 0) FROM ids) + row_number() OVER (ORDER BY length(id), id, record_type), record_type, id
               FROM (SELECT DISTINCT record_type, id FROM frame) AS seen ANTI JOIN ids USING (record_type, id)""",
            frame=frame,
        )

    def record(self, id: str, record_type: str | None = None) -> tuple[int, str] | None:
        """Number and type of a record by its id in the CRM."""
        of_type = f" AND record_type = {literal(record_type)}" if record_type else ""
        rows = self.rows(
            f"SELECT record, record_type FROM ids WHERE id = {literal(id)}{of_type} ORDER BY record_type"
        )
        return (int(rows[0][0]), str(rows[0][1])) if rows else None

    def attributes(self) -> Mapping[str, str]:
        """Attribute columns of ``records`` and their SQL types."""
        rows = self.rows(
            f"SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = {literal(self.name)} AND table_name = 'records' AND "
            "starts_with(column_name, 'attribute.')"
        )
        return dict(rows)
