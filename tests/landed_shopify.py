"""A shop's data as Fivetran lands it from Shopify, with all that must not count, and what it comes to by hand.

Tables and columns are those that Fivetran documents and that its dbt package reads (github.com/fivetran/dbt_shopify,
``macros/staging``); whose rows they are is made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_MARKS = "_fivetran_synced INSTANT"
TABLES: Mapping[str, str] = {
    "customer": "id bigint, email TEXT_, first_name TEXT_, last_name TEXT_, phone TEXT_, state TEXT_, orders_count bigint, "
    "total_spent FLOAT_, accepts_marketing BOOL_, accepts_marketing_updated_at INSTANT, email_marketing_consent_state TEXT_, "
    "email_marketing_consent_opt_in_level TEXT_, verified_email BOOL_, tax_exempt BOOL_, default_address_id bigint, note TEXT_, "
    "currency TEXT_, created_at INSTANT, updated_at INSTANT, _fivetran_deleted BOOL_, " + _MARKS,
    "order": "id bigint, customer_id bigint, email TEXT_, name TEXT_, number bigint, order_number bigint, note TEXT_, test BOOL_, "
    "confirmed BOOL_, currency TEXT_, presentment_currency TEXT_, total_price FLOAT_, total_price_set TEXT_, subtotal_price FLOAT_, "
    "total_tax FLOAT_, total_discounts FLOAT_, total_line_items_price FLOAT_, total_tip_received FLOAT_, taxes_included BOOL_, "
    "financial_status TEXT_, fulfillment_status TEXT_, cancel_reason TEXT_, cancelled_at INSTANT, closed_at INSTANT, "
    "created_at INSTANT, processed_at INSTANT, updated_at INSTANT, source_name TEXT_, location_id bigint, user_id bigint, "
    "shipping_address_country_code TEXT_, billing_address_country_code TEXT_, customer_locale TEXT_, token TEXT_, "
    "_fivetran_deleted BOOL_, " + _MARKS,
    "order_line": "id bigint, order_id bigint, product_id bigint, variant_id bigint, name TEXT_, title TEXT_, sku TEXT_, vendor TEXT_, "
    "price FLOAT_, price_set TEXT_, quantity FLOAT_, total_discount FLOAT_, gift_card BOOL_, taxable BOOL_, requires_shipping BOOL_, "
    "fulfillment_status TEXT_, grams FLOAT_, properties TEXT_, " + _MARKS,
    "refund": "id bigint, order_id bigint, user_id bigint, note TEXT_, restock BOOL_, created_at INSTANT, processed_at INSTANT, "
    "total_duties_set TEXT_, " + _MARKS,
    "order_line_refund": "id bigint, refund_id bigint, order_line_id bigint, location_id bigint, quantity FLOAT_, restock_type TEXT_, "
    "subtotal FLOAT_, subtotal_set TEXT_, total_tax FLOAT_, total_tax_set TEXT_, " + _MARKS,
    "order_adjustment": "id bigint, order_id bigint, refund_id bigint, amount FLOAT_, amount_set TEXT_, tax_amount FLOAT_, "
    "tax_amount_set TEXT_, kind TEXT_, reason TEXT_, " + _MARKS,
    "transaction": "id bigint, order_id bigint, refund_id bigint, parent_id bigint, kind TEXT_, status TEXT_, amount FLOAT_, "
    "currency TEXT_, gateway TEXT_, source_name TEXT_, message TEXT_, test BOOL_, error_code TEXT_, receipt TEXT_, "
    "created_at INSTANT, processed_at INSTANT, " + _MARKS,
    "customer_tag": 'customer_id bigint, "index" bigint, value TEXT_, ' + _MARKS,
    "order_shipping_line": "id bigint, order_id bigint, code TEXT_, title TEXT_, price FLOAT_, discounted_price FLOAT_, "
    + _MARKS,
    "order_discount_code": 'order_id bigint, "index" bigint, code TEXT_, amount FLOAT_, type TEXT_, '
    + _MARKS,
    "product": "id bigint, title TEXT_, handle TEXT_, product_type TEXT_, vendor TEXT_, created_at INSTANT, updated_at INSTANT, "
    "_fivetran_deleted BOOL_, " + _MARKS,
    "abandoned_checkout": "id bigint, customer_id bigint, email TEXT_, currency TEXT_, total_price FLOAT_, subtotal_price FLOAT_, "
    "created_at INSTANT, updated_at INSTANT, _fivetran_deleted BOOL_, " + _MARKS,
}
SYNCED = datetime(2026, 11, 20, 3, tzinfo=UTC)


def customer(id: int, email: str | None, **cells: Any) -> tuple[str, dict[str, Any]]:
    state = "subscribed" if id % 2 else "not_subscribed"
    usual = {
        "first_name": f"N{id}",
        "last_name": "O'Neil",
        "email_marketing_consent_state": state,
        "_fivetran_deleted": False,
    }
    return "customer", {"id": id, "email": email, "created_at": at(1), **usual, **cells}


def order(id: int, customer_id: int | None, day: int, total: str, **cells: Any) -> tuple[str, dict[str, Any]]:
    usual = {
        "test": False,
        "currency": "EUR",
        "financial_status": "paid",
        "_fivetran_deleted": False,
        "name": f"#{id}",
    }
    times = {"created_at": at(day), "processed_at": at(day), "updated_at": at(day)}
    return "order", {
        "id": id,
        "customer_id": customer_id,
        "total_price": Decimal(total),
        **usual,
        **times,
        **cells,
    }


def paid(
    id: int, order_id: int, kind: str, amount: str, status: str = "success", **cells: Any
) -> tuple[str, dict[str, Any]]:
    refund = id if kind == "refund" else None
    usual = {"refund_id": refund, "currency": "EUR", "test": False, "status": status, "kind": kind}
    return "transaction", {"id": id, "order_id": order_id, "amount": Decimal(amount), **usual, **cells}


def line(
    id: int, order_id: int, price: str, quantity: int, gift_card: bool = False
) -> tuple[str, dict[str, Any]]:
    cells = {"price": Decimal(price), "quantity": quantity, "total_discount": 0, "gift_card": gift_card}
    return "order_line", {"id": id, "order_id": order_id, **cells}


def given_back(id: int, refund_id: int, line_id: int, subtotal: str, tax: str) -> tuple[str, dict[str, Any]]:
    worth = {"quantity": 1, "subtotal": Decimal(subtotal), "total_tax": Decimal(tax)}
    return "order_line_refund", {"id": id, "refund_id": refund_id, "order_line_id": line_id, **worth}


def at(day: int, hour: int = 12) -> datetime:
    """A moment of October 2026."""
    return datetime(2026, 10, day, hour, tzinfo=UTC)


ROWS: Sequence[tuple[str, dict[str, Any]]] = (
    customer(1, "ann@example.org"), customer(2, "Bob@Example.org"), customer(3, "cy@example.org"), customer(4, None),
    customer(5, "gone@example.org", _fivetran_deleted=True), customer(6, "dee@example.org"),
    # Ann: two orders, of the second a part was given back, once more in vain; the rest must not count
    order(101, 1, 1, "80.10"), paid(9101, 101, "sale", "80.10"),
    order(102, 1, 9, "40.30", financial_status="partially_refunded"), paid(9102, 102, "authorization", "40.30"),
    paid(9103, 102, "capture", "40.30"), paid(9104, 102, "refund", "10.05"), paid(9105, 102, "refund", "30.25", "failure"),
    paid(9106, 102, "refund", "5.00", test=True),
    ("refund", {"id": 9104, "order_id": 102, "created_at": at(10)}),
    given_back(1, 9104, 5102, "8.05", "0"),
    ("order_adjustment", {"id": 1, "order_id": 102, "refund_id": 9104, "amount": Decimal("-2.00"), "kind": "shipping_refund"}),
    order(103, 1, 20, "999.00", test=True), order(104, 1, 20, "998.00", cancelled_at=at(21)),
    order(105, 1, 20, "997.00", _fivetran_deleted=True), order(106, 1, 20, "996.00", financial_status="voided"),
    order(107, 1, 20, "995.00", financial_status="pending"),
    order(108, 1, 20, "60.00", financial_status="refunded"), paid(9108, 108, "sale", "60.00"), paid(9109, 108, "refund", "60.00"),
    # Bob: one by his id, one as a guest; the import is of the day on which it was processed
    order(201, 2, 2, "15.00"), order(202, None, 5, "7.77", email="BOB@example.org", created_at=at(28)),
    # Cy: a gift card of 25 was bought with something else, and another one was given back
    order(301, 3, 3, "75.00"),
    line(5301, 301, "25.00", 1, gift_card=True),
    line(5302, 301, "50.00", 1),
    order(302, 3, 4, "60.00", financial_status="partially_refunded"), paid(9302, 302, "sale", "60.00"), paid(9303, 302, "refund", "20.00"),
    ("refund", {"id": 9303, "order_id": 302, "created_at": at(5)}),
    line(5303, 302, "20.00", 1, gift_card=True),
    line(5304, 302, "40.00", 1),
    given_back(2, 9303, 5303, "20.00", "0"),
    # Dee: paid 108 dollars for 100 euros and got 54 back, which is 50; its line is not landed; and half of an order that is not wholly paid
    order(601, 6, 6, "100.00", financial_status="partially_refunded", presentment_currency="USD"),
    paid(9601, 601, "sale", "108.00", currency="USD"), paid(9602, 601, "refund", "54.00", currency="USD"),
    ("refund", {"id": 9602, "order_id": 601, "created_at": at(7)}),
    given_back(3, 9602, 5601, "45.00", "5.00"),
    order(602, 6, 8, "30.00", financial_status="partially_paid"), paid(9603, 602, "sale", "12.50"),
    line(5102, 102, "20.15", 2),
    ("abandoned_checkout", {"id": 1, "customer_id": 1, "email": "ann@example.org", "currency": "EUR", "total_price": Decimal("500.00")}),
    ("customer_tag", {"customer_id": 1, "index": 1, "value": "vip"}),
)  # fmt: skip
# by hand: orders, net money in cents, last day of October
BY_HAND = {
    "1": (2, 8010 + 4030 - 1005, 9),
    "2": (2, 1500 + 777, 5),
    "3": (2, 7500 - 2500 + 6000 - 2000, 4),
    "6": (2, 10000 - 5000 + 1250, 8),
}


def statements(
    types: Mapping[str, str], quote: str, place: str = "", prefix: str = "", naive: bool = False
) -> Iterator[str]:
    """What makes the tables and their rows. ``types``: what the database calls TEXT_, FLOAT_, BOOL_ and INSTANT;
    ``place``: what stands before a table's name.
    """

    def name(text: str) -> str:
        return f"{quote}{text}{quote}"

    for table, columns in TABLES.items():
        for word, type_ in types.items():
            columns = columns.replace(word, type_)
        yield f"CREATE TABLE {place}{name(prefix + table)} ({columns.replace(chr(34), quote)})"
    for table, cells in ROWS:
        yield inserted(f"{place}{name(prefix + table)}", cells, quote, naive)


def inserted(table: str, cells: Mapping[str, Any], quote: str = '"', naive: bool = False) -> str:
    """A row, synced at the usual time unless it says otherwise."""
    row = {"_fivetran_synced": SYNCED, **cells}
    names = ", ".join(f"{quote}{name}{quote}" for name in row)
    return (
        f"INSERT INTO {table} ({names}) VALUES ({', '.join(literal(cell, naive) for cell in row.values())})"
    )


def literal(cell: object, naive: bool = False) -> str:
    if cell is None:
        return "NULL"
    if isinstance(cell, datetime):
        return f"'{(cell.replace(tzinfo=None) if naive else cell).isoformat(' ')}'"
    if isinstance(cell, bool | int | Decimal):
        return str(cell)
    return "'" + str(cell).replace("'", "''") + "'"
