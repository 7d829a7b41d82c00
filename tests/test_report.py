"""Is the page what people should see: the right figures, in a real browser, on a phone, in the dark, with
hostile texts in it?
"""

from __future__ import annotations

import stat
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sync.cli import app
from tests.browsing import CONTRAST, OUTSIDE, Opened
from tests.world import ALLOWED, VALUE, World

SCRIPT = "<script>alert(1)</script>"
IMAGE = "\"'><img src=x onerror=alert(1)>"
HOSTILE = f"""
title = '''{IMAGE}'''

[[segmentations.segments]]
key = "a"
title = "{SCRIPT}"
description = '''{IMAGE}'''
playbook = {{ message = "<svg onload=alert(1)>", offer = "</style>{SCRIPT}{{{{ 7 * 7 }}}}" }}
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Sixty customers, three labellings a week apart."""
    world = World(tmp_path_factory.mktemp("plain"), label='title = "Buying habits"\n')
    world.customers(60)
    world.do("setup")
    for day in (16, 23, 30):
        for number in range(day, 60, 7):
            world.buys(str(number), 30 - day, 4_000 * day)
        assert world.do("run", allow=ALLOWED, as_of=date(2024, 6, day))["exit_code"] == 0
    return world


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A folder of files in which every text wants to be a program."""
    world = World.of_files(
        tmp_path_factory.mktemp("hostile"), value=VALUE + HOSTILE, label=f"title = '''{SCRIPT}'''\n"
    )
    world.account = '[accounts.portal.contacts]\nfiles = "contacts*.csv"\n\n[accounts.portal.attributes]\ncity = "<b>city</b>"\n\n'
    world.customers(30)
    world.store.put(SCRIPT, email=f"{SCRIPT}@example.org")
    world.buys(SCRIPT, 3)
    (world.folder / "crm").mkdir()
    people = world.folder / "crm" / "contacts-odd.csv"
    people.write_text(f"id,<b>city</b>\n31,{SCRIPT}\n32,{SCRIPT}\n", encoding="utf-8")
    odd = world.folder / "crm" / "activities<img src=x onerror=alert(1)>.csv"
    odd.write_text(
        f"contact_id,occurred_at,amount\n1,{SCRIPT},5\n1,2024-06-01,{IMAGE.replace(',', '')}\n",
        encoding="utf-8",
    )
    world.do("setup")
    world.do("run", allow=dict.fromkeys(ALLOWED, SCRIPT))
    world.journal(
        "INSERT INTO rejects (account, source, target, record_type, record_id, reason) VALUES ('portal', 'write', ?, 'contact', 'x', ?)",
        IMAGE,
        SCRIPT,
    )
    return world


@pytest.fixture(scope="module", params=["people", "analyst"])
def pages(request: pytest.FixtureRequest, plain: World, hostile: World) -> tuple[str, str]:
    """The page about both, for one of its readers."""
    return page(plain, request.param), page(hostile, request.param)


def page(world: World, reader: str) -> str:
    return str(world.do("report", reader=reader)["report"])


# -- figures -----------------------------------------------------------------------------------------------


def test_the_analysts_page_tells_sizes_moves_and_the_last_changes(plain: World, browser: Any) -> None:
    with Opened(browser, page(plain, "analyst")) as opened:
        text = opened.text()
    for words in (
        "Segments of portal",
        "Buying habits",
        "Who moved",
        "The RFM map",
        "Top reasons",
        "Sizes over time",
        "How steady is it?",
    ):
        assert words in text
    for words in (
        "What changed in the CRM",
        "Overlap",
        "Coverage of each attribute",
        "Guards and rejects",
        "max_enter",
        "Runs",
    ):
        assert words in text
    assert f"{len(plain.labels('rfm'))} records as of 2024-06-30" in text


def test_the_answer_names_the_page_and_how_much_moves(plain: World) -> None:
    answer = plain.do("report", out=plain.folder / "elsewhere" / "page.html")
    assert answer["report"] == str(plain.folder / "elsewhere" / "page.html")
    assert [Path(page(plain, reader)).name for reader in ("people", "analyst")] == [
        "report.html",
        "report-analyst.html",
    ]
    figures = answer["figures"]["rfm"]
    assert (figures["labellings"], figures["records"]) == (3, 60)
    assert 0 < figures["moved_per_week"] < 1 and figures["returned_within_12_weeks"] is not None


@pytest.mark.parametrize("reader", ["people", "analyst"])
def test_two_reports_of_one_state_differ_in_nothing(plain: World, reader: str) -> None:
    before = Path(page(plain, reader)).read_text(encoding="utf-8")
    assert Path(page(plain, reader)).read_text(encoding="utf-8") == before


def test_only_its_owner_may_read_the_page(pages: tuple[str, str]) -> None:
    assert stat.S_IMODE(Path(pages[0]).stat().st_mode) == 0o600


def test_the_page_names_no_person(pages: tuple[str, str]) -> None:
    assert "@" not in Path(pages[0]).read_text(encoding="utf-8").split("</style>")[1]


def test_rejects_of_one_sort_stand_in_one_line_without_what_the_rows_held(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.do("setup")
    sql = "INSERT INTO rejects (account, source, target, record_type, record_id, reason) VALUES ('portal', 'write', 'seg', 'contact', ?, ?)"
    for id in ("7", "8"):
        world.journal(sql, id, f"record {id}: 'Jane {id}' of jane{id}@example.org is refused")
    text = Path(page(world, "analyst")).read_text(encoding="utf-8")
    assert "record …: … of … is refused" in text and "Jane" not in text


def test_a_thrown_away_mirror_costs_money_figures_but_no_segments(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(20)
    world.first_run()
    before = world.do("report")["figures"]["rfm"]["records"]
    world.lose_mirror()
    assert world.do("report")["figures"]["rfm"]["records"] == before == 20


def test_an_account_that_was_never_labelled_has_a_page_that_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    answer = world.do("report")
    assert answer["figures"] == {}
    assert "No customer of this account has a segment yet" in Path(answer["report"]).read_text(
        encoding="utf-8"
    )


def test_several_accounts_share_one_page(tmp_path: Path) -> None:
    world = World(tmp_path, account='[accounts.second]\ncrm = "files"\npath = "unused"\n\n')
    world.customers(10)
    world.do("label")
    answer = world.do("report")
    assert [account["account"] for account in answer["accounts"]] == ["portal", "second"]
    text = Path(answer["report"]).read_text(encoding="utf-8")
    assert "<h1>rfm: portal in June 2024</h1>" in text and "<h1>rfm: second in June 2024</h1>" in text


def test_the_command_line_prints_the_path(tmp_path: Path) -> None:
    world = World.of_files(tmp_path)
    world.customers(10)
    world.first_run()
    result = CliRunner().invoke(app, ["report", "--config", str(tmp_path / "config.toml")])
    assert result.exit_code == 0 and str(tmp_path / "state" / "report.html") in result.stdout.replace(
        "\n", ""
    )


# -- in a browser ------------------------------------------------------------------------------------------


def test_it_renders_without_a_word_on_the_console_or_a_request(pages: tuple[str, str], browser: Any) -> None:
    with Opened(browser, pages[0]) as opened:
        assert opened.quiet()
        assert opened.page.locator("svg.chart").count() >= 5
        assert opened.page.locator("svg.chart").first.bounding_box()["height"] > 50


def test_hostile_texts_stay_texts(pages: tuple[str, str], browser: Any) -> None:
    with Opened(browser, pages[1]) as opened:
        text = opened.text()
        assert opened.quiet()
        assert (
            opened.page.evaluate(
                "document.querySelectorAll('script, img, iframe, object, [onerror], [onload], b b').length"
            )
            == 0
        )
        assert text.count(SCRIPT) >= 3 and IMAGE in text and "{{ 7 * 7 }}" in text
        assert "portal" in opened.page.title()


def test_names_of_files_in_rejects_stay_texts(hostile: World, browser: Any) -> None:
    with Opened(browser, page(hostile, "analyst")) as opened:
        assert "activities<img src=x" in opened.text() and opened.quiet()


def test_the_page_forbids_itself_everything_but_styles(pages: tuple[str, str], browser: Any) -> None:
    with Opened(browser, pages[0]) as opened:
        policy = opened.page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
        assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        opened.page.evaluate(
            "document.body.append(Object.assign(document.createElement('img'), {src: 'http://127.0.0.1:9/x.png'}))"
        )
        opened.page.wait_for_timeout(100)
        assert any("violates" in message for message in opened.console)


@pytest.mark.parametrize("width", [320, 390, 768, 1400])
def test_the_page_never_scrolls_sideways(pages: tuple[str, str], browser: Any, width: int) -> None:
    for path in pages:
        with Opened(browser, path, width) as opened:
            opened.text()
            assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
            assert opened.page.evaluate(OUTSIDE, width) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(pages: tuple[str, str], browser: Any, scheme: str) -> None:
    with Opened(browser, pages[0], scheme=scheme) as opened:
        opened.text()
        ground = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(int(part) for part in ground[4:-1].split(",")) > 380) == (scheme == "light")
        contrasts = opened.page.evaluate(CONTRAST)
        assert len(contrasts) > 100 and contrasts[0][0] >= 4.5, contrasts[:5]


def test_print_is_black_on_white_even_in_the_dark(pages: tuple[str, str], browser: Any) -> None:
    with Opened(browser, pages[0], scheme="dark") as opened:
        opened.page.emulate_media(media="print", color_scheme="dark")
        assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not [nav for nav in opened.page.locator("nav").all() if nav.is_visible()]
        assert opened.page.pdf(format="A4")[:4] == b"%PDF"


def test_every_chart_has_a_name_and_a_table_behind_it(pages: tuple[str, str], browser: Any) -> None:
    with Opened(browser, pages[0]) as opened:
        unnamed = (
            "[...document.querySelectorAll('svg.chart')]"
            ".filter((one) => !one.querySelector(':scope > title')?.textContent.trim()).length"
        )
        assert opened.page.evaluate(unnamed) == 0
        bare = (
            "[...document.querySelectorAll('figure')]"
            ".filter((one) => one.querySelector('svg.chart') && !one.querySelector('table')).length"
        )
        assert opened.page.evaluate(bare) == 0
