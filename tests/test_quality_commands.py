"""Can a user ask how good a segmentation is, and what a refit would change, before anything changes?"""

from __future__ import annotations

import random
from datetime import date

import pytest

from tests.test_cli import answer, cli
from tests.world import ALLOWED, World

MORE = """
[[segmentations]]
name = "potential"
kind = "potential"
field = "seg_potential"
lists = "static"
reachable_only = true
unknown_reachable = true
control = 0.4
"""
LATER = date(2024, 10, 15)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """300 customers with habits of their own, labelled and written once."""
    attributes = '[accounts.portal.attributes]\nsex = { field = "company_id", sensitive = true }\n\n'
    made = World.of_files(tmp_path_factory.mktemp("quality"), more=MORE, account=attributes)
    chance = random.Random(7)
    for number in range(300):
        id = str(number + 1)
        made.store.put(id, email=f"customer{id}@example.org", company_id="fm"[number % 2])
        for days_ago in range(number % 60, 400, 5 + number % 50):
            if chance.random() < 0.7:
                made.buys(id, days_ago, 1000 + 10 * number)
    made.do("setup")
    made.do("run", allow=ALLOWED)
    return made


def test_cards_are_told_for_people_and_as_json(world: World) -> None:
    code, evaluation = answer(world, "evaluate")
    assert (
        code == 0
        and set(evaluation["cards"]) == {"rfm", "value", "potential"}
        and evaluation["as_of"] == "2024-06-30"
    )
    measures = {line["measure"]: line for line in evaluation["cards"]["value"]["lines"]}
    assert measures["lift"]["value"] > 1 and measures["coverage"]["value"] == 1
    assert (
        all("too few" in effect["note"] for effect in evaluation["effects"].values())
        and evaluation["effects"]
    )
    shown = cli(world, "evaluate", "value").output
    assert "lift" in shown and "potential" not in shown


def test_who_is_in_a_segment_is_told_when_asked_by_name_even_by_sensitive_attributes(world: World) -> None:
    _, evaluation = answer(world, "evaluate", "rfm", "--composition", "sex")
    assert set(evaluation["cards"]) == {"rfm"}
    assert all(
        abs(sum(shares.values()) - 1) < 0.01
        for shares in evaluation["cards"]["rfm"]["composition"]["sex"].values()
    )
    assert "sex" in cli(world, "evaluate", "rfm", "--composition", "sex").output
    assert "composition" not in answer(world, "evaluate", "rfm")[1]["cards"]["rfm"]


def test_names_that_there_are_not_are_refused_with_those_that_there_are(world: World) -> None:
    for words, suggested in (
        (["evaluate", "rmf"], "rfm"),
        (["evaluate", "--composition", "age"], "sex"),
        (["train", "--propose", "rmf"], "value"),
    ):
        result = cli(world, *words)
        assert result.exit_code == 1 and suggested in result.stderr


def test_a_refit_is_hinted_at_proposed_with_who_would_move_and_only_train_applies_it(world: World) -> None:
    assert answer(world, "run")[1]["refits"] == {}
    assert set(answer(world, "label", "--as-of", LATER.isoformat())[1]["refits"]) == {
        "rfm",
        "value",
        "potential",
    }
    assert "Hint: rfm" in cli(world, "label", "--as-of", LATER.isoformat()).output
    code, proposed = answer(world, "train", "rfm", "value", "--propose", "--as-of", LATER.isoformat())
    assert code == 0 and proposed["models"] == {} and set(proposed["proposals"]) == {"rfm", "value"}
    moved = proposed["proposals"]["rfm"]
    assert (
        moved["records"] > 0
        and moved["flows"]
        and moved["difference"]["as_of"] == ["2024-06-30", LATER.isoformat()]
    )
    assert "would move" in cli(world, "train", "rfm", "--propose", "--as-of", LATER.isoformat()).output
    _, trained = answer(world, "train", "rfm", "--as-of", LATER.isoformat())
    assert trained["models"] == {"rfm": 2}, "nothing was saved before, and nothing but what was named"
    assert set(answer(world, "label", "--as-of", LATER.isoformat())[1]["refits"]) == {"value", "potential"}


def test_a_card_tells_where_records_went_since_the_labelling_before(world: World) -> None:
    world.do("label", as_of=date(2024, 7, 7))
    _, evaluation = answer(world, "evaluate", "value")
    moved = evaluation["cards"]["value"]["migration"]
    assert all(abs(sum(row.values()) - 1) < 0.01 for row in moved["probabilities"].values())
    assert abs(sum(moved["stationary"].values()) - 1) < 0.01 and set(moved["stay"]) == set(
        moved["stationary"]
    )
    assert "in the long run" in cli(world, "evaluate", "value").output
