"""Whose ways to a purchase are looked at, and what did they touch on the way?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sync.store.mirror import AccountMirror
from sync.store.relation import Relation
from sync.store.scratch import computed
from sync.store.segment_figures import labelled

_SPREAD, _RANGE = 2_654_435_761, 2**32  # Knuth's multiplicative hash: an even draw, the same each time


@contextmanager
def travellers(mirror: AccountMirror, labels: Relation, most: int | None) -> Iterator[Relation]:
    """(record, segment) of the records that have a segment, as long as the block lasts; of more than ``most``,
    so many are drawn (about).
    """
    records = labelled(mirror, labels) if most else 0
    drawn = (
        f"AND (record * {_SPREAD}) % {_RANGE} < {_RANGE * most // records}" if most and records > most else ""
    )
    with computed(
        mirror, f"SELECT record, segment FROM ({labels}) WHERE segment IS NOT NULL {drawn}"
    ) as rows:
        yield rows


@contextmanager
def touches(mirror: AccountMirror, activity: Relation, records: Relation) -> Iterator[Relation]:
    """(record, kind, occurred_at, channel, day): the activity of these records, as long as the block lasts."""
    columns = "record, kind, occurred_at, channel::VARCHAR AS channel, day"
    with computed(
        mirror, f"SELECT {columns} FROM ({activity}) SEMI JOIN ({records}) AS chosen USING (record)"
    ) as rows:
        yield rows
