"""Are the measures what their formulas say, row by row?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.evaluation import metrics


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(1, 12), st.integers(0, 10_000))
def test_the_qini_curve_is_its_formula_and_ties_share(count: int, levels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    score, outcome, treated = (
        rng.integers(0, levels, count).astype(float),
        (rng.random(count) < 0.4).astype(float),
        rng.random(count) < 0.5,
    )
    taken, gained = metrics.qini_curve(score, outcome, treated)
    curve = [(0.0, 0.0)]
    for least in sorted(set(score), reverse=True):
        inside = score >= least
        here, there = inside & treated, inside & ~treated
        lost = outcome[there].sum() * here.sum() / there.sum() if there.any() else 0.0
        curve.append((float(inside.sum()), float(outcome[here].sum() - lost)))
    assert np.column_stack([taken, gained]) == pytest.approx(np.array(curve), abs=1e-9)
    area = sum((x2 - x1) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in pairwise(curve))
    assert metrics.qini(score, outcome, treated) == pytest.approx(
        (area - curve[-1][1] * count / 2) / count**2, abs=1e-9
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(1, 12), st.integers(0, 10_000))
def test_auc_is_the_chance_to_rank_a_buyer_above_another(count: int, levels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    score, outcome = rng.integers(0, levels, count).astype(float), rng.random(count) < 0.5
    pairs = [(a > b) + 0.5 * (a == b) for a in score[outcome] for b in score[~outcome]]
    area = metrics.auc(score, outcome.astype(float))
    assert np.isnan(area) if not pairs else area == pytest.approx(np.mean(pairs))


def test_a_capture_takes_ties_in_part_and_an_oracle_has_a_gini_of_one() -> None:
    money = np.array([100.0, 50.0, 0.0, 0.0, 0.0])
    assert metrics.capture(np.array([5.0, 4.0, 3.0, 2.0, 1.0]), money, 0.2) == pytest.approx(100 / 150)
    assert metrics.capture(np.ones(5), money, 0.2) == pytest.approx(0.2)
    assert metrics.gini(money, money) == pytest.approx(1.0) and metrics.gini(
        np.ones(5), money
    ) == pytest.approx(0.0)


def test_calibration_errors_are_means_over_groups_of_equal_count() -> None:
    probability, outcome = np.repeat([0.1, 0.5, 0.9], 10), np.repeat([0.0, 1.0, 1.0], 10)
    assert metrics.calibration_error(probability, outcome, bins=3) == pytest.approx((0.1 + 0.5 + 0.1) / 3)
    assert metrics.brier(probability, outcome) == pytest.approx((0.01 + 0.25 + 0.01) / 3)
