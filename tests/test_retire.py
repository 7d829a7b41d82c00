"""Does ``retire`` take a whole segmentation away, on each CRM as far as that allows, and never what others use?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.contract import Automation
from sync import commands
from sync.cli import app
from sync.exit_codes import CommandError, GuardTripped
from tests import org_shop, portal_shop
from tests.each_crm import CRMS, SECOND, Company, company_of
from tests.segment_databases import database_of
from tests.test_cli import answer, first, folder
from tests.test_sql_segments_end_to_end import OPTIONS, OTHER, SPENDER, config, members, values_in
from tests.world import ALLOWED, VALUE, World

EVERYBODY = dict(ALLOWED)
KNOWN = {guard: reason for guard, reason in ALLOWED.items() if guard != "references"}
DYNAMIC = SECOND.replace('"static"', '"dynamic"')


@pytest.fixture(params=CRMS)
def company(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Company]:
    with company_of(request.param, tmp_path, monkeypatch) as opened:
        yield opened


def typed(config: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of a verb as a person types it."""
    allowing = [part for guard in KNOWN for part in ("--allow", guard)]
    result = CliRunner().invoke(
        app, [*words, "--json", "--yes", *allowing, "--reason", "a test", "--config", str(config)]
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, json.loads(result.stdout)


def outcomes(retirement: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["outcome"] for step in retirement["applied"]["retired"]}


def test_a_segmentation_goes_with_all_its_fields_and_lists_and_comes_back_by_undo(company: Company) -> None:
    company.first_run()
    values, listed = company.fields(), {name: sorted(ids) for name, ids in company.lists().items()}
    company.second = False
    company.do("run")
    shown: list[dict[str, Any]] = []

    def yes(planned: dict[str, Any]) -> bool:
        shown.append(planned)
        return True

    retirement = company.do("retire", target="second", confirm=yes)
    assert {step["name"] for step in shown[0]["retires"]["steps"]} >= {"seg_second", "seg_second_since"}
    assert company.fields() == {} and not company.members()
    assert company.do("plan")["plan"]["retired"] == []
    if "archived" in outcomes(retirement).values():
        with pytest.raises(CommandError, match=r"archived seg_second of contact.*restore it in the settings"):
            company.do("undo", number=retirement["run"])
        assert company.fields() == {} and not company.members()
        for definition in company.shop.portal.schema.properties["contacts"].values():  # type: ignore[attr-defined]
            definition.archived = False
    undone = company.do("undo", number=retirement["run"])
    assert undone["exit_code"] == 0 and company.fields() == values
    assert {name: sorted(ids) for name, ids in company.lists().items()} == listed
    assert "second.a" in company.do("plan")["plan"]["retired"], "it is still not in the config"


def test_values_of_people_stay_and_so_does_the_field_that_holds_them(company: Company) -> None:
    company.first_run()
    theirs = sorted(company.fields())[0]
    company.second = False
    company.do("run")
    value = "a" if company.fields()[theirs]["seg_second"] != "a" else "b"
    company.type_in(theirs, value)
    retirement = company.do("retire", target="second")
    assert company.fields() == {theirs: {"seg_second": value}}
    step = next(step for step in retirement["applied"]["retired"] if step["name"] == "seg_second")
    assert step["outcome"] == "stays" and step["why"] == "it holds 1 values of other people"


# -- HubSpot -----------------------------------------------------------------------------------------------


@pytest.fixture
def portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[portal_shop.Shop]:
    with company_of("hubspot", tmp_path, monkeypatch) as company:
        shop = company.shop  # type: ignore[attr-defined]
        shop.lists, shop.more = "none", DYNAMIC
        assert shop.code("setup") == 0 and shop.code("run") == 0
        shop.portal.settle(1800)
        shop.more = ""
        yield shop


def test_hubspot_archives_properties_and_deletes_lists_by_the_command_line(portal: portal_shop.Shop) -> None:
    lists = [listed for listed in portal.portal.lists.all.values() if listed.name.startswith("Second look")]
    code, retirement = typed(portal.config, "retire", "second")
    assert code == 0, retirement
    assert set(outcomes(retirement).values()) == {"archived", "deleted"} and len(lists) == 4
    assert all(listed.deleted for listed in lists)
    properties = portal.portal.schema.properties["contacts"]
    assert properties["seg_second"].archived and properties["seg_second_since"].archived
    assert not properties["seg_rfm"].archived and not properties["city"].archived
    assert any("90 days" in limit for limit in retirement["plan"]["retires"]["limits"])
    code, again = typed(portal.config, "retire", "second")
    assert code == 1 and f"retired by run {retirement['run']}" in again["error"]


def test_hubspot_names_the_workflows_and_lists_of_others_and_nothing_goes(portal: portal_shop.Shop) -> None:
    before = portal.fields("seg_second")
    flows, mine = portal.portal.flows, next(iter(portal.portal.lists.all.values()))
    flows.add("Greet", property="seg_second", shape="filter")
    flows.add("Asleep", property="seg_second", enabled=False)
    flows.add("Of another field", property="seg_second_look_alike")
    ours = next(listed for listed in portal.portal.lists.all.values() if listed.name == "Second look: A")
    flows.add("Joins", list_id=ours.id)
    branch = {"filterBranchType": "OR", "filterBranchOperator": "OR", "filters": [], "filterBranches": [
        {"filterBranchType": "AND", "filterBranchOperator": "AND", "filterBranches": [], "filters": [
            {"filterType": "PROPERTY", "property": "seg_second",
             "operation": {"operationType": "ENUMERATION", "operator": "IS_ANY_OF", "values": ["a"]}}]}]}  # fmt: skip
    with portal.portal.lock:
        portal.portal.lists.create(
            {"name": "Sales' own", "objectTypeId": "0-1", "processingType": "DYNAMIC", "filterBranch": branch}
        )
    assert mine is not None
    code, stopped = typed(portal.config, "retire", "second")
    assert code == 5
    assert [guard["what"] for guard in stopped["guards"]] == [
        'workflow "Greet" refers to seg_second',
        'workflow "Asleep" (switched off) refers to seg_second',
        'workflow "Joins" refers to second.a',
        'list "Sales\' own" refers to seg_second',
    ]
    assert "run `crm-segments retire second` again" in stopped["error"]
    assert portal.fields("seg_second") == before and not ours.deleted


def test_without_the_scope_for_workflows_it_needs_a_reasoned_yes(portal: portal_shop.Shop) -> None:
    portal.portal.knobs.flows = False
    before = portal.fields("seg_second")
    code, stopped = typed(portal.config, "retire", "second")
    assert (
        code == 5
        and "something may refer to the fields and lists of second: workflows cannot be read"
        in (stopped["error"])
    )
    assert "--allow references --reason TEXT" in stopped["error"]
    assert portal.fields("seg_second") == before
    code, retirement = typed(portal.config, "retire", "second", "--allow", "references")
    assert code == 0 and "archived" in outcomes(retirement).values()


def test_a_workflow_that_came_after_the_plan_stops_it_before_the_first_write(
    portal: portal_shop.Shop,
) -> None:
    before = portal.fields("seg_second")
    number = portal.do("retire", target="second", confirm=lambda _plan: False)["plan"]["plan"]
    flow = portal.portal.flows.add("Greet", property="seg_second")
    with pytest.raises(GuardTripped, match='workflow "Greet" refers to seg_second'):
        portal.do("apply", number=number)
    assert portal.fields("seg_second") == before
    del portal.portal.flows.all[flow.id]
    applied = portal.do("apply", number=number)["applied"]
    assert {step["outcome"] for step in applied["retired"]} == {"archived", "deleted"}


# -- Salesforce --------------------------------------------------------------------------------------------


@pytest.fixture
def org(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[org_shop.Shop]:
    with company_of("salesforce", tmp_path, monkeypatch) as company:
        shop = company.shop  # type: ignore[attr-defined]
        shop.lists, shop.more = "none", DYNAMIC
        assert shop.code("setup") == 0 and shop.code("run") == 0
        shop.org.clock.advance(3600)
        shop.more = ""
        yield shop


def dated(shop: org_shop.Shop) -> Path:
    """The config as of the org's own day, because the command line lives by the clock of this machine."""
    path = shop.config
    path.write_text(f"as_of = {org_shop.DAY}\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def test_salesforce_deletes_list_views_and_keeps_emptied_fields(org: org_shop.Shop) -> None:
    code, retirement = typed(dated(org), "retire", "second")
    assert code == 0, retirement
    assert outcomes(retirement) == {
        "second.a": "deleted", "second.b": "deleted", "second.c": "deleted", "second.prospect": "deleted",
        "seg_second": "stays", "seg_second_since": "stays",
    }  # fmt: skip
    assert not [row for row in org.org.rows("ListView", "1 = 1") if "second" in row["DeveloperName"]]
    assert {row.get("seg_second__c") for row in org.org.rows("Contact")} == {None}
    assert any("no archive for fields" in limit for limit in retirement["plan"]["retires"]["limits"])


def test_salesforce_names_flows_and_list_views_of_others(org: org_shop.Shop) -> None:
    (field,) = org.org.store.select(org.org.schema["CustomField"], "DeveloperName = ?", "seg_second")
    used = {"RefMetadataComponentId": field["Id"], "RefMetadataComponentType": "CustomField"}
    for type_, name in (("Flow", "Welcome"), ("Layout", "Contact Layout")):
        org.org.add(
            "MetadataComponentDependency",
            {**used, "MetadataComponentName": name, "MetadataComponentType": type_},
        )
    view = {"listViewApiName": "Sales", "label": "Sales' own", "visibility": "Public", "displayColumns": ["Name"],
            "filteredByInfo": [{"fieldApiName": "seg_second__c", "operator": "Equals", "operandLabels": ["A"]}]}  # fmt: skip
    org.org.list_views.add(org.org.schema["Contact"], view, org.org.user)
    code, stopped = typed(dated(org), "retire", "second")
    assert (code, [guard["what"] for guard in stopped["guards"]]) == (
        5,
        ["Flow Welcome refers to seg_second", 'list view "Sales\' own" refers to seg_second'],
    )
    assert None not in {
        row.get("seg_second__c") for row in org.org.rows("Contact") if row.get("seg_second__c")
    }


# -- the CRM in memory, files, a database ------------------------------------------------------------------


def world_of(tmp_path: Path) -> World:
    world = World(tmp_path, value=VALUE)
    world.customers(30)
    world.first_run()
    world.value = ""
    return world


def test_nobody_knows_who_refers_and_a_retire_waits_for_a_reason(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.store.unreadable = "the CRM does not tell"
    before = world.state()
    with pytest.raises(GuardTripped, match=r"references: something may refer to .* the CRM does not tell"):
        world.do("retire", target="value", allow=KNOWN)
    assert world.state() == before
    number = world.do("retire", target="value", allow=KNOWN, confirm=lambda _plan: False)["plan"]["plan"]
    with pytest.raises(GuardTripped, match="--allow references"):
        world.do("apply", number=number, allow=KNOWN)
    assert world.state() == before
    world.do("apply", number=number, allow={"references": "asked everybody"})
    assert not world.held("seg_value") and ("contact", "seg_value") not in world.store.fields


def test_a_known_reference_cannot_be_allowed(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.store.listeners = (Automation("Greet", "seg_value"),)
    before = world.state()
    with pytest.raises(GuardTripped, match="workflow Greet refers to seg_value"):
        world.do("retire", target="value", allow=EVERYBODY)
    assert world.state() == before


def test_a_retire_that_is_killed_before_the_field_goes_is_ended_by_apply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(tmp_path)
    calls: list[str] = []

    def killed(verb: str) -> None:
        calls.append(verb)
        if verb == "archive_field":
            raise KeyboardInterrupt

    world.faults.asked = killed
    with pytest.raises(KeyboardInterrupt):
        world.do("retire", target="value")
    assert ("contact", "seg_value") in world.store.fields and not world.held("seg_value")
    world.faults.asked = lambda verb: calls.append(verb)
    (plan,) = [p for p in world.do("status")["plans"] if p["kind"] == "retire"]
    notes = world.do("run")["notes"]
    assert any(f"continue with `crm-segments apply {plan['plan']}`" in note for note in notes)
    applied = world.do("apply", number=plan["plan"])["applied"]
    assert {step["outcome"] for step in applied["retired"]} == {"archived"}
    assert ("contact", "seg_value") not in world.store.fields
    assert not world.do("status")["plans"]


def test_what_somebody_else_made_is_emptied_of_ours_and_never_taken_away(tmp_path: Path) -> None:
    world = World(tmp_path, value=VALUE)
    world.customers(30)
    from connectors.contract import FieldSpec, Option

    options = tuple(Option(key, key) for key in "abc")
    world.store.fields["contact", "seg_value"] = FieldSpec(
        "seg_value", "contact", "enum", "Theirs", options=options
    )
    world.do("setup", adopt=["seg_value"])
    world.do("run", allow=ALLOWED)
    world.value = ""
    retirement = world.do("retire", target="value")
    assert not world.held("seg_value") and ("contact", "seg_value") in world.store.fields
    (step,) = [step for step in retirement["applied"]["retired"] if step["kind"] == "field"]
    assert (step["outcome"], step["why"]) == ("stays", "somebody else made it")


def test_a_segmentation_of_the_config_is_not_retired(tmp_path: Path) -> None:
    world = World(tmp_path, value=VALUE)
    world.customers(12)
    world.first_run()
    with pytest.raises(CommandError, match="value is still in the config: remove its segmentation first"):
        world.do("retire", target="value")
    with pytest.raises(CommandError, match="valid: none"):
        world.do("retire", target="nothing")


def test_files_are_emptied_and_said_to_stay(tmp_path: Path) -> None:
    world = folder(tmp_path, value=VALUE)
    first(world)
    world.value = ""
    world.config()
    code, retirement = answer(world, "retire", "value", "--yes")
    assert code == 0 and set(outcomes(retirement).values()) == {"stays"}
    world.store.load()  # type: ignore[attr-defined]
    assert not world.held("seg_value") and world.held("seg_rfm")
    assert not any("seg_value" in note for note in answer(world, "status")[1]["notes"])


def test_a_database_is_emptied_of_a_segmentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = database_of("sqlite", tmp_path)
    for number in range(1, 13):
        database.put(str(number), email=f"customer{number}@example.org")
        database.buy(str(number), datetime(2026, 11, 26, 12, tzinfo=UTC), f"{number}0.00", f"order-{number}")
    where = database.shop.where
    monkeypatch.setenv("SECRET", str(where.get("url") or where.get("password")))
    path = config(database, tmp_path, SPENDER)
    commands.setup(path, OPTIONS)
    commands.apply(path, OPTIONS, number=commands.plan(path, OPTIONS)["plan"]["plan"])
    assert values_in(database, "seg_spender") and members(database)
    config(database, tmp_path, OTHER)
    commands.setup(path, OPTIONS)
    retirement = commands.retire(path, OPTIONS, target="spender")
    assert not values_in(database, "seg_spender") and not members(database)
    assert set(outcomes(retirement).values()) == {"stays"}
    undone = commands.undo(path, OPTIONS, number=retirement["run"])
    assert undone["applied"]["done"] == retirement["applied"]["done"] and values_in(database, "seg_spender")
