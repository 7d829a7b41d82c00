"""How is PostgreSQL read? By COPY through ADBC, in one repeatable-read transaction."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
from sqlglot import exp

from connectors.sql.engines import base
from connectors.sql.engines.adbc import AdbcEngine
from connectors.sql.statements import as_type
from connectors.values.text import readable

_BATCH = 4 << 20  # bytes
_STATES = {
    "28P01": "log-in",
    "28000": "log-in",
    "42501": "grant",
    "3D000": "database",
    "42P01": "missing",
    "42703": "missing",
    "3F000": "missing",
    "25006": "would write",
    "57014": "slow",
    **dict.fromkeys(("57P01", "57P02", "57P03", "57P05", "25P03"), "lost"),
    "57P04": "database",  # dropped
}
# what libpq says where there is no code (of a log-in, or of rows that are copied to the server), in its order
_SAID = (
    (r"too many (clients|connections)|remaining connection slots", "crowded"),
    (r"password|authentication|role .* does not exist|no pg_hba.conf entry", "log-in"),
    (r"database .* does not exist", "database"),
    (r"could not translate host name", "host"),
    (r"certificate|SSL|TLS", "tls"),
    (r"read-only transaction|during recovery", "would write"),
    (r"permission denied", "grant"),
    (r"No space left|disk is full", "full"),
    (r"ERROR:", "request"),
)


class PostgresEngine(AdbcEngine):
    title, dialect, extra = "PostgreSQL", "postgres", "postgres"
    module = "adbc_driver_postgresql.dbapi"
    # information_schema knows of no materialized views, and shows what may be written as well
    catalogue = """SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, NULL)
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
        AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND has_schema_privilege(n.oid, 'USAGE')
        AND has_column_privilege(c.oid, a.attnum, 'SELECT') ORDER BY n.nspname, c.relname, a.attnum"""

    def connected(self, dbapi: Any) -> Any:
        return dbapi.connect(self._connection_text())

    def prepare(self, cursor: Any) -> None:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute(f"SET LOCAL statement_timeout = {self.timeout_minutes * 60_000}")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 600000")  # holds no old rows for ever
        cursor.execute(f"SET LOCAL lock_timeout = {base.LOCK_SECONDS * 1000}")
        cursor.execute("SET LOCAL TimeZone = 'UTC'")
        cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH)})

    def plain(self, column: exp.Expression, field: pa.Field) -> exp.Expression:
        if (
            _type_of(field) == "money"
        ):  # an amount in the server's currency, which the driver takes for a number of cents
            return as_type(column, "DECIMAL")
        kind = field.type
        # of exact numbers too: the server writes them in half of the time that the driver takes to
        strange = isinstance(kind, pa.BaseExtensionType) or pa.types.is_interval(kind)
        # 24:00 is a time of PostgreSQL's, and not of Arrow's
        strange |= pa.types.is_time(kind) or (pa.types.is_nested(kind) and not readable(kind))
        return as_type(column, "TEXT") if strange else column

    def exact(self, field: pa.Field) -> bool:
        return _type_of(field) == "numeric"

    def meaning(self, sqlstate: str, said: str) -> str:
        if sqlstate in _STATES:
            return _STATES[sqlstate]
        if not sqlstate:
            if re.search(
                r"server closed the connection|terminating connection|Connection (refused|reset)", said
            ):
                return "lost"
            return next((meaning for pattern, meaning in _SAID if re.search(pattern, said)), "lost")
        return super().meaning(sqlstate, said)

    def _connection_text(self) -> str:
        address = self.address
        parts = {
            "host": address.host,
            "port": str(address.port or ""),
            "user": address.user,
            "password": address.password,
            "dbname": address.database,
            "connect_timeout": str(self.seconds_to_connect),
            "application_name": "crm-segments",
            "sslmode": address.tls,
            "sslrootcert": address.root_certificate or ("system" if address.tls == "verify-full" else ""),
            **address.options,
        }
        return " ".join(f"{name}={_quoted(value)}" for name, value in parts.items() if value)


def _type_of(field: pa.Field) -> str:
    """What PostgreSQL calls the type of a column, as far as Arrow has no word for it."""
    metadata: dict[bytes, bytes] = field.metadata or {}
    return metadata.get(b"POSTGRESQL:type", b"").decode()


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


ENGINE = PostgresEngine
