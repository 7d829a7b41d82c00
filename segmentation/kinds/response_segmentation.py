"""How is a response model learned, and how are its segments given? (kind ``response``)

The model learns from earlier days (``segmentation.kinds.response_cuts``) and is judged on the latest, which it
has not seen (``segmentation.models.classifier``). Beside traits it looks at habits, what a record buys by
category (``segmentation.models.category_features``), where that predicts better. Fields that we write
ourselves are no features, nor is anything of people who object. Attributes have no history: they are those of
today also at earlier cuts, so name none that the event changes.

    likely     the expected value covers the cost of a contact: probability * value >= cost
    possible   it covers half of it
    unlikely   less;  without cost and value: the top fifth, the next three tenths, the rest as of the last
               cut
    unscored   there is no trustworthy model: fewer than ``FEWEST`` events, or an AUC below ``LEAST_AUC``; or
               nothing to lose; or the record has done nothing, and such records were not known on earlier days

A record moves as ``segmentation.hysteresis`` says; the score is the probability itself, to rank by within a
list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from segmentation import frames, model_file, reason_text
from segmentation.ecdf import EmpiricalCdf, Flags, Fractions, Integers
from segmentation.feature_request import Needs
from segmentation.hysteresis import Circumstances, settle
from segmentation.kinds import response_cuts as cuts
from segmentation.kinds.base import Account
from segmentation.kinds.labelling import Given, LabellingKind, Start
from segmentation.kinds.number_values import Forecasts, given
from segmentation.kinds.response import LIKELY, POSSIBLE, UNLIKELY, UNSCORED, Response
from segmentation.kinds.response_cuts import Cut
from segmentation.kinds.response_traits import WINDOWS, buying, doing, grows
from segmentation.models import classifier
from segmentation.models.category_features import Habits
from segmentation.models.classifier import Forecast, Span
from segmentation.models.design_matrix import BASKETS, Points
from segmentation.models.encoder import Encoder, columns_of, traits_of
from segmentation.point_in_time import RESPONSE, SENT, Past
from segmentation.rules.comparison import ATTRIBUTE

if TYPE_CHECKING:
    import ibis

LEAST_AUC = 0.6
HABITS = 365  # days
WITH_HABITS = 300_000  # of more records in all, a hundred columns of habits would take too much memory
# days of activity before the earliest cut, from which counts of all history mean the same at every cut
OLD = 730
KNOWN = 0.02  # share of the records that must have a trait
TOP, NEXT = 0.2, 0.5  # from the top: likely, and possible, where no cost and value are told
_LEVELS = (UNSCORED, UNLIKELY, POSSIBLE, LIKELY)
_FINE = 1_000_000  # probabilities as whole numbers


class ResponseSegmentation(LabellingKind[Response, pd.DataFrame]):
    """Likely, possible, unlikely."""

    def __init__(self, kind: Response, account: Account) -> None:
        """ValueError where an attribute cannot be learned from."""
        super().__init__(kind, account)
        asked = [kind.target] if kind.target != "purchase" else []
        asked += [SENT, RESPONSE] if kind.campaign_pattern else []
        types = tuple(dict.fromkeys([*kind.activity_types, *asked]))
        looked = traits_of(kind.categories, kind.learned, account.attributes)
        done = (*buying(), *(trait for name in types for trait in doing(name)))
        self.traits = (*done, *looked)
        self._dated = [trait.column for trait in done if trait.sort == "day"]
        self.needs = Needs(
            windows=WINDOWS,
            kinds=types,
            categories=kind.categories,
            horizon=kind.within_days is None,
            baskets=(HABITS,),
        )

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """record, its baskets, and what is known of each trait; an attribute that no record ever had is null."""
        columns: dict[str, Any] = {BASKETS: facts[f"baskets_{HABITS}"]}
        if self.needs.horizon:
            columns["horizon_days"] = facts.horizon_days
        return facts.select("record", **columns, **columns_of(facts, self.traits))

    # -- fit -------------------------------------------------------------------------------------------------

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> model_file.Model:
        """Learn from the past, or say in ``figures["refused"]`` why that cannot be.

        ValueError: a wrong frame.
        """
        self._check(features, as_of)
        days = self._days(features)
        groups = cuts.groups(self.kind, past, as_of, days) if past is not None else []
        figures: dict[str, Any] = {
            "days": days,
            "event": self.kind.event,
            "refused": cuts.too_little(self.kind, groups, past, as_of, days),
        }
        figures["undated"], unknown = cuts.undated(self.kind, groups, past)
        figures["refused"] = figures["refused"] or unknown
        figures["silent"] = cuts.silent_in(groups, self._dated)
        figures["cuts"] = [
            {"day": cut.day.isoformat(), "records": cut.records, "events": cut.events}
            for group in groups
            for cut in group
        ]
        figures["tested"] = len(groups[-1]) if groups else 0
        made = model_file.model(self.kind.name, as_of, self._frozen, {"records": len(features)}, {}, figures)
        if figures["refused"]:
            return made
        model_cut = max(groups[-2], key=lambda cut: len(cut.frame))
        assert past is not None and past.first is not None
        old = past.first + timedelta(days=OLD) <= groups[0][0].day
        encoder = Encoder.fit(
            model_cut.frame,
            [trait for trait in self.traits if old or not grows(trait)],
            model_cut.day,
            KNOWN,
        )
        grown = {
            trait.name: "it grows with the activity that is known"
            for trait in self.traits
            if not old and grows(trait)
        }
        figures["dropped"] = {**encoder.dropped, **grown}
        if not encoder.columns:
            return {
                **made,
                "figures": {**figures, "refused": "no known data tells the records apart"},
            }
        many = sum(len(cut.frame) for group in groups for cut in group) > WITH_HABITS
        points = Points(encoder, None if many else Habits.fit(model_cut.frame[BASKETS]))
        contest = classifier.contest([_span(points, group) for group in groups], points.width)
        points = points if contest.habits else points.without_habits()
        figures |= {**contest.figures, "categories": max(0, points.width - 1)}
        if contest.figures["auc"] < LEAST_AUC:
            figures["refused"] = (
                f"the model is little better than chance (AUC {contest.figures['auc']:.2f}, at least {LEAST_AUC} is asked)"
            )
            return {**made, "figures": figures}
        borders = self._borders(contest.tested)
        figures["depth"] = self._depth(contest.tested, cuts.targets(groups[-1]), borders[1])
        learned = {**points.to_dict(), "forecast": contest.forecast.to_dict()}
        probability = points.predicted(contest.forecast, features, as_of)
        axis = EmpiricalCdf.fit(
            _whole(probability) if len(features) else np.zeros(1, np.int64),
            [_below(border) for border in borders],
        )
        made = model_file.model(
            self.kind.name, as_of, self._frozen, made["seen"], {"probability": axis}, figures
        )
        return {**made, "learned": learned}

    def _days(self, features: pd.DataFrame) -> int:
        if self.kind.within_days is not None:
            return self.kind.within_days
        horizon = pd.to_numeric(features["horizon_days"]).max() if len(features) else np.nan
        return min(max(cuts.SHORTEST, ceil(horizon)), cuts.LONGEST) if np.isfinite(horizon) else 30

    def _borders(self, tested: Fractions) -> tuple[float, float]:
        """Probabilities from which a record is possible and likely."""
        if self.kind.cost is not None and self.kind.value:
            likely = min(1.0, self.kind.cost / self.kind.value)
            return likely / 2, likely
        low, high = np.quantile(tested, (1 - NEXT, 1 - TOP))
        return float(low), max(float(high), float(low))

    def _depth(self, tested: Fractions, target: Fractions, likely: float) -> dict[str, float]:
        """What contacting the likely ones alone would have come to at the last cut, against contacting all."""
        chosen = tested >= likely
        reached = float(target[chosen].sum())
        depth = {
            "probability": round(likely, 4),
            "share": round(float(chosen.mean()), 4),
            "reached": round(reached / max(1.0, float(target.sum())), 4),
            "rate": round(reached / max(1, int(chosen.sum())), 4),
        }
        if self.kind.cost is not None and self.kind.value:
            depth["profit"] = round(reached * self.kind.value - float(chosen.sum()) * self.kind.cost, 2)
            depth["profit_of_all"] = round(
                float(target.sum()) * self.kind.value - len(target) * self.kind.cost, 2
            )
        return depth

    # -- label -----------------------------------------------------------------------------------------------

    def _seen(self, features: pd.DataFrame, as_of: date) -> pd.DataFrame:
        self._check(features, as_of)
        return features

    def _given(self, seen: pd.DataFrame, start: Start) -> Given:
        model, before, as_of, count = start.model, start.before, start.as_of, len(seen)
        level, pending = np.zeros(count, np.int64), np.zeros(count, np.int64)
        asked, score = cuts.asked(self.kind, seen), np.full(count, np.nan)
        if model["figures"].get("silent", cuts.FEWEST_TESTED) < cuts.FEWEST_TESTED:
            asked &= ~cuts.silent(seen, self._dated)
        reasons = _Reasons(model["figures"], self.kind, asked, score, pa.nulls(count, pa.string()))
        if "learned" in model:
            points, forecast = _learned(model)
            predicted = points.predicted(forecast, seen, as_of)
            score = np.where(asked, predicted, np.nan)
            waiting = (before.memory("probability"), before.memory("probability_pending"))
            level, pending = settle(
                start.axes["probability"],
                _whole(predicted),
                *waiting,
                self.kind.dead_band,
                Circumstances.none(count),
            )
            level, pending = np.where(asked, level, 0), np.where(asked, pending, 0)
            because = points.because(forecast, seen, as_of, level)
            reasons = _Reasons(model["figures"], self.kind, asked, score, because)
        memory = {"probability": level, "probability_pending": pending}
        numbers = self._numbers(score, start) if self.kind.numbers else {}
        return Given(_LEVELS, level, score, reasons.of, memory, numbers)

    def _numbers(self, score: Fractions, start: Start) -> dict[str, pa.Array]:
        """The probability of the event; of who is not scored, none."""
        said = dict.fromkeys(self.kind.numbers, score)
        nothing_new = Forecasts(said, np.zeros(len(score), np.bool_))
        return given(
            nothing_new, start.before, np.datetime64(start.as_of, "D"), self.account.exponent, glides=False
        )

    @property
    def _frozen(self) -> dict[str, Any]:
        return {
            "target": self.kind.target,
            "days": self.kind.within_days,
            "churn": self.kind.churn,
            "campaign_pattern": self.kind.campaign_pattern,
            "cost": self.kind.cost,
            "value": self.kind.value,
            "traits": [trait.column for trait in self.traits],
        }

    def _check(self, features: pd.DataFrame, as_of: date) -> None:
        ours = [
            trait
            for trait in self.traits
            if not trait.column.startswith(ATTRIBUTE) and trait.column != "mean_gap_days"
        ]
        days = [trait.column for trait in ours if trait.sort == "day"]
        frames.check_features(features, [trait.column for trait in ours if trait.sort != "day"], days, as_of)
        if BASKETS not in features:
            raise ValueError(f"the features frame has no column {BASKETS!r}")


@dataclass(frozen=True)
class _Reasons:
    """``12% likely to respond within 56 days (19% on average): many campaign responses in 365 days``."""

    figures: Mapping[str, Any]
    kind: Response
    asked: Flags
    score: Fractions
    because: pa.Array

    def of(self, rows: Integers) -> pa.Array:
        if self.figures["refused"]:
            words = pa.repeat(f"not scored: {self.figures['refused']}"[: frames.REASON_LENGTH], len(rows))
        else:
            average = reason_text.percent(np.array([float(self.figures["base_rate"])]))[0].as_py()
            words = reason_text.reasons(
                *(
                    reason_text.percent(np.nan_to_num(self.score[rows])),
                    f" likely {self.kind.event} within {self.figures['days']} days ({average} on average)",
                ),
                pc.fill_null(self.because.take(pa.array(rows)), ""),
            )
        nothing = (
            "no purchase yet, so there is nobody to lose"
            if self.kind.churn
            else "it has done nothing yet, and of such records too few are known from earlier days"
        )
        return pc.if_else(pa.array(self.asked[rows]), words, f"not scored: {nothing}")


def _span(points: Points, group: Sequence[Cut]) -> Span:
    return Span(np.vstack([points.matrix(cut.frame, cut.day) for cut in group]), cuts.targets(group))


def _learned(model: Mapping[str, Any]) -> tuple[Points, Forecast]:
    return Points.from_dict(model["learned"]), Forecast.from_dict(model["learned"]["forecast"])


def _whole(probability: Fractions) -> Integers:
    return np.round(probability * _FINE).astype(np.int64)


def _below(border: float) -> int:
    """The greatest whole number below the border: the border itself belongs to the level above."""
    return ceil(border * _FINE) - 1
