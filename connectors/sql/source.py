"""A database as an account that is read: contacts, leads, companies and activity, each from a table or a query."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.contract import Account, Calls, Capabilities, Page, Problem, Source
from connectors.errors import ConnectorError, TemporaryError, UnsupportedError
from connectors.sql.address import address_of, is_loopback
from connectors.sql.engines.base import Engine, engine_of
from connectors.sql.failures import tried_again
from connectors.sql.layout import Layout, StreamSource, attribute_is_there, layout_of
from connectors.sql.reading import Reading
from connectors.sql.settings import Settings
from connectors.sql.writers.base import ENGINES
from connectors.tables.settings import TABLES


class SqlSource(Source):
    """One database. What a command reads is one snapshot: contacts and orders belong together."""

    def __init__(self, account: Account) -> None:
        settings: Settings = account.settings
        self._account, self._settings = account, settings
        self._streams = {
            stream: StreamSource(account, stream, getattr(settings, table))
            for stream, table in TABLES.items()
            if getattr(settings, table).stands
        }
        id_type = settings.activities.id_type or settings.id_type or "text"
        self.capabilities = Capabilities(streams=tuple(self._streams), shared_ids=False, id_type=id_type)
        self.calls = Calls()
        self._engine: Engine | None = None  # with an open snapshot
        self._in_snapshot: set[str] = set()  # streams that were read in it

    def check(self) -> list[Problem]:
        problems = self._unwritable()
        layouts: dict[str, Layout] = {}
        for name, stream in self._streams.items():
            try:
                engine = tried_again(self._opened)
            except ConnectorError as error:
                return [*problems, problem_of(error)]
            try:
                self._count_call()
                layouts[name], faults = layout_of(engine, stream)
                problems += map(problem_of, faults)
            except ConnectorError as error:
                problems.append(problem_of(error))
                self._end()  # a failed statement ends its transaction
        self._end()
        return problems + self._unknown_attributes([layouts[name] for name in layouts if name != "activity"])

    def diagnostics(self) -> list[str]:
        try:
            address = address_of(self._account)
        except ConnectorError:
            return []
        engine = engine_of(address, self._settings.statement_timeout_minutes)
        notes = [f"{engine.title}, {address.shown}: {self._use(address.engine)}"]
        if engine.untested:
            notes.append(
                f"{engine.title} is untested: compare the first rows and sums with the database's own"
            )
        if not engine.one_snapshot:
            notes.append(f"{engine.title}: each stream is read at a moment of its own")
        if address.host and address.tls != "verify-full" and not is_loopback(address.host):
            notes.append(
                f'sslmode = "{address.tls}": whether {address.host} is the right server is not verified'
            )
        for name, stream in self._streams.items():
            if stream.rows.changed_at is None:
                notes.append(
                    f"{TABLES[name]} are read in full each time and compared by content: set changed_at to read only what changed"
                )
        return notes

    def read(self, stream: str, position: str | None) -> Iterator[Page]:
        if stream not in self._streams:
            raise UnsupportedError(
                f"the database of account {self._account.name} has no stream {stream!r}; it has {', '.join(self._streams)}"
            )
        engine, finished = self._snapshot(stream), False
        try:
            yield from Reading(engine, self._streams[stream], self._count_call).pages(position)
            finished = True
        finally:
            if not finished:
                self._end()

    def end_reading(self) -> None:
        self._end()

    def close(self) -> None:
        self._end()

    def _use(self, engine: str) -> str:
        """What the account does with the database."""
        if engine not in ENGINES:
            return "it is read; segments are not written to this kind of database yet"
        schema = self._settings.segments_schema
        if schema is None:
            return "it is only read; with segments_schema, segments are written to separate tables in it"
        return f"it is read, and segments are written to separate tables in the schema {schema}"

    def _unwritable(self) -> list[Problem]:
        """The config wants segments to be written where we cannot write yet."""
        schema = self._settings.segments_schema
        try:
            engine = address_of(self._account).engine
        except ConnectorError:
            return []  # told as soon as the database is opened
        if schema is None or engine in ENGINES:
            return []
        what = f"segments_schema: segments are not written to {engine} yet; it is only read"
        return [Problem(what, f"leave segments_schema out of [accounts.{self._account.name}]")]

    def _unknown_attributes(self, layouts: list[Layout]) -> list[Problem]:
        """Attributes of the config that no table of records has."""
        problems = []
        for name, attribute in self._account.attributes.items() if layouts else ():
            if not attribute_is_there(attribute, layouts):
                shown = ", ".join(repr(header) for header in layouts[0].place.headers[:30])
                what = f"attribute {name}: no table of records has a column {attribute.field!r}; there are {shown}"
                problems.append(Problem(what, f"correct [accounts.{self._account.name}.attributes] {name}"))
        return problems

    def _snapshot(self, stream: str) -> Engine:
        """The connection in which the streams of one pull are read; a stream that is read again gets a new one."""
        if stream in self._in_snapshot:
            self._end()
        engine = tried_again(self._opened)
        self._in_snapshot.add(stream)
        return engine

    def _opened(self) -> Engine:
        if self._engine is None:
            engine = engine_of(address_of(self._account), self._settings.statement_timeout_minutes)
            self._count_call()
            engine.begin()
            self._engine = engine
        return self._engine

    def _end(self) -> None:
        engine, self._engine = self._engine, None
        self._in_snapshot = set()
        if engine is not None:
            engine.end()

    def _count_call(self) -> None:
        self.calls.read += 1


def problem_of(error: ConnectorError) -> Problem:
    """A failure as what a person must fix. What passes by itself is none, and is raised."""
    if isinstance(error, TemporaryError):
        raise error
    what, separator, remedy = str(error).rpartition(": ")
    return Problem(what, remedy) if separator else Problem(remedy, "see the config of this account")
