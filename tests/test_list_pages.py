"""Does a list lead to its own page in the CRM, and to nothing that a CRM could slip in?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.hubspot import session as hubspot
from connectors.salesforce.session import Org
from sync.store.list_pages import keep_list_pages, list_pages
from sync.store.mirror import Mirror
from tests import portal_shop
from tests.ui_server import Visit, serving
from tests.world import World

PAGE = "https://app.hubspot.com/contacts/4711/objectLists/12/filters"


def test_a_hubspot_list_has_its_page_after_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    portal_shop.hasten(monkeypatch, tmp_path)
    (tmp_path / "shop").mkdir()
    with portal_shop.portal_of() as server:
        shop = portal_shop.Shop(tmp_path / "shop", server)
        assert shop.code("setup") == 0, shop.said
        assert shop.code() == 0, shop.said
        begins = f"https://app.hubspot.com/contacts/{shop.portal.knobs.portal_id}/objectLists/"
    pages = read(shop.folder)
    assert pages and all(page == f"{begins}{id}/filters" for id, page in pages.items())


def read(folder: Path) -> dict[str, str]:
    [file] = folder.rglob("mirror.duckdb")
    mirror = Mirror(file)
    pages = list_pages(mirror.account("portal"))
    mirror.close()
    return pages


@pytest.mark.parametrize(
    ("domain", "portal", "page"),
    [
        ("app-eu1.hubspot.com", "4711", "https://app-eu1.hubspot.com/contacts/4711"),
        ("evil.example", "4711", "https://app.hubspot.com/contacts/4711"),
        ("app.hubspot.com.evil.example", "4711", "https://app.hubspot.com/contacts/4711"),
        ("app.hubspot.com", "47/../x", ""),
        ("app.hubspot.com", "", ""),
    ],
)
def test_a_page_of_hubspot_is_on_a_host_of_hubspot(domain: str, portal: str, page: str) -> None:
    assert hubspot._pages(domain, portal) == page


@pytest.mark.parametrize(
    ("id", "page"),
    [
        ("campaign:701A0:contact", "https://acme.my.salesforce.com/lightning/r/Campaign/701A0/view"),
        (
            "view:Contact:rfm_lost",
            "https://acme.my.salesforce.com/lightning/o/Contact/list?filterName=rfm_lost",
        ),
        ("view:Contact:x&y=1", ""),
        ("report:1", ""),
        ("campaign", ""),
    ],
)
def test_a_campaign_and_a_list_view_of_salesforce_have_a_page(id: str, page: str) -> None:
    org = SimpleNamespace(_library=SimpleNamespace(sf_instance="acme.my.salesforce.com"))
    assert Org.page_of(cast(Any, org), id.split(":")) == page


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World.of_files(tmp_path)
    world.customers(30)
    world.first_run()
    yield world


def known(world: World, pages: dict[str, str]) -> None:
    """The CRM told these pages."""
    mirror = Mirror(world.folder / "state" / "mirror.duckdb")
    account = mirror.account("portal")
    account.set_stamp("list pages", "{}")
    keep_list_pages(account, list(pages), lambda: pages)
    mirror.close()


def test_the_interface_leads_to_the_list_and_to_no_script(world: World, browser: Any) -> None:
    ids = {
        row["key"]: row["remote"]
        for row in world.journal("SELECT key, remote FROM objects WHERE kind = 'list'")
    }
    known(
        world,
        {ids["rfm.champions"]: PAGE, ids["rfm.lost"]: "javascript:alert(1)", ids["rfm.new"]: "http://x/"},
    )
    with serving(world.folder / "config.toml") as address, Visit(browser, address) as visit:
        for path in ("/portal/segments", "/portal/segments/rfm.champions"):
            assert visit.go(path) == 200
            [link] = visit.page.locator(f"a[href='{PAGE}']").all()
            assert link.get_attribute("rel") == "noopener noreferrer"
            assert visit.page.locator("a[href^='javascript:'], a[href^='http:']").count() == 0
            assert visit.faults() == []
        visit.go("/portal/segments/rfm.lost")
        assert "List in the CRM" in visit.text() and visit.page.locator("dd a").count() == 0
        assert visit.quiet(), (visit.console, visit.foreign)
