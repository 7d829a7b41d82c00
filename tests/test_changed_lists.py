"""Does anybody notice what people did to our lists in the CRM, and does set-up mend it?"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import org_shop, portal_shop
from tests.each_crm import CRMS, company_of
from tests.servers.garbling import Garbler, Sent

CAMPAIGN = """
[[segmentations]]
name = "mail"
title = "Mail"
kind = "abc"
field = "seg_mail"
lists = "dynamic"
reachable_only = true
channel = "email"
"""


@pytest.fixture
def portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[portal_shop.Shop]:
    portal_shop.hasten(monkeypatch, tmp_path)
    (tmp_path / "shop").mkdir()
    with portal_shop.portal_of() as server:
        shop = portal_shop.Shop(
            tmp_path / "shop", server, more=CAMPAIGN, account='consent_basis = "not_opted_out"'
        )
        assert shop.code("setup") == 0, shop.said
        assert shop.code() == 0, shop.said
        yield shop


@pytest.fixture
def org(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[org_shop.Shop]:
    org_shop.hasten(monkeypatch, tmp_path)
    settings = {"lists": "dynamic", "more": CAMPAIGN, "account": 'consent_basis = "not_opted_out"'}
    with org_shop.shop_of(tmp_path / "shop", 60, settings=settings) as shop:
        assert shop.code() == 0, shop.said
        yield shop


def told(shop: Any, key: str) -> dict[str, bool]:
    """Which commands name a list in their notes."""
    named_by_command = {}
    for command in ("check", "plan", "run", "status"):
        assert shop.code(command) in (0, 1), shop.said
        named_by_command[command] = any(key in note for note in shop.said["notes"])
    return named_by_command


EVERYWHERE = dict.fromkeys(("check", "plan", "run", "status"), True)
NOWHERE = dict.fromkeys(EVERYWHERE, False)


def test_a_filter_that_a_person_changed_in_hubspot_is_told_by_every_command_and_mended_by_set_up(
    portal: portal_shop.Shop,
) -> None:
    assert told(portal, "value.a") == NOWHERE
    lists = {listed.name: listed for listed in portal.portal.lists.all.values()}
    ours = lists["Customer value: A"]
    other = next(
        listed for name, listed in lists.items() if name.startswith("Customer value: ") and listed is not ours
    )
    before = ours.branch
    portal.portal.lists.refilter(ours, other.branch)
    assert told(portal, "value.a") == EVERYWHERE
    steps = portal.do("setup")["setup"]["steps"]
    assert [(step["action"], step["name"]) for step in steps] == [
        ("update", "value.a")
    ] and "seg_value" in steps[0]["detail"]
    assert portal.portal.lists.all[ours.id].branch == before
    assert told(portal, "value.a") == NOWHERE


def test_a_lost_consent_filter_of_a_campaign_list_in_hubspot_is_a_warning(portal: portal_shop.Shop) -> None:
    listed = next(entry for entry in portal.portal.lists.all.values() if entry.name == "Mail: A")
    assert listed.branch is not None
    bare = {
        **listed.branch,
        "filterBranches": [
            {**entry, "filters": entry["filters"][:1]} for entry in listed.branch["filterBranches"]
        ],
    }
    portal.portal.lists.refilter(listed, bare)
    portal.portal.settle(60)
    notes = portal.do("plan")["notes"]
    assert notes[0].startswith(
        "WARNING: campaign list mail.a may contain people who must not be contacted by email"
    )
    problem = portal.do("check")
    assert problem["exit_code"] == 1 and "mail.a" in problem["problems"][0]["what"]
    portal.do("setup")
    assert portal.do("check")["exit_code"] == 0


def test_a_dynamic_list_that_a_person_made_static_is_told(portal: portal_shop.Shop) -> None:
    listed = next(entry for entry in portal.portal.lists.all.values() if entry.name == "Customer value: A")
    listed.processing, listed.branch = "SNAPSHOT", None
    assert [note for note in portal.do("plan")["notes"] if "list value.a is now a static list" in note]


def test_an_unchanged_run_reads_all_filters_of_hubspot_in_one_call(portal: portal_shop.Shop) -> None:
    portal.portal.settle(1800)
    portal.do("run")
    portal.portal.log.clear()
    portal.do("run")
    assert (
        sum(
            call.method == "GET" and call.path.rstrip("/").endswith(("/lists", "/lists/2026-09"))
            for call in portal.portal.log
        )
        == 1
    )


@pytest.mark.parametrize("change", ["filter", "scope", "logic"])
def test_a_list_view_that_a_person_changed_is_told_by_every_command_and_mended_by_set_up(
    org: org_shop.Shop, change: str
) -> None:
    assert told(org, "rfm.champions") == NOWHERE
    id, view = next(
        (id, entry) for id, entry in org.org.list_views.views.items() if entry["label"].endswith("Champions")
    )
    own = view["filteredByInfo"][0]
    other = {**own, "operandLabels": ["Lost"]}
    changed = {
        "filter": {**view, "filteredByInfo": [other]},
        "scope": {**view, "scope": {"apiName": "mine"}},
        "logic": {**view, "filteredByInfo": [own, other], "filterLogicString": "1 OR 2"},
    }[change]
    org.org.list_views.views[id] = changed
    assert told(org, "rfm.champions") == EVERYWHERE
    steps = org.do("setup")["setup"]["steps"]
    assert [(step["action"], step["name"]) for step in steps] == [("update", "rfm.champions")]
    assert org.org.list_views.views[id]["filteredByInfo"] == view["filteredByInfo"]
    assert org.org.list_views.views[id]["scope"] == view["scope"]
    assert told(org, "rfm.champions") == NOWHERE


@pytest.mark.parametrize("operands", [{"a": 1}, "Champions", [{"label": "Champions"}, "Lost"], [7]])
def test_a_view_whose_operands_are_no_texts_is_unknown(org: org_shop.Shop, operands: object) -> None:
    for view in org.org.list_views.views.values():
        view["filteredByInfo"][0] = {**view["filteredByInfo"][0], "operandLabels": operands}
    notes = org.do("run")["notes"]
    assert any("could not be checked" in note and "not Salesforce's" in note for note in notes)


@pytest.mark.parametrize("how", ["key", "type"])
@pytest.mark.parametrize("name", ["SobjectType", "DeveloperName", "Name"])
def test_views_that_tell_less_than_was_asked_are_no_answer(org: org_shop.Shop, name: str, how: str) -> None:
    def spoilt(sent: Sent, _chance: random.Random) -> Sent:
        content = json.loads(sent.body)
        for row in content["records"]:
            row.pop(name) if how == "key" else row.update({name: 7})
        return Sent(sent.status, json.dumps(content).encode(), sent.type)

    org.org.garbler = Garbler("GET", r"FROM\+ListView", spoilt, random.Random(0), lasting="endpoint")
    assert org.code("setup") == 75
    assert "not Salesforce's" in str(org.said)


def test_a_lost_consent_filter_of_a_campaign_view_is_a_warning(org: org_shop.Shop) -> None:
    view = next(entry for entry in org.org.list_views.views.values() if entry["label"] == "Mail: A")
    del view["filteredByInfo"][1:]
    assert org.do("run")["notes"][0].startswith("WARNING: campaign list mail.a")
    org.do("setup")
    assert org.do("check")["exit_code"] == 0


@pytest.mark.parametrize("operands", ["label", "value", "strict"])
def test_list_views_hold_their_segments_whichever_operands_an_org_takes(
    operands: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_shop.hasten(monkeypatch, tmp_path)
    settings = {"lists": "dynamic"}
    with org_shop.shop_of(tmp_path / "shop", 60, settings=settings, view_operands=operands) as shop:
        assert shop.code() == 0, shop.said
        assert not [note for note in shop.said["notes"] if "shows" in note]
        segments = {id: row["seg_rfm__c"] for id, row in shop.fields().items()}
        entity, shown = shop.org.schema["Contact"], {}
        for id, view in shop.org.list_views.views.items():
            rows = shop.org.list_views.results(id, entity, shop.org.user, 2000, 0)["records"]
            shown[view["label"]] = {row["columns"][0]["value"] for row in rows}
        champions = next(ids for label, ids in shown.items() if label.endswith("Champions"))
        assert champions == {id for id, segment in segments.items() if segment == "champions"}
        assert set().union(*shown.values()) == {id for id, segment in segments.items() if segment}
        assert shop.do("setup")["setup"]["steps"] == []


def test_a_view_that_shows_another_number_than_its_segment_is_told_after_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_shop.hasten(monkeypatch, tmp_path)
    with org_shop.shop_of(tmp_path / "shop", 60, settings={"lists": "dynamic"}) as shop:
        for view in shop.org.list_views.views.values():
            view["scope"] = {"apiName": "entity"}
            view["filteredByInfo"].append(
                {"fieldApiName": "Email", "operator": "Equals", "operandLabels": ["nobody@example.org"]}
            )
        notes = shop.do("run")["notes"]
        assert [note for note in notes if "rfm.lost" in note and "shows 0 records, its segment has" in note]


def test_a_dynamic_list_of_hubspot_that_holds_another_number_than_its_segment_is_told_once_it_had_time(
    portal: portal_shop.Shop,
) -> None:
    notes = portal.do("run")["notes"]
    assert not [note for note in notes if "shows" in note], "HubSpot may be at work on them"
    portal.portal.settle(2 * 3600)
    assert not [note for note in portal.do("plan")["notes"] if "shows" in note]
    listed = next(entry for entry in portal.portal.lists.all.values() if entry.name == "Customer value: A")
    size = len(listed.members)
    del listed.members[min(listed.members)]
    [note] = [note for note in portal.do("plan")["notes"] if "shows" in note]
    assert f'("Customer value: A") shows {size - 1} records, its segment has {size}' in note
    assert note in portal.do("run")["notes"]
    listed.complete_at = portal.portal.clock.now() + 3_600_000
    assert not [note for note in portal.do("plan")["notes"] if "shows" in note], "it is being processed"


def test_list_views_are_shared_with_the_groups_that_the_account_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_shop.hasten(monkeypatch, tmp_path)
    settings = {"lists": "dynamic", "account": 'list_view_groups = ["Sales"]'}
    with org_shop.shop_of(tmp_path / "shop", 20, set_up=False, settings=settings) as shop:
        shop.org.add("Group", {"DeveloperName": "Sales", "Name": "Sales", "Type": "Regular"})
        assert shop.code("setup") == 0, shop.said
        assert {(view["visibility"], *view["listShares"]) for view in shop.org.list_views.views.values()} == {
            ("Shared", "Sales")
        }


@pytest.mark.parametrize("crm", CRMS)
def test_a_member_that_a_person_added_is_reported_and_under_overwrite_removed(
    crm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with company_of(crm, tmp_path, monkeypatch) as company:
        company.first_run()
        lists = company.lists()
        name = max(lists, key=lambda listed: len(lists[listed]))
        stranger = next(id for id in company.people() if id not in lists[name])
        company.put_in_list(name, stranger)
        answer = company.do("run")
        assert answer["plan"]["kept"] == 1 and answer["plan"]["conflicts"][0]["id"] == stranger
        assert stranger in company.lists()[name]
        company.on_conflict = "overwrite"
        answer = company.do("run")
        assert answer["plan"]["changes"] == 1 and stranger not in company.lists()[name]
        company.do("undo", number=answer["run"])
        assert stranger in company.lists()[name]


@pytest.mark.parametrize("crm", CRMS)
def test_a_deleted_list_stops_only_itself(crm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with company_of(crm, tmp_path, monkeypatch) as company:
        company.do("setup")
        lists = company.lists()
        name = sorted(lists)[0]
        number = company.do("plan")["plan"]["plan"]
        company.delete_list(name)
        answer = company.do("apply", number=number)
        assert answer["exit_code"] == 4 and answer["applied"]["skipped"] > 0
        assert len(company.fields()) > 20 and company.members()
        company.second = True
        answer = company.do("run")
        assert answer["exit_code"] == 4 and len(answer["plan"]["deleted"]) == 1
        assert any(answer["plan"]["deleted"][0] in note and "setup" in note for note in answer["notes"])
        assert company.do("setup")["made"] == 1
        answer = company.do("run")
        assert answer["exit_code"] == 0 and company.lists()[name]
        assert sorted(company.lists()) == sorted(lists)


def test_where_filters_cannot_be_read_the_run_goes_on_and_says_so(org: org_shop.Shop) -> None:
    for fault in (
        {"do": "error", "status": 403, "code": "INSUFFICIENT_ACCESS"},
        {"do": "html", "status": 200},
    ):
        org.strikes({"match": {"method": "GET", "path": "ui-api/list-info"}, "times": 99, **fault})
        assert org.code() == 0, org.said
        assert [note for note in org.said["notes"] if "could not be checked" in note]
