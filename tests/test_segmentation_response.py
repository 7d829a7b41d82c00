"""Is an event foreseen from what was known before it, honestly judged, and refused where nothing can be said?"""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import cache
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from segmentation import model_file, reason_text
from segmentation.evaluation import metrics
from segmentation.evaluation.uplift import effect
from segmentation.kinds.response import Response
from segmentation.kinds.response_segmentation import LEAST_AUC
from segmentation.models import classifier
from segmentation.models.boosting import Boosted
from segmentation.models.category_features import SEPARATOR, Habits
from segmentation.protocol import Segmentation
from tests.segmentation_frames import (
    Played,
    cdnow,
    complete_journey,
    complete_journey_campaigns,
    segmentation,
)

AS_OF = date(2017, 12, 31)


@cache
def campaigns() -> tuple[Segmentation, dict[str, Any], pd.DataFrame]:
    kind = Response(
        target="campaign_response", within_days=56, campaign_pattern="Type A *", cost=1.0, value=5.0
    ).in_account()
    past = Played(complete_journey_campaigns(), kind, AS_OF)
    model = model_file.from_json(model_file.to_json(kind.fit(past.now(), AS_OF, past)))
    return kind, model, past.now()


def test_responders_to_a_campaign_are_found_as_well_as_the_reference_finds_them() -> None:
    _, model, _ = campaigns()
    figures = model["figures"]
    assert figures["refused"] == "" and figures["winner"] in ("logistic", "mixture")
    assert figures["capture_20"] >= 0.58  # aim .60
    assert figures["auc"] >= 0.81
    assert figures["ece"] <= 0.04


def test_a_campaign_counts_only_those_whom_it_was_sent_to_and_the_latest_one_tests() -> None:
    _, model, _ = campaigns()
    cuts = model["figures"]["cuts"]
    assert [cut["day"] for cut in cuts] == sorted(cut["day"] for cut in cuts)
    assert cuts[-1] == {"day": "2017-10-29", "records": 1133, "events": 214}
    assert model["figures"]["base_rate"] == pytest.approx(214 / 1133, abs=1e-4)


def test_segments_follow_what_a_contact_costs_and_the_model_shows_what_that_would_have_brought() -> None:
    kind, model, features = campaigns()
    labels = kind.label(features, model, None, None, AS_OF)
    least = labels.groupby("segment")["score"].min()
    assert (
        least["likely"]
        >= 0.2
        > labels.loc[labels["segment"] == "possible", "score"].max()
        >= least["possible"]
        >= 0.1
    )
    depth = model["figures"]["depth"]
    assert depth["probability"] == 0.2 and depth["profit"] > depth["profit_of_all"]


def test_nobody_is_called_persuadable() -> None:
    kind, model, features = campaigns()
    labels = kind.label(features, model, None, None, AS_OF)
    text = json.dumps([vars(segment) for segment in kind.segments]) + " ".join(labels["reason"])
    assert "persuad" not in text
    assert labels["reason"].str.contains("likely to respond within 56 days").all()


def test_labels_are_the_same_in_pieces_and_after_json() -> None:
    kind, model, features = campaigns()
    whole = kind.label(features, model, None, None, AS_OF)
    piece = kind.label(features.iloc[100:300].reset_index(drop=True), model, None, None, AS_OF)
    pd.testing.assert_frame_equal(whole.iloc[100:300].reset_index(drop=True), piece)


def test_small_campaigns_test_together_and_none_teaches_that_was_not_over() -> None:
    kind = Response(target="campaign_response", within_days=30, campaign_pattern="Type *").in_account()
    past = Played(complete_journey_campaigns(), kind, AS_OF)
    figures = kind.fit(past.now(), AS_OF, past)["figures"]
    assert figures["refused"] == "" and figures["tested"] > 1 and len(figures["cuts"]) <= 12
    days = [date.fromisoformat(cut["day"]) for cut in figures["cuts"]]
    tested = figures["cuts"][-figures["tested"] :]
    assert sum(cut["events"] for cut in tested) >= 20 > sum(cut["events"] for cut in tested[1:])
    assert days[-figures["tested"] - 1] + timedelta(days=30) <= days[-figures["tested"]]


def test_counts_that_grow_with_a_short_history_are_left_out() -> None:
    _, model, _ = campaigns()
    dropped = model["figures"]["dropped"]
    assert "it grows" in dropped["campaign responses"] and "it grows" in dropped["first purchase"]
    assert "campaign responses in 365 days" not in dropped


def test_what_is_bought_by_category_is_learned_from_and_never_told() -> None:
    kind = Response(target="purchase", within_days=30).in_account()
    past = Coin(3000, 0.1, habit=6)
    now = past.features(AS_OF)
    model = model_file.from_json(model_file.to_json(kind.fit(now, AS_OF, past)))
    assert model["figures"]["categories"] == 2 and model["figures"]["auc"] > 0.7
    labels = kind.label(now, model, None, None, AS_OF)
    likely = labels.loc[now["baskets"].str.startswith("Wine").fillna(False).astype(bool), "score"]
    assert likely.mean() > 1.5 * labels["score"].mean()
    assert not labels["reason"].str.contains("Wine|Tests").any()


def test_categories_that_speak_of_a_health_are_no_habits() -> None:
    habits = Habits.fit(
        pd.Series([f"Wine{SEPARATOR}1{SEPARATOR}Pregnancy tests{SEPARATOR}2{SEPARATOR}Beer{SEPARATOR}1"] * 50)
    )
    assert habits is not None and set(habits.names) == {"Wine", "Beer"}


def test_a_horizon_that_is_too_long_is_told_with_one_that_would_do() -> None:
    kind = Response(target="purchase", within_days=300).in_account()
    past = Coin(2000, 0.2, signal=5)
    past.first = AS_OF - timedelta(days=500)
    refused = kind.fit(past.features(AS_OF), AS_OF, past)["figures"]["refused"]
    assert refused.endswith("with within_days up to 125 there are")


def test_churn_is_foreseen_for_buyers_alone() -> None:
    kind = Response(target="purchase", within_days=28, churn=True).in_account()
    past = Played(complete_journey(), kind, AS_OF)
    features = past.now()
    model = kind.fit(features, AS_OF, past)
    assert model["figures"]["auc"] >= 0.85 and model["figures"]["ece"] <= 0.04
    never = features.head(1).assign(last_purchase=None, first_purchase=None)
    labels = kind.label(never, model, None, None, AS_OF)
    assert labels["segment"].tolist() == ["unscored"] and "no purchase yet" in labels["reason"].iloc[0]


def test_nothing_recorded_after_a_cut_is_a_feature_of_it() -> None:
    kind = Response(target="purchase", within_days=28).in_account()
    con = ibis.duckdb.connect()
    rows = [
        (1, date(2017, 9, 1), date(2017, 9, 1)),
        (2, date(2017, 9, 1), date(2017, 9, 1)),
        (2, date(2017, 9, 20), date(2017, 12, 1)),
    ]
    con.con.execute(
        """CREATE TABLE activity
           (record BIGINT, "order" BIGINT, kind VARCHAR, day DATE, amount BIGINT, category VARCHAR, recorded_on DATE)"""
    )
    con.con.executemany("INSERT INTO activity VALUES (?, NULL, 'purchase', ?, 100, NULL, ?)", rows)
    con.con.execute("CREATE TABLE records AS SELECT DISTINCT record FROM activity")
    past = Played(con, kind, AS_OF)
    assert past.features(date(2017, 9, 30))["purchase_days"].tolist() == [1, 1]
    assert past.features(date(2017, 12, 1))["purchase_days"].tolist() == [1, 2]
    assert past.outcomes(date(2017, 9, 10), 28)["orders"].tolist() == [0, 1]


class Coin:
    """A past in which chance alone decides, with so many records at each cut."""

    model = None
    first = date(2016, 1, 1)

    def __init__(self, count: int, rate: float, signal: float = 0.0, habit: float = 0.0) -> None:
        self.count, self.rate, self.signal, self.habit = count, rate, signal, habit

    def undated(self, day: date) -> tuple[int, int]:
        return 0, self.count

    def features(self, day: date, campaigns: Any = ()) -> pd.DataFrame:
        rng = np.random.default_rng(day.toordinal())
        days = rng.integers(1, 30, self.count)
        frame = {name: days for name in _columns() if name.startswith(("purchase_days", "net_revenue"))}
        silent = rng.integers(0, 200, self.count)
        last = [day - timedelta(days=int(silence)) for silence in silent]
        columns = {
            "mean_gap_days": 3.0,
            "last_purchase": last,
            "first_purchase": last,
            "baskets": self.baskets(day),
        }
        return pd.DataFrame({"record": range(self.count), **frame, **columns})

    def baskets(self, day: date) -> Any:
        if not self.habit:
            return None
        rng = np.random.default_rng(day.toordinal() + 2)
        bought = np.array(
            [f"Wine{SEPARATOR}3", f"Beer{SEPARATOR}2", f"Pregnancy tests{SEPARATOR}1", None], dtype=object
        )
        return rng.choice(bought, self.count)

    def outcomes(self, day: date, days: int, kinds: Any = (), campaigns: Any = ()) -> pd.DataFrame:
        rng = np.random.default_rng(day.toordinal() + 1)
        features = self.features(day)
        wine = features["baskets"].eq(f"Wine{SEPARATOR}3")
        likelier = self.rate * (1 + self.signal * (features["purchase_days"] > 15) + self.habit * wine)
        return pd.DataFrame(
            {"record": range(self.count), "orders": (rng.random(self.count) < likelier).astype(int)}
        )

    def until(self, day: date) -> Coin:
        return self

    def few(self, most: int) -> Coin:
        return self

    def campaigns(self) -> pd.DataFrame:
        return pd.DataFrame({"campaign": [], "day": [], "sent": [], "responded": []})


def _columns() -> list[str]:
    kind: Any = Response(target="purchase", within_days=30).in_account()
    return [trait.column for trait in kind.traits]


@pytest.mark.parametrize(
    ("past", "why"),
    [
        (Coin(2000, 0.2), "little better than chance"),
        (Coin(2000, 0.01), "too few events"),
        (Coin(200, 0.99), "too few records without the event"),
        (None, "earlier days"),
    ],
)
def test_a_model_that_says_nothing_is_refused_with_the_reason(past: Any, why: str) -> None:
    kind = Response(target="purchase", within_days=30).in_account()
    features = Coin(50, 0.5).features(AS_OF)
    model = model_file.from_json(model_file.to_json(kind.fit(features, AS_OF, past)))
    labels = kind.label(features, model, None, None, AS_OF)
    assert set(labels["segment"]) == {"unscored"}
    assert why in model["figures"]["refused"] and why in labels["reason"].iloc[0]
    assert labels["score"].isna().all()


def test_a_signal_is_found_and_published_figures_are_of_the_untouched_cut() -> None:
    kind = Response(target="purchase", within_days=30).in_account()
    past = Coin(3000, 0.1, signal=5)
    model = kind.fit(past.features(AS_OF), AS_OF, past)
    assert model["figures"]["refused"] == "" and model["figures"]["auc"] > LEAST_AUC
    assert model["figures"]["base_rate"] == pytest.approx(
        past.outcomes(AS_OF - timedelta(days=30), 30)["orders"].mean(), abs=1e-4
    )


def test_campaigns_that_nobody_sent_are_refused() -> None:
    kind = Response(target="campaign_response", within_days=30, campaign_pattern="X*").in_account()
    past = Played(cdnow(), kind, date(1998, 6, 30))
    con_has = past.con.table("activity").columns
    assert "campaign" not in con_has
    features = Played(complete_journey_campaigns(), kind, AS_OF)
    assert "only 0 earlier days" in kind.fit(features.now(), AS_OF, features)["figures"]["refused"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"cost": 2.0}, "belong together"),
        ({"cost": 9.0, "value": 3.0}, "no contact can ever pay"),
        ({"churn": True, "target": "visit"}, "churn"),
        ({"campaign_pattern": "A*"}, "campaign_response"),
        ({"attributes": ["birth_date"]}, "sensitive"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        segmentation("response", options, "EUR", 2)


# -- learners
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["log_loss", "squared_error", "poisson"])
def test_trees_from_json_say_what_scikit_learn_says(loss: Any) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    rng = np.random.default_rng(1)
    points = rng.normal(size=(800, 4))
    points[rng.random(points.shape) < 0.1] = np.nan
    target = (np.nan_to_num(points[:, 0]) + rng.normal(size=800) > 0).astype(float)
    boosted = Boosted.fit(points, target, loss, max_iter=20)
    again = Boosted.from_dict(json.loads(json.dumps(boosted.to_dict(), allow_nan=False)))
    options = {"random_state": 7, "early_stopping": False, "max_iter": 20}
    if loss == "log_loss":
        theirs = HistGradientBoostingClassifier(**options).fit(points, target).predict_proba(points)[:, 1]
    else:
        theirs = HistGradientBoostingRegressor(loss=loss, **options).fit(points, target).predict(points)
    assert np.allclose(again.predict(points), theirs, atol=1e-9)


def test_a_calibration_is_used_only_where_it_helps_on_the_days_after() -> None:
    rng = np.random.default_rng(3)

    def span(shift: float) -> classifier.Span:
        points = rng.normal(size=(1500, 2))
        chance = 1 / (1 + np.exp(-(points[:, 0] * 2 - 1 + shift)))
        return classifier.Span(points, (rng.random(1500) < chance).astype(float))

    winner = classifier.contest([span(0), span(0), span(0)])
    scores = winner.figures["brier_by_calibration"]
    assert winner.figures["calibration"] == min(scores, key=scores.__getitem__)
    assert winner.figures["brier"] <= scores["none"]


# -- measures
# --------------------------------------------------------------------------------------------------

SCORES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), min_size=1, max_size=60)


@given(SCORES, st.randoms())
def test_measures_do_not_depend_on_the_order_of_rows(rows: list[tuple[int, int]], random: Any) -> None:
    mixed = list(rows)
    random.shuffle(mixed)
    for measure in (metrics.auc, metrics.capture, metrics.gini, metrics.lift):
        ordered, other = (
            measure(*map(np.array, zip(*(((float(a), float(b)) for a, b in some)), strict=True)))
            for some in (rows, mixed)
        )
        assert ordered == pytest.approx(other, nan_ok=True)


@given(SCORES)
def test_auc_agrees_with_scikit_learn(rows: list[tuple[int, int]]) -> None:
    from sklearn.metrics import roc_auc_score

    score, hit = (np.array(side, float) for side in zip(*rows, strict=True))
    if 0 < hit.sum() < len(hit):
        assert metrics.auc(score, hit) == pytest.approx(roc_auc_score(hit, score))
    else:
        assert np.isnan(metrics.auc(score, hit))


def test_an_oracle_captures_all_and_a_constant_its_share() -> None:
    outcome = np.array([0.0] * 90 + [1.0] * 10)
    assert metrics.capture(outcome, outcome, 0.1) == pytest.approx(1.0)
    assert metrics.gini(outcome, outcome) == pytest.approx(1.0)
    assert metrics.capture(np.zeros(100), outcome, 0.2) == pytest.approx(0.2)


def test_psi_is_zero_without_a_shift_and_great_with_one() -> None:
    values = np.arange(1000.0)
    assert metrics.population_stability(values, values) == pytest.approx(0.0, abs=1e-9)
    assert metrics.population_stability(values, values + 600) > 0.25


# -- uplift
# ----------------------------------------------------------------------------------------------------


def trial(count: int = 20_000, seed: int = 7) -> tuple[Any, ...]:
    """A random trial: some would buy anyway, some are persuaded, chance decides who is contacted."""
    rng = np.random.default_rng(seed)
    sure, persuaded = rng.random(count), rng.random(count)
    treated = rng.random(count) < 0.5
    outcome = (rng.random(count) < 0.2 * sure + 0.3 * persuaded**3 * treated).astype(float)
    return sure, persuaded, treated, outcome


def test_qini_prefers_who_finds_the_persuaded_over_who_finds_those_who_buy_anyway() -> None:
    sure, persuaded, treated, outcome = trial()
    effects = [effect(score, outcome, treated) for score in (persuaded, sure)]
    assert effects[0]["qini"] > 2 * abs(effects[1]["qini"])
    low, high = effects[0]["interval"]
    assert low < 0.3 / 4 < high and low > 0  # E[0.3 u^3] = 0.075
    assert effects[0]["note"] == ""


def test_without_a_control_there_is_no_effect_to_tell() -> None:
    figures = effect(np.ones(100), np.ones(100), np.ones(100, bool))
    assert "uplift" not in figures and "control" in figures["note"]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.booleans()), min_size=200, max_size=220))
def test_an_interval_holds_its_uplift(rows: list[tuple[float, bool, bool]]) -> None:
    score, outcome, treated = (np.array(side) for side in zip(*rows, strict=True))
    figures = effect(score.astype(float), outcome.astype(float), treated.astype(bool))
    if "uplift" in figures:
        assert -1 <= figures["interval"][0] <= figures["uplift"] <= figures["interval"][1] <= 1


def test_a_probability_is_worded_as_neither_nothing_nor_certainty() -> None:
    shares = np.array([0.0, 1e-22, 0.0009, 0.0044, 0.12, 0.5, 0.996, 0.9999, 1.0])
    assert reason_text.percent(shares).to_pylist() == [
        *("<0.1%", "<0.1%", "<0.1%", "0.4%", "12%", "50%", "99.6%", ">99.9%", ">99.9%")
    ]
