"""What is made of Salesforce's complaints, of the text that SOQL is made of, and of the files that an
administrator deploys?
"""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import settings_model
from connectors.contract import FieldSpec, ListSpec, Option
from connectors.salesforce import export, soql
from connectors.salesforce.api_errors import of_answer, of_cell, of_item
from connectors.salesforce.bulk import _locator


@pytest.mark.parametrize(
    ("cell", "code", "text", "fields"),
    [
        ("REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --", "REQUIRED_FIELD_MISSING",
         "Required fields are missing: [LastName]", ("LastName",)),
        ("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 200 records: 001A,001B:--", "UNABLE_TO_LOCK_ROW",
         "unable to obtain exclusive access to this record or 200 records: 001A,001B", ()),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION:not today", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "not today", ()),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION:ask: whom?", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "ask: whom?", ()),
        ("", "", "", ()),
    ],
)  # fmt: skip
def test_a_failed_row_tells_code_text_and_fields_with_or_without_the_last_part(
    cell: str, code: str, text: str, fields: tuple[str, ...]
) -> None:
    refusal = of_cell(cell)
    assert (refusal.code, refusal.text, refusal.fields) == (code, text, fields)


@pytest.mark.parametrize("code", ["NOT_FOUND", "ITEM_NOT_FOUND", "WHATEVER"])
def test_what_answers_404_is_not_there_however_it_is_called(code: str) -> None:
    assert of_answer(404, [{"errorCode": code, "message": "none"}])[0].kind == "gone"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([{"errorCode": "INVALID_FIELD", "message": "m", "fields": []}], "INVALID_FIELD"),
        ({"exceptionCode": "InvalidSessionId", "exceptionMessage": "m"}, "INVALID_SESSION_ID"),
        ({"error": "invalid_grant", "error_description": "m"}, "invalid_grant"),
        (None, ""),
        ("<html>", ""),
        ([], ""),
        ([None, 3], ""),
    ],
)
def test_every_shape_of_an_error_is_read(body: object, code: str) -> None:
    assert of_answer(400, body)[0].code == code


_PLAIN = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(_PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_body_is_too_strange_to_be_a_refusal(body: object) -> None:
    assert of_answer(500, body)[0].kind in ("transient", "data", "permission", "gone", "conflict")
    assert of_item(body).kind


def test_an_address_in_a_complaint_is_never_shown() -> None:
    item = {
        "success": False,
        "errors": [{"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "not <ann@example.org>!"}],
    }
    assert "ann" not in of_item(item).reason


def test_a_lock_inside_the_error_of_a_trigger_is_a_lock() -> None:
    refusal = of_cell(
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:Trigger: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access:--"
    )
    assert refusal.kind == "transient"


@given(st.text())
def test_a_quoted_text_ends_where_it_ends(text: str) -> None:
    inner = soql.quoted(text)[1:-1]
    bare = inner.replace("\\\\", "")
    assert "'" not in bare.replace("\\'", "")
    assert "\n" not in inner


@pytest.mark.parametrize("wrong", ["", "1a", "a b", "a'", "a;b", "a..b", ".a", "a)--"])
def test_what_is_no_name_reaches_no_statement(wrong: str) -> None:
    with pytest.raises(ValueError, match="not a valid name"):
        soql.Select([wrong], "Contact").__str__()


def test_a_window_is_half_open_and_in_utc() -> None:
    until = datetime(2026, 1, 1, 1, 2, 3, 4999, UTC)
    assert soql.since("SystemModstamp", until) == ["SystemModstamp >= 2026-01-01T01:02:03.004Z"]


def test_among_nothing_is_no_question() -> None:
    with pytest.raises(ValueError, match="among no values"):
        soql.among("Id", [])


def test_a_locator_in_an_address_is_decoded_once() -> None:
    assert _locator("/services/data/v66.0/jobs/query/750/results?locator=MTAw%3D&x=1") == "MTAw="
    assert _locator("/services/data/v66.0/jobs/query/750/results") is None


def test_the_files_to_deploy_are_whole_xml_whatever_a_segment_is_called() -> None:
    options = (Option("a", "A & <B>"), Option("b", 'Quo"te'))
    fields = [
        FieldSpec("seg_x", "contact", "enum", "X", "why & how", options),
        FieldSpec("seg_n", "lead", "number", "N", "", ()),
    ]
    views = [ListSpec("x.a", "X: A & <B>" + "y" * 60, "dynamic", "contact", "seg_x", "a")]
    settings = settings_model("salesforce")(
        api_url="https://acme.my.salesforce.com", client_id="id", client_secret="secret"
    )
    files = export.files(fields, views, settings)
    parsed = {path: ElementTree.fromstring(text) for path, text in files.items() if path.endswith(".xml")}
    (view,) = (tree for path, tree in parsed.items() if "listViews" in path)
    label = view.find("{*}label")
    assert label is not None and len(label.text or "") <= 40
    (rights,) = (tree for path, tree in parsed.items() if "permissionsets" in path)
    assert [element.text for element in rights.findall(".//{*}field")] == [
        "Contact.seg_x__c",
        "Lead.seg_n__c",
    ]
    (picklist,) = (tree for path, tree in parsed.items() if path.endswith("seg_x__c.field-meta.xml"))
    assert [element.text for element in picklist.findall(".//{*}value/{*}label")] == ["A & <B>", 'Quo"te']
    assert picklist.find(".//{*}restricted").text == "false"  # type: ignore[union-attr]
