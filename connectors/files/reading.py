"""What is new in the files of a stream since the last reading?

A file whose stamp or content did not change gives no page. A CSV file of activities that only grew is read from its
tail alone. Every other change delivers the file whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from connectors.contract import ACTIVITY_SCHEMA, RECORD_SCHEMA, Page
from connectors.errors import RequestError
from connectors.files.csv_rows import CsvRows, read_header
from connectors.files.names import ACTIVITY_NAMES, OWNERS, RECORD_NAMES, Place, locate, missing, with_attributes
from connectors.files.normalise import Columns, Normaliser
from connectors.files.parquet_rows import MAGIC, ParquetRows
from connectors.files.position import Progress, begun, fingerprint, loads
from connectors.files.rejects import LISTED, Rejects
from connectors.files.session import Dialect, Folder
from connectors.files.source import Source, digest_of, stamp_of
from connectors.files.text import readable

CHUNK = 32 << 20  # bytes of CSV in a page


class Reading:
    """Reads the files of one stream."""

    def __init__(self, folder: Folder, stream: str) -> None:
        self._folder = folder
        self._stream = stream
        self._dialect: Dialect = folder.dialect(stream)

    def pages(self, position: str | None) -> Iterator[Page]:
        """Pages of all files that changed since ``position``, in the order of their names."""
        needed = self._stream in ("contact", "activity")
        files = self._folder.required(self._stream) if needed else self._folder.files(self._stream)
        state, known = loads(position, fingerprint(self._folder.account, self._stream))
        for part, path in files.items():
            stamp = stamp_of(path)
            old = state.files.get(part)
            if old is not None and old.unchanged(stamp):
                continue
            for page, progress in self._file(part, path, stamp, old):
                state = state.after(part, progress)
                yield replace(page, position=state.dumps())
        for part in known:
            if part not in files:
                state = state.after(part, None)
                yield Page(self._empty(), state.dumps(), part, whole=True, first=True, last=True)

    def place(self, part: str, path: Path) -> Place:
        """Where our columns are in a file. Raises RequestError for a required one that is not there."""
        if is_parquet(path):
            rows = ParquetRows(path)
            rows.close()
            return self._place(part, rows.headers)
        with Source(path, self._dialect.encoding, stamp_of(path)[0]) as source:
            return self._place(part, read_header(source, self._dialect.delimiter).names)

    def _place(self, part: str, headers: list[str]) -> Place:
        activity = self._stream == "activity"
        place = locate(part, headers, ACTIVITY_NAMES if activity else RECORD_NAMES, self._dialect.columns)
        setting, mapping = self._folder.setting(self._stream), self._dialect.columns
        if not activity:
            if "id" not in place.columns:
                raise missing(part, place, "id", setting, mapping)
            return with_attributes(place, self._folder.account.attributes)
        if not {"record_id", *OWNERS} & set(place.columns):
            name = next((one for one in ("record_id", *OWNERS) if one in mapping), "contact_id")
            raise missing(part, place, name, setting, mapping, " (or lead_id, company_id, record_id)")
        if "occurred_at" not in place.columns:
            raise missing(part, place, "occurred_at", setting, mapping)
        return place

    def _file(self, part: str, path: Path, stamp: tuple[int, int, int], old: Progress | None) -> Iterator[tuple[Page, Progress]]:
        readings = self._parquet(part, path, stamp, old) if is_parquet(path) else self._csv(part, path, stamp, old)
        latest = next(readings, None)
        first = latest is not None and latest[0].first
        while latest is not None:
            further = next(readings, None)
            page, progress = latest
            last = further is None
            yield replace(page, first=first, last=last), replace(progress, done=last)
            latest, first = further, False

    # Each of these yields pages that do not know yet whether they are the last, and the progress behind them.

    def _csv(self, part: str, path: Path, stamp: tuple[int, int, int], old: Progress | None) -> Iterator[tuple[Page, Progress]]:
        with Source(path, self._dialect.encoding, stamp[0]) as source:
            start = self._resume(source, stamp, old)
            if start is None:
                return
            header = read_header(source, self._dialect.delimiter)
            place = self._place(part, header.names)
            wanted = sorted({*place.columns.values(), *place.attributes.values()})
            rows = CsvRows(source, header.delimiter, len(header.names), wanted)
            fresh = start.offset == 0
            offset, line = (header.offset, header.line) if fresh else (start.offset, start.line)
            progress, count = replace(start, offset=offset, line=line), 0
            for chunk in rows.chunks(offset, line, CHUNK):
                count += 1
                rejects = Rejects(part)
                for at, reason in chunk.refused:
                    rejects.add(at, reason, room=LISTED - progress.listed)
                records = self._normalised(chunk.table, place, chunk.lines, rejects, progress.listed)
                progress = replace(
                    progress, offset=chunk.offset, line=chunk.line, open=chunk.open,
                    digest=source.digest(), hashed=source.hashed, listed=progress.listed + len(rejects.rows),
                )  # fmt: skip
                yield _page(records, part, progress, rejects, fresh and count == 1), progress
            if not count:
                source.hash_to(stamp[0])
                progress = replace(progress, digest=source.digest(), hashed=source.hashed)
                yield _page(self._empty(), part, progress, Rejects(part), fresh), progress

    def _resume(self, source: Source, stamp: tuple[int, int, int], old: Progress | None) -> Progress | None:
        """Where to begin: None where nothing changed, behind what was read where that is still there, else the beginning."""
        start = begun(stamp)
        if old is None or stamp[0] < old.hashed or not old.digest:
            return start
        source.hash_to(old.hashed)
        if source.digest() != old.digest:
            return start
        if not old.done:
            return replace(old, stamp=start.stamp, settled=start.settled)
        if stamp[0] == old.hashed:
            return None
        if self._stream == "activity" and not old.open:
            return replace(old, stamp=start.stamp, settled=start.settled, done=False, whole=False, listed=0)
        return start

    def _parquet(self, part: str, path: Path, stamp: tuple[int, int, int], old: Progress | None) -> Iterator[tuple[Page, Progress]]:
        progress = begun(stamp)
        if old is not None and _same(path, stamp, old):
            if old.done:
                return
            progress = replace(old, stamp=progress.stamp, settled=progress.settled)
        elif not progress.settled:
            progress = replace(progress, digest=digest_of(path, stamp[0]), hashed=stamp[0])
        rows = ParquetRows(path)
        try:
            place = self._place(part, rows.headers)
            wanted = sorted({*place.columns.values(), *place.attributes.values()})
            fresh, count = progress.offset == 0, 0
            for table in rows.pages(progress.offset, wanted):
                count += 1
                rejects = Rejects(part)
                lines = pa.array(np.arange(progress.offset + 1, progress.offset + len(table) + 1))
                records = self._normalised(table, place, lines, rejects, progress.listed)
                progress = replace(progress, offset=progress.offset + len(table), listed=progress.listed + len(rejects.rows))
                yield _page(records, part, progress, rejects, fresh and count == 1), progress
            if not count:
                yield _page(self._empty(), part, progress, Rejects(part), fresh), progress
        finally:
            rows.close()

    def _normalised(self, table: pa.Table, place: Place, lines: pa.Array, rejects: Rejects, listed: int) -> pa.Table:
        columns, attributes = _named(table, place.columns), _named(table, place.attributes)
        for name, column in columns.items():
            if not readable(column.type):
                what = f"{rejects.part}: column {name} is of the type {column.type}, which is no plain value"
                raise RequestError(f"{what}: export it as text")
        attributes = {name: column for name, column in attributes.items() if readable(column.type)}
        return Normaliser(self._folder.account, self._dialect, rejects, LISTED - listed).page(columns, attributes, lines)

    def _empty(self) -> pa.Table:
        names = ("record_type", "record_id", "kind", "occurred_at") if self._stream == "activity" else ("record_type", "id")
        schema = ACTIVITY_SCHEMA if self._stream == "activity" else RECORD_SCHEMA
        return pa.schema([schema.field(name) for name in names]).empty_table()


def is_parquet(path: Path) -> bool:
    """Whether a file says that it is Parquet. Raises RequestError for a compressed one."""
    try:
        with path.open("rb") as file:
            begin = file.read(4)
    except OSError:
        return False  # whoever opens it next says why
    if begin[:2] == b"\x1f\x8b" or begin[:4] in (b"PK\x03\x04", b"\x28\xb5\x2f\xfd"):
        raise RequestError(f"{path.name} is compressed or a spreadsheet: unpack it, or save it as CSV")
    return begin == MAGIC or (path.suffix.lower() == ".parquet" and begin != b"")


def _same(path: Path, stamp: tuple[int, int, int], old: Progress) -> bool:
    """Whether a Parquet file is the one that was read: by its stamp, or by its content where the stamp cannot tell."""
    if old.settled and old.stamp == stamp:
        return True
    return old.stamp[0] == stamp[0] and old.digest != "" and digest_of(path, stamp[0]) == old.digest


def _named(table: pa.Table, places: Mapping[str, int]) -> Columns:
    return {name: table.column(str(index)) for name, index in places.items()}


def _page(records: pa.Table, part: str, progress: Progress, rejects: Rejects, first: bool) -> Page:
    return Page(records, "", part, progress.whole, first and progress.whole, True, rejects.table(), rejects.rejected)
