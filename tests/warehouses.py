"""A database into which loaders land, and what ``init`` makes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors import open_source
from connectors.contract import Source
from sync import commands
from sync.commands import Options
from sync.config.config import load
from tests import landed_shopify
from tests.database_shops import DatabaseShop, shop_of

OPTIONS = Options(clock=lambda: datetime(2026, 11, 28, 12, tzinfo=UTC))
TYPES = {
    "postgres": {"TEXT_": "text", "FLOAT_": "double precision", "BOOL_": "boolean", "INSTANT": "timestamptz"},
    "mariadb": {
        "TEXT_": "varchar(200)",
        "FLOAT_": "double",
        "BOOL_": "tinyint(1)",
        "INSTANT": "timestamp NULL",
    },
    "duckdb": {"TEXT_": "varchar", "FLOAT_": "double", "BOOL_": "boolean", "INSTANT": "timestamptz"},
    "sqlite": {"TEXT_": "text", "FLOAT_": "real", "BOOL_": "boolean", "INSTANT": "timestamp"},
}
NAIVE = {"mariadb": "datetime NULL", "duckdb": "timestamp", "postgres": "timestamp"}


class Warehouse:
    """A database into which loaders land, beside the plain tables of ``DatabaseShop``."""

    def __init__(self, kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kind, self.folder = kind, folder
        self.shop: DatabaseShop = shop_of(kind, folder)
        self.quote = "`" if kind == "mariadb" else '"'
        log_in = {key: str(value) for key, value in self.shop.where.items()}
        for key in {"url", "password"} & log_in.keys():
            monkeypatch.setenv("WAREHOUSE_SECRET", log_in[key])
            log_in[key] = "env:WAREHOUSE_SECRET"
        self.log_in = log_in

    def land(self, schema: str = "", prefix: str = "", **types: str) -> None:
        """All tables of the shop, as Fivetran lands them."""
        named = {**TYPES[self.kind], **types}
        if self._place(schema):
            self.shop.run(f"CREATE SCHEMA {self._place(schema)[:-1]}")
        self.shop.run(
            *landed_shopify.statements(
                named, self.quote, self._place(schema), prefix, self.kind in ("mariadb", "sqlite")
            )
        )
        self.let_read(schema)

    def let_read(self, schema: str = "") -> None:
        if self.kind == "postgres":
            schema = schema or "public"
            self.shop.run(
                f'GRANT USAGE ON SCHEMA "{schema}" TO reader',
                f'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO reader',
            )

    def insert(self, table: str, cells: dict[str, Any], schema: str = "") -> None:
        naive = self.kind in ("mariadb", "sqlite")
        self.shop.run(
            landed_shopify.inserted(
                f"{self._place(schema)}{self.quote}{table}{self.quote}", cells, self.quote, naive
            )
        )

    def _place(self, schema: str) -> str:
        """What stands before the name of a table; DuckDB's file is ``shop.db``, and so its catalog ``shop``."""
        catalog = {"postgres": "", "duckdb": '"shop".'}.get(self.kind)
        return "" if catalog is None or not schema else f'{catalog}"{schema}".'

    def init(self, **described: Any) -> dict[str, Any]:
        self.shop.close()
        stated = {"time_zone": "UTC", "log_in": self.log_in, **described}
        path = stated.pop("path", None)
        return commands.init(
            self.config, path=path, segmentations="rfm", force=True, described=stated, clock=OPTIONS.clock
        )

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def source(self) -> Source:
        return open_source(load(self.config).account("warehouse"))
