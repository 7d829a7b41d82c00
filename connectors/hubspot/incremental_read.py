"""What changed in a source since it was last read, and what is gone?

The window begins a look-back before the end of the last one, because changes are found late; what was
delivered from it already is remembered by id, time and content, and does not come again. So an account in
which nothing changed brings no row, and costs two searches: for what changed, and for how many records there
are. Only where that is another number than it should be, the recycle bin is looked through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from connectors.hubspot.cursor import Progress, Seen, behind_all
from connectors.hubspot.fetching import BATCH, Fetching, stamps_of
from connectors.hubspot.full_read import ROWS, Runner, Step
from connectors.hubspot.records import merged
from connectors.hubspot.source import Result, Source
from connectors.hubspot.window import FRESH, LAG, LOOK_BACK, MINUTE, Found, Window
from connectors.values.rejects import Rejects

FEW = 1_000  # records that are looked through without asking whether that is the cheapest way
MOST_TOLD = 10_000  # results of a search: whether it counts on beyond them is not documented
_GONE = 1  # the digest of a record that was not found


class TooMany(Exception):
    """Reading everything is cheaper."""


@dataclass
class _Held:
    """What was read and not delivered yet."""

    results: dict[str, Result] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)


class Changes:
    """One reading of the changes of a source since ``known``, which was read to its end."""

    def __init__(
        self, window: Window, fetching: Fetching, source: Source, run: Runner, progress: Progress
    ) -> None:
        self._window = window
        self._fetching = fetching
        self._source = source
        self._run = run
        self._known = progress
        self._seen = Seen.loads(progress.seen)
        self._stamps: dict[str, int] = {}  # of what search found, for those that cannot be read any more
        self._end = progress.window
        self._latest = progress.latest
        self._created = 0  # records that were not there before, as far as was read
        self._count, self._looked = -1, progress.looked

    def steps(self) -> Iterator[Step]:
        """Pages of changes; none where there are none. TooMany, before any page: read everything instead."""
        batch, moved = _Held(), False
        for results, lost, upto in self._run(self._read, self._wanted(self._known.behind)):
            self._created += self._new_among(results)
            batch.results |= {str(row["id"]): row for row in results}
            batch.lost |= set(lost)
            if len(batch.results) >= ROWS:
                moved = True
                yield self._step(batch, (), replace(self._known, window=self._end, behind=upto))
                batch = _Held()
        archived, back = self._recycled() if self._is_bin_due() else ([], [])
        for start in range(0, len(back), BATCH):
            results, _ = self._fetching.read(back[start : start + BATCH])
            batch.results |= {str(row["id"]): row for row in results}
        step = self._step(batch, archived, self._known)
        counted = (self._count, self._looked) != (self._known.count, self._known.looked)
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
                    if len(batch) == BATCH:
                        yield batch, id
                        batch = []
        if batch:
            yield batch, int(batch[-1])

    def _found(self, behind: int) -> Iterator[Found]:
        pages = self._window.pages(behind)
        first = next(pages, None)
        if first is None:
            return
        self._end = self._end or self._fetching.now()
        if first.total > FEW and not behind:
            shorter = self._shortened()
            if shorter is not None:
                pages = shorter.pages()
                first = next(pages)
            if first.total > FEW and self._dear(first.total):
                raise TooMany
        yield first
        yield from pages

    def _shortened(self) -> Window | None:
        """Without the part of the look-back that is long past, where it holds as many records as were
        delivered from it.

        A change within it would have moved its record out, and a late one would have added one.
        """
        settled = self._known.settled
        delivered = sum(1 for id, (stamp, _) in self._seen.rows.items() if id > 0 and stamp < settled)
        if not delivered or replace(self._window, end=settled).total() != delivered:
            return None
        return replace(self._window, start=settled)

    def _dear(self, total: int) -> bool:
        """Whether listing everything is faster: search brings 1,000 records a second, a listing 1,900."""
        everything = self._fetching.size()[1]
        return total > everything / 2

    def _is_known(self, id: int, stamp: int) -> bool:
        """Delivered with this very change, and long enough after it."""
        seen = self._seen.rows.get(id)
        return seen is not None and seen[0] == stamp and stamp < self._known.end - FRESH

    def _read(self, wanted: tuple[list[str], int]) -> tuple[list[Result], list[str], int]:
        return (*self._fetching.read(wanted[0]), wanted[1])

    # -- what is gone --------------------------------------------------------------------------------------

    def _is_bin_due(self) -> bool:
        """Whether something may have gone into the recycle bin since it was looked through: it has as many
        pages as it likes.

        Not where there are exactly as many records as there were, and those that are new. One that was
        archived while another one came back out of the bin is found when that is no longer so, or by the
        sweep.
        """
        self._count = self._fetching.total()
        return (
            self._count == MOST_TOLD
            or self._known.count < 0
            or self._count != self._known.count + self._created
        )

    def _recycled(self) -> tuple[list[Result], list[str]]:
        """Records that were archived since the last look, and ids of those that came out of the recycle bin
        again.
        """
        archived, there = [], set()
        since = self._known.looked - MINUTE if self._known.looked else self._window.start
        self._looked = self._fetching.now()
        for row, at in self._fetching.recycled():
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

    def _step(self, batch: _Held, archived: Sequence[Result], progress: Progress) -> Step:
        """Rows of what is new among what was read, and of what is gone."""
        former = {old for row in batch.results.values() for old in merged(row)}
        ended = {str(row["id"]) for row in archived}
        results = [row for id, row in batch.results.items() if id not in ended and id not in former]
        links = self._fetching.links(results, listed=False) if results else {}
        stamps, digests = self._fetching.stamps(results), self._fetching.digests(results, links)
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

    def _erased(self, batch: _Held, explained: set[str]) -> list[str]:
        """Ids that search still has and HubSpot does not find, and that were not reported before."""
        erased = []
        for id in sorted(batch.lost - explained, key=int):
            stamp = self._stamps.get(id, 0)
            if self._seen.rows.get(int(id)) != (stamp, _GONE):
                erased.append(id)
            self._seen.add([int(id)], [stamp], [_GONE])
        return erased

    def _done(self) -> Progress:
        start = behind_all(self._end, LOOK_BACK, self._latest)
        seen = self._seen.since(start, self._looked - MINUTE).dumps()
        state = replace(self._known, start=start, end=self._end, settled=self._end - LAG, latest=self._latest)
        return replace(state, seen=seen, window=0, behind=0, count=self._count, looked=self._looked)

    def _new_among(self, results: Sequence[Result]) -> int:
        """How many records were made since the window began, and were not counted before."""
        unseen = [row for row in results if int(row["id"]) not in self._seen.rows]
        return sum(made >= self._window.start for made in stamps_of(row.get("createdAt") for row in unseen))
