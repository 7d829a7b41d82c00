"""Who will bring how much? The score that did best on this business's own past, and forecasts over a horizon.

Candidates for the ranking:
    rfm       mean of the mid-rank percentiles of last purchase, purchase days and net revenue of a year
    recency, frequency, spend     the last purchase, purchase days, net revenue so far
    btyd      MBG/NBD x Gamma-Gamma: expected purchases times expected spending
    boosted   boosting over the same and over windows of 7 to 365 days, learned from what came after earlier
              days
    mixed     geometric mean of btyd, boosted, and boosted purchases times expected spending
Who wins is decided by a contest on the past (``segmentation.models.model_selection``), and so is how far forecasts lean on
boosting. Forecasts of another horizon than the inner span: the odds of boosting are carried over by the
purchase model's own ratio. Where there is too little to learn from, the first two lines remain, nothing is
predicted, and the model says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segmentation.ecdf import EmpiricalCdf, Fractions
from segmentation.models import bg_nbd, gamma_gamma
from segmentation.models.bg_nbd import Purchasing
from segmentation.models.boosting import Boosted
from segmentation.models.buyer_features import Buying
from segmentation.models.forecast_error import MEASURES, ForecastError, scaled
from segmentation.models.gamma_gamma import Spending
from segmentation.models.optimizer import TooLittle

CANDIDATES = ("rfm", "recency", "frequency", "spend", "btyd", "boosted", "mixed")
CHUNK = 500_000
WEEK = 7.0
UPRIGHT: Mapping[str, float] = {
    "probability": 0.0,
    "purchases": 0.0,
    "bg": 1.0,
    "level": 1.0,
}  # purchase models as they are
_YEAR = -1  # place of the window of 365 days


@dataclass(frozen=True)
class Forecast:
    """Of each buyer: the ranking score, and over a horizon the probability of a purchase, expected purchases,
    expected money.

    The last three are None where there is too little to learn from.
    """

    score: Fractions
    probability: Fractions | None = None
    purchases: Fractions | None = None
    money: Fractions | None = None


@dataclass(frozen=True)
class BuyingModels:
    """Purchase models of a day."""

    mbg: Purchasing
    bg: Purchasing
    spending: Spending

    @classmethod
    def fit(cls, buying: Buying) -> BuyingModels:
        """TooLittle: too few customers. Where spending cannot be learned, all are taken to spend alike."""
        history = buying.history()
        mbg = bg_nbd.fit(history, "mbg")
        try:
            spent = gamma_gamma.fit(buying.days, buying.mean)
        except TooLittle:
            spent = gamma_gamma.alike(max(float(buying.net.sum() / buying.days.sum()), 0.0))
        return cls(mbg, bg_nbd.fit(history, "bg"), spent)

    def points(self, buying: Buying, span: float) -> np.ndarray[Any, np.dtype[np.float64]]:
        """What boosting looks at."""
        history, spent = buying.history(), self.spending.expected(buying.days, buying.mean)
        expected = self.mbg.expected(history, span / WEEK)
        return buying.matrix(self.mbg.purchase(history, span / WEEK), expected, spent, expected * spent)


@dataclass(frozen=True)
class BoostedBuying:
    """What boosting learned of ``span`` days: money (in units of its mean), purchases, and whether there is
    one.
    """

    span: int
    money: Boosted
    purchases: Boosted
    any: Boosted


@dataclass(frozen=True)
class ClvModel:
    """The winner and all that it needs. ``figures`` tell the contest."""

    winner: str
    horizon: int  # days
    axes: Mapping[str, EmpiricalCdf]
    models: BuyingModels | None = None
    boosted: BoostedBuying | None = None
    lean: Mapping[str, float] = field(default_factory=lambda: dict(UPRIGHT))
    figures: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[int, ForecastError] = field(default_factory=dict)  # of forecasts, by horizon

    def error(self, horizon: int | None = None) -> ForecastError | None:
        """How far off forecasts over a horizon are, judged at the nearest one; None: a model of before, that was
        not judged like that."""
        days = horizon or self.horizon
        nearest = min(self.errors, key=lambda judged: abs(np.log(judged / days)), default=None)
        return None if nearest is None else self.errors[nearest]

    def forecast(
        self, buying: Buying, horizon: int | None = None, error: ForecastError | None = None
    ) -> Forecast:
        """In chunks, so that ten million buyers need no more memory than half a million.

        ``horizon`` in days, else the model's. ``error``: what corrects it, else what was judged nearest to it.
        """
        days = horizon or self.horizon
        parts = [
            self._part(buying.at(slice(at, at + CHUNK)), days, error or self.error(days))
            for at in range(0, max(len(buying), 1), CHUNK)
        ]
        if parts[0].probability is None:
            return Forecast(np.concatenate([part.score for part in parts]))
        return Forecast(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in Forecast.__dataclass_fields__
            )
        )

    def _part(self, buying: Buying, horizon: int, error: ForecastError | None) -> Forecast:
        estimates = self._told(buying, horizon)
        scores = self.scores(buying, estimates)
        if estimates is None or self.models is None:
            return Forecast(scores[self.winner])
        probability, purchases = estimates.probability(self.lean), estimates.purchases(self.lean)
        money = purchases * estimates.spent
        if error is None:
            return Forecast(scores[self.winner], probability, purchases, money)
        if error.refused:
            return Forecast(scores[self.winner])
        buyers, bought, paid = (error.times(name) for name in MEASURES)
        return Forecast(scores[self.winner], scaled(probability, buyers), bought * purchases, paid * money)

    def scores(self, buying: Buying, estimates: Predictions | None) -> dict[str, Fractions]:
        """Scores of all candidates that there are."""
        scores = {"rfm": _rank(self.axes, buying), "recency": 1 / (1.0 + buying.silent)}
        scores |= {"frequency": buying.days.astype(np.float64), "spend": np.maximum(buying.net, 0.0)}
        if estimates is not None:
            btyd = estimates.btyd * estimates.spent
            scores["btyd"] = btyd
            if estimates.boosted is not None:
                money, counted = estimates.money, estimates.boosted["purchases"] * estimates.spent
                scores["boosted"] = money
                scores["mixed"] = np.exp(
                    np.mean([np.log(np.maximum(score, 1e-300)) for score in (btyd, money, counted)], axis=0)
                )
        return scores

    def _told(self, buying: Buying, horizon: int) -> Predictions | None:
        return predict(self.models, self.boosted, buying, horizon) if self.models is not None else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        stored: dict[str, Any] = {
            "winner": self.winner,
            "horizon": self.horizon,
            "lean": dict(self.lean),
            "figures": dict(self.figures),
        }
        stored["axes"] = {name: axis.to_dict() for name, axis in self.axes.items()}
        if self.errors:
            stored["errors"] = [error.to_dict() for error in self.errors.values()]
        if self.models is not None:
            stored["models"] = {name: model.to_dict() for name, model in vars(self.models).items()}
        if self.boosted is not None:
            learned = {name: getattr(self.boosted, name).to_dict() for name in ("money", "purchases", "any")}
            stored["boosted"] = {"span": self.boosted.span, **learned}
        return stored

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> ClvModel:
        """What ``to_dict`` gave."""
        models = boosted = None
        if "models" in stored:
            kept = stored["models"]
            models = BuyingModels(
                Purchasing.from_dict(kept["mbg"]),
                Purchasing.from_dict(kept["bg"]),
                Spending.from_dict(kept["spending"]),
            )
        if "boosted" in stored:
            kept = stored["boosted"]
            boosted = BoostedBuying(
                kept["span"], *(Boosted.from_dict(kept[name]) for name in ("money", "purchases", "any"))
            )
        axes = {name: EmpiricalCdf.from_dict(axis) for name, axis in stored["axes"].items()}
        errors = {error["horizon"]: ForecastError.from_dict(error) for error in stored.get("errors", [])}
        own = (stored["winner"], stored["horizon"], axes, models, boosted)
        return cls(*own, stored["lean"], stored["figures"], errors)


@dataclass(frozen=True)
class Predictions:
    """What the models say of buyers over a horizon.

    ``boosted``: probability and purchases; None: nothing was boosted.
    """

    spent: Fractions
    chance: Fractions  # by MBG/NBD
    btyd: Fractions
    bg: Fractions
    money: Fractions
    boosted: Mapping[str, Fractions] | None = None

    def probability(self, lean: Mapping[str, float]) -> Fractions:
        """Of a purchase: so far by boosting, the rest by MBG/NBD, as if purchases came ``level`` times as
        often.
        """
        seldom = np.log1p(-np.minimum(self.chance, 1 - 1e-12))
        plain = self.chance if lean.get("level", 1.0) == 1 else -np.expm1(lean["level"] * seldom)
        return self._leaning("probability", plain, lean)

    def purchases(self, lean: Mapping[str, float]) -> Fractions:
        """Expected: so far by boosting, and of the rest so far by BG/NBD, else by MBG/NBD, times ``level``."""
        share = lean.get("bg", 0.5)
        plain = lean.get("level", 1.0) * (share * self.bg + (1 - share) * self.btyd)
        return self._leaning("purchases", plain, lean)

    def _leaning(self, name: str, plain: Fractions, lean: Mapping[str, float]) -> Fractions:
        return plain if self.boosted is None else (1 - lean[name]) * plain + lean[name] * self.boosted[name]


def predict(models: BuyingModels, boosted: BoostedBuying | None, buying: Buying, horizon: int) -> Predictions:
    history, weeks = buying.history(), horizon / WEEK
    probability, expected = models.mbg.purchase(history, weeks), models.mbg.expected(history, weeks)
    by_bg = models.bg.expected(history, weeks)
    spent = models.spending.expected(buying.days, buying.mean)
    if boosted is None:
        return Predictions(spent, probability, expected, by_bg, expected * spent)
    points, span = models.points(buying, boosted.span), boosted.span / WEEK
    money, purchases, some = (
        boosted.money.predict(points),
        boosted.purchases.predict(points),
        boosted.any.predict(points),
    )
    if horizon != boosted.span:
        inner = models.mbg.purchase(history, span)
        ratio = np.log1p(-np.minimum(probability, 1 - 1e-12)) / np.log1p(-np.clip(inner, 1e-12, 1 - 1e-12))
        some = -np.expm1(ratio * np.log1p(-np.clip(some, 0.0, 1 - 1e-12)))
        purchases = purchases * expected / np.maximum(models.mbg.expected(history, span), 1e-12)
    return Predictions(
        spent, probability, expected, by_bg, money, {"probability": some, "purchases": purchases}
    )


def _rank(axes: Mapping[str, EmpiricalCdf], buying: Buying) -> Fractions:
    """Mean of mid-rank percentiles among the buyers of the fit."""
    if not axes:
        return np.zeros(len(buying))
    values = _ranked(buying)
    return np.asarray(np.mean([axes[name].midrank(values[name]) for name in axes], axis=0), np.float64)


def _ranked(buying: Buying) -> dict[str, Any]:
    money, often = buying.net_within[_YEAR].astype(np.int64), buying.days_within[_YEAR].astype(np.int64)
    return {"recency": -buying.silent, "frequency": often, "money": money}


def axes_of(buying: Buying) -> dict[str, EmpiricalCdf]:
    return (
        {name: EmpiricalCdf.fit(values, []) for name, values in _ranked(buying).items()}
        if len(buying)
        else {}
    )
