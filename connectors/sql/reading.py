"""What is new in a table since it was last read?

With a column of changes, rows from the look-back on are read, and those that were delivered as they are do not
come again; every ``full_sync_days`` all rows are read, which finds deleted ones. Without such a column all
rows are read, and delivered where the content differs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from connectors.contract import Page
from connectors.rest.activity import gone_rows
from connectors.schemas import ACTIVITY_SCHEMA, RECORD_SCHEMA
from connectors.sql import statements
from connectors.sql.changed_at import SECOND, ChangeClock, clock_of, latest, stamps
from connectors.sql.cursor import Progress, form_of, loads
from connectors.sql.engines.base import Engine
from connectors.sql.layout import Layout, StreamSource, layout_of, sound_columns
from connectors.sql.row_hashes import ContentDigest, SeenRows, row_hashes
from connectors.tables.column_mapping import AMOUNT
from connectors.tables.column_reader import ColumnReader
from connectors.tables.dialect import Way
from connectors.tables.normaliser import Normaliser
from connectors.tables.orders import OrderLines, RepeatedTotals
from connectors.tables.rejects import TableRejects
from connectors.tables.settings import TABLES
from connectors.values.rejects import LISTED

PAGE_ROWS, PAGE_BYTES = 500_000, 128 << 20  # of a page: whichever comes first


def today() -> float:
    """Our clock, in Unix seconds."""
    return time.time()


@dataclass
class _Piece:
    """Raw rows on their way, and the progress behind them."""

    table: pa.Table
    progress: Progress


class Reading:
    """Reads one stream over an open connection. RequestError where a column is missing."""

    def __init__(self, engine: Engine, stream: StreamSource, count_call: Callable[[], None]) -> None:
        self._engine, self._stream, self._count_call = engine, stream, count_call
        count_call()
        self._layout, faults = layout_of(engine, stream)
        if faults:
            raise faults[0]
        settings = stream.account.settings
        self._look_back: int = settings.look_back_minutes * 60 * SECOND
        self._sweep = settings.full_sync_days * 86_400
        self._part = TABLES[stream.stream]
        self._rows = _Rows(stream, self._layout)
        self._clock: ChangeClock | None = None

    def pages(self, position: str | None) -> Iterator[Page]:
        """Pages after a position; none where nothing changed."""
        form = form_of(self._stream, self._layout, self._engine.address)
        progress = loads(position, form)
        if self._layout.changed is None:
            yield from self._compared(progress)
        elif progress.finished and today() - progress.swept < self._sweep:
            yield from self._changes(progress)
        else:
            yield from self._all(progress)

    # -- whole readings, compared by content ---------------------------------------------------------------

    def _compared(self, progress: Progress) -> Iterator[Page]:
        if progress.digest:
            digest = ContentDigest()
            for table in self._asked():
                digest.add(table)
            if digest.text() == progress.digest:
                return
        yield from self._whole(self._with_digest(Progress(progress.form)), True)

    def _with_digest(self, progress: Progress) -> Iterator[_Piece]:
        digest, line = ContentDigest(), 0
        for table in self._asked():
            digest.add(table)
            line += table.num_rows
            yield _Piece(table, replace(progress, line=line))
        yield _Piece(self._nothing(), replace(progress, digest=digest.text(), line=line))

    # -- by the column of changes --------------------------------------------------------------------------

    def _all(self, progress: Progress) -> Iterator[Page]:
        """All rows by the time of their change; an unfinished reading goes on a look-back before its end, or begins
        again where too many rows lie in that to be recognised.
        """
        together = SeenRows.loads(progress.seen).together
        fresh = not progress.began or progress.top is None or bool(together)
        if fresh:
            progress = Progress(progress.form, began=today())
        self._rows.line = progress.line
        yield from self._whole(self._by_change(progress, fresh), fresh)

    def _by_change(self, progress: Progress, fresh: bool) -> Iterator[_Piece]:
        column, seen = self._layout.changed_at, SeenRows.loads(progress.seen)
        empty = statements.without_value(column)
        where: exp.Expression = exp.Not(this=empty.copy())
        floor = progress.floor
        if not fresh:  # a new snapshot: what was committed meanwhile may lie before what was read
            again = self._floor(progress.top)
            floor = again if floor is None else min(floor, again)
            where = self._since(again)
        for condition, order in ((empty, None), (where, column)) if fresh else ((where, column),):
            for table in self._asked(condition, order):
                progress = replace(
                    self._moved(progress, self._times(table)),
                    line=progress.line + table.num_rows,
                    floor=floor,
                )
                delivered = table if fresh else table.filter(pa.array(~seen.has(row_hashes(table))))
                recent, times = delivered, self._times(delivered)
                if progress.top is not None:
                    back = min(self._floor(progress.top), floor or progress.top)
                    recent, times = _at_or_after(delivered, times, back)
                    seen = seen.since(back)
                seen.add(times, row_hashes(recent))
                if delivered.num_rows:
                    yield _Piece(delivered, replace(progress, seen=seen.dumps()))
        if progress.top is not None:
            reached = self._floor(progress.top)
            floor = reached if floor is None else min(floor, reached)
        done = replace(progress, swept=progress.began, began=0, floor=floor, line=0, seen=seen.dumps())
        yield _Piece(self._nothing(), done)

    def _changes(self, progress: Progress) -> Iterator[Page]:
        """Rows from the look-back on, without those that were delivered as they are."""
        seen, floor = SeenRows.loads(progress.seen), progress.floor
        if seen.together and self._digest(floor) == seen.together:
            return
        page, start, present = None, progress, SeenRows()
        for table, times in self._looked_back(floor):
            hashes = row_hashes(table)
            present.add(times, hashes)
            fresh = pa.array(~seen.has(hashes))
            progress = self._moved(progress, times)
            seen.add(times.filter(fresh), hashes[fresh.to_numpy(zero_copy_only=False)])
            changed = table.filter(fresh)
            if changed.num_rows:
                if page is not None:
                    yield page
                # until the end is reached, the next reading begins where this one did
                page = self._replacing(_Piece(changed, replace(start, seen=seen.dumps())))
        if page is not None:
            after = floor if progress.top is None else self._floor(progress.top)
            kept = present if after is None else present.since(after)
            yield replace(page, position=replace(progress, floor=after, seen=kept.dumps()).dumps())

    def _looked_back(self, floor: int | None) -> Iterator[tuple[pa.Table, pa.Array]]:
        """Rows without a time of change, and those from a time on (None: all), with their times."""
        column = self._layout.changed_at
        empty = statements.without_value(column)
        where = exp.Not(this=empty.copy()) if floor is None else self._since(floor)
        for condition, order in ((empty, None), (where, column)):
            for table in self._asked(condition, order):
                times = self._times(table)
                yield (table, times) if floor is None else _at_or_after(table, times, floor)

    def _digest(self, floor: int | None) -> str:
        """What the rows of the look-back are together."""
        digest = ContentDigest()
        for table, _times in self._looked_back(floor):
            digest.add(table)
        return digest.text()

    def _replacing(self, piece: _Piece) -> Page:
        """A page whose rows take the place of those of their ids, also where they do not count any more."""
        page = self._rows.page(piece.table, piece.progress, self._part)
        if self._stream.stream != "activity":
            return page
        ids = self._rows.ids(piece.table).drop_null()
        both = [gone_rows(ids.to_pylist()), page.records]
        return replace(page, records=pa.concat_tables(both, promote_options="default"))

    def _moved(self, progress: Progress, times: pa.Array) -> Progress:
        """The progress behind rows of these times."""
        top = latest(times, datetime.fromtimestamp(today(), UTC))
        tops = [each for each in (progress.top, top) if each is not None]
        return replace(progress, top=max(tops, default=None))

    def _times(self, table: pa.Table) -> pa.Array:
        """When rows changed, null where they do not tell."""
        index = self._layout.changed
        assert index is not None
        column = table.column(index)
        if self._clock is None:
            where = f"{self._layout.source.shown}: column {self._layout.changed_at!r} (changed_at of [{self._stream.setting}])"
            self._clock = clock_of(column, table.schema.field(index).metadata, where)
        return pa.nulls(table.num_rows, pa.int64()) if self._clock is None else stamps(column, self._clock)

    def _floor(self, top: int | None) -> int:
        return (top or 0) - self._look_back

    def _since(self, floor: int) -> exp.Expression:
        """A condition that rows which changed at or after a time meet."""
        column = self._layout.changed_at
        clock = self._clock or self._sampled()
        if clock is None:
            return exp.Not(this=statements.without_value(column))
        return statements.since(column, clock.bound(floor), clock.kind, self._engine.dialect)

    def _sampled(self) -> ChangeClock | None:
        """What the column of changes holds, by the type that the database gives it or by a row."""
        filled = exp.Not(this=statements.without_value(self._layout.changed_at))
        statement = self._layout.source.rows(self._layout.asked, filled, limit=1)
        for batch in self._batches(statement):
            self._times(batch)
        return self._clock

    # -- rows ----------------------------------------------------------------------------------------------

    def _asked(self, where: exp.Expression | None = None, order: str | None = None) -> Iterator[pa.Table]:
        """Rows that meet a condition, in pages."""
        statement = self._layout.source.rows(
            self._layout.asked, where.copy() if where is not None else None, order
        )
        yield from grouped(self._batches(statement))

    def _batches(self, statement: str) -> Iterator[pa.Table]:
        engine, source = self._engine, self._layout.source
        grant = statements.grant_statement(source, engine.address.user, engine.dialect)
        self._count_call()
        with engine.asking(source.shown, grant):
            batches = engine.batches(statement)
        while True:
            with engine.asking(source.shown, grant):
                batch = next(batches, None)
            if batch is None:
                return
            yield self._layout.marked(batch)

    def _nothing(self) -> pa.Table:
        return pa.table({f"c{index}": pa.nulls(0, pa.string()) for index in range(len(self._layout.asked))})

    def _whole(self, pieces: Iterable[_Piece], first: bool) -> Iterator[Page]:
        """Pages of a part that is delivered from its beginning to its end; the last piece holds no row, and the
        progress behind all of them.
        """
        page, progress = None, Progress("")
        for piece in pieces:
            progress = piece.progress
            if piece.table.num_rows:
                if page is not None:
                    yield replace(page, whole=True, first=first, last=False)
                    first = False
                page = self._rows.page(piece.table, progress, self._part)
        self._rows.end()
        page = page or self._rows.page(self._nothing(), progress, self._part)
        yield replace(page, position=progress.dumps(), whole=True, first=first)


class _Rows:
    """Raw rows of a stream on their way into the contract's form, and its orders so far."""

    def __init__(self, stream: StreamSource, layout: Layout) -> None:
        self._stream, self._layout = stream, layout
        self._habits = stream.habits()
        activity = stream.stream == "activity"
        shape = stream.dialect.orders.line_items if activity else None
        watched = activity and shape is None and {"order_id", AMOUNT} <= layout.columns.keys()
        self._watch = RepeatedTotals() if watched else None
        self._way = Way(stream.account, stream.dialect, self._habits)
        lines = OrderLines("repeat") if shape == "repeat" else None
        self._normaliser = Normaliser(self._way, lines, self._watch)
        self.line = self._listed = 0  # rows that went through, rejects that are listed

    def page(self, table: pa.Table, progress: Progress, part: str) -> Page:
        """A page of the contract, neither whole nor first."""
        rejects = TableRejects(part)
        if not table.num_rows:
            return Page(self._empty(), progress.dumps(), part)
        columns, attributes, further = sound_columns(self._layout, table, self._stream, self._habits.notation)
        lines = pa.array(np.arange(self.line + 1, self.line + table.num_rows + 1))
        records = self._normaliser.page(columns, attributes, further, lines, rejects, LISTED - self._listed)
        self.line += table.num_rows
        self._listed += len(rejects.rows)
        return Page(
            records, progress.dumps(), part, rejects=rejects.table(), rejected=rejects.rejected, refused=dict(rejects.refused),
            refused_minor=int(rejects.refused_minor), left_out=dict(rejects.left_out), ownerless=rejects.ownerless,
        )  # fmt: skip

    def ids(self, table: pa.Table) -> pa.Array:
        """The ids of rows, as a page of the contract has them."""
        columns = {"id": table.column(self._layout.columns["id"])}
        lines = pa.nulls(table.num_rows, pa.int64())
        return ColumnReader(self._way, TableRejects(""), 0, columns, lines).text("id")

    def end(self) -> None:
        """Call it behind the last row. RequestError where what was read would count several times."""
        if self._watch is not None:
            header = self._layout.place.headers[self._layout.place.columns[AMOUNT]]
            self._watch.refuse_suspicious(self._layout.source.shown, header, self._stream.setting)

    def _empty(self) -> pa.Table:
        if self._stream.stream == "activity":
            return ACTIVITY_SCHEMA.empty_table().select(["record_type", "record_id", "kind", "occurred_at"])
        return RECORD_SCHEMA.empty_table().select(["record_type", "id"])


def _at_or_after(table: pa.Table, times: pa.Array, floor: int) -> tuple[pa.Table, pa.Array]:
    """Rows that did not change before a time; those that do not tell are among them."""
    late = pc.fill_null(pc.greater_equal(times, floor), True)
    return table.filter(late), times.filter(late)


def grouped(batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Rows in pages of a size that is worth storing."""
    waiting: list[pa.Table] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= PAGE_ROWS or size >= PAGE_BYTES:
            yield _united(waiting)
            waiting, rows, size = [], 0, 0
    if rows:
        yield _united(waiting)


def _united(tables: list[pa.Table]) -> pa.Table:
    """Tables of the same columns as one; a column is exact numbers only where it is in each of them."""
    first = tables[0].schema
    if all(table.schema.equals(first, check_metadata=True) for table in tables):
        return pa.concat_tables(tables)
    fields = [
        field
        if all(table.schema.field(index).metadata == field.metadata for table in tables)
        else field.remove_metadata()
        for index, field in enumerate(first)
    ]
    return pa.concat_tables([table.cast(pa.schema(fields)) for table in tables])
