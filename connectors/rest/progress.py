"""How far has a source been read whose records have numbers as ids?"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.rest import cursor
from connectors.rest.parallel_scan import Interval


@dataclass(frozen=True)
class Progress:
    """How far one source has been read. Times are milliseconds since 1970 of the CRM's clock."""

    form: str  # fingerprint of what it was read as: of another one, it is read again
    start: int = 0  # the next window begins here: the end of the last one less the look-back
    end: int = 0  # of the last window
    settled: int = 0  # up to here, what was delivered is what the CRM held, and not what a late index said
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


Position = cursor.Position[Progress]


def loads(text: str | None, version: int) -> Position:
    """The position; from the beginning where there is none, or it is not of this version."""
    return cursor.loads(
        text, version, lambda stored: Progress(**{**stored, "read": tuple((a, b) for a, b in stored["read"])})
    )


def window_start(end: int, look_back: int, latest: int) -> int:
    """Where the window behind ``end`` begins: a look-back before it, and never behind what may lie after the
    latest change known.

    The second matters where records are stamped by a clock that is behind the one that answers tell.
    """
    return max(min(end - look_back, latest + 1) if latest else end - look_back, 0)
