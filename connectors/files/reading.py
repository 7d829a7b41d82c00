"""What is new in the files of a stream since the last reading?

A file whose stamp or content did not change gives no page. A CSV file of activities that only grew is read
from its tail alone. Every other change delivers the file whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Page
from connectors.errors import RequestError
from connectors.files.csv_reader import CsvRows, read_header
from connectors.files.cursor import Position, Progress, begun, fingerprint, loads
from connectors.files.file_reader import CHUNK, SheetRows, header_again, headers_of, opened
from connectors.files.folder import FileDialect, Folder
from connectors.files.format_detection import prove, stated
from connectors.files.joined_columns import join_stamps, joined_headers, lookups
from connectors.files.utf8_file import Source, digest_of, stamp_of
from connectors.schemas import ACTIVITY_SCHEMA, RECORD_SCHEMA
from connectors.tables.column_mapping import (
    ACTIVITY_NAMES,
    AMOUNT,
    RECORD_NAMES,
    Place,
    locate,
    missing,
    require_activity,
    with_attributes,
)
from connectors.tables.column_reader import constant
from connectors.tables.dialect import Habits, Way
from connectors.tables.normaliser import Normaliser
from connectors.tables.orders import OrderLines, RepeatedTotals, further_columns
from connectors.tables.records import Buyers
from connectors.tables.rejects import TableRejects
from connectors.values.rejects import LISTED
from connectors.values.text import readable

FOOTER = 20  # lines below the table, at most, that are taken for its foot rather than for broken rows
_ALONE = "has 1 cells where "  # a line of text across the table: no row of it was ever cut off so


class Reading:
    """Reads the files of one stream."""

    def __init__(self, folder: Folder, stream: str) -> None:
        self._folder = folder
        self._stream = stream
        self._dialect: FileDialect = folder.dialect(stream)
        self._habits = stated(self._dialect)

    def pages(self, position: str | None) -> Iterator[Page]:
        """Pages of all files that changed since ``position``, in the order of their names."""
        needed = self._stream in ("contact", "activity")
        files = self._folder.required(self._stream) if needed else self._folder.files(self._stream)
        stamps = {part: stamp_of(path) for part, path in files.items()}
        state, known_parts = self._begin(position, files, stamps)
        for part, path in files.items():
            old = state.files.get(part)
            if old is not None and old.unchanged(stamps[part]):
                continue
            for page, progress in self._file(part, path, stamps[part], old):
                state = state.after(part, progress)
                yield replace(page, position=state.dumps())
        for part in known_parts:
            if part not in files:
                state = state.after(part, None)
                yield Page(self._empty(), state.dumps(), part, whole=True, first=True, last=True)

    def _begin(
        self, position: str | None, files: Mapping[str, Path], stamps: Mapping[str, tuple[int, int, int]]
    ) -> tuple[Position, list[str]]:
        """Where to go on.

        What the files prove of how they are written is part of it: another proof reads them again.
        """
        joins = join_stamps(self._folder, self._dialect) if self._stream == "activity" else []
        form = fingerprint(self._folder.account, self._stream, joins)
        state, known_parts = loads(position, form)
        if any(
            part not in state.files or not state.files[part].unchanged(stamp)
            for part, stamp in stamps.items()
        ):
            self._habits = self.proven(files)
            if state.habits != self._habits.as_json():
                state = Position(form, {}, self._habits.as_json())
        return state, known_parts

    def proven(self, files: Mapping[str, Path]) -> Habits:
        """How the files are written. RequestError where a column is missing, or two readings fit."""
        return prove(
            self._folder,
            self._dialect,
            {part: (path, self.place(part, path)) for part, path in files.items()},
        )

    def place(self, part: str, path: Path) -> Place:
        """Where our columns are in a file. Raises RequestError for a required one that is not there."""
        return self._place(part, headers_of(path, self._dialect))

    def _place(self, part: str, headers: list[str]) -> Place:
        activity = self._stream == "activity"
        joined = self._joined(headers) if activity else ()
        names, own = (ACTIVITY_NAMES, ("id",)) if activity else (RECORD_NAMES, ())
        layout = locate(part, [*headers, *joined], names, self._dialect.columns, own)
        layout = replace(layout, joined=joined)
        setting, mapping = self._folder.setting(self._stream), self._dialect.columns
        if not activity:
            if "id" not in layout.columns:
                raise missing(part, layout, "id", setting, mapping)
            return with_attributes(layout, self._folder.account.attributes)
        require_activity(part, layout, setting, mapping, self._constants(part))
        return replace(layout, further=further_columns(part, layout, self._dialect.orders, setting))

    def _joined(self, headers: list[str]) -> tuple[str, ...]:
        further = joined_headers(self._folder, self._dialect)
        return tuple(header for header in dict.fromkeys(further) if header not in headers)

    def _constants(self, part: str) -> dict[str, str]:
        """Our name → what all rows of a file say."""
        return {
            name: value
            for pattern, values in self._dialect.table.constants.items()
            if fnmatch(part.casefold(), pattern.casefold())
            for name, value in values.items()
        }

    def _file(
        self, part: str, path: Path, stamp: tuple[int, int, int], old: Progress | None
    ) -> Iterator[tuple[Page, Progress]]:
        rows = opened(path, self._dialect.skip_lines)
        readings = (
            self._csv(part, path, stamp, old) if rows is None else self._sheet(part, path, rows, stamp, old)
        )
        latest = next(readings, None)
        first = latest is not None and latest[0].first
        while latest is not None:
            further = next(readings, None)
            page, progress = latest
            last = further is None
            yield replace(page, first=first, last=last), replace(progress, done=last)
            latest, first = further, False

    # Each of these yields pages that do not know yet whether they are the last, and the progress behind them.

    def _csv(
        self, part: str, path: Path, stamp: tuple[int, int, int], old: Progress | None
    ) -> Iterator[tuple[Page, Progress]]:
        with Source(path, self._dialect.encoding, stamp[0]) as source:
            start = self._resume(source, stamp, old)
            if start is None:
                return
            header = read_header(source, self._dialect.delimiter, self._dialect.skip_lines)
            file = _File(self, part, header.names)
            rows = CsvRows(source, header.delimiter, len(header.names), file.wanted)
            fresh = start.offset == 0
            offset, line = (header.offset, header.line) if fresh else (start.offset, start.line)
            progress, count = replace(start, offset=offset, line=line), 0
            for chunk in rows.chunks(offset, line, CHUNK):
                count += 1
                rejects = TableRejects(part)
                foot = self._foot(chunk.refused, chunk.lines) if rows.ended else []
                rejects.left_out.update({"lines below the table": len(foot)} if foot else {})
                for at, reason in chunk.refused:
                    if at not in foot:
                        rejects.add(at, reason, room=LISTED - progress.listed)
                records = file.normalised(chunk.table, chunk.lines, rejects, progress.listed)
                progress = replace(
                    progress, offset=chunk.offset, line=chunk.line, open=chunk.open,
                    digest=source.digest(), hashed=source.hashed, listed=progress.listed + len(rejects.rows),
                )  # fmt: skip
                if rows.ended:
                    file.end()
                yield _page(records, part, progress, rejects, fresh and count == 1), progress
            if not count:
                source.hash_to(stamp[0])
                progress = replace(progress, digest=source.digest(), hashed=source.hashed)
                yield _page(self._empty(), part, progress, TableRejects(part), fresh), progress

    def _foot(self, refused: list[tuple[int, str]], lines: pa.Array) -> list[int]:
        """Lines of another width that follow the last row of a file: who made the report, and when."""
        last = lines[-1].as_py() if len(lines) else 0
        foot = [line for line, reason in refused if line > last and reason.startswith(_ALONE)]
        return foot if last and len(foot) <= FOOTER else []

    def _resume(self, source: Source, stamp: tuple[int, int, int], old: Progress | None) -> Progress | None:
        """Where to begin: None where nothing changed, behind what was read where that is still there, else
        the beginning.
        """
        start = begun(stamp)
        if old is None or stamp[0] < old.hashed or not old.digest:
            return start
        source.hash_to(old.hashed)
        if source.digest() != old.digest:
            return start
        if old.done and stamp[0] == old.hashed:
            return None
        if self._stream == "activity" and self._dialect.orders.line_items in ("repeat", "blank"):
            return start  # an order may go on behind what was read
        if not old.done:
            return replace(old, stamp=start.stamp, settled=start.settled)
        if self._stream == "activity" and not old.open:
            return replace(old, stamp=start.stamp, settled=start.settled, done=False, whole=False, listed=0)
        return start

    def _sheet(
        self, part: str, path: Path, rows: SheetRows, stamp: tuple[int, int, int], old: Progress | None
    ) -> Iterator[tuple[Page, Progress]]:
        """Pages of a file whose rows are numbered: Parquet, a spreadsheet."""
        progress = begun(stamp)
        if old is not None and _same(path, stamp, old):
            if old.done:
                rows.close()
                return
            progress = replace(old, stamp=progress.stamp, settled=progress.settled)
            if self._stream == "activity" and self._dialect.orders.line_items in ("repeat", "blank"):
                progress = begun(stamp)
        elif not progress.settled:
            progress = replace(progress, digest=digest_of(path, stamp[0]), hashed=stamp[0])
        try:
            file = _File(self, part, rows.headers)
            fresh, count = progress.offset == 0, 0
            for table in rows.pages(progress.offset, file.wanted):
                count += 1
                rejects = TableRejects(part)
                lines = pa.array(np.arange(progress.offset + 1, progress.offset + len(table) + 1))
                records = file.normalised(table, lines, rejects, progress.listed)
                progress = replace(
                    progress, offset=progress.offset + len(table), listed=progress.listed + len(rejects.rows)
                )
                if progress.offset >= rows.rows:
                    file.end()
                yield _page(records, part, progress, rejects, fresh and count == 1), progress
            if not count:
                yield _page(self._empty(), part, progress, TableRejects(part), fresh), progress
        finally:
            rows.close()

    def _empty(self) -> pa.Table:
        names = (
            ("record_type", "record_id", "kind", "occurred_at")
            if self._stream == "activity"
            else ("record_type", "id")
        )
        schema = ACTIVITY_SCHEMA if self._stream == "activity" else RECORD_SCHEMA
        return pa.schema([schema.field(name) for name in names]).empty_table()


class _File:
    """One file on its way into the contract's form: its columns, those that it is joined with, and its orders
    so far.
    """

    def __init__(self, reading: Reading, part: str, headers: list[str]) -> None:
        self._part = part
        self._place = layout = reading._place(part, headers)
        dialect, folder = reading._dialect, reading._folder
        asked = {*layout.columns.values(), *layout.attributes.values(), *layout.further.values()}
        self._width = len(headers)
        joined = {layout.headers[index] for index in asked if index >= self._width}
        self._joins = lookups(folder, dialect, headers, joined) if joined else []
        keys = {headers.index(join.on) for join in self._joins if join.on in headers}
        self.wanted = sorted({index for index in asked if index < self._width} | keys)
        shape = dialect.orders.line_items if reading._stream == "activity" else None
        lines = OrderLines(shape) if shape in ("repeat", "blank") else None
        watched = (
            reading._stream == "activity" and shape is None and {"order_id", AMOUNT} <= layout.columns.keys()
        )
        self._watch = RepeatedTotals() if watched else None
        buyers = Buyers() if getattr(dialect.table, "of_orders", False) else None
        self._normaliser = Normaliser(
            Way(folder.account, dialect, reading._habits), lines, self._watch, buyers
        )
        self._constants = reading._constants(part)
        self._setting = folder.setting(reading._stream)

    def normalised(self, table: pa.Table, lines: pa.Array, rejects: TableRejects, listed: int) -> pa.Table:
        """The rows of a page in the contract's form."""
        again = header_again(table, self._place.headers)
        if again is not None:
            rejects.left_out["the header again"] += pc.sum(again).as_py()
            table, lines = table.filter(pc.invert(again)), lines.filter(pc.invert(again))
        layout, table = self._place, self._with_joins(table)
        columns, attributes, further = (
            _named(table, part) for part in (layout.columns, layout.attributes, layout.further)
        )
        for name, column in (columns | further).items():
            if not readable(column.type):
                what = f"{self._part}: column {name} is of the type {column.type}, which is not a plain value"
                raise RequestError(f"{what}: export it as text")
        attributes = {name: column for name, column in attributes.items() if readable(column.type)}
        columns |= {
            name: pa.chunked_array([constant(value, len(lines))])
            for name, value in self._constants.items()
            if name not in columns
        }
        return self._normaliser.page(columns, attributes, further, lines, rejects, LISTED - listed)

    def end(self) -> None:
        """Call it behind the last page. RequestError where what was read would count several times."""
        if self._watch is not None:
            header = self._place.headers[self._place.columns[AMOUNT]]
            self._watch.refuse_suspicious(self._part, header, self._setting)

    def _with_joins(self, table: pa.Table) -> pa.Table:
        if not self._joins:
            return table
        headers = self._place.headers
        cells = {headers[int(name)]: table.column(name) for name in table.column_names}
        for join in self._joins:
            join.add_to(cells)
        for index in range(self._width, len(headers)):
            if headers[index] in cells:
                table = table.append_column(str(index), pa.chunked_array([cells[headers[index]]]))
        return table


def _same(path: Path, stamp: tuple[int, int, int], old: Progress) -> bool:
    """Whether a file is the one that was read: by its stamp, or by its content where the stamp cannot tell."""
    if old.settled and old.stamp == stamp:
        return True
    return old.stamp[0] == stamp[0] and old.digest != "" and digest_of(path, stamp[0]) == old.digest


def _named(table: pa.Table, places: Mapping[str, int]) -> dict[str, pa.ChunkedArray]:
    return {name: table.column(str(index)) for name, index in places.items()}


def _page(records: pa.Table, part: str, progress: Progress, rejects: TableRejects, first: bool) -> Page:
    return Page(
        records, "", part, progress.whole, first and progress.whole, True, rejects.table(), rejects.rejected,
        dict(rejects.refused), int(rejects.refused_minor), dict(rejects.left_out), rejects.ownerless, rejects.voids,
    )  # fmt: skip
