"""Which ids of a scan have been read, and which are left?

Ids are whole numbers from 0 on. An interval is (first, end), end excluded; END is beyond every id.
"""

from __future__ import annotations

from collections.abc import Iterable

END = 1 << 62
Interval = tuple[int, int]


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
