"""Who may log in to an org, and what does a person have to mend?

A refusal is sent once, and told in the org's own words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import open_connector, settings_model
from connectors.contract import Account, Connector
from connectors.errors import AccessError, ConnectorError, TemporaryError
from connectors.rest.api_errors import UnknownVersion
from connectors.salesforce.api_errors import Refusal, fault, of_answer
from connectors.salesforce.response_policy import locked_out
from sync.exit_codes import exit_code
from tests.org_shop import hasten
from tests.salesforce_client import small_org
from tests.servers.salesforce import Server

Opened = Callable[..., Connector]
TOKEN, SOAP = "/services/oauth2/token", "/services/Soap/u/"


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch, tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    with small_org() as served:
        yield served


@pytest.fixture
def opened(server: Server) -> Iterator[Opened]:
    """Opens a connector; without settings of its own it logs in by client credentials."""
    connectors: list[Connector] = []

    def connect(**settings: Any) -> Connector:
        login = server.org.login
        log_in = {"client_id", "username", "refresh_token"} & settings.keys()
        ours = (
            settings
            if log_in
            else {"client_id": login.client_id, "client_secret": login.client_secret, **settings}
        )
        model = settings_model("salesforce")(api_url=server.url, **ours)
        connectors.append(open_connector(Account("org", "salesforce", model, time_zone="Europe/Berlin")))
        return connectors[-1]

    yield connect
    for connector in connectors:
        connector.close()


def by_password(server: Server, **changed: str) -> dict[str, str]:
    login = server.org.login
    return {
        "username": login.username,
        "password": login.password,
        "security_token": login.security_token,
        **changed,
    }


def refusal_of(connector: Connector) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        connector.fields()
    return caught.value


def log_ins(server: Server) -> int:
    """How many calls came to the addresses of a log-in."""
    return sum(TOKEN in entry["path"] or SOAP in entry["path"] for entry in server.org.log)


def test_a_wrong_password_is_sent_once_told_in_the_orgs_words_and_locks_nobody_out(
    server: Server, opened: Opened
) -> None:
    server.org.knobs.lockout_after = 2
    connector = opened(**by_password(server, password="not-the-password"))
    error = refusal_of(connector)
    assert isinstance(error, AccessError) and exit_code(error) == 1
    assert "INVALID_LOGIN: Invalid username, password, security token; or user locked out." in str(error)
    assert "client credentials" in str(error) and "not-the-password" not in str(error)
    assert [str(error)] == [problem.what for problem in connector.check()]
    assert server.org.login.refused == 1
    assert opened(**by_password(server)).fields()


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("no token", ("LOGIN_MUST_USE_SECURITY_TOKEN", "new location", "Reset My Security Token")),
        ("SOAP closed", ("SOAP API login() is disabled", "External Client App", "client credentials")),
        ("no API", ("API is not enabled", "API Enabled")),
    ],
)
def test_every_refusal_of_a_password_has_its_remedy(
    case: str, words: tuple[str, ...], server: Server, opened: Opened
) -> None:
    settings = by_password(server)
    match case:
        case "no token":
            settings = by_password(server, security_token="")
        case "SOAP closed":
            server.org.knobs.soap_login = False
        case "no API":
            for table in ("Profile", "PermissionSet"):
                server.org.store.run(f"UPDATE {table} SET PermissionsApiEnabled = 0")
    error = refusal_of(opened(**settings))
    assert isinstance(error, AccessError)
    assert all(word in str(error) for word in words), str(error)
    assert server.org.login.refused == 1


@pytest.mark.parametrize(
    ("error", "description", "remedy"),
    [
        ("invalid_grant", "no client credentials user enabled", "Run-As user"),
        ("invalid_grant", "user hasn't approved this consumer", "approved"),
        ("invalid_app_access", "user is not admin approved to access this app", "administrator must approve"),
        ("inactive_org", "organization is inactive", "policies of the app"),
    ],
)
def test_a_refused_log_in_of_an_app_is_told_in_the_orgs_words(
    error: str, description: str, remedy: str, server: Server, opened: Opened
) -> None:
    server.org.login.blocked, server.org.login.description = error, description
    refusal = refusal_of(opened())
    assert isinstance(refusal, AccessError) and exit_code(refusal) == 1
    assert f"({error}: {description})" in str(refusal) and remedy in str(refusal)
    assert "{content}" not in str(refusal)
    assert server.org.login.refused == 1


@pytest.mark.parametrize("way", ["client credentials", "refresh token", "password"])
def test_no_secret_that_a_refusal_repeats_is_shown(way: str, server: Server, opened: Opened) -> None:
    login = server.org.login
    secret = "s3cret-of-ours&<more>"
    login.blocked, login.description = "invalid_grant", f"what is {secret} of {login.username}?"
    settings: dict[str, Any] = {"client_id": login.client_id, "client_secret": secret}
    if way == "refresh token":
        settings = {"client_id": login.client_id, "refresh_token": secret}
    if way == "password":
        settings = by_password(server, password=secret)
    text = str(refusal_of(opened(**settings)))
    assert "s3cret" not in text and login.username not in text
    assert way == "password" or "what is … of …" in text


@pytest.mark.parametrize(
    "key", ["no key at all", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", ""]
)
def test_a_private_key_that_is_none_is_named_and_nothing_is_sent(
    key: str, server: Server, opened: Opened
) -> None:
    login = server.org.login
    error = refusal_of(opened(client_id=login.client_id, username=login.username, private_key=key))
    assert isinstance(error, AccessError)
    assert "private_key" in str(error) and "PEM" in str(error)
    assert log_ins(server) == 0


def test_two_expired_sessions_on_one_call_are_renewed_twice(server: Server, opened: Opened) -> None:
    server.org.faults.add({"match": {"path": "Contact/describe"}, "nth": [1, 2], "do": "expire"})
    assert opened().fields()


def test_an_outage_of_the_log_in_is_one(server: Server, opened: Opened) -> None:
    server.org.faults.add({"match": {"path": "Soap/u"}, "do": "html", "status": 503, "times": 10**6})
    error = refusal_of(opened(**by_password(server)))
    assert isinstance(error, TemporaryError) and exit_code(error) == 75
    assert server.org.login.refused == 0


def test_too_many_log_ins_in_an_hour_pass_by_themselves() -> None:
    error = locked_out("org", Refusal("LOGIN_RATE_EXCEEDED", "Too many log-ins"))
    assert isinstance(error, TemporaryError) and error.retry_after == 3600


@pytest.mark.parametrize("version", ["68.0", "99.0"])
def test_a_version_of_the_api_that_the_org_does_not_know_is_named_with_the_newest(
    version: str, server: Server, opened: Opened
) -> None:
    connector = opened(api_version=version)
    (problem,) = connector.check()
    assert version in problem.what and 'api_version = "67.0"' in problem.remedy
    with pytest.raises(UnknownVersion, match=r"67\.0"):
        next(iter(connector.read("contact", None)))


def test_where_every_path_is_a_bare_404_the_version_is_named(server: Server, opened: Opened) -> None:
    server.org.faults.add(
        {"match": {"path": "query|sobjects|limits"}, "do": "html", "status": 404, "times": 10**6}
    )
    error = refusal_of(opened(api_version="99.0"))
    assert isinstance(error, UnknownVersion) and "67.0" in str(error)


def test_a_path_that_is_missing_in_a_known_version_is_no_matter_of_versions(opened: Opened) -> None:
    connector = opened()
    org: Any = connector.__getattribute__("_org")
    assert org.describe("Nothing__c") is None
    assert org.describe("Nowhere__c") is None


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        ("<soapenv:Fault><faultcode>sf:INVALID_LOGIN</faultcode><faultstring>INVALID_LOGIN: No &amp; no</faultstring></soapenv:Fault>",
         "INVALID_LOGIN", "No & no"),
        ("<Errors><Error><errorCode>API_DISABLED_FOR_ORG</errorCode><message>off</message></Error></Errors>",
         "API_DISABLED_FOR_ORG", "off"),
        ('<error xmlns="x"><exceptionCode>InvalidSessionId</exceptionCode><exceptionMessage>m</exceptionMessage></error>',
         "INVALID_SESSION_ID", "m"),
        ("<html><body><h1>Bad gateway</h1><p>error</p></body></html>", "", ""),
        ("", "", ""),
    ],
)  # fmt: skip
def test_a_fault_in_xml_is_read_and_a_page_of_a_proxy_is_none(body: str, code: str, text: str) -> None:
    assert of_answer(500, body.encode())[0].code == code
    if code:
        assert of_answer(500, body)[0].text == text
        assert of_answer(500, body)[0].kind != "transient" or code == "INVALID_SESSION_ID"
    else:
        assert fault(body) == {} and of_answer(500, body)[0].kind == "transient"
