"""When is a source read whole, and when only what changed; and which pages does that make?

It is read whole at first, when what is read of it changed, and when a sweep is due (which finds whatever the
CRM does not report); between these, its changes are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import pyarrow as pa

from connectors.contract import Page
from connectors.rest.cursor import Position
from connectors.schemas import ACTIVITY_SCHEMA, RECORD_SCHEMA
from connectors.values.rejects import Rejects


class Saved(Protocol):
    """How far a source has been read."""

    @property
    def form(self) -> str:
        """The fingerprint of what it was read as: of another one, it is read again."""

    @property
    def began(self) -> object:
        """When a reading of all records began that is not finished; false where there is none."""


Progress = TypeVar("Progress", bound=Saved)


@dataclass
class Step(Generic[Progress]):
    """Rows, and how far the source is read with them."""

    table: pa.Table
    rejects: Rejects
    progress: Progress
    whole: bool
    first: bool = False
    last: bool = True


class Reader(Protocol[Progress]):
    """Reads one source."""

    @property
    def name(self) -> str:
        """The part that its pages are of."""

    @property
    def fingerprint(self) -> str:
        """Changes as soon as the same record would be read differently."""

    def is_sweep_due(self, progress: Progress) -> bool:
        """Whether it is time to read everything again."""

    def full(self, saved: Progress | None) -> Iterator[Step[Progress]]:
        """All records, from the beginning, or from where an unfinished reading was."""

    def changes(self, progress: Progress) -> Iterator[Step[Progress]]:
        """What changed since; no step where nothing did. TooMany, before any step: read everything instead."""


class TooMany(Exception):
    """Reading everything is cheaper."""


def pages(
    stream: str,
    state: Position[Progress],
    readers: Iterable[Reader[Progress]],
    withdrawn: Iterable[str] = (),
) -> Iterator[Page]:
    """Pages of all sources of a stream; what the ``withdrawn`` ones told is void."""
    for name in withdrawn:
        state = state.after(name, None)
        schema = ACTIVITY_SCHEMA if stream == "activity" else RECORD_SCHEMA
        yield Page(schema.empty_table(), state.dumps(), name, whole=True, first=True)
    for reader in readers:
        for step in _steps(reader, state.sources.get(reader.name)):
            state = state.after(reader.name, step.progress)
            yield Page(
                step.table,
                state.dumps(),
                reader.name,
                step.whole,
                step.first,
                step.last,
                step.rejects.table(),
                step.rejects.rejected,
            )


def _steps(reader: Reader[Progress], progress: Progress | None) -> Iterator[Step[Progress]]:
    if progress is None or progress.form != reader.fingerprint:
        yield from reader.full(None)
    elif progress.began:
        yield from reader.full(progress)
    elif reader.is_sweep_due(progress):
        yield from reader.full(None)
    else:
        try:
            yield from reader.changes(progress)
        except TooMany:
            yield from reader.full(None)
