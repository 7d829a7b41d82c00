"""How is Snowflake read? By its ADBC driver. Nobody has run this against Snowflake yet."""

from __future__ import annotations

from typing import Any

from connectors.sql.engines.adbc import AdbcEngine


class SnowflakeEngine(AdbcEngine):
    title, dialect, extra = "Snowflake", "snowflake", "snowflake"
    module = "adbc_driver_snowflake.dbapi"
    untested = True
    one_snapshot = False

    def connected(self, dbapi: Any) -> Any:
        return dbapi.connect(self.address.url.partition("://")[2], autocommit=True)

    def prepare(self, cursor: Any) -> None:
        cursor.execute(f"ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = {self.timeout_minutes * 60}")

    def meaning(self, sqlstate: str, said: str) -> str:
        if "Insufficient privileges" in said or sqlstate == "42501":
            return "grant"
        return "missing" if sqlstate in ("42S02", "02000") else super().meaning(sqlstate, said)


ENGINE = SnowflakeEngine
