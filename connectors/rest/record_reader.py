"""How is one source read whose records have numbers as ids: whole, or what changed?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from connectors.rest.full_read import FullRead, Step
from connectors.rest.incremental_read import IncrementalRead
from connectors.rest.progress import Progress
from connectors.rest.source import Api, Source


class RecordReader:
    """Reads one source (``connectors.rest.reading.Reader``), and every ``sweep_every`` all of it."""

    def __init__(self, api: Api, source: Source, now: datetime, sweep_every: timedelta) -> None:
        self.name, self.fingerprint = source.name, source.fingerprint
        self._api, self._source = api, source
        self._sweeps_before = (now - sweep_every).timestamp() * 1000

    def is_sweep_due(self, progress: Progress) -> bool:
        return progress.swept < self._sweeps_before

    def full(self, saved: Progress | None) -> Iterator[Step]:
        return FullRead(self._api, self._source).steps(saved)

    def changes(self, progress: Progress) -> Iterator[Step]:
        return IncrementalRead(self._api, self._source, progress).steps()
