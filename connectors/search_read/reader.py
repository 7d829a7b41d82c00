"""How is a model read: whole, or what changed since, and what is gone?

Pages go by id within a window of ``write_date``: a cursor by both would move under the reader whenever somebody
edits a record. What is read whole comes in the order of ids, so that a killed process goes on behind the last
one; what changes meanwhile stands in the first window. A window begins a look-back before the newest change
that was there when the last one began, since a transaction becomes visible after its stamp; what came already
is known by id, stamp and content. These CRMs delete for good: where there are fewer records than there should
be, all ids are compared with those that came.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from connectors.rest import reading
from connectors.rest.batch_writer import slices
from connectors.rest.seen import Seen
from connectors.search_read.server import Domain, Row, Server
from connectors.values.rejects import Rejects

Item = TypeVar("Item")
_LOOK_BACK = 600_000_000  # microseconds that a transaction may take
_FRESH = 2_000_000  # a stamp may have whole seconds: so near to the newest one, a change may hide behind the same stamp
_ROWS = 5_000  # records of a page that is delivered


class Source(Protocol):
    """One model, read for one stream."""

    @property
    def name(self) -> str:
        """The part that its pages are of."""

    @property
    def model(self) -> str:
        """As the CRM calls it."""

    @property
    def domain(self) -> Domain:
        """Which of its records are read."""

    @property
    def fields(self) -> tuple[str, ...]:
        """What is read of a record."""

    @property
    def details(self) -> Mapping[str, str]:
        """Models whose changes change what a record tells → the field that names the record."""

    @property
    def fingerprint(self) -> str:
        """Changes as soon as the same record would be read differently."""

    def table(self, rows: Sequence[Row], rejects: Rejects, whole: bool) -> pa.Table:
        """The rows that records make. ``whole``: nothing of them has been delivered before."""

    def gone(self, ids: Sequence[int]) -> pa.Table:
        """The rows that take back records that are gone."""


@dataclass(frozen=True)
class Progress:
    """How far one model has been read. Times are microseconds since 1970 of the CRM's clock."""

    form: str
    since: int = 0  # the next window begins here
    newest: int = 0  # change that was there when the last window, or the unfinished reading, began
    swept: float = 0.0  # when all was read, in seconds
    ids: str = ""  # of all records that are in
    seen: str = ""  # delivered since ``since``
    began: float = 0.0  # of a reading of all records that is not finished
    behind: int = 0  # ... and the id that it goes on behind


Step = reading.Step[Progress]


class ModelReader:
    """Reads one model (``connectors.rest.reading.Reader``), and every ``sweep_every`` all of it."""

    def __init__(self, server: Server, source: Source, now: datetime, sweep_every: timedelta) -> None:
        self.name, self.fingerprint = source.name, source.fingerprint
        self._server, self._source, self._now = server, source, now.timestamp()
        self._sweeps_before = (now - sweep_every).timestamp()
        self._fields = tuple(dict.fromkeys((*source.fields, *server.stamps)))

    def is_sweep_due(self, progress: Progress) -> bool:
        return progress.swept < self._sweeps_before

    def full(self, saved: Progress | None) -> Iterator[Step]:
        """All records, from the beginning, or behind the last page of an unfinished reading."""
        start = Progress(self.fingerprint, newest=self._newest(), began=self._now)
        progress, first = (saved, False) if saved is not None and saved.began else (start, True)
        seen, ids = Seen.loads(progress.seen), list(_unpacked(progress.ids))
        floor = progress.newest - _LOOK_BACK
        pages = self._server.paged(self._source.model, self._source.domain, self._fields, progress.behind)
        for rows in _ahead(_gathered(pages)):
            rejects = Rejects(self.name)
            table = self._source.table(rows, rejects, True)
            late = [row for row in rows if self._server.stamp(row) >= floor]
            seen.add((row["id"] for row in late), map(self._server.stamp, late), map(_digest, late))
            ids += [row["id"] for row in rows]
            progress = replace(progress, behind=ids[-1], ids=_packed(ids), seen=seen.since(0).dumps())
            yield Step(table, rejects, progress, True, first, last=False)
            first = False
        done = replace(progress, since=max(floor, 0), swept=progress.began, began=0.0, behind=0)
        empty = Rejects(self.name)
        yield Step(self._source.table([], empty, True), empty, done, True, first)

    def changes(self, progress: Progress) -> Iterator[Step]:
        """What changed since, and what is gone; no step where nothing did or is."""
        seen, newest = Seen.loads(progress.seen), self._newest()
        known = set(_unpacked(progress.ids))
        stamps = self._stamps(progress.since)
        sure = progress.newest - _FRESH
        open_ids = sorted(
            id
            for id, stamp in stamps.items()
            if id not in seen.rows or seen.rows[id][0] != stamp or stamp >= sure
        )
        moved = False
        for chunk in slices(open_ids, _ROWS):
            rows = self._read(chunk)
            digests = list(map(_digest, rows))
            fresh = [
                row
                for row, digest in zip(rows, digests, strict=True)
                if (seen.rows.get(row["id"]) or (0, -1))[1] != digest
            ]
            seen.add((row["id"] for row in rows), (stamps[row["id"]] for row in rows), digests)
            known.update(row["id"] for row in rows)
            if fresh:
                moved = True
                rejects = Rejects(self.name)
                table = self._source.table(fresh, rejects, False)
                progress = replace(
                    progress, ids=_packed(sorted(known)), seen=seen.since(progress.since).dumps()
                )
                yield Step(table, rejects, progress, False)
        gone = self._gone(known)
        since = max(newest - _LOOK_BACK, progress.since)
        left = seen.since(since).dumps()
        done = replace(
            progress, since=since, newest=newest, ids=_packed(sorted(known - set(gone))), seen=left
        )
        if gone or moved or done != progress:
            yield Step(self._source.gone(gone), Rejects(self.name), done, False)

    def _newest(self) -> int:
        """The latest change that is there; 0 where nothing is."""
        newest = 0
        for name in self._server.stamps:
            domain = [*self._source.domain, [name, "!=", self._server.nothing]]
            rows = self._server.search_read(self._source.model, domain, [name], 1, f"{name} DESC")
            newest = max(newest, *(self._server.microseconds(row[name]) for row in rows), 0)
        return newest

    def _stamps(self, since: int) -> dict[int, int]:
        """Records that changed since, by themselves or by a detail → when they did last."""
        found: dict[int, int] = {}
        server, changed = self._server, self._server.since(since)
        for rows in server.paged(self._source.model, [*self._source.domain, *changed], server.stamps):
            found.update((row["id"], server.stamp(row)) for row in rows)
        for model, field in self._source.details.items():
            for rows in server.paged(model, changed, (field, *server.stamps)):
                for row in rows:
                    owner = server.reference(row.get(field))
                    if owner:
                        found[owner] = max(found.get(owner, 0), server.stamp(row))
        return found

    def _read(self, ids: Sequence[int]) -> list[Row]:
        rows: list[Row] = []
        for chunk in slices(ids, self._server.page_size):
            domain = [*self._source.domain, ["id", "in", list(chunk)]]
            rows += self._server.search_read(self._source.model, domain, self._fields)
        return rows

    def _gone(self, known: set[int]) -> list[int]:
        if self._server.count(self._source.model, self._source.domain) == len(known):
            return []
        return sorted(known.difference(self._server.ids(self._source.model, self._source.domain)))


def _gathered(pages: Iterable[list[Row]]) -> Iterator[list[Row]]:
    """Pages of the CRM, some of them as one."""
    rows: list[Row] = []
    for page in pages:
        rows = rows + page
        if len(rows) >= _ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def _ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, the next one of which is fetched while its reader works on this one."""
    end: Any = object()
    fetch: Callable[[], Any] = lambda: next(items, end)  # noqa: E731
    pool = ThreadPoolExecutor(1, "page")
    try:
        coming = pool.submit(fetch)
        while (item := coming.result()) is not end:
            coming = pool.submit(fetch)
            yield item
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _digest(row: Row) -> int:
    """What a record tells, in 32 bits: its stamps are of no concern."""
    facts = sorted((name, value) for name, value in row.items() if name not in ("write_date", "create_date"))
    return zlib.crc32(repr(facts).encode("utf-8", "replace"))


def _packed(ids: Sequence[int]) -> str:
    """Ascending ids as text: what lies between them, compressed."""
    steps = np.diff(np.array([0, *ids], np.int64))
    return base64.b85encode(zlib.compress(steps.tobytes(), 1)).decode()


def _unpacked(text: str) -> list[int]:
    steps = (
        np.frombuffer(zlib.decompress(base64.b85decode(text)), np.int64) if text else np.empty(0, np.int64)
    )
    ids: list[int] = np.cumsum(steps).tolist()
    return ids
