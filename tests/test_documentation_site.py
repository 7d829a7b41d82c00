"""Does the site build strictly, load nothing from elsewhere, lead nowhere that is not there, and answer a newcomer?"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.browsing import Opened
from tests.documentation import site


@pytest.fixture(scope="module")
def built() -> Path:
    if find_spec("zensical") is None:
        if os.environ.get("CI"):
            pytest.fail("zensical is not installed")
        pytest.skip("python3 -m pip install '.[docs]'")
    return site.build()


def test_no_link_and_no_picture_leads_nowhere(built: Path) -> None:
    assert len(list(site.pages(built))) > 40
    assert site.dead_links(built) == []


def test_a_page_that_is_missing_stops_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Home\n\n[gone](gone.md)\n", encoding="utf-8")
    (tmp_path / "mkdocs.yml").write_text("site_name: a site\nnav:\n  - index.md\n", encoding="utf-8")
    with pytest.raises(site.BuildError, match="does not exist"):
        site.build(tmp_path)


def test_nothing_is_loaded_from_elsewhere(built: Path) -> None:
    loads = [load for page in site.pages(built) for load in page.loads]
    assert len(loads) > 100
    assert [load for load in loads if "//" in load] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in built.rglob("*.css"))
    assert "@import" not in styles and "url(http" not in styles and "url(//" not in styles


def test_search_works_in_a_page_that_is_opened_as_a_file(built: Path, browser: Any) -> None:
    with Opened(browser, str(built / "index.html")) as opened:
        page = opened.page
        page.keyboard.press("/")
        page.keyboard.type("canary", delay=20)
        page.get_by_role("link", name="Glossary").first.wait_for(timeout=10_000)
        assert not [url for url in opened.requests if not url.startswith("file:")]
        assert opened.console == []
