"""How are RFM scores made, and how do they move? (kind ``rfm``)

R = days since the last purchase, F = purchase days and M = net revenue within the window. Each gets a score
of 1 to 5 among the buyers of the population when the model was made:

    1 + floor(5 * worse / n)                        worse: number strictly worse; n: buyers
    1 + min(4, floor(5 * worse / (n - tied)))       where more than a fifth share the value (tied > n / 5); 5
                                                    where all share it

Ties share a score, and the best value has a 5 however many share it (``segmentation.ecdf.fair_cuts``); net
revenue of nothing or less is M 1. Where those who did nothing in the window, or on the axis of frequency bought
on one day at most, are more than a fifth, they have the score 1 and the others share out 2 to 5
(``apart_cuts``): so no share of them empties the levels above. Who bought for the first time in the last
``NEWCOMER`` days, on one day, has R 4 at least: in a shop where all others come each week, too, they are no lost
customers. Scores make a cell, the cell a named group. The ranking score is the mean of the three mid-rank
percentiles, of silences as they are.

Groups do not flap: each axis has a dead band and moves on the second proposal
(``segmentation.hysteresis``), and
- a silence that is usual for the record counts as half its mean gap (``segmentation.usual_silence``), and R is
  ``BUYING`` at least: who buys each month is not lost in a shop where the others come each week, and does not
  move with each purchase. ``recency_patience`` says how many mean gaps are usual;
- R falls only when the silence has passed the border by a quarter of it: where borders lie close together, one
  fall takes the place of several;
- F and M fall when a purchase is made, or when the window has run empty: in between they would tell the same
  silence again;
- immediate are only moves in which a purchase says something new: a prospect's first one, and (upward, on
  every axis) one of a customer whose R had fallen to 1 or 2. A frequent buyer's next purchase is no news
  either.
Weekly, over twelve weeks, this brings group changes on Complete Journey from 49% of the households to 3.0%, of whom
2.4% come back, and on CDNOW to 4.2%: all its customers came in one quarter, and those who never bought again, 70%, age
together. Over 36 weeks, these are 2.3%.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from segmentation import frames, model_file, previous_labels, reason_text
from segmentation.ecdf import EmpiricalCdf, Flags, Integers, even_cuts
from segmentation.feature_request import Needs
from segmentation.hysteresis import Circumstances, settle
from segmentation.kinds import rfm_groups
from segmentation.kinds.base import Account
from segmentation.kinds.labelling import Given, LabellingKind, Start
from segmentation.kinds.rfm import APART, SCORING, USUAL, Rfm, scoring
from segmentation.usual_silence import Silence

if TYPE_CHECKING:
    import ibis

    from segmentation.point_in_time import Past

AXES = ("recency", "frequency", "money")
LAPSED = 2  # up to this R score, a new purchase counts at once
NEWCOMER, RECENT = 30, 4  # days since a first purchase, and the R score that it has at least
BUYING = 3  # R score that a record has at least as long as it buys as usual
PATIENCE = 0.25  # of a border between two R scores, in days


@dataclass(frozen=True)
class _Seen:
    """Records as RFM sees them: per axis values of which the greater is better (0 where there is no
    purchase).
    """

    values: Mapping[str, Integers]
    buyer: Flags
    last: np.ndarray[Any, np.dtype[np.datetime64]]
    silence: Silence
    newcomer: Flags  # one purchase day ever, not long ago

    def as_usual(self, gaps: float | None) -> _Seen:
        """The same where a silence of up to so many mean gaps is no news."""
        return replace(self, values={**self.values, "recency": -self.silence.counted(gaps)})

    def of_buyers(self, name: str) -> Integers:
        return self.values[name][self.buyer]


class RfmSegmentation(LabellingKind[Rfm, _Seen]):
    """RFM scores and named groups."""

    def __init__(self, kind: Rfm, account: Account) -> None:
        super().__init__(kind, account)
        self.needs = Needs(windows=(kind.window_days,))
        # up to here, a record did nothing in the window, or bought once
        self._least = {"recency": -kind.window_days, "frequency": 1, "money": 0}

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """The features that it is about."""
        return facts.select(
            *("record", "purchase_days", "first_purchase", "last_purchase"),
            *(f"purchase_days_{self.kind.window_days}", f"net_revenue_{self.kind.window_days}"),
        )

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> model_file.Model:
        """Freeze the scores' cuts and the percentiles of the buyers in ``features``.

        ValueError: a wrong frame.
        """
        told = self._seen(features, as_of)
        seen = told.as_usual(self.kind.patience(SCORING))
        axes = {}
        if seen.buyer.any():
            axes = {
                name: EmpiricalCdf.fit(
                    told.of_buyers(name), apart_cuts(seen.of_buyers(name), self._least[name])
                )
                for name in AXES
            }
        levels = {
            name: _floored(name, axes[name].level(seen.of_buyers(name)), seen.of_buyers(name))
            for name in axes
        }
        figures: dict[str, Any] = {
            name: np.bincount(levels[name], minlength=rfm_groups.LEVELS + 1)[1:].tolist() for name in axes
        }
        figures["scoring"] = SCORING
        counts = {"records": len(features), "buyers": int(seen.buyer.sum())}
        return model_file.model(self.kind.name, as_of, self._frozen, counts, axes, figures)

    def _given(self, seen: _Seen, start: Start) -> Given:
        axes, version, told = start.axes, scoring(start.model), seen
        no_news = np.zeros(len(seen.buyer), np.bool_)
        if version >= USUAL:
            seen = told.as_usual(self.kind.patience(version))
            no_news = seen.values["recency"] > told.values["recency"]
        memory = self._settled(axes, seen, start.before, version)
        groups = self.kind.table_of(start.model)
        scores = {name: np.where(seen.buyer, np.maximum(memory[name], 1), 0) for name in AXES}
        codes = np.full(len(seen.buyer), len(self.kind.keys()) - 1, np.int64)  # prospects
        place = np.array([self.kind.keys().index(group.key) for group in groups])
        cells = place[rfm_groups.table(groups, several=True)]
        codes[seen.buyer] = cells[tuple(scores[name][seen.buyer] - 1 for name in AXES)]
        rank = np.zeros(len(seen.buyer))
        for name in axes:
            rank[seen.buyer] += axes[name].midrank(told.of_buyers(name)) / len(AXES)
        return Given(
            self.kind.keys(), codes, rank, lambda rows: self._reasons(scores, told, no_news, rows), memory
        )

    @property
    def _frozen(self) -> dict[str, Any]:
        return {"window_days": self.kind.window_days}

    def _seen(self, features: pd.DataFrame, as_of: date) -> _Seen:
        in_window, revenue = f"purchase_days_{self.kind.window_days}", f"net_revenue_{self.kind.window_days}"
        frames.check_features(
            features, (in_window, revenue, "purchase_days"), ("first_purchase", "last_purchase"), as_of
        )
        first, last = (frames.as_days(features[name]) for name in ("first_purchase", "last_purchase"))
        buyer = ~np.isnat(last)
        frequency, money, days = (
            features[column].to_numpy(np.int64) for column in (in_window, revenue, "purchase_days")
        )
        # who did nothing in the window has no rhythm any more
        silence = Silence.of(first, last, np.where(frequency > 0, days, 0), as_of)
        newcomer = buyer & (days == 1) & (silence.days <= NEWCOMER)
        values = {"recency": -silence.days, "frequency": frequency, "money": money}
        return _Seen(values, buyer, last, silence, newcomer)

    def _settled(
        self, axes: Mapping[str, EmpiricalCdf], seen: _Seen, before: previous_labels.Before, version: int
    ) -> dict[str, Integers]:
        """What to remember: the confirmed score of each axis (0: none), and the one that waits."""
        bought = quiet = np.zeros(len(seen.buyer), np.bool_)
        if before.as_of is not None:
            bought = seen.buyer & (seen.last > np.datetime64(before.as_of, "D"))
            quiet = ~bought & (seen.values["frequency"] > 0)
        returned = bought & (before.memory("recency") <= LAPSED)
        memory: dict[str, Integers] = {}
        for name in AXES:
            values, was, expected = seen.values[name], before.memory(name), before.memory(name + "_pending")
            confirmed, pending = was, expected
            if name in axes:
                steady = self._patient(axes[name], seen, was, version) if name == "recency" else quiet
                confirmed, pending = settle(
                    axes[name], values, was, expected, self.kind.dead_band, Circumstances(returned, steady)
                )
            if name != "recency":  # a fall that a purchase proposed waits for the next purchase
                pending = np.where(
                    quiet & (confirmed == was) & (expected < was) & (pending == 0), expected, pending
                )
            score = _floored(name, confirmed, values) if name in axes else confirmed
            memory |= {
                name: np.where(seen.buyer, score, 0),
                name + "_pending": np.where(seen.buyer, pending, 0),
            }
        return {**memory, "recency": self._raised(memory["recency"], seen, version)}

    def _raised(self, recency: Integers, seen: _Seen, version: int) -> Integers:
        """R scores, not below what newcomers and those who buy as usual have at least; 0 stays."""
        least = np.zeros(len(recency), np.int64)
        if version >= USUAL:
            least[seen.silence.usual(self.kind.patience(version))] = BUYING
        if version >= APART:
            least[seen.newcomer] = RECENT
        return np.where(recency > 0, np.maximum(recency, least), recency)

    def _patient(self, recency: EmpiricalCdf, seen: _Seen, score: Integers, version: int) -> Flags:
        """Is the silence hardly beyond the border of its R score (or, by an earlier version, usual)?"""
        silent = -seen.values["recency"]
        # by score: days from which the next lower one begins
        borders = np.concatenate([[np.inf, np.inf], -recency.cuts])
        patient: Flags = silent < (1 + PATIENCE) * borders[score]
        if version < USUAL:
            patient |= silent <= self.kind.recency_patience * seen.silence.rhythm
        return patient

    def _reasons(
        self, scores: Mapping[str, Integers], seen: _Seen, no_news: Flags, rows: Integers
    ) -> pa.Array:
        """``R5 F4 M5: last purchase 3 days ago; 12 purchase days and 1,204.50 EUR in 365 days``."""
        r, f, m = (scores[name][rows] for name in AXES)
        lately, often, much = (seen.values[name][rows] for name in AXES)
        words = reason_text.reasons(
            *("R", reason_text.number(r), " F", reason_text.number(f), " M", reason_text.number(m)),
            *(": last purchase ", reason_text.ago(-lately)),
            *(reason_text.chosen(no_news[rows], ", as usual", ""), "; "),
            *(reason_text.counted(often, "purchase day", "purchase days"), " and "),
            *(
                reason_text.money(much, self.account.currency, self.account.exponent),
                f" in {self.kind.window_days} days",
            ),
            reason_text.chosen(much <= 0, "; no net revenue, so M is 1", ""),
        )
        return pc.if_else(pa.array(seen.buyer[rows]), words, "no purchase yet")


def apart_cuts(values: Integers, least: int, levels: int = rfm_groups.LEVELS) -> list[int]:
    """Cuts between levels, five in all. The lowest holds the worst fifth, or those with ``least`` at most where these
    are more; then the others share out the levels above in the same way, the worst value standing for ``least``. At a
    fifth, both are the same.
    """
    if levels == 1:
        return []
    apart = values <= least
    if levels * int(apart.sum()) <= len(values):
        return even_cuts(values, levels)
    others = values[~apart]
    if not len(others):
        return [least] * (levels - 1)
    worst = int(others.min())
    alike = bool((others == worst).all())  # the best value has the highest level
    return [least, *([least] * (levels - 2) if alike else apart_cuts(others, worst, levels - 1))]


def _floored(name: str, levels: Integers, values: Integers) -> Integers:
    """M is 1 where there is no net revenue."""
    return np.where(values <= 0, 1, levels) if name == "money" else levels
