"""Which rows does a CSV file hold, on which lines, and which of its rows cannot be read?

Chunks of whole rows go through Arrow's reader where they are beyond doubt; a piece in which something is off
goes through the careful reader of ``csv_mending``. Both count the same lines.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv

from connectors.errors import RequestError
from connectors.files.csv_recovery import CELL_LIMIT, Recovered, mend, split_row
from connectors.files.settings import WHITESPACE
from connectors.files.utf8_file import BLOCK, Source

ROW_LIMIT = 64 << 20  # bytes: a row that goes on for longer is refused
_SMALL = 128 << 10  # bytes: pieces of this size are fixed rather than split further
_HEADER_LIMIT = 1 << 20
_QUOTE, _NEWLINE = 34, 10


@dataclass
class Chunk:
    """Rows that follow each other in a file."""

    table: pa.Table  # text, one column per index asked for, named by it
    lines: pa.Array  # int64: the line that each row starts on, the header's is 1
    refused: list[tuple[int, str]]  # line and reason
    offset: int  # of the text behind the rows
    line: int  # that the next row starts on
    open: bool = False  # the last row has no line end (yet)


@dataclass(frozen=True)
class Header:
    """The first row of a file, and where the rows begin."""

    names: list[str]
    delimiter: str
    offset: int
    line: int


# what Excel reads as "cells are separated by this"
_SEPARATOR = re.compile(rb"sep=([^\r\n])[ \t]*\r?\n?", re.IGNORECASE)


def read_header(source: Source, delimiter: str | None, skip: int = 0) -> Header:
    """The column names, which stand below ``skip`` title lines. Raises RequestError for a file without any."""
    name = source.path.name
    source.rewind(0)
    text = b""
    while len(text) < _HEADER_LIMIT and (more := source.read(1 << 16)):
        text += more
        if text.count(b"\n") > skip and b"\n" in _after_lines(text, skip).strip():
            break
    if not text.strip(b"\r\n \t"):
        raise RequestError(f"{name} is empty: it needs at least a line with the column names")
    offset, line = len(text) - len(_after_lines(text, skip)), 1 + skip
    if not text[offset:].strip():
        raise RequestError(
            f"{name} ends within the {skip} lines that skip_lines passes over: set it to the number of title lines"
        )
    while True:
        end = text.find(b"\n", offset) + 1 or len(text)
        separator = _SEPARATOR.fullmatch(text[offset:end]) if delimiter != WHITESPACE else None
        if separator:
            delimiter = separator[1].decode("latin-1")
        elif text[offset:end].strip():
            break
        offset, line = end, line + 1
    first = text[offset:end]
    try:
        first.decode()
    except UnicodeDecodeError:
        raise RequestError(
            f"{name}: its header is not in the encoding {source.encoding}: set encoding, such as cp1252 or utf-16"
        ) from None
    if b"\0" in first:
        raise RequestError(
            f"{name}: its header has NUL bytes: it is not a CSV file, or set encoding, such as utf-16"
        )
    delimiter = delimiter or detect(first)
    row = split_row(text, offset, delimiter, ended=True)
    if row is None:
        raise RequestError(f"{name}: its header has an unclosed quote: fix the first line")
    cells, end = row
    return Header(
        [cell.decode(errors="replace").strip() for cell in cells],
        delimiter,
        end,
        line + text.count(b"\n", offset, end),
    )


def _after_lines(text: bytes, skip: int) -> bytes:
    """What follows so many lines."""
    offset = 0
    for _line in range(skip):
        offset = text.find(b"\n", offset) + 1 or len(text)
    return text[offset:]


def detect(header: bytes) -> str:
    """The delimiter that stands most often in a header, outside of quotes."""
    bare = re.sub(rb'"[^"]*"', b"", header)
    return max(",;\t|", key=lambda delimiter: bare.count(delimiter.encode()))


@dataclass
class CsvRows:
    """Reads the rows of one file in order. ``width`` is the number of cells that a row must have."""

    source: Source
    delimiter: str
    width: int
    wanted: list[int]
    _buffer: bytes = b""
    _ended: bool = False
    _piece: int = field(default=BLOCK)

    @property
    def ended(self) -> bool:
        """Whether nothing follows the chunk that was given last."""
        if not self._buffer:
            self._fill(1)
        return self._ended and not self._buffer

    def chunks(self, offset: int, line: int, size: int = BLOCK) -> Iterator[Chunk]:
        """Chunks of about ``size`` bytes from an offset on, which is the beginning of ``line``."""
        self.source.rewind(offset)
        self._buffer, self._ended = b"", False
        while True:
            start, pieces, refused = offset, [], []
            while offset - start < size:
                if len(self._buffer) < BLOCK // 2:
                    self._fill(BLOCK)
                if not self._buffer:
                    break
                piece = self._next(line)
                pieces.append(piece)
                refused += piece.refused
                offset, line = offset + piece.used, line + piece.newlines
                self._buffer = self._buffer[piece.used :]
                if piece.endless:
                    skipped, newlines = self._skip_line()
                    offset, line = offset + skipped, line + newlines
            if offset == start:
                return
            yield self._chunk(pieces, refused, offset, line)

    def _chunk(
        self, pieces: list[Recovered], refused: list[tuple[int, str]], offset: int, line: int
    ) -> Chunk:
        names = [str(index) for index in self.wanted]
        schema = pa.schema([(name, pa.string()) for name in names])
        tables = [piece.table for piece in pieces if piece.table is not None and len(piece.lines)]
        lines = pa.concat_arrays(
            [piece.lines for piece in pieces if len(piece.lines)] or [pa.array([], pa.int64())]
        )
        table = pa.concat_tables(tables) if tables else schema.empty_table()
        return Chunk(table, lines, refused, offset, line, open=bool(pieces and pieces[-1].open))

    def _fill(self, size: int) -> None:
        blocks = [self._buffer]
        buffered = len(self._buffer)
        while buffered < size and not self._ended:
            block = self.source.read(BLOCK)
            self._ended = not block
            blocks.append(block)
            buffered += len(block)
        self._buffer = b"".join(blocks)

    def _next(self, line: int) -> Recovered:
        """The next rows of the buffer: at once where they are sound, by careful steps where they are not."""
        while True:
            piece = min(self._piece, len(self._buffer))
            plain = self._plain(self._buffer[:piece] if piece < len(self._buffer) else self._buffer, line)
            if plain is not None:
                self._piece = min(self._piece * 8, 4 * BLOCK)
                return plain
            if piece > _SMALL:
                self._piece = max(piece // 8, _SMALL)
                continue
            full = self._ended or len(self._buffer) >= ROW_LIMIT
            mended = mend(
                self._buffer, self.delimiter, self.width, self.wanted, line, piece, self._ended, full
            )
            if mended.used:
                self._piece = _SMALL * 8
                return mended
            self._fill(len(self._buffer) + BLOCK)

    def _skip_line(self) -> tuple[int, int]:
        """Pass over the rest of a line that is longer than memory should hold."""
        skipped = 0
        while b"\n" not in self._buffer:
            skipped += len(self._buffer)
            self._buffer = b""
            self._fill(BLOCK)
            if not self._buffer:
                return skipped, 0
        end = self._buffer.index(b"\n") + 1
        self._buffer = self._buffer[end:]
        return skipped + end, 1

    def _plain(self, text: bytes, line: int) -> Recovered | None:
        """All whole rows of a text that is sound beyond doubt, or None."""
        last = self._ended and len(text) == len(self._buffer)
        open_ = last and not text.endswith(b"\n")
        text = text + b"\n" if open_ else text
        if b"\0" in text or (b"\r" in text and text.count(b"\r") != text.count(b"\r\n")):
            return None
        marks = np.frombuffer(text, np.uint8)
        ends = np.flatnonzero(marks == _NEWLINE)
        if self.delimiter != WHITESPACE and b'"' in text:
            quotes = np.flatnonzero(marks == _QUOTE)
            inside = np.searchsorted(quotes, ends) & 1
            ends, newlines = ends[inside == 0], ends
            if not len(ends) or not well_quoted(marks, quotes[quotes < ends[-1]], ord(self.delimiter)):
                return None
            numbers = np.searchsorted(newlines, ends) + 1
        else:
            numbers = np.arange(1, len(ends) + 1)
        if not len(ends):
            return None
        used = int(ends[-1]) + 1
        open_ = open_ and used == len(text)
        text = text[:used]
        if not text.isascii():
            try:
                text.decode()
            except UnicodeDecodeError:
                return None
        starts = np.concatenate([[0], ends[:-1] + 1])
        lengths = ends - starts - (marks[np.maximum(ends - 1, 0)] == 13)
        first_lines = line + np.concatenate([[0], numbers[:-1]])[lengths > 0]
        table = self._parse(text, len(first_lines))
        if table is None:
            return None
        return Recovered(
            table, pa.array(first_lines, pa.int64()), [], used - open_, int(numbers[-1]) - open_, open=open_
        )

    def _parse(self, text: bytes, rows: int) -> pa.Table | None:
        """Arrow's reading, where it finds as many rows as there are and no cell is too long."""
        blank = self.delimiter == WHITESPACE
        if blank:
            text = re.sub(rb"(?m)^ +| +(?=\r?$)", b"", re.sub(rb"[ \t]+", b" ", text))
        names = [str(index) for index in range(self.width)]
        wanted = [str(index) for index in self.wanted]
        if not rows:
            return pa.schema([(name, pa.string()) for name in wanted]).empty_table()
        try:
            table = pacsv.read_csv(
                io.BytesIO(text),
                read_options=pacsv.ReadOptions(
                    column_names=names, block_size=max(len(text), 1 << 20), use_threads=False
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=" " if blank else self.delimiter,
                    quote_char=False if blank else '"',
                    newlines_in_values=not blank and b'"' in text,
                ),
                convert_options=pacsv.ConvertOptions(
                    check_utf8=False,
                    column_types={name: pa.string() for name in names},
                    strings_can_be_null=False,
                    include_columns=wanted,
                ),
            )
        except pa.ArrowInvalid:
            return None
        if len(table) != rows:
            return None
        if len(text) > CELL_LIMIT and any(
            _longest(chunk) > CELL_LIMIT for column in table.columns for chunk in column.chunks
        ):
            return None
        return table


def _longest(array: pa.Array) -> int:
    offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
    return int(np.diff(offsets).max(initial=0))


def well_quoted(marks: npt.NDArray[np.uint8], quotes: npt.NDArray[np.intp], delimiter: int) -> bool:
    """Whether quotes stand only around whole cells, or doubled within them.

    Then their parity tells inside from outside.
    """
    if len(quotes) % 2:
        return False
    opening, closing = quotes[0::2], quotes[1::2]
    before = np.where(opening > 0, marks[np.maximum(opening - 1, 0)], _NEWLINE)
    after = marks[np.minimum(closing + 1, len(marks) - 1)]
    doubled = opening[1:] == closing[:-1] + 1
    opens = (before == delimiter) | (before == _NEWLINE)
    opens[1:] |= doubled
    closes = (after == delimiter) | (after == _NEWLINE) | (after == 13)
    closes[:-1] |= doubled
    return bool(opens.all() and closes.all())
