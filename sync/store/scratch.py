"""Where do rows stand that are computed once and read several times? In tables of this connection that have
names of their own, so that nobody reads them but by the relation that is handed out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pyarrow as pa

from sync.store.mirror import AccountMirror
from sync.store.relation import Relation

_NUMBERS = count(1)


@contextmanager
def computed(mirror: AccountMirror, rows: Relation | str) -> Iterator[Relation]:
    """The rows, computed now, as long as the block lasts."""
    name = f"scratch_{next(_NUMBERS)}"
    mirror.run(f"CREATE TEMP TABLE {name} AS {rows}")
    try:
        yield Relation(f"SELECT * FROM {name}")
    finally:
        mirror.run(f"DROP TABLE {name}")


@contextmanager
def readable(mirror: AccountMirror, frame: pa.Table) -> Iterator[Relation]:
    """The rows of an Arrow table, as long as the block lasts."""
    name = f"frame_{next(_NUMBERS)}"
    mirror.connection.register(name, frame)
    try:
        yield Relation(f"SELECT * FROM {name}")
    finally:
        mirror.connection.unregister(name)


def remembered(mirror: AccountMirror, name: str, rows: Relation | str) -> Relation:
    """The rows, computed now, until others are remembered under the same name."""
    mirror.run(f"CREATE OR REPLACE TEMP TABLE remembered_{name} AS {rows}")
    return Relation(f"SELECT * FROM remembered_{name}")
