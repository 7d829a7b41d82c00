"""Whose deal is it, how much of it, and on which day?

What accounts and people have of opportunities and events of an org.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import open_connector, settings_model
from connectors.contract import Account, FieldSpec
from tests.org_shop import START, hasten
from tests.org_store import RIGHTS
from tests.servers.salesforce import Org, Server, serving
from tests.servers.salesforce.clock import Clock

COMPANY = FieldSpec("seg_firm", "company")
PERSON = FieldSpec("seg_person", "contact")
Rows = list[dict[str, Any]]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    hasten(monkeypatch, tmp_path)
    with serving(Org(7, rights=RIGHTS, clock=Clock(START))) as served:
        yield served


@pytest.fixture
def read(server: Server) -> Callable[..., Rows]:
    """Activity of the org, as an account with these settings reads it."""

    def rows(
        zone: str = "Europe/Berlin", activity: tuple[str, ...] = ("opportunities",), **account: Any
    ) -> Rows:
        login = server.org.login
        settings = settings_model("salesforce")(
            api_url=server.url,
            client_id=login.client_id,
            client_secret=login.client_secret,
            activity=activity,
        )
        connector = open_connector(Account("org", "salesforce", settings, time_zone=zone, **account))
        activities = [row for page in connector.read("activity", None) for row in page.records.to_pylist()]
        connector.close()
        return activities

    return rows


def _deal(org: Org, account: str | None, amount: float, *contacts: str) -> str:
    values = {
        "Name": "Deal",
        "StageName": "Closed Won",
        "CloseDate": "2026-03-01",
        "Amount": amount,
        "AccountId": account,
    }
    deal = org.create("Opportunity", **values)
    for position, contact in enumerate(contacts):
        org.create("OpportunityContactRole", OpportunityId=deal, ContactId=contact, IsPrimary=position == 0)
    return deal


def _firms(org: Org) -> tuple[str, str, str, str]:
    """Two accounts, a contact who is employed at the second, and one without an account."""
    a, b = (org.create("Account", Name=name) for name in "AB")
    return a, b, org.create("Contact", LastName="At B", AccountId=b), org.create("Contact", LastName="Free")


def test_where_only_accounts_get_segments_a_deal_is_its_own_accounts(
    server: Server, read: Callable[..., Rows]
) -> None:
    a, _, employed, free = _firms(server.org)
    _deal(server.org, a, 100, employed)
    _deal(server.org, a, 50, free)
    _deal(server.org, None, 7, employed)
    deals = read(fields=(COMPANY,))
    assert [(row["record_type"], row["record_id"], row["amount_minor"]) for row in deals if row["record_type"] == "company"] == [
        ("company", a, 10_000), ("company", a, 5_000)
    ]  # fmt: skip
    assert [(row["record_id"], row["amount_minor"]) for row in deals if row["record_type"] != "company"] == [
        (employed, 700)
    ]


def test_where_people_get_segments_too_each_has_its_row_under_the_same_id(
    server: Server, read: Callable[..., Rows]
) -> None:
    a, _, employed, free = _firms(server.org)
    _deal(server.org, a, 100, employed)
    _deal(server.org, a, 50, free)
    deals = read(fields=(COMPANY, PERSON))
    owners: dict[str, set[str]] = {}
    for row in deals:
        owners.setdefault(row["id"], set()).add(row["record_id"])
    assert sorted(map(sorted, owners.values())) == sorted([sorted({a, employed}), sorted({a, free})])
    assert {row["record_id"] for row in read(fields=(PERSON,))} == {employed, free}


@pytest.mark.parametrize("amount", [100.0, 0.01, 99.99, -100.0])
def test_the_parts_of_a_split_deal_add_up_to_the_cent(
    amount: float, server: Server, read: Callable[..., Rows]
) -> None:
    people = [server.org.create("Contact", LastName=str(number)) for number in range(3)]
    _deal(server.org, None, amount, *people)
    parts = [row["amount_minor"] for row in read(deal_share="split")]
    assert sum(parts) == round(amount * 100) and max(parts) - min(parts) <= 1


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "UTC", "Asia/Tokyo"])
def test_an_event_of_a_whole_day_is_on_its_day_everywhere(
    zone: str, server: Server, read: Callable[..., Rows]
) -> None:
    from zoneinfo import ZoneInfo

    who = server.org.create("Contact", LastName="Met")
    values = {
        "Subject": "Fair",
        "WhoId": who,
        "StartDateTime": "2026-03-02T00:00:00Z",
        "ActivityDateTime": None,
        "IsAllDayEvent": True,
    }
    server.org.create("Event", ActivityDate="2026-03-02", **values)
    (row,) = read(zone, ("events",))
    assert row["occurred_at"].astimezone(ZoneInfo(zone)).date().isoformat() == "2026-03-02"


def test_a_picklist_that_an_administrator_restricted_stays_so_and_gets_what_it_lacks(server: Server) -> None:
    from connectors.contract import Option

    login = server.org.login
    settings = settings_model("salesforce")(
        api_url=server.url, client_id=login.client_id, client_secret=login.client_secret
    )
    connector = open_connector(Account("org", "salesforce", settings))
    spec = FieldSpec("seg_person", options=(Option("a", "A"),))
    assert connector.ensure_field(spec).existed is False
    field = server.org.schema["Contact"].field("seg_person__c")
    assert field is not None
    field.restricted = True
    server.org.schema.version += 1
    wider = FieldSpec("seg_person", options=(Option("a", "A"), Option("b", "B")))
    assert connector.ensure_field(wider).existed is True
    field = server.org.schema["Contact"].field("seg_person__c")
    assert field is not None and field.restricted and set(field.values) == {"a", "b"}
    connector.close()
