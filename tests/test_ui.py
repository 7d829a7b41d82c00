"""Can people who use no terminal see segments, customers and plans in a browser, and decide about a plan?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.ui_server import Visit, serving
from tests.world import World

SCRIPT = "<script>alert(1)</script>"
IMAGE = "\"'><img src=x onerror=alert(1)>"
TITLES = f"""title = '''{SCRIPT}'''
segments = [ {{ key = "champions", title = '''{IMAGE}''', description = "{SCRIPT}", playbook = {{ message = "{SCRIPT}" }} }} ]
"""
PATHS = (
    "/portal/overview",
    "/portal/segments",
    "/portal/segments/rfm.champions",
    "/portal/customer?search=17",
    "/portal/customer?search=nobody",
    "/portal/plans",
    "/portal/plans/2",
    "/portal/plans/2?segment=rfm.champions",
    "/portal/runs",
    "/portal/health",
)


def shop(folder: Path, **settings: Any) -> World:
    """A shop after its first labelling, with a second plan that waits."""
    world = World.of_files(folder, **settings)
    world.customers(60)
    world.store.put(SCRIPT, email=f"{SCRIPT}@example.org")
    world.buys(SCRIPT, 3)
    world.first_run()
    for number in range(1, 31):
        world.buys(str(number), -160, 90_000)
    world.do("label", as_of=date(2024, 12, 10))
    world.do("plan", as_of=date(2024, 12, 20))
    return world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return shop(tmp_path_factory.mktemp("ui"), label=TITLES)


@pytest.fixture(scope="module")
def address(world: World) -> Iterator[str]:
    with serving(world.folder / "config.toml") as address:
        yield address


@pytest.fixture(scope="module")
def visit(browser: Any, address: str) -> Iterator[Visit]:
    """Somebody who has come in."""
    with Visit(browser, address) as visit:
        yield visit


@pytest.mark.parametrize("path", PATHS)
def test_each_page_opens_quietly_and_asks_nobody_else(visit: Visit, path: str) -> None:
    assert visit.go(path) == 200
    assert visit.quiet(), (visit.console, visit.foreign)
    assert visit.page.inner_text("h1")


@pytest.mark.parametrize("path", PATHS)
def test_no_page_has_a_serious_fault_for_those_who_cannot_see_or_point(visit: Visit, path: str) -> None:
    visit.go(path)
    assert visit.faults() == []


@pytest.mark.parametrize("path", PATHS)
def test_no_page_is_wider_than_a_phone(visit: Visit, path: str) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 800})
    try:
        visit.go(path)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    finally:
        visit.page.set_viewport_size({"width": 1200, "height": 900})


def test_hostile_names_stay_text(visit: Visit) -> None:
    for path in ("/portal/segments", "/portal/segments/rfm.champions", "/portal/plans/2"):
        visit.go(path)
        assert IMAGE in visit.text()
        assert not visit.page.query_selector("main img") and not visit.page.query_selector("main script")
    visit.go(f"/portal/customer?search={quote(SCRIPT)}")
    assert SCRIPT in visit.text() and visit.quiet()


def test_the_plan_page_says_what_plan_show_says(visit: Visit, world: World) -> None:
    visit.go("/portal/plans/2")
    shown = visit.text()
    review = world.do("show_plan", number=2)["review"]
    assert review["sentence"] in shown
    assert all(light["what"] in shown for light in review["lights"])
    assert all(row["id"] in shown for row in review["losing"])


def test_records_are_found_by_segment_and_id(visit: Visit) -> None:
    visit.go("/portal/plans/2")
    visit.page.click("main table a >> text=Loyal")
    assert "segment=rfm.loyal" in visit.page.url
    rows = visit.page.locator("[aria-label=Records] tbody tr")
    assert rows.count() > 0
    assert all("loyal" in text for text in rows.all_inner_texts())


def test_names_are_shown_once_somebody_says_why(visit: Visit, world: World) -> None:
    visit.go("/portal/plans/2")
    assert "@example.org" not in visit.text()
    visit.page.click("text=Show names and e-mail addresses")
    visit.page.fill("main details input[name=reason]", "the monthly talk")
    visit.page.click("main details button")
    assert "customer1@example.org" in visit.text() and "the monthly talk" in visit.text()
    [kept] = world.journal("SELECT summary FROM runs WHERE command = 'ui'")
    assert "the monthly talk" in kept["summary"] and "@" not in kept["summary"]
    visit.page.click("text=Hide them")
    assert "@example.org" not in visit.text()


def test_members_are_searched_and_downloaded_under_the_rules_of_the_command(
    visit: Visit, world: World
) -> None:
    visit.go("/portal/segments/rfm.lost")
    with visit.page.expect_download() as download:
        visit.page.fill("input[name=reason]:not([required])", "a talk")
        visit.page.click("text=Download")
    lines = Path(download.value.path()).read_text(encoding="utf-8").split()
    members = {id for id, segment in world.labels("rfm").items() if segment == "lost"}
    assert lines[0] == "id" and set(lines[1:]) == members
    [file] = world.journal("SELECT * FROM segment_files")
    assert file["reason"] == "a talk" and file["who"]
    assert not list((world.folder / "state").glob("download-*"))
    visit.go("/portal/segments/rfm.lost")
    visit.page.fill("input[name=columns]", "id,email")
    visit.page.click("text=Download")
    assert "--channel" in visit.text()
    visit.go("/portal/segments/rfm.lost?search=43")
    assert visit.page.locator("[aria-label=Members] tbody tr").count() <= 1


def test_a_customer_is_found_by_name_and_told_with_every_change(visit: Visit) -> None:
    visit.go("/portal/customer")
    visit.page.fill("input[name=search]", "customer17@example.org")
    visit.page.click("main >> button:has-text('Search')")
    assert "contact 17" in visit.text() and "seg_rfm" in visit.text() and "Since" in visit.text()


def test_a_customer_s_way_through_the_segments_is_a_table(visit: Visit, world: World) -> None:
    moved = [
        id for id, segment in world.labels("rfm").items() if id in {str(n) for n in range(1, 31)} and segment
    ]
    ways = []
    for id in moved[:12]:
        visit.go(f"/portal/customer?search={id}")
        tables = visit.page.locator("table:has(caption:has-text('Segments over time'))")
        if tables.count():
            ways.append(tables.first.locator("tbody tr").all_inner_texts())
    assert ways and all(len(way) >= 2 for way in ways)
    days = [row.split("\t")[0] for row in ways[0]]
    assert days == sorted(days, reverse=True) and "2024-12" in days[0]


def test_a_page_that_is_open_holds_up_no_run(visit: Visit, world: World) -> None:
    visit.go("/portal/plans")
    assert world.do("status")["account"] == "portal"
