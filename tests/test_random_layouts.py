"""The same truth in random layouts: it comes back, or is refused with a remedy; never another number."""

from __future__ import annotations

import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.contract import Account
from connectors.errors import ConnectorError
from connectors.files.folder import Folder
from connectors.files.reading import Reading
from connectors.values.ids import comparable
from sync.config.config import load
from sync.exit_codes import CommandError
from sync.start.init import init
from tests.layouts import CUSTOMERS, Customer, Layout, Order, answers, layouts, truths, write

READ, TOLD, REFUSED, WRONG = "read", "told", "refused", "WRONG"


def read_back(config: Path) -> tuple[dict[int, Customer], Counter[str], set[str]]:
    """Orders, net revenue and last purchase of each customer as the config reads the folder; why rows were
    refused; ids of no customer.
    """
    account: Account = load(config).account("shop")
    folder, customers, refused = (
        Folder(account),
        {customer: Customer() for customer in CUSTOMERS},
        Counter[str](),
    )
    id_type = account.settings.id_type
    rows = []
    for page in Reading(folder, "contact").pages(None):
        rows += page.records.to_pylist()
        refused.update(page.refused)
    people = {comparable(row["id"], id_type): _customer(row["id"]) for row in rows}
    strangers = {row["id"] for row in rows if _customer(row["id"]) not in CUSTOMERS}
    orders: dict[tuple[int, Any], list[dict[str, Any]]] = {}
    for page in Reading(folder, "activity").pages(None):
        refused.update(page.refused)
        refused.update({"no owner": page.ownerless} if page.ownerless else {})
        for number, row in enumerate(page.records.to_pylist()):
            owner = people.get(comparable(row["record_id"] or "", id_type), -1)
            if owner not in CUSTOMERS:
                refused["unmatched"] += 1
            elif row["kind"] in ("purchase", "refund"):
                orders.setdefault((owner, row.get("order_id") or number), []).append(row)
    for (owner, _order), lines in orders.items():
        customers[owner] = _with_order(customers[owner], lines)
    return customers, refused, strangers


def _customer(id_: str) -> int:
    digits = "".join(letter for letter in id_.partition("@")[0].removesuffix(".0") if letter.isdigit())
    return int(digits or 0)


def _with_order(customer: Customer, lines: list[dict[str, Any]]) -> Customer:
    amount = Decimal(sum(row["amount_minor"] or 0 for row in lines)).scaleb(-2)
    days = [row["occurred_at"].date() for row in lines if row["kind"] == "purchase"]
    last = max([*days, *([customer.last] if customer.last else [])], default=None)
    return Customer(customer.orders + bool(days), customer.revenue + amount, last)


def outcome(folder: Path, orders: list[Order], layout: Layout) -> tuple[str, str]:
    """What becomes of a layout.

    Rows that are refused are told before every plan; where all is read, all must be right.
    """
    write(folder / "exports", orders, layout)
    try:
        result = init(folder / "config.toml", "files", folder / "exports", "rfm")
    except CommandError as refusal:
        assert str(refusal)
        return REFUSED, str(refusal)
    try:
        customers, refused, strangers = read_back(folder / "config.toml")
    except ConnectorError as refusal:
        return REFUSED, str(refusal)
    expected = answers(orders, layout)
    if strangers:
        return WRONG, f"contacts that are none: {strangers}"
    # A currency without a rate is refused where its order counts; one that is cancelled is left out as it is.
    counts = layout.status is None or layout.strange != "currency"
    strange = layout.strange and any(order.strange and (order.counted or counts) for order in orders)
    if customers == expected and (not strange or refused):
        return READ, ""
    left_out = [note for note in result["notes"] if "left out" in note]
    if left_out or (refused and not layout.strange):
        return TOLD, (left_out or list(refused))[0]
    different = {
        customer: (customers[customer], expected[customer])
        for customer in CUSTOMERS
        if customers[customer] != expected[customer]
    }
    return WRONG, f"read, right: {different} refused: {dict(refused)}"


@pytest.mark.parametrize("batch", range(4))
def test_a_layout_gives_the_truth_back_or_is_refused(batch: int) -> None:
    outcomes: Counter[str] = Counter()

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(truths(), layouts(), st.just(batch))
    def check(orders: list[Order], layout: Layout, _batch: int) -> None:
        with tempfile.TemporaryDirectory() as name:
            what, why = outcome(Path(name), orders, layout)
        outcomes[what] += 1
        assert what != WRONG, why

    check()
    assert outcomes[READ] >= 0.4 * outcomes.total(), f"{outcomes}"
