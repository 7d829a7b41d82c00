"""Are bulk jobs, rules, set-up and faults of the stand-in what they are in a real org?"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from simple_salesforce.exceptions import SalesforceError, SalesforceMalformedRequest

from tests.salesforce_client import asked, client, ended, refused, small_org
from tests.servers.salesforce import Org, Server
from tests.servers.salesforce.rules import Automation, Duplicates, Validation


@pytest.fixture
def server() -> Iterator[Server]:
    with small_org() as server:
        yield server


@pytest.fixture
def org(server: Server) -> Org:
    return server.org


@pytest.fixture
def force(server: Server) -> Any:
    return client(server)


# Bulk


def test_a_bulk_query_gives_the_same_rows_as_rest(org: Org, force: Any) -> None:
    org.knobs.page_rows = 300
    text = "SELECT Id, LastName, Account.Name, HasOptedOutOfEmail FROM Contact"
    rows = [
        row
        for page in force.bulk2.Contact.query(text, wait=0.1)
        for row in csv.DictReader(io.StringIO(page, newline=""))
    ]
    wanted = {
        record["Id"]: (
            record["LastName"],
            record["Account"]["Name"],
            str(record["HasOptedOutOfEmail"]).lower(),
        )
        for record in force.query_all(text)["records"]
    }
    assert {
        row["Id"]: (row["LastName"], row["Account.Name"], row["HasOptedOutOfEmail"]) for row in rows
    } == wanted
    assert len(rows) == 1000


def test_parallel_pages_together_are_the_whole_and_may_be_fetched_again(server: Server) -> None:
    server.org.knobs.page_rows = 70
    key = {"Authorization": f"Bearer {server.org.login.issue(server.org.user, 'test')}"}
    root = f"{server.url}/services/data/v66.0/jobs/query"
    job = requests.post(
        root,
        json={"operation": "query", "query": "SELECT Id, LastName FROM Contact"},
        headers=key,
        timeout=10,
    ).json()["id"]
    ended(lambda: requests.get(f"{root}/{job}", headers=key, timeout=10).json())
    ids: list[str] = []
    url: str | None = f"/services/data/v66.0/jobs/query/{job}/resultPages"
    while url:
        pages = requests.get(server.url + url, headers=key, timeout=10).json()
        for page in pages["resultPages"]:
            first, again = (
                requests.get(server.url + page["resultUrl"], headers=key, timeout=10).text for _ in range(2)
            )
            assert first == again
            ids += [row[0] for row in csv.reader(io.StringIO(first, newline=""))][1:]
        url = pages["nextRecordsUrl"]
    assert sorted(ids) == sorted(row["Id"] for row in server.org.rows("Contact"))
    older = requests.get(
        f"{server.url}/services/data/v65.0/jobs/query/{job}/results", headers=key, timeout=10
    )
    assert older.status_code == 409
    assert requests.delete(f"{root}/{job}", headers=key, timeout=10).status_code == 204
    assert requests.get(f"{root}/{job}", headers=key, timeout=10).status_code == 404


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT COUNT(Id) FROM Contact", "API_ERROR"),
        ("SELECT Id, MailingAddress FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM PermissionSet", "INVALIDENTITY"),
    ],
)
def test_what_bulk_queries_cannot_do_is_refused_when_the_job_is_made(
    server: Server, soql: str, code: str
) -> None:
    answer = asked(server, "POST", "jobs/query", json={"operation": "query", "query": soql})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_an_ingest_job_answers_every_row_by_its_id(org: Org, server: Server) -> None:
    org.rules.validations.append(
        validation := Validation("Contact", "Title = 'forbidden'", "A person says no.")
    )
    rows = org.rows("Contact")[:300]
    lines = [
        f'"{row["Id"]}","{"forbidden" if position % 100 == 7 else "VIP"}",#N/A'
        for position, row in enumerate(rows)
    ]
    results = _ingest(server, "Id,Title,Birthdate", lines)
    assert (
        results["job"]["state"],
        results["job"]["numberRecordsFailed"],
        results["job"]["numberRecordsProcessed"],
    ) == ("JobComplete", 3, 300)
    bad = {row["Id"]: row["sf__Error"] for row in results["failed"]}
    assert set(bad) == {row["Id"] for position, row in enumerate(rows) if position % 100 == 7}
    assert set(bad.values()) == {f"FIELD_CUSTOM_VALIDATION_EXCEPTION:{validation.message}:--"}
    assert len(results["successful"]) == 297
    assert [row["Id"] for row in results["successful"]] != [row["Id"] for row in rows if row["Id"] not in bad]
    records_by_id = {row["Id"]: row for row in org.rows("Contact")}
    assert all(
        (records_by_id[row["Id"]]["Title"], records_by_id[row["Id"]]["Birthdate"]) == ("VIP", None)
        for row in rows
        if row["Id"] not in bad
    )
    assert all(records_by_id[id]["Birthdate"] is not None for id in bad)


def _ingest(server: Server, header: str, lines: list[str]) -> dict[str, Any]:
    """An update of contacts in bulk: its job, and the rows of its three results."""
    job = asked(server, "POST", "jobs/ingest", json={"object": "Contact", "operation": "update"}).json()
    content = "\n".join([header, *lines, ""])
    kind = {"Content-Type": "text/csv"}
    assert (
        asked(server, "PUT", f"{server.url}/{job['contentUrl']}", data=content, headers=kind).status_code
        == 201
    )
    root = f"jobs/ingest/{job['id']}"
    asked(server, "PATCH", root, json={"state": "UploadComplete"})
    results: dict[str, Any] = {"job": ended(lambda: asked(server, "GET", root).json())}
    for name in ("successfulResults", "failedResults", "unprocessedrecords"):
        text = asked(server, "GET", f"{root}/{name}/").content.decode()
        results[name.removesuffix("Results").removesuffix("records")] = list(
            csv.DictReader(io.StringIO(text, newline=""))
        )
    return results


def test_the_client_updates_and_inserts_in_bulk(org: Org, force: Any) -> None:
    rows = [{"Id": row["Id"], "Title": "Bulk"} for row in org.rows("Contact")[:50]]
    assert force.bulk2.Contact.update(records=rows, wait=0.1)[0]["numberRecordsProcessed"] == 50
    made = force.bulk2.Contact.insert(
        records=[{"LastName": f"New {number}"} for number in range(10)], wait=0.1
    )[0]
    assert (made["numberRecordsFailed"], made["numberRecordsProcessed"]) == (0, 10)
    assert len(org.rows("Contact", "Title = 'Bulk'")) == 50
    good = force.bulk2.Contact.get_successful_records(made["job_id"])
    assert good.splitlines()[0].replace('"', "").startswith("sf__Id,sf__Created")


def test_a_blank_cell_leaves_a_value_and_the_marker_clears_it(org: Org, server: Server) -> None:
    first, second = (row["Id"] for row in org.rows("Contact")[:2])
    org.edit("Contact", first, Title="kept")
    org.edit("Contact", second, Title="gone")
    _ingest(server, "Id,Title,Department", [f"{first},,D", f"{second},#N/A,D"])
    assert (org.row("Contact", first)["Title"], org.row("Contact", second)["Title"]) == ("kept", None)


def test_a_job_that_fails_in_the_middle_keeps_what_was_done_and_names_what_was_not(
    org: Org, server: Server
) -> None:
    org.faults.add(
        {
            "match": {"method": "PATCH", "path": "jobs/ingest"},
            "nth": 1,
            "do": "job",
            "state": "Failed",
            "rows": 400,
        }
    )
    rows = org.rows("Contact")
    results = _ingest(server, "Id,Title", [f"{row['Id']},VIP" for row in rows])
    assert results["job"]["state"] == "Failed"
    assert "Retried more than 15 times" in results["job"]["errorMessage"]
    assert (len(results["successful"]), len(results["unprocessed"])) == (400, 600)
    assert len(org.rows("Contact", "Title = 'VIP'")) == 400


def test_an_unknown_column_fails_the_whole_job(org: Org, server: Server) -> None:
    results = _ingest(server, "Id,Nothing__c", [f"{org.rows('Contact')[0]['Id']},x"])
    assert (results["job"]["state"], results["successful"]) == ("Failed", [])
    assert "Nothing__c" in results["job"]["errorMessage"]


# What people and rules do


def test_a_person_account_is_an_account_and_a_contact(org: Org, force: Any) -> None:
    org.add_field("Contact", "Segment__c", "string")
    account = org.create("Account", LastName="Person", FirstName="Pia")
    contact = org.row("Account", account)["PersonContactId"]
    force.Contact.update(contact, {"Email": "pia@example.org", "Segment__c": "VIP"})
    got = force.Account.get(account)
    assert (got["Name"], got["PersonEmail"], got["Segment__pc"], got["IsPersonAccount"]) == (
        "Pia Person",
        "pia@example.org",
        "VIP",
        True,
    )
    with pytest.raises(SalesforceMalformedRequest):
        force.Contact.delete(contact)
    force.Account.delete(account)
    assert org.row("Contact", contact)["IsDeleted"]


def test_a_converted_lead_names_its_contact_and_keeps_its_own_consent(org: Org, force: Any) -> None:
    lead = org.create("Lead", LastName="Lea", Company="Self", HasOptedOutOfEmail=True)
    contact = org.rows("Contact", "HasOptedOutOfEmail = 0")[0]["Id"]
    org.convert(lead, contact)
    got = force.Lead.get(lead)
    assert (got["IsConverted"], got["ConvertedContactId"], got["HasOptedOutOfEmail"]) == (True, contact, True)
    assert not force.Contact.get(contact)["HasOptedOutOfEmail"]
    with pytest.raises(SalesforceMalformedRequest) as error:
        force.Lead.update(lead, {"Title": "x"})
    assert refused(error) == (400, "CANNOT_UPDATE_CONVERTED_LEAD")


def test_a_campaign_takes_a_member_once_and_knows_its_statuses(org: Org, force: Any) -> None:
    contact = org.rows("Contact")[0]["Id"]
    campaign = force.Campaign.create({"Name": "Segment: VIP", "IsActive": True})["id"]
    member = force.CampaignMember.create(
        {"CampaignId": campaign, "ContactId": contact, "Status": "nonsense"}
    )["id"]
    assert force.CampaignMember.get(member)["Status"] == "Sent"
    with pytest.raises(SalesforceMalformedRequest) as error:
        force.CampaignMember.create({"CampaignId": campaign, "ContactId": contact})
    assert refused(error) == (400, "DUPLICATE_VALUE")
    force.CampaignMember.update(member, {"Status": "Responded"})
    got = force.CampaignMember.get(member)
    assert (got["HasResponded"], got["FirstRespondedDate"] is not None) == (True, True)


def test_rows_of_one_account_are_locked_together_and_free_later(org: Org, force: Any) -> None:
    org.knobs.lock_fraction, org.knobs.lock_times = 0.3, 1
    rows = [
        {"attributes": {"type": "Contact"}, "id": row["Id"], "Title": "VIP"}
        for row in org.rows("Contact")[:200]
    ]
    first = force.restful("composite/sobjects", method="PATCH", json={"records": rows})
    locked = [row for row, item in zip(rows, first, strict=True) if not item["success"]]
    assert {item["errors"][0]["statusCode"] for item in first if not item["success"]} == {
        "UNABLE_TO_LOCK_ROW"
    }
    accounts = {org.row("Contact", row["id"])["AccountId"] for row in locked}
    assert not accounts & {org.row("Contact", row["id"])["AccountId"] for row in rows if row not in locked}
    assert all(
        item["success"]
        for item in force.restful("composite/sobjects", method="PATCH", json={"records": locked})
    )


def test_automation_runs_once_for_every_saved_record(org: Org, force: Any) -> None:
    org.rules.automations.append(flow := Automation("Contact", "Welcome", column="Title"))
    rows = [
        {"attributes": {"type": "Contact"}, "id": row["Id"], "Title": "VIP"}
        for row in org.rows("Contact")[:5]
    ]
    force.restful("composite/sobjects", method="PATCH", json={"records": rows})
    force.Contact.update(rows[0]["id"], {"Department": "x"})
    assert flow.runs == [row["id"] for row in rows]


def test_a_duplicate_alert_can_be_overridden_and_a_block_cannot(org: Org, force: Any) -> None:
    org.rules.duplicates.append(rule := Duplicates("Contact", ("Email",)))
    twin = {"LastName": "Twin", "Email": org.rows("Contact")[0]["Email"]}
    with pytest.raises(SalesforceMalformedRequest) as error:
        force.Contact.create(twin)
    assert refused(error) == (400, "DUPLICATES_DETECTED")
    allowed = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    assert force.Contact.create(twin, headers=allowed)["success"]
    rule.block = True
    with pytest.raises(SalesforceMalformedRequest):
        force.Contact.create(twin, headers=allowed)


# Set-up


def test_a_field_made_by_api_is_hidden_until_a_permission_set_shows_it(org: Org, force: Any) -> None:
    definition = {
        "FullName": "Contact.Segment__c",
        "Metadata": {"type": "Text", "label": "Segment", "length": 80},
    }
    with pytest.raises(Exception, match="INSUFFICIENT_ACCESS"):
        force.toolingexecute("sobjects/CustomField", method="POST", data=definition)
    org.grant("CustomizeApplication", "ManageUsers", "ViewSetup")
    assert force.toolingexecute("sobjects/CustomField", method="POST", data=definition)["success"]
    assert "Segment__c" not in {field["name"] for field in force.Contact.describe()["fields"]}
    parent = force.PermissionSet.create({"Name": "CRM_Segments", "Label": "CRM Segments"})["id"]
    rights = {"PermissionsRead": True, "PermissionsEdit": True}
    force.FieldPermissions.create(
        {"ParentId": parent, "SobjectType": "Contact", "Field": "Contact.Segment__c", **rights}
    )
    assert "Segment__c" not in {field["name"] for field in force.Contact.describe()["fields"]}
    force.PermissionSetAssignment.create({"AssigneeId": org.user, "PermissionSetId": parent})
    assert "Segment__c" in {field["name"] for field in force.Contact.describe()["fields"]}
    with pytest.raises(SalesforceMalformedRequest) as error:
        force.toolingexecute("sobjects/CustomField", method="POST", data=definition)
    assert refused(error) == (400, "DUPLICATE_DEVELOPER_NAME")


def test_a_list_view_holds_who_fits_its_filter_now(org: Org, force: Any) -> None:
    org.grant("ManagePublicListViews")
    org.add_field("Contact", "Segment__c", "string")
    body = {
        "listViewApiName": "Segment_VIP", "label": "Segment: VIP", "visibility": "Public", "scope": {"apiName": "everything"},
        "displayColumns": ["Name", "Account.Name", "Segment__c"],
        "filteredByInfo": [{"fieldApiName": "Segment__c", "operator": "Equals", "operandLabels": ["VIP"]}],
    }  # fmt: skip
    view = force.restful("ui-api/list-info/Contact", method="POST", json=body)["listReference"]["id"]
    first, second = (row["Id"] for row in org.rows("Contact")[:2])
    force.Contact.update(first, {"Segment__c": "VIP"})
    path = f"sobjects/Contact/listviews/{view}/results"
    assert [record["columns"][0]["value"] for record in force.restful(path)["records"]] == [first]
    force.Contact.update(first, {"Segment__c": None})
    force.Contact.update(second, {"Segment__c": "vip"})
    assert [record["columns"][0]["value"] for record in force.restful(path)["records"]] == [second]
    views = force.query(
        "SELECT Id, Name FROM ListView WHERE SobjectType = 'Contact' AND DeveloperName = 'Segment_VIP'"
    )["records"]
    assert [record["Id"] for record in views] == [view]
    with pytest.raises(SalesforceMalformedRequest):
        force.restful("ui-api/list-info/Contact", method="POST", json=body)


# Faults and the admin side


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ({"do": "html"}, 503),
        ({"do": "error", "status": 500}, 500),
        ({"do": "concurrent"}, 403),
        ({"do": "html", "status": 502}, 502),
    ],
)
def test_a_fault_strikes_the_call_that_it_names_and_no_other(
    org: Org, force: Any, rule: dict[str, Any], status: int
) -> None:
    org.faults.add({"match": {"path": "limits"}, "nth": 2, **rule})
    force.limits()
    with pytest.raises(SalesforceError):
        force.limits()
    assert org.log[-1]["status"] == status
    force.limits()


def test_a_lost_reply_is_of_a_change_that_was_made(org: Org, force: Any) -> None:
    org.faults.add({"match": {"method": "POST", "path": "sobjects/Contact"}, "nth": 1, "do": "lost"})
    with pytest.raises(requests.ConnectionError):
        force.Contact.create({"LastName": "Lost"})
    assert len(org.rows("Contact", "LastName = 'Lost'")) == 1


@pytest.mark.parametrize(
    "rule", [{"do": "reset", "bytes": 300}, {"do": "truncate"}, {"do": "truncate", "framed": False}]
)
def test_a_broken_download_is_noticed(org: Org, force: Any, rule: dict[str, Any]) -> None:
    org.faults.add({"match": {"path": "query"}, "nth": 1, **rule})
    with pytest.raises((requests.RequestException, ValueError)):
        force.query("SELECT Id, Name, Email FROM Contact")
    assert force.query("SELECT Id, Name, Email FROM Contact")["totalSize"] == 1000


def test_people_act_through_the_admin_side_too(server: Server) -> None:
    def post(path: str, body: Any) -> Any:
        return requests.post(f"{server.url}/__admin/{path}", json=body, timeout=10).json()

    id = post("edit", {"do": "create", "object": "Contact", "values": {"LastName": "Admin"}})["result"]
    post("edit", {"do": "edit", "object": "Contact", "id": id, "values": {"Title": "x"}})
    post("clock", {"advance": 86_400})
    post("knobs", {"token_seconds": 5})
    assert server.org.row("Contact", id)["Title"] == "x"
    assert server.org.knobs.token_seconds == 5
    assert "nobody can" in post("edit", {"do": "fly"})["error"]
    assert requests.get(f"{server.url}/__admin/state", timeout=10).json()["counts"]["Contact"] == 1001
