"""Does our stand-in for HubSpot keep HubSpot's rules: of reading, writing, lists, workflows and limits, and
do its faults strike?
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from tests.portal_calls import SEGMENT, Caller, branch
from tests.servers.hubspot import (
    Clock,
    Fault,
    Knobs,
    Portal,
    Running,
    seed,
    serving,
)
from tests.servers.hubspot.flows import HOUR


@pytest.fixture
def portal() -> Portal:
    portal = Portal(Knobs(limited=False))
    seed(portal, contacts=40, deals=60, companies=5)
    return portal


@pytest.fixture
def server(portal: Portal) -> Iterator[Running]:
    with serving(portal) as running:
        yield running


@pytest.fixture
def call(server: Running) -> Caller:
    return Caller(server)


# Reading


def test_pages_follow_ids_and_any_id_may_begin_one(call: Caller) -> None:
    assert call.all_ids(page=7) == call.ids
    middle = str(int(call.ids[20]) - 1)
    assert (
        call("GET", "/crm/v3/objects/contacts", after=middle, limit=3).json()["results"][0]["id"]
        == call.ids[20]
    )
    call.portal.knobs.cursor = "last"
    assert call.all_ids(page=7) == call.ids
    assert (
        call("GET", "/crm/v3/objects/contacts", after=call.ids[20], limit=3).json()["results"][0]["id"]
        == call.ids[21]
    )


def test_a_page_that_is_too_large_is_refused_or_cut(call: Caller) -> None:
    assert call("GET", "/crm/v3/objects/contacts", limit=101).status_code == 400
    assert call("GET", "/crm/v3/objects/contacts", limit=51, propertiesWithHistory="city").status_code == 400
    call.portal.knobs.page_limit = "clamp"
    assert len(call("GET", "/crm/v3/objects/contacts", limit=500).json()["results"]) == 40


def test_known_properties_come_as_null_and_unknown_ones_not_at_all(call: Caller) -> None:
    row = call("GET", "/crm/v3/objects/contacts", properties="email,phone,no_such").json()["results"][0]
    assert row["properties"]["phone"] is None and "no_such" not in row["properties"]
    assert call("GET", "/crm/v3/objects/contacts", properties="x" * 17_000).status_code == 414


def test_a_batch_names_the_records_that_are_not_there(call: Caller) -> None:
    inputs = [{"id": id} for id in [*call.ids[:20], "404"]]
    answer = call("POST", "/crm/v3/objects/contacts/batch/read", {"properties": ["email"], "inputs": inputs})
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["context"] == {"ids": ["404"]}
    assert {row["id"] for row in answer.json()["results"]} == set(call.ids[:20])
    assert [row["id"] for row in answer.json()["results"]] != call.ids[:20]
    by_email = call(
        "POST",
        "/crm/v3/objects/contacts/batch/read",
        {"idProperty": "email", "inputs": [{"id": "PERSON3@example.org"}], "properties": []},
    )
    assert by_email.json()["results"][0]["id"] == call.ids[3]
    assert (
        call("POST", "/crm/v3/objects/contacts/batch/read", {"inputs": [{"id": "1"}] * 101}).status_code
        == 400
    )


def test_search_sees_a_change_only_after_the_lag(call: Caller) -> None:
    call.update({call.ids[0]: {"city": "Nowhere"}})
    wanted = {"propertyName": "city", "operator": "EQ", "value": "nowhere"}
    assert call.search(wanted)["total"] == 0
    call.portal.clock.advance(20)
    assert [row["id"] for row in call.search(wanted)["results"]] == [call.ids[0]]


def test_search_keeps_its_limits(call: Caller) -> None:
    search = "/crm/v3/objects/contacts/search"
    filters = [{"propertyName": "city", "operator": "HAS_PROPERTY"}]
    for body in (
        {"limit": 201},
        {"after": "9999"},
        {"sorts": ["city", "email"]},
        {"filterGroups": [{"filters": filters}] * 6},
        {"filterGroups": [{"filters": filters * 7}]},
        {"filterGroups": [{"filters": filters * 5}] * 4},
        {"properties": ["x" * 3000]},
        {"filterGroups": [{"filters": [{"propertyName": "no_such", "operator": "EQ", "value": "x"}]}]},
    ):
        assert call("POST", search, body).status_code == 400, body
    assert not any(name.startswith("X-HubSpot") for name in call("POST", search, {}).headers)
    assert "X-HubSpot-RateLimit-Remaining" in call("GET", "/crm/v3/objects/contacts").headers


def test_search_understands_every_operator_and_keyset_paging(call: Caller) -> None:
    ids = call.ids

    def matches(*filters: dict[str, Any]) -> list[str]:
        return [row["id"] for row in call.search(*filters, limit=200)["results"]]

    def by(operator: str, **more: Any) -> list[str]:
        return matches({"propertyName": "hs_object_id", "operator": operator, **more})

    assert by("GT", value=ids[30]) == ids[31:] and by("GTE", value=ids[30]) == ids[30:]
    assert by("LT", value=ids[3]) == ids[:3] and by("LTE", value=ids[3]) == ids[:4]
    assert by("BETWEEN", value=ids[3], highValue=ids[5]) == ids[3:6]
    assert (
        by("IN", values=ids[:2]) == ids[:2]
        and by("NEQ", value=ids[0]) == ids[1:]
        and by("NOT_IN", values=ids[:2]) == ids[2:]
    )
    assert matches({"propertyName": "email", "operator": "CONTAINS_TOKEN", "value": "person7*"}) == [ids[7]]
    assert matches({"propertyName": "phone", "operator": "NOT_HAS_PROPERTY"}) == ids
    stamp = call.portal.record("contacts", int(ids[9])).changed
    assert ids[9] in matches({"propertyName": "lastmodifieddate", "operator": "GTE", "value": str(stamp)})
    assert ids[9] not in matches({"propertyName": "lastmodifieddate", "operator": "GT", "value": str(stamp)})
    deal = call.portal.store.shelves["deals"].live[0]
    assert matches({"propertyName": "associations.deal", "operator": "EQ", "value": str(deal)})


def test_archived_erased_and_merged_records_are_where_they_should_be(call: Caller) -> None:
    ids, portal = call.ids, call.portal
    portal.archive("contacts", int(ids[0]))
    portal.erase("contacts", int(ids[1]))
    survivor = portal.join("contacts", int(ids[2]), int(ids[3]))
    assert call.all_ids() == [*ids[4:], str(survivor)]
    assert call.all_ids(archived="True") == [ids[0]]
    row = call(
        "GET",
        f"/crm/v3/objects/contacts/{ids[2]}",
        properties="hs_merged_object_ids,hs_calculated_merged_vids",
    ).json()
    assert row["id"] == str(survivor)
    assert row["properties"]["hs_merged_object_ids"] == f"{ids[2]};{ids[3]}"
    assert [part.split(":")[0] for part in row["properties"]["hs_calculated_merged_vids"].split(";")] == [
        ids[2],
        ids[3],
    ]
    portal.knobs.reads_merged, portal.knobs.merge_id = False, "keep"
    assert call("GET", f"/crm/v3/objects/contacts/{ids[2]}").status_code == 404
    assert portal.join("contacts", int(ids[5]), int(ids[6])) == int(ids[5])
    deals = portal.links.of(
        portal.store.shelves["contacts"].kind, int(ids[5]), portal.store.shelves["deals"].kind
    )
    assert all(int(ids[6]) not in portal.links.links["deals", "contacts"].get(deal, []) for deal in deals)


def test_associations_come_in_pages_and_lonely_records_as_set(call: Caller) -> None:
    portal, contact = call.portal, call.ids[0]
    portal.knobs.association_page = 2
    deals = portal.store.shelves["deals"].live[:5]
    for deal in deals:
        portal.associate("deals", deal, "contacts", int(contact))
    path = "/crm/v4/associations/contacts/deals/batch/read"
    seen: list[str] = []
    after = ""
    while True:
        row = call("POST", path, {"inputs": [{"id": contact, **({"after": after} if after else {})}]}).json()[
            "results"
        ][0]
        seen += [each["toObjectId"] for each in row["to"]]
        after = row.get("paging", {}).get("next", {}).get("after", "")
        if not after:
            break
    assert {str(deal) for deal in deals} <= set(seen)
    lonely = portal.put("contacts", {"email": "lonely@example.org"})
    for setting, status, rows in (("error", 207, 0), ("omit", 200, 0), ("empty", 200, 1)):
        portal.knobs.lonely = setting  # type: ignore[assignment]
        answer = call("POST", path, {"inputs": [{"id": str(lonely)}]})
        assert (answer.status_code, len(answer.json()["results"])) == (status, rows)


# Writing


def test_values_are_checked_and_bad_ones_told_per_record_or_for_all(call: Caller) -> None:
    call("POST", "/crm/v3/properties/contacts", SEGMENT)
    ids = call.ids
    values = {
        ids[0]: {"seg_rfm": "loyal"},
        ids[1]: {"seg_rfm": "Loyal"},
        ids[2]: {"kids": "two"},
        ids[3]: {"no_such": "x"},
        ids[4]: {"total_revenue": "1"},
    }
    answer = call.update(values, objectWriteTraceId="t")
    assert answer.status_code == 207
    errors = [json.loads(each["message"].split(": ", 1)[1])[0]["error"] for each in answer.json()["errors"]]
    assert errors == ["INVALID_OPTION", "INVALID_FLOAT", "PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"]
    assert [each["context"]["ids"] for each in answer.json()["errors"]] == [[id] for id in ids[1:5]]
    call.portal.knobs.batch_refusal = "whole"
    assert call.update({ids[5]: {"city": "A"}, ids[6]: {"kids": "two"}}).status_code == 400
    assert call.portal.dump()[ids[5]].get("city") != "A"
    assert call.update({ids[5]: {"email": "x"}}, idProperty="email").status_code == 400
    assert (
        call(
            "POST",
            "/crm/v3/objects/contacts/batch/update",
            {"inputs": [{"id": ids[0], "properties": {}}] * 2},
        ).status_code
        == 400
    )
    assert call.update({ids[5]: {"kids": 2}}).status_code == 400  # type: ignore[dict-item]


def test_values_come_back_in_the_form_of_their_type(call: Caller) -> None:
    id = call.ids[0]
    call.update(
        {id: {"kids": "87.50", "birthday": "1764028800000", "recent_note": ""} | {"newsletter": "true"}}
    )
    call.update({id: {"kids": "87.50", "birthday": "2024-02-29", "newsletter": "true"}})
    values = call.portal.dump()[id]
    assert (values["kids"], values["birthday"], values["newsletter"]) == ("87.5", "2024-02-29", "true")
    call.update({id: {"birthday": ""}})
    assert "birthday" not in call.portal.dump()[id]
    history = call("GET", f"/crm/v3/objects/contacts/{id}", propertiesWithHistory="birthday").json()[
        "propertiesWithHistory"
    ]["birthday"]
    assert [each["value"] for each in history] == ["", "2024-02-29"]


def test_one_poisoned_record_spoils_its_batch_or_only_itself(call: Caller) -> None:
    good, bad = call.ids[:2]
    call.portal.knobs.poison = {bad: "INVALID_EMAIL"}
    assert call.update({good: {"city": "A"}, bad: {"city": "A"}}).status_code == 400
    call.portal.knobs.poison_refusal = "each"
    answer = call.update({good: {"city": "A"}, bad: {"city": "A"}})
    assert (answer.status_code, [row["id"] for row in answer.json()["results"]]) == (207, [good])


def test_a_batch_of_new_records_is_all_or_nothing_without_traces(call: Caller) -> None:
    inputs: list[dict[str, Any]] = [
        {"properties": {"email": "n1@example.org"}},
        {"properties": {"email": "person1@example.org"}},
    ]
    before = call.ids
    assert call("POST", "/crm/v3/objects/contacts/batch/create", {"inputs": inputs}).status_code == 409
    assert call.ids == before
    traced = [{**each, "objectWriteTraceId": str(number)} for number, each in enumerate(inputs)]
    answer = call("POST", "/crm/v3/objects/contacts/batch/create", {"inputs": traced})
    assert (answer.status_code, answer.json()["errors"][0]["context"]["objectWriteTraceId"]) == (207, ["1"])


def test_options_are_replaced_whole_and_accepted_late(call: Caller) -> None:
    path = "/crm/v3/properties/contacts"
    assert call("GET", path + "/seg_rfm").status_code == 404
    assert call("POST", path, SEGMENT).status_code == 201
    assert call("POST", path, SEGMENT).status_code == 409
    call.portal.knobs.option_lag = 3.0
    late = {"options": [{"label": "New", "value": "new", "hidden": False}]}
    assert [each["value"] for each in call("PATCH", path + "/seg_rfm", late).json()["options"]] == ["new"]
    assert call.update({call.ids[0]: {"seg_rfm": "new"}}).status_code == 207
    call.portal.clock.advance(3)
    assert call.update({call.ids[0]: {"seg_rfm": "new"}}).status_code == 200
    for wrong in (
        {"name": "hs_x"},
        {"name": "Seg"},
        {"name": "1x"},
        {"fieldType": "text"},
        {"groupName": "none"},
        {"options": SEGMENT["options"] * 2},
    ):
        assert call("POST", path, {**SEGMENT, "name": "other", **wrong}).status_code == 400, wrong


# Lists and workflows


def test_a_dynamic_list_fills_after_a_while_and_follows_its_property(call: Caller) -> None:
    call("POST", "/crm/v3/properties/contacts", SEGMENT)
    call.update({call.ids[0]: {"seg_rfm": "loyal"}})
    made = call(
        "POST",
        "/crm/v3/lists/",
        {"name": "L", "objectTypeId": "0-1", "processingType": "DYNAMIC", "filterBranch": branch("loyal")},
    ).json()["list"]
    path = f"/crm/v3/lists/{made['listId']}"

    def members() -> list[str]:
        return [row["recordId"] for row in call("GET", path + "/memberships").json()["results"]]

    assert (made["processingStatus"], members()) == ("PROCESSING", [])
    call.portal.settle(5)
    assert (call("GET", path).json()["list"]["processingStatus"], members()) == ("COMPLETE", [call.ids[0]])
    call.update({call.ids[0]: {"seg_rfm": "lost"}, call.ids[1]: {"seg_rfm": "loyal"}})
    assert members() == [call.ids[0]]
    call.portal.settle(2)
    assert members() == [call.ids[1]]
    assert call("PUT", path + "/memberships/add", [call.ids[2]]).status_code == 400
    same = call("POST", "/crm/v3/lists/", {"name": "L", "objectTypeId": "0-1", "processingType": "MANUAL"})
    assert (same.status_code, same.json()["subCategory"]) == (400, "ILS.DUPLICATE_LIST_NAMES")
    call.portal.knobs.active_lists = 1
    more = call(
        "POST",
        "/crm/v3/lists/",
        {"name": "M", "objectTypeId": "0-1", "processingType": "DYNAMIC", "filterBranch": branch("lost")},
    )
    assert more.json()["subCategory"] == "ILS.LIST_LIMIT_EXCEEDED"


def test_workflows_enrol_once_for_each_change_and_joining(call: Caller) -> None:
    call("POST", "/crm/v3/properties/contacts", SEGMENT)
    static = call(
        "POST", "/crm/v3/lists/", {"name": "S", "objectTypeId": "0-1", "processingType": "MANUAL"}
    ).json()["list"]["listId"]
    flows = call.portal.flows
    changed = flows.add("On loyal", property="seg_rfm", value="loyal")
    joined = flows.add("On list", list_id=int(static), again=False)
    for value in ("loyal", "loyal", "lost", "loyal"):
        call.update({call.ids[0]: {"seg_rfm": value}})
    for verb in ("add", "add", "remove", "add"):
        call("PUT", f"/crm/v3/lists/{static}/memberships/{verb}", [call.ids[0]])
    assert flows.entered() == {(changed.id, int(call.ids[0])): 2, (joined.id, int(call.ids[0])): 1}
    assert flows.busiest_hour() == 2
    call.portal.clock.advance(HOUR / 1000)
    call.update({call.ids[0]: {"seg_rfm": "lost"}})
    call.update({call.ids[0]: {"seg_rfm": "loyal"}})
    assert flows.busiest_hour() == 2
    listed = call("GET", "/automation/v4/flows").json()["results"]
    assert [each["name"] for each in listed] == ["On loyal", "On list"]
    criteria = call("GET", f"/automation/2026-09-beta/flows/{changed.id}").json()["enrollmentCriteria"]
    assert criteria["eventFilterBranches"][0]["filters"][0]["operation"]["value"] == "seg_rfm"


# Limits


def test_the_window_rolls() -> None:
    portal = Portal(Knobs(limit=5), Clock(speed=0.0))
    with serving(portal) as server:
        call = Caller(server)

        def status() -> int:
            return call("GET", "/crm/v3/objects/contacts").status_code

        portal.clock.advance(9)
        assert [status() for _ in range(3)] == [200] * 3
        portal.clock.advance(2)  # a fixed window of 10 s would begin anew
        assert [status() for _ in range(3)] == [200, 200, 429]
        refused = call("GET", "/crm/v3/objects/contacts").json()
        assert (refused["policyName"], refused["errorType"], "category" in refused) == (
            "TEN_SECONDLY_ROLLING",
            "RATE_LIMIT",
            False,
        )
        portal.clock.advance(8)
        assert [status() for _ in range(4)] == [200, 200, 200, 429]


def test_searches_have_a_limit_of_their_own_and_the_day_ends_at_the_accounts_midnight() -> None:
    portal = Portal(Knobs(daily=8), Clock(speed=0.0, start=datetime(2026, 11, 22, 22, 59, tzinfo=UTC)))
    with serving(portal) as server:
        call = Caller(server)
        answers = [call("POST", "/crm/v3/objects/contacts/search", {}) for _ in range(6)]
        assert [each.status_code for each in answers] == [200] * 5 + [429]
        assert answers[-1].json()["policyName"] == "SECONDLY"
        left = [
            call("GET", "/crm/v3/objects/contacts").headers["X-HubSpot-RateLimit-Daily-Remaining"]
            for _ in range(3)
        ]
        assert left == ["2", "1", "0"]
        assert call("GET", "/crm/v3/objects/contacts").json()["policyName"] == "DAILY"
        portal.clock.advance(60)  # midnight in Berlin
        assert call("GET", "/crm/v3/objects/contacts").status_code == 200


# Faults


@pytest.mark.parametrize("status", [423, 429, 477, 500, 502, 503, 504, 524])
def test_a_status_fault_does_nothing_and_happens_at_its_turn(
    server: Running, call: Caller, status: int
) -> None:
    server.portal.script.rules = [Fault("status", path="batch/update", nth=2, status=status, retry_after=3)]
    answers = [call.update({call.ids[0]: {"city": city}}) for city in ("A", "B")]
    assert [each.status_code for each in answers] == [200, status]
    assert answers[1].headers["Retry-After"] == "3"
    assert server.portal.dump()[call.ids[0]]["city"] == "A"
    if status == 502:
        with pytest.raises(UnicodeDecodeError):
            answers[1].content.decode()


@pytest.mark.parametrize(("do", "kept"), [("reset", False), ("lost", True)])
def test_a_cut_connection_comes_before_or_after_the_write(
    server: Running, call: Caller, do: str, kept: bool
) -> None:
    server.portal.script.rules = [Fault(do, path="batch/update", nth=1)]
    with pytest.raises(requests.ConnectionError):
        call.update({call.ids[0]: {"city": "A"}})
    assert (server.portal.dump()[call.ids[0]].get("city") == "A") == kept


def test_bodies_are_cut_short_dripped_doubled_or_packed(server: Running, call: Caller) -> None:
    path = "/crm/v3/objects/contacts"
    rules = [
        Fault("truncated", nth=1),
        Fault("truncated", nth=2, honest=True),
        Fault("duplicate", nth=3),
        Fault("slow", nth=4, seconds=0.2),
        Fault("gzip", nth=5),
        Fault("html", nth=6),
        Fault("answer_as", nth=7, status=202),
    ]
    server.portal.script.rules = rules
    call.session.headers["Accept-Encoding"] = "identity"
    with pytest.raises(requests.RequestException):
        call("GET", path)
    with pytest.raises(ValueError):
        call("GET", path).json()
    rows = call("GET", path).json()["results"]
    assert rows[0] == rows[-1]
    began = time.monotonic()
    assert call("GET", path).json() and time.monotonic() - began > 0.15
    packed = call.session.get(server.url + path, stream=True, timeout=20)
    assert gzip.decompress(packed.raw.read(decode_content=False))
    assert call("GET", path).text.startswith("<html>")
    assert call("GET", path).status_code == 202


def test_records_change_merge_and_vanish_between_two_pages(server: Running, call: Caller) -> None:
    ids = [int(id) for id in call.ids]
    events = [("edit", ids[5]), ("archive", ids[15]), ("erase", ids[16]), ("merge", ids[17])]
    server.portal.script.rules = [
        Fault("meanwhile", path="/objects/contacts", nth=2, event=event, ids=[id]) for event, id in events
    ]
    call("GET", "/crm/v3/objects/contacts", limit=10)
    call("GET", "/crm/v3/objects/contacts", limit=10, after=call.ids[10])
    assert not {str(id) for id in ids[15:18]} & set(call.ids)
    assert server.portal.record("contacts", ids[5]).values["city"].startswith("Town")


def test_odd_ids_of_associations_are_numbers_or_null(server: Running, call: Caller) -> None:
    server.portal.script.rules = [Fault("number_ids", nth=1), Fault("null_ids", nth=2)]
    deals = [{"id": str(id)} for id in server.portal.store.shelves["deals"].live[:3]]
    path = "/crm/v4/associations/deals/contacts/batch/read"
    numbers = call("POST", path, {"inputs": deals}).json()["results"]
    assert all(isinstance(each["toObjectId"], int) for row in numbers for each in row["to"])
    assert call("POST", path, {"inputs": deals}).json()["results"][0]["to"][0]["toObjectId"] is None
