"""Who will do it? (kind ``response``) A purchase, an answer to a campaign, a form; or, with ``churn``, no
purchase: churn.

The event is at least one ``target`` in the H days after a day. The model learns from earlier days (cuts),
each with the features that were known and recorded by then, and is judged on the latest cut, which it has not
seen (``segmentation.models.classifier``). For campaigns the cuts are their first days and the records those that were
sent it; only campaigns that ``campaign_pattern`` matches count, so that each sort of campaign has a model of its own.
Small campaigns test together, as many of the latest as hold ``FEWEST_TESTED`` events, and a campaign whose H
days were not over when those began is left out: nobody knew then how it ends. Beside traits a model looks at
habits, what a record buys by category (``segmentation.models.category_features``), where that predicts better. Fields that we
write ourselves are no features, nor is anything of people who object. Attributes have no history: they are
those of today also at earlier cuts, so name none that the event changes.

    likely     the expected value covers the cost of a contact: probability * value >= cost
    possible   it covers half of it
    unlikely   less;  without cost and value: the top fifth, the next three tenths, the rest as of the last
               cut
    unscored   there is no trustworthy model: fewer than ``FEWEST`` events, or an AUC below ``LEAST_AUC``; or
               nothing to lose

These are *likely* responders. Whom a campaign persuades can be told only against a control group
(``segmentation.evaluation.uplift``). A record moves as ``segmentation.hysteresis`` says; the score is the probability
itself, to rank by within a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from segmentation import frames, model_file, previous_labels, reason_text
from segmentation.ecdf import EmpiricalCdf, Flags, Fractions, Integers
from segmentation.feature_request import Needs
from segmentation.hysteresis import DEAD_BAND, Circumstances, settle
from segmentation.models import classifier
from segmentation.models.category_features import Habits
from segmentation.models.classifier import Forecast, Span
from segmentation.models.design_matrix import BASKETS, Points
from segmentation.models.encoder import Encoder, Looked, Trait
from segmentation.point_in_time import RESPONSE, SENT, Past
from segmentation.rules.comparison import ATTRIBUTE

if TYPE_CHECKING:
    import ibis

WINDOWS = (30, 90, 365)  # days
FEWEST = 100  # events that a model learns from, and at least as many records without
FEWEST_TESTED = 20
LEAST_AUC = 0.6
CUTS = 3  # earlier days to learn from, beside the one that tests
FEWEST_CUTS = 2
MOST_CAMPAIGNS = 12  # days of campaigns that are looked at
HABITS = 365  # days
# of a cut with more records, and more events (and records without), some teach as well as all
DRAWN, KEPT = (50_000, 1_000)
WITH_HABITS = 300_000  # of more records in all, a hundred columns of habits would take too much memory
# days of activity before the earliest cut, from which counts of all history mean the same at every cut
OLD = 730
SHORTEST, LONGEST = 7, 730  # days, of a horizon that is learned
KNOWN = 0.02  # share of the records that must have a trait
TOP, NEXT = 0.2, 0.5  # from the top: likely, and possible, where no cost and value are told
UNLIKELY, POSSIBLE, LIKELY = "unlikely", "possible", "likely"
UNSCORED = "unscored"
_LEVELS = (UNSCORED, UNLIKELY, POSSIBLE, LIKELY)
_FINE = 1_000_000  # probabilities as whole numbers


@dataclass(frozen=True)
class Event:
    """What is foreseen. ``days``: H; None: the 90th percentile of gaps between purchases.

    ``campaign_pattern``: a pattern of names.
    """

    target: str = "purchase"
    days: int | None = None
    churn: bool = False
    campaign_pattern: str | None = None

    @property
    def words(self) -> str:
        """``to buy``, ``to leave``, ``to respond``."""
        if self.churn:
            return "to leave" if self.target == "purchase" else f"to make no {reason_text.plain(self.target)}"
        return {"purchase": "to buy", RESPONSE: "to respond"}.get(
            self.target, f"to make a {reason_text.plain(self.target)}"
        )

    def count(self, outcomes: pd.DataFrame) -> Fractions:
        """1 where the event came, else 0."""
        column = "orders" if self.target == "purchase" else f"count_{self.target}"
        came = outcomes[column].to_numpy(np.int64) > 0
        return (~came if self.churn else came).astype(np.float64)


@dataclass(frozen=True)
class _Cut:
    """A day of the past: which records count, what was known of them, what came."""

    frame: pd.DataFrame
    day: date
    target: Fractions
    records: int  # there were; of many with many events every n-th is in the frame
    events: int

    @classmethod
    def of(cls, frame: pd.DataFrame, day: date, target: Fractions, chosen: Flags) -> _Cut:
        """Of the rows that are ``chosen``."""
        rows = np.flatnonzero(chosen)
        events = int(target[rows].sum())
        step = max(1, min(len(rows) // DRAWN, min(events, len(rows) - events) // KEPT))
        drawn = rows[::step]
        return cls(frame.iloc[drawn].reset_index(drop=True), day, target[drawn], len(rows), events)


class Response:
    """Likely, possible, unlikely. ``cost`` of one contact and ``value`` of one event are in one currency."""

    kind = "response"

    def __init__(
        self,
        event: Event | None = None,
        cost: float | None = None,
        value: float | None = None,
        looked: Looked | None = None,
        dead_band: float = DEAD_BAND,
    ) -> None:
        self.event, self.cost, self.value, self.dead_band = event or Event(), cost, value, dead_band
        asked = [self.event.target] if self.event.target != "purchase" else []
        asked += [SENT, RESPONSE] if self.event.campaign_pattern else []
        looked = looked or Looked()
        kinds = tuple(dict.fromkeys([*looked.kinds, *asked]))
        self.traits = (*_buying(), *(trait for kind in kinds for trait in _doing(kind)), *looked.traits())
        self.needs = Needs(
            windows=WINDOWS,
            kinds=kinds,
            categories=looked.categories,
            horizon=self.event.days is None,
            baskets=(HABITS,),
        )

    @property
    def segments(self) -> list[frames.Segment]:
        """From the likeliest."""
        depth = "the expected value covers the cost of a contact" if self.cost else "the likeliest fifth"
        return [
            frames.Segment(LIKELY, f"Likely {self.event.words}", f"Of these {depth}."),
            frames.Segment(
                POSSIBLE,
                f"Less likely {self.event.words}",
                "Less likely; contact them where it costs little.",
            ),
            frames.Segment(
                UNLIKELY, f"Unlikely {self.event.words}", "A contact would cost more than it brings."
            ),
            frames.Segment(UNSCORED, "Not scored", "Nothing trustworthy can be said; the reason says why."),
        ]

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """record, its baskets, and what is known of each trait; an attribute that no record ever had is null."""
        import ibis

        columns: dict[str, Any] = {BASKETS: facts[f"baskets_{HABITS}"]}
        if self.needs.horizon:
            columns["horizon_days"] = facts.horizon_days
        for trait in self.traits:
            is_known = trait.column in facts.columns or not trait.column.startswith(ATTRIBUTE)
            columns[trait.column] = facts[trait.column] if is_known else ibis.null().cast("string")
        return facts.select("record", **columns)

    # -- fit -------------------------------------------------------------------------------------------------

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> model_file.Model:
        """Learn from the past, or say in ``figures["refused"]`` why that cannot be.

        ValueError: a wrong frame.
        """
        self._check(features, as_of)
        days = self._days(features)
        groups = self._groups(past, as_of, days) if past is not None else []
        figures: dict[str, Any] = {
            "days": days,
            "event": self.event.words,
            "refused": self._too_little(groups, past, as_of, days),
        }
        figures["cuts"] = [
            {"day": cut.day.isoformat(), "records": cut.records, "events": cut.events}
            for cuts in groups
            for cut in cuts
        ]
        figures["tested"] = len(groups[-1]) if groups else 0
        made = model_file.model(self.kind, as_of, self._frozen, {"records": len(features)}, {}, figures)
        if figures["refused"]:
            return made
        model_cut = max(groups[-2], key=lambda cut: len(cut.frame))
        assert past is not None and past.first is not None
        old = past.first + timedelta(days=OLD) <= groups[0][0].day
        encoder = Encoder.fit(
            model_cut.frame,
            [trait for trait in self.traits if old or not _grows(trait)],
            model_cut.day,
            KNOWN,
        )
        grown = {
            trait.name: "it grows with the activity that is known"
            for trait in self.traits
            if not old and _grows(trait)
        }
        figures["dropped"] = {**encoder.dropped, **grown}
        if not encoder.columns:
            return {
                **made,
                "figures": {**figures, "refused": "nothing that is known tells the records apart"},
            }
        many = sum(len(cut.frame) for cuts in groups for cut in cuts) > WITH_HABITS
        points = Points(encoder, None if many else Habits.fit(model_cut.frame[BASKETS]))
        contest = classifier.contest([_span(points, cuts) for cuts in groups], points.width)
        points = points if contest.habits else points.without_habits()
        figures |= {**contest.figures, "categories": max(0, points.width - 1)}
        if contest.figures["auc"] < LEAST_AUC:
            figures["refused"] = (
                f"the model tells little more than chance (AUC {contest.figures['auc']:.2f}, at least {LEAST_AUC} is asked)"
            )
            return {**made, "figures": figures}
        borders = self._borders(contest.tested)
        figures["depth"] = self._depth(contest.tested, _target(groups[-1]), borders[1])
        learned = {**points.to_dict(), "forecast": contest.forecast.to_dict()}
        probability = points.predicted(contest.forecast, features, as_of)
        axis = EmpiricalCdf.fit(
            _whole(probability) if len(features) else np.zeros(1, np.int64),
            [_below(border) for border in borders],
        )
        made = model_file.model(self.kind, as_of, self._frozen, made["seen"], {"probability": axis}, figures)
        return {**made, "learned": learned}

    def _days(self, features: pd.DataFrame) -> int:
        if self.event.days is not None:
            return self.event.days
        horizon = pd.to_numeric(features["horizon_days"]).max() if len(features) else np.nan
        return min(max(SHORTEST, ceil(horizon)), LONGEST) if np.isfinite(horizon) else 30

    def _groups(self, past: Past, as_of: date, days: int) -> list[list[_Cut]]:
        """Cuts in the order of time; those of one group teach, decide or test together."""
        if self.event.campaign_pattern is not None:
            return self._campaigns(past, as_of, days)
        spans = [as_of - timedelta(days=days * back) for back in range(CUTS + 1, 0, -1)]
        first = past.first
        return [
            [self._cut(past, day, days)]
            for day in spans
            if first is not None and first + timedelta(days=days) <= day
        ]

    def _cut(self, past: Past, day: date, days: int) -> _Cut:
        kinds = () if self.event.target == "purchase" else (self.event.target,)
        frame, outcomes = past.features(day), past.outcomes(day, days, kinds)
        asked = self._asked(frame)
        return _Cut.of(frame, day, self.event.count(outcomes), asked)

    def _campaigns(self, past: Past, as_of: date, days: int) -> list[list[_Cut]]:
        """A cut per matching campaign whose H days are over, of those that it was sent to; campaigns of one
        day are one cut.
        """
        campaigns = past.campaigns()
        matching = campaigns[
            np.array(
                [fnmatchcase(name, str(self.event.campaign_pattern)) for name in campaigns["campaign"]],
                np.bool_,
            )
        ]
        started = frames.as_days(matching["day"])
        groups: list[list[_Cut]] = []
        over, read = as_of, 0  # the day by which a campaign's days must be over
        for start in np.unique(started)[::-1]:
            day = start.astype(object) - timedelta(days=1)
            if day + timedelta(days=days) > over or read == MOST_CAMPAIGNS:
                continue
            read += 1
            cut = self._answered(past, day, days, tuple(matching["campaign"][started == start]))
            if not groups or len(groups) > 2 or _enough(groups[0]):
                groups.insert(0, [])
            groups[0].insert(0, cut)
            if len(groups) < 3 and _enough(groups[0]):
                over = day
        return groups

    def _answered(self, past: Past, day: date, days: int, names: tuple[str, ...]) -> _Cut:
        outcomes = past.outcomes(day, days, tuple(dict.fromkeys((SENT, self.event.target))), names)
        sent = outcomes[f"count_{SENT}"].to_numpy(np.int64) > 0
        return _Cut.of(past.features(day), day, self.event.count(outcomes), sent)

    def _too_little(self, groups: Sequence[Sequence[_Cut]], past: Past | None, as_of: date, days: int) -> str:
        """Why nothing can be learned; "": it can."""
        if len(groups) < FEWEST_CUTS + 1:
            number = sum(len(cuts) for cuts in groups)
            reason = f"only {number} earlier days (or campaigns) have both a before and an after; {FEWEST_CUTS + 1} are needed"
            known_days = (as_of - past.first).days if past is not None and past.first is not None else 0
            most = known_days // (FEWEST_CUTS + 2)
            return reason + (
                f": with within_days up to {most} there are"
                if SHORTEST <= most < days and not self.event.campaign_pattern
                else ""
            )
        events = [sum(cut.events for cut in cuts) for cuts in groups]
        others = [sum(cut.records for cut in cuts) - came for cuts, came in zip(groups, events, strict=True)]
        for count, name in ((events, "events"), (others, "records without the event")):
            if (
                sum(count[:-1]) < FEWEST
                or min(count[-2:]) < FEWEST_TESTED
                or min(sum(count[:-2]), FEWEST_TESTED) < FEWEST_TESTED
            ):
                return f"too few {name} to learn from: {sum(count[:-1])} ({FEWEST} are needed, and {FEWEST_TESTED} at each earlier day)"
        return ""

    def _borders(self, tested: Fractions) -> tuple[float, float]:
        """Probabilities from which a record is possible and likely."""
        if self.cost is not None and self.value:
            likely = min(1.0, self.cost / self.value)
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
        if self.cost is not None and self.value:
            depth["profit"] = round(reached * self.value - float(chosen.sum()) * self.cost, 2)
            depth["profit_of_all"] = round(float(target.sum()) * self.value - len(target) * self.cost, 2)
        return depth

    # -- label -----------------------------------------------------------------------------------------------

    def label(
        self,
        features: pd.DataFrame,
        model: Mapping[str, Any],
        previous: pd.DataFrame | None,
        previous_as_of: date | None,
        as_of: date,
    ) -> pd.DataFrame:
        """Labels of every record in ``features`` (``segmentation.frames``), given those of an earlier day;
        row by row.

        ValueError: a wrong frame, a model of other settings, previous labels that are not of an earlier day.
        """
        self._check(features, as_of)
        axes = model_file.axes(model, self.kind, self._frozen)
        record = features["record"].to_numpy(np.int64)
        before = previous_labels.before(previous, previous_as_of, record, as_of)
        level, pending = np.zeros(len(record), np.int64), np.zeros(len(record), np.int64)
        asked, score = self._asked(features), np.full(len(record), np.nan)
        reasons = _Reasons(model["figures"], self.event, asked, score, pa.nulls(len(record), pa.string()))
        if "learned" in model:
            points, forecast = _learned(model)
            predicted = points.predicted(forecast, features, as_of)
            score = np.where(asked, predicted, np.nan)
            waiting = (before.memory("probability"), before.memory("probability_pending"))
            level, pending = settle(
                axes["probability"],
                _whole(predicted),
                *waiting,
                self.dead_band,
                Circumstances.none(len(record)),
            )
            level, pending = np.where(asked, level, 0), np.where(asked, pending, 0)
            because = points.because(forecast, features, as_of, level)
            reasons = _Reasons(model["figures"], self.event, asked, score, because)
        memory = {"probability": level, "probability_pending": pending}
        return previous_labels.labels(record, _LEVELS, level, score, reasons.of, before, as_of, memory)

    @property
    def _frozen(self) -> dict[str, Any]:
        return {
            **vars(self.event),
            "cost": self.cost,
            "value": self.value,
            "traits": [trait.column for trait in self.traits],
        }

    def _asked(self, features: pd.DataFrame) -> Flags:
        """Whom the question concerns: only who bought can be lost."""
        bought: Flags = ~np.isnat(frames.as_days(features["last_purchase"]))
        return bought if self.event.churn else np.ones(len(features), np.bool_)

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
    event: Event
    asked: Flags
    score: Fractions
    because: pa.Array

    def of(self, rows: Integers) -> pa.Array:
        if self.figures["refused"]:
            words = pa.repeat(f"not scored: {self.figures['refused']}"[: frames.REASON_LENGTH], len(rows))
        else:
            percent = np.round(100 * np.nan_to_num(self.score[rows])).astype(np.int64)
            average = round(100 * self.figures["base_rate"])
            words = reason_text.reasons(
                *(
                    reason_text.number(percent),
                    f"% likely {self.event.words} within {self.figures['days']} days ({average}% on average)",
                ),
                pc.fill_null(self.because.take(pa.array(rows)), ""),
            )
        return pc.if_else(
            pa.array(self.asked[rows]), words, "not scored: no purchase yet, so there is nobody to lose"
        )


def _buying() -> list[Trait]:
    spans = [(f"_{days}", f" in {days} days") for days in WINDOWS] + [("", "")]
    traits = [
        Trait("last_purchase", "day", "last purchase", "last purchase long ago", "a recent purchase"),
        Trait("first_purchase", "day", "first purchase", "an old customer", "a new customer"),
        Trait(
            "mean_gap_days",
            "number",
            "gap between purchases",
            "long gaps between purchases",
            "short gaps between purchases",
        ),
    ]
    for suffix, within in spans:
        traits.append(
            Trait(
                f"purchase_days{suffix}",
                "number",
                f"purchase days{within}",
                f"many purchases{within}",
                f"few purchases{within}",
            )
        )
        traits.append(
            Trait(
                f"net_revenue{suffix}",
                "money",
                f"net revenue{within}",
                f"high spend{within}",
                f"low spend{within}",
            )
        )
    return traits


def _doing(kind: str) -> list[Trait]:
    singular, many = reason_text.plain(kind), reason_text.plural(kind)
    traits = [
        Trait(f"last_{kind}", "day", f"last {singular}", f"last {singular} long ago", f"a recent {singular}")
    ]
    for suffix, within in [(f"_{days}", f" in {days} days") for days in WINDOWS] + [("", "")]:
        traits.append(
            Trait(
                f"count_{kind}{suffix}",
                "number",
                f"{many}{within}",
                f"many {many}{within}",
                f"few or no {many}{within}",
            )
        )
    return traits


def _grows(trait: Trait) -> bool:
    """Does it count, or reach back to, all history? Where that is short, it is another thing at each cut."""
    counted = trait.column.startswith(("count_", "purchase_days", "net_revenue")) and "." not in trait.column
    return trait.column == "first_purchase" or (counted and not trait.column.rpartition("_")[2].isdigit())


def _enough(cuts: Sequence[_Cut]) -> bool:
    """Are there events, and records without one, to judge a model by?"""
    events = sum(cut.events for cut in cuts)
    return FEWEST_TESTED <= events <= sum(cut.records for cut in cuts) - FEWEST_TESTED


def _target(cuts: Sequence[_Cut]) -> Fractions:
    return np.concatenate([cut.target for cut in cuts])


def _span(points: Points, cuts: Sequence[_Cut]) -> Span:
    return Span(np.vstack([points.matrix(cut.frame, cut.day) for cut in cuts]), _target(cuts))


def _learned(model: Mapping[str, Any]) -> tuple[Points, Forecast]:
    return Points.from_dict(model["learned"]), Forecast.from_dict(model["learned"]["forecast"])


def _whole(probability: Fractions) -> Integers:
    return np.round(probability * _FINE).astype(np.int64)


def _below(border: float) -> int:
    """The greatest whole number below the border: the border itself belongs to the level above."""
    return ceil(border * _FINE) - 1
