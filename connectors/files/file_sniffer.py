"""How does a file begin?

Its encoding, the sign between its cells, the lines above its header, and its first rows.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow.compute as pc

from connectors.files.file_reader import header_again, opened
from connectors.files.settings import UTF8
from connectors.files.xlsx_reader import XlsxRows
from connectors.tables.sample import Sample
from connectors.values.text import as_text

ROWS = 500
_BYTES = 1 << 18
_TITLES = 30  # lines among which the header is looked for
_NUMBER = re.compile(r"[-+]?[\d.,]+\Z")


@dataclass(frozen=True)
class FileSample(Sample):
    """The first rows of a file. A setting that is None is the usual one."""

    delimiter: str | None = None
    encoding: str | None = None
    skip_lines: int = 0
    other_sheets: Sequence[str] = ()  # of a spreadsheet, that hold other tables and are not read


def read_sample(path: Path) -> FileSample | None:
    """The beginning of a file; None where it has no header.

    RequestError for a file that cannot be read as a table.
    """
    rows = opened(path, 0)
    if rows is not None:
        titles = 0
        if isinstance(rows, XlsxRows):  # a spreadsheet may have titles above its header
            begin = rows.begin(_TITLES)
            titles = _header(begin)
            titles = titles if any(any(row) for row in begin[:titles]) else 0
            rows = XlsxRows(path, titles)
        page = next(rows.pages(0, list(range(len(rows.headers)))), None)
        rows.close()
        if page is None or not any(rows.headers):
            return None
        page = page.slice(0, ROWS)
        again = header_again(page, rows.headers)
        page = page if again is None else page.filter(pc.invert(again))
        texts = [[cell or "" for cell in as_text(column)[0].to_pylist()] for column in page.columns]
        columns = {
            name.strip(): [cell.strip() for cell in column]
            for name, column in zip(rows.headers, texts, strict=True)
            if name.strip()
        }
        others = rows.others if isinstance(rows, XlsxRows) else ()
        return FileSample(path.name, columns, path.stat().st_size, skip_lines=titles, other_sheets=others)
    return _of_text(path)


def _of_text(path: Path) -> FileSample | None:
    with path.open("rb") as file:
        raw = file.read(_BYTES)
    encoding = _encoding(raw)
    lines = raw.decode(encoding or "utf-8-sig", "replace").splitlines(keepends=True)
    lines = lines[:-1] if len(raw) == _BYTES else lines
    if not any(line.strip() for line in lines):
        return None
    separator = re.fullmatch(
        r"\ufeff?sep=(.)\s*", next(line for line in lines if line.strip()), re.IGNORECASE
    )
    delimiter = separator[1] if separator else _delimiter(lines[: 2 * _TITLES])
    start = 1 + next(number for number, line in enumerate(lines) if line.strip()) if separator else 0
    reader = csv.reader(lines[start:], delimiter=delimiter)
    begin = list(islice(reader, _TITLES))
    titles = _header(begin)
    header = begin[titles]
    skipped = (
        0
        if not any(any(cell.strip() for cell in row) for row in begin[:titles])
        else start + _line_of(lines[start:], delimiter, titles)
    )
    rows = [
        row
        for row in (*begin[titles + 1 :], *islice(reader, ROWS))
        if len(row) == len(header) and row != header
    ][:ROWS]
    columns = {
        name.strip(): [row[index].strip() for row in rows]
        for index, name in enumerate(header)
        if name.strip()
    }
    return (
        FileSample(path.name, columns, path.stat().st_size, delimiter, encoding, skipped) if columns else None
    )


def _line_of(lines: Sequence[str], delimiter: str, row: int) -> int:
    """How many lines stand above a row; a cell may go over several."""
    reader = csv.reader(lines, delimiter=delimiter)
    for _ in islice(reader, row):
        pass
    return reader.line_num


def _header(rows: Sequence[Sequence[str]]) -> int:
    """The row of names: the first that fills most of the columns with words. Above it stand titles."""
    widths = Counter(len(row) for row in rows if any(cell.strip() for cell in row))
    width = max(widths, key=lambda number: (widths[number], number), default=1)
    for number, row in enumerate(rows):
        cells = [cell.strip() for cell in row if cell.strip()]
        words = [cell for cell in cells if not _NUMBER.match(cell)]
        if len(cells) >= max(1, 0.5 * width) and len(words) == len(cells) and (width < 3 or len(cells) > 1):
            return number
    return next((number for number, row in enumerate(rows) if any(cell.strip() for cell in row)), 0)


def _delimiter(lines: Sequence[str]) -> str:
    """The sign that cuts most lines into equally many cells, and into many."""

    def score(sign: str) -> float:
        widths = Counter(
            len(row) for row in csv.reader(lines, delimiter=sign) if any(cell.strip() for cell in row)
        )
        width, number = max(widths.items(), key=lambda item: (item[1] * (item[0] > 1), item[0]))
        return width * number if width > 1 else 0

    return max(",;\t|", key=score)


def whole_encoding(path: Path) -> str | None:
    """The encoding to set, by all bytes of a file of text; None for UTF-8."""
    with path.open("rb") as file:
        encoding = _encoding(file.read(_BYTES))
        if encoding is not None or opened(path, 0) is not None:
            return encoding
        file.seek(0)
        decoder = codecs.getincrementaldecoder(UTF8)()
        try:
            while block := file.read(1 << 24):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return None


def _encoding(raw: bytes) -> str | None:
    """The encoding to set; None for UTF-8."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if raw[1::2].count(0) > len(raw) / 4:
        return "utf-16-le"
    try:
        codecs.getincrementaldecoder(UTF8)().decode(raw)
    except UnicodeDecodeError:
        return "cp1252"
    return None
