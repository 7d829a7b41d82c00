"""Does a database that nobody described become a config that works, and are recency, frequency and money right?"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from typer.testing import CliRunner

from connectors.sql.engines.postgres import PostgresEngine
from sync import commands
from sync.cli import app
from sync.config.config import load
from sync.exit_codes import CommandError, UsageError
from tests import landed_shopify
from tests.database_shops import KINDS, rows_of
from tests.servers.databases import PASSWORD
from tests.warehouses import NAIVE, OPTIONS, Warehouse


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


@pytest.mark.parametrize("kind", KINDS)
def test_a_refund_that_is_landed_after_its_order_is_read_at_the_next_pull(
    kind: str, warehouse: Callable[[str], Warehouse]
) -> None:
    """Though the order's own row does not move: the loader brings its tables one by one."""
    there = warehouse(kind)
    there.land("shop")
    there.init()
    source = there.source()
    position = [*source.read("activity", None)][-1].position
    source.close()
    later = landed_shopify.SYNCED + timedelta(hours=6)
    refund = landed_shopify.paid(9901, 101, "refund", "0.10", _fivetran_synced=later)
    there.insert(*refund, schema="shop")
    source = there.source()
    read = rows_of([*source.read("activity", position)])
    source.close()
    fresh = [row for row in read if not row.get("deleted")]
    assert [(row["order_id"], row["amount_minor"]) for row in fresh] == [("101", 8000)]


@pytest.mark.parametrize("kind", ["postgres", "mariadb", "duckdb"])
def test_times_that_are_landed_without_a_zone_are_those_of_utc(
    kind: str, warehouse: Callable[[str], Warehouse]
) -> None:
    there = warehouse(kind)
    there.land("shop", INSTANT=NAIVE[kind])
    there.init(time_zone="America/Los_Angeles")
    source = there.source()
    moments = {row["order_id"]: row["occurred_at"] for row in rows_of([*source.read("activity", None)])}
    source.close()
    assert moments["101"] == landed_shopify.at(1)


@pytest.mark.parametrize("kind", ["mariadb", "duckdb"])
def test_tables_with_a_prefix_are_recognised(kind: str, warehouse: Callable[[str], Warehouse]) -> None:
    there = warehouse(kind)
    there.land(prefix="shopify_")
    answer = there.init()
    assert all(read["sure"].startswith("recognised as Shopify") for read in answer["read_as"])
    assert answer["preview"]["revenue"] == sum(money for _, money, _ in landed_shopify.BY_HAND.values())


def test_staging_views_of_a_shop_are_no_second_shop(warehouse: Callable[[str], Warehouse]) -> None:
    there = warehouse("postgres")
    there.land("shopify")
    there.shop.run(
        "CREATE SCHEMA dbt_stg",
        'CREATE VIEW dbt_stg.stg_shopify__order_tmp AS SELECT * FROM shopify."order"',
        "CREATE MATERIALIZED VIEW dbt_stg.stg_shopify__customer_tmp AS SELECT * FROM shopify.customer",
    )
    there.let_read("dbt_stg")
    assert [read["files"] for read in there.init()["read_as"]] == [["shopify.customer"], ["shopify.order"]]


def test_former_versions_of_rows_do_not_count(warehouse: Callable[[str], Warehouse]) -> None:
    there = warehouse("duckdb")
    there.land("eu")
    for table in ("order", "customer", "transaction"):
        there.shop.run(f'ALTER TABLE shop.eu."{table}" ADD COLUMN _fivetran_active boolean DEFAULT true')
    former: dict[str, Any] = {
        "_fivetran_active": False,
        "_fivetran_synced": landed_shopify.SYNCED - timedelta(days=1),
    }
    there.insert("order", landed_shopify.order(101, 1, 1, "500.00", **former)[1], schema="eu")
    there.insert("customer", landed_shopify.customer(1, "former@example.org", **former)[1], schema="eu")
    there.insert("transaction", landed_shopify.paid(9101, 101, "refund", "80.00", **former)[1], schema="eu")
    there.init()
    source = there.source()
    assert by_customer(rows_of([*source.read("activity", None)])) == landed_shopify.BY_HAND
    people = {row["id"]: row["email"] for row in rows_of([*source.read("contact", None)])}
    source.close()
    assert people["1"] == "ann@example.org"


def test_a_refund_of_an_order_without_a_payment_is_told_by_its_lines(
    warehouse: Callable[[str], Warehouse],
) -> None:
    there = warehouse("duckdb")
    there.land("eu")
    bought = landed_shopify.order(900, 4, 12, "30.00", financial_status="partially_refunded")
    there.insert(*bought, schema="eu")
    there.insert("refund", {"id": 9900, "order_id": 900}, schema="eu")
    there.insert(*landed_shopify.given_back(9, 9900, 5102, "8.00", "2.00"), schema="eu")
    there.init()
    source = there.source()
    found = by_customer(rows_of([*source.read("activity", None)]))
    source.close()
    assert found == {**landed_shopify.BY_HAND, "4": (1, 2000, 12)}


def test_tables_that_nobody_knows_are_described_by_a_file_of_the_users_own(
    warehouse: Callable[[str], Warehouse],
) -> None:
    there = warehouse("sqlite")
    there.shop.run(
        "CREATE TABLE zt_people (nr integer, mail text)",
        "CREATE TABLE zt_slips (nr integer, who integer, at text, cents integer, dead integer)",
        "INSERT INTO zt_people VALUES (1, 'a@example.org')",
        "INSERT INTO zt_slips VALUES (5, 1, '2026-10-01 10:00', 1234, 0), (6, 1, '2026-10-02 10:00', 99, 1)",
    )
    own = there.folder / "till.toml"
    own.write_text("""
        name = "till"
        title = "Our till"
        [[landed]]
        stream = "contact"
        title = "people"
        table = "people"
        signature = ["nr", "mail"]
        columns = { id = "nr", email = "mail" }
        [[landed]]
        stream = "activity"
        title = "slips"
        table = "slips"
        signature = ["nr", "who", "cents"]
        amounts = "gross"
        columns = { id = "nr", contact_id = "who", occurred_at = "at", amount = "cents * 0.01" }
        status.dead = { counted = ["0"], left_out = ["1"] }
    """)
    answer = there.init(platform=own)
    assert answer["read_as"][1]["sure"] == "recognised as Our till, slips"
    assert (answer["preview"]["orders"], answer["preview"]["revenue"]) == (1, 1234)


def test_of_several_shops_in_a_database_none_is_taken_until_somebody_says_which(
    warehouse: Callable[[str], Warehouse],
) -> None:
    there = warehouse("postgres")
    there.land("shopify_eu")
    there.land("shopify_us")
    with pytest.raises(CommandError) as refused:
        there.init()
    assert "Shopify in shopify_eu; Shopify in shopify_us" in str(refused.value)
    assert "--schema" in str(refused.value) and not there.config.exists()
    there.insert("order", landed_shopify.order(900, 1, 12, "1.00")[1], schema="shopify_us")
    assert there.init(schema="shopify_us")["preview"]["orders"] == 9
    assert "shopify_eu" not in there.config.read_text()
    with pytest.raises(UsageError, match="valid: public, shopify_eu, shopify_us"):
        there.init(schema="shopify_uk")


def test_a_user_who_may_read_some_tables_alone_gets_what_they_tell_and_is_told_what_is_missing(
    warehouse: Callable[[str], Warehouse],
) -> None:
    there = warehouse("postgres")
    there.land("shop")
    there.shop.run(
        'REVOKE SELECT ON shop."transaction", shop.order_line FROM reader',
        "GRANT SELECT (id, order_id) ON shop.order_line TO reader",
    )
    answer = there.init()
    assert "payments" not in there.config.read_text()
    assert any("which lines sell gift cards: they count as purchases" in note for note in answer["notes"])
    source = there.source()
    found = by_customer(rows_of([*source.read("activity", None)]))
    source.close()
    # refunded lines and adjustments tell alone: only the gift cards and what is outstanding are not known
    assert found == {
        **landed_shopify.BY_HAND,
        "3": (2, 7500 + 6000 - 2000, 4),
        "6": (2, 10000 - 5000 + 3000, 8),
    }
    there.shop.run(
        "REVOKE SELECT ON ALL TABLES IN SCHEMA shop, public FROM reader",
        "REVOKE SELECT (id, order_id) ON shop.order_line FROM reader",
    )
    with pytest.raises(
        CommandError, match="may not read any table of the database: ask an administrator for GRANT"
    ):
        there.init()


def test_columns_that_are_missing_are_left_out_of_the_query(warehouse: Callable[[str], Warehouse]) -> None:
    there = warehouse("duckdb")
    there.land("shop")
    there.shop.run(
        *(
            f'ALTER TABLE shop.shop."order" DROP COLUMN {name}'
            for name in ("processed_at", "test", "_fivetran_deleted")
        ),
        "ALTER TABLE shop.shop.transaction DROP COLUMN test",
        "ALTER TABLE shop.shop.order_line_refund DROP COLUMN total_tax",
    )
    there.init()
    assert commands.check(there.config, OPTIONS)["exit_code"] == 0
    source = there.source()
    orders = {row["order_id"] for row in rows_of([*source.read("activity", None)])}
    source.close()
    assert {"103", "105"} < orders  # nothing says any more that one was a test, and one is gone


def test_amounts_in_two_currencies_are_those_of_the_account_or_refused_and_that_is_said(
    warehouse: Callable[[str], Warehouse],
) -> None:
    there = warehouse("duckdb")
    there.land("shop")
    there.insert("order", landed_shopify.order(900, 1, 12, "10.00", currency="SEK")[1], schema="shop")
    answer = there.init()
    assert answer["currency"] == "EUR"
    assert answer["preview"]["revenue"] == sum(money for _, money, _ in landed_shopify.BY_HAND.values())
    assert [
        (reason.startswith("no rate for currency"), number)
        for reason, number in answer["preview"]["refused"].items()
    ] == [(True, 1)]


def test_a_catalogue_of_a_thousand_tables_is_asked_once_and_takes_seconds(
    warehouse: Callable[[str], Warehouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = warehouse("postgres")
    columns = ", ".join(f"column_{number} text" for number in range(30))
    there.shop.run(
        "CREATE SCHEMA erp",
        f"DO $$ BEGIN FOR n IN 1..1000 LOOP EXECUTE 'CREATE TABLE erp.order_part_' || n || ' (id int, email text, {columns})'; "
        "END LOOP; END $$",
    )
    there.let_read("erp")
    there.land("shop")
    asked: list[str] = []
    plain = PostgresEngine.batches

    def counted(engine: PostgresEngine, statement: str) -> Any:
        asked.append(statement)
        return plain(engine, statement)

    monkeypatch.setattr(PostgresEngine, "batches", counted)
    began = time.process_time()
    there.init()
    assert time.process_time() - began < 10
    assert len([statement for statement in asked if "pg_attribute" in statement]) == 1
    assert len(asked) < 40


@pytest.mark.parametrize("kind", ["postgres", "duckdb"])
def test_marts_are_taken_before_the_tables_that_they_are_made_of(
    kind: str, warehouse: Callable[[str], Warehouse]
) -> None:
    there = warehouse(kind)
    there.shop.run(
        "CREATE SCHEMA marts",
        "CREATE TABLE marts.dim_customers (customer_id bigint, email text, country text, is_deleted boolean)",
        "CREATE TABLE marts.fct_orders (order_id bigint, customer_id bigint, ordered_at timestamp, status text, "
        "order_total numeric(12, 2), currency text, updated_at timestamp)",
        "CREATE TABLE marts.stg_orders (order_id bigint, customer_id bigint, ordered_at timestamp, order_total numeric(12, 2))",
        "CREATE TABLE marts.fct_sessions (session_id bigint, customer_id bigint, started_at timestamp)",
        "INSERT INTO marts.dim_customers VALUES (1, 'a@example.org', 'DE', false), "
        "(2, 'b@example.org', 'FR', false), (3, 'c@example.org', 'FR', true)",
        "INSERT INTO marts.fct_orders VALUES (7, 1, '2026-10-01 10:00', 'completed', 10.10, 'EUR', '2026-10-01'), "
        "(8, 1, '2026-10-02 10:00', 'cancelled', 99, 'EUR', '2026-10-02'), "
        "(9, 2, '2026-10-03 10:00', 'completed', 20, 'EUR', '2026-10-03')",
        "INSERT INTO marts.stg_orders VALUES (7, 1, '2026-10-01 10:00', 10.10)",
    )
    there.let_read("marts")
    answer = there.init()
    assert [read["files"] for read in answer["read_as"]] == [["marts.dim_customers"], ["marts.fct_orders"]]
    assert (answer["preview"]["contacts"], answer["preview"]["orders"], answer["preview"]["revenue"]) == (
        2,
        2,
        3010,
    )
    assert "check them" in answer["read_as"][0]["sure"]
    settings = load(there.config).accounts["warehouse"].settings
    assert (settings.activities.changed_at, settings.contacts.deleted) == ("updated_at", "is_deleted")
    assert commands.check(there.config, OPTIONS)["exit_code"] == 0


def test_tables_of_ours_are_never_taken_for_contacts(warehouse: Callable[[str], Warehouse]) -> None:
    there = warehouse("postgres")
    there.land("shop")
    there.shop.run(f"GRANT CREATE ON DATABASE {there.shop.where['url'].rpartition('/')[2]} TO reader")
    there.init(segments_schema="crm_segments")
    commands.setup(there.config, OPTIONS, confirm=lambda _steps: True)
    plan: Any = commands.plan(there.config, OPTIONS)["plan"]["plan"]
    commands.apply(there.config, OPTIONS, number=plan)
    again = there.init(segments_schema="crm_segments")
    assert [read["files"] for read in again["read_as"]] == [["shop.customer"], ["shop.order"]]


def test_from_a_database_to_segments_in_it_and_in_a_crm(warehouse: Callable[[str], Warehouse]) -> None:
    """The five lines of the README, with a folder in the place of HubSpot."""
    there = warehouse("postgres")
    there.land("shop")
    there.shop.run(f"GRANT CREATE ON DATABASE {there.shop.where['url'].rpartition('/')[2]} TO reader")
    words = [
        "--config",
        str(there.config),
        "--url",
        there.log_in["url"],
        "--segments-schema",
        "crm_segments",
        "--yes",
    ]
    shown = CliRunner().invoke(app, ["init", *words])
    assert shown.exit_code == 0, shown.output
    assert "shop.order: recognised as Shopify, orders, as Fivetran lands them" in shown.output
    assert "8 orders of" in shown.output and PASSWORD not in shown.output
    (there.folder / "exports").mkdir()
    (there.folder / "exports" / "contacts.csv").write_text(
        "id,email\nc1,ann@example.org\nc2,cy@example.org\n"
    )
    (there.folder / "exports" / "activities.csv").write_text("contact_id,occurred_at\n")
    with there.config.open("a") as file:
        file.write('[accounts.crm]\ncrm = "files"\npath = "exports"\nactivity_from = ["warehouse"]\n')
    assert commands.check(there.config, OPTIONS)["exit_code"] == 0
    commands.setup(there.config, OPTIONS, confirm=lambda _steps: True)
    planned: Any = commands.plan(there.config, OPTIONS)
    for account in planned["accounts"]:
        commands.apply(there.config, OPTIONS, number=account["plan"]["plan"])
    there.shop.run(
        "CREATE TABLE seen AS SELECT count(*) AS number FROM crm_segments.contact_seg_rfm",
        "DO $$ BEGIN ASSERT (SELECT number FROM seen) = 5; END $$",
    )
    segments = (there.folder / "exports" / "segments.csv").read_text().splitlines()
    assert len([line for line in segments[1:] if "prospect" not in line]) == 2


def test_a_secret_is_named_and_never_written(
    warehouse: Callable[[str], Warehouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = warehouse("postgres")
    there.land("shop")
    with pytest.raises(UsageError, match="--url: a secret must not stand in the config"):
        there.init(log_in={"url": there.shop.where["url"]})
    there.init()
    assert (
        PASSWORD not in there.config.read_text() and quote(PASSWORD, safe="") not in there.config.read_text()
    )
    monkeypatch.delenv("WAREHOUSE_SECRET")
    with pytest.raises(CommandError, match="export WAREHOUSE_SECRET"):
        there.init()
