"""How is PostgreSQL written to? Changes come by COPY into a temporary table; one transaction merges them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from connectors.sql.engines import base
from connectors.sql.engines.postgres import PostgresEngine
from connectors.sql.own_tables import COLUMNS
from connectors.sql.statements import name_of
from connectors.sql.writers.base import Writer

_MAY = """SELECT CASE WHEN EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = :schema)
    THEN has_schema_privilege(current_user, (SELECT oid FROM pg_namespace WHERE nspname = :schema), 'CREATE')
    ELSE has_database_privilege(current_database(), 'CREATE') END"""


class PostgresWriter(Writer, PostgresEngine):
    def prepare(self, cursor: Any) -> None:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute(f"SET LOCAL statement_timeout = {self.timeout_minutes * 60_000}")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 600000")
        cursor.execute(f"SET LOCAL lock_timeout = {base.LOCK_SECONDS * 1000}")
        cursor.execute("SET LOCAL standard_conforming_strings = on")
        cursor.execute("SET LOCAL client_min_messages = error")

    def run(self, statement: str) -> None:
        self._cursor.execute(statement)

    def stage(self, name: str, rows: pa.Table) -> None:
        self._cursor.adbc_ingest(name, rows, mode="create", temporary=True)

    def commit(self) -> None:
        self._connection.commit()

    def lock(self, table: str) -> None:
        assert table in COLUMNS
        self.run(f"LOCK TABLE {self.tables.shown(table)} IN SHARE ROW EXCLUSIVE MODE")

    def may_create(self) -> bool:
        statement = self.tables.statement(_MAY, schema=self.tables.schema)
        return any(row for batch in self.batches(statement) for row in batch.column(0).to_pylist())

    def create_grant(self) -> str:
        schema, user, database = (
            name_of(text or "?").sql(self.dialect)
            for text in (self.tables.schema, self.address.user, self.address.database)
        )
        return f"GRANT CREATE, USAGE ON SCHEMA {schema} TO {user} (or GRANT CREATE ON DATABASE {database} TO {user})"

    def stage_grant(self) -> str:
        database, user = (
            name_of(text or "?").sql(self.dialect) for text in (self.address.database, self.address.user)
        )
        return f"GRANT TEMPORARY ON DATABASE {database} TO {user}"


WRITER = PostgresWriter
