"""Is a database read again only where it changed, as one snapshot, and is nothing lost by servers that die?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import TemporaryError
from connectors.schemas import ATTRIBUTE
from connectors.sql import reading
from tests.contract_suite import Reader, noon
from tests.database_shops import DatabaseShop, rows_of, shop_of, text


@pytest.fixture(params=["postgres", "mariadb", "sqlite", "duckdb"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseShop]:
    opened: DatabaseShop = shop_of(request.param, tmp_path, by_change=True)
    yield opened
    opened.close()


@pytest.fixture(params=["postgres", "mariadb"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    opened = shop_of(request.param, tmp_path, by_change=True)
    yield opened
    opened.close()


def pulled(shop: DatabaseShop, stream: str = "contact") -> Reader:
    reader = Reader(shop, stream)
    reader.pull()
    return reader


def customer(shop: DatabaseShop, id: str, minutes_ago: float, city: str = "Ulm") -> None:
    """A customer whose row says that it changed so long ago."""
    at = shop.at(datetime.now(UTC) - timedelta(minutes=minutes_ago))
    shop.run(f"INSERT INTO customers VALUES ({text(id)}, NULL, {text(city)}, NULL, {at}, NULL)")


def crowd(shop: DatabaseShop, number: int) -> None:
    """Customers whose rows one statement has changed at one time, more than are remembered one by one."""
    at = shop.at(datetime.now(UTC) - timedelta(minutes=1))
    cells = ", ".join(f"('{id}', NULL, 'Ulm', NULL, {at}, NULL)" for id in range(number))
    shop.run(f"INSERT INTO customers VALUES {cells}")


@pytest.fixture
def few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.sql.row_hashes.MOST", 20)
    monkeypatch.setattr(reading, "PAGE_ROWS", 10)
    for engine in ("mysql", "sqlite"):
        monkeypatch.setattr(f"connectors.sql.engines.{engine}.ROWS", 10)
    monkeypatch.setattr("connectors.sql.engines.postgres._BATCH", 200)


# -- by the column of changes --------------------------------------------------------------------------------


def test_a_row_that_was_committed_late_is_found_within_the_look_back(shop: DatabaseShop) -> None:
    customer(shop, "1", 0)
    reader = pulled(shop)
    customer(shop, "late", 10)
    assert reader.pull() == 1 and set(reader.rows) == {"1", "late"}
    assert reader.pull() == 0


@pytest.mark.usefixtures("few_are_remembered")
def test_rows_that_were_all_changed_at_one_time_come_once(shop: DatabaseShop) -> None:
    crowd(shop, 100)
    reader = pulled(shop)
    assert len(reader.rows) == 100 and reader.pull() == 0 and reader.pull() == 0
    customer(shop, "late", 5)
    assert reader.pull() == 101, "which of them is new cannot be told"
    assert len(reader.rows) == 101 and reader.pull() == 0
    shop.run(f"UPDATE customers SET city = 'Bern', updated_at = {shop.at(datetime.now(UTC))} WHERE id <> '7'")
    reader.pull()
    cities = {id: row[ATTRIBUTE + "city"] for id, row in reader.rows.items()}
    assert (cities["7"], cities["8"], cities["late"]) == ("Ulm", "Bern", "Bern")
    assert reader.pull() == 0


@pytest.mark.usefixtures("few_are_remembered")
def test_a_reading_that_broke_off_among_rows_of_one_time_brings_each_once(served: Any) -> None:
    crowd(served, 2_000)
    reader = Reader(served, "contact")
    assert 0 < reader.pull(pages=2) < 2_000
    customer(served, "late", 5)
    reader.pull()
    assert len(reader.rows) == 2_001 and reader.pull() == 0
    assert [len(part) for part in reader.parts.values()] == [2_001], "no row comes twice"


def test_a_row_outside_the_look_back_waits_for_the_sweep(
    shop: DatabaseShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer(shop, "1", 0)
    customer(shop, "2", 60)
    reader = pulled(shop)
    customer(shop, "very late", 60)
    shop.run("DELETE FROM customers WHERE id = '2'")
    assert reader.pull() == 0
    week_later = reading.today() + 8 * 86_400
    monkeypatch.setattr(reading, "today", lambda: week_later)
    reader.pull()
    assert set(reader.rows) == {"1", "very late"}, "found, and the one that was deleted is gone"
    assert reader.pull() == 0


def test_only_changed_rows_come_again(shop: DatabaseShop) -> None:
    for number in range(20):
        customer(shop, str(number), number * 2)
    reader = pulled(shop)
    now = shop.now()
    shop.run(f"UPDATE customers SET city = 'Bonn', updated_at = {now} WHERE id = '15'")
    assert reader.pull() == 1 and reader.rows["15"][ATTRIBUTE + "city"] == "Bonn"
    assert reader.pull() == 0


def test_rows_without_a_time_of_change_are_compared_each_time(shop: DatabaseShop) -> None:
    shop.run("INSERT INTO customers VALUES ('none', NULL, 'Ulm', NULL, NULL, NULL)")
    reader = pulled(shop)
    assert set(reader.rows) == {"none"} and reader.pull() == 0
    shop.run("UPDATE customers SET city = 'Bonn' WHERE id = 'none'")
    assert reader.pull() == 1 and reader.rows["none"][ATTRIBUTE + "city"] == "Bonn"
    shop.run("UPDATE customers SET city = 'Ulm' WHERE id = 'none'")
    assert reader.pull() == 1 and reader.rows["none"][ATTRIBUTE + "city"] == "Ulm", "as it was at first"
    customer(shop, "1", 0)
    assert reader.pull() == 1 and reader.pull() == 0


def test_a_time_in_the_far_future_hides_no_later_change(shop: DatabaseShop) -> None:
    customer(shop, "1", -60 * 24 * 365)
    customer(shop, "2", 5)
    reader = pulled(shop)
    customer(shop, "3", 0)
    assert reader.pull() == 1 and set(reader.rows) == {"1", "2", "3"}
    assert reader.pull() == 0


def test_an_order_that_does_not_count_any_more_is_taken_back(shop: DatabaseShop) -> None:
    shop.run("ALTER TABLE orders ADD COLUMN state varchar(20)")
    shop.activities["status"] = {"state": {"counted": ["paid", ""], "left_out": ["cancelled"]}}
    for order in ("a", "b"):
        shop.run(
            f"INSERT INTO orders VALUES ('{order}', '1', {shop.at(noon(1, 5))}, 5, {shop.now()}, 'paid')"
        )
    reader = pulled(shop, "activity")
    assert set(reader.rows) == {"a", "b"}
    shop.run(f"UPDATE orders SET state = 'cancelled', updated_at = {shop.now()} WHERE id = 'a'")
    reader.pull()
    assert set(reader.rows) == {"b"}
    shop.run(f"UPDATE orders SET total = 7, updated_at = {shop.now()} WHERE id = 'b'")
    reader.pull()
    assert [row["amount_minor"] for row in reader.rows.values()] == [700]


def test_positions_name_nobody_and_hold_no_secret(served: Any) -> None:
    served.put("ann@example.org", email="ann@example.org", city="Ulm")
    served.buy("ann@example.org", noon(1, 5), "5", "order-of-ann")
    for stream in ("contact", "activity"):
        position = str(pulled(served, stream).position)
        assert set(json.loads(position)) == {
            "form",
            "digest",
            "top",
            "floor",
            "swept",
            "began",
            "line",
            "seen",
        }
        assert "ann" not in position and "reader" not in position and "word" not in position


@pytest.mark.parametrize("unit", [1, 1000])
def test_unix_times_tell_of_changes_too(tmp_path: Path, unit: int) -> None:
    shop = shop_of("postgres", tmp_path)
    shop.run("CREATE TABLE people (id int, changed bigint)", "GRANT SELECT ON people TO reader")
    shop.contacts = {
        "table": "people",
        "changed_at": "changed",
        "columns": {"changed_at": "changed"},
        "date_format": "unix_ms",
    }
    now = int(datetime.now(UTC).timestamp())
    for number in range(3):
        shop.run(f"INSERT INTO people VALUES ({number}, {(now - 7200 * number) * unit})")
    reader = pulled(shop)
    assert set(reader.rows) == {"0", "1", "2"} and reader.pull() == 0
    shop.run(
        f"INSERT INTO people VALUES (9, {(now - 60) * unit})",
        f"INSERT INTO people VALUES (8, {(now - 7200) * unit})",
    )
    assert reader.pull() == 1 and set(reader.rows) == {"0", "1", "2", "9"}
    shop.close()


# -- whole readings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["postgres", "mariadb", "sqlite", "duckdb"])
def test_a_table_without_a_column_of_changes_is_delivered_where_its_content_differs(
    kind: str, tmp_path: Path
) -> None:
    shop = shop_of(kind, tmp_path)
    for number in range(5):
        shop.put(str(number), city="Ulm")
    reader = pulled(shop)
    assert reader.pull() == 0
    shop.run("UPDATE customers SET city = 'Bonn' WHERE id = '3'")
    assert reader.pull() == 5 and reader.rows["3"][ATTRIBUTE + "city"] == "Bonn"
    shop.run(
        "UPDATE customers SET city = NULL WHERE id = '3'", "UPDATE customers SET city = '' WHERE id = '4'"
    )
    assert reader.pull() == 5 and reader.pull() == 0
    shop.run("DELETE FROM customers WHERE id = '1'")
    reader.pull()
    assert set(reader.rows) == {"0", "2", "3", "4"}
    shop.run("DELETE FROM customers")
    reader.pull()
    assert reader.rows == {} and reader.pull() == 0
    shop.close()


def test_totals_that_every_row_of_an_order_repeats_are_refused_or_counted_once(shop: DatabaseShop) -> None:
    shop.activities = {
        "table": "items",
        "columns": {
            "contact_id": "customer",
            "occurred_at": "bought",
            "amount": "total",
            "order_id": "receipt",
        },
    }
    shop.run(
        f"CREATE TABLE items (receipt varchar(9), customer varchar(9), bought {shop.instant}, total numeric(10,2), product varchar(9))"
    )
    if shop.instant == "timestamptz":
        shop.run("GRANT SELECT ON items TO reader")
    at = shop.at(noon(1, 5))
    rows = ", ".join(f"('r{n}', '1', {at}, {n}.50, 'p{m}')" for n in range(1, 9) for m in range(2))
    shop.run(f"INSERT INTO items VALUES {rows}")
    with pytest.raises(Exception, match=r'8 of its orders .* set line_items = "repeat".*activities'):
        pulled(shop, "activity")
    shop.activities["line_items"] = "repeat"
    amounts = [row["amount_minor"] for row in rows_of(list(shop.connect().read("activity", None)))]
    assert sum(amount or 0 for amount in amounts) == sum(range(150, 900, 100)) and len(amounts) == 16


# -- one snapshot --------------------------------------------------------------------------------------------


def test_contacts_and_orders_of_one_pull_belong_together(served: Any) -> None:
    served.put("1", city="Ulm")
    served.buy("1", noon(1, 5), "5", "a")
    source = served.connect()
    contacts = rows_of(list(source.read("contact", None)))
    served.put("2", city="Bonn")
    served.buy("2", noon(1, 6), "6", "b")
    orders = list(source.read("activity", None))
    assert len(contacts) == 1 and [row["id"] for row in rows_of(orders)] == ["a"]
    assert [
        row["id"] for row in rows_of(list(source.read("activity", orders[-1].position))) if not row["deleted"]
    ] == ["b"]
    assert {row["id"] for row in rows_of(list(source.read("contact", None)))} == {"1", "2"}, (
        "a new pull, a new snapshot"
    )


def test_nothing_can_be_written_over_our_connection(served: Any) -> None:
    source = served.connect()
    engine = source._opened()
    for statement in (
        "INSERT INTO customers (id) VALUES ('x')",
        "CREATE TABLE t (id int)",
        "DELETE FROM customers",
    ):
        with pytest.raises(Exception, match=r"(?i)read.only|denied"), engine.asking():
            list(engine.batches(statement))
        source.close()
        engine = source._opened()


# -- servers that die ----------------------------------------------------------------------------------------


def filled(served: Any, rows: int) -> None:
    """Many rows that are wide, so that they are not in some buffer before the server dies."""
    if served.instant == "timestamptz":
        served.run(
            f"""INSERT INTO customers SELECT i, NULL, repeat('x', 180), NULL, now() - {rows} * interval '1 second' + i * interval '1 second'
                FROM generate_series(1, {rows}) AS i"""
        )
    else:
        served.run(
            f"""INSERT INTO customers SELECT seq, NULL, repeat('x', 180), NULL,
                utc_timestamp(6) - INTERVAL {rows} SECOND + INTERVAL seq SECOND,
                NULL FROM seq_1_to_{rows}"""
        )


def test_a_server_that_is_killed_in_mid_read_costs_only_the_look_back(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_ROWS", 5_000)
    rows = 120_000
    served.contacts["columns"] = {"merged_into": "merged_into", "name": "city"}
    filled(served, rows)
    reader = Reader(served, "contact")
    pages = served.connect().read("contact", None)
    for _ in range(2):
        reader.take(next(pages))
    served.server.kill()
    with pytest.raises(TemporaryError, match="try again later"):
        for page in pages:
            reader.take(page)
    with pytest.raises(TemporaryError):
        list(served.connect().read("contact", reader.position))
    served.server.start()
    again = reader.pull()
    assert again <= rows - 9_000, "what was read before is not read again"
    assert len(reader.rows) == rows and reader.pull() == 0
    parts = [len(part) for part in reader.parts.values()]
    assert parts == [rows], "no row comes twice"


def test_a_reading_that_goes_on_in_a_new_snapshot_finds_what_was_committed_late_before_it(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_ROWS", 1)
    monkeypatch.setattr("connectors.sql.engines.mysql.ROWS", 10)
    monkeypatch.setattr("connectors.sql.engines.postgres._BATCH", 2_000)
    filled(served, 3_000)
    reader = Reader(served, "contact")
    reader.pull(pages=1)
    customer(served, "late", 3_000 / 60 + 1)
    customer(served, "new", 0)
    while reader.pull(pages=50):
        pass
    assert len(reader.rows) == 3_002
