"""Are forecasts learned from days that tell of what is coming, and only from what is sure?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from segmentation.evaluation import metrics
from segmentation.kinds.potential import Potential
from segmentation.models import backtest_splits, bg_nbd, model_selection
from segmentation.models.backtest_splits import BacktestSplit
from segmentation.models.buyer_features import Buying
from segmentation.models.clv_model import UPRIGHT, ClvModel, Predictions
from tests.benchmarks import trades
from tests.benchmarks.trades import Business
from tests.segmentation_frames import Played

KIND = Potential().in_account()


@cache
def business(name: str) -> Business:
    """Every fourth customer of one that is made up."""
    whole = trades.BUSINESSES[name]()
    return replace(whole, rows=whole.rows[whole.rows["customer"].astype(int) % 4 == 0].reset_index(drop=True))


@cache
def played(name: str) -> Played:
    """The past of a business."""
    return past_of(business(name))


def past_of(business: Business) -> Played:
    rows = business.rows
    table = pd.DataFrame(
        {
            "record": pd.factorize(rows["customer"])[0],
            "order": rows["order"],
            "kind": rows["kind"].astype(str),
        }
    )
    table["day"], table["amount"] = rows["day"], (100 * rows["amount"]).round().astype("int64")
    con: Any = ibis.duckdb.connect()
    con.con.register("drawn", table)
    con.con.execute(
        'CREATE TABLE activity AS SELECT record, "order", kind, day::DATE AS day, amount, NULL::VARCHAR AS category FROM drawn'
    )
    con.con.execute("CREATE TABLE records AS SELECT DISTINCT record FROM activity")
    return Played(con, KIND, business.day)


def taught(name: str) -> list[BacktestSplit]:
    return backtest_splits.lessons(played(name), business(name).day, business(name).horizon)


def days_before(name: str) -> list[int]:
    return [
        (np.datetime64(business(name).day) - lesson.buying.now).astype(int).item() for lesson in taught(name)
    ]


def test_where_a_business_has_seasons_the_same_days_of_earlier_years_teach() -> None:
    assert days_before("gifts") == [365, 730, 1095] and all(lesson.span == 92 for lesson in taught("gifts"))


def test_a_decline_is_no_season() -> None:
    assert days_before("fading") == [180, 360, 540, 720]


def test_a_shock_is_no_season_and_teaches_nothing() -> None:
    assert days_before("lockdown") == [120, 480], "five months of closed shops lie between"


def test_a_level_is_told_only_where_lessons_say_with_one_voice_that_it_is_far_off() -> None:
    def of(*times: float) -> float:
        return backtest_splits.level(
            [lesson(np.full(3, 1.0), level=float(np.log(factor))) for factor in times]
        )

    assert of() == of(0.9, 1.2, 1.1) == of(5.0, 0.2, 1.0) == of(2.0) == 1.0
    assert of(4.0, 5.0, 6.0) == pytest.approx(4.5, rel=0.01) and of(0.25) == pytest.approx(0.5)


def test_a_level_on_purchase_models_moves_expectations_with_it_and_leaves_probabilities_below_one() -> None:
    chance, few = np.array([0.0, 0.3, 0.9, 1.0]), np.array([0.0, 0.4, 2.0, 9.0])
    forecast = Predictions(few, chance, few, few, few)
    assert forecast.purchases({**UPRIGHT, "level": 3.0}) == pytest.approx(3 * few) and forecast.purchases(
        UPRIGHT
    ) == pytest.approx(few)
    raised, lowered = (forecast.probability({**UPRIGHT, "level": level}) for level in (3.0, 0.3))
    assert (
        (lowered <= chance).all()
        and (chance <= raised).all()
        and raised[1] == pytest.approx(1 - 0.7**3)
        and raised.max() <= 1.0
    )


def test_spans_of_more_than_a_year_are_whole_years_so_that_each_sees_every_season() -> None:
    donors = business("donors")
    assert (donors.day - donors.rows["day"].min().date()).days // backtest_splits.PARTS > 365
    assert {lesson.span for lesson in taught("donors")} == {365}


def test_no_past_and_a_young_one_teach_nothing() -> None:
    assert backtest_splits.lessons(None, date(2024, 1, 1), 30) == []
    past = played("gifts")
    assert past.first is not None
    assert backtest_splits.lessons(past, past.first + timedelta(days=2), 30) == []


def test_in_a_season_forecasts_come_near_what_came_and_errors_weigh_by_their_square() -> None:
    past, gifts = played("gifts"), business("gifts")
    buyers = Buying.of(past.now(), gifts.day)
    champion = model_selection.fit(buyers, gifts.day, gifts.horizon, past)
    forecast = champion.forecast(buyers)
    assert forecast.purchases is not None and forecast.probability is not None
    later = gifts.rows[
        (gifts.rows["day"] > pd.Timestamp(gifts.day))
        & (gifts.rows["day"] <= pd.Timestamp(gifts.day + timedelta(days=gifts.horizon)))
    ]
    came = later.groupby(pd.Series(pd.factorize(gifts.rows["customer"])[0])[later.index])["day"].nunique()
    number = np.asarray(came.reindex(buyers.record, fill_value=0), np.float64)
    plain = bg_nbd.fit(buyers.history(), "mbg")
    assert forecast.purchases.sum() == pytest.approx(number.sum(), rel=0.3)
    assert plain.expected(buyers.history(), gifts.horizon / 7).sum() < 0.3 * number.sum()
    assert metrics.brier(forecast.probability, number) < 0.8 * metrics.brier(
        plain.purchase(buyers.history(), gifts.horizon / 7), number
    )


def test_few_customers_are_ranked_by_the_simple_score_that_foresaw_best_over_all_lessons() -> None:
    rng = np.random.default_rng(4)
    size = rng.lognormal(5, 1.5, 80)  # what somebody spends says all, when and how often nothing
    customer = np.repeat(np.arange(80), 8)
    day = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 700, 640), unit="D")
    few = Business(trades._rows(customer, day, size[customer]), date(2024, 12, 1), 60)
    past = past_of(few)
    champion = model_selection.fit(Buying.of(past.now(), few.day), few.day, few.horizon, past)
    assert champion.winner == "spend" and "80 customers" in champion.figures["refused"]
    assert set(champion.figures["contest"]) == {"rfm", "recency", "frequency", "spend"}


def lesson(money: Any, level: float | None = None) -> BacktestSplit:
    """Of buyers of whom nothing matters but what they brought."""
    judged: Any = np.asarray(money, np.float64)
    made = BacktestSplit(
        played_buyers().at(np.zeros(len(judged), np.int64)), judged, (judged > 0).astype(np.float64), 30
    )
    if level is not None:
        made.__dict__["level"] = level
    return made


@cache
def played_buyers() -> Buying:
    return Buying.of(played("gifts").now(), business("gifts").day)


def test_the_mixture_gives_way_only_to_what_is_better_by_more_than_chance() -> None:
    rng = np.random.default_rng(1)
    money = rng.lognormal(3, 1, 4000) * (rng.random(4000) < 0.3)
    noise = rng.normal(size=4000)
    near = {"mixed": money + 40 * noise, "spend": money + 40 * noise + 0.5 * rng.normal(size=4000)}
    clear = {"mixed": money + 40 * noise, "spend": money + 5 * noise}

    def won(scores: dict[str, Any]) -> tuple[str, dict[str, str]]:
        ranked = {
            name: {"capture_20": metrics.capture(s, money), "gini": metrics.gini(s, money)}
            for name, s in scores.items()
        }
        ranked["spend"]["gini"] = max(ranked["spend"]["gini"], ranked["mixed"]["gini"] + 1e-4)
        return model_selection._winner(ranked, scores, lesson(money))

    assert won(clear) == ("spend", {})
    winner, note = won(near)
    assert (
        winner == "mixed"
        and note.get("note", "spend was ahead by no more than chance")
        == "spend was ahead by no more than chance"
    )


def test_what_is_usual_stays_unless_another_errs_less_by_more_than_chance() -> None:
    rng = np.random.default_rng(2)
    usual = rng.exponential(1.0, 3000)
    hardly, clearly = usual * (1 + 0.2 * rng.normal(size=3000)), 0.8 * usual
    assert model_selection._surest([(hardly,)], (usual,), 2.0) is None
    assert model_selection._surest([(hardly,), (clearly,)], (usual,), 2.0) == 1
    assert model_selection._surest([(clearly, 1.5 * usual)], (usual, usual), 2.0) is None, (
        "better in one measure, worse in the other"
    )


def test_where_nothing_was_bought_of_late_there_is_nothing_to_boost_on_whatever_an_earlier_lesson_would_teach() -> (
    None
):
    rng = np.random.default_rng(3)
    customer, day = np.repeat(np.arange(400), 3), np.sort(rng.integers(0, 200, 1200))
    rng.shuffle(day)
    shut = Business(
        trades._rows(customer, pd.Timestamp("2024-01-01") + pd.to_timedelta(day, unit="D"), 10.0),
        date(2024, 10, 27),
        30,
    )
    past = past_of(shut)
    buyers = Buying.of(past.now(), shut.day)
    champion = model_selection.fit(buyers, shut.day, shut.horizon, past)
    assert champion.boosted is None and "boosted" not in champion.figures["contest"]
    assert np.isfinite(ClvModel.from_dict(champion.to_dict()).forecast(buyers).score).all()


def test_few_contracts_that_nobody_can_foretell_are_not_foretold_and_the_model_says_why() -> None:
    rng = np.random.default_rng(8)
    firm = np.repeat(np.arange(400), rng.poisson(3, 400))  # what was says nothing of what comes
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1461, len(firm)), unit="D")
    rows = pd.DataFrame(
        {"customer": firm, "day": day, "amount": rng.lognormal(9, 1, len(firm)), "kind": "purchase"}
    )
    rows["order"] = rows.index
    past = past_of(Business(rows, date(2023, 12, 31), 180))
    buying = Buying.of(past.now(), date(2023, 12, 31))
    champion = model_selection.fit(buying, date(2023, 12, 31), 180, past)
    assert champion.winner in champion.figures["contest"] and set(champion.figures["contest"]) == {
        "rfm",
        "recency",
        "frequency",
        "spend",
    }
    assert "predicted no better than by chance" in champion.figures["refused"]
    forecast = champion.forecast(buying)
    assert forecast.probability is None and forecast.money is None and np.isfinite(forecast.score).all()
