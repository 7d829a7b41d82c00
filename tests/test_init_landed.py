"""Are the tables of other platforms and loaders recognised, and what they come to right?

Tables and columns are those that the loaders document: Fivetran's dbt packages for Stripe, HubSpot and Salesforce
(``macros/get_*_columns.sql``), Airbyte's schemas of source-shopify and source-stripe, and the names that dlt makes of
nested JSON. Rows are made up, with some of each kind that must not count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync import commands
from tests.database_shops import rows_of
from tests.warehouses import OPTIONS, Warehouse

SYNC = "'2026-11-20 03:00:00+00'"


Make = Callable[[str], Warehouse]


def landed(there: Warehouse, *statements: str) -> dict[str, Any]:
    """What ``init`` says of these tables, whose config is found right."""
    there.shop.run("DROP TABLE customers", "DROP TABLE orders", *statements)
    there.let_read()
    answer = there.init()
    checked = commands.check(there.config, OPTIONS)
    assert checked["exit_code"] == 0, checked["problems"]
    return answer


def purchases(there: Warehouse) -> dict[str, tuple[str | None, int | None, str]]:
    """Owner, amount and day of each order that counts."""
    source = there.source()
    rows = [row for row in rows_of([*source.read("activity", None)]) if not row.get("deleted")]
    source.close()
    return {
        row["order_id"]: (row["record_id"], row["amount_minor"], row["occurred_at"].date().isoformat())
        for row in rows
    }


def people(there: Warehouse) -> set[str]:
    source = there.source()
    rows = rows_of([*source.read("contact", None)])
    source.close()
    return {row["id"] for row in rows if not row.get("deleted")}


@pytest.mark.parametrize("kind", ["postgres", "duckdb"])
def test_stripe_as_fivetran_lands_it(kind: str, warehouse: Make) -> None:
    there = warehouse(kind)
    answer = landed(
        there,
        "CREATE TABLE customer (id text, email text, name text, phone text, created timestamptz, currency text, delinquent boolean, "
        "livemode boolean, is_deleted boolean, balance int, _fivetran_synced timestamptz)",
        "CREATE TABLE charge (id text, amount int, amount_refunded int, balance_transaction_id text, captured boolean, "
        "created timestamptz, "
        "currency text, customer_id text, description text, invoice_id text, livemode boolean, paid boolean, receipt_email text, "
        "refunded boolean, status text, payment_intent_id text, _fivetran_synced timestamptz)",
        f"INSERT INTO customer (id, email, created, is_deleted, _fivetran_synced) VALUES ('cus_1', 'a@example.org', {SYNC}, "
        f"false, {SYNC}), "
        f"('cus_2', 'b@example.org', {SYNC}, true, {SYNC}), ('cus_3', 'c@example.org', {SYNC}, NULL, {SYNC})",
        "INSERT INTO charge (id, amount, amount_refunded, captured, created, currency, customer_id, livemode, status, "
        "_fivetran_synced) VALUES "
        + ", ".join(
            f"('{id}', {amount}, {refunded}, {captured}, '2026-10-0{day} 12:00:00+00', '{currency}', '{customer}', {live}, "
            f"'{status}', {SYNC})"
            for id, amount, refunded, captured, day, currency, customer, live, status in (
                ("ch_1", 1234, 0, "true", 1, "eur", "cus_1", "true", "succeeded"),
                ("ch_2", 5000, 1999, "true", 2, "eur", "cus_1", "true", "succeeded"),
                ("ch_3", 7000, 0, "true", 3, "eur", "cus_1", "true", "failed"),
                ("ch_4", 7000, 0, "false", 3, "eur", "cus_1", "true", "succeeded"),
                ("ch_5", 7000, 0, "true", 3, "eur", "cus_1", "false", "succeeded"),
                ("ch_6", 7000, 7000, "true", 3, "eur", "cus_3", "true", "succeeded"),
                ("ch_7", 7000, 0, "true", 3, "eur", "cus_3", "true", "pending"),
            )
        ),
    )  # fmt: skip
    assert [read["sure"] for read in answer["read_as"]] == [
        "recognised as Stripe, customers, as Fivetran lands them",
        "recognised as Stripe, charges, as Fivetran lands them",
    ]
    assert purchases(there) == {"ch_1": ("cus_1", 1234, "2026-10-01"), "ch_2": ("cus_1", 3001, "2026-10-02")}
    assert people(there) == {"cus_1", "cus_3"}
    assert any("'pending' (1 rows) is not counted" in note for note in answer["notes"])


def test_yen_have_no_cents_and_dinars_have_three(warehouse: Make) -> None:
    there = warehouse("duckdb")
    charges = "id text, amount int, amount_refunded int, currency text, status text, created bigint, customer text, captured boolean"
    for currency, cents in (("jpy", 1500), ("kwd", 1500)):
        answer = landed(
            there,
            "CREATE OR REPLACE TABLE customers (id text, email text, created bigint)",
            f"CREATE OR REPLACE TABLE charges ({charges}, _airbyte_extracted_at timestamptz)",
            "CREATE OR REPLACE TABLE orders (id text)",  # of the plain shop: dropped above
            "INSERT INTO customers VALUES ('cus_1', 'a@example.org', 1790000000)",
            f"INSERT INTO charges VALUES ('ch_1', 1500, 0, '{currency}', 'succeeded', 1790812800, 'cus_1', true, {SYNC})",
        )
        assert answer["currency"] == currency.upper()
        assert purchases(there) == {"ch_1": ("cus_1", cents, "2026-10-01")}


@pytest.mark.parametrize("kind", ["postgres", "duckdb"])
def test_hubspot_as_fivetran_lands_it(kind: str, warehouse: Make) -> None:
    there = warehouse(kind)
    deals = "deal_id bigint, portal_id bigint, deal_pipeline_id text, deal_pipeline_stage_id text, owner_id bigint, is_deleted boolean, "
    answer = landed(
        there,
        "CREATE TABLE contact (id bigint, property_email text, property_firstname text, property_lastname text, "
        "property_createdate timestamptz, "
        "property_jobtitle text, property_hs_email_optout boolean, _fivetran_deleted boolean, _fivetran_synced timestamptz)",
        f"CREATE TABLE deal ({deals} property_dealname text, property_amount double precision, property_closedate timestamptz, "
        "_fivetran_deleted boolean, _fivetran_synced timestamptz)",
        "CREATE TABLE deal_contact (deal_id bigint, contact_id bigint, _fivetran_synced timestamptz)",
        "CREATE TABLE deal_pipeline_stage (stage_id text, pipeline_id text, label text, closed_won boolean, active boolean, "
        "_fivetran_deleted boolean, _fivetran_synced timestamptz)",
        f"INSERT INTO contact (id, property_email, property_hs_email_optout, _fivetran_deleted, _fivetran_synced) VALUES "
        f"(1, 'a@example.org', true, false, {SYNC}), (2, 'b@example.org', NULL, false, {SYNC}), (3, 'c@example.org', NULL, true, {SYNC})",
        f"INSERT INTO deal_pipeline_stage VALUES ('77', 'p', 'Geschafft', true, true, false, {SYNC}), ('78', 'p', 'Verloren', "
        f"false, true, false, {SYNC})",
        "INSERT INTO deal (deal_id, deal_pipeline_stage_id, is_deleted, property_amount, property_closedate, "
        "_fivetran_deleted, _fivetran_synced) "
        "VALUES " + ", ".join(
            f"({id}, '{stage}', {gone}, {amount}, '2026-10-0{day} 12:00:00+00', {deleted}, {SYNC})"
            for id, stage, gone, amount, day, deleted in (
                (11, 77, "false", 100.5, 1, "false"), (12, 78, "false", 90, 2, "false"), (13, 77, "true", 80, 3, "false"),
                (14, 77, "false", 70, 4, "true"), (15, 77, "NULL", 60, 5, "NULL"),
            )
        ),
        f"INSERT INTO deal_contact VALUES (11, 2, {SYNC}), (11, 1, {SYNC}), (12, 1, {SYNC}), (13, 1, {SYNC}), (14, 1, "
        f"{SYNC}), (15, 2, {SYNC})",
    )  # fmt: skip
    assert all("recognised as HubSpot" in read["sure"] for read in answer["read_as"])
    assert purchases(there) == {"11": ("1", 10050, "2026-10-01"), "15": ("2", 6000, "2026-10-05")}
    assert people(there) == {"1", "2"}


@pytest.mark.parametrize("names", ["snake", "camel"])
def test_salesforce_as_fivetran_and_as_airbyte_lands_it(names: str, warehouse: Make) -> None:
    there = warehouse("postgres")

    def name(snake: str) -> str:
        return (
            snake if names == "snake" else '"' + "".join(part.capitalize() for part in snake.split("_")) + '"'
        )

    def table(snake: str, *columns: str) -> str:
        typed = [column.split(" ", 1) for column in columns]
        listed = ", ".join(f"{name(column)} {type_}" for column, type_ in typed)
        mark = "_fivetran_synced" if names == "snake" else "_airbyte_extracted_at"
        return f"CREATE TABLE {name(snake)} ({listed}, {mark} timestamptz DEFAULT {SYNC})"

    contact = (
        "id text",
        "email text",
        "first_name text",
        "last_name text",
        "account_id text",
        "is_deleted boolean",
        "system_modstamp timestamptz",
    )
    deal = (
        "id text",
        "account_id text",
        "amount numeric(18, 2)",
        "close_date date",
        "is_won boolean",
        "is_closed boolean",
        "is_deleted boolean",
    )
    won = f"INSERT INTO {name('opportunity')} VALUES"
    answer = landed(
        there,
        table("contact", *contact),
        table("account", "id text", "name text", "owner_id text", "is_deleted boolean"),
        table("opportunity", *deal, "stage_name text"),
        table("opportunity_contact_role", "id text", "opportunity_id text", "contact_id text", "is_primary boolean",
        "is_deleted boolean"),
        f"INSERT INTO {name('contact')} VALUES ('003000000000001AAA', 'a@example.org', 'A', 'B', '001000000000001AAA', false), "
        "('003000000000002AAA', 'b@example.org', 'A', 'B', '001000000000001AAA', false), ('003000000000003AAA', "
        "'c@example.org', 'A', 'B', NULL, true)",
        f"INSERT INTO {name('account')} VALUES ('001000000000001AAA', 'Acme', '005', false)",
        f"{won} ('006000000000001AAA', '001000000000001AAA', 100.25, '2026-10-01', true, true, false, 'Closed Won')",
        f"{won} ('006000000000002AAA', '001000000000001AAA', 50, '2026-10-02', false, true, false, 'Closed Lost')",
        f"{won} ('006000000000003AAA', '001000000000001AAA', 60, '2026-10-03', true, true, true, 'Closed Won')",
        f"{won} ('006000000000004AAA', '001000000000001AAA', 70, '2026-10-04', true, true, false, 'Closed Won')",
        f"INSERT INTO {name('opportunity_contact_role')} VALUES ('1', '006000000000001AAA', '003000000000001AAA', false, false), "
        "('2', '006000000000001AAA', '003000000000002AAA', true, false)",
    )  # fmt: skip
    assert [read["stream"] for read in answer["read_as"]] == ["contact", "company", "activity"]
    assert all("recognised as Salesforce" in read["sure"] for read in answer["read_as"])
    assert purchases(there) == {
        "006000000000001AAA": ("003000000000002AAA", 10025, "2026-10-01"),
        "006000000000004AAA": ("001000000000001AAA", 7000, "2026-10-04"),
    }
    assert people(there) == {"003000000000001AAA", "003000000000002AAA"}


def test_shopify_as_airbyte_lands_it_with_the_customer_in_json(warehouse: Make) -> None:
    there = warehouse("postgres")
    answer = landed(
        there,
        "CREATE TABLE customers (id bigint, email text, first_name text, last_name text, accepts_marketing boolean, orders_count bigint, "
        "updated_at timestamptz, _airbyte_raw_id text, _airbyte_extracted_at timestamptz, _airbyte_meta jsonb)",
        "CREATE TABLE orders (id bigint, email text, test boolean, currency text, customer jsonb, total_price numeric, "
        "current_total_price numeric, "
        "total_outstanding text, financial_status text, cancelled_at timestamptz, created_at timestamptz, processed_at text, "
        "updated_at timestamptz, "
        "line_items jsonb, refunds jsonb, _airbyte_raw_id text, _airbyte_extracted_at timestamptz, _airbyte_meta jsonb)",
        f"INSERT INTO customers (id, email, _airbyte_extracted_at) VALUES (7, 'a@example.org', {SYNC})",
        "INSERT INTO orders (id, test, currency, customer, total_price, current_total_price, financial_status, created_at, "
        "_airbyte_extracted_at) "
        f"VALUES (1, false, 'EUR', '{{\"id\": 7}}', 50, 38.50, 'PARTIALLY_REFUNDED', '2026-10-01 12:00:00+00', {SYNC}), "
        f"(2, true, 'EUR', '{{\"id\": 7}}', 70, 70, 'PAID', '2026-10-01 12:00:00+00', {SYNC})",
    )
    assert "as Airbyte lands them" in answer["read_as"][1]["sure"]
    assert purchases(there) == {"1": ("7", 3850, "2026-10-01")}


def test_shopify_as_dlt_lands_it_with_payments_below_the_order(warehouse: Make) -> None:
    there = warehouse("duckdb")
    answer = landed(
        there,
        "CREATE TABLE customers (id bigint, email text, first_name text, last_name text, verified_email boolean, created_at timestamptz, "
        "updated_at timestamptz, _dlt_load_id text, _dlt_id text)",
        "CREATE TABLE orders (id bigint, email text, test boolean, currency text, customer__id bigint, total_price text, "
        "financial_status text, "
        "cancelled_at timestamptz, created_at timestamptz, processed_at timestamptz, updated_at timestamptz, "
        "_dlt_load_id text, _dlt_id text)",
        "CREATE TABLE orders__refunds__transactions (id bigint, order_id bigint, kind text, status text, amount text, "
        "currency text, test boolean, "
        "_dlt_parent_id text, _dlt_list_idx bigint, _dlt_id text)",
        "INSERT INTO customers (id, email, first_name, created_at, _dlt_load_id) VALUES (7, 'a@example.org', 'A', "
        "'2026-01-01', '1790000000.123')",
        "INSERT INTO orders (id, test, currency, customer__id, total_price, financial_status, created_at, _dlt_load_id) VALUES "
        "(1, false, 'EUR', 7, '50.00', 'partially_refunded', '2026-10-01 12:00:00+00', '1790000000.123')",
        "INSERT INTO orders__refunds__transactions (order_id, kind, status, amount, currency) VALUES (1, 'refund', 'success', "
        "'11.50', 'EUR')",
    )
    assert "as dlt lands them" in answer["read_as"][1]["sure"]
    assert purchases(there) == {"1": ("7", 3850, "2026-10-01")}
    assert (
        'changed_at = "changed_at"' in there.config.read_text()
        or 'changed_at = "_dlt_load_id"' in there.config.read_text()
    )
