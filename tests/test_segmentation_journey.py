"""Are ways, waits and moves counted right, against arithmetic by hand and against laws?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.evaluation.attribution import END, PURCHASE, START, journey, kaplan_meier, removal_effects
from segmentation.evaluation.migration import NOBODY, migration, returns

AS_OF = date(2025, 6, 30)
NOON = datetime(2025, 6, 1, 12)

Touch = tuple[int, str, int, str | None]  # record, kind, minutes after noon, channel


def told(touches: Sequence[Touch], segments: dict[int, str]) -> dict[str, Any]:
    con = ibis.duckdb.connect()
    rows = [
        (r, kind, NOON + timedelta(minutes=m), channel, (NOON + timedelta(minutes=m)).date())
        for r, kind, m, channel in touches
    ]
    con.con.execute(
        "CREATE TABLE activity (record BIGINT, kind VARCHAR, occurred_at TIMESTAMP, channel VARCHAR, day DATE)"
    )
    con.con.execute("CREATE TABLE labels (record BIGINT, segment VARCHAR)")
    con.con.executemany("INSERT INTO activity VALUES (?, ?, ?, ?, ?)", rows)
    con.con.executemany("INSERT INTO labels VALUES (?, ?)", list(segments.items()))
    run = lambda expression: con.con.execute(ibis.to_sql(expression, dialect="duckdb")).df()  # noqa: E731
    return journey(run, con.table("activity"), con.table("labels"), AS_OF)


def test_ways_end_at_a_purchase_or_at_the_end_and_repeated_steps_are_one() -> None:
    figures = told(
        [
            (1, "visit", 0, "ads"),
            (1, "visit", 1, "ads"),
            (1, "email_open", 2, None),
            (1, "purchase", 3, None),
            (1, "visit", 9, "ads"),
            (2, "visit", 0, "ads"),
        ],
        {1: "a", 2: "a"},
    )["a"]
    assert figures["transitions"] == {
        (START, "ads"): 3,
        ("ads", "email_open"): 1,
        ("email_open", PURCHASE): 1,
        ("ads", END): 2,
    }
    steps = {row["step"]: row for row in figures["steps"]}
    assert steps["ads"]["touches"] == 4 and steps["ads"]["records"] == 2 and steps["ads"]["first"] == 3
    assert steps["email_open"]["last"] == 1
    assert figures["bought"] == {"purchases": 1, "direct": 0, "touches": 3}


def test_touches_per_purchase_count_the_ways_that_end_in_one_and_each_touch_once() -> None:
    rows: list[Touch] = [
        (1, "visit", 0, "ads"),
        (1, "purchase", 1, None),
        (1, "purchase", 5, None),
        (1, "visit", 7, "ads"),
    ]
    figures = told(
        [*rows, (2, "visit", 0, "ads"), (2, "visit", 4, "mail"), (2, "purchase", 4, None)], {1: "a", 2: "a"}
    )["a"]
    assert figures["bought"] == {"purchases": 3, "direct": 1, "touches": 3}


def test_lines_of_one_order_are_one_purchase() -> None:
    figures = told([(1, "purchase", 0, None)] * 3, {1: "a"})["a"]
    assert figures["transitions"] == {(START, PURCHASE): 1}


def test_half_an_hour_of_silence_ends_a_session() -> None:
    figures = told([(1, "visit", 0, None), (1, "visit", 30, None), (1, "purchase", 61, None)], {1: "a"})["a"]
    assert figures["sessions"] == [{"sessions": 2, "with_purchase": 1, "touches": 3}]


def test_segments_are_told_apart_and_who_has_none_is_left_out() -> None:
    by_segment = told([(1, "visit", 0, None), (2, "visit", 0, None), (3, "visit", 0, None)], {1: "a", 2: "b"})
    assert set(by_segment) == {"a", "b"} and by_segment["b"]["first"].records == 1


def test_waits_count_those_who_have_not_bought_yet() -> None:
    day = 24 * 60
    figures = told(
        [
            (1, "visit", 0, None),
            (1, "purchase", 5 * day, None),
            (2, "visit", 0, None),
            (3, "visit", 0, None),
            (3, "purchase", 9 * day, None),
        ],
        {1: "a", 2: "a", 3: "a"},
    )["a"]
    assert (figures["first"].records, figures["first"].events, figures["first"].median) == (3, 2, 9.0)
    assert (figures["second"].records, figures["second"].events, figures["second"].median) == (2, 0, None)


def test_kaplan_and_meier_by_hand() -> None:
    """Waits of 6, 6, 6, 6+, 7, 9+, 10: after 6 days 4/7 wait, after 7 days 4/7 * 2/3, after 10 days nobody."""
    wait = kaplan_meier(
        np.array([6, 6, 7, 9, 10]), np.array([True, False, True, False, True]), np.array([3, 1, 1, 1, 1])
    )
    assert wait.days.tolist() == [6, 7, 10]
    assert wait.waiting.tolist() == pytest.approx([4 / 7, 4 / 7 * 2 / 3, 0])
    assert wait.median == 7 and wait.after(6.5) == pytest.approx(3 / 7) and wait.after(5) == 0


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.integers(1, 5)), min_size=1))
def test_waiting_falls_from_one_and_never_below_zero(rows: list[tuple[int, bool, int]]) -> None:
    days, came, number = (np.array(side) for side in zip(*rows, strict=True))
    wait = kaplan_meier(days, came, number)
    curve = np.concatenate([[1.0], wait.waiting])
    assert (
        (np.diff(curve) <= 1e-12).all()
        and (curve >= -1e-12).all()
        and wait.events == int((number * came).sum())
    )


def test_a_step_on_every_way_to_a_purchase_takes_all_purchases_with_it() -> None:
    effects = removal_effects(
        {(START, "ads"): 10, ("ads", "mail"): 6, ("ads", END): 4, ("mail", PURCHASE): 3, ("mail", END): 3}
    )
    assert effects == {"ads": 1.0, "mail": 1.0}
    effects = removal_effects({(START, "ads"): 5, (START, "mail"): 5, ("ads", PURCHASE): 5, ("mail", END): 5})
    assert effects == {"ads": 1.0, "mail": 0.0}
    assert removal_effects({(START, "ads"): 5, ("ads", END): 5}) == {}


# -- migration
# -------------------------------------------------------------------------------------------------

KEYS = ["x", "y", "z"]
LABELS = st.dictionaries(st.integers(0, 20), st.sampled_from(KEYS), max_size=15)


def labels(segments: dict[int, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "record": pd.Series(list(segments), dtype="int64"),
            "segment": pd.Series(list(segments.values()), dtype="object"),
        }
    )


@given(LABELS, LABELS)
def test_a_migration_counts_everybody_once(before: dict[int, str], after: dict[int, str]) -> None:
    moves = migration(labels(before), labels(after), KEYS, revenue={record: record for record in range(21)})
    assert moves.records.sum() == len(before.keys() | after.keys())
    assert sum(flow["records"] for flow in moves.flows()) == moves.records.sum()
    assert moves.revenue.sum() == sum(before.keys() | after.keys())
    assert np.allclose(moves.probabilities.sum(1), 1)
    both = before.keys() & after.keys()
    assert moves.moved == pytest.approx(np.mean([before[r] != after[r] for r in both]) if both else 0)
    if both:
        assert sum(moves.stationary.values()) == pytest.approx(1, abs=1e-3)
    assert moves.records[moves.keys.index(NOBODY)].sum() == len(after.keys() - before.keys())


def test_a_chain_comes_to_its_stationary_shares_and_stays_as_long_as_it_says() -> None:
    before = {n: "x" if n < 50 else "y" for n in range(100)}
    # x leaves with .2, y with .4
    after = {n: "y" if n < 10 else ("x" if n >= 80 else before[n]) for n in range(100)}
    moves = migration(labels(before), labels(after), ["x", "y"])
    assert moves.stationary == pytest.approx({"x": 2 / 3, "y": 1 / 3}, abs=1e-3)
    assert moves.stay == {"x": 5.0, "y": 2.5}


def test_who_leaves_a_segment_and_comes_back_at_any_distance_has_returned() -> None:
    runs = [
        pd.Series(segments)
        for segments in (["a", "a", "a"], ["b", "b", "a"], ["b", "c", "a"], ["a", "c", "b"])
    ]
    assert returns(runs) == pytest.approx(1 / 3)
