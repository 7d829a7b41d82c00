"""What can be read of an org, and what is new in it since the last reading?

The first time, and every ``full_sync_days``, all rows of an object are read: hard deletes leave no trace, and
formula fields do not move the stamp, so only that finds them. In between, what SystemModstamp says to be new
is read, from some minutes before the last reading on, by Salesforce's own clock: a stamp is set up to ten
minutes before its row can be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pyarrow as pa

from connectors.contract import Page
from connectors.errors import UnsupportedError
from connectors.rest import cursor, reading
from connectors.rest.seen import Overlap
from connectors.salesforce import soql
from connectors.salesforce.activities import activities
from connectors.salesforce.fetching import Fetching
from connectors.salesforce.names import OBJECTS
from connectors.salesforce.purchases import opportunities, orders
from connectors.salesforce.records import records
from connectors.salesforce.required_access import sources
from connectors.salesforce.session import Org
from connectors.salesforce.source import STAMP, Source, column
from connectors.values.rejects import Rejects

STREAMS = (*OBJECTS, "activity")
_VERSION = 1  # of what is read out of a row: a change makes every position void


@dataclass(frozen=True)
class Progress:
    """How far one source has been read. Times are ISO texts of Salesforce's clock; "" is never."""

    form: str  # fingerprint of what it was read as: of another one, it is read again
    until: str = ""  # end of the last window
    swept: str = ""  # when the last reading of all rows began
    latest: str = ""  # change of any row that was read
    seen: str = ""  # digests of the rows of the overlap
    # A reading of all rows that is not finished: when it began, its job and where that goes on.
    began: str = ""
    job: str = ""
    locator: str = ""


_Step = reading.Step[Progress]


class Reading:
    """Reads the streams of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._fetching = Fetching(org)

    def pages(self, stream: str, position: str | None) -> Iterator[Page]:
        """Pages of all objects of a stream that changed since ``position``."""
        state = cursor.loads(position, _VERSION, lambda stored: Progress(**stored))
        streamed = self.sources(stream)
        withdrawn = [name for name in state.sources if name not in {source.name for source in streamed}]
        readers = (ObjectReader(self._org, self._fetching, source) for source in streamed)
        yield from reading.pages(stream, state, readers, withdrawn)

    def count(self, stream: str) -> int | None:
        """How many records the org itself counts, whoever looks; None where it does not tell."""
        if stream not in OBJECTS or (
            stream == "company" and "IsPersonAccount" in self._org.fields("Account")
        ):
            return None
        return self._fetching.size(OBJECTS[stream])

    def sources(self, stream: str) -> list[Source]:
        """What a stream is read from, as far as this user sees it."""
        org, candidates = self._org, list[Source | None]()
        if stream in OBJECTS:
            candidates = [records(org, stream)]
        elif stream == "activity":
            purchases = {"opportunities": opportunities, "orders": orders}
            candidates = [
                purchases[name](org) if name in purchases else activities(org, name) for name in sources(org)
            ]
        else:
            raise UnsupportedError(f"Salesforce has no stream {stream!r}; it has {', '.join(STREAMS)}")
        return [source for source in candidates if source is not None]


class ObjectReader:
    """Reads the rows of one object (``connectors.rest.reading.Reader``)."""

    def __init__(self, org: Org, fetching: Fetching, source: Source) -> None:
        _ = org.identity  # an answer must have told of Salesforce's clock
        self.name = source.name
        self.fingerprint = source.fingerprint
        self._fetching = fetching
        self._source = source
        self._settings = org.settings
        self._now = org.now()

    def is_sweep_due(self, progress: Progress) -> bool:
        every = timedelta(days=self._settings.full_sync_days)
        return self._now - datetime.fromisoformat(progress.swept) >= every

    def full(self, saved: Progress | None) -> Iterator[_Step]:
        """All rows, from the beginning, or from where an unfinished job stopped."""
        resumed = saved is not None and saved.job != "" and self._fetching.known(saved.job)
        new = Progress(self.fingerprint, began=self._now.isoformat())
        progress = saved if saved is not None and resumed else new
        overlap, source = self._overlap(progress, progress.began), self._source
        source.prepare(self._fetching, None, overlap)
        if resumed:
            batches = self._fetching.job(progress.job, source.fields, progress.locator or None)
        else:
            batches = self._fetching.all(
                soql.Select(source.fields, source.object), self._fetching.size(source.object)
            )
        first = not (resumed and progress.locator)
        for batch in batches:
            step = self._step(batch.table, progress, whole=True)
            overlap.delivered(batch.table)
            if batch.last:
                began, seen = progress.began, overlap.dumps()
                progress = Progress(progress.form, began, began, overlap.latest, seen)
            else:
                locator = batch.locator or ""
                progress = replace(progress, job=batch.job, locator=locator, latest=overlap.latest)
            yield replace(step, progress=progress, first=first, last=batch.last)
            first = False

    def changes(self, progress: Progress) -> Iterator[_Step]:
        """What changed since the last window. The position moves once all of it was given."""
        where, now, source = soql.since(STAMP, self._start(progress)), self._now.isoformat(), self._source
        overlap = self._overlap(progress, now)
        pending: list[_Step] = []
        given = [pa.array([], pa.string())]
        for batch in self._fetching.changed(soql.Select(source.fields, source.object, where)):
            rows = overlap.fresh(batch.table)
            if not rows.num_rows:
                continue
            if len(given) == 1:
                source.prepare(self._fetching, where, overlap)
            given.append(column(rows, "Id"))
            pending.append(self._step(rows, progress))
            while len(pending) > 1:
                yield pending.pop(0)
        for rows in source.further(self._fetching, where, pa.concat_arrays(given), overlap):
            pending += [self._step(rows, progress)] if rows.num_rows else []
        yield from pending[:-1]
        if pending:
            done = replace(progress, until=now, latest=overlap.latest, seen=overlap.dumps())
            yield replace(pending[-1], progress=done)

    def _step(self, rows: pa.Table, progress: Progress, whole: bool = False) -> _Step:
        rejects = Rejects(self.name)
        return _Step(self._source.table(rows, rejects, whole), rejects, progress, whole)

    def _overlap(self, progress: Progress, until: str) -> Overlap:
        """What was delivered of the window that ends at ``until``, and what the next one will see again."""
        return Overlap(progress.seen, progress.latest, STAMP, self._back(until))

    def _start(self, progress: Progress) -> datetime:
        """Where the next window begins: an overlap before the last one's end, and never behind what may lie
        after the latest change.

        The second matters where rows are stamped by a clock that is behind the one that answers tell.
        """
        start = self._back(progress.until)
        if not progress.latest:
            return start
        return min(start, datetime.fromisoformat(progress.latest) + timedelta(milliseconds=1))

    def _back(self, moment: str) -> datetime:
        """Where the window behind a moment begins."""
        return datetime.fromisoformat(moment) - timedelta(minutes=self._settings.overlap_minutes)
