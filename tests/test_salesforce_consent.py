"""Who may be reached by e-mail and telephone in an org, who is behind a record, and whether list views say
the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import open_connector, settings_model
from connectors.contract import Account, Connector, FieldSpec, ListSpec, Option
from connectors.errors import UnsupportedError
from tests.org_shop import hasten
from tests.org_store import RIGHTS
from tests.salesforce_client import asked
from tests.servers.salesforce import Org, Server, serving

Opened = Callable[..., Connector]
Row = dict[str, Any]
SEGMENT = FieldSpec(
    "seg_rfm", "contact", "enum", "Buying habits", options=(Option("loyal", "Loyal"), Option("lost", "Lost"))
)
BOUNCED = "2026-01-02T03:04:05.000+0000"
# What a contact holds; may it be mailed, and called: where everybody must have opted in, and where nobody may
# have opted out.
CASES: list[tuple[Row, tuple[bool | None, bool | None], tuple[bool, bool]]] = [
    ({}, (None, None), (True, True)),
    ({"HasOptedOutOfEmail": True}, (False, None), (False, True)),
    ({"DoNotCall": True}, (None, False), (True, False)),
    ({"Email": None}, (False, None), (False, True)),
    ({"EmailBouncedDate": BOUNCED}, (False, None), (False, True)),
    (
        {"EmailBouncedDate": BOUNCED, "HasOptedOutOfEmail": True, "DoNotCall": True},
        (False, False),
        (False, False),
    ),
]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    hasten(monkeypatch, tmp_path)
    with serving(Org(7)) as served:
        served.org.grant(*RIGHTS)
        yield served


@pytest.fixture
def opened(server: Server) -> Iterator[Opened]:
    connectors: list[Connector] = []

    def connect(**account: Any) -> Connector:
        login = server.org.login
        model = settings_model("salesforce")(
            api_url=server.url, client_id=login.client_id, client_secret=login.client_secret
        )
        server.org.clock.advance(2)
        connectors.append(open_connector(Account("org", "salesforce", model, fields=(SEGMENT,), **account)))
        return connectors[-1]

    yield connect
    for connector in connectors:
        connector.close()


def contact(org: Org, **values: Any) -> str:
    number = len(org.rows("Contact"))
    return str(
        org.create(
            "Contact", **{"LastName": f"Person {number}", "Email": f"person{number}@example.org", **values}
        )
    )


def rows(connector: Connector, stream: str = "contact") -> dict[str, Row]:
    pages = list(connector.read(stream, None))
    return {row["id"]: row for page in pages for row in page.records.to_pylist()}


@pytest.mark.parametrize("basis", ["opt_in", "not_opted_out"])
def test_not_opted_out_is_not_opted_in(basis: Any, server: Server, opened: Opened) -> None:
    expected = {
        contact(server.org, **values): opted_in if basis == "opt_in" else open_
        for values, opted_in, open_ in CASES
    }
    rows_by_id = rows(opened(consent_basis=basis))
    assert {
        id: (row["reachable.email"], row["reachable.phone"]) for id, row in rows_by_id.items()
    } == expected


@pytest.mark.parametrize("basis", ["opt_in", "not_opted_out"])
def test_where_the_user_sees_no_opt_out_nobody_knows(basis: Any, server: Server, opened: Opened) -> None:
    server.org.access.hide("Contact.HasOptedOutOfEmail", "Contact.DoNotCall")
    id, without = contact(server.org), contact(server.org, Email=None)
    rows_by_id = rows(opened(consent_basis=basis))
    assert (rows_by_id[id]["reachable.email"], rows_by_id[id]["reachable.phone"]) == (None, None)
    assert rows_by_id[without]["reachable.email"] is False


@pytest.mark.parametrize(
    ("basis", "unknown"), [("opt_in", True), ("not_opted_out", False), ("not_opted_out", True)]
)
@pytest.mark.parametrize("channel", ["email", "phone"])
@pytest.mark.parametrize(
    "hidden", [(), ("Contact.HasOptedOutOfEmail", "Contact.DoNotCall")], ids=["seen", "hidden"]
)
def test_a_list_view_of_a_campaign_holds_exactly_whom_the_records_call_reachable(
    basis: Any, unknown: bool, channel: str, hidden: tuple[str, ...], server: Server, opened: Opened
) -> None:
    connector = opened(consent_basis=basis)
    connector.ensure_field(SEGMENT)
    for values, _, _ in CASES:
        contact(server.org, seg_rfm__c="loyal", **values)
    contact(server.org, seg_rfm__c="lost")
    server.org.access.hide(*hidden)
    spec = ListSpec(
        "rfm.loyal",
        "RFM: loyal",
        "dynamic",
        "contact",
        "seg_rfm",
        "loyal",
        channel=channel,
        unknown_reachable=unknown,
    )
    connector = opened(consent_basis=basis)
    if hidden and not unknown:
        with pytest.raises(UnsupportedError, match="no field that this user sees says who"):
            connector.ensure_list(spec)
        return
    connector.ensure_list(spec)
    views = asked(server, "GET", "sobjects/Contact/listviews").json()["listviews"]
    (view,) = [entry["id"] for entry in views if entry["developerName"].startswith("Segment_")]
    shown = asked(server, "GET", f"sobjects/Contact/listviews/{view}/results?limit=2000").json()["records"]
    inside = {
        next(cell["value"] for cell in row["columns"] if cell["fieldNameOrPath"] == "Id") for row in shown
    }
    segments = {row["Id"]: row["seg_rfm__c"] for row in server.org.rows("Contact")}
    rows_by_id = rows(connector)
    may = {
        id
        for id, row in rows_by_id.items()
        if row[f"reachable.{channel}"] or (row[f"reachable.{channel}"] is None and unknown)
    }
    assert inside == {id for id in may if segments[id] == "loyal"}
    before = connector.calls.write
    connector.ensure_list(spec)
    assert connector.calls.write == before


@pytest.mark.parametrize("channel", ["email", "phone"])
def test_a_list_view_that_could_hold_nobody_is_refused_with_the_remedy(channel: str, opened: Opened) -> None:
    spec = ListSpec("rfm.loyal", "RFM: loyal", "dynamic", "contact", "seg_rfm", "loyal", channel=channel)
    with pytest.raises(UnsupportedError, match='consent_basis = "not_opted_out"'):
        opened().ensure_list(spec)


def test_another_basis_reads_everything_anew(server: Server, opened: Opened) -> None:
    id = contact(server.org)
    pages = list(opened().read("contact", None))
    assert pages[0].records.to_pylist()[0]["reachable.email"] is None
    again = list(opened(consent_basis="not_opted_out").read("contact", pages[-1].position))
    assert {row["id"]: row["reachable.email"] for page in again for row in page.records.to_pylist()} == {
        id: True
    }
    assert list(opened(consent_basis="not_opted_out").read("contact", again[-1].position)) == []


def test_records_bring_names_addresses_numbers_and_country(server: Server, opened: Opened) -> None:
    org, company = (
        server.org,
        server.org.create("Account", Name="Smith & Co", Phone="1", BillingCountry="Chile"),
    )
    ann = contact(
        org,
        FirstName="Ann",
        LastName="Lee",
        Email="ann@example.org",
        Phone="2",
        MobilePhone="3",
        HomePhone="2",
        MailingCountry="Peru",
    )
    lea = str(
        org.create(
            "Lead", LastName="Lea", Company="Self", Email="lea@example.org", MobilePhone="4", Country="Spain"
        )
    )
    connector = opened()
    names = ("name", "emails", "phones", "country")
    assert [rows(connector)[ann][name] for name in names] == [
        "Ann Lee",
        ["ann@example.org"],
        ["2", "3"],
        "Peru",
    ]
    assert [rows(connector, "lead")[lea][name] for name in names] == [
        "Lea",
        ["lea@example.org"],
        ["4"],
        "Spain",
    ]
    company_row = rows(connector, "company")[str(company)]
    assert [company_row.get(name) for name in names] == ["Smith & Co", None, ["1"], "Chile"]


def test_what_the_user_may_not_see_is_left_out_and_no_failure(server: Server, opened: Opened) -> None:
    phones = ("Phone", "MobilePhone", "HomePhone", "OtherPhone")
    server.org.access.hide("Contact.Email", "Contact.MailingCountry", *(f"Contact.{name}" for name in phones))
    id = contact(server.org)
    page = next(iter(opened().read("contact", None)))
    assert not {"emails", "phones", "country"} & set(page.records.column_names)
    assert page.records.to_pylist()[0]["id"] == id
    server.org.access.show("Contact.MobilePhone")
    again = list(opened().read("contact", page.position))  # made under other columns, it is void
    assert "phones" in again[0].records.column_names
