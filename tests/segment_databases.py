"""A database of each kind that segments are written to, as its people see it: they edit our tables by SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connectors import open_connector
from connectors.contract import Connector
from connectors.sql.address import address_of
from connectors.sql.engines.base import engine_of
from connectors.sql.own_tables import OwnTables
from tests.contract_suite import REASON, SEGMENT, Crm
from tests.database_shops import DatabaseShop, MariaShop, PostgresShop, shop_of, text

SCHEMA = "crm_segments"


class SegmentDatabase(Crm):
    """A shop of ``database_shops`` whose account names a schema of ours, and whose role may make it."""

    def __init__(self, shop: DatabaseShop, schema: str = SCHEMA) -> None:
        self.shop, self.schema = shop, schema
        if isinstance(shop, PostgresShop):
            shop.run(f"GRANT CREATE ON DATABASE {shop.database} TO reader")
        if isinstance(shop, MariaShop):
            self.schema = f"{schema}_{shop.database}"  # a schema is a database of the whole server
            rights = "CREATE, CREATE VIEW, DROP, CREATE TEMPORARY TABLES, SELECT, INSERT, UPDATE, DELETE"
            shop.server.run(f"GRANT {rights} ON `{self.schema}`.* TO 'reader'@'%'")
        shop.settings = {"segments_schema": self.schema}
        self.fields: Any = (SEGMENT, REASON)

    def table(self, name: str) -> str:
        """A table of ours, as SQL."""
        return OwnTables(engine_of(address_of(self.shop.account()), 1).dialect, self.schema).shown(name)

    def connect(self) -> Connector:
        self.shop.close()
        opened = open_connector(self.shop.account(fields=self.fields))
        self.shop.sources.append(opened)
        return opened

    def close(self) -> None:
        self.shop.close()

    def run(self, *statements: str) -> None:
        self.shop.run(*statements)

    def put(
        self, id: str, *, email: str | None = None, city: str | None = None, merged_into: str | None = None
    ) -> None:
        self.shop.put(id, email=email, city=city, merged_into=merged_into)

    def delete(self, id: str) -> None:
        self.shop.delete(id)

    def buy(self, id: str, moment: Any, amount: str, order: str) -> None:
        self.shop.buy(id, moment, amount, order)

    def set_field(self, id: str, name: str, value: str | None) -> None:
        key = f"record_type = 'contact' AND field = {text(name)} AND record_id = {text(id)}"
        self.run(f"DELETE FROM {self.table('segment_values')} WHERE {key}")
        if value is not None:
            cells = f"'contact', {text(name)}, {text(id)}, {text(value)}, {self.shop.now()}"
            self.run(
                f"INSERT INTO {self.table('segment_values')} (record_type, field, record_id, value, changed_at) VALUES ({cells})"
            )

    def set_member(self, key: str, id: str, member: bool) -> None:
        where = f"list_key = {text(key)} AND record_type = 'contact' AND record_id = {text(id)}"
        self.run(f"DELETE FROM {self.table('list_members')} WHERE {where}")
        if member:
            cells = f"{text(key)}, 'contact', {text(id)}, {self.shop.now()}"
            self.run(
                f"INSERT INTO {self.table('list_members')} (list_key, record_type, record_id, added_at) VALUES ({cells})"
            )


def database_of(kind: str, folder: Path, by_change: bool = False, schema: str = SCHEMA) -> SegmentDatabase:
    """A new database of a kind."""
    return SegmentDatabase(shop_of(kind, folder, by_change), schema)
