"""In which pieces are ten million records worked on?

Spans of their numbers, so that each piece needs bounded memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.store.mirror import AccountMirror

if TYPE_CHECKING:
    import ibis

CHUNK = 500_000  # numbers of records, so at most so many records, that are in memory at once
# Knuth's multiplicative hash: an even draw of few out of many, the same on each day
_SPREAD, _RANGE = (2_654_435_761, 2**32)

Span = tuple[int, int]  # the first and the last number of a record


def spans(mirror: AccountMirror) -> list[Span]:
    """All numbers of records in their order; at least one span."""
    last = int(mirror.value("SELECT coalesce(max(record), 1) FROM ids"))
    return [(first, min(first + CHUNK - 1, last)) for first in range(1, last + 1, CHUNK)]


def within(span: Span) -> str:
    """SQL condition on the column ``record``."""
    return f"record BETWEEN {span[0]} AND {span[1]}"


def drawn(records: ibis.Table, count: int, most: int) -> ibis.Table:
    """About ``most`` of ``count`` records, by a hash of the record; all where there are no more."""
    return (
        records
        if count <= most
        else records.filter((records.record * _SPREAD) % _RANGE < _RANGE * most // count)
    )
