"""Does a calibration keep the order of what it calibrates, and is it no finer than its events allow?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.evaluation import metrics
from segmentation.models import classifier
from segmentation.models.probability_curve import FEWEST, Calibration, calibrations, curve, log_odds, sigmoid

LEADS = st.tuples(
    st.integers(0, 2**32 - 1),
    st.integers(50, 4000),
    st.sampled_from([0.01, 0.05, 0.3, 0.7]),
    st.floats(-3, 3),
)


def drawn(seed: int, count: int, rate: float, slope: float) -> tuple[np.ndarray, np.ndarray]:
    """Raw probabilities, some of them equal, and what came: with a negative slope, the contrary of what they say."""
    rng = np.random.default_rng(seed)
    raw = sigmoid(np.round(rng.normal(log_odds(np.array([rate]))[0], 1.5, count), 2))
    came = (rng.random(count) < sigmoid(slope * log_odds(raw))).astype(float)
    came[:2] = 0, 1
    return raw, came


@settings(max_examples=60, deadline=None)
@given(LEADS)
def test_ties_stand_only_where_scores_tie_and_nobody_changes_places(
    leads: tuple[int, int, float, float],
) -> None:
    raw, came = drawn(*leads)
    values = np.unique(raw)
    for calibration in calibrations(raw, came):
        true = calibration.apply(values)
        assert ((true > 0) & (true < 1)).all()
        assert (np.diff(true) > 0).all(), calibration.sort
        assert metrics.auc(calibration.apply(raw), came) == metrics.auc(raw, came)


def test_few_events_get_no_curve() -> None:
    raw, came = drawn(1, 6000, 0.01, 1.0)
    assert came.sum() < FEWEST
    assert [calibration.sort for calibration in calibrations(raw, came)] == ["none", "level", "sigmoid"]


def test_many_events_get_a_curve_that_follows_their_rates() -> None:
    rng = np.random.default_rng(2)
    raw = rng.uniform(0.02, 0.98, 40_000)
    truth = np.where(raw < 0.5, raw / 4, raw - 0.375)  # no straight line in log-odds
    came = (rng.random(len(raw)) < truth).astype(float)
    bent = curve(raw, came)
    assert bent is not None and len(bent.x) > 5
    assert np.abs(bent.apply(raw) - truth).mean() < 0.02
    assert metrics.calibration_error(bent.apply(raw), came) < 0.01


def test_a_calibration_that_would_turn_the_order_round_does_not_stand_for_election() -> None:
    raw, came = drawn(3, 4000, 0.3, -1.0)
    assert "sigmoid" not in {calibration.sort for calibration in calibrations(raw, came)}


def test_steps_of_a_model_of_an_earlier_version_still_count() -> None:
    steps = Calibration("isotonic", (0.1, 0.2, 0.3), (0.0, 0.0, 0.5))
    assert steps.apply(np.array([0.05, 0.15, 0.25, 0.9])) == pytest.approx([0, 0, 0.25, 0.5])


def test_rare_leads_have_as_many_probabilities_as_scores() -> None:
    rng = np.random.default_rng(5)

    def span() -> classifier.Span:
        points = rng.normal(size=(5000, 5))
        hopeless = points[:, 0] < 0.5
        chance = sigmoid(points[:, 1] - 4 - 5 * hopeless)
        return classifier.Span(points, (rng.random(5000) < chance).astype(float))

    winner = classifier.contest([span(), span(), span(), span()])
    assert len(np.unique(winner.tested)) >= 500
    assert winner.figures["different"] == len(np.unique(winner.tested))
    assert winner.figures["auc"] == winner.figures["auc_uncalibrated"]
