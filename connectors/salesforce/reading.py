"""What is new in a stream since the last reading?

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
from connectors.rest.seen import Overlap
from connectors.salesforce import soql
from connectors.salesforce.activities import deeds
from connectors.salesforce.cursor import Position, Progress, loads
from connectors.salesforce.fetching import Fetching
from connectors.salesforce.names import OBJECTS
from connectors.salesforce.opportunities import opportunities
from connectors.salesforce.records import records
from connectors.salesforce.required_access import sources
from connectors.salesforce.session import Org
from connectors.salesforce.source import STAMP, Source, column
from connectors.schemas import ACTIVITY_SCHEMA, RECORD_SCHEMA
from connectors.values.rejects import Rejects

STREAMS = (*OBJECTS, "activity")


@dataclass
class _Step:
    table: pa.Table
    rejects: Rejects
    progress: Progress
    whole: bool
    first: bool = False
    last: bool = True


class Reading:
    """Reads the streams of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._fetching = Fetching(org)

    def pages(self, stream: str, position: str | None) -> Iterator[Page]:
        """Pages of all objects of a stream that changed since ``position``."""
        state = loads(position)
        streamed = self._sources(stream)
        for source in streamed:
            for step in self._steps(source, state.sources.get(source.name)):
                state = state.after(source.name, step.progress)
                if step.table.num_rows or step.rejects.rejected or step.whole:
                    yield _page(step, source.name, state)
        for name in [key for key in state.sources if key not in {source.name for source in streamed}]:
            state = state.after(name, None)
            schema = ACTIVITY_SCHEMA if stream == "activity" else RECORD_SCHEMA
            yield Page(schema.empty_table(), state.dumps(), name, whole=True, first=True, last=True)

    def count(self, stream: str) -> int | None:
        """How many records the org itself counts, whoever looks; None where it does not tell."""
        if stream not in OBJECTS or (
            stream == "company" and "IsPersonAccount" in self._org.fields("Account")
        ):
            return None
        return self._fetching.size(OBJECTS[stream])

    def _sources(self, stream: str) -> list[Source]:
        if stream in OBJECTS:
            candidates: list[Source | None] = [records(self._org, stream)]
        elif stream == "activity":
            candidates = [
                opportunities(self._org) if name == "opportunities" else deeds(self._org, name)
                for name in sources(self._org)
            ]
        else:
            raise UnsupportedError(f"Salesforce has no stream {stream!r}; it has {', '.join(STREAMS)}")
        return [source for source in candidates if source is not None]

    def _steps(self, source: Source, progress: Progress | None) -> Iterator[_Step]:
        now = self._now()
        if progress is None or progress.form != source.form:
            yield from self._whole(source, None, now)
        elif progress.began:
            yield from self._whole(source, progress, now)
        elif now - datetime.fromisoformat(progress.swept) >= timedelta(
            days=self._org.settings.full_sync_days
        ):
            yield from self._whole(source, None, now)
        else:
            yield from self._window(source, progress, now)

    # All rows

    def _whole(self, source: Source, saved: Progress | None, now: datetime) -> Iterator[_Step]:
        """From the beginning, or from where an unfinished job stopped."""
        resumed = saved is not None and saved.job != "" and self._fetching.known(saved.job)
        progress = saved if saved is not None and resumed else Progress(source.form, began=now.isoformat())
        overlap = Overlap(progress.seen, progress.latest, STAMP, self._back(progress.began))
        source.prepare(self._fetching, None, overlap)
        if resumed:
            batches = self._fetching.job(progress.job, source.fields, progress.locator or None)
        else:
            batches = self._fetching.all(
                soql.Select(source.fields, source.object), self._fetching.size(source.object)
            )
        first = not (resumed and progress.locator)
        for batch in batches:
            rejects = Rejects(source.name)
            table = source.table(batch.table, rejects, whole=True)
            overlap.delivered(batch.table)
            if batch.last:
                began = progress.began
                progress = Progress(
                    progress.form, until=began, swept=began, latest=overlap.latest, seen=overlap.dumps()
                )
            else:
                progress = replace(
                    progress, job=batch.job, locator=batch.locator or "", latest=overlap.latest
                )
            yield _Step(table, rejects, progress, True, first, batch.last)
            first = False

    # A window

    def _window(self, source: Source, progress: Progress, now: datetime) -> Iterator[_Step]:
        """What changed since the last window. The position moves once all of it was given."""
        where = soql.since(STAMP, self._start(progress))
        overlap = Overlap(progress.seen, progress.latest, STAMP, self._back(now.isoformat()))
        pending: list[_Step] = []
        given = [pa.array([], pa.string())]
        for batch in self._fetching.changed(soql.Select(source.fields, source.object, where)):
            rows = overlap.fresh(batch.table)
            if rows.num_rows and len(given) == 1:
                source.prepare(self._fetching, where, overlap)
            if rows.num_rows:
                given.append(column(rows, "Id"))
                pending.append(_step(source, rows, progress))
            while len(pending) > 1:
                yield pending.pop(0)
        for rows in source.further(self._fetching, where, pa.concat_arrays(given), overlap):
            pending += [_step(source, rows, progress)] if rows.num_rows else []
        yield from pending[:-1]
        if pending:
            done = replace(progress, until=now.isoformat(), latest=overlap.latest, seen=overlap.dumps())
            yield replace(pending[-1], progress=done)

    def _start(self, progress: Progress) -> datetime:
        """Where the next window begins: an overlap before the last one's end, and never behind what may lie
        after the latest change.

        The second matters where rows are stamped by a clock that is behind the one that answers tell.
        """
        start = self._back(progress.until)
        return (
            min(start, datetime.fromisoformat(progress.latest) + timedelta(milliseconds=1))
            if progress.latest
            else start
        )

    def _back(self, moment: str) -> datetime:
        """Where the window behind a moment begins."""
        return datetime.fromisoformat(moment) - timedelta(minutes=self._org.settings.overlap_minutes)

    def _now(self) -> datetime:
        """Salesforce's clock, of which an answer must have told."""
        _ = self._org.identity
        return self._org.now()


def _page(step: _Step, part: str, state: Position) -> Page:
    return Page(
        step.table,
        state.dumps(),
        part,
        step.whole,
        step.first,
        step.last,
        step.rejects.table(),
        step.rejects.rejected,
    )


def _step(source: Source, rows: pa.Table, progress: Progress) -> _Step:
    rejects = Rejects(source.name)
    return _Step(source.table(rows, rejects, whole=False), rejects, progress, False)
