"""How are stages of life learned and given? (kind ``lifecycle``)

    prospect    no purchase yet
    new         one purchase day, at most H days ago
    active, at_risk, dormant, lost     what the driver says, from the liveliest
    won_back    a purchase after having been dormant or lost: kept for H days, or until the next purchase

H, the horizon, is the 90th percentile of the days between purchases, or ``horizon_days``. A *driver* tells
from features how alive a record is: ``Repurchase``, the probability of a purchase within H by MBG/NBD
(``segmentation.models.bg_nbd``), or, where there is too little to learn from, ``Silence``, and every reason says
so. Drivers are frozen at the fit.

Stages do not flap: a record falls (or rises, should the driver change) only past a dead band and on a
second distinct as_of. What a purchase says is immediate: a prospect becomes new, a dormant or lost record won
back, any other what the driver says, if that is clearly better. The ends of new and of won back are dates,
and immediate too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from segmentation import frames, model_file, previous_labels, reason_text
from segmentation.ecdf import Flags, Fractions, Integers
from segmentation.evaluation import label_stability
from segmentation.feature_request import Needs
from segmentation.kinds import lifecycle_numbers
from segmentation.kinds.labelling import Given, LabellingKind, Start
from segmentation.kinds.lifecycle import STAGES, Lifecycle
from segmentation.kinds.number_values import Forecasts, given
from segmentation.models import bg_nbd, buyer_features
from segmentation.models.bg_nbd import History, Purchasing
from segmentation.models.optimizer import TooLittle

if TYPE_CHECKING:
    import ibis

    from segmentation.point_in_time import Past

PROSPECT, NEW, ACTIVE, AT_RISK, DORMANT, LOST, WON_BACK = range(len(STAGES))
MEAN_GAPS = 7.0  # with gaps at random, one in a thousand is longer
FEWEST = 30  # records that came back; with fewer, their median gap says little
USUAL = 3.0  # mean gaps; nobody is dormant after a silence that is usual for it, however rarely it buys
FOREVER = 1e6  # days: no gap is longer
WEEK = 7.0
CHUNK = 1_000_000
BANDS = (0.1, 0.35, 0.7, 1.0, 2.0)  # that are tried; how restless a business is decides


@dataclass(frozen=True)
class Seen:
    """Records as the life cycle sees them; 0 where there is no purchase, or (rhythm) no second one."""

    last: np.ndarray[Any, np.dtype[np.datetime64]]
    silent: Integers  # days since the last purchase
    age: Integers  # days since the first one
    days: Integers  # purchase days
    rhythm: Fractions  # mean days between them

    @property
    def buyer(self) -> Flags:
        """Who bought."""
        bought: Flags = ~np.isnat(self.last)
        return bought

    def history(self, rows: Any = slice(None)) -> History:
        """Of the records at some places, for purchase models, in weeks."""
        weeks = (self.age[rows] - self.silent[rows]) / WEEK, self.age[rows] / WEEK
        return History(np.maximum(self.days[rows] - 1, 0), *weeks)


class Driver(Protocol):
    """How alive is a record?

    A number that rises as it dies, and the borders beyond which it is at_risk, dormant, lost.
    """

    borders: ClassVar[tuple[float, float, float]]
    dead_band: ClassVar[float]  # the dead band, as a share of a border

    @property
    def horizon(self) -> float:
        """H, in days."""

    def decay(self, seen: Seen) -> Fractions:
        """The driving number of each record, 0 or more."""

    def score(self, seen: Seen) -> Fractions:
        """How alive each record is, from 0 to 1."""

    def words(self, seen: Seen, rows: Integers) -> pa.Array:
        """What the number is about, for the records at these places."""


@dataclass(frozen=True)
class Silence:
    """Silence in multiples of the longest that is usual for the record: ``MEAN_GAPS`` of its own mean gaps,
    or H if that is longer.

    Who bought once has no gap of its own: ``usual``, the median mean gap of those who came back, or H. Both
    are in days. Borders of 1, 1.5 and 2 keep stages apart by how many buy again: on CDNOW within H 43%, 20%,
    16% and 6%.
    """

    horizon: float
    usual: float
    borders: ClassVar[tuple[float, float, float]] = (1.0, 1.5, 2.0)
    dead_band: ClassVar[float] = 0.1

    def unit(self, seen: Seen) -> Fractions:
        """The longest silence that is usual, in days."""
        return np.clip(np.where(seen.rhythm > 0, MEAN_GAPS * seen.rhythm, self.usual), self.horizon, FOREVER)

    def decay(self, seen: Seen) -> Fractions:
        return seen.silent / self.unit(seen)

    def score(self, seen: Seen) -> Fractions:
        return 1 / (1 + self.decay(seen))

    def words(self, seen: Seen, rows: Integers) -> pa.Array:
        usual = np.ceil(self.unit(seen)[rows]).astype(np.int64)
        ago = reason_text.ago(seen.silent[rows])
        return reason_text.joined(
            "last purchase ",
            ago,
            ", up to ",
            reason_text.counted(usual, "day", "days"),
            " are usual (by silence alone)",
        )


@dataclass(frozen=True)
class Repurchase:
    """One divided by the probability of a purchase within H; borders at 50%, 25% and 10%.

    A silence up to ``USUAL`` of the record's own mean gaps (of three purchase days or more) makes it at_risk
    at the worst: who buys rarely, but still as it used to, would else be won back with each purchase.
    """

    horizon: float
    model: Purchasing
    borders: ClassVar[tuple[float, float, float]] = (2.0, 4.0, 10.0)
    dead_band: ClassVar[float] = 0.35

    def score(self, seen: Seen) -> Fractions:
        return np.concatenate(
            [self._probability(seen, slice(at, at + CHUNK)) for at in range(0, max(len(seen.last), 1), CHUNK)]
        )

    def _probability(self, seen: Seen, rows: slice) -> Fractions:
        return self.model.purchase(seen.history(rows), self.horizon / WEEK)

    def decay(self, seen: Seen) -> Fractions:
        decay = 1 / np.maximum(self.score(seen), 1e-9)
        usual = (seen.days >= 3) & (seen.silent <= USUAL * seen.rhythm)
        return np.where(usual, np.minimum(decay, self.borders[1]), decay)

    def words(self, seen: Seen, rows: Integers) -> pa.Array:
        percent = reason_text.percent(self.score(seen)[rows])
        within = f" likely to buy within {self.horizon:.0f} days; last purchase "
        return reason_text.joined(percent, within, reason_text.ago(seen.silent[rows]))


class LifecycleSegmentation(LabellingKind[Lifecycle, Seen]):
    """Stages of life. The horizon and the dead band are learned where the options do not say them."""

    needs = Needs(horizon=True)

    def like(self, figures: Mapping[str, Any]) -> Self:
        """The same with the band of a model: to judge that one, no weeks need be played again."""
        return super().like(figures)._banded(figures.get("band", self.kind.dead_band))

    def _banded(self, dead_band: float | None) -> Self:
        return type(self)(self.kind.model_copy(update={"dead_band": dead_band}), self.account)

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """The features that it is about."""
        return facts.select(
            "record", "purchase_days", "first_purchase", "last_purchase", "mean_gap_days", "horizon_days"
        )

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> model_file.Model:
        """Freeze the driver: H, and the purchase model or the usual gap of those who came back.

        ValueError: a wrong frame.
        """
        seen = _seen(features, as_of)
        gaps = int(np.maximum(seen.days[seen.buyer] - 1, 0).sum())
        horizon = float(self.kind.horizon_days or buyer_features.horizon(features))
        rhythms = seen.rhythm[seen.rhythm > 0]
        usual = float(np.median(rhythms)) if len(rhythms) >= FEWEST else horizon
        driver, learned = _learned(seen, horizon, usual)
        stages = np.bincount(self._at_first(driver, seen), minlength=len(STAGES))
        figures: dict[str, Any] = {**learned, "horizon": horizon, "usual": usual}
        figures["stages"] = dict(zip(STAGES, stages.tolist(), strict=True))
        made = model_file.model(
            self.kind.name, as_of, self._frozen, {"records": len(features), "gaps": gaps}, {}, figures
        )
        bands = (
            [band for band in BANDS if band >= driver.dead_band]
            if self.kind.dead_band is None
            else [self.kind.dead_band]
        )
        banded = [self._banded(band) for band in bands]
        figures["band"] = bands[
            label_stability.least_sensitive(banded, made, past, as_of) if len(bands) > 1 else 0
        ]
        return {**made, "figures": figures}

    def _seen(self, features: pd.DataFrame, as_of: date) -> Seen:
        return _seen(features, as_of)

    def _given(self, seen: Seen, start: Start) -> Given:
        figures, before = start.model["figures"], start.before
        driver = _driver(figures)
        stage, pending = self._stages(driver, seen, before, self._bands(driver, figures), start.as_of)
        score = np.where(seen.buyer, driver.score(seen), 0.0)
        former = pc.fill_null(pc.index_in(before.text("segment"), pa.array(STAGES)), -1).to_numpy(
            zero_copy_only=False
        )
        reasons = _Reasons(driver, seen, stage, former)
        memory = {"stage_pending": pending}
        numbers = self._numbers(driver, seen, score, start) if self.kind.numbers else {}
        return Given(STAGES, stage, score, reasons.of, memory, numbers)

    def _numbers(self, driver: Driver, seen: Seen, score: Fractions, start: Start) -> dict[str, pa.Array]:
        model = driver.model if isinstance(driver, Repurchase) else None
        fitted, as_of = start.model.get("values", {}), start.as_of
        said = lifecycle_numbers.of_records(self.kind, model, seen.history(), seen.buyer, score, fitted)
        since = None if start.before.as_of is None else np.datetime64(start.before.as_of, "D")
        bought = np.zeros(len(score), np.bool_) if since is None else seen.buyer & (seen.last > since)
        return given(Forecasts(said, bought), start.before, np.datetime64(as_of, "D"), self.account.exponent)

    def fit_values(
        self, features: pd.DataFrame, model: Mapping[str, Any], as_of: date, past: Past | None
    ) -> dict[str, Any]:
        """How true the numbers were that have a back-test of their own."""
        by_model = model["figures"].get("driver") == "repurchase"
        return lifecycle_numbers.fit(self.kind, _buyers, as_of, past) if by_model else {}

    @property
    def _frozen(self) -> dict[str, Any]:
        return {"horizon_days": self.kind.horizon_days}

    def _bands(self, driver: Driver, figures: Mapping[str, Any]) -> tuple[float, float]:
        """By how much a border is passed for a fall, and for a rise, which is never harder than the driver's
        own band makes it.
        """
        band = (
            float(figures.get("band", driver.dead_band))
            if self.kind.dead_band is None
            else self.kind.dead_band
        )
        return 1 + band, 1 / (1 + min(band, driver.dead_band))

    def _at_first(self, driver: Driver, seen: Seen) -> Integers:
        """Stages of records that were never labelled."""
        young = (seen.days == 1) & (seen.silent <= driver.horizon)
        return np.where(seen.buyer, np.where(young, NEW, _fallen(driver.decay(seen), driver, 1.0)), PROSPECT)

    def _stages(
        self,
        driver: Driver,
        seen: Seen,
        before: previous_labels.Before,
        bands: tuple[float, float],
        as_of: date,
    ) -> tuple[Integers, Integers]:
        """Stage and pending stage (0: none) of each record."""
        at_first = self._at_first(driver, seen)
        former = pc.index_in(before.text("segment"), pa.array(STAGES))
        was = pc.fill_null(former, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        lately = seen.silent <= driver.horizon
        bought = np.zeros(len(was), np.bool_)
        if before.as_of is not None:
            bought = seen.buyer & (seen.last > np.datetime64(before.as_of, "D"))
        going = np.isin(was, (ACTIVE, AT_RISK, DORMANT, LOST))
        steady = going & ~bought
        clearly = _fallen(driver.decay(seen), driver, bands[1])
        at_first = np.where(going & bought, np.minimum(was, clearly), at_first)
        stage, pending = self._confirmed(driver, seen, was, before.memory("stage_pending"), bands)
        stage, pending = np.where(steady, stage, at_first), np.where(steady & seen.buyer, pending, 0)
        back = (bought & np.isin(was, (DORMANT, LOST))) | ((was == WON_BACK) & ~bought)
        stage = np.where(back & (lately | self._taken_back(driver, seen, before, as_of)), WON_BACK, stage)
        return np.where(seen.buyer, stage, PROSPECT), pending

    def _taken_back(self, driver: Driver, seen: Seen, before: previous_labels.Before, as_of: date) -> Flags:
        """Whose label is younger than H though no purchase is: a refund undid what it told of, and says
        nothing of the life.
        """
        since = (
            frames.as_days(before.rows["since"])
            if before.known.any()
            else np.full(len(seen.last), np.datetime64("NaT", "D"))
        )
        ago = np.where(np.isnat(since), np.inf, (np.datetime64(as_of, "D") - since).astype(np.float64))
        return (ago <= driver.horizon) & (seen.silent > ago + driver.horizon)

    def _confirmed(
        self, driver: Driver, seen: Seen, was: Integers, pending: Integers, bands: tuple[float, float]
    ) -> tuple[Integers, Integers]:
        """Stages between active and lost: moved where the same direction was proposed on the day before, to
        the nearer stage.
        """
        decay = driver.decay(seen)
        low, high = (_fallen(decay, driver, band) for band in bands)
        proposed = np.where(low > was, low, np.where(high < was, high, was))
        falls, rises = (proposed > was) & (pending > was), (proposed < was) & (pending > 0) & (pending < was)
        moved = np.where(
            falls, np.minimum(proposed, pending), np.where(rises, np.maximum(proposed, pending), was)
        )
        return moved, np.where((proposed != was) & ~falls & ~rises, proposed, 0)


@dataclass(frozen=True)
class _Reasons:
    driver: Driver
    seen: Seen
    stage: Integers
    former: Integers

    def of(self, rows: Integers) -> pa.Array:
        """``last purchase 3 days ago, up to 49 days are usual (by silence alone)``."""
        lapsed = reason_text.chosen(
            self.former[rows] == LOST, " after it was lost; ", " after it was dormant; "
        )
        back = (self.stage[rows] == WON_BACK) & np.isin(self.former[rows], (DORMANT, LOST))
        words = reason_text.reasons(
            pc.if_else(pa.array(back), reason_text.joined("bought", lapsed), ""),
            self.driver.words(self.seen, rows),
        )
        return pc.if_else(pa.array(self.seen.buyer[rows]), words, "no purchase yet")


def _learned(seen: Seen, horizon: float, usual: float) -> tuple[Driver, dict[str, Any]]:
    """The purchase model as driver if it can be had, and what to keep of it."""
    try:
        model = bg_nbd.fit(seen.history(seen.buyer), "mbg")
    except TooLittle as reason:
        return Silence(horizon, usual), {"driver": "silence", "why": str(reason)}
    if not model.converged:
        return Silence(horizon, usual), {"driver": "silence", "why": "; ".join(model.warnings)}
    return Repurchase(horizon, model), {"driver": "repurchase", "model": model.to_dict()}


def _driver(figures: Mapping[str, Any]) -> Driver:
    """The driver that a model froze."""
    if figures["driver"] == "repurchase":
        return Repurchase(float(figures["horizon"]), Purchasing.from_dict(figures["model"]))
    return Silence(float(figures["horizon"]), float(figures["usual"]))


def _buyers(features: pd.DataFrame, day: date) -> tuple[History, Integers]:
    """Those of a frame as of a day, and their rows in it."""
    seen = _seen(features, day)
    return seen.history(seen.buyer), np.flatnonzero(seen.buyer)


def _fallen(decay: Fractions, driver: Driver, factor: float) -> Integers:
    """The stage that a driving number says, borders moved by a factor."""
    return ACTIVE + np.searchsorted(np.array(driver.borders) * factor, decay, side="left").astype(np.int64)


def _seen(features: pd.DataFrame, as_of: date) -> Seen:
    frames.check_features(features, ("purchase_days",), ("first_purchase", "last_purchase"), as_of)
    for column in ("mean_gap_days", "horizon_days"):
        if column not in features:
            raise ValueError(f"the features frame has no column {column!r}")
    first, last = (frames.as_days(features[column]) for column in ("first_purchase", "last_purchase"))
    buyer, today = ~np.isnat(last), np.datetime64(as_of, "D")
    silent, age = ((today - np.where(np.isnat(day), today, day)).astype(np.int64) for day in (last, first))
    rhythm = pd.to_numeric(features["mean_gap_days"]).astype("float64").to_numpy(na_value=np.nan)
    days, has_rhythm = (
        features["purchase_days"].to_numpy(np.int64),
        buyer & (rhythm > 0) & np.isfinite(rhythm),
    )
    return Seen(
        last, silent, np.maximum(age, silent), days, np.where(has_rhythm, np.minimum(rhythm, FOREVER), 0.0)
    )
