"""Do further values of a kind live in every CRM as the segment's own field does: made, written once, undone, cleared?"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segmentation.kinds import KINDS
from tests.each_crm import CRMS, Company, FilesCompany, HubspotCompany, SalesforceCompany, company_of
from tests.toys.promises import DUE, Promises

NAMES = ("seg_second", "seg_second_worth", "seg_second_chance", "seg_second_due")
SEGMENTATION = """
[[segmentations]]
name = "second"
title = "Second look"
kind = "promises"
field = "seg_second"
"""


@pytest.fixture(params=CRMS)
def company(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Company]:
    monkeypatch.setitem(KINDS, "promises", Promises)
    monkeypatch.setattr(Company, "more", property(lambda company: SEGMENTATION if company.second else ""))
    with company_of(request.param, tmp_path, monkeypatch) as one:
        yield one


def held(company: Company) -> dict[str, dict[str, str]]:
    """Record → what it holds in our fields, where it holds something."""
    rows: dict[str, dict[str, Any]]
    if isinstance(company, HubspotCompany):
        rows = dict(company.shop.fields(*NAMES))
    elif isinstance(company, SalesforceCompany):
        rows = {
            row["Id"]: {name: row.get(f"{name}__c") for name in NAMES}
            for row in company.shop.org.rows("Contact")
        }
    else:
        assert isinstance(company, FilesCompany)
        with (company.world.folder / "crm" / "segments.csv").open(newline="", encoding="utf-8") as source:
            rows = {row["id"]: {name: row.get(name) for name in NAMES} for row in csv.DictReader(source)}
    texts = {
        id: {name: _text(value) for name, value in row.items() if value not in (None, "")}
        for id, row in rows.items()
    }
    return {id: row for id, row in texts.items() if row}


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def definitions(company: Company) -> dict[str, Any]:
    """Title and type of our fields, as the CRM has them."""
    if isinstance(company, HubspotCompany):
        properties = company.shop.portal.schema.properties["contacts"]
        return {name: (properties[name].label, properties[name].type) for name in NAMES[1:]}
    assert isinstance(company, SalesforceCompany)
    fields = {name: company.shop.org.schema["Contact"].field(f"{name}__c") for name in NAMES[1:]}
    return {name: (field.label, field.type) for name, field in fields.items() if field}


def test_values_are_written_once_cleared_for_who_objects_and_taken_back(company: Company) -> None:
    written = company.first_run()
    rows = held(company)
    buyers = {id: row for id, row in rows.items() if len(row) > 1}
    assert len(buyers) > 10 and all(row.keys() == set(NAMES) for row in buyers.values())
    assert {row["seg_second_due"] for row in buyers.values()} == {DUE}
    assert all(float(row["seg_second_worth"]) % 120 == 0.5 for row in buyers.values())
    again = company.do("run")
    assert held(company) == rows and not again["applied"].get("done")
    objects = next(iter(buyers))
    company.object_to_profiling(objects)
    company.do("run")
    assert held(company) == {id: row for id, row in rows.items() if id != objects}
    company.do("undo", number=written["run"])
    assert held(company) == {}


def test_fields_have_a_title_with_the_unit_and_the_right_type(company: Company) -> None:
    if isinstance(company, FilesCompany):
        pytest.skip("columns of a file have no title and no type")
    company.do("setup")
    percent = "percent" if isinstance(company, SalesforceCompany) else "number"
    number = "double" if isinstance(company, SalesforceCompany) else "number"
    assert definitions(company) == {
        "seg_second_worth": ("Second look: Worth (EUR)", number),
        "seg_second_chance": ("Second look: Chance (%)", percent),
        "seg_second_due": ("Second look: Due", "date"),
    }


def test_a_segmentation_that_left_the_config_is_retired_with_its_values(company: Company) -> None:
    if not isinstance(company, FilesCompany):
        pytest.skip("the way is the same in every CRM, and it is quick in files")
    company.first_run()
    company.second = False
    company.do("run")
    company.do("retire", target="second")
    assert held(company) == {}
