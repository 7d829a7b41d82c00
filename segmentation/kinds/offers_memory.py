"""Which segment has each category of a model, and which offers had each record before? (kind ``offers``)

Places are columns of a model's categories, numbered from 1; 0 is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from segmentation.ecdf import Integers
from segmentation.frames import VALUE
from segmentation.kinds.offers import JOINED, NOTHING, OTHER, THREE, Offers, category_key, plain
from segmentation.kinds.offers_ranks import LISTED
from segmentation.previous_labels import Before

BETWEEN = "; "  # names of a joined field: no name holds a semicolon
_JOINED = "^(?P<offer_1>[^;]*)(?:; (?P<offer_2>[^;]*))?(?:; (?P<offer_3>[^;]*))?$"
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Places:
    """``codes``: by place, the position of its segment in ``keys``."""

    keys: list[str]
    codes: Integers
    names: list[str]  # of the categories, as people read them

    @classmethod
    def of(cls, kind: Offers, names: Sequence[str], learned: Mapping[str, Any]) -> Places:
        """``names``: those that may be offered, by a model's ``learned``."""
        shown = [plain(name) for name in names]
        if kind.categories is not None:
            return cls([NOTHING, *kind.keys()[:-1]], np.arange(len(names) + 1), shown)
        numbers = dict(map(tuple, learned["numbers"]))
        keys, codes = [NOTHING, OTHER], np.ones(len(names) + 1, np.int64)
        codes[0] = 0
        for position, name in enumerate(names, 1):
            if name in numbers:
                codes[position] = len(keys)
                keys.append(category_key(numbers[name]))
        return cls(keys, codes, shown)

    def of_segments(self, before: Before) -> Integers:
        """The place of each record's former segment; -1 where that is of several categories."""
        code = _position(before.text("segment"), self.keys)
        place = np.zeros(len(self.keys) + 1, np.int64)
        place[self.codes[1:]] = np.arange(1, len(self.codes))
        if OTHER in self.keys:
            place[self.keys.index(OTHER)] = -1
        place[0] = place[-1] = 0
        return place[code]

    def listed(self, kind: Offers, before: Before) -> Integers:
        """(records, ``LISTED``) former offers, where fields held them; 0 elsewhere."""
        columns = [_position(texts, self.names) + 1 for texts in former_texts(kind, before)]  # absent is -1
        return np.stack(columns, 1) if columns else np.zeros((len(before.rows), LISTED), np.int64)

    def others_best(self, values: Matrix) -> Integers:
        """The best of the categories that have no segment of their own, row by row."""
        without = np.where(self.codes[1:] == 1, values, 0)
        at = without.argmax(1)
        return np.where(without[np.arange(len(values)), at] > 0, at + 1, 0)


def former_texts(kind: Offers, before: Before) -> list[pa.Array]:
    """What the fields of the offers held, the first one first; nothing where there are no such fields."""
    if kind.offer_fields == "joined":
        parts = pc.extract_regex(before.text(VALUE + JOINED), _JOINED)
        return [parts.field(name) for name in THREE]
    return [before.text(VALUE + name) for name in THREE] if kind.offer_fields else []


def texts(kind: Offers, names: Sequence[str], three: Integers) -> dict[str, pa.Array]:
    """What the fields of the offers hold, of (records, ``LISTED``) places in ``names``; null for none."""
    if not kind.offer_fields:
        return {}
    known = pa.array([None, *(name or None for name in names)], pa.string())
    columns = [known.take(pa.array(three[:, position])) for position in range(LISTED)]
    if kind.offer_fields == "three":
        return dict(zip(THREE, columns, strict=True))
    joined = pc.binary_join_element_wise(*columns, BETWEEN, null_handling="skip")
    return {JOINED: pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), joined)}


def _position(texts: pa.Array, known: Sequence[str]) -> Integers:
    """Where each text stands in ``known``; -1: nowhere."""
    found = pc.fill_null(pc.index_in(texts, pa.array(known, pa.string())), -1)
    places: Integers = found.to_numpy(zero_copy_only=False).astype(np.int64)
    return places
