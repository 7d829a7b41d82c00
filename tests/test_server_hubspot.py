"""Does our stand-in for HubSpot answer as HubSpot does? Two clients that are not ours say so, and its rules are tried one by one."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import requests
from hubspot import HubSpot as Client
from hubspot.crm.contacts import BatchReadInputSimplePublicObjectId, PublicObjectSearchRequest
from hubspot.crm.contacts.exceptions import ApiException
from hubspot_sdk import HubSpot as Sdk
from hubspot_sdk.types.auth import AccessTokenResponse

from tests.servers.hubspot import (
    CLIENT_ID,
    CLIENT_SECRET,
    REFRESH_TOKEN,
    TOKEN,
    Clock,
    Fault,
    Knobs,
    Portal,
    Running,
    generate,
    seed,
    serving,
)
from tests.servers.hubspot.flows import HOUR

SEGMENT: dict[str, Any] = {
    "name": "seg_rfm",
    "label": "Buying habits",
    "type": "enumeration",
    "fieldType": "select",
    "groupName": "contactinformation",
    "options": [{"label": key.capitalize(), "value": key, "displayOrder": n, "hidden": False} for n, key in enumerate(("loyal", "lost"))],
}


def branch(*values: str, name: str = "seg_rfm") -> Any:
    operation = {"operationType": "ENUMERATION", "operator": "IS_ANY_OF", "values": list(values), "includeObjectsWithNoValueSet": False}
    child = {"filterBranchType": "AND", "filterBranchOperator": "AND", "filterBranches": []}
    filters = [{"filterType": "PROPERTY", "property": name, "operation": operation}]
    return {"filterBranchType": "OR", "filterBranchOperator": "OR", "filters": [], "filterBranches": [{**child, "filters": filters}]}


class Caller:
    """Plain calls; ``ids`` are those of the portal's contacts."""

    def __init__(self, server: Running, token: str = TOKEN) -> None:
        self.server, self.portal = server, server.portal
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, body: Any = None, **params: Any) -> requests.Response:
        return self.session.request(method, self.server.url + path, json=body, params=params, timeout=20)

    @property
    def ids(self) -> list[str]:
        return [str(id) for id in self.portal.store.shelves["contacts"].live]

    def update(self, values: dict[str, dict[str, str]], **more: Any) -> requests.Response:
        inputs = [{"id": id, "properties": properties, **more} for id, properties in values.items()]
        return self("POST", "/crm/v3/objects/contacts/batch/update", {"inputs": inputs})

    def search(self, *filters: dict[str, Any], **more: Any) -> Any:
        sorts = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
        body = {"filterGroups": [{"filters": list(filters)}], "sorts": sorts, **more}
        return self("POST", "/crm/v3/objects/contacts/search", body).json()

    def all_ids(self, page: int = 100, **params: Any) -> list[str]:
        found, after = [], "0"
        while after:
            answer = self("GET", "/crm/v3/objects/contacts", limit=page, after=after, **params).json()
            found += [row["id"] for row in answer["results"]]
            after = answer.get("paging", {}).get("next", {}).get("after", "")
        return found


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


@pytest.fixture
def client(server: Running) -> Client:
    client = Client(access_token=TOKEN, host=server.url)
    client.config["client_side_validation"] = True
    return client


def _without_nulls(response: httpx.Response) -> None:
    """The SDK takes no empty property, although HubSpot sends them."""
    response.read()
    if response.headers.get("content-type", "").startswith("application/json"):
        content = json.loads(response.content, object_hook=lambda found: {key: value for key, value in found.items() if value is not None})
        response._content = json.dumps(content).encode()


@pytest.fixture
def sdk(server: Running) -> Iterator[Sdk]:
    with httpx.Client(event_hooks={"response": [_without_nulls]}) as http:
        yield Sdk(access_token=TOKEN, base_url=server.url, _strict_response_validation=True, max_retries=0, http_client=http)


# What clients that are not ours find


def test_the_client_reads_pages_batches_and_searches(client: Client, portal: Portal, call: Caller) -> None:
    page = client.crm.contacts.basic_api.get_page(limit=10, properties=["email", "phone"], associations=["deals"], archived=False)
    assert len(page.results) == 10 and page.paging.next.after == call.ids[10]
    assert {"email", "phone", "createdate"} <= page.results[0].properties.keys()
    wanted = BatchReadInputSimplePublicObjectId(
        properties=["email"], properties_with_history=["city"], inputs=[{"id": id} for id in call.ids[:3]]
    )
    assert {row.id for row in client.crm.contacts.batch_api.read(wanted).results} == set(call.ids[:3])
    found = client.crm.contacts.search_api.do_search(
        PublicObjectSearchRequest(limit=5, after="0", sorts=[], properties=[], filter_groups=[])
    )
    assert (found.total, len(found.results)) == (40, 5)


def test_the_client_writes_records_and_hears_of_a_taken_address(client: Client, call: Caller) -> None:
    made = client.crm.contacts.basic_api.create({"properties": {"email": "New@Example.org"}, "associations": []})
    assert made.properties["email"] == "new@example.org"
    assert client.crm.contacts.basic_api.update(made.id, {"properties": {"city": "Ulm"}}).properties["city"] == "Ulm"
    with pytest.raises(ApiException) as taken:
        client.crm.contacts.basic_api.create({"properties": {"email": "new@example.org"}, "associations": []})
    assert taken.value.status == 409 and f"Existing ID: {made.id}" in taken.value.body
    updated = client.crm.contacts.batch_api.update({"inputs": [{"id": made.id, "properties": {"city": "Bonn"}}]})
    assert updated.results[0].properties["city"] == "Bonn"
    client.crm.contacts.basic_api.archive(made.id)
    assert client.crm.contacts.basic_api.get_by_id(made.id, archived="true").archived_at


def test_the_client_makes_properties_groups_and_lists(client: Client, call: Caller) -> None:
    group = client.crm.properties.groups_api.create("contacts", {"name": "crm_segments", "label": "CRM Segments", "displayOrder": -1})
    made = client.crm.properties.core_api.create("contacts", {**SEGMENT, "groupName": group.name})
    assert [option.value for option in made.options] == ["loyal", "lost"]
    assert client.crm.properties.core_api.get_by_name("contacts", "seg_rfm").hubspot_defined is False
    listed = client.crm.lists.lists_api.create(
        {"name": "Segment: Loyal", "objectTypeId": "0-1", "processingType": "DYNAMIC", "filterBranch": branch("loyal")}
    )
    assert listed.list.processing_status == "PROCESSING"
    static = client.crm.lists.lists_api.create({"name": "Static", "objectTypeId": "0-1", "processingType": "MANUAL"}).list
    changed = client.crm.lists.memberships_api.add(static.list_id, [call.ids[0], "999999999"])
    assert (changed.records_ids_added, changed.record_ids_missing) == ([call.ids[0]], ["999999999"])
    assert client.crm.lists.memberships_api.get_page(static.list_id, limit=250).results[0].record_id == call.ids[0]
    assert client.crm.lists.lists_api.do_search({"query": "Seg", "count": 10, "offset": 0}).total == 1


def test_the_client_reads_associations_owners_pipelines_and_imports(client: Client, portal: Portal) -> None:
    portal.owners.append(
        {
            "id": "7",
            "email": "rep@example.org",
            "archived": False,
            "type": "PERSON",
            "createdAt": "2024-01-01T00:00:00Z",
            "updatedAt": "2024-01-01T00:00:00Z",
        }
    )
    deals = [str(id) for id in portal.store.shelves["deals"].live]
    linked = client.crm.associations.v4.batch_api.get_page("deals", "contacts", {"inputs": [{"id": id} for id in deals]})
    assert len(linked.results) == 60
    assert client.crm.owners.owners_api.get_page().results[0].id == "7"
    assert [stage.id for stage in client.crm.pipelines.pipelines_api.get_all("deals").results[0].stages][3] == "closedwon"


def test_the_sdk_accepts_every_object_answer(sdk: Sdk, portal: Portal, call: Caller) -> None:
    contacts = sdk.crm.objects.contacts
    page = contacts.list(limit=10, properties=["email", "city"], associations=["deals"])
    assert len(page.results) == 10
    assert contacts.get(call.ids[0], properties=["city"], properties_with_history=["city"]).properties_with_history
    read = contacts.batch.get(inputs=[{"id": call.ids[1]}], properties=["email"], properties_with_history=[])
    assert [row.id for row in read.results] == [call.ids[1]]
    updated = contacts.batch.update(inputs=[{"id": call.ids[1], "properties": {"city": "Ulm"}}, {"id": "404", "properties": {"city": "x"}}])
    assert len(updated.results) == 1
    found = contacts.search(after="0", filter_groups=[], limit=3, properties=["email"], sorts=["hs_object_id"])
    assert found.total == 40
    made = contacts.batch.create(inputs=[{"properties": {"email": "a@b.org"}, "associations": []}])
    upserted = contacts.batch.upsert(inputs=[{"id": "a@b.org", "id_property": "email", "properties": {"email": "a@b.org", "city": "Kiel"}}])
    assert (upserted.results[0].id, upserted.results[0].new) == (made.results[0].id, False)
    merged = contacts.merge(primary_object_id=call.ids[0], object_id_to_merge=call.ids[1])
    assert merged.id not in call.ids[:2]
    contacts.gdpr_delete(object_id=merged.id)
    contacts.delete(call.ids[5])
    assert sdk.crm.objects.generic_objects.list("orders").results == []
    assert sdk.crm.objects.deals.list(limit=2).results[0].properties["dealstage"]


def test_the_sdk_accepts_every_answer_about_properties_and_associations(sdk: Sdk, portal: Portal) -> None:
    assert sdk.crm.properties.groups.create("contacts", label="Segments", name="crm_segments").name == "crm_segments"
    assert sdk.crm.properties.groups.list("contacts").results
    made = sdk.crm.properties.create(
        "contacts", field_type="select", group_name="crm_segments", label="S", name="seg", type="enumeration", options=SEGMENT["options"]
    )
    wider = [*SEGMENT["options"], {"label": "New", "value": "new", "hidden": False, "displayOrder": 2}]
    changed = sdk.crm.properties.update(made.name, object_type="contacts", options=wider)
    assert [option.value for option in changed.options] == ["loyal", "lost", "new"]
    assert sdk.crm.properties.get("seg", object_type="contacts").hubspot_defined is False
    assert len(sdk.crm.properties.list("deals").results) > 10
    deals = [str(id) for id in portal.store.shelves["deals"].live[:5]]
    linked = sdk.crm.associations.batch.get("contacts", from_object_type="deals", inputs=[{"id": id} for id in deals])
    assert {row.from_.id for row in linked.results} == set(deals)


def test_the_sdk_accepts_every_answer_about_lists(sdk: Sdk, portal: Portal, call: Caller) -> None:
    call("POST", "/crm/v3/properties/contacts", SEGMENT)
    lists = sdk.crm.lists
    folder = lists.create_folder(name="Segments").folder
    dynamic = lists.create(
        name="D", object_type_id="0-1", processing_type="DYNAMIC", filter_branch=branch("loyal"), list_folder_id=int(folder.id)
    ).list
    static = lists.create(
        name="S",
        object_type_id="0-1",
        processing_type="MANUAL",
        list_permissions={"teams_with_edit_access": [1], "users_with_edit_access": []},
    ).list
    assert lists.list_folders(folder_id=folder.id).folder.child_lists == [int(dynamic.list_id)]
    lists.move_list(list_id=static.list_id, new_folder_id=folder.id)
    assert lists.get(dynamic.list_id, include_filters=True).list.filter_branch is not None
    assert lists.list(list_ids=[dynamic.list_id, static.list_id]).lists[1].list_permissions is not None
    assert lists.get_by_object_type_and_name("D", object_type_id="0-1").list.list_id == dynamic.list_id
    assert lists.list_by_search(list_ids=[], offset=0, processing_types=[]).total == 2
    assert lists.update_list_name(dynamic.list_id, list_name="D2").updated_list is not None
    assert lists.update_list_filters(dynamic.list_id, filter_branch=branch("lost")).updated_list is not None
    assert lists.add_memberships(static.list_id, body=call.ids[:3]).records_ids_added == call.ids[:3]
    changed = lists.add_and_remove_memberships(static.list_id, record_ids_to_add=[call.ids[3]], record_ids_to_remove=[call.ids[0]])
    assert (changed.records_ids_added, changed.record_ids_removed) == ([call.ids[3]], [call.ids[0]])
    assert [row.record_id for row in lists.list_memberships(static.list_id).results] == call.ids[1:4]
    assert len(lists.get_memberships_join_order(static.list_id).results) == 3
    assert lists.get_record_memberships(call.ids[1], object_type_id="0-1").results[0].list_id == static.list_id
    assert lists.batch_read_memberships(inputs=[{"object_type_id": "0-1", "record_id": call.ids[1]}]).results
    lists.delete(dynamic.list_id)
    lists.restore(dynamic.list_id)
    lists.delete_memberships(static.list_id)


def test_the_sdk_accepts_every_answer_about_the_account(sdk: Sdk, portal: Portal) -> None:
    assert sdk.account.get().time_zone == "Europe/Berlin"
    assert sdk.account.get_daily_private_apps_usage().results[0].usage_limit == 650_000
    assert sdk.crm.limits.get_custom_property_limits().overall_usage == 0
    assert sdk.crm.pipelines.list("deals").results[0].stages
    portal.teams.append({"id": "1", "name": "Sales", "userIds": [], "secondaryUserIds": []})
    assert sdk.settings.users.list_teams().results[0].name == "Sales"
    assert sdk.communication_preferences.definitions.list().results[0].name == "Marketing Information"
    portal.consent.statuses["person1@example.org"] = {71: "UNSUBSCRIBED"}
    read = sdk.communication_preferences.statuses.batch.read(channel="EMAIL", inputs=["person1@example.org"])
    assert [status.status for status in read.results[0].statuses] == ["UNSUBSCRIBED", "NOT_SPECIFIED"]
    sdk.communication_preferences.statuses.batch.get_unsubscribe_all_statuses(channel="EMAIL", inputs=["person1@example.org"])


# Access


def test_a_wrong_token_and_a_lacking_scope_are_told_apart(server: Running, call: Caller) -> None:
    wrong = Caller(server, "nonsense")("GET", "/crm/v3/objects/contacts")
    assert (wrong.status_code, wrong.json()["category"], wrong.json()["context"]) == (
        401,
        "EXPIRED_AUTHENTICATION",
        {"expire time": ["1970-01-01T00:00:00.000Z"]},
    )
    server.portal.grant("narrow", ["crm.objects.contacts.read"])
    refused = Caller(server, "narrow")("GET", "/crm/v3/objects/deals")
    assert (refused.status_code, refused.json()["category"]) == (403, "MISSING_SCOPES")
    assert refused.json()["errors"][0]["context"]["requiredGranularScopes"] == ["crm.objects.deals.read"]
    assert Caller(server, "narrow")("GET", "/crm/v3/properties/contacts").status_code == 200


def test_an_oauth_token_lives_half_an_hour(server: Running) -> None:
    form = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}
    for path in ("/oauth/v1/token", "/oauth/v3/token", "/oauth/2026-03/token", "/oauth/2026-09/token"):
        answer = requests.post(server.url + path, data=form, timeout=20).json()
        assert AccessTokenResponse.model_validate(answer).expires_in == 1800
    call = Caller(server, answer["access_token"])
    assert "X-HubSpot-RateLimit-Daily" not in call("GET", "/crm/v3/objects/contacts").headers
    server.portal.clock.advance(1801)
    assert call("GET", "/crm/v3/objects/contacts").json()["category"] == "EXPIRED_AUTHENTICATION"
    refused = requests.post(server.url + "/oauth/v1/token", data={**form, "refresh_token": "x"}, timeout=20)
    assert (refused.status_code, refused.json()["status"]) == (400, "BAD_REFRESH_TOKEN")


@pytest.mark.parametrize(
    ("legacy", "dated"),
    [
        ("/crm/v3/objects/contacts", "/crm/objects/{}/0-1"),
        ("/crm/v3/properties/contacts/", "/crm/properties/{}/contacts"),
        ("/crm/v3/lists/", "/crm/lists/{}"),
        ("/crm/v3/imports/", "/crm/imports/{}"),
        ("/crm/v3/limits/custom-properties", "/crm/limits/{}/custom-properties"),
        ("/account-info/v3/details", "/account-info/{}/details"),
        ("/automation/v4/flows", "/automation/{}/flows"),
        ("/communication-preferences/v4/definitions", "/communication-preferences/{}/definitions"),
    ],
)
def test_dated_paths_answer_as_the_legacy_ones(call: Caller, legacy: str, dated: str) -> None:
    call.portal.clock.speed = 0.0
    expected = call("GET", legacy).json()
    for version in ("2026-03", "2026-09"):
        assert call("GET", dated.format(version)).json() == expected
        assert call("GET", dated.format(version) + "/").json() == expected
    assert call("GET", dated.format("2025-01")).status_code == 404


# Reading


def test_pages_follow_ids_and_any_id_may_begin_one(call: Caller) -> None:
    assert call.all_ids(page=7) == call.ids
    middle = str(int(call.ids[20]) - 1)
    assert call("GET", "/crm/v3/objects/contacts", after=middle, limit=3).json()["results"][0]["id"] == call.ids[20]
    call.portal.knobs.cursor = "last"
    assert call.all_ids(page=7) == call.ids
    assert call("GET", "/crm/v3/objects/contacts", after=call.ids[20], limit=3).json()["results"][0]["id"] == call.ids[21]


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
        "POST", "/crm/v3/objects/contacts/batch/read", {"idProperty": "email", "inputs": [{"id": "PERSON3@example.org"}], "properties": []}
    )
    assert by_email.json()["results"][0]["id"] == call.ids[3]
    assert call("POST", "/crm/v3/objects/contacts/batch/read", {"inputs": [{"id": "1"}] * 101}).status_code == 400


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

    def found(*filters: dict[str, Any]) -> list[str]:
        return [row["id"] for row in call.search(*filters, limit=200)["results"]]

    def by(operator: str, **more: Any) -> list[str]:
        return found({"propertyName": "hs_object_id", "operator": operator, **more})

    assert by("GT", value=ids[30]) == ids[31:] and by("GTE", value=ids[30]) == ids[30:]
    assert by("LT", value=ids[3]) == ids[:3] and by("LTE", value=ids[3]) == ids[:4]
    assert by("BETWEEN", value=ids[3], highValue=ids[5]) == ids[3:6]
    assert by("IN", values=ids[:2]) == ids[:2] and by("NEQ", value=ids[0]) == ids[1:] and by("NOT_IN", values=ids[:2]) == ids[2:]
    assert found({"propertyName": "email", "operator": "CONTAINS_TOKEN", "value": "person7*"}) == [ids[7]]
    assert found({"propertyName": "phone", "operator": "NOT_HAS_PROPERTY"}) == ids
    stamp = call.portal.record("contacts", int(ids[9])).changed
    assert ids[9] in found({"propertyName": "lastmodifieddate", "operator": "GTE", "value": str(stamp)})
    assert ids[9] not in found({"propertyName": "lastmodifieddate", "operator": "GT", "value": str(stamp)})
    deal = call.portal.store.shelves["deals"].live[0]
    assert found({"propertyName": "associations.deal", "operator": "EQ", "value": str(deal)})


def test_archived_erased_and_merged_records_are_where_they_should_be(call: Caller) -> None:
    ids, portal = call.ids, call.portal
    portal.archive("contacts", int(ids[0]))
    portal.erase("contacts", int(ids[1]))
    survivor = portal.join("contacts", int(ids[2]), int(ids[3]))
    assert call.all_ids() == [*ids[4:], str(survivor)]
    assert call.all_ids(archived="True") == [ids[0]]
    row = call("GET", f"/crm/v3/objects/contacts/{ids[2]}", properties="hs_merged_object_ids,hs_calculated_merged_vids").json()
    assert row["id"] == str(survivor)
    assert row["properties"]["hs_merged_object_ids"] == f"{ids[2]};{ids[3]}"
    assert [part.split(":")[0] for part in row["properties"]["hs_calculated_merged_vids"].split(";")] == [ids[2], ids[3]]
    portal.knobs.reads_merged, portal.knobs.merge_id = False, "keep"
    assert call("GET", f"/crm/v3/objects/contacts/{ids[2]}").status_code == 404
    assert portal.join("contacts", int(ids[5]), int(ids[6])) == int(ids[5])
    deals = portal.links.of(portal.store.shelves["contacts"].kind, int(ids[5]), portal.store.shelves["deals"].kind)
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
        row = call("POST", path, {"inputs": [{"id": contact, **({"after": after} if after else {})}]}).json()["results"][0]
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
    assert call("POST", "/crm/v3/objects/contacts/batch/update", {"inputs": [{"id": ids[0], "properties": {}}] * 2}).status_code == 400
    assert call.update({ids[5]: {"kids": 2}}).status_code == 400  # type: ignore[dict-item]


def test_values_come_back_in_the_form_of_their_type(call: Caller) -> None:
    id = call.ids[0]
    call.update({id: {"kids": "87.50", "birthday": "1764028800000", "recent_note": ""} | {"newsletter": "true"}})
    call.update({id: {"kids": "87.50", "birthday": "2024-02-29", "newsletter": "true"}})
    values = call.portal.dump()[id]
    assert (values["kids"], values["birthday"], values["newsletter"]) == ("87.5", "2024-02-29", "true")
    call.update({id: {"birthday": ""}})
    assert "birthday" not in call.portal.dump()[id]
    history = call("GET", f"/crm/v3/objects/contacts/{id}", propertiesWithHistory="birthday").json()["propertiesWithHistory"]["birthday"]
    assert [each["value"] for each in history] == ["", "2024-02-29"]


def test_one_poisoned_record_spoils_its_batch_or_only_itself(call: Caller) -> None:
    good, bad = call.ids[:2]
    call.portal.knobs.poison = {bad: "INVALID_EMAIL"}
    assert call.update({good: {"city": "A"}, bad: {"city": "A"}}).status_code == 400
    call.portal.knobs.poison_refusal = "each"
    answer = call.update({good: {"city": "A"}, bad: {"city": "A"}})
    assert (answer.status_code, [row["id"] for row in answer.json()["results"]]) == (207, [good])


def test_a_batch_of_new_records_is_all_or_nothing_without_traces(call: Caller) -> None:
    inputs: list[dict[str, Any]] = [{"properties": {"email": "n1@example.org"}}, {"properties": {"email": "person1@example.org"}}]
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
        "POST", "/crm/v3/lists/", {"name": "L", "objectTypeId": "0-1", "processingType": "DYNAMIC", "filterBranch": branch("loyal")}
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
    more = call("POST", "/crm/v3/lists/", {"name": "M", "objectTypeId": "0-1", "processingType": "DYNAMIC", "filterBranch": branch("lost")})
    assert more.json()["subCategory"] == "ILS.LIST_LIMIT_EXCEEDED"


def test_workflows_enrol_once_for_each_change_and_joining(call: Caller) -> None:
    call("POST", "/crm/v3/properties/contacts", SEGMENT)
    static = call("POST", "/crm/v3/lists/", {"name": "S", "objectTypeId": "0-1", "processingType": "MANUAL"}).json()["list"]["listId"]
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
    criteria = call("GET", f"/automation/2026-09/flows/{changed.id}").json()["enrollmentCriteria"]
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
        assert (refused["policyName"], refused["errorType"], "category" in refused) == ("TEN_SECONDLY_ROLLING", "RATE_LIMIT", False)
        portal.clock.advance(8)
        assert [status() for _ in range(4)] == [200, 200, 200, 429]


def test_searches_have_a_limit_of_their_own_and_the_day_ends_at_the_accounts_midnight() -> None:
    portal = Portal(Knobs(daily=8), Clock(speed=0.0, start=datetime(2026, 11, 22, 22, 59, tzinfo=UTC)))
    with serving(portal) as server:
        call = Caller(server)
        answers = [call("POST", "/crm/v3/objects/contacts/search", {}) for _ in range(6)]
        assert [each.status_code for each in answers] == [200] * 5 + [429]
        assert answers[-1].json()["policyName"] == "SECONDLY"
        left = [call("GET", "/crm/v3/objects/contacts").headers["X-HubSpot-RateLimit-Daily-Remaining"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        assert call("GET", "/crm/v3/objects/contacts").json()["policyName"] == "DAILY"
        portal.clock.advance(60)  # midnight in Berlin
        assert call("GET", "/crm/v3/objects/contacts").status_code == 200


# Faults


@pytest.mark.parametrize("status", [423, 429, 477, 500, 502, 503, 504, 524])
def test_a_status_fault_does_nothing_and_happens_at_its_turn(server: Running, call: Caller, status: int) -> None:
    server.portal.script.rules = [Fault("status", path="batch/update", nth=2, status=status, retry_after=3)]
    answers = [call.update({call.ids[0]: {"city": city}}) for city in ("A", "B")]
    assert [each.status_code for each in answers] == [200, status]
    assert answers[1].headers["Retry-After"] == "3"
    assert server.portal.dump()[call.ids[0]]["city"] == "A"
    if status == 502:
        with pytest.raises(UnicodeDecodeError):
            answers[1].content.decode()


@pytest.mark.parametrize(("do", "kept"), [("reset", False), ("lost", True)])
def test_a_cut_connection_comes_before_or_after_the_write(server: Running, call: Caller, do: str, kept: bool) -> None:
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
    server.portal.script.rules = [Fault("meanwhile", path="/objects/contacts", nth=2, event=event, ids=[id]) for event, id in events]
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


# Imports, exports, admin and size


def test_an_import_and_an_export_advance_with_the_clock(call: Caller) -> None:
    ids = call.ids
    columns = [
        {"columnObjectTypeId": "0-1", "columnName": "Record ID", "propertyName": "hs_object_id", "columnType": "HUBSPOT_OBJECT_ID"},
        {"columnObjectTypeId": "0-1", "columnName": "City", "propertyName": "city"},
    ]
    order = {
        "name": "x",
        "importOperations": {"0-1": "UPDATE"},
        "files": [{"fileName": "a.csv", "fileFormat": "CSV", "fileImportPage": {"hasHeader": True, "columnMappings": columns}}],
    }
    file = f"Record ID,City\n{ids[0]},Ulm\n404,Ulm\n".encode()
    started = call.session.post(
        call.server.url + "/crm/v3/imports/", data={"importRequest": json.dumps(order)}, files={"files": ("a.csv", file)}, timeout=20
    ).json()
    path = f"/crm/v3/imports/{started['id']}"
    assert call("GET", path).json()["state"] == "STARTED"
    call.portal.settle(10)
    assert call("GET", path).json()["state"] == "DONE"
    assert call.portal.dump()[ids[0]]["city"] == "Ulm"
    assert call("GET", path + "/errors").json()["results"][0]["errorType"] == "OBJECT_NOT_FOUND"
    wanted = {"exportType": "VIEW", "format": "CSV", "objectType": "CONTACT", "objectProperties": ["hs_object_id", "city"]}
    task = call("POST", "/crm/v3/exports/export/async", wanted).json()["id"]
    call.portal.settle(10)
    result = call("GET", f"/crm/v3/exports/export/async/tasks/{task}/status").json()["result"]
    assert requests.get(result, timeout=20).text.splitlines()[1] == f"{ids[0]},Ulm"


def test_an_administrator_commands_the_portal_from_outside(server: Running) -> None:
    def admin(method: str, verb: str, body: Any = None) -> Any:
        return requests.request(method, f"{server.url}/__admin/{verb}", json=body, timeout=20).json()

    made = admin("POST", "edit", {"values": {"email": "z@example.org"}})["id"]
    assert admin("GET", "state")[str(made)]["email"] == "z@example.org"
    assert admin("POST", "knobs", {"latency": 0.01})["latency"] == 0.01
    assert admin("POST", "faults", [{"do": "reset"}]) == {"rules": 1}
    admin("POST", "clock", {"advance": 3600})
    admin("POST", "archive", {"id": made})
    assert str(made) not in admin("GET", "state")
    assert admin("GET", "counters")["calls"] == 0
    assert requests.get(f"{server.url}/__admin/nonsense", timeout=20).status_code == 404


def test_the_same_seed_makes_the_same_portal() -> None:
    def made() -> dict[str, dict[str, str]]:
        portal = Portal(clock=Clock(0.0, datetime(2026, 1, 1, tzinfo=UTC)))
        generate.seed(portal, 50, 50, 5, "two_ages", 3)
        return portal.dump("contacts") | portal.dump("deals")

    assert made() == made()
