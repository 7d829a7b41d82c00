"""Does our stand-in for HubSpot answer as HubSpot does?

Two clients that are not ours say so, and its rules are tried one by one.
"""

from __future__ import annotations

import json
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

from tests.portal_calls import SEGMENT, Caller, branch
from tests.servers.hubspot import (
    CLIENT_ID,
    CLIENT_SECRET,
    REFRESH_TOKEN,
    TOKEN,
    Clock,
    Knobs,
    Portal,
    Running,
    generate,
    seed,
    serving,
)


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
        content = json.loads(
            response.content,
            object_hook=lambda fields: {key: value for key, value in fields.items() if value is not None},
        )
        response._content = json.dumps(content).encode()


@pytest.fixture
def sdk(server: Running) -> Iterator[Sdk]:
    with httpx.Client(event_hooks={"response": [_without_nulls]}) as http:
        yield Sdk(
            access_token=TOKEN,
            base_url=server.url,
            _strict_response_validation=True,
            max_retries=0,
            http_client=http,
        )


# What clients that are not ours find


def test_the_client_reads_pages_batches_and_searches(client: Client, portal: Portal, call: Caller) -> None:
    page = client.crm.contacts.basic_api.get_page(
        limit=10, properties=["email", "phone"], associations=["deals"], archived=False
    )
    assert len(page.results) == 10 and page.paging.next.after == call.ids[10]
    assert {"email", "phone", "createdate"} <= page.results[0].properties.keys()
    wanted = BatchReadInputSimplePublicObjectId(
        properties=["email"], properties_with_history=["city"], inputs=[{"id": id} for id in call.ids[:3]]
    )
    assert {row.id for row in client.crm.contacts.batch_api.read(wanted).results} == set(call.ids[:3])
    answer = client.crm.contacts.search_api.do_search(
        PublicObjectSearchRequest(limit=5, after="0", sorts=[], properties=[], filter_groups=[])
    )
    assert (answer.total, len(answer.results)) == (40, 5)


def test_the_client_writes_records_and_hears_of_a_taken_address(client: Client, call: Caller) -> None:
    made = client.crm.contacts.basic_api.create(
        {"properties": {"email": "New@Example.org"}, "associations": []}
    )
    assert made.properties["email"] == "new@example.org"
    assert (
        client.crm.contacts.basic_api.update(made.id, {"properties": {"city": "Ulm"}}).properties["city"]
        == "Ulm"
    )
    with pytest.raises(ApiException) as taken:
        client.crm.contacts.basic_api.create({"properties": {"email": "new@example.org"}, "associations": []})
    assert taken.value.status == 409 and f"Existing ID: {made.id}" in taken.value.body
    updated = client.crm.contacts.batch_api.update(
        {"inputs": [{"id": made.id, "properties": {"city": "Bonn"}}]}
    )
    assert updated.results[0].properties["city"] == "Bonn"
    client.crm.contacts.basic_api.archive(made.id)
    assert client.crm.contacts.basic_api.get_by_id(made.id, archived="true").archived_at


def test_the_client_makes_properties_groups_and_lists(client: Client, call: Caller) -> None:
    group = client.crm.properties.groups_api.create(
        "contacts", {"name": "crm_segments", "label": "CRM Segments", "displayOrder": -1}
    )
    made = client.crm.properties.core_api.create("contacts", {**SEGMENT, "groupName": group.name})
    assert [option.value for option in made.options] == ["loyal", "lost"]
    assert client.crm.properties.core_api.get_by_name("contacts", "seg_rfm").hubspot_defined is False
    listed = client.crm.lists.lists_api.create(
        {
            "name": "Segment: Loyal",
            "objectTypeId": "0-1",
            "processingType": "DYNAMIC",
            "filterBranch": branch("loyal"),
        }
    )
    assert listed.list.processing_status == "PROCESSING"
    static = client.crm.lists.lists_api.create(
        {"name": "Static", "objectTypeId": "0-1", "processingType": "MANUAL"}
    ).list
    changed = client.crm.lists.memberships_api.add(static.list_id, [call.ids[0], "999999999"])
    assert (changed.records_ids_added, changed.record_ids_missing) == ([call.ids[0]], ["999999999"])
    assert (
        client.crm.lists.memberships_api.get_page(static.list_id, limit=250).results[0].record_id
        == call.ids[0]
    )
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
    linked = client.crm.associations.v4.batch_api.get_page(
        "deals", "contacts", {"inputs": [{"id": id} for id in deals]}
    )
    assert len(linked.results) == 60
    assert client.crm.owners.owners_api.get_page().results[0].id == "7"
    assert [stage.id for stage in client.crm.pipelines.pipelines_api.get_all("deals").results[0].stages][
        3
    ] == "closedwon"


def test_the_sdk_accepts_every_object_answer(sdk: Sdk, portal: Portal, call: Caller) -> None:
    contacts = sdk.crm.objects.contacts
    page = contacts.list(limit=10, properties=["email", "city"], associations=["deals"])
    assert len(page.results) == 10
    assert contacts.get(
        call.ids[0], properties=["city"], properties_with_history=["city"]
    ).properties_with_history
    read = contacts.batch.get(inputs=[{"id": call.ids[1]}], properties=["email"], properties_with_history=[])
    assert [row.id for row in read.results] == [call.ids[1]]
    updated = contacts.batch.update(
        inputs=[
            {"id": call.ids[1], "properties": {"city": "Ulm"}},
            {"id": "404", "properties": {"city": "x"}},
        ]
    )
    assert len(updated.results) == 1
    answer = contacts.search(
        after="0", filter_groups=[], limit=3, properties=["email"], sorts=["hs_object_id"]
    )
    assert answer.total == 40
    made = contacts.batch.create(inputs=[{"properties": {"email": "a@b.org"}, "associations": []}])
    upserted = contacts.batch.upsert(
        inputs=[{"id": "a@b.org", "id_property": "email", "properties": {"email": "a@b.org", "city": "Kiel"}}]
    )
    assert (upserted.results[0].id, upserted.results[0].new) == (made.results[0].id, False)
    merged = contacts.merge(primary_object_id=call.ids[0], object_id_to_merge=call.ids[1])
    assert merged.id not in call.ids[:2]
    contacts.gdpr_delete(object_id=merged.id)
    contacts.delete(call.ids[5])
    assert sdk.crm.objects.generic_objects.list("orders").results == []
    assert sdk.crm.objects.deals.list(limit=2).results[0].properties["dealstage"]


def test_the_sdk_accepts_every_answer_about_properties_and_associations(sdk: Sdk, portal: Portal) -> None:
    assert (
        sdk.crm.properties.groups.create("contacts", label="Segments", name="crm_segments").name
        == "crm_segments"
    )
    assert sdk.crm.properties.groups.list("contacts").results
    made = sdk.crm.properties.create(
        "contacts",
        field_type="select",
        group_name="crm_segments",
        label="S",
        name="seg",
        type="enumeration",
        options=SEGMENT["options"],
    )
    wider = [*SEGMENT["options"], {"label": "New", "value": "new", "hidden": False, "displayOrder": 2}]
    changed = sdk.crm.properties.update(made.name, object_type="contacts", options=wider)
    assert [option.value for option in changed.options] == ["loyal", "lost", "new"]
    assert sdk.crm.properties.get("seg", object_type="contacts").hubspot_defined is False
    assert len(sdk.crm.properties.list("deals").results) > 10
    deals = [str(id) for id in portal.store.shelves["deals"].live[:5]]
    linked = sdk.crm.associations.batch.get(
        "contacts", from_object_type="deals", inputs=[{"id": id} for id in deals]
    )
    assert {row.from_.id for row in linked.results} == set(deals)


def test_the_sdk_accepts_every_answer_about_lists(sdk: Sdk, portal: Portal, call: Caller) -> None:
    call("POST", "/crm/v3/properties/contacts", SEGMENT)
    lists = sdk.crm.lists
    folder = lists.create_folder(name="Segments").folder
    dynamic = lists.create(
        name="D",
        object_type_id="0-1",
        processing_type="DYNAMIC",
        filter_branch=branch("loyal"),
        list_folder_id=int(folder.id),
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
    changed = lists.add_and_remove_memberships(
        static.list_id, record_ids_to_add=[call.ids[3]], record_ids_to_remove=[call.ids[0]]
    )
    assert (changed.records_ids_added, changed.record_ids_removed) == ([call.ids[3]], [call.ids[0]])
    assert [row.record_id for row in lists.list_memberships(static.list_id).results] == call.ids[1:4]
    assert len(lists.get_memberships_join_order(static.list_id).results) == 3
    assert (
        lists.get_record_memberships(call.ids[1], object_type_id="0-1").results[0].list_id == static.list_id
    )
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
    sdk.communication_preferences.statuses.batch.get_unsubscribe_all_statuses(
        channel="EMAIL", inputs=["person1@example.org"]
    )


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
    form = {
        "grant_type": "refresh_token",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
    }
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


def test_workflows_are_published_under_no_date_but_that_of_a_beta(call: Caller) -> None:
    assert call("GET", "/automation/2026-09-beta/flows").json() == call("GET", "/automation/v4/flows").json()
    assert (
        call("GET", "/automation/2026-09/flows").status_code
        == call("GET", "/automation/2026-03/flows").status_code
        == 404
    )


# Imports, exports, admin and size


def test_an_import_and_an_export_advance_with_the_clock(call: Caller) -> None:
    ids = call.ids
    columns = [
        {
            "columnObjectTypeId": "0-1",
            "columnName": "Record ID",
            "propertyName": "hs_object_id",
            "columnType": "HUBSPOT_OBJECT_ID",
        },
        {"columnObjectTypeId": "0-1", "columnName": "City", "propertyName": "city"},
    ]
    order = {
        "name": "x",
        "importOperations": {"0-1": "UPDATE"},
        "files": [
            {
                "fileName": "a.csv",
                "fileFormat": "CSV",
                "fileImportPage": {"hasHeader": True, "columnMappings": columns},
            }
        ],
    }
    file = f"Record ID,City\n{ids[0]},Ulm\n404,Ulm\n".encode()
    started = call.session.post(
        call.server.url + "/crm/v3/imports/",
        data={"importRequest": json.dumps(order)},
        files={"files": ("a.csv", file)},
        timeout=20,
    ).json()
    path = f"/crm/v3/imports/{started['id']}"
    assert call("GET", path).json()["state"] == "STARTED"
    call.portal.settle(10)
    assert call("GET", path).json()["state"] == "DONE"
    assert call.portal.dump()[ids[0]]["city"] == "Ulm"
    assert call("GET", path + "/errors").json()["results"][0]["errorType"] == "OBJECT_NOT_FOUND"
    wanted = {
        "exportType": "VIEW",
        "format": "CSV",
        "objectType": "CONTACT",
        "objectProperties": ["hs_object_id", "city"],
    }
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
