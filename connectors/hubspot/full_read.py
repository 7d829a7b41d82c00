"""How is a source read from its beginning to its end, so that a killed process goes on where it was?

By ranges of ids, several at a time; the position holds the ids that are in. Where ``after`` does not do what
it should, page by page behind HubSpot's own cursors. What changes meanwhile is found by the first window
afterwards, which begins before this reading did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from connectors.errors import TemporaryError
from connectors.hubspot.cursor import Progress, Seen, behind_all
from connectors.hubspot.fetching import Fetching
from connectors.hubspot.intervals import Interval, gaps, joined
from connectors.hubspot.parallel_scan import Misbehaved, Scan
from connectors.hubspot.records import merged
from connectors.hubspot.source import Result, Source
from connectors.hubspot.window import FRESH, LOOK_BACK
from connectors.values.rejects import Rejects

ROWS = 5_000  # records of a page
_FEW = 10  # records that may come or go while a listing is read
AT_START = "0"  # the cursor of a reading one by one that has not begun
# runs a function over items, several at a time
Runner = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


@dataclass
class Step:
    """Rows, and how far the source is read with them."""

    table: pa.Table
    rejects: Rejects
    progress: Progress
    whole: bool
    first: bool = False
    last: bool = False


class CutOffError(TemporaryError):
    """The listing held fewer records than there are."""


class Whole:
    """One reading of all records of a source; ``run`` makes its calls."""

    def __init__(self, fetching: Fetching, source: Source, run: Runner) -> None:
        self._fetching = fetching
        self._source = source
        self._run = run
        self._seen = Seen()
        self._latest = 0  # change among the records that came
        self._merged: set[str] = set()
        self._total = 0  # records as search counts them ...
        self._count = 0  # ... and as they came

    def steps(self, saved: Progress | None) -> Iterator[Step]:
        """From the beginning, or from where an unfinished reading of the same form was."""
        top, self._total = self._fetching.size()
        if saved is not None and saved.began and saved.form == self._source.form:
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
        return Progress(self._source.form, began=max(self._fetching.now(), 1))

    def _nothing(self) -> bool:
        """Whether no record has what this source is about."""
        present = self._source.present
        return bool(present) and not any(self._fetching.holding(name) for name in present)

    def _by_ranges(self, progress: Progress, first: bool, top: int, total: int) -> Iterator[Step]:
        scan = Scan(self._fetching.page, gaps(progress.read), top, total)
        pending: list[Result] = []
        done: list[Interval] = list(progress.read)
        try:
            for piece in self._run(scan.step, scan.turns()):
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
        pending: list[Result] = []
        after: str | None = None if progress.after == AT_START else progress.after
        while True:
            listed = self._fetching.page(after)
            pending += listed.results
            if listed.after is None or listed.after == after:
                break
            after = listed.after
            if len(pending) >= ROWS:
                progress = replace(progress, after=after)
                yield self._step(progress, pending, first)
                pending, first = [], False
        yield self._last(progress, pending, first)

    def _step(self, progress: Progress, results: list[Result], first: bool, last: bool = False) -> Step:
        """A page of rows; what changed lately is remembered, so that the look-back of the next window does
        not bring it again.
        """
        # one that was listed before it was merged is no more
        self._merged.update(old for row in results for old in merged(row))
        results = list({id: row for row in results if (id := str(row["id"])) not in self._merged}.values())
        links = self._fetching.links(results, listed=True)
        rejects = Rejects(self._source.name)
        table = self._source.table(results, links, rejects, whole=True)
        stamps = self._fetching.stamps(results)
        self._latest = max(self._latest, *stamps, 0)
        late = [index for index, stamp in enumerate(stamps) if stamp >= progress.began - LOOK_BACK]
        if late:
            chosen = [results[index] for index in late]
            digests = self._fetching.digests(chosen, links)
            self._seen.add((int(row["id"]) for row in chosen), (stamps[index] for index in late), digests)
        self._count += len(results)
        progress = replace(progress, latest=self._latest, seen=self._seen.since(0).dumps(), count=self._count)
        return Step(table, rejects, progress, True, first, last)

    def _last(self, progress: Progress, results: list[Result], first: bool) -> Step:
        step = self._step(progress, results, first, last=True)
        began = progress.began
        self._check_all_there(self._count)
        start = behind_all(began, LOOK_BACK, self._latest)
        done = Progress(
            self._source.form, start=start, end=began, settled=began - FRESH, swept=began, latest=self._latest
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
        lately = self._fetching.now() - LOOK_BACK
        late = (
            not self._fetching.some_exist()
            if not count
            else lacking <= sum(at >= lately for _, at in self._fetching.recycled())
        )
        if not late:
            kind = self._source.kind
            raise CutOffError(
                f"HubSpot counts {self._total:,} {kind} and lists {count:,}: the listing was cut off. Try again later."
            )
