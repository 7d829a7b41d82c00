"""What may the account of a database say in the config?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from connectors.tables.settings import TABLES, ActivityColumns, CellFormats, Header, RecordColumns

EngineName = Literal["postgres", "mysql", "sqlite", "duckdb", "snowflake", "bigquery"]
TlsMode = Literal["disable", "require", "verify-ca", "verify-full"]
_LOG_IN = ("engine", "path", "host", "port", "user", "password", "database")
_FILES = ("sqlite", "duckdb")


class Rows(CellFormats):
    """Where the rows of one stream stand, and what tells that one changed or is gone."""

    table: str | None = Field(None, min_length=1)  # schema.name, as the catalogue spells it
    query: str | None = Field(None, min_length=1)  # or a SELECT
    # column with the time of a row's last change: only newer rows are read. None: whole readings are compared
    changed_at: Header | None = None
    deleted: str | None = Field(None, min_length=1)  # column or condition that says that a row is gone

    @model_validator(mode="after")
    def _one_place(self) -> Rows:
        if self.table is not None and self.query is not None:
            raise ValueError("table and query cannot both be set: keep one of them")
        if self.table is None and self.query is None and self.model_fields_set:
            raise ValueError(
                'does not say where its rows are: set table = "schema.name" or query = "SELECT ..."'
            )
        return self

    @property
    def stands(self) -> bool:
        """Whether the config says where the rows stand."""
        return self.table is not None or self.query is not None


class RecordRows(RecordColumns, Rows):
    """Rows of contacts, leads or companies."""


class ActivityRows(ActivityColumns, Rows):
    """Rows of activity."""

    @model_validator(mode="after")
    def _rows_have_no_order(self) -> ActivityRows:
        if "newest_wins" in self.model_fields_set:
            raise ValueError(
                "newest_wins is for files that overlap; a table has an order only once: leave it out"
            )
        if self.line_items == "blank":
            raise ValueError(
                'line_items = "blank" needs rows in their order, which tables do not keep; use "own" or "repeat"'
            )
        if self.line_items == "repeat" and self.changed_at is not None:
            raise ValueError(
                'line_items = "repeat" needs all rows of an order at once: leave changed_at out, or use "own"'
            )
        return self


class LogIn(CellFormats):
    """Where a database is, and who logs in."""

    url: SecretStr | None = None  # postgresql://user:password@host/database, mysql://...
    engine: EngineName | None = None  # ... or these, one by one
    path: str | None = None  # sqlite, duckdb: the file
    host: str | None = None
    port: int | None = Field(None, ge=1, le=65535)
    user: str | None = None
    password: SecretStr | None = None
    database: str | None = None
    sslmode: TlsMode | None = None  # None: verify-full, and no TLS on loopback
    sslrootcert: str | None = (
        None  # file of the authority that signed the server's certificate; None: the system's
    )
    statement_timeout_minutes: int = Field(60, ge=1)
    # a row is committed after its time of change was set: so far back is read again
    look_back_minutes: int = Field(15, ge=0)
    full_sync_days: int = Field(7, ge=1)  # with changed_at: so often all rows are read, to find deleted ones

    @model_validator(mode="after")
    def _one_log_in(self) -> LogIn:
        given = [name for name in _LOG_IN if getattr(self, name) is not None]
        if self.url is not None and given:
            raise ValueError(f"url and {given[0]} are two ways to name a database: keep url, or leave it out")
        if self.url is None and self.engine is None:
            raise ValueError(
                'which database? Set url = "env:DATABASE_URL", or engine with host, user, password, database'
            )
        if self.url is None:
            needed = (
                "path" if self.engine in _FILES else "host" if self.engine in ("postgres", "mysql") else "url"
            )
            if getattr(self, needed) is None:
                raise ValueError(f"engine {self.engine} needs {needed} too")
        return self


class Settings(LogIn):
    """What ``[accounts.NAME]`` takes where ``crm = "sql"``."""

    # the schema that segments are written to, in tables of ours; None: the database is only read
    segments_schema: str | None = Field(
        None, min_length=1, max_length=48, pattern=r"^[^\x00-\x1f]*[^\x00-\x20]$"
    )
    contacts: RecordRows = RecordRows()
    leads: RecordRows = RecordRows()
    companies: RecordRows = RecordRows()
    activities: ActivityRows = ActivityRows()

    @model_validator(mode="after")
    def _something_is_read(self) -> Settings:
        if not any(getattr(self, name).stands for name in TABLES.values()):
            raise ValueError(
                "nothing is read: set table or query of contacts, leads, companies or activities"
            )
        return self
