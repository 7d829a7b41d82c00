"""Does the page tell what the models know, and does it stay true, quiet and safe whatever the CRM holds?"""

from __future__ import annotations

import random
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from segmentation.evaluation.attribution import kaplan_meier
from sync.exit_codes import CommandError
from sync.report import cluster_profiles, journeys, migrations, model_selection, response_models, scorecards
from sync.report.formats import Money
from sync.report.panels import Shade
from sync.report.transitions import Flow
from tests.browsing import CONTRAST, OUTSIDE, Opened
from tests.world import ALLOWED, World

SCRIPT = "<script>alert(1)</script>"
IMAGE = "\"'><img src=x onerror=alert(1)>"
EVERY_KIND = f"""
[[segmentations]]
name = "life"
title = "Life cycle"
kind = "lifecycle"
field = "seg_life"

[[segmentations.segments]]
key = "active"
title = "{SCRIPT}active"
playbook = {{ message = '''{IMAGE}''', priority = 2 }}

[[segmentations]]
name = "future"
kind = "potential"
field = "seg_future"

[[segmentations.segments]]
key = "high"
title = '''{IMAGE}high'''

[[segmentations]]
name = "groups"
title = '''{IMAGE}groups'''
kind = "clusters"
field = "seg_groups"
attributes = ["town"]
k = 3

[[segmentations]]
name = "buyers"
kind = "response"
field = "seg_buyers"
within_days = 30
lists = "static"
reachable_only = true
unknown_reachable = true
control = 0.4

[[segmentations]]
name = "next"
kind = "offers"
field = "seg_next"
categories = ["{SCRIPT}", "Beer"]
segment_by = "life"

[[segmentations]]
name = "audience"
kind = "rules"
field = "seg_audience"

[[segmentations.segments]]
key = "often"
title = "{SCRIPT}often"
when = {{ feature = "purchase_days", at_least = 10 }}
playbook = {{ message = "{SCRIPT}", priority = 1 }}

[[segmentations.segments]]
key = "some"
when = {{ feature = "purchase_days", at_least = 3 }}
"""
TOWNS = (SCRIPT, IMAGE, "Bonn")
EUR = Money("EUR", 2)


@pytest.fixture(scope="module")
def told(tmp_path_factory: Any) -> tuple[World, str]:
    """300 customers of every sort, segmented in every way, twice; and the page.

    Every text of the CRM wants to be a program.
    """
    world = World(tmp_path_factory.mktemp("insight"), more=EVERY_KIND)
    world.account = '[accounts.portal.attributes]\ntown = "town"\n\n'
    chance = random.Random(7)
    for number in range(300):
        id = str(number + 1)
        world.store.put(id, email=f"customer{id}@example.org", town=TOWNS[number % 3])
        for days_ago in range(100 if number % 3 == 2 else 0, 300, (7, 30, 45)[number % 3]):
            if chance.random() < 0.8:
                world.buys(
                    id,
                    min(299, days_ago + chance.randint(0, 6)),
                    1000 + number,
                    category=(SCRIPT, "Beer")[number % 2],
                )
        moment = datetime(2024, 6, 30, 8, tzinfo=UTC) - timedelta(days=chance.randint(0, 299))
        world.store.act(id, moment, "visit", channel=(IMAGE, SCRIPT, "web")[number % 3])
    world.do("setup")
    for day in (date(2024, 6, 23), date(2024, 6, 30)):
        world.do("run", allow=ALLOWED, as_of=day)
    return world, world.do("report", reader="analyst", scorecards=True, composition=("town",))["report"]


def test_every_kind_has_its_pictures(told: tuple[World, str], browser: Any) -> None:
    with Opened(browser, told[1]) as opened:
        text = opened.text()
        assert opened.quiet()
    for title in (
        "How accurate are the stages?",
        "Which score predicted best?",
        "How accurate were the forecasts?",
        "What will each tier bring?",
    ):
        assert title in text
    for title in (
        "What distinguishes each cluster?",
        "Cluster stability",
        "How well does it predict?",
        "Break-even depth",
    ):
        assert title in text
    for title in (
        "What to offer to which segment",
        "Coverage of rules",
        "Migration",
        "Scorecard",
        "Composition by town",
        "Drift",
    ):
        assert title in text
    for title in (
        "Outlook",
        "Revenue of the next 30 days",
        "Touchpoints",
        "From step to step",
        "Time to the second purchase",
    ):
        assert title in text
    for title in ("Value on two axes", "Which message has priority", "What did contacting change?"):
        assert title in text


def test_page_one_tells_what_campaigns_of_any_segmentation_changed(told: tuple[World, str]) -> None:
    world, _ = told
    page = Path(world.do("report", out=world.folder / "people.html")["report"]).read_text(encoding="utf-8")
    assert 1 <= page.count("<p>Campaign to ") <= 2


def test_texts_of_the_crm_stay_texts_in_every_new_place(told: tuple[World, str], browser: Any) -> None:
    with Opened(browser, told[1]) as opened:
        text = opened.text()
        assert opened.quiet()
        assert (
            opened.page.evaluate(
                "document.querySelectorAll('script, img, iframe, object, [onerror], [onload]').length"
            )
            == 0
        )
    assert text.count(SCRIPT) > 20 and text.count(IMAGE) > 10
    touchpoints = text[text.index("Touchpoints") : text.index("From step to step")]
    assert SCRIPT in touchpoints and IMAGE in touchpoints
    assert SCRIPT in text[text.index("What to offer to which segment") :]


@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_phone_never_scrolls_sideways(told: tuple[World, str], browser: Any, width: int) -> None:
    with Opened(browser, told[1], width) as opened:
        opened.text()
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        assert opened.page.evaluate(OUTSIDE, width) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(told: tuple[World, str], browser: Any, scheme: str) -> None:
    with Opened(browser, told[1], scheme=scheme) as opened:
        opened.text()
        contrasts = opened.page.evaluate(CONTRAST)
        assert len(contrasts) > 500 and contrasts[0][0] >= 4.5, contrasts[:5]


def test_every_picture_has_a_name_and_a_table_behind_it(told: tuple[World, str], browser: Any) -> None:
    unnamed = "[...document.querySelectorAll('svg.chart')].filter((o) => !o.querySelector(':scope > title')?.textContent.trim()).length"
    bare = "[...document.querySelectorAll('figure')].filter((o) => o.querySelector('svg.chart') && !o.querySelector('table')).length"
    with Opened(browser, told[1]) as opened:
        assert (opened.page.evaluate(unnamed), opened.page.evaluate(bare)) == (0, 0)


def test_the_page_says_the_same_twice_and_names_nobody(told: tuple[World, str]) -> None:
    world, path = told
    page = Path(path).read_text(encoding="utf-8")
    assert (
        Path(world.do("report", reader="analyst", composition=("town",))["report"]).read_text(
            encoding="utf-8"
        )
        == page
    )
    assert "@example.org" not in page and len(page) < 5_000_000


def test_an_attribute_that_there_is_not_is_named(told: tuple[World, str]) -> None:
    world, _ = told
    with pytest.raises(CommandError, match="has no attribute 'twon': it has town"):
        world.do("report", reader="analyst", out=world.folder / "never.html", composition=("twon",))
    assert not (world.folder / "never.html").exists()


def test_scorecards_are_computed_when_asked_for_kept_and_shown_with_their_day(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(120)
    world.first_run()

    def page(**asked: Any) -> str:
        return Path(world.do("report", reader="analyst", **asked)["report"]).read_text(encoding="utf-8")

    assert "No scorecard has been computed yet for" in page() and "<h3>Scorecard</h3>" not in page()
    world.do("evaluate", names=("rfm",))
    one = page()
    assert one.count("<h3>Scorecard</h3>") == 1 and "computed yet for value. crm-segments report" in one
    every = page(scorecards=True)
    assert every.count("<h3>Scorecard</h3>") == 2 and "No scorecard has been computed" not in every
    assert every.count("As of 2024-06-30; each figure") == 2 and page() == every
    world.customers(130)
    world.do("run", allow=ALLOWED)
    assert page().count("As of 2024-06-30, and labels, model or data have changed since") == 2
    assert page(scorecards=True).count("As of 2024-06-30; each figure") == 2


def test_a_scorecard_of_the_same_facts_is_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    world.customers(60)
    world.first_run()
    first = world.do("evaluate")["cards"]
    monkeypatch.setattr("sync.views.scorecards._card", None)
    assert world.do("evaluate")["cards"] == first
    with pytest.raises(TypeError, match="not callable"):
        world.do("evaluate", as_of=date(2024, 6, 1))


def test_a_composition_is_shown_without_scorecards(told: tuple[World, str]) -> None:
    world, _ = told
    out = world.folder / "composition.html"
    page = Path(world.do("report", reader="analyst", out=out, composition=("town",))["report"]).read_text(
        encoding="utf-8"
    )
    assert "Composition by town" in page
    page = Path(world.do("report", reader="analyst", out=out)["report"]).read_text(encoding="utf-8")
    assert "Composition by" not in page


def test_a_config_without_models_has_none_of_their_pictures(tmp_path: Path) -> None:
    world = World(tmp_path, value="")
    world.customers(30)
    world.first_run()
    page = Path(world.do("report", reader="analyst")["report"]).read_text(encoding="utf-8")
    for title in (
        "Which score predicted best?",
        "Outlook",
        "Break-even depth",
        "What distinguishes each cluster?",
        "Value on two axes",
    ):
        assert title not in page


def test_a_model_that_refuses_says_why(tmp_path: Path) -> None:
    kinds = "\n".join(
        f'[[segmentations]]\nname = "{k}"\nkind = "{k}"\nfield = "seg_{k}"\n'
        for k in ("potential", "clusters", "response")
    )
    world = World(tmp_path, value="", more=kinds)
    world.customers(30)
    world.first_run()
    page = Path(world.do("report", reader="analyst")["report"]).read_text(encoding="utf-8")
    assert (
        "There is no model: " in page
        and "There are none: fewer than 100 records" in page
        and "needs 200 and 50" in page
    )


# -- panels ------------------------------------------------------------------------------------------------


def texts(panel: Any) -> str:
    """All that a panel says, one line a row."""
    rows = panel.table.rows if panel.table else ()
    cells = [" | ".join(cell if isinstance(cell, str) else cell.text for cell in row) for row in rows]
    return "\n".join([panel.title, panel.remark, *cells])


def test_the_winner_of_the_contest_stands_first_and_the_back_test_is_told() -> None:
    scores = {"rfm": (0.48, 0.70), "mixed": (0.53, 0.76)}
    figures = {
        "winner": "mixed",
        "span": 13,
        "customers": 2439,
        "horizon": 13,
        "contest": {name: {"capture_20": a, "gini": b, "auc": 0.8} for name, (a, b) in scores.items()},
        "brier": 0.142,
        "bias_money": 0.109,
    }
    first, second = model_selection.panels(figures, {}, EUR)
    assert first.table is not None and str(first.table.rows[0][0]).endswith("(used)")
    assert "Bias of revenue | forecast over what came, less one | +10.9%" in texts(second)


def test_an_effect_is_told_with_its_interval_or_why_there_is_none() -> None:
    some = {
        "treated": 900,
        "control": 100,
        "days": 30,
        "rate_treated": 0.2,
        "rate_control": 0.1,
        "uplift": 0.1,
        "interval": [0.03, 0.15],
    }
    some |= {"incremental": 90.0, "qini": 0.012, "note": ""}
    few = {"treated": 9, "control": 1, "days": 30, "note": "too few records"}
    measured, refused = response_models.effects({"likely": some, "possible": few}, {"likely": "Likely"})
    assert "95% interval | +3.0% to +15.0%" in texts(measured) and "Qini of the score | 0.012" in texts(
        measured
    )
    assert "too few records" in texts(refused) and not refused.pictures


def test_the_migration_matrix_tells_shares_of_each_row_and_no_long_run_of_one_transition() -> None:
    (panel,) = migrations.panels(
        [Flow("a", "a", 90), Flow("a", "b", 10), Flow("b", "b", 50), Flow(None, "a", 5)], {"a": "A", "b": "B"}
    )
    contents = texts(panel)
    assert "A | 90.0% | 10.0%" in contents and "B |  | 100%" in contents
    assert "long run" not in contents


def test_a_failing_scorecard_proposes_to_retrain_says_what_the_figure_means_and_names_clusters() -> None:
    line = {"measure": "drift", "value": 0.3, "passes": False, "words": "cluster_2 drifts", "interval": None}
    card = {"lines": [line], "falls": ["cluster_2 drifts"], "as_of": "2024-06-30", "current": True}
    (panel,) = scorecards.panels(card, {}, {"cluster_2": "often"})
    assert "Retraining is only proposed: \u201coften\u201d drifts" in texts(panel)
    assert "Drift | \u2717 not good | 0.3 | How far scores have moved" in texts(panel)


def test_a_profile_says_more_in_one_colour_and_less_in_the_other() -> None:
    trait = cluster_profiles.Trait(
        "net revenue",
        "money",
        {"cluster_1": 1.5, "cluster_2": -0.3},
        {"cluster_1": 120_000.0, "cluster_2": 4_000.0},
    )
    (panel,) = cluster_profiles.panels(
        cluster_profiles.Profile([trait]), {}, {"cluster_1": "much", "cluster_2": "little"}, EUR
    )
    assert panel.table is not None
    name, much, little = panel.table.rows[0]
    assert isinstance(much, Shade) and isinstance(little, Shade)
    assert (name, much.text, much.tint) == ("net revenue", "1,200 EUR", "hot")
    assert (little.text, little.tint) == ("40 EUR", "cold")


def test_waiting_is_told_by_those_who_still_wait_too() -> None:
    import numpy as np

    wait = kaplan_meier(np.array([10, 20, 40]), np.array([True, True, False]), np.array([1, 1, 2]))
    journey = {"steps": [], "transitions": {}, "removal": {}, "sessions": [], "first": wait, "second": wait}
    (panel,) = journeys.panels(journeys.Journeys("life", {"active": journey}, 4, 4), {"active": "Active"})
    assert "Active | 4 | 2 | 20 days | 50.0% | 50.0% | 50.0%" in texts(panel)
    assert re.search("Kaplan", panel.remark)
