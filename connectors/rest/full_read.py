"""How is a source read from its beginning to its end, so that a killed process goes on where it was?

By ranges of ids, several at a time; the position holds the ids that are in. Where an id is no cursor, page by
page behind the CRM's own cursors. What changes meanwhile is found by the first window afterwards, which begins
before this reading did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from connectors.errors import TemporaryError
from connectors.rest import paging, reading
from connectors.rest.parallel_scan import Interval, Misbehaved, Scan, gaps, joined
from connectors.rest.progress import Progress, window_start
from connectors.rest.seen import Seen
from connectors.rest.source import Api, Listed, Row, Source
from connectors.values.rejects import Rejects

ROWS = 5_000  # records of a page
FRESH = 5_000  # a record read so soon after its change may have changed once more within the same millisecond
AT_START = "0"  # the cursor of a reading one by one that has not begun
_FEW = 10  # records that may come or go while a listing is read
Step = reading.Step[Progress]


class CutOffError(TemporaryError):
    """The listing held fewer records than there are."""


class FullRead:
    """One reading of all records of a source."""

    def __init__(self, api: Api, source: Source) -> None:
        self._api = api
        self._source = source
        self._seen = Seen()
        self._latest = 0  # change among the records that came
        self._merged: set[str] = set()
        self._total = 0  # records as search counts them ...
        self._count = 0  # ... and as they came

    def steps(self, saved: Progress | None) -> Iterator[Step]:
        """From the beginning, or from where an unfinished reading was."""
        top, self._total = self._api.size()
        if saved is not None and saved.began:
            progress, first = saved, False
            self._latest, self._seen, self._count = saved.latest, Seen.loads(saved.seen), saved.count
        else:
            progress, first = self._begin(), True
        try:
            yield from self._from(progress, first, top)
        except CutOffError:
            if first:
                raise
            # what was read before the break cannot be told from what was not
            self._seen, self._merged = (Seen(), set())
            yield from self._from(self._begin(), True, top)

    def _from(self, progress: Progress, first: bool, top: int) -> Iterator[Step]:
        if self._nothing():
            yield self._last(progress, [], first)
        elif progress.after:
            yield from self._one_by_one(progress, first)
        else:
            yield from self._by_ranges(progress, first, top, self._total)

    def _begin(self) -> Progress:
        self._count = 0
        return Progress(self._source.fingerprint, began=max(self._api.now(), 1))

    def _nothing(self) -> bool:
        """Whether no record has what this source is about."""
        present = self._source.present
        return bool(present) and not any(self._api.holding(name) for name in present)

    def _by_ranges(self, progress: Progress, first: bool, top: int, total: int) -> Iterator[Step]:
        scan = Scan(self._api.page, gaps(progress.read), top, total)
        pending: list[Row] = []
        done: list[Interval] = list(progress.read)
        try:
            for piece in self._api.run(scan.step, scan.turns()):
                if piece is None:
                    continue
                pending += piece.results
                done.append((piece.first, piece.end))
                if len(pending) >= ROWS:
                    done = joined(done)
                    progress = replace(progress, read=tuple(done))
                    yield self._step(progress, pending, first)
                    pending, first = [], False
        except Misbehaved:
            self._seen = Seen()
            yield from self._one_by_one(replace(self._begin(), after=AT_START), True)
            return
        yield self._last(progress, pending, first)

    def _one_by_one(self, progress: Progress, first: bool) -> Iterator[Step]:
        pending: list[Row] = []
        start = None if progress.after == AT_START else progress.after
        for listed in paging.pages(self._api.page, _after, start):
            pending += listed.results
            if listed.after is not None and len(pending) >= ROWS:
                progress = replace(progress, after=listed.after)
                yield self._step(progress, pending, first)
                pending, first = [], False
        yield self._last(progress, pending, first)

    def _step(self, progress: Progress, results: list[Row], first: bool, last: bool = False) -> Step:
        """A page of rows; what changed lately is remembered, so that the look-back of the next window does
        not bring it again.
        """
        # one that was listed before it was merged is no more
        self._merged.update(old for row in results for old in self._api.merged(row))
        results = list({id: row for row in results if (id := str(row["id"])) not in self._merged}.values())
        links = self._api.links(results, listed=True)
        rejects = Rejects(self._source.name)
        table = self._source.table(results, links, rejects, whole=True)
        stamps = self._api.stamps(results)
        self._latest = max(self._latest, *stamps, 0)
        late = [index for index, stamp in enumerate(stamps) if stamp >= progress.began - self._api.look_back]
        if late:
            chosen = [results[index] for index in late]
            digests = self._api.digests(chosen, links)
            self._seen.add((int(row["id"]) for row in chosen), (stamps[index] for index in late), digests)
        self._count += len(results)
        progress = replace(progress, latest=self._latest, seen=self._seen.since(0).dumps(), count=self._count)
        return Step(table, rejects, progress, True, first, last)

    def _last(self, progress: Progress, results: list[Row], first: bool) -> Step:
        step = self._step(progress, results, first, last=True)
        began = progress.began
        self._check_all_there(self._count)
        start = window_start(began, self._api.look_back, self._latest)
        done = Progress(
            self._source.fingerprint,
            start=start,
            end=began,
            settled=began - FRESH,
            swept=began,
            latest=self._latest,
        )
        done = replace(done, seen=self._seen.since(0).dumps(), count=self._count, looked=began)
        return replace(step, progress=done)

    def _check_all_there(self, count: int) -> None:
        """TemporaryError where the listing brought far fewer records than search counts, and the recycle bin
        does not hold them.
        """
        lacking = self._total - count
        if self._source.present or count < 0 or lacking <= (_FEW + self._total // 50 if count else 0):
            return
        lately = self._api.now() - self._api.look_back
        late = (
            not self._api.some_exist()
            if not count
            else lacking <= sum(at >= lately for _, at in self._api.recycled())
        )
        if not late:
            kind = self._source.kind
            raise CutOffError(
                f"{self._api.crm} counts {self._total:,} {kind} and lists {count:,}: the list was cut off. Try again later."
            )


def _after(listed: Listed) -> str | None:
    return listed.after
