"""Are value tiers ABC on net revenue, and is every way of segmenting total, configurable and safe with
hostile frames?
"""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from segmentation import model_file
from segmentation.ecdf import KNOTS, EmpiricalCdf, even_cuts
from segmentation.kinds import kind_named
from segmentation.kinds.abc import Abc
from segmentation.protocol import Segmentation
from tests.segmentation_frames import complete_journey, computed, segmentation

AS_OF = date(2025, 6, 30)
LATER = AS_OF + timedelta(days=7)
VALUE = Abc().in_account()


def buyers(*money: int | None) -> pd.DataFrame:
    """Features of records 1, 2, ... by net revenue; None never bought."""
    last = pd.Series([None if m is None else pd.Timestamp(AS_OF) for m in money], dtype="datetime64[us]")
    revenue = pd.array([m or 0 for m in money], "int64")
    return pd.DataFrame(
        {"record": pd.array(range(1, len(money) + 1), "int64"), "net_revenue": revenue, "last_purchase": last}
    )


def tiers(*money: int | None, kind: Segmentation = VALUE) -> list[str]:
    features = buyers(*money)
    labels = kind.label(features, kind.fit(features, AS_OF), None, None, AS_OF)
    return [str(segment) for segment in labels["segment"]]


def test_tiers_cut_the_revenue_at_80_and_95_percent() -> None:
    assert tiers(50, 30, 10, 5, 3, 2) == ["a", "a", "b", "b", "c", "c"]


def test_ties_stay_together() -> None:
    assert tiers(40, 20, 20, 20) == ["a", "a", "a", "a"]


def test_who_brought_nothing_is_c_and_who_never_bought_a_prospect() -> None:
    assert tiers(100, 0, -50, None) == ["a", "c", "c", "prospect"]
    assert tiers(-5, -1) == ["c", "c"]


def test_shares_are_settings() -> None:
    assert tiers(50, 30, 10, 5, 3, 2, kind=Abc(a_share=0.5, b_share=0.9).in_account()) == [
        "a",
        "b",
        "b",
        "c",
        "c",
        "c",
    ]


@given(st.lists(st.integers(-50, 1000), min_size=1, max_size=40))
def test_a_is_the_smallest_set_that_reaches_its_share(money: list[int]) -> None:
    segments = tiers(*money)
    total = sum(m for m in money if m > 0)
    top = [m for m, tier in zip(money, segments, strict=True) if tier == "a"]
    if total:
        assert sum(top) >= 0.8 * total
        assert sum(m for m in top if m > min(top)) < 0.8 * total
    else:
        assert not top


def test_on_complete_journey_the_model_tells_what_each_tier_brings() -> None:
    features = computed(complete_journey(), date(2017, 12, 31))
    figures = VALUE.fit(features, date(2017, 12, 31))["figures"]
    total = sum(figures[tier]["revenue"] for tier in "abc")
    assert sum(figures[tier]["buyers"] for tier in "abc") == 2469
    assert 0.8 <= figures["a"]["revenue"] / total < 0.801
    assert 0.95 <= (figures["a"]["revenue"] + figures["b"]["revenue"]) / total < 0.951


def test_a_tier_moves_on_the_second_proposal_and_only_beyond_the_band() -> None:
    money = list(range(1, 201))
    model = VALUE.fit(buyers(*money), AS_OF)
    labels = VALUE.label(buyers(*money, 30), model, None, None, AS_OF)
    seen = [labels["segment"].iloc[-1]]
    for week, now in enumerate([200, 30, 200, 200], start=1):
        day = AS_OF + timedelta(days=7 * week)
        labels = VALUE.label(buyers(*money, now), model, labels, day - timedelta(days=7), day)
        seen.append(labels["segment"].iloc[-1])
    assert seen == ["c", "c", "c", "c", "a"]


def test_a_narrow_top_tier_can_still_be_reached() -> None:
    money = [10] * 99 + [100_000]
    model = VALUE.fit(buyers(*money), AS_OF)
    first = VALUE.label(buyers(*money, 10), model, None, None, AS_OF)
    second = VALUE.label(buyers(*money, 100_000), model, first, AS_OF, LATER)
    third = VALUE.label(buyers(*money, 100_000), model, second, LATER, LATER + timedelta(days=7))
    assert third["segment"].iloc[-1] == "a"


# -- every kind
# -------------------------------------------------------------------------------------------------


DAY = st.none() | st.dates(date(2023, 1, 1), date(2026, 1, 1))
HOSTILE = st.lists(st.tuples(DAY, st.integers(0, 5), st.none() | st.integers(-(2**40), 2**40)), max_size=12)


# every kind on every type of column: tests/test_segmentation_hostile.py
LEARNED = ["rfm", "lifecycle", "abc"]


def hostile(rows: list[tuple[date | None, int, int | None]]) -> pd.DataFrame:
    numbers = {
        name: pd.Series([row[1] for row in rows], dtype="int64")
        for name in ("purchase_days", "purchase_days_365")
    }
    money = {
        name: pd.Series([row[2] for row in rows], dtype="Int64")
        for name in ("net_revenue", "net_revenue_365")
    }
    days = {
        name: pd.Series([row[0] for row in rows], dtype="object")
        for name in ("first_purchase", "last_purchase")
    }
    gaps = {
        name: pd.Series([float(row[1]) or None for row in rows], dtype="float64")
        for name in ("mean_gap_days", "horizon_days")
    }
    return pd.DataFrame(
        {"record": pd.Series(range(len(rows)), dtype="int64"), **numbers, **money, **days, **gaps}
    )


@pytest.mark.parametrize("kind", LEARNED)
@given(HOSTILE, HOSTILE)
def test_a_hostile_frame_gets_a_label_with_a_reason_or_a_clear_error(
    kind: str, first: list[Any], second: list[Any]
) -> None:
    chosen = segmentation(kind, {}, "EUR", 2)
    keys = {segment.key for segment in chosen.segments}
    try:
        model = chosen.fit(hostile(first), AS_OF)
        before = chosen.label(hostile(first), model, None, None, AS_OF)
        after = chosen.label(hostile(second), model, before, AS_OF, LATER)
    except ValueError as error:
        assert "is after as_of" in str(error) or "is null in row" in str(error)
        return
    for labels, rows in ((before, first), (after, second)):
        assert len(labels) == len(rows) and set(labels["segment"]) <= keys
        assert labels["reason"].str.len().between(1, 255).all() and labels["score"].between(0, 1).all()


@pytest.mark.parametrize("kind", LEARNED)
@pytest.mark.parametrize("row", [(None, 0, 0), (AS_OF, 1, 5), (AS_OF, 1, -5)])
def test_constant_and_single_rows_are_labelled(kind: str, row: tuple[date | None, int, int]) -> None:
    chosen = segmentation(kind, {}, "EUR", 2)
    for count in (0, 1, 7):
        features = hostile([row] * count)
        labels = chosen.label(features, chosen.fit(features, AS_OF), None, None, AS_OF)
        assert len(labels) == count and labels["segment"].nunique() == min(count, 1)


def test_a_wrong_frame_is_refused_by_its_first_fault() -> None:
    good = buyers(1, 2)
    for wrong, word in (
        (good.drop(columns="net_revenue"), "no column 'net_revenue'"),
        (good.assign(record=1), "record 1 is twice"),
        (good.assign(net_revenue=["a", "b"]), "expected whole numbers"),
        (good.assign(last_purchase=["x", "y"]), "no date"),
        (good.assign(last_purchase=pd.Timestamp("2030-01-01")), "after as_of"),
    ):
        with pytest.raises(ValueError, match=word):
            VALUE.fit(wrong, AS_OF)


def test_dates_of_any_spelling_are_understood() -> None:
    good = buyers(1, None, 3)
    want = VALUE.label(good, VALUE.fit(good, AS_OF), None, None, AS_OF)
    for dtype in ("object", "str", "date32[pyarrow]"):
        spelled = good.assign(last_purchase=good["last_purchase"].dt.date.astype(dtype))
        pd.testing.assert_frame_equal(
            VALUE.label(spelled, VALUE.fit(spelled, AS_OF), None, None, AS_OF), want
        )


def test_options_are_checked_and_every_fault_is_told() -> None:
    with pytest.raises(ValueError, match="choose one of rules, rfm, lifecycle, abc"):
        kind_named("rmf")
    with pytest.raises(ValidationError) as raised:
        segmentation(
            "rfm", {"window_day": 30, "dead_band": 2, "groups": [{"key": "a", "r": [4, 2]}]}, "EUR", 2
        )
    assert {error["loc"][0] for error in raised.value.errors()} == {"window_day", "dead_band", "groups"}
    with pytest.raises(ValidationError, match="below b_share"):
        segmentation("abc", {"a_share": 0.95, "b_share": 0.9}, "EUR", 2)


def test_own_groups_are_taken_from_the_options() -> None:
    chosen = segmentation(
        "rfm", {"groups": [{"key": "top", "title": "Top", "r": [4, 5]}, {"key": "rest"}]}, "EUR", 2
    )
    assert [(s.key, s.title) for s in chosen.segments] == [
        ("top", "Top"),
        ("rest", "rest"),
        ("prospect", "Prospect"),
    ]


def test_a_model_is_the_same_text_whenever_it_is_the_same_and_differences_are_named() -> None:
    old, new = VALUE.fit(buyers(1, 2, 3), AS_OF), VALUE.fit(buyers(1, 2, 30), AS_OF)
    assert model_file.to_json(old) == model_file.to_json(model_file.from_json(model_file.to_json(old)))
    assert {"axes.revenue.cuts", "figures.a.revenue"} <= set(model_file.difference(old, new))
    assert model_file.difference(old, old) == {}
    for text in ("{", "[]", '{"version": 99}'):
        with pytest.raises(ValueError, match="train again"):
            model_file.from_json(text)


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=60), st.integers(2, 6))
def test_levels_are_exact_and_positions_those_of_the_population(values: list[int], levels: int) -> None:
    array = np.array(values, np.int64)
    axis = EmpiricalCdf.fit(array, even_cuts(array, levels))
    narrow = max(values.count(value) for value in values) * levels <= len(values)
    for value in range(-21, 22):
        below, upto = sum(v < value for v in values), sum(v <= value for v in values)
        if narrow:
            assert axis.level(np.array([value]))[0] == 1 + min(levels * below // len(values), levels - 1)
        assert axis.share_below(np.array([value]))[0] == pytest.approx(below / len(values))
        if value in values:
            assert axis.midrank(np.array([value]))[0] == pytest.approx((below + upto) / 2 / len(values))


def test_an_axis_of_many_values_keeps_few_knots_and_exact_levels() -> None:
    values = np.random.default_rng(1).permutation(np.arange(100_000))
    axis = EmpiricalCdf.fit(values, even_cuts(values, 5))
    assert len(axis.knots) <= KNOTS
    assert np.array_equal(axis.level(values), 1 + values * 5 // 100_000)
    assert np.abs(axis.midrank(values) - (values + 0.5) / 100_000).max() < 1 / KNOTS


def test_reading_the_config_imports_no_engine() -> None:
    modules = "{'ibis', 'pandas', 'pyarrow', 'numpy'}"
    code = f"import sys, segmentation.kinds, segmentation.rules.parser; print(sorted({modules} & set(sys.modules)))"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )
