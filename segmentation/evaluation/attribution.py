"""By which ways do the records of each segment come to buy, and how long does it take them?

    touch        anything that a record did, at an instant; its step is the channel, or the kind where no
                 channel is known
    session      touches of a record with at most ``IDLE`` minutes between them
    way          the steps of a record up to a purchase, or up to its last touch (no purchase followed);
                 repeated steps are one
    first touch, last touch     the first and last step of a way
    removal effect              the share of purchases that would be lost were a step taken out of all ways,
                                the rest staying as it is: a description, no proof of cause (Anderl et al.
                                2016, first-order Markov chain)
    time to the first purchase  from the first touch; to the second from the first. Those who have not bought
                                yet count as waiting until ``as_of`` (Kaplan and Meier 1958): a mean of those
                                who bought would be far too short

Expressions are lazy and portable, what they come to is small: per segment and step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from segmentation import frames

if TYPE_CHECKING:
    import ibis
    import pandas as pd

Run = Callable[["ibis.Table"], "pd.DataFrame"]

IDLE = 30  # minutes
STEPS = 12  # the most frequent ones are told by name
START, END, PURCHASE, OTHER = "start", "end", "purchase", "other"
TOUCHES = {
    "record": "integer",
    "kind": "string",
    "occurred_at": "timestamp",
    "channel": "string",
    "day": "date",
}


@dataclass(frozen=True)
class Wait:
    """Days until something, of those for whom it may still come: falling ``waiting`` (share still without it)
    after ``days``.
    """

    days: npt.NDArray[np.float64]
    waiting: npt.NDArray[np.float64]
    records: int
    events: int

    @property
    def median(self) -> float | None:
        """Days after which half have it; None: fewer than half have it by the end of what is known."""
        below = np.flatnonzero(self.waiting <= 0.5)
        return float(self.days[below[0]]) if len(below) else None

    def after(self, days: float) -> float:
        """Share that has it after so many days."""
        position = int(np.searchsorted(self.days, days, side="right"))
        return float(1 - self.waiting[position - 1]) if position else 0.0


def journey(run: Run, activity: ibis.Table, labels: ibis.Table, as_of: date) -> dict[str, dict[str, Any]]:
    """Per segment: ``steps``, ``transitions``, ``removal`` (step → share lost), ``sessions``, ``bought``
    (purchases, the touches on their ways), ``first`` and ``second`` purchase.

    ``activity`` as ``TOUCHES``; ``labels``: record, segment. ``run`` computes an expression. ValueError names
    a column that is missing.
    """
    touched = touches(activity, labels, as_of)
    touched = told_apart(touched, run(frequent(touched))["step"].tolist())
    parts = (
        step_counts(touched),
        transitions(touched),
        sessions(touched),
        purchase_counts(touched),
        wait_counts(touched, as_of),
    )
    steps, moves, sat, bought, waits = (run(part) for part in parts)
    journeys: dict[str, dict[str, Any]] = {}
    for segment in sorted({*steps["segment"], *waits["segment"]}):
        mine = moves[moves["segment"] == segment]
        counts = {
            (str(a), str(b)): int(n)
            for a, b, n in zip(mine["start"], mine["stop"], mine["number"], strict=True)
        }
        rows = (
            steps[steps["segment"] == segment]
            .drop(columns="segment")
            .sort_values(["touches", "step"], ascending=[False, True])
        )
        journeys[str(segment)] = {
            "steps": rows.to_dict("records"),
            "transitions": counts,
            "removal": removal_effects(counts),
            "sessions": sat[sat["segment"] == segment].drop(columns="segment").to_dict("records"),
            "bought": {
                name: int(bought.loc[bought["segment"] == segment, name].sum())
                for name in ("purchases", "direct", "touches")
            },
            **{name: _wait(waits, segment, name) for name in ("first", "second")},
        }
    return journeys


def touches(activity: ibis.Table, labels: ibis.Table, as_of: date) -> ibis.Table:
    """segment, record, at, day, step, bought: what happened up to ``as_of``; purchases of one instant (lines
    of an order) are one.
    """
    import ibis

    frames.check(activity, TOUCHES, "activity")
    events = activity.filter((activity.day <= ibis.literal(as_of, "date")) & (activity.kind != "refund"))
    events = events.join(labels.select("record", "segment").filter(labels.segment.notnull()), "record")
    bought = events.kind == PURCHASE
    steps = events.select(
        "segment",
        "record",
        "day",
        at=events.occurred_at,
        bought=bought,
        step=ibis.ifelse(bought, PURCHASE, events.channel.coalesce(events.kind)),
    )
    return steps.filter(steps.bought).distinct().union(steps.filter(~steps.bought))


def frequent(touched: ibis.Table) -> ibis.Table:
    """step: the ``STEPS`` most frequent ones."""
    import ibis

    steps = touched.filter(~touched.bought).group_by("step").agg(size=ibis._.count())
    return steps.order_by(ibis.desc("size"), "step").limit(STEPS).select("step")


def told_apart(touched: ibis.Table, steps: Sequence[str]) -> ibis.Table:
    """The touches; steps that are not among these are ``other``."""
    import ibis

    kept = touched.step.isin([PURCHASE, *steps])
    return touched.mutate(step=ibis.ifelse(kept, touched.step, OTHER))


def step_counts(touched: ibis.Table) -> ibis.Table:
    """segment, step, touches, records, first (ways that it begins), last (ways to a purchase that it ends),
    share of the touches.
    """
    import ibis

    ways = _ways(touched)
    plain = ways.filter(~ways.bought)
    counted = plain.group_by("segment", "step").agg(
        touches=plain.count(),
        records=plain.record.nunique(),
        first=plain.count(where=plain.before.isnull() | (plain.before == PURCHASE)),
        last=plain.count(where=plain.after == PURCHASE),
    )
    total = counted.touches.sum().over(ibis.window(group_by=counted.segment))
    return counted.mutate(share=counted.touches.cast("float64") / total)


def transitions(touched: ibis.Table) -> ibis.Table:
    """segment, start, stop, number: how often one step follows another; ways start at ``start``, end at
    ``purchase`` or ``end``.
    """
    ways = _ways(touched)
    start = ways.before.isnull() | (ways.before == PURCHASE)
    begun = ways.filter(start).select("segment", start=_text(START), stop="step")
    steps = ways.filter(~ways.bought & (ways.after.isnull() | (ways.after != ways.step)))
    went = steps.select("segment", start="step", stop=steps.after.coalesce(END))
    every = begun.union(went)
    return every.group_by("segment", "start", "stop").agg(number=every.count())


def sessions(touched: ibis.Table) -> ibis.Table:
    """segment, sessions, with_purchase, touches: pieces of at most ``IDLE`` minutes of silence."""
    import ibis

    order = ibis.window(group_by=touched.record, order_by=[touched.at])
    before = touched.at.lag().over(order)
    idle = (before.isnull() | (touched.at.epoch_seconds() - before.epoch_seconds() > IDLE * 60)).ifelse(1, 0)
    begun = touched.mutate(begins=idle)
    order = ibis.window(group_by=begun.record, order_by=[begun.at], following=0)
    placed = begun.mutate(session=begun.begins.sum().over(order))
    each = placed.group_by("segment", "record", "session").agg(
        bought=placed.bought.max(), touches=placed.count()
    )
    return each.group_by("segment").agg(
        sessions=each.count(), with_purchase=each.count(where=each.bought), touches=each.touches.sum()
    )


def purchase_counts(touched: ibis.Table) -> ibis.Table:
    """segment, purchases, direct (those without a touch before them), touches: all that lie on the ways to
    these purchases.
    """
    import ibis

    before = ibis.window(
        group_by=touched.record, order_by=[touched.at, touched.bought, touched.step], following=0
    )
    placed = touched.mutate(
        way=touched.bought.cast("int64").sum().over(before) - touched.bought.cast("int64")
    )
    ways = placed.group_by("segment", "record", "way").agg(
        bought=placed.bought.max(), touches=placed.count(where=~placed.bought)
    )
    ways = ways.filter(ways.bought)
    return ways.group_by("segment").agg(
        purchases=ways.count(), direct=ways.count(where=ways.touches == 0), touches=ways.touches.sum()
    )


def wait_counts(touched: ibis.Table, as_of: date) -> ibis.Table:
    """segment, which (first, second), days, came, number: how many waited so long for a purchase, and whether
    it came.
    """
    import ibis

    days = touched.group_by("segment", "record", "day").agg(bought=touched.bought.max())
    bought = days.filter(days.bought)
    nth = bought.mutate(nth=ibis.row_number().over(ibis.window(group_by=bought.record, order_by=bought.day)))
    dates = nth.group_by("record").agg(
        one=nth.day.min(where=nth.nth == 0), two=nth.day.min(where=nth.nth == 1)
    )
    each = days.group_by("segment", "record").agg(begun=days.day.min()).left_join(dates, "record")
    end = ibis.literal(as_of, "date")
    first = each.select(
        "segment",
        which=_text("first"),
        came=each.one.notnull(),
        days=each.one.coalesce(end).delta(each.begun, unit="day").cast("int64"),
    )
    buyers = each.filter(each.one.notnull())
    second = buyers.select(
        "segment",
        which=_text("second"),
        came=buyers.two.notnull(),
        days=buyers.two.coalesce(end).delta(buyers.one, unit="day").cast("int64"),
    )
    every = first.union(second)
    return every.group_by("segment", "which", "days", "came").agg(number=every.count())


def kaplan_meier(days: npt.NDArray[Any], came: npt.NDArray[np.bool_], number: npt.NDArray[Any]) -> Wait:
    """The share still waiting, of ``number`` records that waited ``days`` until it came, or until nothing
    more is known.
    """
    times, positions = np.unique(days, return_inverse=True)
    events = np.bincount(positions, weights=number * came, minlength=len(times))
    leaving = np.bincount(positions, weights=number, minlength=len(times))
    at_risk = leaving[::-1].cumsum()[::-1]
    waiting = np.cumprod(1 - events / np.maximum(at_risk, 1))
    kept = events > 0
    return Wait(times[kept].astype(np.float64), waiting[kept], int(leaving.sum()), int(events.sum()))


def removal_effects(counts: dict[tuple[str, str], int]) -> dict[str, float]:
    """Share of the purchases that would be lost without each step, by the chain of ``transitions``; without
    purchases nothing.
    """
    steps = sorted({a for a, _ in counts} - {START, PURCHASE})
    whole = _conversion(counts, steps, "")
    return (
        {step: round(1 - _conversion(counts, steps, step) / whole, 4) for step in steps} if whole > 0 else {}
    )


def _conversion(counts: dict[tuple[str, str], int], steps: list[str], removed: str) -> float:
    """Chance that a way from the start ends in a purchase; whoever comes to the removed step is lost."""
    places = {name: position for position, name in enumerate([START, *steps])}
    moves, wins = np.zeros((len(places), len(places))), np.zeros(len(places))
    for (a, b), number in counts.items():
        if b == PURCHASE:
            wins[places[a]] += number
        elif b in places:
            moves[places[a], places[b]] += number
    out = np.array(
        [sum(number for (a, _), number in counts.items() if a == name) for name in places], np.float64
    )
    moves, wins = moves / np.maximum(out, 1)[:, None], wins / np.maximum(out, 1)
    if removed:
        moves[:, places[removed]] = 0.0
    chances = np.linalg.lstsq(np.eye(len(places)) - moves, wins, rcond=None)[0]
    return float(np.clip(chances[0], 0, 1))


def _ways(touched: ibis.Table) -> ibis.Table:
    """The touches with the step before and after each of them; of one instant a purchase comes last."""
    import ibis

    order = ibis.window(group_by=touched.record, order_by=[touched.at, touched.bought, touched.step])
    return touched.mutate(before=touched.step.lag().over(order), after=touched.step.lead().over(order))


def _wait(waits: pd.DataFrame, segment: str, which: str) -> Wait:
    mine = waits[(waits["segment"] == segment) & (waits["which"] == which)]
    return kaplan_meier(
        mine["days"].to_numpy(np.int64), mine["came"].to_numpy(np.bool_), mine["number"].to_numpy(np.int64)
    )


def _text(value: str) -> Any:
    import ibis

    return ibis.literal(value, "string")
