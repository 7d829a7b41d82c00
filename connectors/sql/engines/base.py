"""What must the driver of a database do for us? One module beside this one for each.

Which one an address means, ``connectors.sql.address`` says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pyarrow as pa
from sqlglot import exp

from connectors.errors import ConnectorError, RequestError
from connectors.sql.address import DatabaseAddress
from connectors.sql.failures import failure

# metadata of a text column that holds plain decimals, as machines write them, with a point
NUMERIC = {b"crm_segments": b"number"}
ROWS = 10_000  # of a batch, where the driver hands out rows
LOCK_SECONDS = 60  # how long somebody who has locked a table or a row is waited for

_answered: set[str] = set()  # host and port of every server that a connection was made to in this process


class Engine(ABC):
    """One connection, in one read-only snapshot: all that is asked between ``begin`` and ``end`` belongs together.

    Columns arrive in plain Arrow types; exact numbers as text with NUMERIC, or as decimals.
    """

    title: str  # the product, as people call it
    dialect: str  # as sqlglot calls it
    extra: str = ""  # of ours that installs the driver
    untested = False  # nobody has run it against the real thing
    one_snapshot = True  # several statements see the database at one moment

    def __init__(self, address: DatabaseAddress, timeout_minutes: int) -> None:
        self.address = address
        self.timeout_minutes = timeout_minutes

    # asks for a row for each column that the user may read: schema, table, column, type
    catalogue = """SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
        WHERE LOWER(table_schema) NOT IN ('information_schema', 'pg_catalog', 'mysql', 'performance_schema', 'sys')
        ORDER BY table_schema, table_name, ordinal_position"""

    @abstractmethod
    def begin(self) -> None:
        """Connect, and open a snapshot."""

    @abstractmethod
    def schema(self, statement: str) -> pa.Schema:
        """The columns of a statement that gives no row."""

    @abstractmethod
    def batches(self, statement: str) -> Iterator[pa.Table]:
        """The rows of a statement, as they come."""

    @abstractmethod
    def end(self) -> None:
        """Close the connection. Safe to repeat."""

    @abstractmethod
    def explained(self, error: Exception, source: str, grant: str) -> ConnectorError | None:
        """What an error of the driver means; None: it is none of the driver's."""

    def plain(self, column: exp.Expression, field: pa.Field) -> exp.Expression:
        """How a column is asked for so that it arrives in a plain type."""
        return column

    def exact(self, field: pa.Field) -> bool:
        """Whether ``plain`` asks for a column of exact numbers as text."""
        return False

    def driver(self, module: str) -> Any:
        """The driver's module. RequestError says how to install it."""
        try:
            return import_module(module)
        except ImportError:
            remedy = f"run `pip install 'crm-segments[{self.extra}]'`"
            raise RequestError(f"{self.title} needs a driver that is not installed: {remedy}") from None

    @property
    def seconds_to_connect(self) -> int:
        """How long a connection may take: a server that has not answered yet may have a wrong address."""
        return 20 if self._server in _answered else 4

    def answered(self) -> None:
        """A connection came about."""
        _answered.add(self._server)

    @property
    def _server(self) -> str:
        return f"{self.address.host}:{self.address.port}"

    @contextmanager
    def asking(self, source: str = "", grant: str = "") -> Iterator[None]:
        """Errors within are those of ``connectors.errors``; the connection is closed by them."""
        try:
            yield
        except Exception as error:
            if isinstance(error, ConnectorError):
                raise
            explained = self.explained(error, source, grant)
            if explained is None:
                raise
            self.end()
            raise explained from None

    def failed(self, meaning: Any, said: object, source: str = "", grant: str = "") -> ConnectorError:
        """As ``failures.failure``, of this database."""
        if meaning == "lost" and self.address.host and self._server not in _answered:
            meaning = "unreached"
        return failure(meaning, self.address, str(said), source, grant)


def engine_of(address: DatabaseAddress, timeout_minutes: int) -> Engine:
    """The engine of an address. Connects nowhere, and needs no driver yet."""
    made: Engine = import_module(f"connectors.sql.engines.{address.engine}").ENGINE(address, timeout_minutes)
    return made
