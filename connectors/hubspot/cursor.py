"""How far has each source been read, and what of the look-back has been delivered already?"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from connectors import cursor
from connectors.hubspot.intervals import Interval

_FORM = 1  # of what is read out of a record: a change makes every position void
MOST = 200_000  # records of the look-back that are remembered; where there were more, they come once more
_ROW = np.dtype([("id", "<i8"), ("stamp", "<i8"), ("digest", "<u4")])


@dataclass
class Seen:
    """Records that were delivered, by id: the time of their change (ms) and a digest of their content."""

    rows: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, ids: Iterable[int], stamps: Iterable[int], digests: Iterable[int]) -> None:
        """Delivered just now."""
        for id, stamp, digest in zip(ids, stamps, digests, strict=True):
            self.rows[id] = (stamp, digest)

    def since(self, start: int, archived: int = 0) -> Seen:
        """Those whose change is not older than ``start``, and that were not archived (ids below 0) before
        ``archived``.

        None where they are too many to remember.
        """
        kept = {id: row for id, row in self.rows.items() if row[0] >= (start if id > 0 else archived)}
        return Seen(kept if len(kept) <= MOST else {})

    def dumps(self) -> str:
        """As text."""
        rows = np.array([(id, *row) for id, row in sorted(self.rows.items())], _ROW)
        return base64.b85encode(zlib.compress(rows.tobytes(), 6)).decode() if len(rows) else ""

    @staticmethod
    def loads(text: str) -> Seen:
        """From text."""
        if not text:
            return Seen()
        rows = np.frombuffer(zlib.decompress(base64.b85decode(text)), _ROW)
        return Seen({int(row["id"]): (int(row["stamp"]), int(row["digest"])) for row in rows})


def behind_all(end: int, look_back: int, latest: int) -> int:
    """Where the window behind ``end`` begins: a look-back before it, and never behind what may lie after the
    latest change known.

    The second matters where records are stamped by a clock that is behind the one that answers tell.
    """
    return max(min(end - look_back, latest + 1) if latest else end - look_back, 0)


@dataclass(frozen=True)
class Progress:
    """How far one source has been read. Times are milliseconds since 1970 of HubSpot's clock."""

    form: str  # what it was read as: of another form, it is read again
    start: int = 0  # the next window begins here: the end of the last one less the look-back
    end: int = 0  # of the last window
    settled: int = 0  # up to here, what was delivered is what HubSpot held, and not what a late index said
    swept: int = 0  # when the last reading of all records began
    latest: int = 0  # change of any record that was read
    # records that there were at the end of the last window (of an unfinished reading: that are in); -1:
    # unknown
    count: int = -1
    looked: int = 0  # when the recycle bin was looked through last
    seen: str = ""  # delivered since ``start``; see Seen
    # A reading of all records that is not finished: when it began, the ids that are in, or the cursor of a
    # reading one by one.
    began: int = 0
    read: tuple[Interval, ...] = ()
    after: str = ""
    # A window that is not finished: its end, and the id behind which it goes on.
    window: int = 0
    behind: int = 0

    @property
    def finished(self) -> bool:
        """Whether all records were read once."""
        return self.swept > 0 and not self.began


Position = cursor.Position[Progress]


def loads(text: str | None) -> Position:
    """The position; from the beginning where there is none, or it is not ours."""
    return cursor.loads(
        text, _FORM, lambda stored: Progress(**{**stored, "read": tuple((a, b) for a, b in stored["read"])})
    )
