"""Does a database that nobody described become a config that works, and are recency, frequency and money right?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
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
from tests.database_shops import KINDS, DatabaseShop, rows_of, shop_of

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
        if schema and self.kind in ("postgres", "duckdb"):
            self.shop.run(f'CREATE SCHEMA "{schema}"')
        self.shop.run(
            *landed_shopify.statements(
                named, self.quote, self._of(schema), prefix, self.kind in ("mariadb", "sqlite")
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
        place = f"{self.quote}{self._of(schema)}{self.quote}." if self._of(schema) else ""
        naive = self.kind in ("mariadb", "sqlite")
        self.shop.run(
            landed_shopify.inserted(f"{place}{self.quote}{table}{self.quote}", cells, self.quote, naive)
        )

    def _of(self, schema: str) -> str:
        return schema if self.kind in ("postgres", "duckdb") else ""

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


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Warehouse]]:
    opened: list[Warehouse] = []

    def make(kind: str) -> Warehouse:
        opened.append(Warehouse(kind, tmp_path, monkeypatch))
        return opened[-1]

    yield make
    for each in opened:
        each.shop.close()


def by_customer(rows: list[Any]) -> dict[str, tuple[int, int, int]]:
    """Orders, money in cents and last day of each customer; of a guest by the address."""
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        if not row.get("deleted"):
            owner = row["record_id"] or {"bob@example.org": "2"}[row["record_email"].lower()]
            found[owner].append(row)
    return {
        owner: (
            len({row["order_id"] for row in bought}),
            sum(row["amount_minor"] for row in bought),
            max(row["occurred_at"] for row in bought).day,
        )
        for owner, bought in found.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_shopify_as_fivetran_lands_it_is_recognised_and_recency_frequency_and_money_are_right(
    kind: str, warehouse: Callable[[str], Warehouse]
) -> None:
    there = warehouse(kind)
    there.land("shopify_eu")
    answer = there.init()
    assert [read["sure"] for read in answer["read_as"]] == [
        "recognised as Shopify, customers, as Fivetran lands them",
        "recognised as Shopify, orders, as Fivetran lands them",
    ]
    assert (answer["preview"]["contacts"], answer["preview"]["orders"]) == (5, 8)
    assert answer["preview"]["revenue"] == sum(money for _, money, _ in landed_shopify.BY_HAND.values())
    checked = commands.check(there.config, OPTIONS)
    assert checked["exit_code"] == 0 and not checked["problems"]
    source = there.source()
    assert by_customer(rows_of([*source.read("activity", None)])) == landed_shopify.BY_HAND
    people = {row["id"]: row for row in rows_of([*source.read("contact", None)]) if not row["deleted"]}
    assert people.keys() == {"1", "2", "3", "4", "6"}
    assert [people[id]["reachable.email"] for id in "12"] == [True, False]
    source.close()
    labelled = commands.label(there.config, OPTIONS, out=there.folder / "labels.csv")
    assert labelled["exit_code"] == 0
