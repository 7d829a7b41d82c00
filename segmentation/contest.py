"""Which candidate would have foreseen best what has come since an earlier day? How the champion of ``segmentation.champion`` is made.

The *inner span* is the horizon, at most a fourth of the history. The contest: each candidate as of one inner span ago, judged on
what has come since; the sum of the share of revenue in its best 20% and its Gini coefficient decides. The winner is then made
anew as of today. So are two choices beside it: how far the probability of a purchase and the expected purchases lean on boosting
rather than on purchase models alone (Brier score; the greater of absolute and squared error, each against BG/NBD alone, which
stays wherever nothing is better by more than chance).

Where a year ago the same days brought more than ``SEASONAL`` times what the purchase models expected, or less than its inverse,
measured against how it went of late, the business has seasons: all is then learned and judged at the same time of earlier years.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation import measures
from segmentation.axis import Fractions
from segmentation.boosting import Boosted
from segmentation.buying import Buying
from segmentation.champion import UPRIGHT, WEEK, BoostedBuying, BuyingModels, Champion, Told, axes_of, told_of
from segmentation.maximum import FEWEST_CUSTOMERS, FEWEST_REPEATERS, TooLittle

if TYPE_CHECKING:
    from segmentation.past import Past

PARTS = 4  # inner spans that a history holds
LEARNED = 3  # earlier days that boosting learns from
LEANS = (0.0, 0.25, 0.5, 0.75, 1.0)
WINSOR = 0.99  # of revenue that boosting learns
YEAR = 365  # days
SEASONAL = 1.5
_BOOSTING = {"max_iter": 100, "max_leaf_nodes": 8, "learning_rate": 0.05, "min_samples_leaf": 60, "l2_regularization": 1.0}


@dataclass(frozen=True)
class _Lesson:
    """A day of the past: what was known then, and what came in the ``span`` days after."""

    buying: Buying
    money: Fractions
    purchases: Fractions


def fit(buying: Buying, as_of: date, horizon: int, past: Past | None) -> Champion:
    """The champion as of a day. ``horizon`` in days. Without a past there is no contest, and nothing is boosted."""
    axes = axes_of(buying)
    span = _inner_span(as_of, horizon, past)
    lessons = _lessons(past, as_of, span, span) if past is not None and span else []
    if lessons and past is not None and span < YEAR and _seasonal(lessons, _lessons(past, as_of, span, YEAR, 1), span):
        lessons = _lessons(past, as_of, span, YEAR)
    try:
        models = BuyingModels.fit(buying)
    except TooLittle as reason:
        return _judged(Champion("rfm", horizon, axes, figures={"refused": str(reason)}), lessons, span)
    return _contest(Champion("btyd", horizon, axes, models), lessons, span)


def _inner_span(as_of: date, horizon: int, past: Past | None) -> int:
    """Days; 0 where the history is too short."""
    first = past.first if past is not None else None
    return min(horizon, (as_of - first).days // PARTS) if first is not None and first < as_of else 0


def _seasonal(lessons: list[_Lesson], yearly: list[_Lesson], span: int) -> bool:
    """Did the purchase models fail a year ago, in the days that come now, quite otherwise than of late?"""
    if not yearly:
        return False
    try:
        late, then = (_surplus(lesson, span) for lesson in (lessons[0], yearly[0]))
    except TooLittle:
        return False
    return abs(float(np.log(then / late))) > float(np.log(SEASONAL))


def _surplus(lesson: _Lesson, span: int) -> float:
    """Purchases that came, over those that the purchase models expected."""
    expected = BuyingModels.fit(lesson.buying).mbg.expected(lesson.buying.history(), span / WEEK)
    return (float(lesson.purchases.sum()) + 1) / (float(expected.sum()) + 1)


def _lessons(past: Past, as_of: date, span: int, apart: int, most: int = LEARNED + 1) -> list[_Lesson]:
    """Days before as_of, so many days apart, the latest first, as long as enough was known; each with the ``span`` days after it."""
    lessons: list[_Lesson] = []
    for step in range(1, most + 1):
        day = as_of - timedelta(days=step * apart)
        if past.first is None or day <= past.first:
            break
        features = past.features(day)
        buying = Buying.of(features, day) if len(features) else None
        if buying is None or len(buying) < FEWEST_CUSTOMERS or int(buying.repeaters.sum()) < FEWEST_REPEATERS:
            break
        came = past.outcomes(day, span)
        money, purchases = (came[name].to_numpy(np.float64)[buying.row] for name in ("net_revenue", "purchase_days"))
        lessons.append(_Lesson(buying, np.maximum(money, 0.0), purchases))
    return lessons


def _contest(now: Champion, lessons: list[_Lesson], span: int) -> Champion:
    """The winner of the contest, made anew."""
    if not lessons:
        note = {"contest": {}, "note": "the past is too short for a contest"}
        return Champion(now.winner, now.horizon, now.axes, now.models, figures=note)
    judge = lessons[0]
    try:
        inner = BuyingModels.fit(judge.buying)
        then = Champion("btyd", span, axes_of(judge.buying), inner, _boosted(lessons[1:], span))
        boosted = _boosted(lessons[:LEARNED], span)
    except TooLittle as reason:
        return _judged(Champion("btyd", now.horizon, now.axes, now.models, figures={"note": str(reason)}), lessons, span)
    told = told_of(inner, then.boosted, judge.buying, span)
    scores = then.scores(judge.buying, told)
    figures = {name: _ranking(score, judge) for name, score in scores.items()}
    lean = _leaning(told, judge)
    winner = _best(figures)
    made = Champion(winner, now.horizon, now.axes, now.models, boosted if then.boosted is not None else None, lean)
    figures_all = {
        "span": span,
        "day": str(judge.buying.now),
        "customers": len(judge.buying),
        "contest": figures,
        **_foretold(told, lean, judge),
    }
    return Champion(made.winner, made.horizon, made.axes, made.models, made.boosted, lean, figures_all)


def _judged(now: Champion, lessons: list[_Lesson], span: int) -> Champion:
    """A contest of the simple scores alone."""
    if not lessons:
        return now
    judge = lessons[0]
    then = Champion("rfm", span, axes_of(judge.buying))
    figures = {name: _ranking(score, judge) for name, score in then.scores(judge.buying, None).items()}
    told = {**now.figures, "span": span, "customers": len(judge.buying), "contest": figures}
    return Champion(_best(figures), now.horizon, now.axes, now.models, figures=told)


def _best(figures: Mapping[str, Mapping[str, float]]) -> str:
    return max(figures, key=lambda name: (figures[name]["capture_20"] + figures[name]["gini"], name == "mixed"))


def _boosted(lessons: list[_Lesson], span: int) -> BoostedBuying | None:
    """Learned from lessons; None where there is none, or one in which nobody or everybody bought."""
    points, money, purchases = [], [], []
    for lesson in lessons:
        try:
            points.append(BuyingModels.fit(lesson.buying).points(lesson.buying, span))
        except TooLittle:
            break
        money.append(lesson.money)
        purchases.append(lesson.purchases)
    if not points:
        return None
    seen, paid, bought = np.vstack(points), np.concatenate(money), np.concatenate(purchases)
    if not (paid > 0).any() or not (bought > 0).any() or (bought > 0).all():
        return None
    paid = np.minimum(paid, np.quantile(paid[paid > 0], WINSOR))
    learned = (Boosted.fit(seen, paid / paid.mean(), "poisson", **_BOOSTING), Boosted.fit(seen, bought, "poisson", **_BOOSTING))
    return BoostedBuying(span, *learned, Boosted.fit(seen, (bought > 0).astype(np.int64), "log_loss", **_BOOSTING))


def _leaning(told: Told, judge: _Lesson) -> dict[str, float]:
    """How far to lean on what: what would have been best since the inner day."""
    leans = [{**UPRIGHT, "probability": lean, "purchases": lean, "bg": 0.5} for lean in (LEANS if told.boosted is not None else LEANS[:1])]
    chances = {lean["probability"]: measures.brier(told.probability(lean), judge.purchases) for lean in leans}
    return {**_surest(told, judge, leans), "probability": min(chances, key=chances.__getitem__)}


def _surest(told: Told, judge: _Lesson, leans: list[dict[str, float]]) -> dict[str, float]:
    """The best of those that foresaw purchases better than BG/NBD by more than chance (one standard error); else BG/NBD alone."""
    came, chosen, least = judge.purchases, dict(UPRIGHT), 1.0
    for lean in leans:
        off, theirs, ratios = np.abs(told.purchases(lean) - came), np.abs(told.bg - came), []
        for ours, other in ((off, theirs), (off**2, theirs**2)):
            error = float((ours - other).std()) / len(came) ** 0.5
            ratios.append((float(ours.mean()) + error) / max(float(other.mean()), 1e-12))
        if max(ratios) < least:
            chosen, least = lean, max(ratios)
    return chosen


def _errors(expected: Fractions, judge: _Lesson) -> tuple[float, float]:
    """Mean absolute and root mean squared."""
    off = expected - judge.purchases
    return float(np.abs(off).mean()), float(np.sqrt((off**2).mean()))


def _ranking(score: Fractions, judge: _Lesson) -> dict[str, float]:
    if judge.money.sum() <= 0:
        return {"capture_20": 0.0, "gini": 0.0, "auc": 0.0}
    area = measures.auc(score, judge.purchases)
    figures = {"capture_20": measures.capture(score, judge.money), "gini": measures.gini(score, judge.money), "auc": area}
    return {name: round(float(np.nan_to_num(value)), 4) for name, value in figures.items()}


def _foretold(told: Told, lean: Mapping[str, float], judge: _Lesson) -> dict[str, Any]:
    """How true the forecasts were: of the past, with what was known then."""
    probability, purchases = told.probability(lean), told.purchases(lean)
    absolute, squared = _errors(purchases, judge)
    base, foreseen = float(judge.purchases.sum()), float((purchases * told.spent).sum())
    figures = {
        "brier": measures.brier(probability, judge.purchases),
        "ece": measures.calibration_error(probability, judge.purchases),
        "auc": measures.auc(probability, judge.purchases),
        "base_rate": float((judge.purchases > 0).mean()),
        "mean_absolute_error": absolute,
        "root_mean_squared_error": squared,
        "bias_purchases": float(purchases.sum()) / base - 1 if base else 0.0,
        "bias_money": foreseen / float(judge.money.sum()) - 1 if judge.money.sum() > 0 else 0.0,
    }
    return {name: round(float(np.nan_to_num(value)), 4) for name, value in figures.items()}
