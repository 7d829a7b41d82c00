"""Who is behind a record: names, addresses, numbers and country, asked for where the portal has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hubspot_reading import World, world


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def test_a_contact_brings_every_address_and_number_the_primary_one_first(crm: World) -> None:
    id = crm.portal.put(
        "contacts",
        {
            "email": "ann@example.org",
            "firstname": " Ann ",
            "lastname": "Lee",
            "phone": "+49 30 1",
            "mobilephone": "+49 170 2",
            "country": "Germany",
        },
    )
    crm.portal.record("contacts", id).values |= {
        "hs_additional_emails": "ann@work.example; Ann@Example.org;old@example.org;",
        "hs_country_region_code": "DE",
    }
    row = crm.read().records[str(id)]
    assert row["emails"] == ["ann@example.org", "ann@work.example", "old@example.org"]
    assert row["phones"] == ["+49 30 1", "+49 170 2"]
    assert (row["name"], row["country"], row["email"]) == ("Ann Lee", "Germany", "ann@example.org")


def test_a_contact_that_holds_little_brings_little(crm: World) -> None:
    nothing, half = (
        crm.portal.put("contacts", {"city": "Ulm"}),
        crm.portal.put("contacts", {"lastname": "Lee", "mobilephone": "2"}),
    )
    crm.portal.record("contacts", half).values["hs_country_region_code"] = "FR"
    rows = crm.read().records
    assert not {"emails", "phones", "name", "country"} & rows[str(nothing)].keys()
    assert (rows[str(half)]["name"], rows[str(half)]["phones"], rows[str(half)]["country"]) == (
        "Lee",
        ["2"],
        "FR",
    )


def test_what_the_portal_has_no_property_for_is_left_out_and_not_asked_for(crm: World) -> None:
    for name in (
        "hs_additional_emails",
        "phone",
        "mobilephone",
        "country",
        "hs_country_region_code",
        "firstname",
        "lastname",
    ):
        del crm.portal.schema.properties["contacts"][name]
    id = crm.portal.put("contacts", {"email": "ann@example.org"})
    fold = crm.read()
    assert fold.records[str(id)]["email"] == "ann@example.org"
    assert not {"emails", "phones", "country", "name"} & set(fold.pages[0].records.column_names)


def test_a_company_brings_its_name_number_and_country(crm: World) -> None:
    id = crm.portal.put("companies", {"name": "Smith & Co", "phone": "1", "country": "Chile"})
    fold = crm.read("company")
    row = fold.records[str(id)]
    assert (row["name"], row["phones"], row["country"]) == ("Smith & Co", ["1"], "Chile")
    assert "emails" not in fold.pages[0].records.column_names


def test_it_costs_no_further_call(crm: World) -> None:
    for number in range(120):
        crm.portal.put("contacts", {"email": f"p{number}@example.org", "phone": str(number)})
    crm.calls()
    crm.read()
    assert len([call for call in crm.calls() if "/objects/contacts" in call]) <= 5


def test_a_position_made_without_these_columns_is_void(crm: World) -> None:
    definition = crm.portal.schema.properties["contacts"].pop("hs_additional_emails")
    id = crm.portal.put("contacts", {"email": "ann@example.org"})
    crm.portal.record("contacts", id).values["hs_additional_emails"] = "old@example.org"
    fold = crm.read()
    assert "emails" not in fold.records[str(id)]
    crm.portal.schema.properties["contacts"]["hs_additional_emails"] = definition
    crm.later()
    assert crm.pull(fold) == 1
    assert fold.records[str(id)]["emails"] == ["ann@example.org", "old@example.org"]
