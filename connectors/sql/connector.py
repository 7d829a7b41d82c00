"""A database as a whole CRM: read as any source, and written to in tables of ours, a batch in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa

from connectors.contract import (
    Account,
    Automations,
    Connector,
    FieldReference,
    FieldSpec,
    ListSpec,
    Page,
    Problem,
    References,
    RemoteList,
    Ticket,
    settled,
)
from connectors.errors import ConnectorError, RequestError, UnsupportedError
from connectors.schemas import MEMBER_SCHEMA, VALUE_SCHEMA
from connectors.sql import own_values, set_up
from connectors.sql.address import address_of
from connectors.sql.engines.base import Engine, engine_of
from connectors.sql.failures import Answer, tried_again
from connectors.sql.own_tables import FIELDS, LISTS, MEMBERS, OPTIONS, VALUES, OwnTables
from connectors.sql.source import SqlSource, problem_of
from connectors.sql.writers.base import Writer, writing
from connectors.sql.writing import FIELD_VALUES, LIST_MEMBERS, Target, current, write

_ROWS = 50_000  # in one batch: one transaction
_SETUP = "run `crm-segments setup`"


class SqlConnector(SqlSource, Connector):
    """One database. Only tables and views of ours, in the schema that the config names, are ever written to."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._schema: str = account.settings.segments_schema
        self.capabilities = replace(
            self.capabilities,
            streams=(*self.capabilities.streams, "value"),
            compares_before=True,
            batch_size=_ROWS,
            member_batch_size=_ROWS,
            records_per_call=_ROWS,
            members_per_call=_ROWS,
        )

    def check(self) -> list[Problem]:
        problems = super().check()
        return problems + [problem for problem in self.check_writing() if problem not in problems]

    def check_reading(self) -> list[Problem]:
        return super().check()

    def check_writing(self) -> list[Problem]:
        try:
            return self._transaction(set_up.missing_rights, counted=False)
        except ConnectorError as error:
            return [problem_of(error)]

    def read(self, stream: str, position: str | None) -> Iterator[Page]:
        if stream != "value":
            yield from super().read(stream, position)
            return
        names = list(dict.fromkeys(spec.name for spec in self._account.fields))
        engine = self._snapshot(stream)
        with self._asking(engine):
            if not names or VALUES not in self._tables(engine).there(engine):
                yield from own_values.nothing(VALUE_SCHEMA, "value", position)
                return
            yield from own_values.values(engine, self._tables(engine), names, position)

    def fields(self) -> dict[tuple[str, str], FieldSpec]:
        def look(engine: Engine, tables: OwnTables) -> own_values.Fields:
            there = {FIELDS, OPTIONS} <= tables.there(engine).keys()
            return own_values.fields(engine, tables) if there else {}

        return self._look(look)

    def ensure_field(self, spec: FieldSpec) -> FieldReference:
        there = self._transaction(lambda writer: set_up.make_field(writer, spec))
        return FieldReference(spec.name, there)

    def normal(self, spec: FieldSpec, value: str | None) -> str | None:
        text = (value or "").replace("\0", "").encode("utf-8", "replace").decode()
        return text or None

    def lists(self) -> list[RemoteList]:
        return self._look(
            lambda engine, tables: own_values.lists(engine, tables) if LISTS in tables.there(engine) else []
        )

    def ensure_list(self, spec: ListSpec) -> RemoteList:
        if spec.kind == "dynamic":
            raise UnsupportedError(f"{spec.key}: a database has no dynamic lists: ask for a static one")
        self._transaction(lambda writer: set_up.make_list(writer, spec))
        return RemoteList(spec.key, spec.key, spec.label or spec.key, "static", spec.record_type)

    def members(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        engine = self._snapshot(f"list {remote.id}")
        with self._asking(engine):
            tables = self._tables(engine)
            if MEMBERS not in tables.there(engine):
                yield from own_values.nothing(MEMBER_SCHEMA, remote.key, position)
                return
            yield from own_values.members(engine, tables, remote, position)

    def write_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        def work(writer: Writer) -> pa.Table:
            if VALUES not in writer.tables.there(writer):
                raise RequestError(f"{writer.tables.shown(VALUES)} is not there (any more): {_SETUP}")
            return write(writer, FIELD_VALUES, changes, own_values.fields(writer, writer.tables).keys())

        return self._transaction(work)

    def write_members(self, remote: RemoteList, changes: pa.Table, ticket: Ticket) -> pa.Table:
        def work(writer: Writer) -> pa.Table:
            there = writer.tables.there(writer)
            remotes = own_values.lists(writer, writer.tables) if LISTS in there else []
            if remote.id not in {each.id for each in remotes} or MEMBERS not in there:
                raise RequestError(f"list {remote.key} is not there (any more): {_SETUP}")
            here = {(record_type, remote.id) for record_type in changes["record_type"].to_pylist()}
            return write(writer, LIST_MEMBERS, _of_list(remote, changes), here)

        return self._transaction(work)

    def current_values(self, changes: pa.Table) -> pa.Array:
        return self._current(FIELD_VALUES, changes, locked=False)

    def current_members(self, remote: RemoteList, changes: pa.Table) -> pa.Array:
        return self._current(LIST_MEMBERS, _of_list(remote, changes), locked=False)

    # A process that was killed may have sent its last statement: the server is still at it, or has it undone.
    # Looking under the lock waits for that end.

    def settle_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return settled(changes, self._current(FIELD_VALUES, changes, locked=True))

    def settle_members(self, remote: RemoteList, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return settled(changes, self._current(LIST_MEMBERS, _of_list(remote, changes), locked=True))

    def export(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> dict[str, str]:
        address = address_of(self._account)
        engine = engine_of(address, self._settings.statement_timeout_minutes)
        return {"segments.sql": set_up.written_down(self._tables(engine), fields, address.user)}

    def automations(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> Automations:
        return (
            Automations()
        )  # the tables are ours: a trigger on them is no part of the database as we find it

    def references(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> References:
        return References()  # rows are emptied, and no table goes: a view of others on them goes on

    def _current(self, target: Target, changes: pa.Table, locked: bool) -> pa.Array:
        def work(writer: Writer) -> pa.Array:
            if target.table not in writer.tables.there(writer):
                return pa.nulls(changes.num_rows, pa.string())
            return current(writer, target, changes, locked)

        return self._transaction(work, counted=False)

    def _tables(self, engine: Engine) -> OwnTables:
        return OwnTables(engine.dialect, self._schema)

    @contextmanager
    def _asking(self, engine: Engine) -> Iterator[None]:
        """A question on our tables within the snapshot, which ends with its failure."""
        self._count_call()
        finished = False
        try:
            with engine.asking(f"schema {self._schema}", f"USAGE and SELECT on the schema {self._schema}"):
                yield
            finished = True
        finally:
            if not finished:
                self._end()

    def _look(self, question: Callable[[Engine, OwnTables], Answer]) -> Answer:
        """The answer to one question, in a snapshot of this moment."""

        def attempt() -> Answer:
            self._end()
            engine = self._opened()
            try:
                with self._asking(engine):
                    return question(engine, self._tables(engine))
            finally:
                self._end()

        return tried_again(attempt)

    def _transaction(self, work: Callable[[Writer], Answer], counted: bool = True) -> Answer:
        """The answer of work in one transaction. What was read ends before it: a file is either read or written.

        It is repeated as a whole: what a lost connection may have committed all the same stands there then, and
        counts as done. ``counted``: as a writing.
        """

        def attempt() -> Answer:
            self._end()
            self.calls.write += counted
            self.calls.read += not counted
            timeout = self._settings.statement_timeout_minutes
            with writing(address_of(self._account), self._schema, timeout) as writer:
                return work(writer)

        return tried_again(attempt)


def _of_list(remote: RemoteList, changes: pa.Table) -> pa.Table:
    """Changes of members, under the id by which the list is known."""
    ids = pa.repeat(pa.scalar(remote.id, pa.string()), changes.num_rows)
    return changes.set_column(changes.column_names.index("target"), changes.schema.field("target"), ids)
