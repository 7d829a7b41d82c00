"""Is the score used that foresaw best, are forecasts at or above the simple ones, and do tiers hold still?"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from segmentation import model_file
from segmentation.evaluation import metrics
from segmentation.kinds.potential import Potential
from segmentation.models import bg_nbd, model_selection
from segmentation.models.buyer_features import Buying
from segmentation.models.clv_model import CANDIDATES, ClvModel, Forecast
from segmentation.models.segment_forecast import FIGURES, error_in_words, outlook
from tests.segmentation_frames import Played, cdnow, complete_journey, computed

BUSINESSES: dict[str, tuple[Any, date, int]] = {
    "cdnow": (cdnow, date(1997, 9, 30), 273),
    "complete_journey": (complete_journey, date(2017, 9, 30), 92),
}
KIND = Potential().in_account()


@cache
def known(business: str) -> tuple[pd.DataFrame, ClvModel, Buying]:
    """Features, champion and buyers of a business as of its day, over the days that are held out."""
    con, day, horizon = BUSINESSES[business]
    past = Played(con(), KIND, day)
    buyers = Buying.of(past.now(), day)
    champion = model_selection.fit(buyers, day, horizon, past)
    return (
        past.now(),
        ClvModel.from_dict(model_file.from_json(model_file.to_json({"version": 1, **champion.to_dict()}))),
        buyers,
    )


@cache
def forecast(business: str) -> Forecast:
    _, champion, buyers = known(business)
    return champion.forecast(buyers)


@cache
def came(business: str) -> tuple[Any, Any]:
    """Money and purchase days of each buyer in the days that were held out."""
    con, day, horizon = BUSINESSES[business]
    query = "SELECT record, sum(amount) AS money, count(DISTINCT day) AS days FROM activity WHERE day > ? AND day <= ? GROUP BY record"
    outcomes = (
        con()
        .con.execute(query, [day, day + timedelta(days=horizon)])
        .df()
        .set_index("record")
        .reindex(known(business)[2].record)
    )
    return outcomes["money"].fillna(0).to_numpy(np.float64), outcomes["days"].fillna(0).to_numpy(np.float64)


def test_the_score_of_cdnow_reaches_the_stacked_one_of_the_literature() -> None:
    money, _ = came("cdnow")
    score = forecast("cdnow").score
    assert metrics.capture(score, money) >= 0.690 and metrics.gini(score, money) >= 0.715


def test_probabilities_of_cdnow_separate_and_are_true() -> None:
    _, days = came("cdnow")
    probability = forecast("cdnow").probability
    assert probability is not None
    assert metrics.auc(probability, days) >= 0.757
    assert (
        metrics.brier(probability, days) <= 0.1665 and metrics.calibration_error(probability, days) <= 0.062
    )


@pytest.mark.parametrize("business", BUSINESSES)
def test_the_score_is_at_least_the_best_simple_one_less_a_standard_error(business: str) -> None:
    money, _ = came(business)
    _, champion, buyers = known(business)
    simple = {
        "recency": -buyers.silent.astype(float),
        "frequency": buyers.days.astype(float),
        **{name: score for name, score in champion.scores(buyers, None).items() if name in ("rfm", "spend")},
    }
    best = max(metrics.capture(score, money) for score in simple.values())
    assert metrics.capture(forecast(business).score, money) >= best - 0.01


@pytest.mark.parametrize("business", BUSINESSES)
def test_expected_purchases_are_no_worse_than_those_of_bg_nbd(business: str) -> None:
    _, days = came(business)
    buyers, horizon = known(business)[2], BUSINESSES[business][2]
    reference = bg_nbd.fit(buyers.history(), "bg").expected(buyers.history(), horizon / 7)
    ours = forecast(business).purchases
    assert ours is not None
    for error in (np.abs, np.square):
        assert error(ours - days).mean() <= error(reference - days).mean()


@pytest.mark.parametrize("business", BUSINESSES)
def test_the_contest_is_told_and_its_best_is_used(business: str) -> None:
    champion = known(business)[1]
    contest = champion.figures["contest"]
    assert set(contest) == set(CANDIDATES)
    best = max(figures["capture_20"] + figures["gini"] for figures in contest.values())
    assert contest[champion.winner]["capture_20"] + contest[champion.winner]["gini"] == pytest.approx(best)
    assert {"brier", "ece", "auc", "bias_purchases", "bias_money"} <= set(champion.figures)


def test_chunks_change_no_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    _, champion, buyers = known("complete_journey")
    whole = champion.forecast(buyers)
    monkeypatch.setattr("segmentation.models.clv_model.CHUNK", 999)
    for expected, other in zip(vars(whole).values(), vars(champion.forecast(buyers)).values(), strict=True):
        assert expected == pytest.approx(other)


def test_a_fit_asks_nothing_of_days_after_as_of() -> None:
    con, day, horizon = BUSINESSES["complete_journey"]
    asked: list[date] = []

    class Watched(Played):
        def outcomes(self, day: date, days: int, kinds: Any = (), campaigns: Any = ()) -> pd.DataFrame:
            asked.append(day + timedelta(days=days))
            return super().outcomes(day, days, kinds, campaigns)

    model_selection.fit(known("complete_journey")[2], day, horizon, Watched(con(), KIND, day))
    assert asked and max(asked) <= day


def few(customers: int) -> pd.DataFrame:
    """Features of a few customers of CDNOW."""
    return known("cdnow")[0].head(customers)


def test_few_customers_get_tiers_and_an_honest_reason() -> None:
    day = BUSINESSES["cdnow"][1]
    model = KIND.fit(few(40), day)
    labels = KIND.label(few(40), model, None, None, day)
    assert "40 customers" in model["figures"]["refused"] and "learned" in model
    assert set(labels["segment"]) <= {"high", "medium", "low"} and (labels["segment"] == "high").any()
    assert labels["reason"].str.startswith("too little data for a forecast").all()


def test_customers_who_all_bought_the_same_are_of_high_potential_and_not_of_low() -> None:
    day = BUSINESSES["cdnow"][1]
    few_bought_long_ago, many_lately = few(40).iloc[[0]], few(40).nlargest(1, "last_purchase")
    crowd = pd.concat([many_lately] * 90 + [few_bought_long_ago] * 10).assign(record=range(1, 101))
    segments = KIND.label(crowd, KIND.fit(crowd, day), None, None, day)["segment"].tolist()
    assert segments == ["high"] * 90 + ["low"] * 10
    for equal in (crowd.head(90), crowd.head(1)):
        assert set(KIND.label(equal, KIND.fit(equal, day), None, None, day)["segment"]) == {"high"}


def test_reasons_tell_expected_money_and_purchases() -> None:
    day = BUSINESSES["cdnow"][1]
    model = KIND.fit(known("cdnow")[0], day)
    assert (
        model["figures"]["winner"] == "btyd"
        and model["figures"]["note"] == "the past is too short for a contest"
    )
    labels = KIND.label(known("cdnow")[0], model, None, None, day)
    assert (
        labels["reason"]
        .str.match(
            r"\d[\d,.]* EUR expected in 125 days \(\d+\.\d purchases\); score above \d+% of the buyers"
        )
        .all()
    )
    shares = labels["segment"].value_counts(normalize=True)
    assert (shares["high"], shares["medium"]) == pytest.approx((0.2, 0.3), abs=0.02)


@pytest.mark.parametrize(
    ("business", "start", "weeks"),
    [("cdnow", date(1997, 9, 30), 8), ("complete_journey", date(2017, 7, 2), 16)],
)
def test_few_change_their_tier_in_a_week_and_hardly_anybody_returns(
    business: str, start: date, weeks: int
) -> None:
    con = BUSINESSES[business][0]()
    model, labels, tiers = None, None, []
    for week in range(weeks):
        day = start + timedelta(weeks=week)
        features = computed(con, day, KIND.needs)
        model = model or KIND.fit(features, day, Played(con, KIND, day))
        labels = KIND.label(
            features, model, labels, day - timedelta(days=7) if labels is not None else None, day
        )
        tiers.append(labels["segment"].to_numpy(str))
    moves = [a != b for a, b in pairwise(tiers)]
    returned = np.zeros(len(tiers[0]), np.bool_)
    for week in range(2, weeks):
        for back in range(2, min(week, 12) + 1):
            returned |= moves[week - 1] & (tiers[week - back] == tiers[week])
    print(f"{business}: {np.mean(moves):.2%} move in a week, {returned.mean():.2%} return within 12 weeks")
    assert np.mean(moves) <= 0.03 and returned.mean() <= 0.05


# -- outlook -------------------------------------------------------------------------------------------------


@cache
def coming(business: str, days: int, periods: int) -> pd.DataFrame:
    features, champion, buyers = known(business)
    model = {"learned": champion.to_dict(), "figures": dict(champion.figures)}
    tiers = pd.Series(np.where(buyers.days > 1, "again", "once"), index=buyers.record)
    return outlook(features, model, tiers, BUSINESSES[business][1], days, periods)


def test_an_outlook_adds_up_over_segments_and_periods() -> None:
    expectations = coming("complete_journey", 30, 3)
    assert list(expectations.columns[-6:]) == list(FIGURES) and set(expectations["segment"]) == {
        "again",
        "once",
        "all",
    }
    by_period = expectations[expectations["segment"] != "all"].groupby("period")[["purchases", "money"]].sum()
    assert by_period.to_numpy() == pytest.approx(
        expectations[expectations["segment"] == "all"].set_index("period")[["purchases", "money"]].to_numpy()
    )
    whole = coming("complete_journey", 90, 1).set_index("segment")
    assert expectations[expectations["segment"] == "all"]["purchases"].sum() == pytest.approx(
        whole.loc["all", "purchases"], rel=1e-3
    )
    assert expectations["start"].iloc[0] == date(2017, 10, 1) and expectations["end"].iloc[-1] == date(
        2017, 12, 29
    )


@pytest.mark.parametrize("business", BUSINESSES)
def test_an_interval_holds_the_forecast_and_its_bias_is_told(business: str) -> None:
    expectations = coming(business, BUSINESSES[business][2], 1)
    for name in ("purchases", "money"):
        assert (expectations[f"{name}_low"] <= expectations[name]).all() and (
            expectations[name] <= expectations[f"{name}_high"]
        ).all()
    champion = known(business)[1]
    words = error_in_words({"learned": champion.to_dict(), "figures": dict(champion.figures)}, 90)
    assert re.match(r"In the last (\d spans of )?\d+ days purchases were \d+% (below|above)", words), words


def test_nothing_foretold_is_an_empty_outlook_and_a_day_of_none_is_refused() -> None:
    day, model = BUSINESSES["cdnow"][1], KIND.fit(few(40), BUSINESSES["cdnow"][1])
    assert outlook(few(40), model, pd.Series(dtype="object"), day).empty
    with pytest.raises(ValueError, match="a day and a period"):
        outlook(few(40), model, pd.Series(dtype="object"), day, 0)
