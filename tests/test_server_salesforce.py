"""Is the stand-in for Salesforce one?

Driven by a client that we did not write (simple-salesforce), and held to what real orgs answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from simple_salesforce.exceptions import (
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

from tests.salesforce_client import asked, client, refused, small_org
from tests.servers.salesforce import Org, Server, seed


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


# Log-in


def test_the_client_logs_in_by_soap_and_by_password(server: Server) -> None:
    login = server.org.login
    named = {"username": login.username, "password": login.password}
    client(server, **named, security_token=login.security_token).limits()
    client(
        server, **named, consumer_key=login.client_id, consumer_secret=login.client_secret, domain="acme.my"
    ).limits()
    assert login.logins == ["soap", "password"]


def test_a_jwt_is_verified_with_the_public_key(server: Server) -> None:
    rsa = pytest.importorskip(
        "cryptography.hazmat.primitives.asymmetric.rsa", reason="pip install cryptography"
    )
    from cryptography.hazmat.primitives import serialization as form

    right, wrong = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    public = right.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    server.org.login.public_key = public.decode()
    texts = [
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode()
        for key in (right, wrong)
    ]
    credentials = {"username": server.org.login.username, "consumer_key": server.org.login.client_id}
    client(server, **credentials, privatekey=texts[0]).limits()
    with pytest.raises(Exception, match="invalid_grant"):
        client(server, **credentials, privatekey=texts[1])


def token(server: Server, **form: str) -> tuple[int, dict[str, Any]]:
    credentials = {"client_id": server.org.login.client_id, "client_secret": server.org.login.client_secret}
    answer = requests.post(f"{server.url}/services/oauth2/token", data={**credentials, **form}, timeout=10)
    return answer.status_code, answer.json()


def test_the_token_endpoint_names_what_is_wrong(server: Server) -> None:
    assert token(server, grant_type="client_credentials", client_secret="wrong") == (
        400,
        {"error": "invalid_client", "error_description": "invalid client credentials"},
    )
    assert (
        token(server, grant_type="client_credentials", client_id="wrong")[1]["error"] == "invalid_client_id"
    )
    assert token(server, grant_type="magic")[1]["error"] == "unsupported_grant_type"


def test_a_rotated_refresh_token_works_once_and_its_reuse_ends_the_grant(server: Server) -> None:
    server.org.knobs.rotate_refresh_tokens = True
    _, first = token(server, grant_type="refresh_token", refresh_token="refresh-1")
    status, again = token(server, grant_type="refresh_token", refresh_token="refresh-1")
    assert (status, again["error"]) == (400, "invalid_grant")
    assert (
        token(server, grant_type="refresh_token", refresh_token=first["refresh_token"])[1]["error"]
        == "invalid_grant"
    )


def test_an_expired_session_is_refused_and_the_client_logs_in_again(org: Org, force: Any) -> None:
    force.limits()
    org.login.expire()
    force.limits()
    assert len(org.login.logins) == 2


# Reading


def test_a_query_over_several_pages_finds_every_contact_once(org: Org, force: Any) -> None:
    seed(org, 3500)
    records = force.query_all("SELECT Id, LastName, Account.Name FROM Contact")["records"]
    assert len({record["Id"] for record in records}) == len(records) == 4500
    assert all(record["Account"]["Name"].startswith("Company") for record in records)


def test_deleted_records_are_seen_by_query_all_alone(org: Org, force: Any) -> None:
    id = force.query("SELECT Id FROM Contact LIMIT 1")["records"][0]["Id"]
    force.Contact.delete(id)
    assert force.query(f"SELECT Id FROM Contact WHERE Id = '{id}'")["totalSize"] == 0
    (record,) = force.query(
        f"SELECT IsDeleted, MasterRecordId FROM Contact WHERE Id = '{id}'", include_deleted=True
    )["records"]
    assert (record["IsDeleted"], record["MasterRecordId"]) == (True, None)


def test_a_merged_contact_names_its_survivor_and_hands_over_what_it_had(org: Org, force: Any) -> None:
    (role,) = org.rows("OpportunityContactRole")[:1]
    loser = role["ContactId"]
    survivor = next(row["Id"] for row in org.rows("Contact") if row["Id"] != loser)
    org.merge("Contact", survivor, loser)
    (record,) = force.query(
        f"SELECT IsDeleted, MasterRecordId FROM Contact WHERE Id = '{loser}'", include_deleted=True
    )["records"]
    assert (record["IsDeleted"], record["MasterRecordId"]) == (True, survivor)
    assert org.row("OpportunityContactRole", role["Id"])["ContactId"] == survivor


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("MailingCity = 'ulm'", lambda row: row["MailingCity"] == "Ulm"),
        ("LeadSource != 'Web'", lambda row: row["LeadSource"] != "Web"),
        ("LeadSource = null", lambda row: row["LeadSource"] is None),
        ("LeadSource IN ('Web', 'Phone Inquiry') AND NOT MailingCity LIKE 'K%'",
         lambda row: row["LeadSource"] in ("Web", "Phone Inquiry") and not row["MailingCity"].startswith("K")),
        ("HasOptedOutOfEmail = true OR (Title = 'Buyer' AND DoNotCall = true)",
         lambda row: row["HasOptedOutOfEmail"] or (row["Title"] == "Buyer" and row["DoNotCall"])),
        ("Birthdate >= 1980-01-01 AND Birthdate < 1990-01-01", lambda row: "1980" <= row["Birthdate"][:4] < "1990"),
        ("LastName IN ('NA', '#N/A')", lambda row: row["LastName"] in ("NA", "#N/A")),
        ("LastName = 'O\"Hara' OR LastName LIKE 'Line\\n%'", lambda row: row["LastName"] in ('O"Hara', "Line\nBreak")),
    ],
)  # fmt: skip
def test_a_condition_means_what_it_means_in_soql(org: Org, force: Any, where: str, holds: Any) -> None:
    ids = {record["Id"] for record in force.query_all(f"SELECT Id FROM Contact WHERE {where}")["records"]}
    assert ids == {row["Id"] for row in org.rows("Contact") if holds(row)}
    assert ids


def test_semi_joins_aggregates_and_parents_are_answered(org: Org, force: Any) -> None:
    text = "SELECT COUNT() FROM Contact WHERE Id IN (SELECT ContactId FROM CampaignMember WHERE HasResponded = true)"
    assert force.query(text)["totalSize"] == len(
        {row["ContactId"] for row in org.rows("CampaignMember") if row["HasResponded"]}
    )
    counted = force.query("SELECT MailingCity, COUNT(Id) n FROM Contact GROUP BY MailingCity")["records"]
    assert sum(record["n"] for record in counted) == 1000
    (most,) = force.query("SELECT MAX(SystemModstamp) m, COUNT(Id) n FROM Contact")["records"]
    assert most["n"] == 1000
    assert most["m"] == max(row["SystemModstamp"] for row in org.rows("Contact")).replace("Z", "+0000")
    names = force.query("SELECT Account.Name FROM Contact ORDER BY Account.Name DESC, Id LIMIT 5")["records"]
    assert [record["Account"]["Name"] for record in names] == sorted(
        (record["Account"]["Name"] for record in names), reverse=True
    )


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("SELECT Nothing FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE CreatedDate > '2024-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE CreatedDate > 2024-01-01", "INVALID_FIELD"),
        ("SELECT Id, FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Id IN ()", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Title = 'a' AND Title = 'b' OR Title = 'c'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Description = 'x'", "INVALID_FIELD"),
    ],
)
def test_a_wrong_statement_is_refused_with_its_code(force: Any, soql: str, code: str) -> None:
    with pytest.raises(SalesforceMalformedRequest) as error:
        force.query(soql)
    assert refused(error) == (400, code)


def test_describe_hides_what_field_level_security_hides(org: Org, force: Any) -> None:
    names = {field["name"] for field in force.Contact.describe()["fields"]}
    assert {"Id", "Email", "HasOptedOutOfEmail", "IsPersonAccount", "SystemModstamp"} <= names
    assert all(len(field) == 57 for field in force.Contact.describe()["fields"])
    org.access.hide("Contact.HasOptedOutOfEmail")
    assert "HasOptedOutOfEmail" not in {field["name"] for field in force.Contact.describe()["fields"]}
    with pytest.raises(SalesforceMalformedRequest):
        force.query("SELECT HasOptedOutOfEmail FROM Contact")


def test_who_sees_60_percent_is_told_of_all_by_record_count(org: Org, force: Any) -> None:
    org.knobs.visible = {"Contact": 0.6}
    seen = force.query("SELECT COUNT() FROM Contact")["totalSize"]
    assert 550 < seen < 650
    assert force.restful("limits/recordCount", params={"sObjects": "Contact"})["sObjects"] == [
        {"count": 1000, "name": "Contact"}
    ]


def test_a_late_commit_appears_with_an_earlier_stamp(org: Org, force: Any) -> None:
    stamped = org.clock.stamp()
    id = org.late(600, "Contact", LastName="Late")
    assert force.query(f"SELECT Id FROM Contact WHERE Id = '{id}'")["totalSize"] == 0
    org.clock.advance(601)
    (record,) = force.query(f"SELECT SystemModstamp FROM Contact WHERE Id = '{id}'")["records"]
    assert record["SystemModstamp"] == stamped.replace("Z", "+0000")


def test_every_reply_tells_the_use_of_the_day(org: Org, force: Any) -> None:
    force.limits()
    used = force.api_usage["api-usage"]
    assert (used.used, used.total) == (org.limits.requests(), 100_000)
    org.knobs.used_requests = 99_999
    with pytest.raises(Exception, match="TotalRequests Limit exceeded"):
        [force.limits() for _ in range(3)]


def test_deleted_and_updated_records_of_a_span_are_told(org: Org, force: Any) -> None:
    gone, moved = (row["Id"] for row in org.rows("Contact")[:2])
    force.Contact.delete(gone)
    force.Contact.update(moved, {"Title": "x"})
    now = org.clock.now()
    span = (now - timedelta(minutes=5), now + timedelta(minutes=5))
    assert [record["id"] for record in force.Contact.deleted(*span)["deletedRecords"]] == [gone]
    assert force.Contact.updated(*span)["ids"] == [moved]


# Writing


def test_a_record_is_made_changed_and_deleted(org: Org, force: Any) -> None:
    id = force.Contact.create({"LastName": "Lovelace", "FirstName": "Ada", "Email": "ada@example.org"})["id"]
    assert (len(id), id[:3]) == (18, "003")
    assert force.Contact.update(id, {"MailingCity": " Ulm ", "Title": None}) == 204
    got = force.Contact.get(id)
    assert (got["Name"], got["MailingCity"], got["MailingAddress"]["city"]) == ("Ada Lovelace", "Ulm", "Ulm")
    assert force.Contact.delete(id) == 204
    with pytest.raises(SalesforceResourceNotFound):
        force.Contact.get(id)


def test_collections_answer_record_by_record_in_order(org: Org, force: Any) -> None:
    ids = [row["Id"] for row in org.rows("Contact")[:3]]
    rows = [{"attributes": {"type": "Contact"}, "id": id, "Title": "VIP"} for id in ids]
    rows[1] |= {"Email": "no address"}
    answer = force.restful("composite/sobjects", method="PATCH", json={"allOrNone": False, "records": rows})
    assert [item["success"] for item in answer] == [True, False, True]
    assert answer[1]["errors"][0]["statusCode"] == "INVALID_EMAIL_ADDRESS"
    assert [org.row("Contact", id)["Title"] == "VIP" for id in ids] == [True, False, True]


def test_all_or_none_leaves_nothing_when_one_fails(org: Org, force: Any) -> None:
    ids = [row["Id"] for row in org.rows("Contact")[:2]]
    rows = [{"attributes": {"type": "Contact"}, "id": id, "Title": "VIP"} for id in ids]
    rows[1]["Email"] = "no address"
    answer = force.restful("composite/sobjects", method="PATCH", json={"allOrNone": True, "records": rows})
    assert [item["errors"][0]["statusCode"] for item in answer] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "INVALID_EMAIL_ADDRESS",
    ]
    assert org.row("Contact", ids[0])["Title"] != "VIP"


def test_more_than_200_records_in_a_collection_are_refused(org: Org, force: Any) -> None:
    rows = [{"attributes": {"type": "Contact"}, "LastName": "X"}] * 201
    with pytest.raises(SalesforceMalformedRequest) as error:
        force.restful("composite/sobjects", method="POST", json={"records": rows})
    assert refused(error) == (400, "EXCEEDED_MAX_SIZE_REQUEST")


def test_upsert_by_external_id_makes_updates_and_refuses_what_is_ambiguous(org: Org, force: Any) -> None:
    org.add_field("Contact", "Key__c", "string", external_id=True)
    assert force.Contact.upsert("Key__c/a", {"LastName": "A"}) == 201
    assert force.Contact.upsert("Key__c/a", {"LastName": "B"}) == 200
    org.create("Contact", LastName="C", Key__c="a")
    with pytest.raises(SalesforceMoreThanOneRecord):
        force.Contact.upsert("Key__c/a", {"LastName": "B"})


def test_composite_hands_results_on(force: Any) -> None:
    parts = [
        {"method": "POST", "url": "/services/data/v64.0/sobjects/Account", "referenceId": "one", "body": {"Name": "New"}},
        {"method": "POST", "url": "/services/data/v64.0/sobjects/Contact", "referenceId": "two",
         "body": {"LastName": "X", "AccountId": "@{one.id}"}},
    ]  # fmt: skip
    answer = force.restful("composite", method="POST", json={"allOrNone": True, "compositeRequest": parts})[
        "compositeResponse"
    ]
    assert [part["httpStatusCode"] for part in answer] == [201, 201]


# Rules that were captured on a real org


def told(answer: requests.Response) -> tuple[int, str, list[str], str]:
    error = answer.json()[0]
    return answer.status_code, error["errorCode"], error.get("fields", []), error["message"]


NOBODY = "003Hs0000000zzzIAA"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", f"sobjects/Contact/{NOBODY}", None, 404, "NOT_FOUND"),
        ("GET", "sobjects/Nothing__c/001Hs0000000001IAA", None, 404, "NOT_FOUND"),
        ("POST", "sobjects/Nothing__c", {"Name": "x"}, 404, "NOT_FOUND"),
        ("PATCH", f"sobjects/Contact/{NOBODY}", {"LastName": "x"}, 404, "INVALID_CROSS_REFERENCE_KEY"),
        ("DELETE", f"sobjects/Contact/{NOBODY}", None, 404, "INVALID_CROSS_REFERENCE_KEY"),
        ("POST", "sobjects/Contact", {"LastName": "x", "Nothing__c": 1}, 400, "INVALID_FIELD"),
        ("POST", "sobjects/Contact", {"FirstName": "x"}, 400, "REQUIRED_FIELD_MISSING"),
        ("POST", "sobjects/Contact", {"LastName": "x" * 81}, 400, "STRING_TOO_LONG"),
        ("POST", "sobjects/Account", {"Name": "x", "AnnualRevenue": "banana"}, 400, "JSON_PARSER_ERROR"),
        ("PUT", f"sobjects/Contact/{NOBODY}", {"LastName": "x"}, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "sobjects/Contact/123", None, 404, "NOT_FOUND"),
        ("GET", "query?q=SELECT+Id+FROM+Nothing", None, 400, "INVALID_TYPE"),
    ],
)
def test_the_server_refuses_as_a_real_org_did(
    server: Server, method: str, path: str, body: Any, status: int, code: str
) -> None:
    assert told(asked(server, method, path, json=body))[:2] == (status, code)


def test_refusals_name_the_field_and_speak_as_a_real_org_did(server: Server) -> None:
    assert told(asked(server, "POST", "sobjects/Contact", json={"FirstName": "x"}))[2] == ["LastName"]
    message = told(asked(server, "POST", "sobjects/Account", json={"Name": "x", "AnnualRevenue": "banana"}))[
        3
    ]
    where = "or request may be missing a required field at [line:1, column:2]"
    assert message == f"Cannot deserialize instance of currency from VALUE_STRING value banana {where}"
    unknown = "Provided external ID field does not exist or is not accessible: 123"
    assert told(asked(server, "GET", "sobjects/Contact/123"))[3] == unknown


@pytest.mark.parametrize(
    ("version", "status"), [("v1.0", 404), ("v25.0", 410), ("v66.5", 404), ("v99.0", 404)]
)
def test_versions_that_are_not_served_are_refused(server: Server, version: str, status: int) -> None:
    assert requests.get(f"{server.url}/services/data/{version}/limits", timeout=10).status_code == status
