"""Can a person judge a plan: what happens to whom, segment by segment, and who of the biggest loses status?"""

from __future__ import annotations

import json
import stat
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from segmentation.kinds import kind_named
from sync.per_account import Options
from sync.ui.sharing import share
from sync.views import plan_review
from sync.views.personal import Look
from sync.views.plan_changes import Page
from tests.browsing import Opened
from tests.test_cli import answer, cli, folder
from tests.world import World


def reviewed(world: World, number: int, **page: Any) -> dict[str, Any]:
    return world.do("show_plan", number=number, page=Page(**page))


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, int]:
    """A plan half a year after the first labelling: thirty customers bought much since, the others nothing.

    A fall counts once two labellings agree.
    """
    world = World.of_files(tmp_path_factory.mktemp("second"))
    world.customers(60)
    world.first_run()
    for number in range(1, 31):
        world.buys(str(number), -160, 90_000)
    world.do("label", as_of=date(2024, 12, 10))
    return world, world.do("plan", as_of=date(2024, 12, 20))["plan"]["plan"]


def test_each_segment_is_told_now_and_after_as_the_changes_have_it(second: tuple[World, int]) -> None:
    world, number = second
    shown = reviewed(world, number)
    before = Counter(world.held("seg_rfm").values())
    rows = {row["segment"]: row for row in shown["review"]["segments"] if row["segmentation"] == "rfm"}
    after = Counter(world.labels("rfm").values())
    moved = [change for change in shown["changes"] if change["target"] == "seg_rfm"]
    assert {key: row["now"] for key, row in rows.items()} == {key: before[key] for key in rows}
    assert {key: row["after"] for key, row in rows.items()} == {key: after[key] for key in rows}
    assert sum(row["in"] for row in rows.values()) == sum(row["out"] for row in rows.values()) == len(moved)
    people = {change["id"] for change in shown["changes"] if change["target"] in ("seg_rfm", "seg_value")}
    assert f"{len(people)} of 60 customers change segment" in shown["review"]["sentence"]


def test_lists_are_told_like_segments(second: tuple[World, int]) -> None:
    world, number = second
    after = Counter(world.labels("rfm").values())
    for row in reviewed(world, number)["review"]["lists"]:
        assert row["now"] == len(world.members().get(row["target"], ()))
        assert row["after"] == after[row["target"].partition(".")[2]]


def test_money_of_a_segment_is_what_its_customers_spent_in_twelve_months(second: tuple[World, int]) -> None:
    world, number = second
    rows = [row for row in reviewed(world, number)["review"]["segments"] if row["segmentation"] == "value"]
    assert sum(row["now_revenue"] or 0 for row in rows) == sum(row["after_revenue"] or 0 for row in rows) > 0
    assert all((row["in_revenue"] or 0) > 0 for row in rows if row["in"] and row["segment"] == "a")


def test_the_biggest_customers_that_lose_status_stand_first(second: tuple[World, int]) -> None:
    world, number = second
    losing = reviewed(world, number)["review"]["losing"]
    ids = {change["id"] for change in reviewed(world, number)["changes"]}
    revenue = [row["revenue"] for row in losing]
    assert losing and revenue == sorted(revenue, reverse=True) and {row["id"] for row in losing} <= ids
    standing = {segment.key: segment.standing for segment in kind_named("rfm")().segments}
    order = ("buying", "slipping", "gone")
    falls = [row for row in losing if row["segmentation"] == "rfm" and row["after"]]
    assert falls and all(
        order.index(standing[row["after"]]) > order.index(standing[row["before"]]) for row in falls
    )


def test_pages_follow_each_other_and_hold_what_is_looked_for(second: tuple[World, int]) -> None:
    world, number = second
    every = reviewed(world, number)["changes"]
    pages = [reviewed(world, number, limit=7, offset=offset) for offset in range(0, len(every), 7)]
    assert [change for page in pages for change in page["changes"]] == every
    assert [page["more"] for page in pages][-1] == 0 and pages[0]["more"] == len(every) - 7
    champions = reviewed(world, number, segment="rfm.champions")["changes"]
    assert champions == [
        change
        for change in every
        if change["target"] == "rfm.champions"
        or (change["target"] == "seg_rfm" and "champions" in (change["before"], change["after"]))
    ]
    parts = [reviewed(world, number, segment="rfm.champions", limit=5, offset=o) for o in (0, 5)]
    assert parts[0]["changes"] + parts[1]["changes"] == champions[:10] and parts[0]["more"]
    assert {change["id"] for change in reviewed(world, number, id="17")["changes"]} <= {"17"}


def test_names_are_shown_to_whoever_says_why_and_the_journal_keeps_only_that(
    second: tuple[World, int],
) -> None:
    world, number = second
    assert "email" not in reviewed(world, number)["changes"][0]
    shown = reviewed(world, number, look=Look("the board asks"))
    assert shown["changes"][0]["email"].endswith("@example.org")
    kept = world.journal("SELECT command, summary FROM runs ORDER BY run DESC LIMIT 1")[0]
    assert kept["command"] == "show_plan" and "@" not in kept["summary"]
    assert json.loads(kept["summary"])["personal"]["reason"] == "the board asks"


def test_a_first_labelling_is_to_be_looked_at_and_a_tripped_guard_stops(
    second: tuple[World, int], tmp_path: Path
) -> None:
    world, number = second
    lights = {light["name"]: light["state"] for light in reviewed(world, number)["review"]["lights"]}
    assert lights["Rows read"] == "ok"
    first = World.of_files(tmp_path)
    first.customers(70)
    first.do("setup")
    planned = first.do("plan")["plan"]["plan"]
    review = reviewed(first, planned)["review"]
    assert {light["name"]: light["state"] for light in review["lights"]}["Guards"] == "look"
    assert "70 of 70 customers get their first segment" in review["sentence"]
    first.do("apply", number=planned)
    for id in range(1, 66):
        first.buys(str(id), 0, 90_000)
    stopped = reviewed(first, first.do("plan")["plan"]["plan"])["review"]
    assert {light["name"]: light["state"] for light in stopped["lights"]}["Guards"] == "stop"


def test_an_undo_is_reviewed_in_the_same_way(tmp_path: Path) -> None:
    world = World.of_files(tmp_path)
    world.customers(30)
    run = world.first_run()["run"]
    number = world.do("undo", number=run, confirm=lambda _plan: False)["plan"]["plan"]
    review = reviewed(world, number)["review"]
    assert f"takes run {run} back: 30 of 30 customers lose their segment" in review["sentence"]
    assert all(row["after"] == 0 for row in review["segments"])


def test_who_is_forgotten_stands_in_no_review(second: tuple[World, int], tmp_path: Path) -> None:
    world, number = second[0].copy(tmp_path), second[1]
    gone = reviewed(world, number)["review"]["losing"][0]["id"]
    world.do("forget", id=gone)
    assert gone not in {row["id"] for row in reviewed(world, number)["review"]["losing"]}


def test_a_terminal_shows_the_review_before_the_changes(tmp_path: Path) -> None:
    world = folder(tmp_path, 12)
    cli(world, "setup", "--yes")
    number = str(answer(world, "plan")[1]["plan"]["plan"])
    output = cli(world, "plan", "show", number).output
    assert "12 of 12 customers get their first segment" in output
    assert output.index("Segments now and after") < output.index("planned")
    assert "customer1@" not in output
    assert "customer1@" in cli(world, "plan", "show", number, "--personal", "--reason", "audit").output
    assert cli(world, "plan", "show", number, "--personal").exit_code == 2


# -- as one file for a share --------------------------------------------------------------------------------


def test_a_plan_is_one_file_that_names_nobody_and_says_until_when_it_is_good(
    second: tuple[World, int], tmp_path: Path, browser: Any
) -> None:
    world, number = second[0].copy(tmp_path / "world"), second[1]
    code, told = answer(
        world, "review", str(number), "--static", str(tmp_path / "share"), "--until", "2090-01-31"
    )
    assert (code, told["until"], told["personal"]) == (0, "2090-01-31", False)
    with Opened(browser, told["out"]) as opened:
        text = opened.text()
        assert opened.quiet()
    assert reviewed(world, number)["review"]["sentence"] in text and "Good until 31 January 2090" in text
    assert "@example.org" not in text


def test_names_stand_in_the_file_where_somebody_says_why(second: tuple[World, int], tmp_path: Path) -> None:
    world, number = second[0].copy(tmp_path / "world"), str(second[1])
    share = ("--static", str(tmp_path / "share"), "--personal")
    assert cli(world, "review", number, *share).exit_code == 2
    code, told = answer(world, "review", number, *share, "--reason", "the board")
    page = Path(told["out"])
    assert code == 0 and "@example.org" in page.read_text(encoding="utf-8")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    world.do("forget", id=reviewed(world, int(number))["changes"][0]["id"])
    assert str(page) in {row["path"] for row in world.journal("SELECT path FROM exports")}


def test_a_page_that_ends_before_today_is_refused(second: tuple[World, int], tmp_path: Path) -> None:
    world, number = second[0].copy(tmp_path / "world"), str(second[1])
    assert cli(world, "review", number, "--static", str(tmp_path), "--until", "2020-01-01").exit_code == 2


def test_the_end_day_of_a_shared_plan_is_one_of_the_account(tmp_path: Path) -> None:
    world = World.of_files(
        tmp_path, account='time_zone = "Pacific/Kiritimati"\n'
    )  # fourteen hours ahead of UTC
    world.customers(12)
    world.do("setup")
    number = world.do("plan")["plan"]["plan"]
    noon = Options(clock=lambda: datetime(2024, 7, 1, 12, tzinfo=UTC))
    shared = share(world.folder / "config.toml", noon, number, tmp_path / "share")
    assert shared["until"] == "2024-07-16", "there it is the second of July already"


def test_an_automation_that_listens_twice_is_named_once_with_the_customers_that_start_it() -> None:
    heard = [
        {"name": "Welcome", "target": target, "value": None, "records": 30}
        for target in ("seg_rfm", "rfm.new")
    ]
    [light] = [plan_review._automations({"found": heard, "starts": {"Welcome": 40}, "unknown": ""})]
    assert light["what"] == "These changes start Welcome for 40."
    old = plan_review._automations({"found": heard, "unknown": ""})
    assert old["what"] == "These changes start Welcome for 30.", "a plan of an older version"
