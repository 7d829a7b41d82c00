"""How are all records of an object type read as fast as the limit allows?

They are listed in the order of their ids, a page a call, and the cursor is an id. So a scan can start
anywhere: ids are read in ranges, several at a time, and a thread without a range takes half of the largest
one. Where an answer holds other ids than it should, the scan says so (``Misbehaved``) and its caller follows
the cursors one by one.

Ids are whole numbers from 0 on. An interval is (first, end), end excluded; END is beyond every id.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from connectors.errors import RequestError
from connectors.rest.source import Listed, Row

END = 1 << 62
Interval = tuple[int, int]
PAGE = 100  # records of a listing
# records left in a range: fewer are not worth halving, the first call of a half may bring nothing ...
SMALLEST = 400
# ... and so many pages must there be for each range: where it ends, half a page is read twice
PAGES_A_RANGE = 40
Fetch = Callable[[str | None], Listed]


class Misbehaved(Exception):
    """A cursor does not start a listing where it says."""


@dataclass
class Slice:
    """Records whose ids lie in [first, end), all of them."""

    results: list[Row]
    first: int
    end: int


@dataclass
class _Range:
    first: int  # next id to be read
    end: int
    after: str | None = None  # the CRM's own cursor to ``first``, where it gave one
    density: float = 0.0  # records an id, as seen last
    busy: bool = False


class Scan:
    """One scan over the given ranges of ids; ``step`` may run on many threads at a time.

    ``top`` and ``total`` are the highest id and the number of records as far as they are known (``top`` 0:
    one range); where there are more than were told, the ids seen last say how many are left.
    """

    def __init__(self, fetch: Fetch, ranges: Sequence[Interval], top: int, total: int) -> None:
        self._fetch = fetch
        self._ranges = [_Range(first, end) for first, end in ranges]
        self._halvings = total // (PAGES_A_RANGE * PAGE)
        self._top = top
        self._left = float(total)
        self._density = total / (top + 1)
        self._changed = threading.Condition()
        self._failed = False

    def turns(self) -> Iterator[None]:
        """One for each call of ``step``, until all is read."""
        while self._ranges and not self._failed:
            yield None

    def step(self, _: None = None) -> Slice | None:
        """Read the next page of some range; None where nothing is left to do."""
        taken = self._take()
        if taken is None:
            return None
        first, after = taken.first, taken.after
        probing = after is None and first > 0
        try:
            # One id before: it does not matter whether ``after`` itself belongs to the answer.
            listed = self._fetch(str(first - 1) if probing else after)
            ids = _ids(listed)
            if probing and ids and min(ids) < first - 1:
                raise Misbehaved(f"after={first - 1} begins at {min(ids)}")
            if listed.after is not None and (listed.after == after or not ids):
                raise Misbehaved("a cursor that leads nowhere")
        except BaseException as error:
            self._fail()
            if probing and isinstance(error, RequestError):
                raise Misbehaved(str(error)) from error
            raise
        return self._advance(taken, listed, ids)

    def _take(self) -> _Range | None:
        with self._changed:
            while not self._failed:
                idle = next((candidate for candidate in self._ranges if not candidate.busy), None)
                taken = idle or self._halved()
                if taken is not None:
                    taken.busy = True
                    return taken
                if not self._ranges:
                    return None
                self._changed.wait()
            return None

    def _halved(self) -> _Range | None:
        """The upper half of the range that has most records left, as its own range."""
        if not self._ranges or not self._halvings:
            return None
        victim = max(self._ranges, key=self._size)
        middle = (victim.first + min(victim.end, self._top + 1)) // 2
        if self._size(victim) < SMALLEST or middle <= victim.first:
            return None
        self._halvings -= 1
        half = _Range(middle, victim.end)
        victim.end = middle
        self._ranges.append(half)
        return half

    def _size(self, interval: _Range) -> float:
        """Records that are probably left in a range."""
        span = max(min(interval.end, self._top + 1) - interval.first, 0)
        return min(span * (interval.density or self._density), self._left or span, span)

    def _advance(self, taken: _Range, listed: Listed, ids: list[int]) -> Slice:
        with self._changed:
            first, limit = taken.first, taken.end
            end = limit if listed.after is None else min(max(ids) + 1, limit)
            kept: dict[int, Row] = {
                id: row for id, row in zip(ids, listed.results, strict=True) if first <= id < end
            }  # a row that repeats is one row
            self._left = max(self._left - len(kept), 0.0)
            if end >= limit:
                self._ranges.remove(taken)
            else:
                taken.first, taken.after, taken.busy = max(end, first), listed.after, False
                taken.density = len(ids) / (max(ids) - min(ids) + 1)
            self._changed.notify_all()
        return Slice(list(kept.values()), first, end)

    def _fail(self) -> None:
        with self._changed:
            self._failed = True
            self._changed.notify_all()


def _ids(listed: Listed) -> list[int]:
    try:
        return [int(row["id"]) for row in listed.results]
    except ValueError as error:
        raise Misbehaved("ids that are not numbers") from error


def joined(intervals: Iterable[Interval]) -> list[Interval]:
    """The same ids in as few intervals as possible, in order."""
    merged: list[Interval] = []
    for first, end in sorted(intervals):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif first < end:
            merged.append((first, end))
    return merged


def gaps(intervals: Iterable[Interval]) -> list[Interval]:
    """The ids that are in none of them."""
    left, start = [], 0
    for first, end in joined(intervals):
        if start < first:
            left.append((start, first))
        start = end
    return [*left, (start, END)] if start < END else left
