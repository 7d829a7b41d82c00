"""Which candidate would have foreseen best what has come since an earlier day? How the champion of
``segmentation.models.clv_model`` is made.

Each candidate as of the latest lesson (``segmentation.models.backtest_splits``) is judged on what has come since: the sum of
the share of revenue in its best 20% and its Gini coefficient decides. The favourite, ``mixed`` (``btyd``
where nothing is boosted), errs least over many businesses and gives way only to what did better by more than
chance. The winner is then made again as of today. Where buyers are too few for purchase models, the simple
scores compete, over all lessons together.

So are two choices beside it, how far the probability of a purchase and the expected purchases lean on
boosting rather than on purchase models alone. What stands without proof is MBG/NBD for the one (Brier score;
better by more than one standard error) and BG/NBD for the other (both absolute and squared error; two). Where
purchase models were far off in the lessons, squared error alone judges expectations: most buy nothing, so
absolute error would reward whoever expects too little. Where moreover nothing is boosted, that level is put
on the purchase models themselves.

Where purchases are few contracts rather than many baskets, models must first prove on the judged days that
they tell buyers apart: by an AUC of the probability above one half by more than one standard error (that of
the rank sum, Mann and Whitney 1947). Else they say no: the simple scores compete, spending among them, and
nothing is predicted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation.ecdf import Flags, Fractions
from segmentation.evaluation import metrics
from segmentation.models import horizon_backtest
from segmentation.models.backtest_splits import BacktestSplit, lessons, level, small_lessons
from segmentation.models.boosting import Boosted
from segmentation.models.buyer_features import Buying
from segmentation.models.clv_model import (
    UPRIGHT,
    BoostedBuying,
    BuyingModels,
    ClvModel,
    Predictions,
    axes_of,
    predict,
)
from segmentation.models.forecast_error import ForecastError
from segmentation.models.horizon_backtest import Told, against
from segmentation.models.optimizer import TooLittle

if TYPE_CHECKING:
    from segmentation.point_in_time import Past

CONTRACTS = 5.0  # purchase days per buyer: fewer are few contracts
REPORTED = 90  # days: forecasts that a report shows
SOME = 200_000  # buyers whose forecasts are summed
LEARNED = 3  # lessons that boosting learns from
LEANS = (0.0, 0.25, 0.5, 0.75, 1.0)
WINSOR = 0.99  # of revenue that boosting learns
FOLDS = 10  # of buyers, whose spread tells what is chance
Tested = list[tuple[BacktestSplit, BoostedBuying]]  # with what was learned before each
_BOOSTING = {
    "max_iter": 100,
    "max_leaf_nodes": 8,
    "learning_rate": 0.05,
    "min_samples_leaf": 60,
    "l2_regularization": 1.0,
}


def fit(buying: Buying, as_of: date, horizon: int, past: Past | None) -> ClvModel:
    """The champion as of a day. ``horizon`` in days.

    Without a past there is no contest, and nothing is boosted.
    """
    axes = axes_of(buying)
    try:
        models = BuyingModels.fit(buying)
    except TooLittle as reason:
        return _judged(
            ClvModel("rfm", horizon, axes, figures={"refused": str(reason)}),
            small_lessons(past, as_of, horizon),
        )
    taught = lessons(past, as_of, horizon)
    champion, tested = _contest(ClvModel("btyd", horizon, axes, models), taught)
    if champion.models is None:
        return champion
    return replace(champion, errors=_errors(champion, buying, tested, past))


def _errors(
    champion: ClvModel, buying: Buying, tested: Tested, past: Past | None
) -> dict[int, ForecastError]:
    """How far off forecasts are over the model's horizon and that of a report
    (``segmentation.models.horizon_backtest``)."""
    assert champion.models is not None
    as_of = date.fromisoformat(str(buying.now))
    some = buying.at(slice(None, None, -(-len(buying) // SOME)))
    cuts, errors = horizon_backtest.Cuts(past, as_of), {}
    near = abs(champion.horizon - REPORTED) <= 0.1 * REPORTED
    for horizon in (champion.horizon,) if near else (champion.horizon, REPORTED):
        days = horizon_backtest.judged_days(cuts, horizon)
        told = {
            int((buying.now - lesson.buying.now).astype(int)): _told(lesson, before, days, champion.lean)
            for lesson, before in tested
            if days
        }
        now = predict(champion.models, champion.boosted, some, horizon), champion.lean
        errors[horizon] = horizon_backtest.judged(cuts, horizon, now, told)
    return errors


def _told(lesson: BacktestSplit, before: BoostedBuying, days: int, lean: Mapping[str, float]) -> Told:
    """What boosting that was learned before a lesson said of the days after it."""
    said = predict(lesson.models, before, lesson.buying, days)
    bought = (lesson.purchases > 0).astype(np.float64) if lesson.span == days else None
    return Told(against(said, lean), said.probability(lean), bought)


def _contest(now: ClvModel, taught: list[BacktestSplit]) -> tuple[ClvModel, Tested]:
    """The winner of the contest, made again, and what boosting was tested on where forecasts lean on it."""
    if not taught:
        return replace(now, figures={"contest": {}, "note": "the past is too short for a contest"}), []
    judge, boosted = taught[0], _boosted(taught[:LEARNED]) if len(taught) > 1 else None
    before = _boosted(taught[1:]) if boosted is not None else None
    then = ClvModel("btyd", judge.span, axes_of(judge.buying), judge.models, before)
    estimates = predict(judge.models, then.boosted, judge.buying, judge.span)
    scores = then.scores(judge.buying, estimates)
    figures = {name: _ranking(score, judge) for name, score in scores.items()}
    winner, note = _winner(figures, scores, judge)
    lean = _leaning(estimates, judge, level(taught[:LEARNED]))
    if unproven := _unproven(estimates.probability(lean), judge):
        return _judged(ClvModel("rfm", now.horizon, now.axes, figures={"refused": unproven}), taught), []
    told_all = {**_about(judge), "contest": figures, **note, **_foretold(estimates, lean, judge)}
    boosted = boosted if before is not None else None
    champion = replace(now, winner=winner, boosted=boosted, lean=lean, figures=told_all)
    if before is None or not (lean["purchases"] or lean["probability"]):
        return champion, []
    earlier = _boosted(taught[2:], scores=False)
    return champion, [(judge, before), *([(taught[1], earlier)] if earlier is not None else [])]


def _unproven(probability: Fractions, judge: BacktestSplit) -> str:
    """Why the models must not predict; "" where they may."""
    bought = judge.purchases > 0
    some = int(bought.sum())
    if judge.buying.days.mean() >= CONTRACTS or not 0 < some < len(bought):
        return ""
    area = metrics.auc(probability, judge.purchases)
    chance = 0.5 + ((len(bought) + 1) / (12 * some * (len(bought) - some))) ** 0.5
    if area > chance:
        return ""
    return (
        f"purchases are few ({judge.buying.days.mean():.1f} per buyer), and who of {len(bought)} bought in the {judge.span} days from "
        f"{judge.buying.now} on ({some} did) was predicted no better than by chance (AUC {area:.2f}): so there is no "
        "forecast, and the best "
        "simple score ranks"
    )


def _judged(now: ClvModel, taught: list[BacktestSplit]) -> ClvModel:
    """A contest of the simple scores alone, over all lessons: few buyers in one say little."""
    if not taught:
        return now
    rankings = []
    for judge in taught:
        scores = ClvModel("rfm", judge.span, axes_of(judge.buying)).scores(judge.buying, None)
        rankings.append({name: _ranking(score, judge) for name, score in scores.items()})
    figures = {
        name: {
            key: round(float(np.mean([ranking[name][key] for ranking in rankings])), 4)
            for key in rankings[0][name]
        }
        for name in rankings[0]
    }
    return replace(
        now, winner=_best(figures), figures={**now.figures, **_about(taught[0]), "contest": figures}
    )


def _about(judge: BacktestSplit) -> dict[str, Any]:
    return {"span": judge.span, "day": str(judge.buying.now), "customers": len(judge.buying)}


def _winner(
    figures: Mapping[str, Mapping[str, float]], scores: Mapping[str, Fractions], judge: BacktestSplit
) -> tuple[str, dict[str, str]]:
    """The best, unless it is ahead of the favourite by no more than one standard error; and what to say of
    it.
    """
    best, favourite = _best(figures), "mixed" if "mixed" in scores else "btyd"
    if best == favourite:
        return best, {}
    fold = np.random.default_rng(FOLDS).permutation(len(judge.money)) % FOLDS
    parts = [_ahead(scores[best], scores[favourite], judge.money, fold == n) for n in range(FOLDS)]
    if (
        _ahead(scores[best], scores[favourite], judge.money, fold >= 0)
        > float(np.std(parts, ddof=1)) / FOLDS**0.5
    ):
        return best, {}
    return favourite, {"note": f"{best} was ahead by no more than chance"}


def _best(figures: Mapping[str, Mapping[str, float]]) -> str:
    return max(
        figures, key=lambda name: (figures[name]["capture_20"] + figures[name]["gini"], name == "mixed")
    )


def _ahead(score: Fractions, other: Fractions, money: Fractions, rows: Flags) -> float:
    """By how much a score ranks these buyers better than the other."""
    came = money[rows]
    if came.sum() <= 0:
        return 0.0
    merits = (
        metrics.capture(candidate[rows], came) + metrics.gini(candidate[rows], came)
        for candidate in (score, other)
    )
    return next(merits) - next(merits)


def _boosted(taught: list[BacktestSplit], scores: bool = True) -> BoostedBuying | None:
    """Learned from lessons; None where there is none, or one in which nobody or everybody bought. Without ``scores``
    money is not learned: only these need it.
    """
    if not taught:
        return None
    seen = np.vstack([lesson.points for lesson in taught])
    paid, bought = (
        np.concatenate([getattr(lesson, name) for lesson in taught]) for name in ("money", "purchases")
    )
    if not (paid > 0).any() or not (bought > 0).any() or (bought > 0).all():
        return None
    paid = np.minimum(paid, np.quantile(paid[paid > 0], WINSOR))
    purchases = Boosted.fit(seen, bought, "poisson", **_BOOSTING)
    money = Boosted.fit(seen, paid / paid.mean(), "poisson", **_BOOSTING) if scores else purchases
    return BoostedBuying(
        taught[0].span,
        money,
        purchases,
        Boosted.fit(seen, (bought > 0).astype(np.int64), "log_loss", **_BOOSTING),
    )


def _leaning(estimates: Predictions, judge: BacktestSplit, times: float) -> dict[str, float]:
    """How far to lean on what: what would have been best since the day of the lesson, if that is sure.

    Boosting knows the level.
    """
    shares, plain = (LEANS, 1.0) if estimates.boosted is not None else (LEANS[:1], times)
    leans = [{**UPRIGHT, "purchases": share, "bg": 0.5, "level": plain} for share in shares]
    off = [np.abs(estimates.purchases(lean) - judge.purchases) for lean in (*leans, UPRIGHT)]
    *errors, usual = [(trial, trial**2) if times == 1 else (trial**2,) for trial in off]
    number = _surest(errors, usual, 2.0)
    lean = dict(UPRIGHT) if number is None else leans[number]
    leans = [{**lean, "probability": share} for share in shares]
    surprise = [((estimates.probability(trial) - (judge.purchases > 0)) ** 2,) for trial in leans]
    return leans[_surest(surprise, surprise[0], 1.0) or 0]


def _surest(losses: Sequence[tuple[Fractions, ...]], usual: tuple[Fractions, ...], sure: float) -> int | None:
    """Which has the least mean losses, each against the usual one's, so many standard errors of the
    difference added; None: the usual.
    """
    chosen, least = None, 1.0
    for position, ours in enumerate(losses):
        pairs = zip(ours, usual, strict=True)
        ratios = [
            (loss.mean() + sure * (loss - other).std() / len(loss) ** 0.5) / max(other.mean(), 1e-12)
            for loss, other in pairs
        ]
        if max(ratios) < least:
            chosen, least = position, float(max(ratios))
    return chosen


def _ranking(score: Fractions, judge: BacktestSplit) -> dict[str, float]:
    if judge.money.sum() <= 0:
        return {"capture_20": 0.0, "gini": 0.0, "auc": 0.0}
    area = metrics.auc(score, judge.purchases)
    figures = {
        "capture_20": metrics.capture(score, judge.money),
        "gini": metrics.gini(score, judge.money),
        "auc": area,
    }
    return {name: round(float(np.nan_to_num(value)), 4) for name, value in figures.items()}


def _foretold(estimates: Predictions, lean: Mapping[str, float], judge: BacktestSplit) -> dict[str, Any]:
    """How true the forecasts were: of the past, with what was known then."""
    probability, purchases = estimates.probability(lean), estimates.purchases(lean)
    off = purchases - judge.purchases
    base, foreseen = float(judge.purchases.sum()), float((purchases * estimates.spent).sum())
    figures = {
        "brier": metrics.brier(probability, judge.purchases),
        "ece": metrics.calibration_error(probability, judge.purchases),
        "auc": metrics.auc(probability, judge.purchases),
        "base_rate": float((judge.purchases > 0).mean()),
        "mean_absolute_error": float(np.abs(off).mean()),
        "root_mean_squared_error": float((off**2).mean() ** 0.5),
        "bias_purchases": float(purchases.sum()) / base - 1 if base else 0.0,
        "bias_money": foreseen / float(judge.money.sum()) - 1 if judge.money.sum() > 0 else 0.0,
    }
    return {name: round(float(np.nan_to_num(value)), 4) for name, value in figures.items()}
