"""How are the pages of a listing fetched one after the other?

Every way ends on a cursor that is missing, or that is the one just used: a listing that leads nowhere is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

_Answer = TypeVar("_Answer")
_Cursor = TypeVar("_Cursor")


def pages(
    ask: Callable[[_Cursor | None], _Answer],
    following: Callable[[_Answer], _Cursor | None],
    start: _Cursor | None = None,
) -> Iterator[_Answer]:
    """All answers from ``start`` on. ``ask`` takes a cursor (None: from the beginning), ``following`` tells
    the next one of an answer.

    A cursor is whatever the API goes on from: a token, a link, an offset, the last id of the page (keyset).
    """
    cursor = start
    while True:
        answer = ask(cursor)
        yield answer
        after = following(answer)
        if after is None or after == cursor:
            return
        cursor = after
