"""Lists of ours are made once, found again, mended and filled; lists of others are never changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors.contract import Automation, ListSpec, RemoteList
from connectors.errors import AccessError, RequestError, TemporaryError, UnsupportedError
from connectors.hubspot.connector import HubspotConnector
from connectors.schemas import MEMBER
from tests.contract_suite import Paper, changes
from tests.hubspot_account import SCORE, SEGMENT, TIER, Shop, shop
from tests.servers.hubspot import ALL_SCOPES, Fault

DYNAMIC = ListSpec("rfm.loyal", "Buying habits: Loyal", "dynamic", field=SEGMENT.name, value="loyal")
STATIC = ListSpec("rfm.lost", "Buying habits: Lost")


@pytest.fixture(autouse=True)
def _own_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture(params=[True, False], ids=["marked", "unmarked"])
def portal(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """A portal that gives back what a list was marked with, and one that does not."""
    with shop(20, custom_list_properties=request.param) as opened:
        yield opened


def listed(portal: Shop, remote: RemoteList) -> Any:
    """A list as the portal holds it."""
    return portal.portal.lists.all[int(remote.id)]


def entering(ids: list[str], key: str = STATIC.key) -> pa.Table:
    return changes(*[(id, key, None, MEMBER) for id in ids])


def members(connector: HubspotConnector, remote: RemoteList) -> set[str]:
    return {id for page in connector.members(remote, None) for id in page.records["id"].to_pylist()}


def segment(portal: Shop, *ids: str) -> None:
    portal.connect().write_fields(changes(*[(id, SEGMENT.name, None, "loyal") for id in ids]), Paper())


# Dynamic lists


def test_a_dynamic_list_holds_who_has_the_value_and_costs_no_membership_call(portal: Shop) -> None:
    segment(portal, *portal.ids[:3])
    remote = portal.connect().ensure_list(DYNAMIC)
    portal.portal.settle(1)
    assert {str(id) for id in listed(portal, remote).members} == set(portal.ids[:3])
    assert (remote.kind, remote.key, remote.label) == ("dynamic", DYNAMIC.key, DYNAMIC.label)
    assert portal.calls("PUT") == 0


def test_a_list_is_found_again_and_not_made_twice(portal: Shop) -> None:
    for spec in (DYNAMIC, STATIC):
        remote = portal.connect().ensure_list(spec)
        again = portal.connect()
        assert again.ensure_list(replace(spec, id=remote.id)) == remote
        assert again.ensure_list(spec) == remote, "a set-up was cut off before it kept the id"
        assert again.calls.write == 0
    assert len(portal.portal.lists.all) == 2


def test_keys_of_lists_are_told_by_the_mark_or_by_what_we_know(portal: Shop) -> None:
    remote = portal.connect().ensure_list(STATIC)
    lists = portal.connect({"lists": {remote.id: STATIC.key}}).lists()
    assert [crm_list.key for crm_list in lists] == [STATIC.key]
    if portal.portal.knobs.custom_list_properties:
        assert [crm_list.key for crm_list in portal.connect().lists()] == [STATIC.key]


def test_lists_stand_in_a_folder_and_are_shared_as_configured(portal: Shop) -> None:
    remote = portal.connect(list_folder="Ours", list_teams=[3], list_users=[7]).ensure_list(DYNAMIC)
    crm_list = listed(portal, remote)
    assert portal.portal.lists.folders[crm_list.folder]["name"] == "Ours"
    assert crm_list.permissions == {"teamsWithEditAccess": [3], "usersWithEditAccess": [7]}
    other = portal.connect(list_folder="Ours").ensure_list(STATIC)
    assert listed(portal, other).folder == crm_list.folder
    bare = portal.connect(list_folder="").ensure_list(
        replace(STATIC, key="rfm.new", label="Buying habits: New")
    )
    assert listed(portal, bare).folder == 0


def test_a_renamed_segment_renames_its_list_and_writes_no_record(portal: Shop) -> None:
    remote = portal.connect().ensure_list(DYNAMIC)
    before = portal.portal.dump()
    renamed = portal.connect().ensure_list(replace(DYNAMIC, label="Buying habits: Regulars", id=remote.id))
    assert (renamed.id, renamed.label) == (remote.id, "Buying habits: Regulars")
    assert portal.portal.dump() == before


def test_a_filter_that_somebody_changed_is_mended(portal: Shop) -> None:
    remote = portal.connect().ensure_list(DYNAMIC)
    right = listed(portal, remote).branch
    portal.portal.lists.refilter(
        listed(portal, remote), portal.connect()._lists.filters(replace(DYNAMIC, value="lost"))
    )
    portal.connect().ensure_list(replace(DYNAMIC, id=remote.id))
    assert listed(portal, remote).branch == right


def test_a_deleted_list_is_brought_back(portal: Shop) -> None:
    for spec in (DYNAMIC, STATIC):
        remote = portal.connect().ensure_list(spec)
        portal.portal.lists.delete(listed(portal, remote))
        assert portal.connect().ensure_list(replace(spec, id=remote.id)).id == remote.id


def test_a_list_that_was_deleted_too_long_ago_is_made_anew(portal: Shop) -> None:
    remote = portal.connect().ensure_list(STATIC)
    portal.portal.lists.delete(listed(portal, remote))
    portal.portal.settle(100 * 86_400)
    assert portal.connect().ensure_list(replace(STATIC, id=remote.id)).id != remote.id


@pytest.mark.parametrize("spec", [DYNAMIC, STATIC], ids=["dynamic", "static"])
def test_a_list_of_somebody_else_is_never_taken(portal: Shop, spec: ListSpec) -> None:
    theirs = portal.portal.lists.create(
        {"name": spec.label, "objectTypeId": "0-1", "processingType": "MANUAL"}, by_app=False
    )
    connector = portal.connect()
    with pytest.raises(RequestError, match="did not create"):
        connector.ensure_list(spec)
    assert connector.calls.write == 0
    assert portal.portal.lists.all == {theirs.id: theirs}


def test_a_name_that_a_list_of_companies_has_is_refused_clearly(portal: Shop) -> None:
    portal.portal.lists.create(
        {"name": STATIC.label, "objectTypeId": "0-2", "processingType": "MANUAL"}, by_app=False
    )
    with pytest.raises(RequestError, match="rename one of them"):
        portal.connect().ensure_list(STATIC)


def test_a_lost_reply_makes_no_second_list(portal: Shop) -> None:
    for spec in (DYNAMIC, STATIC):
        portal.fail(Fault("lost", "POST", "/lists$|/lists/2026-09$", nth=1))
        remote = portal.connect().ensure_list(spec)
        assert listed(portal, remote).name == spec.label
    assert len(portal.portal.lists.all) == 2


def test_a_portal_without_room_for_dynamic_lists_gets_a_static_one(portal: Shop) -> None:
    portal.portal.knobs.active_lists = 0
    remote = portal.connect().ensure_list(DYNAMIC)
    assert remote.kind == "static"
    assert portal.connect().ensure_list(replace(DYNAMIC, id=remote.id)) == remote


def test_a_dynamic_list_is_not_filled_by_us(portal: Shop) -> None:
    remote = portal.connect().ensure_list(DYNAMIC)
    with pytest.raises(RequestError, match="fills the list"):
        portal.connect().write_members(remote, entering(portal.ids[:1], DYNAMIC.key), Paper())


def test_a_static_list_is_not_made_of_a_dynamic_one(portal: Shop) -> None:
    remote = portal.connect().ensure_list(DYNAMIC)
    with pytest.raises(RequestError, match="Convert to static"):
        portal.connect().ensure_list(replace(DYNAMIC, kind="static", id=remote.id))


def test_a_campaign_list_leaves_out_who_opted_out(portal: Shop) -> None:
    segment(portal, *portal.ids[:4])
    portal.portal.put("contacts", {"hs_email_optout": "true"}, int(portal.ids[0]))
    portal.portal.put("contacts", {"hs_email_optout": "false"}, int(portal.ids[1]))
    remote = portal.connect({"consent_basis": "not_opted_out"}).ensure_list(replace(DYNAMIC, channel="email"))
    portal.portal.settle(1)
    assert {str(id) for id in listed(portal, remote).members} == set(portal.ids[1:4])


def test_a_campaign_list_of_those_who_opted_in_holds_nobody_else(portal: Shop) -> None:
    segment(portal, *portal.ids[:4])
    portal.portal.put("contacts", {"hs_legal_basis": "Freely given consent from contact"}, int(portal.ids[0]))
    remote = portal.connect().ensure_list(replace(DYNAMIC, channel="email"))
    portal.portal.settle(1)
    assert {str(id) for id in listed(portal, remote).members} == {portal.ids[0]}


@pytest.mark.parametrize(
    ("channel", "record_type"),
    [("phone", "contact"), ("sms", "contact"), ("post", "contact"), ("email", "company")],
)
def test_a_channel_that_no_property_tells_of_is_refused_with_a_remedy(
    portal: Shop, channel: str, record_type: str
) -> None:
    with pytest.raises(UnsupportedError, match='lists = "static"'):
        portal.connect().ensure_list(replace(DYNAMIC, channel=channel, record_type=record_type))


def test_companies_have_lists_of_their_own(portal: Shop) -> None:
    portal.connect().ensure_field(TIER)
    company = str(portal.portal.put("companies", {"name": "Smith", TIER.name: "a"}))
    remote = portal.connect().ensure_list(ListSpec("tier.a", "Tier: A", "dynamic", "company", TIER.name, "a"))
    portal.portal.settle(1)
    assert remote.record_type == "company"
    assert {str(id) for id in listed(portal, remote).members} == {company}


def test_all_lists_are_told_with_their_kind(portal: Shop) -> None:
    for number in range(260):
        portal.portal.lists.create(
            {"name": f"List {number}", "objectTypeId": "0-3", "processingType": "MANUAL"}, by_app=False
        )
    snapshot = {"name": "Then", "objectTypeId": "0-1", "processingType": "SNAPSHOT"}
    portal.portal.lists.create(
        {**snapshot, "filterBranch": portal.connect()._lists.filters(DYNAMIC)}, by_app=False
    )
    remote = portal.connect().ensure_list(DYNAMIC)
    lists = portal.connect().lists()
    assert len(lists) == 262
    assert {crm_list.kind for crm_list in lists if crm_list.id != remote.id} == {"static"}
    assert {crm_list.record_type for crm_list in lists if crm_list.label.startswith("List ")} == {""}


# Static lists


def test_members_come_and_go_in_one_call(portal: Shop) -> None:
    connector = portal.connect()
    remote = connector.ensure_list(STATIC)
    connector.write_members(remote, entering(portal.ids[:5]), Paper())
    both = changes((portal.ids[0], STATIC.key, MEMBER, None), (portal.ids[9], STATIC.key, None, MEMBER))
    before = connector.calls.write
    assert connector.write_members(remote, both, Paper())["status"].to_pylist() == ["done", "done"]
    assert connector.calls.write == before + 1
    assert members(connector, remote) == {*portal.ids[1:5], portal.ids[9]}


@pytest.mark.parametrize("missing", [True, False])
def test_who_is_there_already_is_done_and_who_does_not_exist_is_gone(portal: Shop, missing: bool) -> None:
    portal.portal.knobs.known_members_missing = missing
    connector = portal.connect()
    remote = connector.ensure_list(STATIC)
    connector.write_members(remote, entering(portal.ids[:2]), Paper())
    rows = changes(
        (portal.ids[0], STATIC.key, None, MEMBER),
        (portal.ids[5], STATIC.key, MEMBER, None),
        ("99999999", STATIC.key, None, MEMBER),
        ("nobody", STATIC.key, None, MEMBER),
        (portal.ids[6], STATIC.key, None, MEMBER),
    )
    answers = portal.connect().write_members(remote, rows, Paper())
    assert answers["status"].to_pylist() == ["done", "done", "rejected", "rejected", "done"]
    assert answers["kind"].to_pylist() == [None, None, "gone", "gone", None]


def test_members_are_read_once_hubspot_has_worked_off_the_change(portal: Shop) -> None:
    portal.portal.knobs.member_lag = 0.5
    connector = portal.connect()
    remote = connector.ensure_list(STATIC)
    connector.write_members(remote, entering(portal.ids[:3]), Paper())
    assert members(connector, remote) == set(portal.ids[:3])


def test_a_list_that_stays_in_work_is_not_read_half(portal: Shop) -> None:
    portal.portal.knobs.member_lag = 900
    connector = portal.connect()
    remote = connector.ensure_list(STATIC)
    connector.write_members(remote, entering(portal.ids[:3]), Paper())
    with pytest.raises(TemporaryError, match="still processing"):
        connector._members._settled(remote.id, patience=0.5)


def test_an_unchanged_list_brings_no_page_and_a_changed_one_its_members() -> None:
    with shop(600) as opened:
        connector = opened.connect()
        remote = connector.ensure_list(STATIC)
        connector.write_members(remote, entering(opened.ids), Paper())
        (page,) = connector.members(remote, None)
        assert (page.whole, page.first, page.last, page.records.num_rows) == (True, True, True, 600)
        assert list(opened.connect().members(remote, page.position)) == []
        opened.portal.lists.edit(opened.portal.lists.all[int(remote.id)], [], [opened.ids[0]])
        (after,) = opened.connect().members(remote, page.position)
        assert set(after.records["id"].to_pylist()) == set(opened.ids[1:])


def test_few_members_of_a_long_list_are_looked_up_one_by_one() -> None:
    with shop(1200) as opened:
        connector = opened.connect()
        remote = connector.ensure_list(STATIC)
        connector.write_members(remote, entering(opened.ids[:1100]), Paper())
        before = connector.calls.read
        here = connector.current_members(
            remote,
            changes((opened.ids[0], STATIC.key, None, None), (opened.ids[1150], STATIC.key, None, None)),
        )
        assert here.to_pylist() == [MEMBER, None]
        assert connector.calls.read - before == 3


@pytest.mark.parametrize(
    "fault", [Fault("lost", "PUT", "add-and-remove", nth=1), Fault("reset", "PUT", "add-and-remove", nth=1)]
)
def test_a_lost_reply_loses_no_member(portal: Shop, fault: Fault) -> None:
    portal.fail(fault)
    connector = portal.connect()
    remote = connector.ensure_list(STATIC)
    assert set(connector.write_members(remote, entering(portal.ids[:5]), Paper())["status"].to_pylist()) == {
        "done"
    }
    assert members(connector, remote) == set(portal.ids[:5])


def test_an_interrupted_batch_of_members_is_settled_by_the_id_of_its_list(portal: Shop) -> None:
    remote = replace(portal.connect().ensure_list(STATIC), key="")
    portal.connect().write_members(remote, entering(portal.ids[:2]), Paper())
    outcomes = portal.connect().settle_members(remote, entering(portal.ids[:3]), Paper())
    assert outcomes["status"].to_pylist() == ["done", "done", "rejected"]
    assert outcomes["kind"].to_pylist() == [None, None, "transient"]


def test_a_list_that_a_person_deleted_is_named(portal: Shop) -> None:
    gone = RemoteList("987654321", "rfm.nowhere", "", "static")
    with pytest.raises(RequestError, match=r"rfm\.nowhere|987654321"):
        portal.connect().current_members(gone, changes((portal.ids[0], "rfm.nowhere", None, None)))


# Workflows


def test_workflows_that_start_on_our_properties_and_lists_are_named(portal: Shop) -> None:
    remote = portal.connect().ensure_list(DYNAMIC)
    flows = portal.portal.flows
    flows.add("Welcome back", property=SEGMENT.name, value="loyal")
    flows.add("Any change", property=SEGMENT.name)
    flows.add("Score", property=SCORE.name, shape="event_property", value="9")
    flows.add("Losing", property=SEGMENT.name, shape="filter", value="lost")
    flows.add("Campaign", list_id=int(remote.id))
    flows.add("Switched off", property=SEGMENT.name, value="loyal", enabled=False)
    flows.add("Not ours", property="jobtitle", value="Baker")
    automations = portal.connect().automations([SEGMENT, SCORE], [replace(DYNAMIC, id=remote.id)])
    assert automations.unknown == ""
    assert set(automations.found) == {
        Automation("Welcome back", SEGMENT.name, "loyal"),
        Automation("Any change", SEGMENT.name, None),
        Automation("Score", SCORE.name, "9"),
        Automation("Losing", SEGMENT.name, "lost"),
        Automation("Campaign", DYNAMIC.key, None),
    }


def test_without_the_right_to_workflows_nobody_says_that_there_are_none(portal: Shop) -> None:
    portal.portal.grant("pat-blind", ALL_SCOPES - {"automation"})
    automations = portal.connect(token="pat-blind").automations([SEGMENT], [])
    assert automations.found == ()
    assert "automation" in automations.unknown


def test_a_portal_without_workflows_is_told_so(portal: Shop) -> None:
    portal.portal.knobs.flows = False
    assert "workflows" in portal.connect().automations([SEGMENT], []).unknown


def test_many_workflows_are_all_looked_at(portal: Shop) -> None:
    for number in range(230):
        portal.portal.flows.add(f"Flow {number}", property=SEGMENT.name if number == 229 else "jobtitle")
    assert portal.connect().automations([SEGMENT], []).found == (Automation("Flow 229", SEGMENT.name, None),)


def test_a_key_that_may_only_read_lists_is_refused_with_the_scope(portal: Shop) -> None:
    portal.portal.grant("pat-reader", ALL_SCOPES - {"crm.lists.write"})
    with pytest.raises(AccessError, match=r"crm\.lists\.write"):
        portal.connect(token="pat-reader").ensure_list(STATIC)
