"""Deals, orders, engagements and contacts' own properties of HubSpot as activity: whose, when, how much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Account
from connectors.errors import AccessError
from connectors.hubspot import associations
from connectors.hubspot.reading import Reading
from connectors.schemas import ACTIVITY_SCHEMA
from connectors.values.api_columns import instants, texts
from connectors.values.home_amounts import Amounts, divided
from tests.hubspot_reading import Row, World, world
from tests.servers.hubspot import seed

NOON = datetime(2024, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        made.account = Account(
            "portal", "hubspot", None, rates={"USD": {"2024-01-01": 0.9, "2024-06-01": 0.8}}
        )
        yield made


@pytest.fixture
def ada(crm: World) -> int:
    return crm.portal.put("contacts", {"email": "ada@example.org"})


@pytest.fixture
def bob(crm: World) -> int:
    return crm.portal.put("contacts", {"email": "bob@example.org"})


def rows(crm: World, id: str) -> list[Row]:
    return crm.read("activity").rows.get(id, [])


def test_a_won_deal_is_a_purchase_on_its_close_date(crm: World, ada: int) -> None:
    id = crm.deal(ada, amount="12.50")
    assert rows(crm, f"deal/{id}") == [
        {
            "id": f"deal/{id}",
            "record_type": "contact",
            "record_id": str(ada),
            "order_id": f"deal/{id}",
            "kind": "purchase",
            "occurred_at": NOON,
            "amount_minor": 1250,
            "currency": "EUR",
        }
    ]


def test_pages_have_the_columns_and_types_of_the_contract(crm: World, ada: int) -> None:
    crm.deal(ada)
    crm.portal.put("contacts", {"city": "Ulm"}, ada)
    for page in crm.read("activity").pages:
        for column in page.records.schema:
            assert column.type == ACTIVITY_SCHEMA.field(column.name).type, column.name
        assert not [
            field.name
            for field in ACTIVITY_SCHEMA
            if not field.nullable and page.records[field.name].null_count
        ]


@pytest.mark.parametrize("stage", ["contractsent", "closedlost"])
def test_a_deal_that_is_not_won_is_no_purchase(crm: World, ada: int, stage: str) -> None:
    assert rows(crm, f"deal/{crm.deal(ada, dealstage=stage)}") == []


def test_the_config_may_say_which_stages_are_won(crm: World, ada: int) -> None:
    crm.settings = {"won_stages": ("contractsent",)}
    signed, paid = crm.deal(ada, dealstage="contractsent"), crm.deal(ada)
    assert set(crm.read("activity").rows) == {f"deal/{signed}"}
    assert rows(crm, f"deal/{paid}") == []


def test_a_deal_of_a_negative_amount_is_a_refund(crm: World, ada: int) -> None:
    (row,) = rows(crm, f"deal/{crm.deal(ada, amount='-3')}")
    assert (row["kind"], row["amount_minor"]) == ("refund", -300)


def test_a_deal_that_is_reopened_archived_or_left_alone_is_no_purchase_any_more(crm: World, ada: int) -> None:
    reopened, archived, kept = crm.deal(ada), crm.deal(ada), crm.deal(ada)
    crm.later()
    fold = crm.read("activity")
    crm.portal.put("deals", {"dealstage": "contractsent"}, reopened)
    crm.portal.archive("deals", archived)
    crm.pull(fold)
    assert set(fold.rows) == {f"deal/{kept}"}
    crm.portal.put("deals", {"dealstage": "closedwon"}, reopened)
    crm.portal.restore("deals", archived)
    crm.pull(fold)
    assert set(fold.rows) == {f"deal/{id}" for id in (reopened, archived, kept)}
    assert crm.pull(fold) == 0


def test_a_merged_deal_counts_once(crm: World, ada: int) -> None:
    first, other = crm.deal(ada, amount="1"), crm.deal(ada, amount="2")
    crm.later()
    fold = crm.read("activity")
    survivor = crm.portal.join("deals", first, other)
    crm.later()
    crm.pull(fold)
    assert set(fold.rows) == {f"deal/{survivor}"}


@pytest.mark.parametrize("incremental", [False, True])
@pytest.mark.parametrize(
    ("share", "expected"),
    [
        ("primary", [("ada", None)]),
        ("split", [("ada", 0.5), ("bob", 0.5)]),
        ("full", [("ada", None), ("bob", None)]),
    ],
)
def test_a_deal_of_several_contacts_is_shared_as_configured(
    crm: World, ada: int, bob: int, share: Any, expected: list[tuple[str, float | None]], incremental: bool
) -> None:
    crm.account = replace(crm.account, deal_share=share)
    fold = crm.read("activity") if incremental else None
    id = crm.deal(ada, bob)
    if fold is None:
        fold = crm.read("activity")
    else:
        crm.pull(fold)
    people = {str(ada): "ada", str(bob): "bob"}
    assert [(people[row["record_id"]], row.get("share")) for row in fold.rows[f"deal/{id}"]] == expected
    assert {row["amount_minor"] for row in fold.rows[f"deal/{id}"]} == {1000}


@pytest.mark.parametrize("incremental", [False, True])
def test_the_contact_with_the_primary_label_is_the_primary_one(
    crm: World, ada: int, bob: int, incremental: bool
) -> None:
    fold = crm.read("activity")
    id = crm.deal(ada)
    label = {"category": "USER_DEFINED", "typeId": 71, "label": "Primary contact"}
    crm.portal.associate("deals", id, "contacts", bob, [label])
    if incremental:
        crm.pull(fold)
    else:
        fold = crm.read("activity")
    assert [row["record_id"] for row in fold.rows[f"deal/{id}"]] == [str(bob)]


def test_a_deal_without_a_contact_belongs_to_its_primary_company(crm: World, ada: int) -> None:
    firm, other = (
        crm.portal.put("companies", {"name": "Firm"}),
        crm.portal.put("companies", {"name": "Other"}),
    )
    alone, shared = crm.deal(company=other), crm.deal(ada, company=firm)
    crm.portal.associate(
        "deals", alone, "companies", firm, [{"category": "HUBSPOT_DEFINED", "typeId": 5, "label": "Primary"}]
    )
    assert [(row["record_type"], row["record_id"]) for row in rows(crm, f"deal/{alone}")] == [
        ("company", str(firm))
    ]
    assert [(row["record_type"], row["record_id"]) for row in rows(crm, f"deal/{shared}")] == [
        ("contact", str(ada))
    ]


def test_a_deal_of_very_many_contacts_brings_all_of_them(crm: World) -> None:
    crm.portal.knobs.association_page = 3
    crm.account = replace(crm.account, deal_share="full")
    people = [crm.portal.put("contacts", {"email": f"{n}@example.org"}) for n in range(11)]
    fold = crm.read("activity")
    id = crm.deal(*people)
    crm.pull(fold)
    for rows_of in (fold.rows, crm.read("activity").rows):
        assert {row["record_id"] for row in rows_of[f"deal/{id}"]} == {str(person) for person in people}


@pytest.mark.parametrize("lonely", ["error", "omit", "empty"])
@pytest.mark.parametrize("ids", ["text", "number"])
def test_changed_deals_find_their_contacts_in_batches(
    crm: World, ada: int, lonely: Any, ids: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(associations, "BATCH", 10)
    crm.portal.knobs.lonely, crm.portal.knobs.association_ids = lonely, ids
    fold = crm.read("activity")
    won = [crm.deal(ada) if n % 3 else crm.deal() for n in range(35)]
    crm.pull(fold)
    owned = {id for id, rows in fold.rows.items() if rows[0].get("record_id")}
    assert owned == {f"deal/{id}" for n, id in enumerate(won) if n % 3} and len(fold.rows) == len(won)


# -- money
# ----------------------------------------------------------------------------------------------------------


def test_the_amount_in_the_portals_currency_counts(crm: World, ada: int) -> None:
    (row,) = rows(crm, f"deal/{crm.deal(ada, amount='10', deal_currency_code='USD')}")
    assert (row["amount_minor"], row["currency"]) == (500, "USD")  # the portal's own rate is 0.5, ours 0.9


def test_an_account_in_another_currency_converts_at_the_rate_of_the_day(crm: World, ada: int) -> None:
    crm.portal.knobs.currency = "CHF"
    early = crm.deal(ada, amount="10", deal_currency_code="USD")
    late = crm.deal(ada, amount="10", deal_currency_code="USD", closedate="2024-07-01T00:00:00Z")
    same = crm.deal(ada, amount="10", deal_currency_code="EUR")
    assert [rows(crm, f"deal/{id}")[0]["amount_minor"] for id in (early, late, same)] == [900, 800, 1000]


def test_an_unknown_rate_is_a_reject_and_never_zero(crm: World, ada: int) -> None:
    crm.portal.knobs.currency = "CHF"
    id = crm.deal(ada, amount="10", deal_currency_code="GBP")
    fold = crm.read("activity")
    assert fold.rows == {}
    (reject,) = [row for row in fold.rejects if row["column"] is None]
    assert (reject["id"], reject["part"]) == (str(id), "deals")
    assert "[rates]" in reject["reason"]
    assert [page.rejected for page in fold.pages if page.part == "deals"] == [1]
    crm.account = replace(crm.account, rates={"GBP": {"0001-01-01": 1.2}})
    crm.pull(fold)
    assert fold.rows[f"deal/{id}"][0]["amount_minor"] == 1200


def test_a_won_deal_without_an_amount_or_date_is_told(crm: World, ada: int) -> None:
    free, undated = crm.deal(ada, amount=""), crm.deal(ada, closedate="")
    fold = crm.read("activity")
    assert "amount_minor" not in fold.rows[f"deal/{free}"][0]
    assert f"deal/{undated}" not in fold.rows
    assert {(reject["id"], reject["column"]) for reject in fold.rejects} == {
        (str(free), "amount"),
        (str(undated), None),
    }


@given(
    st.lists(st.decimals(-(10**12), 10**12, places=4)), st.sampled_from([("EUR", 2), ("JPY", 0), ("KWD", 3)])
)
def test_minor_units_are_exact_and_half_to_even(amounts: list[Decimal], currency: tuple[str, int]) -> None:
    name, places = currency
    nothing, home = pa.nulls(len(amounts), pa.string()), texts(format(amount, "f") for amount in amounts)
    moments = instants(texts(["2024-01-05T12:00:00Z"] * len(amounts)))
    units, wrong, unrated = Amounts(Account("a", "hubspot", None, currency=name), name).minor(
        nothing, nothing, home, moments
    )
    assert units.to_pylist() == [
        int(amount.scaleb(places).to_integral_value(ROUND_HALF_EVEN)) for amount in amounts
    ]
    assert not any(wrong.to_pylist())
    assert not any(unrated.to_pylist())


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=9))
def test_the_lines_of_a_deal_sum_to_it(total: int, weights: list[int]) -> None:
    parts = divided(total, weights)
    assert sum(parts) == total
    assert all(
        abs(part - total * weight / sum(weights)) <= 1
        for part, weight in zip(parts, weights, strict=True)
        if sum(weights)
    )


# -- products, orders, engagements, properties
# ----------------------------------------------------------------------


def test_line_items_tell_what_was_bought_and_sum_to_the_deal(crm: World, ada: int, bob: int) -> None:
    crm.account = replace(crm.account, deal_share="split")
    id = crm.deal(ada, bob, amount="9")
    for name, amount, quantity in (("Lamp", "8", "2"), ("Bulb", "2", "1")):
        item = crm.portal.put("line_items", {"name": name, "amount": amount, "quantity": quantity})
        crm.portal.associate("deals", id, "line_items", item)
    purchases = [
        (row["record_id"], row["product"], row["quantity"], row["amount_minor"], row["share"])
        for row in rows(crm, f"deal/{id}")
    ]
    assert purchases == [
        (str(contact), *line, 0.5)
        for contact in (ada, bob)
        for line in (("Lamp", 2.0, 720), ("Bulb", 1.0, 180))
    ]
    crm.settings = {"products": False}
    assert [row["amount_minor"] for row in rows(crm, f"deal/{id}")] == [900, 900]


def test_an_order_is_a_purchase_and_what_was_given_back_a_refund(crm: World, ada: int) -> None:
    values = {
        "hs_total_price": "20",
        "hs_external_created_date": "2024-01-05T12:00:00Z",
        "hs_refund_amount": "5",
    }
    values["hs_fulfillment_status"] = "Delivered"
    stages = (
        {"label": label, "value": f"stage-{n}", "displayOrder": n}
        for n, label in ((1, "Open"), (5, "Cancelled"))
    )
    crm.portal.schema.properties["orders"]["hs_pipeline_stage"].options = list(stages)
    id = crm.portal.put("orders", values)
    cancelled = crm.portal.put("orders", {**values, "hs_cancelled_date": "2024-01-06T12:00:00Z"})
    by_word = [
        crm.portal.put("orders", {**values, "hs_fulfillment_status": word})
        for word in ("Cancelled", "canceled by customer", "STORNIERT")
    ]
    by_shop = crm.portal.put("orders", {**values, "hs_external_order_status": "voided"})
    by_stage = crm.portal.put("orders", {**values, "hs_pipeline_stage": "stage-5"})
    for order in (id, cancelled, *by_word, by_shop, by_stage):
        crm.portal.associate("orders", order, "contacts", ada)
    crm.later()
    fold = crm.read("activity")
    activities = [
        (row["id"], row["kind"], row["amount_minor"], row["order_id"])
        for several in fold.rows.values()
        for row in several
    ]
    assert activities == [
        (f"order/{id}", "purchase", 2000, f"order/{id}"),
        (f"order/{id}/refund", "refund", -500, f"order/{id}"),
    ]
    crm.portal.put("orders", {"hs_refund_amount": ""}, id)
    crm.pull(fold)
    assert set(fold.rows) == {f"order/{id}"}


@pytest.mark.parametrize("kind", ["calls", "meetings", "emails", "notes", "tasks"])
def test_an_engagement_is_one_row_for_each_of_its_contacts(crm: World, ada: int, bob: int, kind: str) -> None:
    fold = crm.read("activity")
    id = crm.portal.put(kind, {"hs_timestamp": "2024-01-05T12:00:00Z"})
    for contact in (ada, bob):
        crm.portal.associate(kind, id, "contacts", contact)
    crm.pull(fold)
    singular = kind.removesuffix("s")
    for several in (fold.rows, crm.read("activity").rows):
        activities = [
            (row["id"], row["kind"], row["record_id"], row["occurred_at"])
            for row in several[f"{singular}/{id}"]
        ]
        assert activities == [(f"{singular}/{id}", singular, str(contact), NOON) for contact in (ada, bob)]
    crm.portal.archive(kind, id)
    crm.pull(fold)
    assert fold.rows == {}


def test_the_latest_form_visit_and_mail_come_from_the_contacts_properties(
    crm: World, ada: int, bob: int
) -> None:
    values = crm.portal.record("contacts", ada).values
    values.update(
        recent_conversion_date="2024-01-05T12:00:00Z",
        num_conversion_events="3",
        hs_email_last_open_date="2024-01-05T12:00:00Z",
    )
    crm.portal.put("contacts", {"city": "Ulm"}, ada)
    crm.later()
    fold = crm.read("activity")
    activities = {
        id: (row["kind"], row["record_id"], row["occurred_at"], row.get("quantity"))
        for id, row in fold.records.items()
    }
    assert activities == {
        f"form/{ada}": ("form", str(ada), NOON, 3.0),
        f"email_open/{ada}": ("email_open", str(ada), NOON, None),
    }
    crm.portal.join("contacts", bob, ada)
    crm.later()
    crm.pull(fold)
    assert set(fold.rows) == set(crm.read("activity").rows)


def test_only_what_some_segmentation_uses_is_read(crm: World, ada: int) -> None:
    crm.deal(ada)
    crm.account = replace(crm.account, activity_types=frozenset({"call"}))
    fold = crm.read("activity")
    assert not [call for call in crm.calls() if "deals" in call or "notes" in call]
    crm.account = replace(crm.account, activity_types=frozenset({"purchase"}))
    crm.pull(fold)
    assert [page.part for page in fold.pages if page.records.num_rows] == ["deals"]
    crm.account = replace(crm.account, activity_types=frozenset())
    assert crm.pull(fold) == 0
    assert len(fold.rows) == 1


def test_a_source_that_the_settings_no_longer_allow_takes_its_rows_along(crm: World, ada: int) -> None:
    crm.deal(ada)
    fold = crm.read("activity")
    crm.settings = {"activity": ("orders",)}
    crm.pull(fold)
    assert fold.rows == {}
    assert crm.pull(fold) == 0


def test_contacts_without_any_roll_up_are_not_listed_again(crm: World) -> None:
    crm.account = replace(crm.account, activity_types=frozenset({"form", "email_open"}))
    seed(crm.portal, 300)
    for record in crm.portal.store.shelves["contacts"].records.values():
        for name in ("recent_conversion_date", "hs_email_last_open_date"):
            record.values.pop(name, None)
    crm.read("activity")
    assert "GET /crm/v3/objects/contacts" not in crm.calls()[:-1]


def test_a_key_that_may_not_read_orders_reads_the_deals(crm: World, ada: int) -> None:
    crm.portal.grant(
        "narrow", {"crm.objects.contacts.read", "crm.objects.deals.read", "crm.objects.companies.read"}
    )
    id = crm.deal(ada)
    crm.account = replace(crm.account, activity_types=frozenset({"purchase"}))
    assert set(crm.read("activity", token="narrow").rows) == {f"deal/{id}"}
    session = crm.session(token="narrow")
    reading = Reading(session)
    list(reading.pages("activity", None))
    session.close()
    assert [note.split()[0] for note in reading.diagnostics()] == ["orders"]


def test_a_key_that_may_not_read_the_deals_is_told_so(crm: World) -> None:
    crm.portal.grant("narrow", {"crm.objects.contacts.read"})
    with pytest.raises(AccessError, match=r"crm\.objects\.deals\.read"):
        crm.read("activity", token="narrow")
