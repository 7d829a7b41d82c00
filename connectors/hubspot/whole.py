"""How is a source read from its beginning to its end, so that a killed process goes on where it was?

By ranges of ids, several at a time; the position holds the ids that are in. Where ``after`` does not do what it should, page
by page behind HubSpot's own cursors. What changes meanwhile is found by the first window afterwards, which begins before this
reading did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from connectors.columns import Rejects
from connectors.hubspot.fetching import Fetching
from connectors.hubspot.intervals import Interval, gaps, joined
from connectors.hubspot.position import Progress, Seen, behind_all
from connectors.hubspot.records import merged
from connectors.hubspot.scan import Misbehaved, Scan
from connectors.hubspot.source import Result, Source
from connectors.hubspot.windows import FRESH, LOOK_BACK

ROWS = 5_000  # records of a page
AT_START = "0"  # the cursor of a reading one by one that has not begun
Runner = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]  # runs a function over items, several at a time


@dataclass
class Step:
    """Rows, and how far the source is read with them."""

    table: pa.Table
    rejects: Rejects
    progress: Progress
    whole: bool
    first: bool = False
    last: bool = False


class Whole:
    """One reading of all records of a source; ``run`` makes its calls."""

    def __init__(self, fetching: Fetching, source: Source, run: Runner) -> None:
        self._fetching = fetching
        self._source = source
        self._run = run
        self._seen = Seen()
        self._latest = 0  # change among the records that came
        self._merged: set[str] = set()

    def steps(self, known: Progress | None) -> Iterator[Step]:
        """From the beginning, or from where an unfinished reading of the same form was."""
        if known is not None and known.began and known.form == self._source.form:
            progress, top, total = known, *self._fetching.size()
            self._latest, self._seen = known.latest, Seen.loads(known.seen)
            first = False
        else:
            top, total = self._fetching.size()
            progress, first = self._begin(), True
        if self._nothing():
            yield self._last(progress, [], first)
        elif progress.after:
            yield from self._one_by_one(progress, first)
        else:
            yield from self._by_ranges(progress, first, top, total)

    def _begin(self) -> Progress:
        return Progress(self._source.form, began=max(self._fetching.now(), 1))

    def _nothing(self) -> bool:
        """Whether no record has what this source is about."""
        present = self._source.present
        return bool(present) and not any(self._fetching.holding(name) for name in present)

    def _by_ranges(self, progress: Progress, first: bool, top: int, total: int) -> Iterator[Step]:
        scan = Scan(self._fetching.page, gaps(progress.read), top, total)
        held: list[Result] = []
        done: list[Interval] = list(progress.read)
        try:
            for piece in self._run(scan.step, scan.turns()):
                if piece is None:
                    continue
                held += piece.results
                done.append((piece.first, piece.end))
                if len(held) >= ROWS:
                    done = joined(done)
                    progress = replace(progress, read=tuple(done))
                    yield self._step(progress, held, first)
                    held, first = [], False
        except Misbehaved:
            self._seen = Seen()
            yield from self._one_by_one(replace(self._begin(), after=AT_START), True)
            return
        yield self._last(progress, held, first)

    def _one_by_one(self, progress: Progress, first: bool) -> Iterator[Step]:
        held: list[Result] = []
        after: str | None = None if progress.after == AT_START else progress.after
        while True:
            listed = self._fetching.page(after)
            held += listed.results
            if listed.after is None or listed.after == after:
                break
            after = listed.after
            if len(held) >= ROWS:
                progress = replace(progress, after=after)
                yield self._step(progress, held, first)
                held, first = [], False
        yield self._last(progress, held, first)

    def _step(self, progress: Progress, results: list[Result], first: bool, last: bool = False) -> Step:
        """A page of rows; what changed lately is remembered, so that the look-back of the next window does not bring it again."""
        self._merged.update(old for one in results for old in merged(one))  # one that was listed before it was merged is no more
        results = list({id: one for one in results if (id := str(one["id"])) not in self._merged}.values())
        links = self._fetching.links(results, listed=True)
        rejects = Rejects(self._source.name)
        table = self._source.table(results, links, rejects, whole=True)
        stamps = self._fetching.stamps(results)
        self._latest = max(self._latest, *stamps, 0)
        late = [place for place, stamp in enumerate(stamps) if stamp >= progress.began - LOOK_BACK]
        if late:
            chosen = [results[place] for place in late]
            digests = self._fetching.digests(chosen, links)
            self._seen.add((int(one["id"]) for one in chosen), (stamps[place] for place in late), digests)
        progress = replace(progress, latest=self._latest, seen=self._seen.since(0).dumps())
        return Step(table, rejects, progress, True, first, last)

    def _last(self, progress: Progress, results: list[Result], first: bool) -> Step:
        step = self._step(progress, results, first, last=True)
        began = progress.began
        start = behind_all(began, LOOK_BACK, self._latest)
        for one, at in self._fetching.recycled():
            if start <= at < began:
                self._seen.add([-int(one["id"])], [at], [0])
        done = Progress(self._source.form, start=start, end=began, settled=began - FRESH, swept=began, latest=self._latest)
        done = replace(done, seen=self._seen.since(0).dumps())
        return replace(step, progress=done)
