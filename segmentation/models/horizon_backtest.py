"""How far off were forecasts over a horizon, on several spans of the past? Of buyers, purchases and money.

Spans as long as the horizon begin where one is just over today, then so many of them to a year, and a year before
each: of each, purchase models that knew what was known then expect something, and something came. A history that
does not hold two horizons is judged on spans of a fourth of it, and errors grow with the root of the distance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from segmentation.ecdf import Fractions
from segmentation.evaluation import metrics
from segmentation.evaluation.judgement import OFF
from segmentation.models.buyer_features import Buying
from segmentation.models.clv_model import BuyingModels, Predictions, predict
from segmentation.models.forecast_error import MEASURES, ForecastError, JudgedSpan, scaled, times
from segmentation.models.level_forecast import (
    AGREEING,
    FARTHEST,
    TRIED,
    YEAR,
    Level,
    Levels,
    confirmed,
    foretold,
)
from segmentation.models.optimizer import FEWEST_CUSTOMERS, FEWEST_REPEATERS, TooLittle

if TYPE_CHECKING:
    from segmentation.point_in_time import Past

FEW = 20_000  # buyers whose past is looked at: sums of more are no surer
PARTS = 4  # of a history that does not hold two horizons
UNSURE = 1.5  # standard deviations of the number of buyers that may befall probabilities
NOTICED = 0.05  # correction of a level; a smaller one is no surer than none
MONTH, QUARTER = 30, 90  # days; within a quarter seasons change
NOTHING = float("inf")  # came: there is no relative variance
LEAST = 7  # days that a judged span has


@dataclass(frozen=True)
class Told:
    """What a model with boosting said of an earlier day: by MEASURES the logarithms over what purchase models expect,
    probabilities, and who bought; None: that is not known of a whole span.
    """

    sums: Mapping[str, float]
    chance: Fractions
    bought: Fractions | None


@dataclass(frozen=True)
class _Span:
    """Of a past day: probabilities by purchase models, what came over what they expected, who bought, and by MEASURES
    the relative variance of what came, if customers were all that is uncertain.
    """

    day: date
    chance: Fractions
    levels: dict[str, float]
    bought: Fractions
    uneven: dict[str, float]


class Cuts:
    """Purchase models of past days, fitted once for all horizons."""

    def __init__(self, past: Past | None, as_of: date) -> None:
        self.past, self.as_of = None if past is None else past.few(FEW), as_of
        self.fitted: dict[int, tuple[Buying, BuyingModels] | None] = {}

    @property
    def known(self) -> int:
        """Days of history."""
        first = self.past.first if self.past is not None else None
        return (self.as_of - first).days if first is not None else 0

    def starts(self, days: int, lessons: list[int]) -> list[int]:
        """Days from the starts of spans to today; those that are fitted already serve another horizon too."""
        there = [ago for ago, models in self.fitted.items() if models and days <= ago]
        return sorted(there) if len(there) > 1 else _starts(self.known, days, lessons)

    def at(self, ago: int) -> tuple[Buying, BuyingModels] | None:
        """None: too few customers."""
        if ago not in self.fitted:
            self.fitted[ago] = self._fit(self.as_of - timedelta(days=ago))
        return self.fitted[ago]

    def _fit(self, day: date) -> tuple[Buying, BuyingModels] | None:
        features = self.past.features(day) if self.past is not None else None
        buying = Buying.of(features, day) if features is not None and len(features) else None
        if buying is None or len(buying) < FEWEST_CUSTOMERS or int(buying.repeaters.sum()) < FEWEST_REPEATERS:
            return None
        try:
            return buying, BuyingModels.fit(buying)
        except TooLittle:
            return None


def judged_days(cuts: Cuts, horizon: int) -> int:
    """Length of the spans on which forecasts over a horizon are judged; 0: on none."""
    days = horizon if cuts.known >= 2 * horizon else cuts.known // PARTS
    return days if days >= LEAST else 0


def judged(
    cuts: Cuts,
    horizon: int,
    now: tuple[Predictions, Mapping[str, float]],
    learned: Mapping[int, Told],
) -> ForecastError:
    """``now``: what models predict of today's buyers, and how forecasts lean; ``learned``: what forecasts said of
    earlier days, by the days from then to today."""
    predictions, lean = now
    days = judged_days(cuts, horizon)
    spans = _spans(cuts, days, lean["bg"], list(learned)) if days else {}
    unseen = _unseen(cuts.past.first if cuts.past is not None else None, cuts.as_of, horizon)
    said, chance = against(predictions, lean), _chance(predictions, lean, list(spans.values()))
    coming, levels = {}, {}
    for name in MEASURES:
        known = {ago: span.levels[name] for ago, span in spans.items()}
        earlier = {ago: told.sums[name] for ago, told in learned.items()}
        leaning = {0: said[name], **earlier} if earlier or abs(said[name]) > 1e-9 else {}
        levels[name] = Levels(days, known, leaning, chance[name])
        farther = max(1.0, (horizon / days) ** 0.5) if days else 1.0
        level = foretold(levels[name], 0, farther, len(unseen) / max(horizon, QUARTER))
        level = confirmed(levels[name], level, said[name])
        correction = level.level - said[name]
        correction = correction if abs(correction) >= NOTICED else 0.0
        coming[name] = Level(correction, level.low - said[name], level.high - said[name])
    latest = tuple(_judged(spans[ago], ago, levels, learned) for ago in sorted(spans)[:TRIED])
    doubt = doubt_about(predictions.probability(lean), coming["buyers"], latest)
    months = tuple(dict.fromkeys(f"{day:%B}" for day in unseen))
    return ForecastError(horizon, days if spans else 0, latest, coming, months, round(doubt, 4))


def doubt_about(chance: Fractions, buyers: Level, latest: Sequence[JudgedSpan]) -> float:
    """How far probabilities are off on average, if the number of buyers is as far off as it easily may be; or as purchases
    were, where they were off to one side again and again: who orders less and less is a buyer for a while.
    """
    off = [UNSURE * (buyers.high - buyers.low) / 4]
    missed = [span.off["purchases"] for span in latest[:AGREEING]]
    if len(missed) == AGREEING and abs(sum(map(np.sign, missed))) == AGREEING:
        nearest = min(missed, key=abs)
        off += [float(np.mean(missed))] if abs(np.expm1(nearest)) > OFF else []
    ours = scaled(chance, float(np.exp(buyers.level)))
    return max(float(np.abs(scaled(chance, float(np.exp(buyers.level + by))) - ours).mean()) for by in off)


def against(predictions: Predictions, lean: Mapping[str, float]) -> dict[str, float]:
    """What a forecast says over what purchase models expect."""
    plain = {"purchases": 0.0, "probability": 0.0, "bg": lean["bg"], "level": 1.0}
    ours, theirs = predictions.purchases(lean), predictions.purchases(plain)
    return {
        "buyers": float(np.log(times(predictions.chance, float(predictions.probability(lean).sum())))),
        "purchases": _level(ours, theirs),
        "money": _level(ours * predictions.spent, theirs * predictions.spent),
    }


def _chance(predictions: Predictions, lean: Mapping[str, float], spans: list[_Span]) -> dict[str, float]:
    """Relative standard deviations of sums: purchases spread like a negative binomial of shape 1, and money with
    them; or as unevenly as they came in past spans, if that is more.
    """
    bought, purchases = predictions.probability(lean), predictions.purchases(lean)
    money, uneven = purchases * predictions.spent, purchases * (1 + purchases)
    variances = {
        "buyers": (bought * (1 - bought), bought),
        "purchases": (uneven, purchases),
        "money": (2 * uneven * predictions.spent**2, money),
    }
    chance = {}
    for name, (variance, values) in variances.items():
        sizes = [(span.uneven[name], len(span.chance) / max(len(values), 1)) for span in spans]
        came = [uneven_ * size for uneven_, size in sizes if uneven_ < NOTHING]
        expected = float(variance.sum()) / max(float(values.sum()), 1e-9) ** 2
        chance[name] = float(np.sqrt(max(expected, float(np.median(came)) if came else 0.0)))
    return chance


def _judged(span: _Span, ago: int, levels: Mapping[str, Levels], learned: Mapping[int, Told]) -> JudgedSpan:
    """What would have been foretold of it with what was known then; probabilities as they are told today, so by
    boosting where that is used.
    """
    said = {name: foretold(of_name, ago).level for name, of_name in levels.items()}
    off = {name: round(span.levels[name] - said[name], 4) for name in MEASURES}
    chance, bought, level = span.chance, span.bought, said["buyers"]
    if any(told.bought is not None for told in learned.values()):
        told = learned.get(ago)
        if told is None or told.bought is None:
            return JudgedSpan(span.day, off)
        chance, bought, level = told.chance, told.bought, level - told.sums["buyers"]
    ece = metrics.calibration_error(scaled(chance, float(np.exp(level))), bought)
    return JudgedSpan(span.day, off, round(ece, 4))


def _unseen(first: date | None, as_of: date, horizon: int) -> list[date]:
    """Days to come whose season the data do not hold."""
    if first is None:
        return []
    coming = (as_of + timedelta(days=ahead) for ahead in range(1, min(horizon, YEAR) + 1))
    return [day for day in coming if day - timedelta(days=YEAR) < first]


def _starts(known: int, days: int, lessons: list[int]) -> list[int]:
    """Days from the starts of spans to today, the latest first."""
    every = YEAR / max(2, round(YEAR / days))
    late = [days + round(step * every) for step in range(TRIED)]
    before = [ago + YEAR for ago in late]
    wanted: list[int] = []
    for ago in (*lessons, *late, YEAR, 2 * YEAR, 3 * YEAR, *before):
        least = (
            min(days, MONTH) if ago == YEAR else days
        )  # of a year and a month, the last season is a lesson
        if days <= ago <= known - least and all(abs(ago - other) > 2 for other in wanted):
            wanted.append(ago)
    return sorted(wanted)


def _spans(cuts: Cuts, days: int, share_bg: float, lessons: list[int]) -> dict[int, _Span]:
    spans: dict[int, _Span] = {}
    for ago in cuts.starts(days, lessons):
        models = cuts.at(ago)
        if models is None or cuts.past is None:
            break
        spans[ago] = _span(cuts.past, *models, days, share_bg)
    return spans


def _span(past: Past, buying: Buying, models: BuyingModels, days: int, share_bg: float) -> _Span:
    predictions = predict(models, None, buying, days)
    day = date.fromisoformat(str(buying.now))
    came = past.outcomes(day, days)
    money, purchases = (
        came[name].to_numpy(np.float64)[buying.row] for name in ("net_revenue", "purchase_days")
    )
    expected = share_bg * predictions.bg + (1 - share_bg) * predictions.btyd
    bought = (purchases > 0).astype(np.float64)
    pairs = {
        "purchases": (purchases, expected),
        "money": (np.maximum(money, 0.0), expected * predictions.spent),
    }
    levels = {name: _level(*pair) for name, pair in pairs.items()}
    levels["buyers"] = float(np.log(times(predictions.chance, bought.sum() + 0.5)))
    uneven = {name: _uneven(came_, levels[name], told) for name, (came_, told) in pairs.items()}
    return _Span(day, predictions.chance, levels, bought, {**uneven, "buyers": 0.0})


def _uneven(came: Fractions, level: float, expected: Fractions) -> float:
    """Relative variance of a sum, from how far each customer's part was off."""
    off = came - np.exp(level) * expected
    total = float(came.sum())
    return float((off**2).sum()) / total**2 if total > 0 else NOTHING


def _level(came: Fractions, expected: Fractions) -> float:
    """With one buyer's part added to both: nothing may have come."""
    one = max(float(expected.mean()), 1e-9)
    return float(np.clip(np.log((came.sum() + one) / (expected.sum() + one)), -FARTHEST, FARTHEST))
