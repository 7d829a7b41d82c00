"""Does a record really move to another level of an axis, or does it only flap at the border?

A move counts when it passes the dead band: at least ``band`` of the population (at the fit) lies between the
border of the confirmed level and the new value, both included; of a level narrower than twice the band, half
of the level. It is carried out when a move in the same direction was proposed at the labelling before (a
distinct as_of), to the nearer of the two levels; or upward at once where ``immediate`` says that something
new happened. Nobody who is ``steady`` moves down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segmentation.ecdf import EmpiricalCdf, Flags, Integers

DEAD_BAND = 0.03


@dataclass(frozen=True)
class Circumstances:
    """What else is known of each record: something new happened to it; nothing unusual did."""

    immediate: Flags
    steady: Flags

    @classmethod
    def none(cls, count: int) -> Circumstances:
        return cls(np.zeros(count, np.bool_), np.zeros(count, np.bool_))


def settle(
    axis: EmpiricalCdf,
    values: Integers,
    confirmed: Integers,
    pending: Integers,
    band: float,
    around: Circumstances,
) -> tuple[Integers, Integers]:
    """Confirmed level and pending level (0: none) of each value after this labelling.

    ``confirmed`` and ``pending`` are those of the labelling before; confirmed 0 is a record without a level,
    which takes the level of its value.
    """
    raw = axis.level(values)
    proposed = np.where(_passes(axis, values, raw, confirmed, band), raw, confirmed)
    upward, downward = proposed > confirmed, (proposed < confirmed) & ~around.steady
    again = (upward & (pending > confirmed)) | (downward & (pending < confirmed) & (pending > 0))
    nearer = np.where(upward, np.minimum(proposed, pending), np.maximum(proposed, pending))
    at_once = upward & around.immediate
    moves = again | at_once
    settled = np.where(moves, np.where(at_once, proposed, nearer), confirmed)
    waiting = np.where((upward | downward) & ~moves, proposed, 0)
    fresh = confirmed == 0
    return np.where(fresh, raw, settled), np.where(fresh, 0, waiting)


def _passes(axis: EmpiricalCdf, values: Integers, raw: Integers, confirmed: Integers, band: float) -> Flags:
    """Is the value beyond the border of the confirmed level by the band?"""
    borders = np.concatenate([[0.0], axis.share_upto(axis.cuts), [1.0]])
    # by level, 0 and levels + 1 being none
    margin = np.concatenate([[0.0], np.minimum(band, np.diff(borders) / 2), [0.0]])
    level = np.clip(confirmed, 1, axis.levels)
    above = axis.share_upto(values) - borders[level] >= margin[level + 1]
    beneath = borders[level - 1] - axis.share_below(values) >= margin[level - 1]
    passes: Flags = ((raw > level) & above) | ((raw < level) & beneath)
    return passes


def choose(best: Integers, former: Integers, clearly: Flags, waiting: Integers) -> tuple[Integers, Integers]:
    """The choice and the one that waits (0: none) where choices have no order; they are numbered from 1.

    A record without a ``former`` choice (0) takes the best. Others change to what is ``clearly`` better when
    that was the best at the labelling before too.
    """
    proposed = (former > 0) & (best != former) & clearly
    moves = (former == 0) | (proposed & (waiting == best))
    return np.where(moves, best, former), np.where(proposed & ~moves, best, 0)
