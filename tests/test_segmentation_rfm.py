"""Are RFM scores those of the literature, groups total, and moves deliberate?"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise, product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation import model_file
from segmentation.ecdf import EmpiricalCdf, even_cuts
from segmentation.evaluation.migration import returns
from segmentation.feature_request import Needs, Shape
from segmentation.kinds import rfm_groups
from segmentation.kinds.base import Account
from segmentation.kinds.rfm import Rfm
from segmentation.kinds.rfm_segmentation import AXES
from segmentation.protocol import Segmentation
from tests.segmentation_frames import CDNOW_START, cdnow, complete_journey, computed

Person = tuple[int | None, int, int]  # days since the last purchase (None: never), purchase days, net revenue
AS_OF = date(2025, 6, 30)
WEEK = timedelta(days=7)
RFM = Rfm().in_account(Account("EUR", 2))


def people(*rows: Person, as_of: date = AS_OF, gap: int = 0) -> pd.DataFrame:
    """Features of records 1, 2, ..."""
    last = [None if since is None else pd.Timestamp(as_of - timedelta(days=since)) for since, _, _ in rows]
    days = [often for _, often, _ in rows]
    first = [
        None if day is None else day - timedelta(days=gap * max(n - 1, 0))
        for day, n in zip(last, days, strict=True)
    ]
    money = [much for _, _, much in rows]
    return pd.DataFrame(
        {
            "record": pd.array(range(1, len(rows) + 1), "int64"),
            "purchase_days": pd.array(days, "int64"),
            "purchase_days_365": pd.array(days, "int64"),
            "net_revenue_365": pd.array(money, "int64"),
            "first_purchase": pd.Series(first, dtype="datetime64[us]"),
            "last_purchase": pd.Series(last, dtype="datetime64[us]"),
        }
    )


CROWD = [(d, 1 + d % 50, 100 * d) for d in range(1, 101)]  # a hundred different buyers: one in five per score
PEOPLE = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 400), st.integers(0, 9), st.integers(-500, 5000)),
        st.sampled_from([(None, 0, 0), (3, 2, 100)]),
    ),
    max_size=30,
)


def label(kind: Segmentation, features: pd.DataFrame, as_of: date = AS_OF, model: Any = None) -> pd.DataFrame:
    return kind.label(features, model or kind.fit(features, as_of), None, None, as_of)


def test_cdnow_scores_are_the_reference_counts() -> None:
    features = computed(cdnow(), CDNOW_START, RFM.needs, Shape(order_lines=False, refunds=False))
    model = RFM.fit(features, CDNOW_START)
    figures = model["figures"]
    # the silence of some regular customers is no news, unless each is to be
    assert figures["recency"] == [4855, 4696, 4598, 4719, 4702]
    plain = Rfm(recency_patience=0).in_account(Account("EUR", 2)).fit(features, CDNOW_START)
    assert plain["figures"]["recency"] == [4855, 4696, 4598, 4709, 4712]
    assert figures["money"] == [4875, 4554, 4713, 4714, 4714]
    # once, twice, three times, and two levels of those who bought more often
    assert figures["frequency"] == [14119, 4442, 2064, 1689, 1256]
    labels = label(RFM, features, CDNOW_START, model)
    best = np.logical_and.reduce([labels[f"memory.{axis}"] == 5 for axis in AXES])
    assert int(best.sum()) == 1086
    assert labels["segment"].notna().all() and len(labels) == 23_570


def test_the_ranking_score_captures_the_published_share_of_hold_out_revenue() -> None:
    features = computed(cdnow(), CDNOW_START, RFM.needs, Shape(order_lines=False, refunds=False))
    later = computed(cdnow(), date(1998, 6, 30), Needs(), Shape(order_lines=False, refunds=False))
    score = label(RFM, features, CDNOW_START)["score"].to_numpy()
    revenue = (later["net_revenue"] - features["net_revenue"]).to_numpy()
    top = np.argsort(-score, kind="stable")[: round(0.2 * len(score))]
    assert revenue[top].sum() / revenue.sum() == pytest.approx(0.689, abs=0.003)


def test_every_cell_has_a_group_and_every_group_a_cell() -> None:
    cells = rfm_groups.table(rfm_groups.DEFAULT)
    assert cells.shape == (5, 5, 5) and set(cells.ravel().tolist()) == set(range(len(rfm_groups.DEFAULT)))


def test_an_incomplete_table_is_refused_with_its_first_uncovered_cell() -> None:
    table = [rfm_groups.Group(key="good", r=(3, 5)), rfm_groups.Group(key="bad", r=(1, 2), f=(2, 5))]
    with pytest.raises(ValueError, match="R1 F1 M1"):
        rfm_groups.table(table)


def test_a_group_that_can_take_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="'late' takes no cell"):
        rfm_groups.table([rfm_groups.Group(key="everyone"), rfm_groups.Group(key="late", r=(1, 1))])


def test_a_key_is_neither_given_twice_nor_reserved() -> None:
    for keys, word in ((("same", "same"), "twice"), (("prospect",), "reserved")):
        with pytest.raises(ValueError, match=word):
            rfm_groups.table([rfm_groups.Group(key=key) for key in keys])


def score(value: int, values: list[int], least: int, levels: int = 5) -> int:
    """The rule in plain words: who did ``least`` at most stands apart where these are more than a fifth, and so do the
    worst of the others among the others. Else one plus a fifth of those who are worse; of a wide tie, among the others.
    """
    if levels * sum(other <= least for other in values) > len(values):
        others = [other for other in values if other > least]
        if value <= least:
            return 1
        alike = len(set(others)) == 1
        return levels if alike else 1 + score(value, others, min(others), levels - 1)
    worse, tied, n = sum(other < value for other in values), values.count(value), len(values)
    if levels * tied <= n:
        return 1 + levels * worse // n
    if n < levels and (worse + tied < n or tied == 1 < n):
        return 1 + levels * worse // n
    return 1 + min(levels - 1, levels * worse // (n - tied)) if tied < n else levels


@given(PEOPLE)
def test_scores_are_one_plus_a_fifth_of_those_who_are_worse(rows: list[Person]) -> None:
    labels = label(RFM, people(*rows))
    buyers = [row for row in rows if row[0] is not None]
    recency, frequency, money = (
        [-row[0] for row in buyers if row[0] is not None],
        [row[1] for row in buyers],
        [row[2] for row in buyers],
    )
    for row, got in zip(rows, labels.to_dict("records"), strict=True):
        if row[0] is None:
            assert got["segment"] == "prospect" and got["score"] == 0
            continue
        newcomer = row[1] == 1 and row[0] <= 30
        expected = [
            max(score(-row[0], recency, -365), 4 if newcomer else 1),
            score(row[1], frequency, 1),
            score(row[2], money, 0) if row[2] > 0 else 1,
        ]
        assert [got[f"memory.{axis}"] for axis in AXES] == expected


def test_subscribers_who_all_paid_on_one_day_are_the_best_and_not_lost() -> None:
    labels = label(RFM, people(*[(24, 11, 11_000)] * 90, *[(116, 8, 8_000)] * 10))
    assert labels["segment"].tolist() == ["champions"] * 90 + ["lost"] * 10
    next_week = people(*[(30, 11, 11_000)] * 90, *[(122, 8, 8_000)] * 10, as_of=AS_OF + timedelta(days=6))
    model = RFM.fit(people(*[(24, 11, 11_000)] * 90, *[(116, 8, 8_000)] * 10), AS_OF)
    assert (
        label(RFM, next_week, AS_OF + timedelta(days=6), model)["segment"].tolist()
        == ["champions"] * 90 + ["lost"] * 10
    )


def test_most_who_paid_on_one_day_are_not_lost_because_a_few_paid_a_day_later() -> None:
    labels = label(RFM, people(*[(3, 4, 400)] * 90, (2, 4, 400), *[(90 + n, 1, 100) for n in range(9)]))
    assert set(labels["memory.recency"][:90]) == {5} and set(labels["segment"][:90]) == {"champions"}


def test_where_all_are_equal_all_have_the_best_score_but_for_one_purchase_and_money_that_nobody_paid() -> (
    None
):
    for count in (1, 2, 7, 100):
        labels = label(RFM, people(*[(10, 1, 500)] * count))
        assert {tuple(row) for row in labels[[f"memory.{axis}" for axis in AXES]].to_numpy()} == {(5, 1, 5)}
        assert set(labels["segment"]) == {"new"}
        labels = label(RFM, people(*[(10, 2, 500)] * count))
        assert {tuple(row) for row in labels[[f"memory.{axis}" for axis in AXES]].to_numpy()} == {(5, 5, 5)}
    assert set(label(RFM, people(*[(10, 1, 0)] * 8))["memory.money"]) == {1}


def test_a_model_of_an_earlier_version_labels_as_it_did_and_is_known_for_giving_nobody_the_best_score() -> (
    None
):
    crowd = people(*[(24, 11, 11_000)] * 90, *[(116, 8, 8_000)] * 10)
    model = RFM.fit(crowd, AS_OF)
    assert not model_file.topless(model) and not model_file.topless(
        RFM.fit(people((1, 1, 1), (2, 2, 2)), AS_OF)
    )
    # as they were made: by those who are worse alone
    cuts = {"recency": [-24] * 4, "frequency": [11] * 4, "money": [11_000] * 4}
    old = {**model, "axes": {name: {**axis, "cuts": cuts[name]} for name, axis in model["axes"].items()}}
    old["figures"] = {name: figure for name, figure in model["figures"].items() if name != "scoring"}
    assert model_file.topless(old) and set(label(RFM, crowd, model=old)["segment"]) == {"lost"}


VALUES = st.lists(st.one_of(st.integers(0, 3), st.integers(-1000, 1000)), min_size=1, max_size=80)


def levels_of(values: list[int], levels: int) -> list[int]:
    array = np.array(values, np.int64)
    return [int(level) for level in EmpiricalCdf.fit(array, even_cuts(array, levels)).level(array)]


@given(VALUES, st.integers(2, 7), st.randoms(use_true_random=False))
def test_a_better_value_never_scores_worse_and_equal_values_score_the_same(
    values: list[int], levels: int, random: Any
) -> None:
    scores = dict(zip(values, levels_of(values, levels), strict=True))
    assert [scores[value] for value in values] == levels_of(values, levels)
    in_order = [scores[value] for value in sorted(scores)]
    assert in_order == sorted(in_order) and in_order[0] >= 1 and in_order[-1] <= levels
    shuffled = random.sample(values, len(values))
    assert dict(zip(shuffled, levels_of(shuffled, levels), strict=True)) == scores


@given(VALUES, st.integers(2, 7))
def test_the_best_value_has_the_highest_score_however_many_share_it(values: list[int], levels: int) -> None:
    best, worst = max(values), min(values)
    scores = dict(zip(values, levels_of(values, levels), strict=True))
    if len(values) >= levels or values.count(best) > 1:
        assert scores[best] == levels
    if best != worst:
        assert scores[worst] == 1 and scores[best] > 1


@given(st.lists(st.integers(-1000, 1000), unique=True, min_size=2, max_size=80), st.integers(2, 7))
def test_without_ties_a_score_is_one_plus_the_share_of_those_who_are_worse(
    values: list[int], levels: int
) -> None:
    expected = [1 + levels * sum(other < value for other in values) // len(values) for value in values]
    assert levels_of(values, levels) == expected


@given(PEOPLE, st.randoms(use_true_random=False), st.integers(2, 1000))
def test_neither_the_order_of_rows_nor_the_currency_changes_a_label(
    rows: list[Person], random: Any, rate: int
) -> None:
    features = people(*rows)
    labels = label(RFM, features).set_index("record")
    shuffled = features.sample(frac=1, random_state=random.randrange(1000)).assign(
        net_revenue_365=lambda f: f["net_revenue_365"] * rate
    )
    again = label(RFM, shuffled).set_index("record").loc[labels.index]
    pd.testing.assert_frame_equal(labels.drop(columns="reason"), again.drop(columns="reason"))


@given(PEOPLE)
def test_a_stored_model_labels_the_same_people_the_same(rows: list[Person]) -> None:
    features = people(*rows)
    model = RFM.fit(features, AS_OF)
    pd.testing.assert_frame_equal(
        label(RFM, features, model=model),
        label(RFM, features, model=model_file.from_json(model_file.to_json(model))),
    )


@settings(max_examples=40)
@given(PEOPLE, PEOPLE)
def test_whoever_did_not_move_keeps_since_and_reason(before: list[Person], after: list[Person]) -> None:
    model = RFM.fit(people(*before), AS_OF)
    first = label(RFM, people(*before), model=model)
    later = AS_OF + WEEK
    second = RFM.label(people(*after, as_of=later), model, first, AS_OF, later)
    old = {row["record"]: row for row in first.to_dict("records")}
    for row in second.to_dict("records"):
        was = old.get(row["record"])
        assert row["reason"] and len(row["reason"]) <= 255
        if was and was["segment"] == row["segment"]:
            assert (row["since"], row["reason"]) == (was["since"], was["reason"])
        else:
            assert row["since"] == later
            assert (row["previous"] == was["segment"]) if was else pd.isna(row["previous"])


def test_an_unchanged_second_day_changes_nothing() -> None:
    model = RFM.fit(people(*CROWD), AS_OF)
    first = label(RFM, people(*CROWD), model=model)
    second = RFM.label(people(*CROWD, as_of=AS_OF + WEEK), model, first, AS_OF, AS_OF + WEEK)
    pd.testing.assert_frame_equal(first, second)


def scores(history: list[tuple[int, int, int]], gap: int = 0) -> list[int]:
    """Confirmed R scores of record 101 from week to week, among the crowd."""
    model = RFM.fit(people(*CROWD), AS_OF)
    previous, confirmed = None, []
    for week, buyer in enumerate(history):
        as_of = AS_OF + week * WEEK
        features = people(*CROWD, buyer, as_of=as_of, gap=gap)
        previous = RFM.label(features, model, previous, as_of - WEEK if week else None, as_of)
        confirmed.append(int(previous["memory.recency"].iloc[-1]))
    return confirmed


def test_a_value_that_trembles_at_a_border_moves_nobody() -> None:
    assert scores([(20, 2, 100), (21, 2, 100), (20, 2, 100), (21, 2, 100), (21, 2, 100)]) == [5, 5, 5, 5, 5]


def test_a_clear_move_is_made_on_the_second_proposal() -> None:
    assert scores([(15, 2, 100), (30, 2, 100), (37, 2, 100)]) == [5, 5, 4]


def test_a_move_is_to_the_nearer_of_the_two_proposals() -> None:
    assert scores([(15, 2, 100), (50, 2, 100), (95, 2, 100), (95, 2, 100), (95, 2, 100)]) == [5, 5, 3, 3, 1]


def test_a_lapsed_customer_who_buys_is_back_at_once() -> None:
    assert scores([(70, 2, 100), (77, 2, 100), (2, 3, 5000)]) == [2, 2, 5]


def test_a_silence_that_is_usual_for_the_record_is_no_news() -> None:
    assert scores(
        [(15, 5, 100), (50, 5, 100), (80, 5, 100), (90, 5, 100), (97, 5, 100), (104, 5, 100)], gap=30
    ) == [5, 5, 5, 5, 5, 1]
    assert scores([(15, 5, 100), (85, 5, 100), (8, 6, 100)], gap=30) == [5, 5, 5], "nor is a purchase"


def among_weekly_buyers(silent: int) -> pd.DataFrame:
    """Fifty who come each week, and one who comes each 40 days."""
    features = people(*[(day % 7, 40, 100) for day in range(50)], (silent, 4, 100))
    regular = features["record"] == 51
    first = features["first_purchase"]
    return features.assign(first_purchase=first.mask(regular, first - pd.Timedelta(days=120)))


def test_who_buys_as_usual_is_never_in_a_group_of_those_who_stay_away() -> None:
    model = RFM.fit(among_weekly_buyers(35), AS_OF)
    usual, late = (
        label(RFM, among_weekly_buyers(silent), model=model)["segment"].iloc[-1] for silent in (35, 300)
    )
    assert (usual, late) == ("about_to_sleep", "lost")


def test_models_of_an_earlier_version_go_on_to_count_each_silence() -> None:
    crowd = among_weekly_buyers(35)
    model = RFM.fit(crowd, AS_OF)
    old = {**model, "figures": {**model["figures"], "scoring": 2}}
    assert [label(RFM, crowd, model=version)["memory.recency"].iloc[-1] for version in (old, model)] == [1, 3]
    assert "regular customers" in Rfm().outdated(old)


def test_a_border_is_passed_by_a_quarter_of_it_so_that_one_fall_takes_the_place_of_several() -> None:
    assert scores([(15, 1, 100), (41, 1, 100), (48, 1, 100)]) == [5, 5, 3]
    assert scores([(45, 1, 100), (70, 1, 100), (74, 1, 100), (81, 1, 100), (88, 1, 100)]) == [3, 3, 3, 3, 1]


def frequencies(history: list[tuple[int, int, int]]) -> list[int]:
    """Confirmed F scores of record 101 from week to week, among the crowd."""
    model, previous, confirmed = RFM.fit(people(*CROWD), AS_OF), None, []
    for week, buyer in enumerate(history):
        as_of = AS_OF + week * WEEK
        previous = RFM.label(
            people(*CROWD, buyer, as_of=as_of), model, previous, as_of - WEEK if week else None, as_of
        )
        confirmed.append(int(previous["memory.frequency"].iloc[-1]))
    return confirmed


def test_frequency_falls_with_purchases_and_when_the_window_has_run_empty_but_not_by_silence() -> None:
    assert frequencies([(300, 40, 100), (307, 20, 100), (314, 20, 100), (321, 5, 100)]) == [4, 4, 4, 4]
    assert frequencies([(3, 40, 100), (3, 5, 100), (10, 5, 100), (3, 5, 100)]) == [4, 4, 4, 1]
    assert frequencies([(300, 40, 100), (380, 0, 0), (387, 0, 0)]) == [4, 4, 1]


def test_a_first_purchase_makes_a_prospect_a_buyer_at_once() -> None:
    model = RFM.fit(people(*CROWD), AS_OF)
    first = RFM.label(people(*CROWD, (None, 0, 0)), model, None, None, AS_OF)
    second = RFM.label(people(*CROWD, (1, 1, 900), as_of=AS_OF + WEEK), model, first, AS_OF, AS_OF + WEEK)
    last = second.iloc[-1]
    assert (last["previous"], last["since"], last["segment"]) == ("prospect", AS_OF + WEEK, "new")


def test_the_reason_is_worded_in_the_figures_of_the_record() -> None:
    features = people((3, 12, 120_450), (1, 1, 0), (None, 0, 0), (0, 2, 123_456_789_005), (9, 2, -150))
    assert label(RFM, features)["reason"].tolist() == [
        "R2 F5 M2: last purchase 3 days ago; 12 purchase days and 1,204.50 EUR in 365 days",
        "R4 F1 M1: last purchase 1 day ago; 1 purchase day and 0.00 EUR in 365 days; no net revenue, so M is 1",
        "no purchase yet",
        "R4 F2 M5: last purchase today; 2 purchase days and 1,234,567,890.05 EUR in 365 days",
        "R1 F2 M1: last purchase 9 days ago; 2 purchase days and -1.50 EUR in 365 days; no net revenue, so M is 1",
    ]


def test_a_currency_without_minor_units_is_worded_without_them() -> None:
    assert "1,204 JPY" in label(Rfm().in_account(Account("JPY", 0)), people((3, 1, 1204)))["reason"][0]


def test_a_model_that_saw_no_buyer_tells_nobody_apart_and_holds_nobody_back() -> None:
    model, later = RFM.fit(people((None, 0, 0)), AS_OF), AS_OF + WEEK
    first = RFM.label(people(*CROWD), model, None, None, AS_OF)
    assert model_file.blank(model) and first["segment"].nunique() == 1
    features = people(*CROWD, as_of=later)
    second = RFM.label(features, RFM.fit(features, later), first, AS_OF, later)
    assert list(second["segment"]) == list(label(RFM, features, as_of=later)["segment"])


def test_previous_labels_must_be_of_an_earlier_day_and_the_model_of_the_same_settings() -> None:
    features = people(*CROWD)
    first = label(RFM, features)
    with pytest.raises(ValueError, match="not before 2025-06-30"):
        RFM.label(features, RFM.fit(features, AS_OF), first, AS_OF, AS_OF)
    with pytest.raises(ValueError, match="window_days = 90"):
        RFM.label(features, {**RFM.fit(features, AS_OF), "settings": {"window_days": 90}}, None, None, AS_OF)


def test_previous_labels_may_be_indexed_by_record_and_in_any_order() -> None:
    features = people(*CROWD, as_of=AS_OF + WEEK)
    model = RFM.fit(people(*CROWD), AS_OF)
    first = label(RFM, people(*CROWD), model=model)
    expected = RFM.label(features, model, first, AS_OF, AS_OF + WEEK)
    shuffled = first.sample(frac=1, random_state=1).set_index("record")
    pd.testing.assert_frame_equal(RFM.label(features, model, shuffled, AS_OF, AS_OF + WEEK), expected)


def moved(weeks: list[np.ndarray[Any, Any]]) -> float:
    return float(np.mean([a != b for a, b in pairwise(weeks)]))


def test_on_complete_journey_few_groups_move_and_fewer_come_back() -> None:
    con, start, model, previous = complete_journey(), date(2017, 8, 23), None, None
    raw, ours = [], []
    for week in range(13):
        as_of = start + week * WEEK
        features = computed(con, as_of, RFM.needs, Shape(refunds=False))
        model = model or RFM.fit(features, as_of)
        raw.append(label(RFM, features, as_of, model)["segment"].to_numpy())
        previous = RFM.label(features, model, previous, as_of - WEEK if week else None, as_of)
        ours.append(previous["segment"].to_numpy())
    assert moved(ours) <= 0.03 and returns([pd.Series(week) for week in ours]) <= 0.05
    assert np.mean([(a == b).mean() for a, b in zip(raw, ours, strict=True)]) > 0.88


def test_cells_are_tried_in_the_order_of_the_groups() -> None:
    cells = rfm_groups.table(rfm_groups.DEFAULT)
    for r, f, m in product(range(1, 6), repeat=3):
        assert rfm_groups.DEFAULT[cells[r - 1, f - 1, m - 1]] == next(
            g for g in rfm_groups.DEFAULT if g.holds((r, f, m))
        )
