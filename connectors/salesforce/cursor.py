"""How far has each object been read, and what of the overlap has been delivered already?

Windows overlap, because a stamp is set some minutes before its row can be seen. Rows of the overlap that come
again as they were are known by a digest and dropped.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from connectors import cursor
from connectors.values.api_columns import instants

_FORM = 1  # of what is read out of a row: a change makes every position void
MOST = 200_000  # digests that are remembered; where there were more, the rows come once more

_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no two stamps are the same after it

Digests = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Progress:
    """How far one source has been read. Times are ISO texts of Salesforce's clock; "" is never."""

    form: str  # what it was read as: of another form, it is read again
    until: str = ""  # end of the last window
    swept: str = ""  # when the last reading of all rows began
    latest: str = ""  # change of any row that was read
    seen: str = ""  # digests of the rows of the overlap
    # A reading of all rows that is not finished: when it began, its job and where that goes on.
    began: str = ""
    job: str = ""
    locator: str = ""


Position = cursor.Position[Progress]


def loads(text: str | None) -> Position:
    """The position; from the beginning where there is none, or it is not ours."""
    return cursor.loads(text, _FORM, lambda stored: Progress(**stored))


def digests(table: pa.Table, stamp: str) -> Digests:
    """One number for each row, equal where the same record has the same stamp and is deleted or not, however
    the texts are written.
    """
    if not table.num_rows:
        return np.empty(0, np.uint64)
    ids = pd.util.hash_array(table["Id"].to_numpy(), categorize=False)
    moments = pc.fill_null(instants(table[stamp].combine_chunks()).cast(pa.int64()), 0).to_numpy(
        zero_copy_only=False
    )
    deleted = np.zeros(table.num_rows, np.uint64)
    if "IsDeleted" in table.column_names:
        deleted = pc.fill_null(pc.equal(table["IsDeleted"], "true"), False).to_numpy().astype(np.uint64)
    with np.errstate(over="ignore"):
        return np.asarray(ids + moments.astype(np.uint64) * _FACTOR + deleted, np.uint64)


class Overlap:
    """Rows of the overlap: those that were delivered before are dropped, those that the next window will see
    are remembered.

    ``stamp`` names the column of a row's change; ``since`` is where the next window begins.
    """

    def __init__(self, text: str, latest: str, stamp: str, since: datetime) -> None:
        self._before = (
            np.frombuffer(zlib.decompress(base64.b85decode(text)), np.uint64)
            if text
            else np.empty(0, np.uint64)
        )
        self._after: list[Digests] = []
        self._stamp = stamp
        self._since = pa.scalar(since)
        self.latest = latest  # change of any row that came; ISO text, "" before the first

    def fresh(self, rows: pa.Table) -> pa.Table:
        """The rows that were not delivered as they are."""
        marks, late = digests(rows, self._stamp), self._late(rows)
        self._after.append(marks[late.to_numpy(zero_copy_only=False)])
        return rows.filter(pa.array(~np.isin(marks, self._before)))

    def delivered(self, rows: pa.Table) -> None:
        """Rows that are given whatever was before."""
        late = rows.filter(self._late(rows))
        if sum(map(len, self._after)) <= MOST:  # beyond it nothing is remembered
            self._after.append(digests(late, self._stamp))

    def dumps(self) -> str:
        """As text; nothing where they are too many to remember: then they come once more."""
        kept = np.unique(np.concatenate([*self._after, np.empty(0, np.uint64)]))
        return base64.b85encode(zlib.compress(kept.tobytes(), 1)).decode() if 0 < len(kept) <= MOST else ""

    def _late(self, rows: pa.Table) -> pa.Array:
        moments = instants(rows[self._stamp].combine_chunks())
        newest = pc.max(moments).as_py()
        self.latest = max(
            self.latest, newest.isoformat(timespec="milliseconds") if newest is not None else ""
        )
        return pc.fill_null(pc.greater_equal(moments, self._since), True)
