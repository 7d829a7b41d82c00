"""How many different ids does a column hold that comes page by page? Ids that are a number behind a text that all
of them share (ORD-1001) are kept as numbers: exact, and many times cheaper than texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.values.text import bytes_of

_COMPACT = 4_000_000  # texts that may wait before they are compared with those before them
Keys = npt.NDArray[np.int64]
_DIGITS = 15  # at most; a key holds their number above their value, since 7 and 007 are two ids
_SHIFT = 54
_LEADING = re.compile(r"[^0-9]{0,32}")


def numbered(ids: pa.Array) -> tuple[str, Keys] | None:
    """The text that all ids (none of them null) begin with, which holds no digit, and a key for each id; None
    where they are not so.
    """
    if not len(ids):
        return None
    prefix = _LEADING.match(ids[0].as_py())[0]  # type: ignore[index]
    if prefix:
        if not prefix.isascii() or not pc.all(pc.starts_with(ids, prefix)).as_py():
            return None
        ids = pc.utf8_slice_codeunits(ids, len(prefix))
    offsets, letters = bytes_of(ids)
    lengths = np.diff(offsets)
    if not lengths.all() or lengths.max() > _DIGITS or letters.min() < 48 or letters.max() > 57:
        return None
    return prefix, ids.cast(pa.int64()).to_numpy() + (lengths.astype(np.int64) << _SHIFT)


def texts_of(prefix: str, keys: Keys) -> pa.Array:
    """The ids of keys."""
    digits = pa.array(keys & ((1 << _SHIFT) - 1)).cast(pa.string())
    lengths = keys >> _SHIFT
    for length in np.unique(lengths[lengths > np.diff(bytes_of(digits)[0])]).tolist():
        digits = pc.if_else(pa.array(lengths == length), pc.utf8_lpad(digits, length, "0"), digits)
    return pc.binary_join_element_wise(prefix, digits, "")


def counted(keys: Keys, numbers: Keys | None = None) -> tuple[Keys, Keys]:
    """Different keys, ascending, and how often each stands there; with ``numbers``, the sum of those that
    stand beside it.
    """
    if numbers is None:
        keys = np.sort(keys)
    else:
        order = np.argsort(keys)
        keys, numbers = keys[order], numbers[order]
    starts = (
        np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        if len(keys)
        else np.zeros(0, np.int64)
    )
    if numbers is None:
        return keys[starts], np.diff(np.append(starts, len(keys)))
    return keys[starts], np.add.reduceat(numbers, starts) if len(keys) else numbers


class DistinctTexts:
    """Different texts of a column that comes page by page: exact, and at the cost of Arrow's memory rather
    than Python's.
    """

    def __init__(self) -> None:
        self._parts: list[pa.Array] = []
        self._waiting = self._compact = 0

    def add(self, texts: pa.ChunkedArray | pa.Array) -> None:
        """Take texts (none of them null) into account."""
        part = pc.unique(texts).cast(pa.large_string())
        self._parts.append(part)
        self._waiting += len(part)
        if self._waiting > max(_COMPACT, self._compact):
            self._unite()

    def take(self, others: DistinctTexts) -> None:
        """Take all texts of others into account."""
        self._parts += others._parts
        self._waiting += sum(map(len, others._parts))

    def _unite(self) -> None:
        if len(self._parts) > 1:
            self._parts = [pc.unique(pa.chunked_array(self._parts))]
        self._waiting, self._compact = 0, sum(map(len, self._parts))

    def count(self) -> int:
        """How many there are."""
        self._unite()
        return self._compact

    def texts(self) -> pa.Array:
        """All of them."""
        self._unite()
        return self._parts[0].cast(pa.string()) if self._parts else pa.array([], pa.string())


@dataclass
class DistinctIds:
    """How many different ids are there? They come page by page, and from several files."""

    _keys: dict[str, list[Keys]] = field(default_factory=dict)  # by the text that the ids begin with
    _texts: list[DistinctTexts] = field(default_factory=list)  # of pages whose ids are not numbered

    def add(self, ids: pa.Array) -> None:
        """Take ids (none of them null) into account."""
        if not self.add_numbered(ids):
            if not self._texts:
                self._texts.append(DistinctTexts())
            self._texts[0].add(ids)

    def add_numbered(self, ids: pa.Array) -> bool:
        """Take ids into account; False where they are not numbered: then nothing was done."""
        keyed = numbered(ids)
        if keyed is not None:
            self._keys.setdefault(keyed[0], []).append(keyed[1])
        return keyed is not None or not len(ids)

    def take(self, others: DistinctIds) -> None:
        """Take all ids of another file into account."""
        for prefix, parts in others._keys.items():
            self._keys.setdefault(prefix, []).extend(parts)
        self._texts += others._texts

    def count(self) -> int:
        """How many there are."""
        for prefix, parts in self._keys.items():
            self._keys[prefix] = [counted(np.concatenate(parts) if len(parts) > 1 else parts[0])[0]]
        if not self._texts:  # ids that begin otherwise are others
            return sum(len(parts[0]) for parts in self._keys.values())
        whole = DistinctTexts()
        for texts in self._texts:
            whole.take(texts)
        for prefix, parts in self._keys.items():
            whole.add(texts_of(prefix, parts[0]))
        self._texts, self._keys = [whole], {}
        return whole.count()


@dataclass
class CountedIds:
    """How often does each id stand there?"""

    _keys: dict[str, list[tuple[Keys, Keys | None]]] = field(default_factory=dict)

    def add(self, ids: pa.Array) -> bool:
        """Take ids (none of them null) into account; False where they are not numbered: then nothing was
        done.
        """
        keyed = numbered(ids)
        if keyed is not None:
            self._keys.setdefault(keyed[0], []).append((keyed[1], None))
        return keyed is not None or not len(ids)

    def take(self, others: CountedIds) -> None:
        """Take all ids of another file into account."""
        for prefix, parts in others._keys.items():
            self._keys.setdefault(prefix, []).extend(parts)

    def unite(self) -> None:
        """Hold each id once."""
        for prefix, parts in self._keys.items():
            fresh = [keys for keys, numbers in parts if numbers is None]
            tallied = [(keys, numbers) for keys, numbers in parts if numbers is not None]
            if fresh:
                tallied.append(counted(np.concatenate(fresh)))
            self._keys[prefix] = [tallied[0] if len(tallied) == 1 else counted(*_joined(tallied))]

    def tables(self) -> list[tuple[pa.Array, pa.Array]]:
        """Ids, and how often each of them stands there."""
        self.unite()
        return [
            (texts_of(prefix, keys), pa.array(numbers)) for prefix, ((keys, numbers),) in self._keys.items()
        ]


def _joined(parts: Sequence[tuple[Keys, Any]]) -> tuple[Keys, Keys]:
    return np.concatenate([keys for keys, _ in parts]), np.concatenate([numbers for _, numbers in parts])
