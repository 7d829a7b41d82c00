"""Can a person who sells read page one, and act on it? Its figures against figures by hand, its sentences, and its
place on a screen and on paper.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from connectors.schemas import REACHABLE
from sync.config.faults import ConfigError
from sync.report import formats, sentences
from sync.report.events import Events
from sync.report.formats import Money
from sync.report.this_month import Month, ThisMonth
from tests.browsing import CUT_TABLES, OVERLAPS, Opened
from tests.world import ALLOWED, World

EUR = Money("EUR", 2)
QUIET = Events([], None, [], [], [], [], 0, None)
STAGES = """[[segmentations]]
name = "stages"
title = "Life cycle"
kind = "lifecycle"
field = "seg_stages"
horizon_days = 30
"""


@dataclass
class Shop:
    """A shop that was labelled at the end of April and of June, and its labels in April."""

    world: World
    april: dict[str, str]

    @cached_property
    def slipped(self) -> set[str]:
        """Who is at risk now and bought as usual in April."""
        june, usual = self.world.labels("stages"), ("new", "active", "won_back")
        return {id for id, stage in june.items() if stage == "at_risk" and self.april[id] in usual}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Customers of five rhythms; of every three, one has stopped buying some day."""
    world = World(tmp_path_factory.mktemp("shop"), value=STAGES)
    for number in range(120):
        told: dict[str, Any] = {REACHABLE + "email": number % 5 < 3} if number % 5 < 4 else {}
        world.store.put(str(number), email=f"customer{number}@example.org", **told)
        stopped = number if number % 3 == 0 else 0
        for days_ago in range(406, stopped, -(10 + 7 * (number % 5))):
            world.buys(str(number), days_ago - number % 5, 1000)
    world.do("setup")
    april: dict[str, str] = {}
    for day in (date(2024, 4, 30), date(2024, 6, 29), date(2024, 6, 30)):
        assert world.do("run", allow=ALLOWED, as_of=day)["exit_code"] == 0
        april = april or world.labels("stages")
    return Shop(world, april)


def words_of(world: World, **arguments: Any) -> str:
    page = Path(world.do("report", **arguments)["report"]).read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.split("</style>")[1]))


# -- figures and sentences -----------------------------------------------------------------------------------


def test_it_begins_with_how_far_data_reach_and_how_many_orders_have_a_customer(shop: Shop) -> None:
    words = words_of(shop.world)
    assert "Life cycle: portal in June 2024" in words
    assert re.search(r"Data through \d+ June 2024.{0,20}· 100% of orders have a customer", words)


def test_revenue_by_month_is_that_of_the_orders_so_that_finance_can_tie_it(shop: Shop) -> None:
    bought = [act for act in shop.world.store.activity if act["occurred_at"].strftime("%Y-%m") == "2024-05"]
    revenue = sum(act["amount_minor"] for act in bought) / 100
    assert f"May 2024 {len(bought)} {revenue:,.0f} EUR" in words_of(shop.world)


def test_revenue_at_risk_is_the_last_year_of_those_who_moved_into_it(shop: Shop) -> None:
    assert shop.slipped
    year = [
        act
        for act in shop.world.store.activity
        if act["record_id"] in shop.slipped and act["occurred_at"].date() > date(2023, 7, 1)
    ]
    revenue = sum(act["amount_minor"] for act in year) / 100
    words = words_of(shop.world)
    who = f"{len(shop.slipped)} customer{'s' * (len(shop.slipped) != 1)}"
    assert (
        f"Revenue at risk: {revenue:,.0f} EUR of the last twelve months, from {who}, who moved into At risk since 30 April 2024."
        in words
    )


def test_it_says_whom_to_write_to_and_how_many_of_them_may_be_contacted(shop: Shop) -> None:
    words, reached = words_of(shop.world), {}
    for key in ("at_risk", "active"):
        ids = [id for id, stage in shop.world.labels("stages").items() if stage == key]
        reached[key] = (len(ids), sum(int(id) % 5 < 3 for id in ids))
    number, may = reached["at_risk"]
    said = rf"Who to write to: {number} in At risk, who spent [\d,]+ EUR .* \({may} may be contacted\): "
    assert re.search(said, words)
    number, may = reached["active"]
    assert 0 < may < number and re.search(rf"Active {number} .* no need to push {may} ", words)


def test_the_table_tells_changes_since_the_labelling_of_a_month_ago(shop: Shop) -> None:
    words, june = words_of(shop.world), shop.world.labels("stages")
    assert "Change since 30 Apr" in words
    for key, title in (("active", "Active"), ("at_risk", "At risk")):
        now, then = (sum(stage == key for stage in labels.values()) for labels in (june, shop.april))
        assert re.search(rf"{title} {now} \S+ {re.escape(formats.change(now - then))} ", words)


def test_the_first_labelling_says_that_nothing_can_have_changed_yet(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(30)
    world.first_run()
    words = words_of(world)
    assert "This is the first labelling" in words and "The next labelling shows what changed" in words


def test_the_config_says_which_segmentation_leads(tmp_path: Path) -> None:
    world = World(tmp_path, more='[report]\nleading = "value"\n')
    world.customers(30)
    world.first_run()
    assert "value: portal in June 2024" in words_of(world)
    world.more = '[report]\nleading = "valeu"\n'
    with pytest.raises(ConfigError, match="'valeu' is not a segmentation; valid: rfm, value"):
        world.do("report")


def test_a_playbook_of_the_config_takes_the_place_of_the_advice(tmp_path: Path) -> None:
    own = VALUE_WITH_PLAYBOOK
    world = World(tmp_path, value=own, more='[report]\nleading = "value"\n')
    world.customers(30)
    world.first_run()
    words = words_of(world)
    assert "message: Call Anna" in words and "Give each a named contact" not in words
    assert "Serve them by e-mail and self-service" in words


VALUE_WITH_PLAYBOOK = """[[segmentations]]
name = "value"
kind = "abc"
field = "seg_value"

[[segmentations.segments]]
key = "a"
playbook = { message = "Call Anna" }
"""


def test_orders_without_a_customer_are_the_first_thing_to_look_at() -> None:
    month = ThisMonth("rfm", "RFM", date(2026, 1, 31), matched=0.8)
    feed = {"unknown": 150, "unnamed": 50, "unmatched": 0, "rows": 800, "of": "order"}
    said = sentences.attention(month, QUIET, {"accounts": {"shop": {"feed": feed}}})
    assert said == "Data check: 200 orders (20.0%) have no customer here, so they count for nobody."
    whole = ThisMonth("rfm", "RFM", date(2026, 1, 31), matched=1.0)
    assert (
        sentences.attention(whole, QUIET, None)
        == "Data check: no row was rejected, and orders have their customers."
    )


def test_a_first_labelling_in_which_nobody_has_a_segment_says_so() -> None:
    said = sentences.sentences(ThisMonth("rfm", "RFM", date(2026, 1, 31)), EUR, QUIET, None)
    assert said[0].endswith("yet; no customer has a segment.")


def test_months_are_compared_only_where_both_are_whole() -> None:
    months = [Month(f"2025-{number:02}", 1, 100 * number, 0, True) for number in range(1, 13)]
    months += [Month("2026-01", 1, 600, 0, True), Month("2026-02", 1, 50, 0, False)]
    last = sentences.compared_months(months, 3)
    assert [(row[0].month, row[1], row[2]) for row in last] == [
        ("2025-12", pytest.approx(12 / 11 - 1), None),
        ("2026-01", pytest.approx(-0.5), None),  # the first month of all may be a part of one
        ("2026-02", None, None),
    ]
    assert sentences.compared_months([Month("2024-12", 1, 1, 0, True), *months], 2)[0][2] == 5


@pytest.mark.parametrize(
    ("share", "words"), [(1.0, "100%"), (0.9996, "99.9%"), (0.995, "99.5%"), (0.0001, "<0.1%"), (0.0, "0%")]
)
def test_a_hundred_percent_is_all_of_it(share: float, words: str) -> None:
    assert formats.percent(share) == words


# -- in a browser --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leading", ["stages", "rfm"])
def test_page_one_fits_a_screen_and_a_sheet_of_paper(shop: Shop, browser: Any, leading: str) -> None:
    shop.world.more = f'[report]\nleading = "{leading}"\n'
    with Opened(browser, shop.world.do("report")["report"], width=1400) as opened:
        bottom = "document.querySelector('.first').getBoundingClientRect().bottom"
        assert opened.page.evaluate(bottom) <= 1000
        opened.page.set_viewport_size(
            {"width": 710, "height": 1032}
        )  # A4 at 96 dots an inch, less its margins
        opened.page.emulate_media(media="print")
        assert opened.page.evaluate(bottom) <= 1032


@pytest.mark.parametrize(("width", "media"), [(1400, "screen"), (390, "screen"), (710, "print")])
@pytest.mark.parametrize("reader", ["people", "analyst"])
def test_no_table_is_cut_and_no_words_of_a_chart_overlap(
    shop: Shop, browser: Any, reader: str, width: int, media: str
) -> None:
    if (reader, width) == ("analyst", 390):
        pytest.skip("wide tables of the analyst's page scroll by themselves on a phone")
    with Opened(browser, shop.world.do("report", reader=reader)["report"], width=width) as opened:
        opened.page.emulate_media(media=media)
        opened.text()
        assert opened.page.evaluate(CUT_TABLES) == []
        assert opened.page.evaluate(OVERLAPS) == []


def test_a_colour_means_one_segment_on_the_whole_page(shop: Shop, browser: Any) -> None:
    with Opened(browser, shop.world.do("report")["report"], width=1400) as opened:
        opened.text()
        chips = opened.page.evaluate(
            """[...document.querySelectorAll('.segments tbody tr:has(.chip)')].map((row) =>
               [row.querySelector('th').textContent.trim(), row.querySelector('.chip').className])"""
        )
        assert len(chips) > 5 and len(dict(chips)) == len({tuple(chip) for chip in chips})
