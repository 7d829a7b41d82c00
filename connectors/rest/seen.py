"""What of the look-back has been delivered already?

Windows overlap, because a change is found some time after its stamp. What comes again as it was is dropped.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.values.api_columns import instants

MOST = 200_000  # rows of the look-back that are remembered; where there were more, they come once more
_ROW = np.dtype([("id", "<i8"), ("stamp", "<i8"), ("digest", "<u4")])
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no two stamps are the same after it

Digests = npt.NDArray[np.uint64]


@dataclass
class Seen:
    """Records with a number as their id: the time of their change (ms) and a digest of their content."""

    rows: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, ids: Iterable[int], stamps: Iterable[int], digests: Iterable[int]) -> None:
        """Delivered just now."""
        self.rows.update(zip(ids, zip(stamps, digests, strict=True), strict=True))

    def since(self, start: int, archived: int = 0) -> Seen:
        """Those whose change is not older than ``start``, and that were not archived (ids below 0) before
        ``archived``.

        None where they are too many to remember.
        """
        kept = {id: row for id, row in self.rows.items() if row[0] >= (start if id > 0 else archived)}
        return Seen(kept if len(kept) <= MOST else {})

    def dumps(self) -> str:
        """As text."""
        return _packed(np.array([(id, *row) for id, row in sorted(self.rows.items())], _ROW), 6)

    @staticmethod
    def loads(text: str) -> Seen:
        """From text."""
        rows = _unpacked(text, _ROW)
        return Seen({int(row["id"]): (int(row["stamp"]), int(row["digest"])) for row in rows})


class Overlap:
    """Rows of tables of texts with an ``Id``: one number for each that is delivered.

    ``stamp`` names the column of a row's change; ``since`` is where the next window begins.
    """

    def __init__(self, text: str, latest: str, stamp: str, since: datetime) -> None:
        self._before = _unpacked(text, np.dtype(np.uint64))
        self._after: list[Digests] = []
        self._stamp = stamp
        self._since = pa.scalar(since)
        self.latest = latest  # change of any row that came; ISO text, "" before the first

    def fresh(self, rows: pa.Table) -> pa.Table:
        """The rows that were not delivered as they are."""
        marks, late = _digests(rows, self._stamp), self._late(rows)
        self._after.append(marks[late.to_numpy(zero_copy_only=False)])
        return rows.filter(pa.array(~np.isin(marks, self._before)))

    def delivered(self, rows: pa.Table) -> None:
        """Rows that are given whatever was before."""
        late = rows.filter(self._late(rows))
        if sum(map(len, self._after)) <= MOST:  # beyond it nothing is remembered
            self._after.append(_digests(late, self._stamp))

    def dumps(self) -> str:
        """As text; nothing where they are too many to remember: then they come once more."""
        kept = np.unique(np.concatenate([*self._after, np.empty(0, np.uint64)]))
        return _packed(kept, 1) if len(kept) <= MOST else ""

    def _late(self, rows: pa.Table) -> pa.Array:
        moments = instants(rows[self._stamp].combine_chunks())
        newest = pc.max(moments).as_py()
        self.latest = max(
            self.latest, newest.isoformat(timespec="milliseconds") if newest is not None else ""
        )
        return pc.fill_null(pc.greater_equal(moments, self._since), True)


def _digests(table: pa.Table, stamp: str) -> Digests:
    """One number for each row, equal where the same record has the same stamp and is deleted or not, however
    the texts are written.
    """
    from pandas.util import hash_array  # a costly import, which only tables need

    if not table.num_rows:
        return np.empty(0, np.uint64)
    ids = hash_array(table["Id"].to_numpy(), categorize=False)
    moments = pc.fill_null(instants(table[stamp].combine_chunks()).cast(pa.int64()), 0).to_numpy(
        zero_copy_only=False
    )
    deleted = np.zeros(table.num_rows, np.uint64)
    if "IsDeleted" in table.column_names:
        deleted = pc.fill_null(pc.equal(table["IsDeleted"], "true"), False).to_numpy().astype(np.uint64)
    with np.errstate(over="ignore"):
        return np.asarray(ids + moments.astype(np.uint64) * _FACTOR + deleted, np.uint64)


def _packed(rows: npt.NDArray[Any], level: int) -> str:
    return base64.b85encode(zlib.compress(rows.tobytes(), level)).decode() if len(rows) else ""


def _unpacked(text: str, row: np.dtype[Any]) -> npt.NDArray[Any]:
    return np.frombuffer(zlib.decompress(base64.b85decode(text)) if text else b"", row)
