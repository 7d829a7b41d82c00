"""Do forecasts reach the CRM as numbers: fields with a title and a unit, written, undone, cleared, and quiet where
nothing happens?
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sync.config.config import ConfigError, load
from tests.world import ALLOWED, DAY, World

NUMBERS = ("probability", "expected_revenue", "lifetime_value", "churn_probability", "next_order_date")
SEGMENTATION = """[[segmentations]]
name = "value"
title = "Value to come"
kind = "potential"
field = "seg_value"
horizon_days = 90
"""
ASKED = f"{SEGMENTATION}numbers = {list(NUMBERS)}\n".replace("'", '"')


def shop(folder: Path, value: str = ASKED, customers: int = 300) -> World:
    """Two years of 300 customers, each with a pace of its own, who leave some day; and one who never bought."""
    folder.mkdir(exist_ok=True)
    world = World(folder, value=value)
    draw = np.random.default_rng(5)
    world.store.put("nobody", email="nobody@example.org")
    for number in range(customers):
        id, day = f"c{number}", float(draw.integers(1, 730))
        world.store.put(id, email=f"{id}@example.org")
        gap, spent = 8 + 60 * draw.gamma(1.5), 2000 + 6000 * draw.gamma(2)
        while day > 0:
            world.buys(id, int(day), int(spent * draw.gamma(6) / 6) + 100)
            day = -1.0 if draw.random() < 0.08 else day - 1 - draw.exponential(gap)
    return world


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = shop(tmp_path_factory.mktemp("numbers"))
    world.first_run()
    return world


@pytest.fixture
def world(started: World, tmp_path: Path) -> World:
    return started.copy(tmp_path / "copy")


def held(world: World) -> dict[str, dict[str, Any]]:
    return {name: world.held(f"seg_value_{name}") for name in NUMBERS}


def test_each_number_is_a_field_with_a_title_and_a_unit(started: World) -> None:
    fields = {name: started.store.fields["contact", f"seg_value_{name}"] for name in NUMBERS}
    assert {name: (spec.type, spec.unit) for name, spec in fields.items()} == {
        "probability": ("number", "%"),
        "expected_revenue": ("number", "EUR"),
        "lifetime_value": ("number", "EUR"),
        "churn_probability": ("number", "%"),
        "next_order_date": ("date", ""),
    }
    assert fields["expected_revenue"].label == "Value to come: Expected revenue (EUR)"
    assert "within 90 days" in fields["probability"].description
    assert "less by 0.1 a year" in fields["lifetime_value"].description


def test_customers_have_numbers_and_who_never_bought_has_none(started: World) -> None:
    numbers = held(started)
    assert {"nobody"} & {id for values in numbers.values() for id in values} == set()
    for name in ("probability", "expected_revenue", "lifetime_value", "churn_probability"):
        assert len(numbers[name]) == 300
    assert all(0 <= float(value) <= 100 for value in numbers["probability"].values())
    revenue, lifetime = (
        {id: float(value) for id, value in numbers[name].items()}
        for name in ("expected_revenue", "lifetime_value")
    )
    assert sum(lifetime.values()) > 2 * sum(revenue.values())
    assert 20 < len(numbers["next_order_date"]) < 300
    assert all(date.fromisoformat(value) > DAY for value in numbers["next_order_date"].values())


def test_the_same_day_writes_nothing_and_a_quiet_week_hardly_anything(world: World) -> None:
    before = held(world)
    world.do("run", allow=ALLOWED)
    assert held(world) == before
    world.do("run", allow=ALLOWED, as_of=DAY + timedelta(days=7))
    after = held(world)
    moved = {
        id
        for name in NUMBERS
        for id in before[name].keys() | after[name].keys()
        if before[name].get(id) != after[name].get(id)
    }
    assert len(moved) <= 0.05 * 300


def test_a_purchase_gives_new_numbers_though_the_segment_stays(world: World) -> None:
    segment, before = world.held("seg_value")["c1"], held(world)
    world.buys("c1", -5, 4000)
    world.do("run", allow=ALLOWED, as_of=DAY + timedelta(days=7))
    if world.held("seg_value")["c1"] == segment:
        assert any(before[name].get("c1") != held(world)[name].get("c1") for name in NUMBERS)


def test_undo_takes_numbers_back(world: World) -> None:
    runs = world.journal("SELECT max(run) AS run FROM batches")
    world.do("undo", number=runs[0]["run"])
    assert not any(held(world).values())


def test_numbers_ask_for_no_training_and_move_no_segment(tmp_path: Path) -> None:
    world = shop(tmp_path, SEGMENTATION)
    world.first_run()
    segments, digest = world.held("seg_value"), world.config().digest(world.config().segmentations[1])
    world.value = ASKED
    assert world.config().digest(world.config().segmentations[1]) == digest
    world.do("setup")
    planned = world.do("plan", allow=ALLOWED)
    world.do("apply", number=planned["plan"]["plan"])
    assert world.held("seg_value") == segments and len(held(world)["probability"]) == 300
    models = world.journal("SELECT content FROM models WHERE segmentation = 'value' ORDER BY version")
    assert [model["content"].count('"values":') for model in models] == [0, 1]


@pytest.mark.parametrize(
    ("kind", "asked", "problem"),
    [
        ("potential", '["luck"]', "'luck' is no number; kind potential knows probability, expected_revenue"),
        (
            "rfm",
            '["probability"]',
            "kind rfm gives no numbers; these do: lifecycle .probability, churn_probability, next_order_date.",
        ),
        ("potential", '["probability", "probability"]', "a number stands here twice"),
    ],
)
def test_a_number_that_the_kind_does_not_know_is_refused_with_those_that_it_knows(
    tmp_path: Path, kind: str, asked: str, problem: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        f'[accounts.a]\ncrm = "files"\npath = "x"\n[[segmentations]]\nname = "v"\nkind = "{kind}"\nfield = "f"\nnumbers = {asked}\n'
    )
    with pytest.raises(ConfigError, match=problem) as refused:
        load(path)
    assert f"{path}:8: segmentations[0].numbers" in str(refused.value)


def test_each_number_has_its_line_in_the_scorecard_and_training_tells_it(world: World) -> None:
    told = world.do("train")["values"]["value"]
    assert [words.partition(":")[0] for words in told] == [
        "lifetime value",
        "churn probability",
        "next order date",
    ]
    lines = {line["measure"]: line for line in world.do("evaluate")["cards"]["value"]["lines"]}
    assert {"calibration", "forecast of money"} < lines.keys()
    assert "had ordered by the date that they were given on" in lines["next order date"]["words"]
    assert "ordered nothing" in lines["churn probability"]["words"]
    assert "may be" in lines["lifetime value"]["words"]


def test_a_life_cycle_gives_numbers_by_its_purchase_model_and_none_by_silence_alone(world: World) -> None:
    asked = '[[segmentations]]\nname = "value"\nkind = "lifecycle"\nfield = "seg_value"\nnumbers = ["probability", "churn_probability"]\n'
    world.value = asked
    world.do("setup")
    world.do("run", allow=ALLOWED)
    assert len(world.held("seg_value_probability")) == 300
    few = shop(world.folder / "few", asked, customers=40)
    few.first_run()
    assert few.held("seg_value") and few.held("seg_value_probability") == {}


def test_without_a_back_test_that_holds_there_is_no_lifetime_value(world: World) -> None:
    world.value = ASKED + "lifetime_days = 3650\n"
    world.do("setup")
    world.do("run", allow=ALLOWED)
    assert (
        world.held("seg_value_lifetime_value") == {} and len(world.held("seg_value_expected_revenue")) == 300
    )
    lines = {line["measure"]: line for line in world.do("evaluate")["cards"]["value"]["lines"]}
    assert lines["lifetime value"]["words"].startswith("There is no forecast over 3650 days")
