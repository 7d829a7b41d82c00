"""Is a forecast judged at its own horizon on several past spans, corrected where they agree, given an interval where
they do not, and refused where that says nothing?
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from segmentation.evaluation.judgement import forecast_lines
from segmentation.models import model_selection
from segmentation.models.buyer_features import Buying
from segmentation.models.clv_model import ClvModel
from segmentation.models.forecast_error import ForecastError, JudgedSpan, scaled, times
from segmentation.models.horizon_backtest import doubt_about
from segmentation.models.level_forecast import Level, Levels, confirmed, foretold
from tests.benchmarks import trades
from tests.benchmarks.trades import Business
from tests.segmentation_frames import Played
from tests.test_lessons import past_of

DAY, HORIZON = date(2023, 9, 30), 92


def factor(level: Level) -> tuple[float, float, float]:
    return float(np.exp(level.level)), float(np.exp(level.low)), float(np.exp(level.high))


def known(*levels: float, days: int = 80) -> Levels:
    """Of spans one after the other, the latest first."""
    return Levels(days, {days * (at + 1): float(np.log(level)) for at, level in enumerate(levels)})


def test_spans_that_were_off_alike_correct_a_sum_and_those_that_were_not_widen_its_interval() -> None:
    alike, mixed, none = (foretold(known(*of)) for of in ((1.4,) * 6, (1.5, 0.6, 0.7, 1.4, 1.6, 0.6), ()))
    middle, low, high = factor(alike)
    assert 1.25 < middle <= 1.45 and low > 0.9 and high < 2
    assert factor(mixed)[0] == pytest.approx(1, abs=0.15) and factor(mixed)[2] > 1.8
    assert factor(none)[0] == 1 and 1.2 < factor(none)[2] < 1.8


def test_a_forecast_is_corrected_where_three_spans_or_the_season_were_off_alike_and_else_its_interval_is_wide() -> (
    None
):
    for levels, corrected in (
        (known(1.4, 1.4, 1.4, 1.4), True),
        (known(1.4, 1.4), False),
        (known(1.6, 1.5, 0.9, 1.5), False),
        (Levels(90, {91: 0.0, 182: 0.0, 273: -0.3, 365: 0.7}), True),
        (Levels(365, {365: 0.5, 547: 0.6}), False),
    ):
        level = foretold(levels)
        kept = confirmed(levels, level, 0.0)
        assert (kept == level) is corrected and (kept.level == 0) is not corrected
        assert kept.low <= level.low and kept.high >= level.high
    two = known(1.4, 1.4)
    assert confirmed(two, foretold(two), 0.0).low < foretold(two).low, "and may also come as was said"
    boosted = replace(known(1.5, 1.5, 1.5), learned={0: 0.4, 80: 0.4, 160: 0.4, 240: 0.4})
    assert confirmed(boosted, Level(0.8, 0.5, 1.1), 0.4).level == 0.4, "boosting was right in each of them"


def test_a_season_that_came_twice_is_expected_again_and_one_that_came_once_is_half_believed() -> None:
    twice = {91: 0.0, 182: 0.0, 273: -0.3, 365: 0.7, 456: 0.0, 547: 0.0, 638: -0.3, 730: 0.7}
    assert foretold(Levels(90, twice)).level > 0.5
    once = foretold(Levels(90, {91: 0.0, 182: 0.0, 273: -0.3, 365: 0.7}))
    assert 0.1 < once.level < 0.6 and once.high > 0.7


def test_a_longer_way_than_was_judged_and_a_season_never_seen_are_less_sure() -> None:
    plain, farther, unseen = (foretold(known(1.0, 1.1, 0.9), 0, *more) for more in ((), (2.0,), (1.0, 1.0)))
    assert plain.high < farther.high and plain.high < unseen.high


def test_probabilities_are_scaled_to_as_many_buyers_and_keep_their_order() -> None:
    chance = np.array([0.01, 0.2, 0.5, 0.99])
    raised = scaled(chance, times(chance, 2.4))
    assert raised.sum() == pytest.approx(2.4, abs=1e-6) and (np.diff(raised) > 0).all() and raised.max() < 1


def christmas(start: date) -> Business:
    """Three times as much in November and December."""
    rng, days = np.random.default_rng(5), (DAY - start).days + HORIZON
    when = [start + timedelta(days=day) for day in range(days)]
    weight = np.array([3.0 if day.month > 10 else 1.0 for day in when])
    customer = np.repeat(np.arange(900), rng.poisson(rng.gamma(0.8, days / 60, 900)))
    day = rng.choice(days, len(customer), p=weight / weight.sum())
    rows = trades._rows(
        customer, pd.Timestamp(start) + pd.to_timedelta(day, unit="D"), rng.lognormal(3, 0.5, len(day))
    )
    return Business(rows, DAY, HORIZON)


@cache
def fitted(start: date) -> tuple[ClvModel, Buying, Played, Business]:
    business = christmas(start)
    past = past_of(business)
    buyers = Buying.of(past.now(), DAY)
    return model_selection.fit(buyers, DAY, HORIZON, past), buyers, past, business


def came(business: Business) -> float:
    rows = business.rows[business.rows["day"] > pd.Timestamp(DAY)]
    return float(rows.groupby("customer")["day"].nunique().sum())


def test_a_christmas_that_was_seen_twice_is_foretold_and_judged_at_the_asked_horizon() -> None:
    champion, buyers, _, business = fitted(date(2020, 12, 1))
    forecast, error = champion.forecast(buyers), champion.errors[HORIZON]
    assert forecast.purchases is not None and forecast.probability is not None
    uncorrected = replace(champion, errors={}).forecast(buyers).purchases
    assert uncorrected is not None
    off, before = (abs(sums.sum() / came(business) - 1) for sums in (forecast.purchases, uncorrected))
    assert off < 0.2 and off < before
    assert error.days == HORIZON and len(error.spans) >= 4 and not error.unseen
    assert champion.forecast(buyers).score == pytest.approx(
        replace(champion, errors={}).forecast(buyers).score
    )


def test_a_christmas_that_was_never_seen_is_named_and_lies_in_the_interval() -> None:
    champion, buyers, _, business = fitted(date(2022, 12, 5))
    error, purchases = champion.errors[HORIZON], champion.forecast(buyers).purchases
    assert error.unseen == ("October", "November", "December") and purchases is not None
    assert "the data do not hold October, November and December of an earlier year" in error.words
    low, high = error.interval("purchases")
    assert low <= came(business) / purchases.sum() <= high


def test_what_is_too_far_off_is_refused_with_the_reason_and_still_ranked() -> None:
    champion, buyers, _, _ = fitted(date(2020, 12, 1))
    wide = dict.fromkeys(("buyers", "purchases", "money"), Level(0.0, -1.3, 1.3))
    refusing = replace(champion, errors={HORIZON: replace(champion.errors[HORIZON], levels=wide)})
    forecast = refusing.forecast(buyers)
    assert forecast.purchases is None and forecast.probability is None and np.isfinite(forecast.score).all()
    reason = refusing.errors[HORIZON].refused
    assert (
        "may be 27% to 367% of a forecast" in reason
        and "in the last 3 spans of 92 days purchases were" in reason
    )
    (line,) = forecast_lines(refusing.errors[HORIZON].summary())
    assert line.measure == "forecast" and line.passes is False and reason in line.words


def test_where_purchases_were_missed_to_one_side_each_time_probabilities_are_in_doubt_too() -> None:
    def doubt(*missed: float) -> float:
        spans = [JudgedSpan(DAY, {"buyers": 0.0, "purchases": off, "money": off}) for off in missed]
        return doubt_about(np.full(100, 0.4), Level(0.0, -0.2, 0.2), spans)

    sure = doubt()
    assert sure < 0.06 < 0.08 < doubt(-0.5, -0.4, -0.3)
    assert doubt(-0.5, 0.4, -0.3) == doubt(-0.5, -0.4) == doubt(-0.5, -0.4, -0.1) == sure


def test_the_scorecard_judges_purchases_money_and_probabilities() -> None:
    champion = fitted(date(2020, 12, 1))[0]
    told = champion.errors[HORIZON].summary()
    lines = {line.measure: line for line in forecast_lines(told)}
    assert {"forecast of purchases", "forecast of money"} <= set(lines)
    assert "spans of 92 days the money was" in lines["forecast of money"].words
    unsure = {line.measure: line.passes for line in forecast_lines({**told, "doubt": 0.09, "ece": 0.02})}
    assert unsure["unsure"] is False and unsure["calibration"] is True


def test_a_model_keeps_its_errors_and_one_of_before_forecasts_as_it_did() -> None:
    champion, buyers, _, _ = fitted(date(2020, 12, 1))
    stored: dict[str, Any] = champion.to_dict()
    again = ClvModel.from_dict(stored)
    assert again.errors == champion.errors and isinstance(again.error(100), ForecastError)
    before = ClvModel.from_dict({name: part for name, part in stored.items() if name != "errors"})
    assert before.error() is None
    ours, plain = before.forecast(buyers).purchases, replace(champion, errors={}).forecast(buyers).purchases
    assert ours is not None and ours == pytest.approx(plain)
