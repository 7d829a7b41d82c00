"""Is a table that was altered since the last run noticed, read again, and never misread in silence?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import AccessError, RequestError, TemporaryError
from connectors.schemas import ATTRIBUTE
from tests.contract_suite import Reader, noon
from tests.database_shops import PostgresShop, rows_of, shop_of


@pytest.fixture(params=["postgres", "mariadb"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Two customers and two orders, read by their column of changes, which an ALTER TABLE leaves as it is."""
    opened = shop_of(request.param, tmp_path, by_change=True)
    for id in ("1", "2"):
        opened.put(id, city=f"{id}.50")
        opened.buy(id, noon(1, 5), f"{id}.50", f"order {id}")
    yield opened
    opened.close()


def altered(shop: Any, table: str, column: str, postgres: str, mariadb: str) -> None:
    shop.close()
    if isinstance(shop, PostgresShop):
        shop.run(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {postgres}")
    else:
        shop.run(f"ALTER TABLE {table} MODIFY {column} {mariadb}")


# table, column, its new type in PostgreSQL and in MariaDB
RETYPED = [
    ("customers", "city", "numeric(10,2) USING city::numeric", "decimal(10,2)"),
    ("orders", "total", "text", "varchar(40)"),
    ("orders", "total", "double precision", "double"),
    ("orders", "bought_at", "timestamp", "timestamp NULL"),
    ("orders", "bought_at", "text", "varchar(40)"),
    ("customers", "updated_at", "timestamp", "timestamp(6) NULL"),
]


@pytest.mark.parametrize(("table", "column", "postgres", "mariadb"), RETYPED)
def test_all_rows_are_read_again_where_a_column_has_another_type(
    shop: Any, table: str, column: str, postgres: str, mariadb: str
) -> None:
    reader = Reader(shop, "contact" if table == "customers" else "activity")
    assert reader.pull() == 2 and reader.pull() == 0
    altered(shop, table, column, postgres, mariadb)
    assert reader.pull() == 2 and len(reader.rows) == 2
    assert reader.pull() == 0


def test_amounts_that_become_text_are_read_in_the_notation_of_the_account(shop: Any) -> None:
    shop.settings = {"decimal": ","}
    reader = Reader(shop, "activity")
    reader.pull()
    altered(
        shop, "orders", "total", "text USING replace(total::numeric(10,2)::text, '.', ',')", "varchar(40)"
    )
    if not isinstance(shop, PostgresShop):
        shop.run("UPDATE orders SET total = replace(trim(trailing '0' FROM total), '.', ',')")
    reader.pull()
    assert sorted(row["amount_minor"] for row in reader.rows.values()) == [150, 250]


def test_times_that_lose_their_zone_are_local_to_the_account_from_then_on(tmp_path: Path) -> None:
    shop = shop_of("postgres", tmp_path, by_change=True)
    shop.buy("1", noon(7, 5), "5", "a")
    reader = Reader(shop, "activity")
    shop_connect = shop.connect
    shop.connect = lambda: shop_connect(time_zone="Europe/Berlin")
    reader.pull()
    altered(shop, "orders", "bought_at", "timestamp USING bought_at AT TIME ZONE 'UTC'", "")
    reader.pull()
    assert [row["occurred_at"].hour for row in reader.rows.values()] == [10], "two hours before noon in UTC"
    shop.close()


@pytest.mark.parametrize("change", ["DROP COLUMN total", "RENAME COLUMN total TO sum"])
def test_a_mapped_column_that_is_gone_is_refused_with_its_mapping(shop: Any, change: str) -> None:
    reader = Reader(shop, "activity")
    reader.pull()
    before = dict(reader.rows)
    shop.close()
    shop.run(f"ALTER TABLE orders {change}")
    expected = r"'total' \(mapped to amount\) is missing.*\[accounts.shop.activities.columns\]"
    with pytest.raises(RequestError, match=expected):
        reader.pull()
    assert reader.rows == before


def test_an_attribute_whose_column_is_gone_is_told_by_the_check(shop: Any) -> None:
    assert shop.connect().check() == []
    shop.close()
    shop.run("ALTER TABLE customers RENAME COLUMN city TO town")
    (problem,) = shop.connect().check()
    assert "city" in problem.what and "[accounts.shop.attributes]" in problem.remedy


def test_a_view_in_the_place_of_a_table_is_read_as_the_table_was(shop: Any) -> None:
    reader = Reader(shop, "contact")
    reader.pull()
    shop.close()
    shop.run("ALTER TABLE customers RENAME TO base", "CREATE VIEW customers AS SELECT * FROM base")
    if isinstance(shop, PostgresShop):
        with pytest.raises(AccessError, match='GRANT SELECT ON "customers" TO "reader"'):
            reader.pull()
        shop.run("GRANT SELECT ON customers TO reader")
    assert reader.pull() == 0 and set(reader.rows) == {"1", "2"}
    shop.close()
    shop.run(f"UPDATE base SET city = 'Bonn', updated_at = {shop.now()} WHERE id = '2'")
    assert reader.pull() == 1 and reader.rows["2"][ATTRIBUTE + "city"] == "Bonn"


def test_a_table_that_is_altered_in_mid_run_is_read_by_the_next_one(tmp_path: Path) -> None:
    shop = shop_of("mariadb", tmp_path)
    shop.put("1", city="Ulm")
    shop.buy("1", noon(1, 5), "5", "a")
    source = shop.connect()
    assert len(rows_of(list(source.read("contact", None)))) == 1
    shop.run("ALTER TABLE orders ADD COLUMN more int, ALGORITHM=COPY")
    with pytest.raises(TemporaryError, match="others at the same moment"):
        list(source.read("activity", None))
    assert len(rows_of(list(shop.connect().read("activity", None)))) == 1
    shop.close()
