"""Does a database account say what is missing and how to give it, verify whom it speaks to, and keep its secrets?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors import open_source, settings_model
from connectors.contract import Account
from connectors.errors import AccessError, ConnectorError, RequestError, TemporaryError, UnsupportedError
from connectors.sql.address import address_of, is_loopback
from connectors.sql.engines.base import engine_of
from connectors.sql.statements import condition, name, query_source, since, table_source
from tests.contract_suite import Reader, noon
from tests.database_shops import DatabaseShop, shop_of
from tests.servers.databases import PASSWORD


@pytest.fixture(params=["postgres", "mariadb"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    opened = shop_of(request.param, tmp_path)
    opened.put("1", email="ada@example.org", city="Ulm")
    opened.buy("1", noon(1, 5), "5", "a")
    yield opened
    opened.close()


@pytest.fixture(params=["postgres", "mariadb", "sqlite", "duckdb"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseShop]:
    opened: DatabaseShop = shop_of(request.param, tmp_path)
    yield opened
    opened.close()


def account(**settings: Any) -> Account:
    contacts = {"table": "customers"}
    return Account("shop", "sql", settings_model("sql").model_validate({"contacts": contacts} | settings))


def refusal(shop: Any, stream: str = "contact") -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        list(shop.connect().read(stream, None))
    assert PASSWORD not in str(caught.value) and caught.value.__cause__ is None
    return caught.value


# -- rights --------------------------------------------------------------------------------------------------


def test_a_role_without_select_is_told_with_the_grant(tmp_path: Path) -> None:
    shop = shop_of("postgres", tmp_path)
    shop.run("REVOKE SELECT ON orders FROM reader")
    problems = shop.connect().check()
    assert [problem.remedy for problem in problems] == [
        'ask an administrator for GRANT SELECT ON "orders" TO "reader"'
    ]
    error = refusal(shop, "activity")
    assert isinstance(error, AccessError) and "permission denied for table orders" in str(error)
    assert Reader(shop, "contact").pull() == 0, "the other tables are read"
    shop.close()


def test_a_mysql_user_without_select_is_told_with_the_grant(tmp_path: Path) -> None:
    shop = shop_of("mariadb", tmp_path)
    shop.server.run(
        f"REVOKE SELECT ON {shop.database}.* FROM 'reader'@'%'",
        f"GRANT SELECT ON {shop.database}.customers TO 'reader'@'%'",
    )
    (problem,) = shop.connect().check()
    assert "GRANT SELECT ON `orders` TO `reader`" in problem.remedy
    assert isinstance(refusal(shop, "activity"), AccessError)
    shop.close()


def test_a_wrong_password_is_an_access_error_that_does_not_show_it(served: Any) -> None:
    wrong = "wr0ng-s3cret"
    where = {
        "host": "127.0.0.1",
        "port": served.server.port,
        "user": "reader",
        "password": wrong,
        "database": served.database,
    }
    served.settings = {
        "url": None,
        "engine": "postgres" if served.instant == "timestamptz" else "mysql",
        **where,
    }
    error = refusal(served)
    assert isinstance(error, AccessError) and "reader" in str(error) and wrong not in str(error)
    (problem,) = served.connect().check()
    assert wrong not in problem.what + problem.remedy and "[accounts.shop]" in problem.remedy


def test_a_database_that_is_not_there_is_told(served: Any) -> None:
    served.database, real = "nowhere", served.database
    error = refusal(served)
    served.database = real
    assert isinstance(error, AccessError) and "nowhere" in str(error)


def test_a_server_that_does_not_answer_is_asked_later(served: Any) -> None:
    log_in = {"host": "127.0.0.1", "port": 1, "user": "reader", "password": PASSWORD, "database": "x"}
    for engine in ("postgres", "mysql"):
        served.settings = {"url": None, "engine": engine, **log_in}
        assert isinstance(refusal(served), TemporaryError)


def test_a_host_without_a_name_is_told(served: Any) -> None:
    log_in = {
        "host": "no-such-host.invalid",
        "user": "reader",
        "password": PASSWORD,
        "database": "x",
        "sslmode": "disable",
    }
    for engine in ("postgres", "mysql"):
        served.settings = {"url": None, "port": 5432, "engine": engine, **log_in}
        error = refusal(served)
        assert isinstance(error, AccessError) and "correct host" in str(error)


# -- TLS -----------------------------------------------------------------------------------------------------


def test_a_server_that_cannot_be_verified_is_refused_with_the_remedy(served: Any) -> None:
    for mode in ("verify-full", "verify-ca", "require"):
        served.settings = {"sslmode": mode}
        error = refusal(served)
        assert isinstance(error, AccessError) and "sslmode" in str(error), mode


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://u:p@db.example.org/shop", "verify-full"),
        ("postgresql://u:p@10.0.0.5/shop", "verify-full"),
        ("mysql://u:p@localhost.example.org/shop", "verify-full"),
        ("postgresql://u:p@db.example.org/shop?sslmode=require", "require"),
        ("postgresql://u:p@127.0.0.1/shop", "disable"),
        ("postgresql://u:p@[::1]:5432/shop", "disable"),
        ("postgresql:///shop?host=/var/run/postgresql", "disable"),
        ("mariadb://u:p@localhost/shop", "disable"),
    ],
)
def test_off_loopback_the_host_is_verified_unless_the_config_says_otherwise(url: str, mode: str) -> None:
    address = address_of(account(url=url))
    assert address.tls == mode and is_loopback(address.host) == (mode == "disable")


def test_weak_modes_of_tls_are_refused() -> None:
    with pytest.raises(RequestError, match="sslmode"):
        address_of(account(url="postgresql://u:p@db.example.org/shop?sslmode=prefer"))


def test_a_password_of_any_signs_reaches_the_server_and_no_text(served: Any) -> None:
    assert list(served.connect().read("contact", None))
    address = address_of(served.account())
    assert address.password == PASSWORD and PASSWORD not in repr(address)
    assert PASSWORD not in str(served.connect().diagnostics())


def test_a_url_that_cannot_be_read_is_not_quoted() -> None:
    for url in (
        "postgresql://u:s3cret@host:port/x",
        "s3cret",
        "oracle://u:s3cret@h/x",
        "postgresql://u:s3cret@[bad/x",
    ):
        with pytest.raises(RequestError) as caught:
            address_of(account(url=url))
        assert "s3cret" not in str(caught.value) and "url of account shop" in str(caught.value)


# -- what is asked -------------------------------------------------------------------------------------------


def test_columns_that_are_missing_are_all_told_and_name_their_mapping(shop: DatabaseShop) -> None:
    shop.contacts["columns"] = {"id": "number", "name": "full_name"}
    shop.activities["columns"] = {**shop.activities["columns"], "amount": "sum"}
    told = [f"{problem.what}: {problem.remedy}" for problem in shop.connect().check()]
    assert len(told) == 3
    for text, name_, mapped in zip(
        told, ("id", "name", "amount"), ("number", "full_name", "sum"), strict=True
    ):
        assert f"'{mapped}' (mapped to {name_}) is missing" in text and f'.columns] {name_} = "..."' in text


def test_a_column_that_was_dropped_since_the_last_run_stops_the_reading_and_is_named(
    shop: DatabaseShop,
) -> None:
    shop.put("1", email="ada@example.org")
    shop.contacts["columns"] = {"email": "email"}
    reader = Reader(shop, "contact")
    reader.pull()
    shop.close()
    shop.run("ALTER TABLE customers DROP COLUMN email")
    with pytest.raises(
        RequestError, match=r"'email' \(mapped to email\) is missing.*accounts.shop.contacts.columns"
    ):
        reader.pull()
    assert reader.rows["1"]["email"] == "ada@example.org"


def test_a_column_of_another_type_is_read_anew(served: Any) -> None:
    reader = Reader(served, "contact")
    reader.pull()
    served.close()
    served.run("ALTER TABLE customers ADD COLUMN age int")
    assert reader.pull() == 1
    served.close()
    new = "ALTER COLUMN age TYPE bigint" if served.instant == "timestamptz" else "MODIFY age bigint"
    served.run(f"ALTER TABLE customers {new}")
    assert reader.pull() == 1 and reader.pull() == 0


def test_a_table_that_is_not_there_is_told(shop: DatabaseShop) -> None:
    shop.contacts = {"table": "no_such_table"}
    error = refusal(shop)
    assert "no_such_table" in str(error) and "[accounts.shop]" in str(error)
    assert [problem.what for problem in shop.connect().check() if "no_such_table" in problem.what]


def test_a_query_is_read_like_a_table(shop: DatabaseShop) -> None:
    shop.put("1", city="Ulm")
    shop.put("2", city="Bonn")
    shop.contacts = {
        "query": "WITH c AS (SELECT id, city FROM customers) SELECT * FROM c WHERE city = 'Ulm' -- only these\n;"
    }
    assert shop.connect().check() == []
    (page,) = shop.connect().read("contact", None)
    assert page.records["id"].to_pylist() == ["1"]


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "sqlite", "duckdb", "snowflake", "bigquery"])
@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM customers",
        "SELECT 1; DROP TABLE customers",
        "WITH gone AS (DELETE FROM customers RETURNING *) SELECT * FROM gone",
        "SELECT * INTO copy FROM customers",
        "SELECT * FROM customers FOR UPDATE",
        "CREATE TABLE x AS SELECT 1",
        "SET ROLE admin",
        "COPY customers TO '/tmp/x'",
        "SELECT (",
        "",
        "-- nothing",
        "EXPLAIN SELECT 1",
        "(" * 200 + "SELECT 1",
    ],
)
def test_what_is_not_one_select_is_refused(dialect: str, query: str) -> None:
    with pytest.raises(RequestError, match="query"):
        query_source(query, dialect, "query of [accounts.shop.contacts]")


@pytest.mark.parametrize(
    "text", ["1; DROP TABLE x", "(SELECT 1)", "DROP TABLE x", "a = 1) OR (SELECT 1) = (1", "", "x AS y"]
)
def test_a_condition_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="neither a column nor a condition"):
        condition(text, "postgres", "deleted of [accounts.shop.contacts]")


def test_a_function_that_would_write_is_refused_by_the_server(tmp_path: Path) -> None:
    shop = shop_of("postgres", tmp_path)
    shop.run("CREATE SEQUENCE numbers", "GRANT ALL ON numbers TO reader")
    shop.contacts = {"query": "SELECT setval('numbers', 99) AS id"}
    assert "read-only transaction" in str(refusal(shop))
    shop.close()


def test_addresses_of_people_in_what_a_server_says_are_not_repeated(tmp_path: Path) -> None:
    shop = shop_of("postgres", tmp_path)
    shop.put("1", email="ada@example.org")
    shop.contacts = {"query": "SELECT id, email::int AS age FROM customers"}
    error = str(refusal(shop))
    assert "ada@" not in error and "invalid input syntax" in error
    shop.close()


def test_a_deleted_mark_may_be_a_column_or_a_condition(shop: DatabaseShop) -> None:
    shop.run("ALTER TABLE customers ADD COLUMN state varchar(9)")
    for id in ("1", "2", "3"):
        shop.run(
            f"INSERT INTO customers VALUES ('{id}', NULL, NULL, NULL, NULL, NULL, {'NULL' if id == '1' else 1})"
        )
    for deleted in ("state", "state = '1' AND id <> '1'"):
        shop.contacts["deleted"] = deleted
        (page,) = shop.connect().read("contact", None)
        gone = {row["id"]: bool(row["deleted"]) for row in page.records.to_pylist()}
        assert gone == {"1": False, "2": True, "3": True}


def test_only_streams_of_the_config_are_there(shop: DatabaseShop) -> None:
    assert shop.connect().capabilities.streams == ("contact", "activity")
    with pytest.raises(UnsupportedError, match="no stream 'lead'"):
        next(iter(shop.connect().read("lead", None)))


# -- engines that nobody has run -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "extra", "asked"),
    [
        (
            "snowflake://u:p@acme/shop/public",
            "snowflake",
            'SELECT "Id" AS "c0" FROM "public"."customers" '
            'WHERE "at" >= CAST(\'2024-01-05 00:00:00+00:00\' AS TIMESTAMPTZ) ORDER BY "at"',
        ),
        (
            "bigquery://project/data",
            "bigquery",
            "SELECT `Id` AS `c0` FROM `public`.`customers` WHERE `at` >= CAST('2024-01-05 00:00:00+00:00' AS TIMESTAMP) ORDER BY `at`",
        ),
    ],
)
def test_the_untested_engines_say_so_and_speak_their_dialect(url: str, extra: str, asked: str) -> None:
    source = open_source(account(url=url))
    assert any("is untested" in note for note in source.diagnostics())
    (problem,) = source.check()
    assert f"pip install 'crm-segments[{extra}]'" in problem.remedy
    engine = engine_of(address_of(account(url=url)), 60)
    rows = table_source("public.customers", engine.dialect)
    bound = since("at", "2024-01-05 00:00:00+00:00", "instant", engine.dialect)
    assert rows.rows([name("Id")], bound, "at") == asked


# -- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({}, "which database"),
        ({"url": "env:X", "host": "h"}, "url and host are two ways"),
        ({"engine": "postgres"}, "needs host"),
        ({"engine": "sqlite"}, "needs path"),
        ({"url": "x", "contacts": {}}, "nothing is read"),
        ({"url": "x", "contacts": {"table": "a", "query": "SELECT 1"}}, "cannot both be set"),
        ({"url": "x", "contacts": {"changed_at": "a"}}, "does not say where its rows are"),
        ({"url": "x", "activities": {"table": "a", "line_items": "blank"}}, "rows in their order"),
        (
            {"url": "x", "activities": {"table": "a", "line_items": "repeat", "changed_at": "b"}},
            "all rows of an order",
        ),
        ({"url": "x", "activities": {"table": "a", "newest_wins": "never"}}, "has an order only once"),
        ({"url": "x", "contacts": {"table": "a", "columns": {"emial": "b"}}}, "no column of records"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_words(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        account(**settings)


def test_a_name_that_is_no_table_is_refused() -> None:
    for text in (".", "a..b", "a.b.c.d", " "):
        with pytest.raises(RequestError, match="not the name of a table"):
            table_source(text, "postgres")


def test_opening_a_source_connects_nowhere() -> None:
    source = open_source(replace(account(url="postgresql://u:p@no-such-host.invalid/x")))
    assert (source.calls.read, source.check_reading.__name__) == (0, "check_reading")
