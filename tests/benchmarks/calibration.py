"""Are probabilities true, and does a calibration keep the order, with rare events and with frequent ones?

    python -m tests.benchmarks.calibration [--seeds 201 202 203]

Leads that nobody tuned on: few of them convert, by what they did, and the next period differs from those that
teach. A contest is learned and judged on earlier spans; printed are, on a later one that nothing has seen, AUC,
ECE and the number of different probabilities: uncalibrated, as it is, and with the steps (isotonic) of earlier
versions among the calibrations to choose from. Exit code 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from segmentation.ecdf import Fractions
from segmentation.evaluation import metrics
from segmentation.models import classifier
from segmentation.models.classifier import Forecast, Span
from segmentation.models.probability_curve import UNCHANGED, Calibration

DIFFERENT, NOISE = 500, 0.005


@dataclass(frozen=True)
class Leads:
    """``rate``: share that converts. ``bent``: how far log-odds are from a straight line. ``shift``: of the log-odds, from span to span.
    ``hopeless``: share that hardly ever converts, whatever else they do."""

    count: int
    rate: float
    bent: float
    shift: float
    hopeless: float = 0.0


BUSINESSES = {
    "rare, software": Leads(5_200, 0.006, 0.0, 0.0),
    "rare, hopeless": Leads(5_200, 0.006, 0.0, 0.0, 0.6),
    "few, hopeless": Leads(5_200, 0.03, 0.0, 0.2, 0.7),
    "rare, machines": Leads(5_200, 0.015, 0.5, -0.3),
    "leads of a fair": Leads(6_000, 0.04, 1.0, 0.3),
    "insurance": Leads(8_000, 0.12, 1.0, -0.4),
    "shop": Leads(12_000, 0.3, 1.5, 0.2),
}


def spans(leads: Leads, seed: int) -> list[Span]:
    """Four spans to learn from, and one that comes after."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 0.6, 8)
    drawn = []
    for number in range(5):
        points = rng.normal(size=(leads.count, 8))
        points[:, :4] = np.log1p(rng.poisson(1.0, (leads.count, 4)))
        odds = points @ weights + leads.bent * np.abs(points[:, 5]) * points[:, 6]
        odds -= 5.0 * (points[:, 7] < np.quantile(points[:, 7], leads.hopeless))
        odds += np.log(leads.rate / (1 - leads.rate)) - odds.mean() + leads.shift * number / 4
        chance = 1 / (1 + np.exp(-odds))
        drawn.append(Span(points, (rng.random(leads.count) < chance).astype(float)))
    return drawn


def stepped(taught: list[Span], forecast: Forecast, judged: Calibration) -> Calibration:
    """What earlier versions would have chosen: the steps too stand for election."""
    from sklearn.isotonic import IsotonicRegression

    *earlier, judge, test = taught
    name = forecast.name
    plain = test.points.shape[1]
    best, raw, options, _losses = classifier._chosen(classifier._joined(earlier), judge, plain)
    assert best == name
    seen = classifier._learner(best, classifier._joined([*earlier, judge]), options, plain).predict(
        test.points
    )
    fitted = IsotonicRegression(out_of_bounds="clip").fit(raw, judge.target)
    steps = Calibration(
        "isotonic", tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist())
    )
    return min((judged, steps), key=lambda curve: metrics.brier(curve.apply(seen), test.target))


def judged(probability: Fractions, target: Fractions) -> tuple[float, float, int]:
    """AUC, ECE and different values."""
    return (
        metrics.auc(probability, target),
        metrics.calibration_error(probability, target),
        len(np.unique(probability)),
    )


def main() -> int:
    """Exit code 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.calibration", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--seeds", type=int, nargs="*", default=[201, 202, 203])
    missed = 0
    for line, bad in _lines(parser.parse_args().seeds):
        missed += bad
        print(f"{line}{' !' if bad else ''}", flush=True)
    return int(missed > 0)


def _lines(seeds: list[int]) -> Iterator[tuple[str, bool]]:
    for name, leads in BUSINESSES.items():
        for seed in seeds:
            *taught, later = spans(leads, seed)
            contest = classifier.contest(taught)
            learner, chosen = contest.forecast.learner, contest.forecast.calibration
            before = stepped(taught, contest.forecast, chosen)
            raw = learner.predict(later.points)
            figures = {
                f"raw ({contest.forecast.name})": judged(UNCHANGED.apply(raw), later.target),
                f"now ({chosen.sort})": judged(chosen.apply(raw), later.target),
                f"before ({before.sort})": judged(before.apply(raw), later.target),
            }
            plain, now, then = figures.values()
            bad = now[0] < plain[0] - 1e-9 or now[1] > then[1] + NOISE or now[2] < DIFFERENT
            parts = (
                f"{what} AUC {auc:.4f} ECE {ece:.4f} {count:,}" for what, (auc, ece, count) in figures.items()
            )
            yield f"{name:16} seed {seed}: {'; '.join(parts)}", bad


if __name__ == "__main__":
    sys.exit(main())
