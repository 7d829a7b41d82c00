"""Do the purchase and spending models give the published values, hold for heavy buyers, and refuse too
little?
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.models import bg_nbd, gamma_gamma
from segmentation.models.bg_nbd import History, Purchasing
from segmentation.models.optimizer import TooLittle
from tests.segmentation_frames import cdnow, complete_journey, installed

CALIBRATION = np.datetime64("1997-09-30")


def one(x: int, recency: float, age: float) -> History:
    return History(np.array([x]), np.array([float(recency)]), np.array([float(age)]))


@cache
def sample() -> tuple[History, pd.DataFrame]:
    """CDNOW 1/10 until the end of the calibration, in weeks, and its purchase days."""
    lines = installed("lifetimes", "datasets/CDNOW_sample.txt").read_text().splitlines()
    fields = [line.split() for line in lines if line.split() and line.split()[0].isdigit()]
    days = pd.DataFrame(
        {
            "record": [int(f[1]) for f in fields],
            "day": pd.to_datetime([f[2] for f in fields], format="%Y%m%d"),
        }
    )
    days = days.drop_duplicates()
    seen = (
        days[days["day"] <= pd.Timestamp(CALIBRATION)].groupby("record")["day"].agg(["min", "max", "count"])
    )
    first, last = (seen[end].to_numpy().astype("datetime64[D]") for end in ("min", "max"))
    return History.of_days(first, last, seen["count"].to_numpy(np.int64), CALIBRATION), days


@cache
def summary() -> pd.DataFrame:
    return pd.read_csv(installed("lifetimes", "datasets/cdnow_customers_summary_with_transactions.csv"))


def summarised() -> History:
    """The sample as the package publishes it, rounded to a hundredth of a week."""
    frame = summary()
    return History(
        frame["x"].to_numpy(np.int64), frame["t_x"].to_numpy(np.float64), frame["T"].to_numpy(np.float64)
    )


def test_histories_add_up_to_the_published_sums() -> None:
    history, _ = sample()
    assert (len(history), int(history.x.sum())) == (2357, 2457)
    assert history.recency.sum() == pytest.approx(
        16135.5714, abs=1e-4
    ) and history.age.sum() == pytest.approx(77111.2857, abs=1e-4)


def test_bg_nbd_of_cdnow_is_the_published_fit() -> None:
    model = bg_nbd.fit(sample()[0], "bg")
    assert (model.r, model.alpha, model.a, model.b) == pytest.approx(
        (0.2426, 4.4136, 0.7929, 2.4259), abs=6e-4
    )
    assert model.loglik == pytest.approx(-9582.429, abs=1e-3)
    assert model.converged and model.gradient < 1e-5 and model.warnings == ()
    assert model.expected(one(0, 0, 0), 52)[0] == pytest.approx(1.444004, rel=1e-4)
    assert model.expected(one(26, 216 / 7, 31), 52)[0] == pytest.approx(25.75659, rel=1e-4)
    assert model.alive(one(26, 216 / 7, 31))[0] == pytest.approx(0.9688523, rel=1e-4)


def test_more_purchases_before_the_same_silence_mean_fewer_to_come() -> None:
    model = bg_nbd.fit(sample()[0], "bg")
    expected = [model.expected(one(x, 20, 39), 52)[0] for x in (10, 15, 20, 25)]
    assert expected == pytest.approx([0.34746, 0.042834, 0.004159, 0.000358], rel=1e-4, abs=5e-7)


def test_expectations_are_those_of_the_published_spreadsheet() -> None:
    model = bg_nbd.fit(sample()[0], "bg")
    assert model.expected(one(2, 30.43, 38.86), 39)[0] == pytest.approx(1.226, abs=1e-3)
    fresh = [model.expected(one(0, 0, 0), t)[0] for t in (0.1429, 1, 3, 31.8571, 32, 78)]
    assert fresh == pytest.approx([0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8576], abs=4e-4)


def test_hold_out_means_by_frequency_are_those_of_the_vignette() -> None:
    history, days = sample()
    expected = bg_nbd.fit(history, "bg").expected(history, 39)
    means_by_frequency = [expected[history.x == x].mean() for x in range(6)]
    assert means_by_frequency == pytest.approx([0.2251, 0.5231, 1.0441, 1.5203, 2.1638, 2.6538], abs=2e-4)
    later = days[days["day"] > pd.Timestamp(CALIBRATION)]
    assert len(later) == 1882
    came = later.groupby("record").size().reindex(np.sort(days["record"].unique()), fill_value=0).to_numpy()
    means = [came[np.minimum(history.x, 7) == x].mean() for x in range(8)]
    assert means == pytest.approx([0.2367, 0.6970, 1.3925, 1.560, 2.532, 2.947, 3.862, 6.359], abs=5e-4)


def test_the_likelihood_is_that_of_the_research_note() -> None:
    assert bg_nbd.log_likelihood(Purchasing("bg", 0.25, 4.0, 0.8, 2.5), one(0, 0, 40)) == pytest.approx(
        -0.59947382, abs=1e-6
    )
    assert bg_nbd.log_likelihood(Purchasing("bg", 0.25, 4.0, 0.8, 2.5), one(200, 38, 40)) == pytest.approx(
        100.7957, abs=1e-3
    )


def test_mbg_nbd_of_cdnow_is_the_published_fit_and_a_one_time_buyer_may_have_left() -> None:
    model = bg_nbd.fit(summarised(), "mbg")
    assert (model.r, model.alpha, model.a, model.b) == pytest.approx((0.525, 6.183, 0.891, 1.614), abs=1e-3)
    assert model.loglik == pytest.approx(-9582.133, abs=1e-3)
    assert (
        0 < model.alive(one(0, 0, 39))[0] < 0.5
        and bg_nbd.fit(sample()[0], "bg").alive(one(0, 0, 39))[0] == 1.0
    )


def test_gamma_gamma_and_lifetime_value_are_the_published_ones() -> None:
    frame = summary()
    x, mean = frame["x"].to_numpy(np.int64), frame["zbar"].to_numpy(np.float64)
    model = gamma_gamma.fit(x, mean)
    assert (model.p, model.q, model.v) == pytest.approx((6.25, 3.74, 15.44), abs=0.01)
    assert (
        model.mean == pytest.approx(35.17, abs=0.01)
        and model.converged
        and abs(model.correlation) < gamma_gamma.DEPENDENT
    )
    history = summarised()
    worth = gamma_gamma.lifetime_value(
        bg_nbd.fit(history, "bg"), history, model.expected(x, mean), 12, 0.01, 4.345
    )
    assert worth[[0, 1, 2, 5, 8]] == pytest.approx([36.28, 4.64, 8.34, 283.52, 43.35], abs=0.01)


def daily(con: object, until: str) -> History:
    """Histories in weeks from a connection with ``activity``."""
    query = f"""SELECT min(day)::TIMESTAMP, max(day)::TIMESTAMP, count(DISTINCT day) FROM activity WHERE day <= DATE '{until}'
                GROUP BY record ORDER BY record"""
    first, last, days = con.con.execute(query).df().to_numpy().T  # type: ignore[attr-defined]
    return History.of_days(
        first.astype("datetime64[D]"),
        last.astype("datetime64[D]"),
        days.astype(np.int64),
        np.datetime64(until),
    )


def test_whole_businesses_are_fitted_as_the_reference_does() -> None:
    whole = bg_nbd.fit(daily(cdnow(), "1997-09-30"), "bg")
    assert (whole.r, whole.alpha, whole.a, whole.b) == pytest.approx(
        (0.25162, 4.78894, 0.72343, 2.16109), abs=6e-4
    )
    assert whole.loglik == pytest.approx(-95368.444, abs=1e-2)
    grocery = bg_nbd.fit(daily(complete_journey(), "2017-09-30"), "bg")
    assert grocery.loglik == pytest.approx(-61853.117, abs=1e-2)
    assert (grocery.r, grocery.alpha, grocery.a) == pytest.approx((1.39981, 1.36065, 0.02951), abs=6e-4)
    assert grocery.b == pytest.approx(26.726, abs=6e-4)
    bought = "SELECT record, day, sum(amount) / 100 AS spent FROM activity WHERE day <= DATE '1997-09-30' GROUP BY record, day"
    days = cdnow().con.execute(bought).df()
    again = (
        days[days["day"] > days.groupby("record")["day"].transform("min")]
        .groupby("record")["spent"]
        .agg(["count", "mean"])
    )
    spent = gamma_gamma.fit(again["count"].to_numpy(np.int64), again["mean"].to_numpy(np.float64))
    assert (spent.p, spent.q, spent.v) == pytest.approx((6.2754, 3.6245, 14.9837), abs=6e-4)


def test_lifetimes_gives_the_same_where_it_is_installed() -> None:
    lifetimes = pytest.importorskip("lifetimes")
    history, _ = sample()
    model, theirs = bg_nbd.fit(history, "bg"), lifetimes.BetaGeoFitter()
    theirs.fit(history.x, history.recency, history.age)
    expected = theirs.conditional_expected_number_of_purchases_up_to_time(
        39, history.x, history.recency, history.age
    )
    assert (model.r, model.alpha, model.a, model.b) == pytest.approx(
        tuple(theirs.params_[["r", "alpha", "a", "b"]]), rel=2e-3
    )
    assert model.expected(history, 39) == pytest.approx(np.asarray(expected), rel=5e-3)
    frame = summary()
    bought = frame[frame["x"] > 0]
    spenders = lifetimes.GammaGammaFitter().fit(bought["x"], bought["zbar"])
    spent = gamma_gamma.fit(bought["x"].to_numpy(np.int64), bought["zbar"].to_numpy(np.float64))
    assert (spent.p, spent.q, spent.v) == pytest.approx(tuple(spenders.params_[["p", "q", "v"]]), rel=2e-3)


def test_few_customers_are_refused_with_what_it_takes() -> None:
    history, _ = sample()
    with pytest.raises(TooLittle, match=r"199 customers, .* needs 200 and 50"):
        bg_nbd.fit(history.at(slice(199)))
    with pytest.raises(TooLittle, match="0 of them with a second purchase"):
        bg_nbd.fit(history.at(history.x == 0))
    with pytest.raises(TooLittle, match="spending that differs"):
        gamma_gamma.fit(np.full(99, 3), np.full(99, 10.0))


def test_where_all_spend_alike_everybody_is_expected_to() -> None:
    assert gamma_gamma.alike(12.5).expected(
        np.array([0, 1, 50]), np.array([0.0, 12.5, 12.5])
    ) == pytest.approx([12.5] * 3, rel=1e-4)


@pytest.mark.parametrize("form", ["bg", "mbg"])
def test_ten_thousand_purchases_of_one_customer_break_nothing(form: bg_nbd.Form) -> None:
    history, _ = sample()
    heavy = History(
        np.append(history.x, 10_000), np.append(history.recency, 38.5), np.append(history.age, 38.9)
    )
    model = bg_nbd.fit(heavy, form)
    for figures in (model.expected(heavy, 39), model.purchase(heavy, 39), model.alive(heavy)):
        assert np.isfinite(figures).all() and (figures >= 0).all()
    assert model.expected(one(10_000, 38.9, 38.9), 39)[0] > 1000


PARAMETERS = st.builds(
    Purchasing,
    st.sampled_from(["bg", "mbg"]),
    *(st.floats(low, high) for low, high in ((0.05, 20), (0.1, 500), (0.01, 2000), (0.05, 8000))),
)
HISTORIES = st.tuples(st.integers(0, 10_000), st.floats(0, 1), st.floats(0.1, 500))


@settings(max_examples=150, deadline=None)
@given(PARAMETERS, HISTORIES, st.floats(0.1, 300), st.floats(1, 3))
def test_forecasts_are_finite_and_rise(
    model: Purchasing, drawn: tuple[int, float, float], days: float, more: float
) -> None:
    x, part, age = drawn
    history = one(x, part * age if x else 0.0, age)
    near, far = model.expected(history, days)[0], model.expected(history, days * more)[0]
    assert 0 <= near <= far * (1 + 1e-6) + 1e-9 and np.isfinite(far)
    assert 0 <= model.purchase(history, days)[0] <= min(1.0, model.purchase(history, days * more)[0] + 1e-12)
    assert model.purchase(history, days)[0] <= model.expected(history, days)[0] * (1 + 1e-6) + 1e-9


@settings(max_examples=20, deadline=None)
@given(st.floats(0.3, 3), st.floats(0.5, 5), st.integers(0, 9))
def test_the_unit_of_time_changes_no_forecast(weeks: float, horizon: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    history, _ = sample()
    drawn = history.at(rng.integers(0, len(history), 500))
    scaled = History(drawn.x, drawn.recency * weeks, drawn.age * weeks)
    first, second = bg_nbd.fit(drawn), bg_nbd.fit(scaled)
    assert second.expected(scaled, horizon * weeks).sum() == pytest.approx(
        first.expected(drawn, horizon).sum(), rel=5e-3
    )
