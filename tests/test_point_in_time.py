"""Is nobody in a past population who was not known then, also where the CRM does not say when a record was made?"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from segmentation.kinds.response_cuts import FEWEST_TESTED
from segmentation.point_in_time import Past
from sync.account.segment_catalog import built
from sync.account.session import Session, locked
from sync.context import Context
from sync.label.feature_frame import AccountFeatures
from tests.world import World

BUYERS = """
[[segmentations]]
name = "buyers"
kind = "response"
field = "seg_buyers"
within_days = 30
"""
TODAY = date(2024, 6, 30)
THEN = date(2024, 5, 31)  # 30 days before


def looked_at(world: World, use: Callable[[Past, dict[str, int]], Any]) -> Any:
    """``use`` of the past of ``buyers``, and the number of each record by its id."""
    config = world.config()
    with locked(config) as journal:
        session = Session.begin(Context(config, "portal", clock=lambda: world.now), journal, world._open)
        try:
            settings = next(candidate for candidate in session.segmentations if candidate.name == "buyers")
            past = AccountFeatures(session).past(settings, built(session.config, settings, "portal"))
            return use(past, dict(session.mirror().rows("SELECT id, record FROM ids")))
        finally:
            session.close()


def known(world: World, day: date, campaigns: tuple[str, ...] = ()) -> set[str]:
    """Ids of the past population of a day."""

    def look(past: Past, numbers: dict[str, int]) -> set[str]:
        records = set(past.features(day, campaigns)["record"])
        return {id for id, number in numbers.items() if number in records}

    found: set[str] = looked_at(world, look)
    return found


def shop(folder: Path, **settings: Any) -> World:
    return World(folder, value=BUYERS, **settings)


def test_a_record_that_nobody_dates_is_known_from_the_first_thing_that_it_did(tmp_path: Path) -> None:
    world = shop(tmp_path)
    for id in ("bought before", "came before", "bought after", "came after", "silent"):
        world.store.put(id, created_at=None)
    world.buys("bought before", 40)
    world.buys("bought after", 10)
    world.buys("came before", 5)
    for id, days_ago in (("came before", 30), ("came after", 29)):
        world.store.act(id, datetime(2024, 6, 30, 10, tzinfo=UTC) - timedelta(days=days_ago), kind="form")
    world.do("label")
    assert known(world, THEN) == {"bought before", "came before"}
    assert known(world, TODAY) == {"bought before", "came before", "bought after", "came after"}


def test_what_was_recorded_later_makes_nobody_known_earlier(tmp_path: Path) -> None:
    world = shop(tmp_path)
    for id in ("imported", "not imported"):
        world.store.put(id, created_at=None)
    world.buys("imported", 40, recorded_at=datetime(2024, 6, 20, tzinfo=UTC))
    world.buys("not imported", 40, recorded_at=datetime(2024, 5, 22, tzinfo=UTC))
    world.do("label")
    assert known(world, THEN) == {"not imported"}


def test_a_record_with_a_date_is_known_from_that_date_or_from_its_first_purchase(tmp_path: Path) -> None:
    world = shop(tmp_path)
    world.store.put("made before", created_at=datetime(2024, 5, 31, 20, tzinfo=UTC))
    world.store.put("made after", created_at=datetime(2024, 6, 1, tzinfo=UTC))
    world.store.put("bought before it was made", created_at=datetime(2024, 6, 1, tzinfo=UTC))
    world.buys("bought before it was made", 60)
    world.do("label")
    assert known(world, THEN) == {"made before", "bought before it was made"}


def test_who_did_nothing_is_known_from_the_first_pull_that_saw_it(tmp_path: Path) -> None:
    world = shop(tmp_path)
    world.store.put("there at first", created_at=None)
    world.buys("there at first", 100)
    world.store.put("lead", created_at=None)
    world.do("label")  # on 1 July
    world.now += timedelta(days=10)
    world.store.put("later lead", created_at=None)
    world.store.put("lead", city="Lyon")  # an edit makes nobody new
    world.do("label", as_of=date(2024, 7, 10))
    assert known(world, TODAY) == {"there at first"}
    assert known(world, date(2024, 7, 1)) == {"there at first", "lead"}
    assert known(world, date(2024, 7, 11)) == {"there at first", "lead", "later lead"}


def test_who_is_counted_as_unknown_did_nothing_and_was_first_seen_later(tmp_path: Path) -> None:
    world = shop(tmp_path)
    for id in ("buyer", "comes later", "lead"):
        world.store.put(id, created_at=None)
    world.store.put("dated lead")
    world.buys("buyer", 100)
    world.buys("comes later", -5)  # as of the day, nobody had heard of it
    world.now += timedelta(days=10)
    world.do("label")
    counts: Any = looked_at(world, lambda past, _: past.undated(THEN))
    assert counts == (1, 4)


def test_a_campaign_is_learned_from_all_whom_it_was_sent_to(tmp_path: Path) -> None:
    world = shop(tmp_path)
    world.store.put("lead", created_at=None)
    world.store.put("later", created_at=None)
    world.buys("later", 3)
    sent = datetime(2024, 6, 1, 9, tzinfo=UTC)
    world.store.act("lead", sent, kind="campaign_sent", campaign="June")
    world.do("label")
    assert known(world, THEN) == set()
    assert known(world, THEN, ("June",)) == {"lead"}


@pytest.fixture(scope="module", params=[True, False], ids=["dated", "undated"])
def growing(request: Any, tmp_path_factory: Any) -> World:
    """Every day two newcomers, whose first purchase makes them known; a third buys again each fortnight.

    This is the leak, planted: taken for people who were there before, all newcomers are prospects who buy.
    """
    world, chance = shop(tmp_path_factory.mktemp("growing")), random.Random(3)
    for number in range(500):
        id, first = str(number), 250 - number // 2
        moment = datetime(2024, 6, 30, 9, tzinfo=UTC) - timedelta(days=first)
        world.store.put(id, created_at=moment if request.param else None)
        world.buys(id, first)
        if number % 3 == 0:
            for days_ago in range(first - 14, -1, -14):
                if chance.random() < 0.9:
                    world.buys(id, max(0, days_ago - chance.randint(0, 3)))
    world.do("label")
    return world


def test_the_leak_of_those_who_came_later_is_found_and_closed(growing: World) -> None:
    def look(past: Past, _: dict[str, int]) -> tuple[int, int]:
        frame = past.features(THEN)
        return len(frame), int(frame["last_purchase"].isna().sum())

    # of 500, 440 had bought by 31 May; nobody is a prospect of whom nothing was known
    assert looked_at(growing, look) == (442, 0)


def test_a_model_is_the_same_with_dates_and_without(growing: World) -> None:
    (row,) = growing.journal("SELECT content FROM models WHERE segmentation = 'buyers'")
    from segmentation import model_file

    figures = model_file.from_json(row["content"])["figures"]
    assert figures["refused"] == "" and figures["undated"] == 0
    assert [cut["records"] for cut in figures["cuts"]] == [262, 322, 382, 442]
    assert figures["auc"] > 0.9 and figures["ece"] < 0.1


def test_too_many_of_whom_nothing_is_known_are_a_reason_to_learn_nothing(tmp_path: Path) -> None:
    world = leads(tmp_path, 40)
    assert set(world.labels("buyers").values()) == {"unscored"}
    assert "read created_at" in world.do("show", id="1")["segmentations"]["buyers"]["reason"]


def test_a_few_of_whom_nothing_is_known_are_not_scored_and_counted(tmp_path: Path) -> None:
    world = leads(tmp_path, 10)
    labels = world.labels("buyers")
    unscored = {id for id, segment in labels.items() if segment == "unscored"}
    assert unscored == {f"lead{number}" for number in range(10)}
    assert "it has done nothing yet" in world.do("show", id="lead1")["segmentations"]["buyers"]["reason"]
    card = world.do("evaluate")["cards"]["buyers"]["lines"]
    (line,) = [line for line in card if line["measure"] == "left out of the past"]
    assert line["value"] == 10 and "no created_at" in line["words"]


def leads(folder: Path, number: int) -> World:
    """300 buyers, and so many contacts who never did anything."""
    assert number < FEWEST_TESTED * 3
    world, chance = shop(folder), random.Random(5)
    for id in map(str, range(300)):
        world.store.put(id, created_at=None)
        for days_ago in range(5, 300, 25):
            if days_ago == 280 or chance.random() < (0.9 if int(id) % 2 else 0.3):
                world.buys(id, days_ago + chance.randint(0, 5))
    for lead in range(number):
        world.store.put(f"lead{lead}", created_at=None)
    world.do("label")
    return world
