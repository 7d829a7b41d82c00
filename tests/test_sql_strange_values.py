"""Is a value that only a database can hold either exact, or a rejected cell with its column and id, and never
another value in silence?
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors.schemas import ATTRIBUTE
from tests.database_shops import rows_of, shop_of

REJECTED = object()  # listed, with column and id
TYPES = (
    "CREATE TYPE mood AS ENUM ('sad')",
    "CREATE DOMAIN price AS numeric(10,2)",
    "CREATE TYPE pair AS (a int, b text)",
)
POSTGRES = {
    "1e30::numeric": "1" + "0" * 30,
    "12345678901234567890.123456789012345678::numeric(38,18)": "12345678901234567890.123456789012345678",
    "'$92,233,720,368,547,758.07'::money": "92233720368547758.07",
    "1.50::price": "1.50",
    "'sad'::mood": "sad",
    "'infinity'::timestamp": REJECTED,
    "'-infinity'::timestamptz": REJECTED,
    "'infinity'::date": REJECTED,
    "'0044-03-15 BC'::date": REJECTED,
    "'99999-01-01'::timestamp": REJECTED,
    "'0001-01-01'::date": "0001-01-01",
    "'9999-12-31'::date": "9999-12-31",
    "'24:00:00'::time": "24:00:00",
    "'12:00:00+02'::timetz": "12:00:00+02",
    "'\\xdeadbeef00'::bytea": REJECTED,
    "B'1010'": "1010",
    "'[2024-01-01,2024-02-01)'::daterange": "[2024-01-01,2024-02-01)",
    "ARRAY['a','b c',NULL]": "a;b c",
    "ARRAY[1,NULL,3]": "{1,NULL,3}",
    "ARRAY[1.50::numeric]": "{1.50}",
    "ROW(1,'x')::pair": "(1,x)",
    "'{\"a\": 1, \"a\":2}'::json": '{"a": 1, "a":2}',
    "9223372036854775807": "9223372036854775807",
    "''": None,
    "NULL::text": None,
}  # fmt: skip
MARIADB = {
    ("DECIMAL(65,30)", "12345678901234567890123456789012345.5"): "12345678901234567890123456789012345.5" + "0" * 29,
    ("BIGINT UNSIGNED", "18446744073709551615"): "18446744073709551615",
    ("BIT(64)", "b'1000000000000000000000000000000000000000000000000000000000000001'"): "9223372036854775809",
    ("DATE", "'0000-00-00'"): None,  # how MySQL writes no day
    ("DATE", "'2024-00-00'"): REJECTED,
    ("DATE", "'2024-02-31'"): REJECTED,
    ("DATETIME", "'2024-02-31 10:00:00'"): REJECTED,
    ("DATETIME(6)", "'9999-12-31 23:59:59.999999'"): "9999-12-31 23:59:59.999999",
    ("TIME(3)", "'-838:59:59'"): "-838:59:59.000",
    ("YEAR", "2024"): "2024",
    ("TINYINT(1)", "7"): "7",
    ("VARCHAR(20) CHARACTER SET latin1", "'Zoë€'"): "Zoë€",
    ("VARCHAR(20) CHARACTER SET utf16", "'Zoë'"): "Zoë",
    ("JSON", "'{\"a\": 1}'"): '{"a": 1}',
    ("SET('a','b')", "'a,b'"): "a,b",
    ("VARBINARY(9)", "x'ff00fe'"): REJECTED,
    ("TEXT", "'😀'"): "😀",
}  # fmt: skip
DUCKDB = {
    "170141183460469231731687303715884105727::HUGEINT": "170141183460469231731687303715884105727",
    "340282366920938463463374607431768211455::UHUGEINT": "340282366920938463463374607431768211455",
    "12345678901234567890.123456789012345678::DECIMAL(38,18)": "12345678901234567890.123456789012345678",
    "18446744073709551615::UBIGINT": "18446744073709551615",
    "'infinity'::TIMESTAMP": REJECTED,
    "'290000-01-01'::TIMESTAMP": REJECTED,
    "'2024-01-01 00:00:00.123456789'::TIMESTAMP_NS": "2024-01-01 00:00:00.123456789",
    "'12:00:00+02'::TIMETZ": "12:00:00+02",
    "{'a': 1, 'b': 'x'}": "{'a': 1, 'b': x}",
    "[[1], [2]]": "[[1], [2]]",
    "['a', NULL, 'b']": "a;b",
    "'\\xAA'::BLOB": REJECTED,
}  # fmt: skip
SQLITE = {
    "9223372036854775807": "9223372036854775807",
    "0.1": "0.1",
    "x'ff00'": REJECTED,
    "'a' || char(0)": REJECTED,
    "'12.50'": "12.50",
    "''": None,
}


def arrived(shop: Any, query: str, good: Sequence[str]) -> list[Any]:
    """What arrives of an attribute ``v`` of each record, in the order of the ids; REJECTED where it is listed."""
    shop.contacts, shop.settings = {"query": query}, {"activities": None}
    values: dict[str, Any] = dict.fromkeys(good)
    for page in shop.connect().read("contact", None):
        values |= {row["id"]: row.get(ATTRIBUTE + "v") for row in rows_of([page])}
        for reject in page.rejects.to_pylist() if page.rejects is not None else ():
            assert reject["column"] == "v" and values[reject["id"]] is None
            values[reject["id"]] = REJECTED
    return [values[id] for id in good]


@pytest.mark.parametrize("kind", ["postgres", "duckdb", "sqlite"])
def test_each_value_is_exact_or_a_rejected_cell(kind: str, tmp_path: Path) -> None:
    shop = shop_of(kind, tmp_path)
    cells = {"postgres": POSTGRES, "duckdb": DUCKDB, "sqlite": SQLITE}[kind]
    if kind == "postgres":
        shop.run(*TYPES)
    for cell, expected in cells.items():
        assert arrived(shop, f"SELECT '1' AS id, {cell} AS v", ["1"]) == [expected], cell
    shop.close()


def test_each_value_of_mysql_is_exact_or_a_rejected_cell(tmp_path: Path) -> None:
    shop = shop_of("mariadb", tmp_path)
    for number, ((type_, cell), expected) in enumerate(MARIADB.items()):
        shop.run(
            f"CREATE TABLE t{number} (v {type_})",
            "SET SESSION sql_mode = 'ALLOW_INVALID_DATES'",
            f"INSERT INTO t{number} VALUES ({cell})",
        )
        assert arrived(shop, f"SELECT '1' AS id, v FROM t{number}", ["1"]) == [expected], (type_, cell)
    shop.close()


def test_one_cell_that_is_no_value_costs_no_other_row(tmp_path: Path) -> None:
    shop = shop_of("mariadb", tmp_path)
    shop.run(
        "CREATE TABLE days (id int, v date)",
        "SET SESSION sql_mode = 'ALLOW_INVALID_DATES'",
        "INSERT INTO days VALUES (1, '2024-02-28'), (2, '2024-02-31'), (3, NULL), (4, '2024-03-01')",
    )
    values = arrived(shop, "SELECT id, v FROM days", ["1", "2", "3", "4"])
    assert values == ["2024-02-28", REJECTED, None, "2024-03-01"]
    shop.close()


@pytest.mark.parametrize("digits", [38, 39, 40, 60, 200])
@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_an_amount_of_too_many_digits_is_refused_and_not_another_one(
    kind: str, digits: int, tmp_path: Path
) -> None:
    shop = shop_of(kind, tmp_path)
    type_ = "numeric" if kind == "postgres" else "text"
    number = f"CAST('{'9' * digits}' AS {type_})"
    shop.activities = {
        "query": f"SELECT '1' AS customer, '2024-01-05' AS at, {number} AS total, 'a' AS id UNION ALL "
        f"SELECT '1', '2024-01-05', CAST('1.50' AS {type_}), 'b'",
        "columns": {"contact_id": "customer", "occurred_at": "at", "amount": "total", "order_id": "id"},
    }
    (page,) = shop.connect().read("activity", None)
    assert [(row["order_id"], row["amount_minor"]) for row in page.records.to_pylist()] == [("b", 150)]
    assert page.rejected == 1
    shop.close()


@pytest.mark.parametrize("kind", ["postgres", "duckdb"])
def test_an_activity_whose_time_is_no_number_is_refused(kind: str, tmp_path: Path) -> None:
    shop = shop_of(kind, tmp_path)
    shop.activities = {
        "query": "SELECT '1' AS customer, CAST('NaN' AS double precision) AS at, 'a' AS id",
        "columns": {"contact_id": "customer", "occurred_at": "at", "order_id": "id"},
    }
    (page,) = shop.connect().read("activity", None)
    assert page.records.num_rows == 0 and page.rejected == 1
    shop.close()
