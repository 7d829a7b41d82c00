"""One way to read a file of an export, whatever its format: its headers, and pages of text below them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import RequestError
from connectors.files.csv_reader import CsvRows, read_header
from connectors.files.folder import FileDialect
from connectors.files.parquet_reader import MAGIC, ParquetRows
from connectors.files.utf8_file import Source, stamp_of
from connectors.files.xlsx_reader import SUFFIXES, ZIP, XlsxRows
from connectors.values.text import flat, is_text, trimmed

_Item = TypeVar("_Item")
CHUNK = 32 << 20  # bytes of CSV in a page


class SheetRows(Protocol):
    """A file whose rows are numbered rather than measured in bytes."""

    headers: list[str]

    @property
    def rows(self) -> int:
        """How many there are below the headers."""

    def pages(self, start: int, wanted: list[int]) -> Iterator[pa.Table]:
        """Tables of rows from one on, with one column per index asked for, named by it."""

    def close(self) -> None:
        """Let go of the file."""


def opened(path: Path, skip: int) -> SheetRows | None:
    """The rows of a Parquet file or a spreadsheet; None for a file of text.

    Raises RequestError for a compressed one.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(8)
    except OSError:
        return None  # whoever opens it next says why
    if begin[:4] == MAGIC or (path.suffix.lower() == ".parquet" and begin != b""):
        return ParquetRows(path)
    if begin[:4] == ZIP and path.suffix.lower() in SUFFIXES:
        return XlsxRows(path, skip)
    if begin == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise RequestError(
            f"{path.name} is a spreadsheet of the old format: save it as .xlsx or as CSV (UTF-8)"
        )
    if begin[:2] == b"\x1f\x8b" or begin[:4] in (ZIP, b"\x28\xb5\x2f\xfd"):
        raise RequestError(f"{path.name} is compressed: unpack it")
    return None


def headers_of(path: Path, dialect: FileDialect) -> list[str]:
    """The names of a file's columns."""
    rows = opened(path, dialect.skip_lines)
    if rows is not None:
        rows.close()
        return rows.headers
    with Source(path, dialect.encoding, stamp_of(path)[0], fingerprint=False) as source:
        return read_header(source, dialect.delimiter, dialect.skip_lines).names


def header_again(table: pa.Table, headers: Sequence[str]) -> pa.Array | None:
    """Rows that are the header once more, as files that were put together have them; None where there are
    none.
    """
    again: pa.Array | None = None
    for name in table.column_names:
        header = headers[int(name)].strip()
        if not header or not is_text(table.column(name).type):
            continue
        same = pc.equal(trimmed(flat(table.column(name)).cast(pa.string())), header)
        again = pc.fill_null(same if again is None else pc.and_(again, same), False)
        if not pc.any(again).as_py():
            return None
    return again


def ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """The same items, each of which is made while the one before is used."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, items, None)
            yield item


def columns_of(path: Path, dialect: FileDialect, wanted: Sequence[int]) -> Iterator[pa.Table]:
    """Pages of some columns, by index; rows that cannot be read, and headers that stand there again, are
    passed over.
    """
    headers = headers_of(path, dialect)
    for table in ahead(tables_of(path, dialect, sorted(set(wanted)))):
        yield without_headers(table, headers)


def without_headers(table: pa.Table, headers: Sequence[str]) -> pa.Table:
    """Without the rows that are the header once more."""
    again = header_again(table, headers)
    return table if again is None else table.filter(pc.invert(again))


def tables_of(path: Path, dialect: FileDialect, wanted: Sequence[int]) -> Iterator[pa.Table]:
    """Pages of some columns, by ascending index; rows that cannot be read are passed over."""
    rows = opened(path, dialect.skip_lines)
    if rows is not None:
        try:
            yield from rows.pages(0, list(wanted))
        finally:
            rows.close()
        return
    with Source(path, dialect.encoding, stamp_of(path)[0], fingerprint=False) as source:
        header = read_header(source, dialect.delimiter, dialect.skip_lines)
        for chunk in CsvRows(source, header.delimiter, len(header.names), list(wanted)).chunks(
            header.offset, header.line, CHUNK
        ):
            yield chunk.table
