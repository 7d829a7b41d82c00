"""How is one source read whose records have numbers as ids: whole, or what changed?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.rest.full_read import FullRead, Step
from connectors.rest.incremental_read import IncrementalRead
from connectors.rest.progress import Progress
from connectors.rest.source import Api, Source


@dataclass(frozen=True)
class RecordReader:
    """Reads one source (``connectors.rest.reading.Reader``)."""

    api: Api
    source: Source
    now: datetime
    sweep_every: timedelta  # so often everything is read again

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def fingerprint(self) -> str:
        return self.source.fingerprint

    def is_sweep_due(self, progress: Progress) -> bool:
        return self.now.timestamp() * 1000 - progress.swept > self.sweep_every / timedelta(milliseconds=1)

    def full(self, saved: Progress | None) -> Iterator[Step]:
        return FullRead(self.api, self.source).steps(saved)

    def changes(self, progress: Progress) -> Iterator[Step]:
        return IncrementalRead(self.api, self.source, progress).steps()
