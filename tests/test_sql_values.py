"""Does every cell of a database arrive as it stands there: money, times, texts, and names that need quoting?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.schemas import ATTRIBUTE
from tests.contract_suite import noon
from tests.database_shops import KINDS, DatabaseShop, rows_of, shop_of, text


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseShop]:
    opened: DatabaseShop = shop_of(request.param, tmp_path)
    yield opened
    opened.close()


@pytest.fixture(params=["postgres", "mariadb"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    opened = shop_of(request.param, tmp_path)
    yield opened
    opened.close()


def read(shop: DatabaseShop, stream: str, **changes: Any) -> list[Any]:
    return rows_of(list(shop.connect(**changes).read(stream, None)))


def by_id(rows: list[Any]) -> dict[str, Any]:
    return {row.get("id") or row["order_id"]: row for row in rows}


@pytest.mark.parametrize("sign", [".", ","])
def test_money_is_exact_to_the_last_digit_whatever_the_texts_of_the_account_use(
    shop: DatabaseShop, sign: str
) -> None:
    shop.settings = {"decimal": sign}
    amounts = {"a": "0.10", "b": "-3", "c": "9999999999999.99", "d": "1234.5", "e": "0.125", "f": "1.234"}
    for id, amount in amounts.items():
        shop.buy("1", noon(1, 5), amount, id)
    minor = {id: row["amount_minor"] for id, row in by_id(read(shop, "activity")).items()}
    assert minor == {"a": 10, "b": -300, "c": 999999999999999, "d": 123450, "e": 12, "f": 123}


def test_forty_digits_stay_forty_digits(served: Any) -> None:
    number = "1234567890123456789012345.123456789012345"
    served.run(f"CREATE TABLE facts AS SELECT '1' AS id, CAST('{number}' AS decimal(40,15)) AS worth")
    served.contacts = {"query": "SELECT id, worth FROM facts"}
    grant(served, "facts")
    assert read(served, "contact")[0][ATTRIBUTE + "worth"] == number


def grant(shop: Any, *names: str) -> None:
    if shop.instant == "timestamptz":
        shop.run(*(f"GRANT SELECT ON {name} TO reader" for name in names))


def test_a_time_with_a_zone_is_that_instant_and_one_without_is_local_to_the_account(served: Any) -> None:
    zoned, local = (
        ("timestamptz", "timestamp") if served.instant == "timestamptz" else ("timestamp", "datetime")
    )
    served.run(
        f"CREATE TABLE visits (id int, zoned {zoned} NULL, local_time {local} NULL, day date)",
        "INSERT INTO visits VALUES (1, NULL, '2024-07-01 12:00:00', '2024-07-01')",
    )
    if zoned == "timestamptz":
        served.run("UPDATE visits SET zoned = '2024-07-01 12:00:00+00'")
    else:
        served.run("SET time_zone = '+05:00'", "UPDATE visits SET zoned = FROM_UNIXTIME(1719835200)")
    grant(served, "visits")
    expected = {"zoned": 12, "local_time": 10, "day": 22}
    for column, hour in expected.items():
        served.activities = {
            "query": f"SELECT * FROM visits /* {column} */",
            "columns": {"contact_id": "id", "occurred_at": column},
        }
        (row,) = read(served, "activity", time_zone="Europe/Berlin")
        assert row["occurred_at"].hour == hour, column


def test_times_that_no_calendar_holds_are_refused_and_told(served: Any) -> None:
    if served.instant == "timestamptz":
        served.run(
            "INSERT INTO orders VALUES ('x', '1', 'infinity', 5, now()), ('y', '1', '-infinity', 5, now())"
        )
        reason = "is not an ISO date or time"
    else:
        served.run("SET sql_mode = ''", "INSERT INTO orders VALUES ('x', '1', '0000-00-00', 5, now())")
        served.run("INSERT INTO orders VALUES ('y', '1', NULL, 5, now())")
        reason = "has no occurred_at"
    served.buy("1", noon(1, 5), "5", "z")
    (page,) = served.connect().read("activity", None)
    assert [row["order_id"] for row in page.records.to_pylist()] == ["z"]
    assert page.rejected == 2 and all(reason in row["reason"] for row in page.rejects.to_pylist())


def test_texts_arrive_letter_by_letter(shop: DatabaseShop) -> None:
    texts = [
        "Zoë ☃ 𝄞",
        "it's",
        'say "hi"',
        "a;b--c",
        "%s %d {}",
        "'; DROP TABLE customers; --",
        "tab\tnew\nline",
        "0012",
    ]
    for number, city in enumerate(texts):
        shop.put(str(number), city=city)
    shop.put("null", city=None)
    shop.put("empty", city="")
    cities = {row["id"]: row[ATTRIBUTE + "city"] for row in read(shop, "contact")}
    assert [cities[str(number)] for number in range(len(texts))] == texts
    assert cities["null"] is None and cities["empty"] is None
    assert len(cities) == len(texts) + 2


HOSTILE = [
    "select",
    "Group By",
    "ORDER",
    'quote"d',
    "semi;colon --",
    "straße☃",
    "dot.ted",
    "back`tick",
    "per%cent",
    "{0}",
]


def quoted(shop: DatabaseShop, name: str) -> str:
    return (
        "`" + name.replace("`", "``") + "`"
        if shop.instant == "datetime(6)"
        else '"' + name.replace('"', '""') + '"'
    )


def test_names_that_are_words_of_sql_or_would_break_out_of_quotes_are_only_names(shop: DatabaseShop) -> None:
    table = 'From "T" ; DROP TABLE customers'
    columns = ", ".join(f"{quoted(shop, name)} varchar(20)" for name in HOSTILE)
    cells = ", ".join(text(f"cell {number}") for number in range(len(HOSTILE)))
    shop.run(
        f"CREATE TABLE {quoted(shop, table)} ({quoted(shop, 'Id')} varchar(9), {columns})",
        f"INSERT INTO {quoted(shop, table)} VALUES ('7', {cells})",
    )
    grant(shop, quoted(shop, table))
    named = '"' + table.replace('"', '""') + '"'
    shop.contacts = {"table": named, "columns": {"id": "Id", "country": "select", "name": 'quote"d'}}
    assert shop.connect().check() == [problem for problem in shop.connect().check() if "city" in problem.what]
    (row,) = read(shop, "contact")
    assert (row["id"], row["country"], row["name"]) == ("7", "cell 0", "cell 3")
    others = [name for name in HOSTILE if name not in ("select", 'quote"d')]
    assert [row[ATTRIBUTE + name] for name in others] == [f"cell {HOSTILE.index(name)}" for name in others]
    shop.run("SELECT * FROM customers")


def test_names_of_mixed_case_in_another_schema_are_found_as_they_are_spelled(served: Any) -> None:
    schema = quoted(served, "Shop Data") if served.instant == "timestamptz" else served.database
    if served.instant == "timestamptz":
        served.run(f"CREATE SCHEMA {schema}", f"GRANT USAGE ON SCHEMA {schema} TO reader")
    table = f"{schema}.{quoted(served, 'Customer')}"
    served.run(
        f"CREATE TABLE {table} ({quoted(served, 'CustomerId')} int)", f"INSERT INTO {table} VALUES (5)"
    )
    grant(served, table)
    named = '"Shop Data".Customer' if served.instant == "timestamptz" else f"{served.database}.Customer"
    served.contacts = {"table": named, "columns": {"id": "CustomerId"}}
    assert [row["id"] for row in read(served, "contact")] == ["5"]


def test_a_table_of_a_thousand_columns_is_read(shop: DatabaseShop) -> None:
    columns = ", ".join(f"c{number} varchar(9)" for number in range(900))
    shop.run(
        f"CREATE TABLE wide (id varchar(9), {columns})"
        + (" ENGINE=MyISAM" if shop.instant == "datetime(6)" else ""),
        f"INSERT INTO wide VALUES ('1', {', '.join(text(str(number)) for number in range(900))})",
    )
    grant(shop, "wide")
    shop.contacts = {"table": "wide"}
    (row,) = read(shop, "contact")
    assert [row[f"{ATTRIBUTE}c{number}"] for number in range(900)] == [str(number) for number in range(900)]


def test_types_that_only_one_database_has_are_read_as_its_text(tmp_path: Path) -> None:
    shop = shop_of("postgres", tmp_path)
    shop.run(
        "CREATE TYPE mood AS ENUM ('glad')",
        """CREATE TABLE odd AS SELECT 1 AS id, '0b1c1e1e-0000-4000-8000-000000000001'::uuid AS u, '{"a": 1}'::jsonb AS j, 'glad'::mood AS m,
           '1 day'::interval AS i, '10.0.0.1'::inet AS a, ARRAY['x','y'] AS t, 12.5::money AS money, true AS yes, 'ab'::char(5) AS c""",
    )
    grant(shop, "odd")
    shop.contacts = {"table": "odd"}
    (row,) = read(shop, "contact")
    shown = {name: row[ATTRIBUTE + name] for name in ("u", "j", "m", "i", "a", "t", "money", "yes")}
    assert shown == {
        "u": "0b1c1e1e-0000-4000-8000-000000000001", "j": '{"a": 1}', "m": "glad", "i": "1 day", "a": "10.0.0.1/32",
        "t": "x;y", "money": "12.50", "yes": "true",
    }  # fmt: skip
    shop.close()


def test_cells_of_sqlite_have_types_of_their_own(tmp_path: Path) -> None:
    shop = shop_of("sqlite", tmp_path)
    shop.run(
        "CREATE TABLE mixed (id, amount, at)",
        "INSERT INTO mixed VALUES (1, 12.5, '2024-01-05T12:00:00Z'), ('2', 3, '2024-01-05 12:00:00'), (3.0, 0.1, 'never')",
        "INSERT INTO mixed VALUES (4, CAST(x'ff' AS TEXT), '2024-01-05')",
    )
    shop.activities = {"table": "mixed", "columns": {"contact_id": "id", "occurred_at": "at"}}
    (page,) = shop.connect().read("activity", None)
    rows = [(row["record_id"], row["amount_minor"]) for row in page.records.to_pylist()]
    assert rows == [("1", 1250), ("2", 300)] and page.rejected == 2
    assert page.records["occurred_at"].to_pylist() == [datetime(2024, 1, 5, 12, tzinfo=UTC)] * 2
