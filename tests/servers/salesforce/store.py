"""Where do records live? One in-memory SQLite database, a table an object."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tests.servers.salesforce.schema import Entity, Field, Schema

_INDEXED = (
    "SystemModstamp", "AccountId", "ContactId", "LeadId", "CampaignId", "OpportunityId", "OrderId", "WhoId", "PersonContactId",
    "MasterRecordId", "Email", "DeveloperName",
)  # fmt: skip
Row = dict[str, Any]


class Store:
    """Tables of records. Whoever uses them holds ``lock``."""

    def __init__(self, schema: Schema) -> None:
        self.lock = threading.RLock()
        self.connection = sqlite3.connect(
            ":memory:", check_same_thread=False, isolation_level=None, cached_statements=512
        )
        self.connection.execute("PRAGMA journal_mode = MEMORY")
        self.connection.execute("PRAGMA synchronous = OFF")
        self.connection.execute("PRAGMA temp_store = MEMORY")
        self.connection.create_function("bucket", 1, bucket, deterministic=True)
        for entity in schema.entities.values():
            self.create(entity)

    @contextmanager
    def transaction(self) -> Iterator[Callable[[], None]]:
        """All or nothing; within another one, part of it.

        What it gives undoes everything since the beginning, when it ends.
        """
        wanted: list[bool] = []
        if self.connection.in_transaction:
            yield lambda: wanted.append(True)
            return
        self.connection.execute("BEGIN")
        try:
            yield lambda: wanted.append(True)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("ROLLBACK" if wanted else "COMMIT")

    def create(self, entity: Entity) -> None:
        columns = ", ".join(field.sql for field in entity if _stored(field))
        columns = columns.replace('"Id" TEXT', '"Id" TEXT PRIMARY KEY', 1)
        self.connection.execute(f'CREATE TABLE "{entity.name}" ({columns})')
        for field in entity:
            if field.name in _INDEXED and _stored(field):
                self.index(entity, field)

    def index(self, entity: Entity, field: Field) -> None:
        name = f"{entity.name}_{field.name}"
        self.connection.execute(f'CREATE INDEX IF NOT EXISTS "{name}" ON "{entity.name}" ("{field.name}")')

    def add_column(self, entity: Entity, field: Field) -> None:
        if _stored(field):
            default = " DEFAULT 0" if field.type == "boolean" else ""
            self.connection.execute(f'ALTER TABLE "{entity.name}" ADD COLUMN {field.sql}{default}')
            if field.external_id:
                self.index(entity, field)

    def drop_column(self, entity: Entity, field: Field) -> None:
        if _stored(field):
            self.connection.execute(f'ALTER TABLE "{entity.name}" DROP COLUMN "{field.name}"')

    def insert(self, entity: Entity, rows: Iterable[Sequence[Any]], names: Sequence[str]) -> None:
        """Rows as they are, of the named columns."""
        columns = ", ".join(f'"{name}"' for name in names)
        with self.transaction():
            self.connection.executemany(
                f'INSERT INTO "{entity.name}" ({columns}) VALUES ({", ".join("?" * len(names))})', rows
            )

    def put(self, entity: Entity, row: Mapping[str, Any]) -> None:
        """One new row as it is; what it does not name is empty."""
        full = dict.fromkeys(
            (field.name for field in entity if field.type == "boolean" and _stored(field)), 0
        ) | dict(row)
        self.insert(entity, [tuple(full.values())], tuple(full))

    def change(self, entity: Entity, id: str, values: Mapping[str, Any]) -> None:
        """Columns of one row as they are."""
        if not values:
            return
        text = ", ".join(f'"{name}" = ?' for name in values)
        self.connection.execute(f'UPDATE "{entity.name}" SET {text} WHERE "Id" = ?', (*values.values(), id))

    def remove(self, entity: Entity, id: str) -> None:
        self.connection.execute(f'DELETE FROM "{entity.name}" WHERE "Id" = ?', (id,))

    def get(self, entity: Entity, id: str) -> Row | None:
        return next(iter(self.select(entity, "Id = ?", id)), None)

    def many(self, entity: Entity, ids: Sequence[str]) -> dict[str, Row]:
        """Rows of these ids, by id."""
        rows_by_id: dict[str, Row] = {}
        for start in range(0, len(ids), 500):
            part = ids[start : start + 500]
            rows_by_id |= {
                row["Id"]: row for row in self.select(entity, f"Id IN ({', '.join('?' * len(part))})", *part)
            }
        return rows_by_id

    def select(self, entity: Entity, where: str = "1", *parameters: Any) -> list[Row]:
        cursor = self.connection.execute(f'SELECT * FROM "{entity.name}" WHERE {where}', parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, parameters).fetchall()


def bucket(id: str) -> float:
    """A number in [0, 1) that belongs to a record for ever: who sees 60 % sees those below 0.6."""
    number = 0
    for letter in id[8:15]:
        number = (number * 131 + ord(letter)) & 0xFFFFFFFF
    number = ((number ^ number >> 16) * 0x45D9F3B) & 0xFFFFFFFF
    number = ((number ^ number >> 16) * 0x45D9F3B) & 0xFFFFFFFF
    return ((number ^ number >> 16) & 0xFFFFFFFF) / 2**32


def _stored(field: Field) -> bool:
    return field.formula is None
