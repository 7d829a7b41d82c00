"""How is BigQuery read? By its ADBC driver. Nobody has run this against BigQuery yet."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.sql.engines.adbc import AdbcEngine

_PREFIX = "adbc.bigquery.sql."


class BigQueryEngine(AdbcEngine):
    """bigquery://PROJECT/DATASET; further options of the driver behind ``?``, such as auth_credentials."""

    title, dialect, extra = "BigQuery", "bigquery", "bigquery"
    module = "adbc_driver_bigquery.dbapi"
    untested = True
    one_snapshot = False

    def connected(self, dbapi: Any) -> Any:
        parts = urlsplit(self.address.url)
        options = {f"{_PREFIX}{key}": value for key, value in parse_qsl(parts.query)}
        where = {f"{_PREFIX}project_id": parts.netloc, f"{_PREFIX}dataset_id": parts.path.strip("/")}
        return dbapi.connect(
            db_kwargs={key: value for key, value in (where | options).items() if value}, autocommit=True
        )

    def meaning(self, sqlstate: str, said: str) -> str:
        if "accessDenied" in said or "Access Denied" in said:
            return "grant"
        return "missing" if "notFound" in said or "Not found" in said else super().meaning(sqlstate, said)


ENGINE = BigQueryEngine
