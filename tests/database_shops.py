"""A shop whose customers and orders stand in a database of each kind, as its people see it."""

from __future__ import annotations

import sqlite3
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb

from connectors import open_source, settings_model
from connectors.contract import Account, Attribute, Page, Source
from tests.contract_suite import Shop
from tests.servers.databases import PASSWORD, MariaServer, PostgresServer, running

CUSTOMERS = """CREATE TABLE customers (id varchar(40) PRIMARY KEY, email varchar(200), city varchar(200), merged_into varchar(40),
    updated_at {instant}, deleted_at {instant})"""
ORDERS = """CREATE TABLE orders (id varchar(40) PRIMARY KEY, customer varchar(40), bought_at {instant}, total numeric(18,4),
    updated_at {instant})"""


class DatabaseShop(Shop):
    """Tables ``customers`` and ``orders``. ``by_change``: read by their column of changes, and deletions are marked."""

    instant = "timestamp(6)"

    def __init__(self, by_change: bool = False) -> None:
        self.by_change = by_change
        self.settings: dict[str, Any] = {}  # what a test says beside the usual
        self.contacts: dict[str, Any] = {"table": "customers", "columns": {"merged_into": "merged_into"}}
        self.activities: dict[str, Any] = {
            "table": "orders",
            "columns": {
                "contact_id": "customer",
                "occurred_at": "bought_at",
                "amount": "total",
                "order_id": "id",
            },
        }
        if by_change:
            self.contacts |= {"changed_at": "updated_at", "deleted": "deleted_at"}
            self.activities |= {
                "changed_at": "updated_at",
                "columns": {**self.activities["columns"], "id": "id"},
            }
        self.sources: list[Source] = []
        self.make()

    def make(self) -> None:
        self.run(*(text.format(instant=self.instant) for text in (CUSTOMERS, ORDERS)))

    @property
    @abstractmethod
    def where(self) -> dict[str, Any]:
        """The settings that name the database."""

    @abstractmethod
    def run(self, *statements: str) -> None:
        """Statements of the shop's own software, each committed."""

    def account(self, **changes: Any) -> Account:
        settings = {**self.where, "contacts": self.contacts, "activities": self.activities} | self.settings
        settings = {name: value for name, value in settings.items() if value is not None}
        return Account(
            "shop",
            "sql",
            settings_model("sql").model_validate(settings),
            attributes={"city": Attribute("city")},
            **changes,
        )

    def connect(self, **changes: Any) -> Source:
        self.close()
        self.sources.append(open_source(self.account(**changes)))
        return self.sources[-1]

    def close(self) -> None:
        for source in self.sources:
            source.close()
        self.sources.clear()

    def put(
        self, id: str, *, email: str | None = None, city: str | None = None, merged_into: str | None = None
    ) -> None:
        self.run(f"DELETE FROM customers WHERE id = {text(id)}")
        cells = ", ".join(map(text, (id, email, city, merged_into)))
        self.run(f"INSERT INTO customers VALUES ({cells}, {self.now()}, NULL)")

    def delete(self, id: str) -> None:
        if self.by_change:
            self.run(
                f"UPDATE customers SET deleted_at = {self.now()}, updated_at = {self.now()} WHERE id = {text(id)}"
            )
        else:
            self.run(f"DELETE FROM customers WHERE id = {text(id)}")

    def buy(self, id: str, moment: datetime, amount: str, order: str) -> None:
        self.run(
            f"INSERT INTO orders VALUES ({text(order)}, {text(id)}, {self.at(moment)}, {amount}, {self.now()})"
        )

    def now(self) -> str:
        return self.at(datetime.now(UTC))

    def at(self, moment: datetime) -> str:
        return f"'{moment.astimezone(UTC).replace(tzinfo=None).isoformat(' ')}'"


def text(value: str | None) -> str:
    """A text as SQL; no test has a backslash in it."""
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


class PostgresShop(DatabaseShop):
    instant = "timestamptz"

    def make(self) -> None:
        self.server: PostgresServer = running(PostgresServer)
        self.database = self.server.another()
        self.server.run(
            f"CREATE DATABASE {self.database} TEMPLATE template0",
            f"DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD {text(PASSWORD)}; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        )
        super().make()
        self.run("GRANT SELECT ON customers, orders TO reader")

    @property
    def where(self) -> dict[str, Any]:
        return {
            "url": f"postgresql://reader:{quote(PASSWORD, safe='')}@127.0.0.1:{self.server.port}/{self.database}"
        }

    def run(self, *statements: str) -> None:
        self.server.run(*statements, database=self.database)

    def at(self, moment: datetime) -> str:
        return f"'{moment.isoformat()}'"


class MariaShop(DatabaseShop):
    instant = "datetime(6)"

    def make(self) -> None:
        self.server: MariaServer = running(MariaServer)
        self.database = self.server.another()
        user = f"'reader'@'%' IDENTIFIED BY {text(PASSWORD)}"
        self.server.run(
            f"CREATE DATABASE {self.database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            f"CREATE USER IF NOT EXISTS {user}",
        )
        super().make()
        self.server.run(f"GRANT SELECT ON {self.database}.* TO 'reader'@'%'")

    @property
    def where(self) -> dict[str, Any]:
        log_in = {"host": "127.0.0.1", "port": self.server.port, "user": "reader", "password": PASSWORD}
        return {"engine": "mysql", **log_in, "database": self.database}

    def run(self, *statements: str) -> None:
        self.server.run(*statements, database=self.database)


class FileShop(DatabaseShop):
    """A database that is a file."""

    engine: str

    def __init__(self, folder: Path, by_change: bool = False) -> None:
        self.path = folder / "shop.db"
        super().__init__(by_change)

    @property
    def where(self) -> dict[str, Any]:
        return {"engine": self.engine, "path": str(self.path)}


class SqliteShop(FileShop):
    engine, instant = "sqlite", "text"

    def __init__(self, folder: Path, by_change: bool = False) -> None:
        super().__init__(folder, by_change)
        if by_change:  # a text column: only a condition tells
            self.contacts["deleted"] = "deleted_at IS NOT NULL"

    def run(self, *statements: str) -> None:
        self.close()  # whoever reads keeps out who writes
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)


class DuckDbShop(FileShop):
    engine, instant = "duckdb", "timestamp"

    def run(self, *statements: str) -> None:
        self.close()  # a file is either read or written
        with duckdb.connect(str(self.path)) as connection:
            for statement in statements:
                connection.execute(statement)


def shop_of(kind: str, folder: Path, by_change: bool = False) -> Any:
    """A new shop on a database of a kind."""
    servers = {"postgres": PostgresShop, "mariadb": MariaShop}
    if kind in servers:
        return servers[kind](by_change)
    return {"sqlite": SqliteShop, "duckdb": DuckDbShop}[kind](folder, by_change)


KINDS = ("postgres", "mariadb", "sqlite", "duckdb")


def rows_of(pages: Sequence[Page]) -> list[Mapping[str, Any]]:
    """All rows of pages."""
    return [row for page in pages for row in page.records.to_pylist()]
