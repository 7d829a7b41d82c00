"""What changed in a source since it was last read, and what is gone?

The window begins a look-back before the end of the last one, because changes are found late; what was
delivered from it already is remembered by id, time and content, and does not come again. So an account in
which nothing changed brings no row, and costs two calls: for what changed, and for how many records there
are. Only where that is another number than it should be, the recycle bin is looked through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from connectors.rest.full_read import FRESH, ROWS, Step
from connectors.rest.progress import Progress, window_start
from connectors.rest.reading import TooMany
from connectors.rest.seen import Seen
from connectors.rest.source import Api, Found, Row, Source
from connectors.values.rejects import Rejects

FEW = 1_000  # records that are looked through without asking whether that is the cheapest way
MINUTE = 60_000
_GONE = 1  # the digest of a record that was not found


@dataclass
class _Pending:
    """What was read and not delivered yet."""

    results: dict[str, Row] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)


class IncrementalRead:
    """One reading of the changes of a source since ``progress``, which was read to its end."""

    def __init__(self, api: Api, source: Source, progress: Progress) -> None:
        self._api = api
        self._source = source
        self._last = progress
        self._start = progress.start
        self._seen = Seen.loads(progress.seen)
        self._stamps: dict[str, int] = {}  # of what search found, for those that cannot be read any more
        self._end = progress.window
        self._latest = progress.latest
        self._created = 0  # records that were not there before, as far as was read
        self._count, self._looked = -1, progress.looked

    def steps(self) -> Iterator[Step]:
        """Pages of changes; none where there are none. TooMany, before any page: read everything instead."""
        batch, moved = _Pending(), False
        for results, lost, upto in self._api.run(self._read, self._wanted(self._last.behind)):
            self._created += self._new_among(results)
            batch.results |= {str(row["id"]): row for row in results}
            batch.lost |= set(lost)
            if len(batch.results) >= ROWS:
                moved = True
                yield self._step(batch, (), replace(self._last, window=self._end, behind=upto))
                batch = _Pending()
        archived, back = self._recycled() if self._is_bin_due() else ([], [])
        for start in range(0, len(back), self._api.batch):
            results, _ = self._api.read(back[start : start + self._api.batch])
            batch.results |= {str(row["id"]): row for row in results}
        step = self._step(batch, archived, self._last)
        counted = (self._count, self._looked) != (self._last.count, self._last.looked)
        if step.table.num_rows or step.rejects.rows or moved or counted:
            yield replace(step, progress=self._done(), last=True)

    # -- what to read --------------------------------------------------------------------------------------

    def _wanted(self, behind: int) -> Iterator[tuple[list[str], int]]:
        """Ids that may have changed, in batches, each with the id up to which everything stands in it or
        before.
        """
        batch: list[str] = []
        for page in self._found(behind):
            for id, stamp in zip(page.ids, page.stamps, strict=True):
                if not self._is_known(id, stamp):
                    batch.append(str(id))
                    self._stamps[str(id)] = stamp
                    if len(batch) == self._api.batch:
                        yield batch, id
                        batch = []
        if batch:
            yield batch, int(batch[-1])

    def _found(self, behind: int) -> Iterator[Found]:
        pages = self._api.changed(self._start, 0, behind)
        first = next(pages, None)
        if first is None:
            return
        self._end = self._end or self._api.now()
        if first.total > FEW and not behind:
            if self._is_long_past_delivered():
                pages = self._api.changed(self._last.settled, 0, 0)
                first = next(pages)
            if first.total > FEW and first.total > self._api.size()[1] / 2:
                raise TooMany  # a search brings half as many records a second as a listing
        yield first
        yield from pages

    def _is_long_past_delivered(self) -> bool:
        """Whether the part of the look-back that is long past holds as many records as were delivered from
        it.

        A change within it would have moved its record out, and a late one would have added one.
        """
        settled = self._last.settled
        delivered = sum(1 for id, (stamp, _) in self._seen.rows.items() if id > 0 and stamp < settled)
        return delivered > 0 and self._api.changed_total(self._start, settled) == delivered

    def _is_known(self, id: int, stamp: int) -> bool:
        """Delivered with this very change, and long enough after it."""
        seen = self._seen.rows.get(id)
        return seen is not None and seen[0] == stamp and stamp < self._last.end - FRESH

    def _read(self, wanted: tuple[list[str], int]) -> tuple[list[Row], list[str], int]:
        return (*self._api.read(wanted[0]), wanted[1])

    # -- what is gone --------------------------------------------------------------------------------------

    def _is_bin_due(self) -> bool:
        """Whether something may have gone into the recycle bin since it was looked through: it has as many
        pages as it likes.

        Not where there are exactly as many records as there were, and those that are new. One that was
        archived while another one came back out of the bin is found when that is no longer so, or by the
        sweep.
        """
        _, self._count = self._api.size()
        return (
            self._count == self._api.count_cap
            or self._last.count < 0
            or self._count != self._last.count + self._created
        )

    def _recycled(self) -> tuple[list[Row], list[str]]:
        """Records that were archived since the last look, and ids of those that came out of the recycle bin
        again.
        """
        archived, there = [], set()
        since = self._last.looked - MINUTE if self._last.looked else self._start
        self._looked = self._api.now()
        for row, at in self._api.recycled():
            id = int(row["id"])
            there.add(id)
            if at < since:
                continue
            seen = self._seen.rows.get(-id)
            if seen is None or seen[0] != at:
                archived.append(row)
            self._seen.add([-id], [at], [0])
            self._seen.rows.pop(id, None)
        back = [-id for id in self._seen.rows if id < 0 and -id not in there]
        for id in back:
            del self._seen.rows[-id]
        return archived, [str(id) for id in back]

    # -- what to deliver -----------------------------------------------------------------------------------

    def _step(self, batch: _Pending, archived: Sequence[Row], progress: Progress) -> Step:
        """Rows of what is new among what was read, and of what is gone."""
        former = {old for row in batch.results.values() for old in self._api.merged(row)}
        ended = {str(row["id"]) for row in archived}
        results = [row for id, row in batch.results.items() if id not in ended and id not in former]
        links = self._api.links(results, listed=False) if results else {}
        stamps, digests = self._api.stamps(results), self._api.digests(results, links)
        self._latest = max(self._latest, *stamps, 0)
        fresh = []
        for row, stamp, digest in zip(results, stamps, digests, strict=True):
            if self._seen.rows.get(int(row["id"])) != (stamp, digest):
                fresh.append(row)
        self._seen.add((int(row["id"]) for row in results), stamps, digests)
        gone = [*archived, *({"id": id} for id in self._erased(batch, former | ended | set(batch.results)))]
        rejects = Rejects(self._source.name)
        table = self._source.table(fresh, links, rejects, whole=False)
        if gone:
            table = pa.concat_tables([table, self._source.gone(gone)], promote_options="default")
        return Step(table, rejects, progress, whole=False)

    def _erased(self, batch: _Pending, explained: set[str]) -> list[str]:
        """Ids that the CRM finds by their change and cannot read, and that were not reported before."""
        erased = []
        for id in sorted(batch.lost - explained, key=int):
            stamp = self._stamps.get(id, 0)
            if self._seen.rows.get(int(id)) != (stamp, _GONE):
                erased.append(id)
            self._seen.add([int(id)], [stamp], [_GONE])
        return erased

    def _done(self) -> Progress:
        start = window_start(self._end, self._api.look_back, self._latest)
        seen = self._seen.since(start, self._looked - MINUTE).dumps()
        state = replace(
            self._last, start=start, end=self._end, settled=self._end - self._api.lag, latest=self._latest
        )
        return replace(state, seen=seen, window=0, behind=0, count=self._count, looked=self._looked)

    def _new_among(self, results: Sequence[Row]) -> int:
        """How many records were made since the window began, and were not counted before."""
        unseen = [row for row in results if int(row["id"]) not in self._seen.rows]
        return sum(made >= self._start for made in self._api.created(unseen))
