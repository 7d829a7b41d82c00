"""Properties of ours: made once, never robbed of an option, and compared in the form in which HubSpot gives
values back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import FieldSpec, ListSpec, Option
from connectors.errors import RequestError, UnsupportedError
from connectors.hubspot.fields import GROUP, merged, normal, normal_column
from tests.contract_suite import Paper, changes
from tests.hubspot_account import SCORE, SEGMENT, TIER, Shop, shop
from tests.servers.hubspot import ALL_SCOPES, Fault

TYPES = ("enum", "number", "date", "bool", "text")


@pytest.fixture(autouse=True)
def _own_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def portal() -> Iterator[Shop]:
    with shop(2, fields=False) as opened:
        yield opened


def options(portal: Shop, name: str = SEGMENT.name) -> list[dict[str, Any]]:
    """What HubSpot holds of a property's options."""
    property_options: list[dict[str, Any]] = portal.portal.schema.properties["contacts"][name].options
    return property_options


def test_a_property_is_made_in_a_group_of_ours_with_its_words(portal: Shop) -> None:
    portal.connect().ensure_field(SEGMENT)
    made = portal.portal.schema.properties["contacts"][SEGMENT.name].body()
    assert (made["groupName"], made["label"], made["description"]) == (
        GROUP["name"],
        SEGMENT.label,
        SEGMENT.description,
    )
    assert (made["type"], made["fieldType"]) == ("enumeration", "select")


@pytest.mark.parametrize("type_", TYPES)
def test_every_type_of_field_can_be_made_and_is_told_back(portal: Shop, type_: Any) -> None:
    spec = FieldSpec(
        "seg_any", "contact", type_, "Any", options=(Option("a", "A"),) if type_ == "enum" else ()
    )
    portal.connect().ensure_field(spec)
    assert portal.connect().fields()["contact", "seg_any"] == spec


def test_making_a_property_twice_writes_nothing_the_second_time(portal: Shop) -> None:
    portal.connect().ensure_field(SEGMENT)
    again = portal.connect()
    again.ensure_field(SEGMENT)
    assert again.calls.write == 0


def test_companies_have_properties_of_their_own(portal: Shop) -> None:
    portal.connect().ensure_field(TIER)
    fields = portal.connect().fields()
    assert ("company", TIER.name) in fields
    assert ("contact", TIER.name) not in fields


def test_leads_are_not_to_be_had(portal: Shop) -> None:
    with pytest.raises(UnsupportedError, match="lead"):
        portal.connect().ensure_field(replace(SEGMENT, record_type="lead"))


def test_options_are_added_renamed_and_never_dropped(portal: Shop) -> None:
    portal.connect().ensure_field(SEGMENT)
    options(portal).append(
        {"value": "vip", "label": "VIP", "displayOrder": 9, "hidden": False, "description": "a person's"}
    )
    portal.connect().ensure_field(
        replace(SEGMENT, options=(Option("loyal", "Regulars"), Option("new", "New")))
    )
    assert {option["value"]: option["label"] for option in options(portal)} == {
        "loyal": "Regulars",
        "lost": "Lost",
        "vip": "VIP",
        "new": "New",
    }
    assert (
        next(option for option in options(portal) if option["value"] == "vip")["description"] == "a person's"
    )


def test_a_label_that_another_option_has_gets_its_key_behind(portal: Shop) -> None:
    portal.connect().ensure_field(SEGMENT)
    portal.connect().ensure_field(replace(SEGMENT, options=(Option("gone", "Lost"),)))
    assert {option["value"]: option["label"] for option in options(portal)}["gone"] == "Lost (gone)"


def test_a_property_of_another_group_keeps_its_words(portal: Shop) -> None:
    body = {
        "name": SEGMENT.name,
        "label": "Theirs",
        "groupName": "contactinformation",
        "type": "enumeration",
        "fieldType": "select",
    }
    given_ = [{"value": "vip", "label": "VIP", "displayOrder": 0, "hidden": False}]
    portal.connect()._portal.ask("POST", "/crm/v3/properties/contacts", body={**body, "options": given_})
    portal.connect().ensure_field(SEGMENT)
    assert portal.portal.schema.properties["contacts"][SEGMENT.name].label == "Theirs"
    assert {option["value"] for option in options(portal)} == {"vip", "loyal", "lost"}


def test_a_property_of_another_type_is_refused_with_a_remedy(portal: Shop) -> None:
    portal.connect().ensure_field(SEGMENT)
    with pytest.raises(RequestError, match="another name"):
        portal.connect().ensure_field(replace(SCORE, name=SEGMENT.name))


@pytest.mark.parametrize("name", ["Seg", "hs_seg", "1st", "a12_seg", "seg-rfm", ""])
def test_a_name_that_hubspot_would_refuse_is_refused_before(portal: Shop, name: str) -> None:
    connector = portal.connect()
    with pytest.raises(RequestError, match="small letter"):
        connector.ensure_field(replace(SEGMENT, name=name))
    assert connector.calls.write == 0


@pytest.mark.parametrize(
    "fault",
    [Fault("lost", "POST", "properties/contacts$", nth=1), Fault("lost", "PATCH", "properties", nth=1)],
)
def test_a_lost_reply_makes_no_second_property(portal: Shop, fault: Fault) -> None:
    portal.fail(fault)
    portal.connect().ensure_field(SEGMENT)
    portal.connect().ensure_field(replace(SEGMENT, options=(Option("new", "New"),)))
    assert [option["value"] for option in options(portal)] == ["loyal", "lost", "new"]


def test_a_key_without_rights_to_companies_sees_contacts_alone(portal: Shop) -> None:
    portal.portal.grant("pat-contacts", {scope for scope in ALL_SCOPES if "companies" not in scope})
    assert {record_type for record_type, _ in portal.connect(token="pat-contacts").fields()} == {"contact"}


def test_an_administrator_can_post_what_our_key_may_not_make(portal: Shop) -> None:
    import json

    static = ListSpec("rfm.lost", "Buying habits: Lost")
    dynamic = ListSpec("rfm.loyal", "Buying habits: Loyal", "dynamic", field=SEGMENT.name, value="loyal")
    connector = portal.connect()
    files = connector.export([SEGMENT, SCORE], [static, dynamic])
    assert connector.calls.write == 0
    for line in files["calls.txt"].splitlines():
        _, url, name = line.split()
        connector._portal.ask("POST", url.removeprefix(portal.url), body=json.loads(files[name]))
    assert {("contact", SEGMENT.name), ("contact", SCORE.name)} <= connector.fields().keys()
    assert {remote.label for remote in connector.lists()} == {static.label, dynamic.label}


# Normal forms


@pytest.mark.parametrize(
    ("type_", "given_", "back"),
    [
        ("number", "87.50", "87.5"),
        ("number", "1e3", "1000"),
        ("number", "-0.0", "0"),
        ("number", "007", "7"),
        ("number", "no number", "no number"),
        ("number", "NaN", "NaN"),
        ("date", "2026-11-22", "2026-11-22"),
        ("date", "1764547200000", "2025-12-01"),
        ("date", "2026-11-22T00:00:00.000Z", "2026-11-22"),
        ("bool", "TRUE", "true"),
        ("bool", "0", "false"),
        ("text", " blank ", "blank"),
        ("text", "a\r\nb", "a\nb"),
        ("enum", "loyal", "loyal"),
        *[(type_, empty, None) for type_ in TYPES for empty in (None, "", "  ")],
    ],
)
def test_values_have_one_form(type_: str, given_: str | None, back: str | None) -> None:
    assert normal(type_, given_) == back


@given(st.sampled_from(TYPES), st.text() | st.decimals().map(str) | st.dates().map(str))
def test_the_normal_form_of_a_normal_form_is_itself(type_: str, text: str) -> None:
    assert normal(type_, normal(type_, text)) == normal(type_, text)


@given(st.sampled_from(TYPES), st.lists(st.none() | st.sampled_from(["", "1.0", "2026-01-01", "x", " y"])))
def test_a_column_has_the_forms_of_its_values(type_: str, texts: list[str | None]) -> None:
    assert normal_column(type_, pa.array(texts, pa.string())).to_pylist() == [
        normal(type_, text) for text in texts
    ]


@pytest.mark.parametrize("knobs", [{}, {"number_form": "as_written"}, {"trims": True}])
@pytest.mark.parametrize(
    ("type_", "text"), [("number", "87.50"), ("text", " blank "), ("date", "2026-11-22"), ("bool", "true")]
)
def test_what_is_written_in_normal_form_is_read_back_so(knobs: dict[str, Any], type_: Any, text: str) -> None:
    spec = FieldSpec("seg_any", "contact", type_, "Any")
    with shop(1, fields=False, **knobs) as opened:
        connector = opened.connect({"fields": (spec,)})
        connector.ensure_field(spec)
        change = changes((opened.ids[0], spec.name, None, connector.normal(spec, text)))
        assert connector.write_fields(change, Paper())["status"].to_pylist() == ["done"]
        assert connector.current_values(change).to_pylist() == [connector.normal(spec, text)]


_options = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("ABCDEF")),
    unique_by=(lambda o: o[0], lambda o: o[1]),
)


@given(_options, _options)
def test_merging_options_keeps_all_and_makes_no_label_twice(
    present: list[tuple[str, str]], wanted: list[tuple[str, str]]
) -> None:
    there = [
        {"value": value, "label": label, "displayOrder": position, "hidden": False}
        for position, (value, label) in enumerate(present)
    ]
    result = merged(there, [Option(*option) for option in wanted])
    assert [option["value"] for option in result] == list(
        dict.fromkeys([value for value, _ in (*present, *wanted)])
    )
    assert len({option["label"] for option in result}) == len(result)
    assert merged(result, [Option(*option) for option in wanted]) == result
