"""Where do rows stand that are computed once and read several times? In tables of this connection that have
names of their own, so that nobody reads them but by the relation that is handed out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from types import TracebackType

import pyarrow as pa

from sync.store.mirror import AccountMirror
from sync.store.relation import Relation

_NUMBERS = count(1)


@dataclass(frozen=True)
class Collection:
    """Rows that are gathered one part after the other."""

    mirror: AccountMirror
    name: str

    @property
    def rows(self) -> Relation:
        """What is gathered by the time that it is read."""
        return Relation(f"SELECT * FROM {self.name}")

    def add(self, rows: Relation) -> None:
        """Gather more rows, whose columns stand in the same order."""
        self.mirror.run(f"INSERT INTO {self.name} {rows}")


class Scratch:
    """Tables of a mirror that are gone at the end of the block."""

    def __init__(self, mirror: AccountMirror) -> None:
        self.mirror = mirror
        self._names: list[str] = []

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if error is None:  # else the engine itself may be at fault, and the connection ends soon
            for name in self._names:
                self.mirror.run(f"DROP TABLE {name}")

    def table(self, rows: Relation | str) -> Relation:
        """The rows, computed now."""
        name = self._name()
        self.mirror.run(f"CREATE TEMP TABLE {name} AS {rows}")
        return Relation(f"SELECT * FROM {name}")

    def collection(self, columns: str) -> Collection:
        """An empty collection; ``columns``: names and SQL types."""
        name = self._name()
        self.mirror.run(f"CREATE TEMP TABLE {name} ({columns})")
        return Collection(self.mirror, name)

    def _name(self) -> str:
        self._names.append(f"scratch_{next(_NUMBERS)}")
        return self._names[-1]


@contextmanager
def computed(mirror: AccountMirror, rows: Relation | str) -> Iterator[Relation]:
    """The rows, computed now, as long as the block lasts."""
    with Scratch(mirror) as scratch:
        yield scratch.table(rows)


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
