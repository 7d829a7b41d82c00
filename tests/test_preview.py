"""Can somebody see what would be written before anything is set up, in every CRM, and without a trace there?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import FieldSpec
from sync import commands
from sync.exit_codes import CommandError, SetupNeeded
from tests.browsing import Opened
from tests.database_shops import KINDS
from tests.each_crm import CRMS, Company, FilesCompany, HubspotCompany, SalesforceCompany, company_of
from tests.segment_databases import database_of
from tests.test_cli import answer, cli, folder
from tests.test_sql_segments_end_to_end import OPTIONS, SPENDER, config
from tests.ui_server import Visit, serving
from tests.world import ALLOWED, World

PREVIEW = "This is a preview and cannot be applied"


@pytest.fixture(params=CRMS)
def company(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Company]:
    with company_of(request.param, tmp_path, monkeypatch) as opened:
        yield opened


def written(company: Company) -> Any:
    """All that a write would show in: calls that change something, or the files of the CRM."""
    if isinstance(company, HubspotCompany):
        reading = ("/search", "/batch/read", "/objects/contacts/batch/read")
        portal = company.shop.portal
        return [e.path for e in portal.log if e.method != "GET" and not e.path.endswith(reading)]
    if isinstance(company, SalesforceCompany):
        return company.shop.written()
    assert isinstance(company, FilesCompany)
    crm = company.world.folder / "crm"
    return {path: path.read_bytes() for path in sorted(crm.rglob("*")) if path.is_file()}


def changes(company: Company, plan: int) -> set[tuple[str, ...]]:
    shown = company.do("show_plan", number=plan)["changes"]
    return {(change["id"], change["target"], change["action"], change["after"]) for change in shown}


def test_a_preview_is_the_plan_that_set_up_makes_possible_and_leaves_no_trace(company: Company) -> None:
    company.do("label")  # the account was read before: what follows is the plan alone
    before = written(company)
    preview = company.do("plan")["plan"]
    assert written(company) == before
    assert "field seg_second" in preview["preview"] and preview["changes"]
    assert not preview["deleted"] and not preview["kept"]
    with pytest.raises(SetupNeeded, match="Run setup first"):
        company.do("apply", number=preview["plan"])
    assert written(company) == before
    company.do("setup")
    planned = company.do("plan")["plan"]
    assert planned["preview"] == [] and planned["by_target"] == preview["by_target"]
    assert changes(company, planned["plan"]) == changes(company, preview["plan"])
    with pytest.raises(SetupNeeded, match="Run setup first"):
        company.do("apply", number=preview["plan"])
    assert company.do("apply", number=planned["plan"])["applied"]["done"] == planned["changes"]


def test_a_new_segmentation_is_previewed_beside_what_stands(company: Company) -> None:
    company.second = False
    company.first_run()
    company.second = True
    with pytest.raises(SetupNeeded, match="seg_second"):
        company.do("run")
    before = written(company)
    preview = company.do("plan")["plan"]
    assert written(company) == before
    assert {target.partition(".")[0] for target in preview["by_target"]} == {"seg_second", "seg_second_since", "second"}  # fmt: skip
    assert all(name.partition(" ")[2].startswith(("seg_second", "second.")) for name in preview["preview"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_is_previewed_without_a_table_of_ours(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = database_of(kind, tmp_path)
    try:
        for number in range(1, 31):
            database.put(str(number), email=f"customer{number}@example.org")
            database.buy(str(number), datetime(2026, 11, 26, 12, tzinfo=UTC), "80.00", f"order-{number}")
        where = database.shop.where
        monkeypatch.setenv("SECRET", str(where.get("url") or where.get("password")))
        path = config(database, tmp_path, SPENDER)
        preview = commands.plan(path, OPTIONS)["plan"]
        assert preview["by_target"]["seg_spender"] == {"set": 30} and preview["preview"]
        assert commands.setup(path, OPTIONS)["made"], "nothing was there before"
        planned = commands.plan(path, OPTIONS)["plan"]
        assert planned["by_target"] == preview["by_target"] and not planned["preview"]
    finally:
        database.close()


def test_a_field_that_was_deleted_is_previewed_as_empty(tmp_path: Path) -> None:
    world = World(tmp_path, extra_fields='["since"]')
    world.customers(30)
    world.first_run()
    labelled = len(world.held("seg_rfm"))
    del world.store.fields["contact", "seg_rfm"]
    preview = world.do("plan", allow=ALLOWED)["plan"]
    assert preview["preview"] == ["field seg_rfm"] and preview["by_target"]["seg_rfm"] == {"set": labelled}
    assert not preview["kept"], "nobody cleared it: the field itself is gone"


def test_a_strangers_field_keeps_its_values_in_a_preview_and_set_up_is_said_to_refuse_it(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, lists="none")
    world.customers(20)
    world.store.fields["contact", "seg_rfm"] = FieldSpec("seg_rfm", label="their own")
    world.store.set_field("5", "seg_rfm", "mine")
    told = world.do("plan")
    assert [conflict["holds"] for conflict in told["plan"]["conflicts"]] == ["mine"]
    assert any("--adopt seg_rfm" in note for note in told["notes"])


def test_a_preview_is_neither_approved_nor_rejected_nor_the_newest_plan_to_apply(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(20)
    number = world.do("plan")["plan"]["plan"]
    with pytest.raises(SetupNeeded, match="preview"):
        world.do("approve", number=number, who="ann")
    with pytest.raises(SetupNeeded, match="preview"):
        world.do("reject", number=number, who="ann", reason="no")
    with pytest.raises(SetupNeeded, match="preview"):
        world.do("apply")
    with pytest.raises(CommandError, match="setup"):
        world.do("backfill")
    assert world.do("status")["plans"][0]["preview"]
    world.first_run()
    assert world.do("status")["plans"] == []


def test_a_preview_says_so_wherever_it_is_read(tmp_path: Path, browser: Any) -> None:
    world = folder(tmp_path)
    assert PREVIEW in cli(world, "plan").stdout
    code, told = answer(world, "plan")
    number, sentence = told["plan"]["plan"], "Preview, plan"
    assert code == 0 and "field seg_rfm" in told["plan"]["preview"]
    text = cli(world, "plan", "show", str(number)).stdout
    assert PREVIEW in text and sentence in text
    shown = answer(world, "plan", "show", str(number))[1]
    assert shown["preview"] == told["plan"]["preview"] and shown["review"]["lights"][0]["state"] == "stop"
    refused = cli(world, "apply", str(number))
    assert refused.exit_code == 2 and "Run setup first" in refused.output
    _code, shared = answer(world, "review", str(number), "--static", str(tmp_path / "share"))
    with Opened(browser, shared["out"]) as opened:
        page = opened.text()
    assert PREVIEW in page and "crm-segments approve" not in page
    with serving(world.folder / "config.toml") as address, Visit(browser, address) as visit:
        visit.go(f"/portal/plans/{number}")
        assert "a preview, before set-up" in visit.text() and PREVIEW in visit.text()
        assert visit.page.query_selector("text=Approve all, and write") is None
        visit.go("/portal/plans")
        assert "preview" in visit.text() and visit.quiet()
