"""Is a plan that somebody approves in a browser written, and can they take it back there?"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import pytest

from tests.ui_server import Visit, serving
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A shop whose second plan moves a few customers."""
    world = World.of_files(tmp_path)
    world.customers(60)
    world.first_run()
    for number in range(1, 5):
        world.buys(str(number), 0, 90_000)
    assert world.do("plan")["plan"]["plan"] == 2
    return world


def wait_for(visit: Visit, words: str) -> None:
    visit.page.wait_for_selector(f"text={words}", timeout=60_000)


def held(world: World) -> dict[str, Any]:
    world.do("status")  # reads the files of the CRM again
    return world.held("seg_rfm")


def test_a_plan_is_approved_and_written_and_undone(world: World, browser: Any) -> None:
    before = held(world)
    with serving(world.folder / "config.toml") as address, Visit(browser, address) as visit:
        visit.go("/portal/plans/2")
        visit.page.click("text=Approve all, and write")
        wait_for(visit, "Written:")
        assert "Plan 2: written" in visit.text() and "Approved by" in visit.text()
        assert held(world) == world.labels("rfm") != before
        visit.go("/portal/runs")
        visit.page.click("text=Plan to undo >> nth=0")
        wait_for(visit, "back:")
        assert held(world) == world.labels("rfm")  # nothing is written before somebody says so
        visit.page.click("text=Approve all, and write")
        wait_for(visit, "Written:")
        assert held(world) == before
        assert visit.quiet(), (visit.console, visit.foreign)
    [approval, _] = world.journal("SELECT * FROM approvals ORDER BY approval")
    assert approval["decision"] == "approved" and approval["who"]


def test_the_first_twenty_are_written_and_the_rest_wait(world: World, browser: Any) -> None:
    for number in range(5, 60):
        world.buys(str(number), 0, 90_000)
    planned = world.do("plan")["plan"]
    number = planned["plan"]
    with serving(world.folder / "config.toml") as address, Visit(browser, address) as visit:
        visit.go(f"/portal/plans/{number}")
        form = "form:has-text('Approve the first 20')"
        if visit.page.query_selector(f"{form} input[name=why]"):
            visit.page.fill(f"{form} input[name=why]", "everybody bought in the sale")
        visit.page.click("text=Approve the first 20")
        wait_for(visit, "Written:")
        assert "written in part" in visit.text()
    changed = {change[0] for change in world.written() if change[2] and change[1] == "seg_rfm"}
    assert 0 < len(changed) <= 20


def test_a_segment_is_left_out(world: World, browser: Any) -> None:
    changes = [c for c in world.do("show_plan", number=2)["changes"] if c["target"] == "seg_rfm"]
    left_out = changes[0]["after"]
    before = held(world)
    with serving(world.folder / "config.toml") as address, Visit(browser, address) as visit:
        visit.go("/portal/plans/2")
        visit.page.select_option("select[name=segment]", f"rfm.{left_out}")
        visit.page.click("text=Approve without this segment")
        wait_for(visit, "Written:")
    after = held(world)
    assert all(after[c["id"]] == before[c["id"]] for c in changes if c["after"] == left_out)


def test_a_rejected_plan_is_not_written(world: World, browser: Any) -> None:
    before = held(world)
    with serving(world.folder / "config.toml") as address, Visit(browser, address) as visit:
        visit.go("/portal/plans/2")
        visit.page.fill("form:has(input[value=reject]) input[name=reason]", "the sale is not over")
        visit.page.click("button:text-is('Reject')")
        wait_for(visit, "Rejected by")
        assert "the sale is not over" in visit.text()
        visit.page.click("text=Approve all, and write")
        wait_for(visit, "Written:")  # the newest decision counts
    assert held(world) != before


def test_pages_are_read_while_a_run_goes_on(world: World, browser: Any) -> None:
    with (
        serving(world.folder / "config.toml") as address,
        Visit(browser, address) as visit,
        (world.folder / "state" / "lock").open("r+") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        for page in ("runs", "plans", "plans/2"):
            visit.go(f"/portal/{page}")
            assert visit.page.inner_text("h1").partition(":")[0] in ("Runs", "Plans", "Plan 2")
        assert visit.quiet()
