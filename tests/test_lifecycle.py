"""Do stages of life follow a customer's own rhythm, without trembling, and say who buys again?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.kinds.lifecycle import STAGES, Lifecycle
from tests.segmentation_frames import cdnow, complete_journey, computed, frame

AS_OF = date(2025, 6, 30)
WEEK = timedelta(days=7)
MODEL: dict[str, Any] = {
    "version": 1,
    "kind": "lifecycle",
    "as_of": "2025-01-01",
    "settings": {"horizon_days": None},
    "figures": {"driver": "silence", "horizon": 10.0, "usual": 20.0},
    "axes": {},
}
LIFE = Lifecycle().in_account()


def customers(**silent: tuple[int, int, float | None]) -> pd.DataFrame:
    """By name: days since the last purchase, purchase days, mean gap; as of AS_OF, whom records number in
    this order.
    """
    rows = list(silent.values())
    return pd.DataFrame(
        {
            "record": range(len(rows)),
            "purchase_days": [days for _, days, _ in rows],
            "first_purchase": pd.Series(
                [
                    AS_OF - timedelta(days=ago + round((gap or 0) * (days - 1))) if days else None
                    for ago, days, gap in rows
                ],
                dtype="object",
            ),
            "last_purchase": pd.Series(
                [AS_OF - timedelta(days=ago) if days else None for ago, days, _ in rows], dtype="object"
            ),
            "mean_gap_days": pd.Series([gap for *_, gap in rows], dtype="float64"),
            "horizon_days": 10.0,
        }
    )


def stages(labels: pd.DataFrame) -> list[str]:
    return [str(stage) for stage in labels["segment"]]


def later(features: pd.DataFrame, weeks: int, **bought: tuple[int, int]) -> pd.DataFrame:
    """The same customers weeks later; by record as ``r0``: one more purchase so many days before, and
    purchase days then.
    """
    moved = features.copy()
    for name, (ago, days) in bought.items():
        moved.loc[int(name[1:]), "purchase_days"] = days
        if moved["first_purchase"].isna()[int(name[1:])]:
            moved.loc[int(name[1:]), "first_purchase"] = AS_OF + weeks * WEEK - timedelta(days=ago)
        moved.loc[int(name[1:]), "last_purchase"] = AS_OF + weeks * WEEK - timedelta(days=ago)
    return moved


def lived(features: list[pd.DataFrame], model: Mapping[str, Any] = MODEL) -> list[pd.DataFrame]:
    """Labels week by week from AS_OF."""
    labels: list[pd.DataFrame] = []
    for week, table in enumerate(features):
        day = AS_OF + week * WEEK
        labels.append(
            LIFE.label(table, model, labels[-1] if labels else None, day - WEEK if labels else None, day)
        )
    return labels


def test_a_first_labelling_looks_at_silence_in_the_own_rhythm() -> None:
    features = customers(
        never=(0, 0, None), first=(10, 1, None), once=(11, 1, None), silent_once=(21, 1, None), long_once=(31, 1, None), gone=(41, 1, None),
        weekly=(49, 9, 7.0), late=(50, 9, 7.0), later=(74, 9, 7.0), lost=(99, 9, 7.0), daily=(10, 99, 1.0), daily_late=(11, 99, 1.0),
    )  # fmt: skip
    assert stages(LIFE.label(features, MODEL, None, None, AS_OF)) == [
        *("prospect", "new", "active", "at_risk", "dormant", "lost"),
        *("active", "at_risk", "dormant", "lost", "active", "at_risk"),
    ]


def test_a_fall_needs_the_dead_band_and_a_second_day() -> None:
    weekly = customers(weekly=(42, 9, 7.0))  # 49 days are usual; the band ends at 53.9
    silent = [42, 49, 56, 63, 70, 77, 84]
    observed = [stage for labels in lived([weekly] * len(silent)) for stage in stages(labels)]
    assert observed == ["active", "active", "active", "at_risk", "at_risk", "at_risk", "at_risk"]


def test_one_silent_day_that_a_purchase_follows_moves_nobody() -> None:
    weekly = customers(weekly=(49, 9, 7.0))
    weekly_labels = lived([weekly, weekly, later(weekly, 2, r0=(1, 10)), later(weekly, 2, r0=(1, 10))])
    assert [stages(labels)[0] for labels in weekly_labels] == ["active"] * 4


def test_a_purchase_is_heard_at_once() -> None:
    before = customers(
        prospect=(0, 0, None), new=(3, 1, None), risky=(50, 9, 7.0), dormant=(74, 9, 7.0), lost=(99, 9, 7.0)
    )
    after = later(before, 1, r0=(0, 1), r1=(2, 2), r2=(0, 10), r3=(1, 10), r4=(6, 10))
    first, second = lived([before, after])
    assert stages(second) == ["new", "active", "active", "won_back", "won_back"]
    assert list(second["previous"]) == ["prospect", "new", "at_risk", "dormant", "lost"]
    assert (
        second["reason"]
        .iloc[4]
        .startswith("bought after it was lost; last purchase 6 days ago, up to 49 days are usual")
    )
    assert "by silence alone" in first["reason"].iloc[1] and first["reason"].iloc[0] == "no purchase yet"


def test_won_back_lasts_for_the_horizon_or_until_the_next_purchase() -> None:
    before = customers(quiet=(99, 9, 7.0), busy=(99, 9, 7.0))
    back = later(before, 1, r0=(3, 10), r1=(3, 10))
    again = later(back, 2, r1=(1, 11))
    observed = [stages(labels) for labels in lived([before, back, again, again])]
    assert observed == [
        ["lost", "lost"],
        ["won_back", "won_back"],
        ["won_back", "active"],
        ["active", "active"],
    ]


def test_an_unchanged_day_keeps_since_and_previous() -> None:
    before = customers(lost=(99, 9, 7.0))
    back = later(before, 1, r0=(6, 10))
    *_, second, third = lived([before, back, later(back, 2, r0=(0, 11))])
    assert (second["since"].iloc[0], third["since"].iloc[0]) == (AS_OF + WEEK, AS_OF + 2 * WEEK)
    assert (third["segment"].iloc[0], third["previous"].iloc[0]) == ("active", "won_back")


def test_the_horizon_is_learned_from_all_gaps_or_given() -> None:
    rows = [
        (record, None, "purchase", AS_OF - timedelta(days=10 * n), 100, None)
        for record in (1, 2)
        for n in range(20)
    ]
    rows += [(3, None, "purchase", AS_OF - timedelta(days=300 * n), 100, None) for n in range(3)]
    features = frame(rows, AS_OF, needs=LIFE.needs)
    assert LIFE.fit(features, AS_OF)["figures"]["horizon"] == pytest.approx(10.0)
    assert Lifecycle(horizon_days=45).in_account().fit(features, AS_OF)["figures"]["horizon"] == 45
    assert (
        Lifecycle(horizon_days=45).in_account().fit(features, AS_OF)["settings"]
        != LIFE.fit(features, AS_OF)["settings"]
    )


def test_with_hardly_any_gap_a_month_is_assumed() -> None:
    few = frame(
        [(1, None, "purchase", AS_OF, 100, None), (1, None, "purchase", AS_OF - WEEK, 100, None)],
        AS_OF,
        needs=LIFE.needs,
    )
    assert LIFE.fit(few, AS_OF)["figures"]["horizon"] == 30.0
    assert stages(LIFE.label(few, LIFE.fit(few, AS_OF), None, None, AS_OF)) == [
        "active",
        "prospect",
        "prospect",
    ]


def test_a_frame_without_gaps_says_so() -> None:
    with pytest.raises(ValueError, match="no column 'mean_gap_days'"):
        LIFE.fit(customers(a=(1, 1, None)).drop(columns="mean_gap_days"), AS_OF)


# -- the probability of a purchase
# ------------------------------------------------------------------------------

FITTED = {"form": "mbg", "r": 0.5, "alpha": 6.0, "a": 0.9, "b": 1.6, "warnings": []}
LIKELY: dict[str, Any] = {
    **MODEL,
    "figures": {"driver": "repurchase", "horizon": 70.0, "usual": 20.0, "model": FITTED},
}


def test_with_enough_customers_the_probability_of_a_purchase_decides() -> None:
    features = computed(cdnow(), date(1997, 9, 30), LIFE.needs)
    figures = LIFE.fit(features, date(1997, 9, 30))["figures"]
    assert figures["driver"] == "repurchase" and figures["model"]["converged"] and figures["horizon"] == 125
    assert (
        Lifecycle().in_account().fit(features.head(150), date(1997, 9, 30))["figures"]["driver"] == "silence"
    )


def test_stages_are_cut_at_even_odds_a_quarter_and_a_tenth() -> None:
    features = customers(
        daily=(3, 40, 7.0),
        at_risk=(75, 6, 40.0),
        dormant=(150, 6, 40.0),
        lost=(400, 6, 40.0),
        new=(10, 1, None),
    )
    labels = LIFE.label(features, LIKELY, None, None, AS_OF)
    assert stages(labels) == ["active", "at_risk", "dormant", "lost", "new"]
    chance = labels["score"].to_numpy()
    assert chance[0] >= 0.5 > chance[1] >= 0.25 > chance[2] >= 0.1 > chance[3] > 0
    assert (
        labels["reason"].iloc[1]
        == f"{round(100 * chance[1])}% likely to buy within 70 days; last purchase 75 days ago"
    )


def test_nobody_is_dormant_after_a_silence_that_is_usual_for_it() -> None:
    rare = customers(rare=(500, 4, 400.0), silent=(500, 4, 100.0))
    labels = LIFE.label(rare, LIKELY, None, None, AS_OF)
    assert (
        labels["score"].max() < 0.25
        and stages(labels)[0] == "at_risk"
        and stages(labels)[1] in ("dormant", "lost")
    )


SILENT = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 5), st.none() | st.floats(0.5, 90)), min_size=1, max_size=6
)


@given(SILENT, st.integers(1, 6))
def test_without_purchases_nobody_becomes_livelier_and_the_same_day_twice_says_the_same(
    rows: Any, weeks: int
) -> None:
    features = customers(**{f"r{position}": row for position, row in enumerate(rows)})
    labels = lived([features] * (weeks + 1))
    order = {
        stage: position
        for position, stage in enumerate(("prospect", "new", "active", "at_risk", "dormant", "lost"))
    }
    for first, second in pairwise(labels):
        assert all(order[a] <= order[b] for a, b in zip(first["segment"], second["segment"], strict=True))
    again = LIFE.label(features, MODEL, labels[-2], AS_OF + (weeks - 1) * WEEK, AS_OF + weeks * WEEK)
    pd.testing.assert_frame_equal(again, labels[-1])


# -- real customers ------------------------------------------------------------------------------------------


@cache
def weekly(business: str) -> tuple[np.ndarray[Any, np.dtype[np.int64]], Any, date, float]:
    """Stages (weeks by records), the connection, the first day and H."""
    con, start, end = {
        "cdnow": (cdnow, date(1997, 9, 30), date(1998, 6, 30)),
        "complete_journey": (complete_journey, date(2017, 6, 1), date(2017, 12, 31)),
    }[business]
    model: dict[str, Any] = {}
    labels, seen, day = None, [], start
    while day <= end:
        features = computed(con(), day, LIFE.needs)
        model = model or LIFE.fit(features, day)
        labels = LIFE.label(features, model, labels, day - WEEK if labels is not None else None, day)
        seen.append(pd.Categorical(labels["segment"], STAGES).codes)
        day += WEEK
    return np.array(seen, np.int64), con(), start, model["figures"]["horizon"]


@pytest.mark.parametrize("business", ["cdnow", "complete_journey"])
def test_few_move_in_a_week_and_hardly_anybody_returns_within_twelve(business: str) -> None:
    stages, *_ = weekly(business)
    moves = stages[1:] != stages[:-1]
    returns = np.zeros(stages.shape[1], bool)
    for week in range(1, len(stages)):
        for back in range(2, min(week, 12) + 1):
            returns |= moves[week - 1] & (stages[week - back] == stages[week])
    print(
        f"{business}: {moves.mean():.2%} move in a week, {returns.mean():.2%} return within 12 weeks at any time"
    )
    assert moves.mean() <= 0.03 and returns.mean() <= 0.05


@pytest.mark.parametrize(("business", "horizon"), [("cdnow", 125), ("complete_journey", 12)])
def test_the_livelier_the_stage_the_more_buy_again_within_the_horizon(business: str, horizon: int) -> None:
    stages, con, start, learned = weekly(business)
    assert learned == horizon
    middle = len(stages) // 2 if business == "complete_journey" else 0
    day = start + middle * WEEK
    query = (
        "SELECT record, bool_or(day > ? AND day <= ?) AS again FROM activity GROUP BY record ORDER BY record"
    )
    again = con.con.execute(query, [day, day + timedelta(days=horizon)]).df()["again"].to_numpy()
    order = [STAGES.index(stage) for stage in ("active", "at_risk", "dormant", "lost")]
    rates = [
        again[stages[middle] == stage].mean() for stage in order if (stages[middle] == stage).sum() >= 100
    ]
    assert rates and rates == sorted(rates, reverse=True)


def test_a_gap_beyond_all_measure_is_a_very_long_one() -> None:
    features = customers(once=(41, 1, None), twice=(50, 9, 7.0), odd=(50, 9, 7.0))
    features.loc[2, "mean_gap_days"] = 2.5e307
    with np.errstate(all="raise"):
        labels = LIFE.label(features, LIFE.fit(features, AS_OF), None, None, AS_OF)
    assert stages(labels)[2] == "active" and "1000000 days are usual" in str(labels["reason"][2]).replace(
        ",", ""
    )
