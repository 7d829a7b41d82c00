"""How far has each object been read, and what of the overlap has been delivered already?

Windows overlap, because a stamp is set some minutes before its row can be seen. Rows of the overlap that come
again as they were are known by a digest and dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.rest import cursor

_FORM = 1  # of what is read out of a row: a change makes every position void


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
