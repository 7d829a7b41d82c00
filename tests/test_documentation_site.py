"""Does the site build strictly, load nothing from elsewhere, lead nowhere that is not there, and answer a newcomer?"""

from __future__ import annotations

import html
import os
import re
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
        page.get_by_role("button", name="Search").first.click()
        box = page.locator("input[aria-label='Search']")
        box.press_sequentially("canary", delay=30)
        found = page.locator("a[href*='glossary.html']", has_text="canary").first
        found.wait_for(timeout=10_000)
        assert box.input_value() == "canary"
        assert not [url for url in opened.requests if not url.startswith("file:")]
        assert opened.console == []


# What a newcomer asks, the page that answers it, and words of the answer.
QUESTIONS = (
    ("Does it send e-mails to my customers?", "faq", "It writes segments and lists"),
    ("Can I try it without an account?", "quickstarts/demo", "It needs no account"),
    ("Which columns must my order file have?", "reference/files", "occurred_at"),
    ("My file has other headers; what now?", "reference/files", "our name = your header"),
    ("Does it know Shopify's exports?", "quickstarts/shopify-hubspot", "recognised as Shopify"),
    ("Which scopes does the HubSpot key need?", "crms/hubspot", "crm.objects.contacts.read"),
    ("Which permissions does the Salesforce user need?", "crms/salesforce", "API Enabled"),
    ("What is a canary?", "glossary", "first few records that a plan is applied to"),
    ("The first plan was stopped by max_enter. Is that bad?", "guides/first-plan", "In a first labelling"),
    ("How do I undo a run, and which one?", "guides/undo", "Every run can be undone"),
    ("How do I run it every night?", "guides/schedule", "crm-segments schedule"),
    ("Which exit code should wake somebody?", "guides/schedule", "a guard waits for a person"),
    ("What does 75 mean?", "reference/exit-codes", "Try again later"),
    ("How do I erase a person?", "guides/consent", "crm-segments forget"),
    ("Does my data leave my machine?", "privacy", "to nobody else"),
    ("What is the difference between RFM and the life cycle?", "kinds/index", "How do they buy?"),
    ("How many customers do I need?", "kinds/index", "100 events"),
    ("How do I write a segment of my own?", "guides/rules", "share_of"),
    ("My orders are in dollars and euros", "guides/currencies", "Without a rate"),
    ("What must I back up?", "guides/move", "journal.sqlite"),
    ("Does it run on Windows?", "install", "WSL 2"),
    ("What is the default of max_change?", "reference/config", "max_change"),
    (
        "A message says that a status word is neither counted nor left out",
        "troubleshooting",
        "neither counted nor left out",
    ),
    ("Who should I write to this week?", "guides/report", "the slipping segment that brought most"),
    ("Did my campaign work?", "guides/control-groups", "95% interval"),
)


@pytest.mark.parametrize(
    ("question", "page", "words"), QUESTIONS, ids=[question for question, _, _ in QUESTIONS]
)
def test_a_newcomer_finds_the_answer_within_two_clicks(
    built: Path, question: str, page: str, words: str
) -> None:
    assert site.clicks(built)[f"{page}.html"] <= 2
    text = re.sub(r"<[^>]+>", "", (built / f"{page}.html").read_text(encoding="utf-8"))
    assert words in " ".join(html.unescape(text).split())


def test_every_page_is_within_three_clicks_of_home_by_the_texts_alone(built: Path) -> None:
    reached = site.clicks(built)
    there = {page.path.relative_to(built).as_posix() for page in site.pages(built)}
    assert {page for page in there if reached.get(page, 99) > 3} == set()
