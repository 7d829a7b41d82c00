"""Do named groups live on whatever share bought once, are presets whole, and does an update relabel nobody?"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from segmentation import model_file
from segmentation.ecdf import EmpiricalCdf
from segmentation.kinds import rfm_groups
from segmentation.kinds.rfm import SCORING, Rfm
from segmentation.kinds.rfm_presets import PRESETS, SHOPS
from segmentation.kinds.rfm_segmentation import apart_cuts
from tests.test_segmentation_rfm import AS_OF, CROWD, RFM, WEEK, label, people
from tests.world import ALLOWED, DAY, World

DAYS = st.lists(st.integers(0, 12), min_size=1, max_size=80)


def levels(values: list[int], least: int = 1) -> dict[int, int]:
    """Score by value."""
    array = np.array(values, np.int64)
    scored = EmpiricalCdf.fit(array, apart_cuts(array, least)).level(array)
    return {value: int(level) for value, level in zip(values, scored, strict=True)}


@given(DAYS)
def test_whoever_bought_once_has_frequency_1_and_no_better_value_a_worse_score(values: list[int]) -> None:
    by_value = levels(values)
    assert all(by_value[value] == 1 for value in by_value if value <= 1)
    in_order = [by_value[value] for value in sorted(by_value)]
    assert in_order == sorted(in_order)


@given(DAYS)
def test_where_anybody_came_back_the_best_has_frequency_5_however_many_share_it(values: list[int]) -> None:
    by_value, best = levels(values), max(values)
    if best > 1 and (len(values) >= 5 or values.count(best) > 1):
        assert by_value[best] == 5


def test_levels_that_each_hold_a_wide_tie_are_as_many_as_there_are() -> None:
    assert levels([1] * 50 + [2] * 20 + [3] * 12 + [4] * 10 + [5, 6, 7] * 2) == {
        1: 1,
        2: 2,
        3: 3,
        4: 4,
        5: 5,
        6: 5,
        7: 5,
    }


@given(st.integers(5, 400), st.integers(1, 30))
def test_no_share_of_people_who_bought_once_empties_the_levels_above(once: int, each: int) -> None:
    values = [0, 1] * once + [days for days in (2, 3, 4, 5) for _ in range(each)]
    by_value = levels(values)
    if 2 * once > each:  # more than a fifth
        assert [by_value[days] for days in range(6)] == [1, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_takes_every_cell_names_its_source_and_labels_everybody(name: str) -> None:
    preset = PRESETS[name]
    rfm_groups.table(preset.groups, several=True)
    assert preset.source and preset.about
    kind = Rfm.model_validate({"groups": name})
    labels = label(kind.in_account(), people(*CROWD, (None, 0, 0)))
    assert set(labels["segment"]) <= set(kind.keys()) and labels["segment"].iloc[-1] == "prospect"
    assert all(segment.title and segment.description and segment.advice for segment in kind.segments)


def test_a_preset_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        ValidationError, match="there are no groups 'klavio'; there are 'shops', 'earlier', 'klaviyo'"
    ):
        Rfm.model_validate({"groups": "klavio"})


def test_promising_is_who_bought_once_lately_as_shops_know_it() -> None:
    for day, segment in ((1, "new"), (25, "promising")):
        crowd = people(*CROWD, (day, 1, 1))
        assert label(RFM, crowd)["segment"].iloc[-1] == segment


@given(st.integers(0, 30), st.integers(1, 100_000))
def test_first_time_buyers_of_the_last_month_are_new_or_promising_also_where_all_others_come_each_week(
    since: int, money: int
) -> None:
    groceries = [(day % 7, 20 + day % 30, 50_000 + day) for day in range(200)]
    assert label(RFM, people(*groceries, (since, 1, money)))["segment"].iloc[-1] in ("new", "promising")


def test_a_newcomer_is_one_for_a_month_and_then_what_its_silence_says() -> None:
    groceries = [(day % 7, 20 + day % 30, 50_000 + day) for day in range(200)]
    model, previous, seen = RFM.fit(people(*groceries), AS_OF), None, []
    for week in range(8):
        as_of = AS_OF + week * WEEK
        crowd = people(*groceries, (7 * week, 1, 900), as_of=as_of)
        previous = RFM.label(crowd, model, previous, as_of - WEEK if week else None, as_of)
        seen.append(previous["segment"].iloc[-1])
    assert set(seen[:5]) <= {"new", "promising"} and seen[-1] == "lost"


def earlier(model: dict[str, Any]) -> dict[str, Any]:
    """The model as a version made it that knew of no scoring."""
    figures = {name: value for name, value in model["figures"].items() if name != "scoring"}
    return {**model, "figures": figures}


def test_a_model_of_an_earlier_version_keeps_its_groups_and_their_descriptions() -> None:
    kind, crowd = Rfm(), people(*CROWD, (50, 1, 9_000))
    old = earlier(RFM.fit(crowd, AS_OF))
    before, now = label(RFM, crowd, model=old), label(RFM, crowd)
    assert before["segment"].iloc[-1] == "promising" and now["segment"].iloc[-1] == "about_to_sleep"
    assert [vars(segment) for segment in kind.named(old)] == [
        vars(segment) for segment in Rfm.model_validate({"groups": "earlier"}).segments
    ]
    assert kind.outdated(old) and not kind.outdated(RFM.fit(crowd, AS_OF))
    assert not model_file.topless(RFM.fit(people(*[(3, 1, 100)] * 9), AS_OF))
    assert RFM.fit(crowd, AS_OF)["figures"]["scoring"] == SCORING


def test_all_tables_give_the_segments_of_the_default_in_its_order() -> None:
    assert Rfm().keys() == Rfm.model_validate({"groups": "earlier"}).keys()
    assert Rfm().segments == Rfm.model_validate({"groups": SHOPS}).segments


def test_after_a_training_the_plan_says_what_a_segment_means_now_until_it_is_carried_out(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, value="")
    world.customers(60)
    world.first_run()
    row = world.journal("SELECT content FROM models WHERE segmentation = 'rfm'")[0]
    old = model_file.to_json(earlier(model_file.from_json(row["content"])))
    world.journal("UPDATE models SET content = ? WHERE segmentation = 'rfm'", old)
    for days in (1, 2):
        world.do("run", as_of=DAY + timedelta(days=days), allow=ALLOWED)
    held, later = world.held("seg_rfm"), DAY + timedelta(days=3)
    answer = world.do("run", as_of=later, allow=ALLOWED)
    assert world.held("seg_rfm") == held and not any("trained again" in note for note in answer["notes"])
    world.do("train", as_of=later, names=("rfm",))
    (note,) = [note for note in world.do("plan", as_of=later)["notes"] if "trained again" in note]
    assert 'promising: "Bought recently: once, or rarely with low spending" (before: "Rare buyers' in note
    world.do("run", as_of=later, allow=ALLOWED)
    assert world.held("seg_rfm") != held
    assert not any("trained again" in note for note in world.do("plan", as_of=later)["notes"])
