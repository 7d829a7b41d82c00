"""Does anything wrong come of answers that are none: empty, of a proxy, of another type, without what they
must hold?

Each endpoint that we use answers strangely, one at a time: every step ends in an error of ours or brings what
it brings on a quiet day.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors.contract import Attribute, ListSpec
from connectors.errors import ConnectorError
from connectors.schemas import MEMBER
from tests.contract_suite import Paper, changes
from tests.hubspot_account import SCORE, SEGMENT, Shop, shop
from tests.portal_shop import Shop as Company
from tests.portal_shop import hasten, portal_of
from tests.servers.hubspot import Fault

ENDPOINTS = (
    *(f"GET /crm/v3/objects/{kind}" for kind in ("contacts", "companies", "deals", "orders", "calls")),
    *(f"POST /crm/v3/objects/{kind}/search" for kind in ("contacts", "deals")),
    *(f"POST /crm/v3/objects/{kind}/batch/read" for kind in ("contacts", "deals", "line_items")),
    "POST /crm/v3/objects/contacts/batch/update",
    "POST /crm/v4/associations/deals/contacts/batch/read",
    *(f"GET /crm/v3/properties/{kind}" for kind in ("contacts", "companies", "deals")),
    "POST /crm/v3/lists/search",
    "GET /crm/v3/lists/[0-9]+",
    "GET /crm/v3/lists/folders",
    "POST /crm/v3/lists/folders",
    "POST /crm/v3/lists",
    "PUT /crm/v3/lists/[0-9]+/update-list-name",
    "PUT /crm/v3/lists/[0-9]+/memberships/add-and-remove",
    "GET /crm/v3/lists/[0-9]+/memberships",
    "GET /crm/v3/lists/object-type-id/0-1/name/.*",
    "GET /account-info/v3/details",
    "GET /account-info/v3/api-usage/daily/private-apps",
    "GET /crm/v3/limits/custom-properties",
    "GET /automation/v4/flows",
)
WAYS: dict[str, dict[str, Any]] = {
    "empty": {"body": "empty"},
    "a page of a proxy": {"body": "html"},
    "an empty object": {"body": "{}"},
    "a list": {"body": "[]"},
    "a number": {"body": "5"},
    "null": {"body": "null"},
    "results that are no list": {
        "body": '{"results": {}, "lists": 5, "total": "x", "list": [], "folder": 7}'
    },
    "rows that are no objects": {
        "body": '{"results": [5, null], "lists": ["x"], "total": 2, "folder": {"childNodes": [3]}}'
    },
    "no ids": {"keys": ["id", "listId", "recordId", "name"]},
    "ids of another type": {"keys": ["id", "listId", "recordId", "name", "after"], "body": '{"a": 1}'},
    "no results": {"keys": ["results", "lists", "list", "folder", "byObjectType"]},
    "no values": {"keys": ["properties", "total", "to", "type", "processingType", "limit"]},
    "values of another type": {
        "keys": ["properties", "total", "to", "options", "paging", "currentUsage"],
        "body": "[7]",
    },
    "cut off": {},
}
STAMPS = ("changed_at", "created_at")
DYNAMIC = ListSpec("rfm.loyal", "Loyal", "dynamic", field="seg_rfm", value="loyal")
STATIC = ListSpec("rfm.lost", "Lost", "static")


@contextmanager
def customers() -> Iterator[Shop]:
    """Contacts, companies, deals, an order and a call, a static list of ours with members, and a workflow."""
    with shop(contacts=4, search_limit=1_000_000) as opened:
        portal = opened.portal
        portal.put("companies", {"name": "Firm"})
        for number, id in enumerate(opened.ids):
            deal = portal.put(
                "deals",
                {"dealstage": "closedwon", "amount": str(number), "closedate": "2024-01-05T12:00:00Z"},
            )
            portal.associate("deals", deal, "contacts", int(id))
            portal.associate(
                "deals", deal, "line_items", portal.put("line_items", {"name": "Tea", "amount": "2"})
            )
        order = portal.put(
            "orders", {"hs_total_price": "5", "hs_external_created_date": "2024-02-05T12:00:00Z"}
        )
        portal.associate("orders", order, "contacts", int(opened.ids[0]))
        portal.associate(
            "calls",
            portal.put("calls", {"hs_timestamp": "2024-02-05T12:00:00Z"}),
            "contacts",
            int(opened.ids[1]),
        )
        portal.flows.add("Welcome", property="seg_rfm")
        made = opened.connect()
        made.ensure_list(STATIC)
        made.ensure_list(DYNAMIC)
        portal.settle(10)
        yield opened


def everything(opened: Shop) -> dict[str, Callable[[], Any]]:
    """All that a connector does, step by step; each answers what can be compared."""
    account: dict[str, Any] = {"activity_types": None, "attributes": {"city": Attribute("city")}}
    crm = opened.connect(account, list_folder="Ours")
    positions: dict[str, str] = {}

    def read(stream: str) -> list[Any]:
        pages = list(crm.read(stream, positions.get(stream)))
        if pages:
            positions[stream] = pages[-1].position
        rows = [row for page in pages for row in page.records.to_pylist()]
        return sorted(
            ({k: v for k, v in row.items() if v is not None and k not in STAMPS} for row in rows), key=repr
        )

    def again(stream: str) -> list[Any]:
        if stream not in positions:  # its reading failed: there is nothing to go on from
            raise ConnectorError(stream)
        portal = opened.portal
        for kind in ("contacts", "deals"):
            portal.put(
                kind,
                {"city": "Ulm"} if kind == "contacts" else {"amount": "77"},
                portal.store.shelves[kind].live[0],
            )
        portal.settle(60)
        return read(stream)

    def write() -> Any:
        return answered(
            crm.write_fields(changes(*((id, "seg_rfm", None, "loyal") for id in opened.ids)), Paper())
        )

    def members() -> Any:
        (remote,) = [crm_list for crm_list in crm.lists() if crm_list.label == "Lost"]
        outcomes = crm.write_members(
            remote, changes(*((id, STATIC.key, None, MEMBER) for id in opened.ids[:2])), Paper()
        )
        return answered(outcomes), [
            row["id"] for page in crm.members(remote, None) for row in page.records.to_pylist()
        ]

    def renamed() -> Any:
        return crm.ensure_list(
            ListSpec(
                STATIC.key, "Lost ones", "static", id=next(o.id for o in crm.lists() if o.label == "Lost")
            )
        ).label

    return {
        "check": lambda: [problem.what for problem in crm.check()],
        "home": crm.account_defaults,
        **{f"read {stream}": partial(read, stream) for stream in ("contact", "company", "activity")},
        **{f"changes of {stream}": partial(again, stream) for stream in ("contact", "activity")},
        "count": lambda: crm.count("contact"),
        "fields": lambda: sorted(crm.fields())[:3],
        "ensure": lambda: (crm.ensure_field(SEGMENT), crm.ensure_field(SCORE)),
        "lists": lambda: [(crm_list.key, crm_list.label, crm_list.kind) for crm_list in crm.lists()],
        "write": write,
        "members": members,
        "another list": lambda: crm.ensure_list(ListSpec("rfm.new", "New", "static")).label,
        "rename": renamed,
        "current": lambda: crm.current_values(
            changes(*((id, "seg_rfm", None, None) for id in opened.ids))
        ).to_pylist(),
        "listeners": lambda: crm.automations([SEGMENT], []).found,
    }


def answered(outcomes: pa.Table) -> list[str]:
    """The status of each change; ConnectorError where some are only to be tried again."""
    if "transient" in outcomes["kind"].to_pylist():
        raise ConnectorError("later")
    return [str(status) for status in outcomes["status"].to_pylist()]


def outcome(step: Callable[[], Any]) -> Any:
    try:
        return step()
    except ConnectorError as error:
        assert str(error).strip(), "an error says what happened"
        return ConnectorError


@pytest.fixture(scope="module")
def quiet() -> dict[str, Any]:
    with customers() as opened:
        results = {name: outcome(step) for name, step in everything(opened).items()}
        assert ConnectorError not in results.values()
        return results


@pytest.mark.parametrize("way", WAYS)
def test_a_strange_answer_ends_in_an_error_or_changes_nothing(
    way: str, quiet: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hasten(monkeypatch, tmp_path, speed=2_000)
    struck = set()
    third = list(WAYS).index(way) % 3
    chosen = ENDPOINTS if os.environ.get("EVERY_STRANGE_ANSWER") else ENDPOINTS[third::3]
    for endpoint in chosen:
        method, _, path = endpoint.partition(" ")
        with customers() as opened:
            fault = {"do": "truncated", "honest": True} if way == "cut off" else {"do": "spoil", **WAYS[way]}
            opened.fail(Fault(method=method, path=f"^{path}$", **fault))
            for name, step in everything(opened).items():
                result = outcome(step)
                assert result is ConnectorError or result == quiet[name], (endpoint, way, name, result)
            if opened.portal.script.rules[0].done:
                struck.add(endpoint)
            values = set(opened.held("seg_rfm").values())
            assert values <= {"loyal"}
    assert len(struck) > len(chosen) * 0.7, sorted(set(chosen) - struck)


@pytest.mark.parametrize("body", ['{"results": []}', "{}", "empty"])
def test_a_listing_of_deals_that_is_empty_makes_nobody_a_prospect(
    body: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hasten(monkeypatch, tmp_path)
    with portal_of(contacts=12, deals=30) as server:
        company = Company(tmp_path, server)
        assert company.code("setup") == 0
        company.strikes(Fault("spoil", "GET", "/objects/deals$", body=body))
        assert company.code("run") == 75
        assert "deals" in str(company.said)
        assert company.fields("seg_rfm") == {id: {} for id in company.fields()}
        company.strikes()
        assert company.finish() == 0
        assert {values["seg_rfm"] for values in company.fields("seg_rfm").values()} > {"prospect"}


def test_properties_that_are_none_end_a_run_and_leave_what_was_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hasten(monkeypatch, tmp_path)
    with portal_of(contacts=12, deals=30) as server:
        company = Company(tmp_path, server)
        company.code("setup")
        assert company.finish() == 0
        before = company.end()
        for path in ("properties/contacts$", "lists/search$", "objects/contacts/search$", "account-info"):
            for body in ("{}", '{"results": [], "lists": [{}]}', "empty"):
                company.strikes(Fault("spoil", path=path, body=body))
                assert company.code("run") in (1, 75), (path, body, company.said)
        company.strikes()
        assert company.finish() == 0
        assert company.end() == before
