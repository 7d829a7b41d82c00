"""Contacts and companies of HubSpot as records: attributes, our fields, merges, full readings that can be cut
off anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Account, Attribute, FieldSpec
from connectors.hubspot import fetching
from connectors.hubspot.reading import Reading
from connectors.rest import full_read
from connectors.schemas import ATTRIBUTE, FIELD, RECORD_SCHEMA
from tests.hubspot_reading import Fold, World, world
from tests.servers.hubspot import Fault, seed

ATTRIBUTES = {
    "city": Attribute("city"),
    "kids": Attribute("kids", "ordered", ("0", "1", "2", "3+"), ("unknown",)),
    "children": Attribute("kids", "number"),
    "birthday": Attribute("birthday", "date"),
    "created": Attribute("createdate", "date"),
    "wants_news": Attribute("newsletter", "bool"),
    "industry": Attribute("industry"),
}


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        made.account = Account("portal", "hubspot", None, time_zone="Europe/Berlin", attributes=ATTRIBUTES)
        yield made


def test_a_contact_arrives_with_what_the_config_asks_for(crm: World) -> None:
    firm = crm.portal.put("companies", {"name": "Firm", "industry": "RETAIL"})
    values = {
        "email": "ada@example.org",
        "city": "Ulm",
        "kids": "2",
        "birthday": "1980-02-29",
        "newsletter": "true",
    }
    crm.portal.put("contacts", {**values, "associatedcompanyid": str(firm)}, at=_at("2024-03-31T23:30:00"))
    (row,) = crm.read().records.values()
    assert (row["record_type"], row["email"], row["company_id"]) == ("contact", "ada@example.org", str(firm))
    assert (row["created_at"], row["changed_at"]) == (datetime(2024, 3, 31, 23, 30, tzinfo=UTC),) * 2
    assert {name.removeprefix(ATTRIBUTE): row[name] for name in row if name.startswith(ATTRIBUTE)} == {
        "city": "Ulm",
        "kids": "2",
        "children": 2.0,
        "birthday": date(1980, 2, 29),
        "created": date(2024, 4, 1),  # in Berlin
        "wants_news": True,
    }


def test_pages_have_the_columns_and_types_of_the_contract(crm: World) -> None:
    crm.portal.put("contacts", {"email": "ada@example.org"})
    (page,) = crm.read().pages
    for column in page.records.schema:
        if column.name in RECORD_SCHEMA.names:
            assert column.type == RECORD_SCHEMA.field(column.name).type, column.name
        else:
            assert column.name.startswith(ATTRIBUTE)


def test_a_value_outside_its_order_is_null_and_listed_without_being_quoted(crm: World) -> None:
    id = crm.portal.put("contacts", {"email": "ada@example.org", "kids": "17"})
    fold = crm.read()
    assert ATTRIBUTE + "kids" not in fold.records[str(id)]
    (reject,) = fold.rejects
    assert (reject["part"], reject["column"], reject["id"]) == ("contacts", "kids", str(id))
    assert "17" not in reject["reason"]


def test_a_company_arrives_with_its_own_attributes(crm: World) -> None:
    id = crm.portal.put("companies", {"name": "Firm", "industry": "RETAIL", "city": "Kiel"})
    assert crm.read("company").records == {
        str(id): {
            "record_type": "company",
            "id": str(id),
            "name": "Firm",
            ATTRIBUTE + "industry": "RETAIL",
            ATTRIBUTE + "city": "Kiel",
            **{
                name: crm.read("company").records[str(id)][name]
                for name in ("changed_at", "created_at", ATTRIBUTE + "created")
            },
        }
    }


def test_an_attribute_that_no_object_type_has_is_left_out(crm: World) -> None:
    crm.account = replace(
        crm.account, attributes={"town": Attribute("town"), "industry": Attribute("industry")}
    )
    crm.portal.put("contacts", {"email": "ada@example.org"})
    assert ATTRIBUTE + "town" not in crm.read().pages[0].records.column_names


def test_our_fields_come_as_text_and_an_empty_one_is_null(crm: World) -> None:
    crm.account = replace(
        crm.account, fields=(FieldSpec("city"), FieldSpec("industry", "company"), FieldSpec("not_there_yet"))
    )
    crm.portal.put("contacts", {"email": "ada@example.org", "city": "Ulm"})
    crm.portal.put("contacts", {"email": "bob@example.org"})
    (page,) = crm.read().pages
    assert page.records[FIELD + "city"].to_pylist() == ["Ulm", None]
    assert page.records[FIELD + "not_there_yet"].to_pylist() == [None, None]
    assert FIELD + "industry" not in page.records.column_names


@pytest.mark.parametrize("how", ["new", "keep"])
def test_merged_contacts_name_their_survivor(crm: World, how: Any) -> None:
    crm.portal.knobs.merge_id = how
    primary, two, three = (crm.portal.put("contacts", {"email": f"{name}@example.org"}) for name in "abc")
    fold = crm.read()
    first = crm.portal.join("contacts", primary, two)
    crm.later()
    crm.pull(fold)
    last = crm.portal.join("contacts", first, three)
    crm.later()
    crm.pull(fold)
    lost = {str(id) for id in (primary, two, three, first)} - {str(last)}
    for records in (fold.records, crm.read().records):
        assert set(records) == {*lost, str(last)}
        assert {records[id].get("merged_into") for id in lost} <= {str(last), str(first)}
        assert records[str(three)]["merged_into"] == str(last)
        assert "merged_into" not in records[str(last)]


def test_a_long_list_of_properties_travels_in_the_body(crm: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(crm.portal, 250)
    short = crm.read().records
    crm.calls()
    monkeypatch.setattr(fetching, "LONGEST", 10)
    assert crm.read().records == short
    assert crm.calls().count("POST /crm/v3/objects/contacts/batch/read") == 3


@pytest.mark.parametrize("spread", ["dense", "gaps", "two_ages"])
@pytest.mark.parametrize("cursor", ["next", "last"])
def test_a_full_reading_brings_every_contact_once_in_few_calls(crm: World, spread: Any, cursor: Any) -> None:
    crm.portal.knobs.cursor = cursor
    seed(crm.portal, 3000, spread=spread)
    fold = crm.read()
    assert fold.records.keys() == crm.portal.dump().keys()
    assert sum(page.records.num_rows for page in fold.pages) == 3000
    assert len(crm.calls()) < 30 + 35


def test_a_reading_cut_off_after_any_page_goes_on_without_a_gap(
    crm: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_read, "ROWS", 300)
    seed(crm.portal, 2500)
    crm.later(10 * 86_400)
    fold = Fold("contact")
    while crm.pull(fold, pages=1):
        pass
    assert fold.records.keys() == crm.portal.dump().keys()
    assert sum(page.records.num_rows for page in fold.pages) == 2500
    assert fold.pages[0].first
    assert [page.last for page in fold.pages] == [False] * (len(fold.pages) - 1) + [True]


def test_without_a_usable_cursor_contacts_are_read_one_page_after_the_other(
    crm: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(crm.portal, 1500)
    true = fetching.Fetching.page

    def opaque(self: fetching.Fetching, after: str | None) -> Any:
        listed = true(self, after.removeprefix("x") if after and after.startswith("x") else None)
        if listed.after:
            listed.after = "x" + listed.after
        return listed

    monkeypatch.setattr(fetching.Fetching, "page", opaque)
    monkeypatch.setattr(full_read, "ROWS", 300)
    fold = Fold("contact")
    while crm.pull(fold, pages=1):
        pass
    assert fold.records.keys() == crm.portal.dump().keys()


def test_a_page_that_repeats_a_row_brings_it_once(crm: World) -> None:
    seed(crm.portal, 450)
    crm.portal.script.rules.append(Fault(method="GET", path="objects/contacts", nth=2, do="duplicate"))
    fold = crm.read()
    assert sum(page.records.num_rows for page in fold.pages) == 450


def test_the_version_of_the_paths_voids_no_position_and_an_attribute_does(crm: World) -> None:
    crm.portal.put("contacts", {"email": "ada@example.org", "city": "Ulm"})
    fold = crm.read(api_version="legacy")
    assert crm.pull(fold, api_version="2026-09") == 0
    crm.account = replace(crm.account, attributes={"town": Attribute("city")})
    assert crm.pull(fold) == 1
    assert fold.pages[-1].whole
    assert fold.records["1"][ATTRIBUTE + "town"] == "Ulm"


def test_the_count_is_hubspots_own(crm: World) -> None:
    seed(crm.portal, 120, companies=3)
    session = crm.session()
    counts = [Reading(session).count(stream) for stream in ("contact", "company", "activity")]
    session.close()
    assert counts == [120, 3, None]


def test_a_strange_position_reads_from_the_beginning(crm: World) -> None:
    crm.portal.put("contacts", {"email": "ada@example.org"})
    for position in ("", "nonsense", "[]", '{"version": 1, "sources": {"contacts": 3}}'):
        fold = Fold("contact", position)
        assert crm.pull(fold) == 1


def _at(moment: str) -> int:
    return int(datetime.fromisoformat(moment + "+00:00").timestamp() * 1000)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "objects/contacts$"), ("POST", "batch/read"), ("POST", "search")]
)
def test_whatever_fails_on_the_way_the_same_contacts_arrive(crm: World, method: str, path: str) -> None:
    seed(crm.portal, 1500)
    crm.later()
    fold = Fold("contact")
    if method == "POST":
        fold = crm.read()
        for id in crm.portal.store.shelves["contacts"].live[:500]:
            crm.portal.put("contacts", {"city": "Oslo"}, id)
    for nth, do in ((1, "reset"), (2, "truncated"), (3, "lost"), (4, "status"), (5, "html")):
        crm.portal.script.rules.append(Fault(method=method, path=path, nth=nth, do=do))
    crm.pull(fold)
    assert fold.records == crm.read().records
