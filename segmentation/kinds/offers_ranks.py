"""Which three categories does a record get, given those that it had? (kind ``offers``)

One of the former three leaves when it is worth nothing any more, or when another is worth more by the dead band;
they change places among themselves on the same condition.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from segmentation.ecdf import Integers

LISTED = 3

Matrix = npt.NDArray[np.float64]


def steady(values: Matrix, former: Integers, band: float, first: Integers | None = None) -> Integers:
    """(records, ``LISTED``) places in the columns of ``values``, numbered from 1; 0: none.

    ``values``: 0 is not to be offered. ``former``: the same of the labelling before. ``first``: what has to
    stand first, if it is not 0.
    """
    rows = np.arange(len(values))
    boosted = values.copy()
    slot = _slots(values, former)
    r, s = np.nonzero(slot)
    boosted[r, slot[r, s] - 1] *= 1 + band
    if first is not None:
        boosted[rows[first > 0], first[first > 0] - 1] = np.inf
    chosen = np.zeros((len(values), LISTED), np.int64)
    worth = np.zeros(chosen.shape)
    for position in range(min(LISTED, values.shape[1])):
        at = boosted.argmax(1)
        some = boosted[rows, at] > 0
        chosen[:, position] = np.where(some, at + 1, 0)
        worth[:, position] = np.where(some, values[rows, at], 0)
        if first is not None:
            worth[:, position][some & (first == at + 1)] = np.inf
        boosted[rows, at] = -1
    return _ordered(chosen, worth, slot, band)


def _slots(values: Matrix, former: Integers) -> Integers:
    """The former places that are still worth something, each once; else 0."""
    kept = np.where(values[np.arange(len(values))[:, None], np.maximum(former, 1) - 1] > 0, former, 0)
    for position in range(1, LISTED):
        again = (kept[:, :position] == kept[:, position, None]).any(1)
        kept[again, position] = 0
    return kept


def _ordered(chosen: Integers, worth: Matrix, slot: Integers, band: float) -> Integers:
    """As they stood before, and newcomers behind; then whichever is worth more moves up."""
    was = (chosen[:, :, None] == slot[:, None, :]) & (chosen[:, :, None] > 0)
    member = was.any(2)
    turn = np.where(member, was.argmax(2), LISTED + np.arange(LISTED))
    turn = np.where(chosen > 0, turn, 2 * LISTED)
    order = np.argsort(turn, 1, kind="stable")
    chosen, worth, member = (np.take_along_axis(each, order, 1) for each in (chosen, worth, member))
    for upper in (0, 1, 0):
        lower = upper + 1
        margin = np.where(member[:, upper] & member[:, lower], 1 + band, 1.0)
        moves = worth[:, lower] > margin * worth[:, upper]
        for each in (chosen, worth, member):
            each[moves, upper], each[moves, lower] = each[moves, lower], each[moves, upper].copy()
    return chosen
