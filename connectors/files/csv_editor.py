"""Where is each record's cell in a file that we share with people, and how is it changed without touching the
rest?

A sheet is the bytes of such a file and the places of its cells. Everything that is not changed stays byte for
byte: rows that cannot be understood are carried along and never addressed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import RequestError
from connectors.files.csv_cells import (
    Mask,
    Places,
    bared,
    gathered,
    guarded,
    must_quote,
    spelled,
    spliced,
    unquoted,
)
from connectors.files.csv_reader import detect, well_quoted
from connectors.files.csv_recovery import spans
from connectors.files.utf8_file import BOM
from connectors.values.text import trimmed

ID, TYPE = "id", "record_type"


@dataclass(frozen=True)
class Sheet:
    """A CSV file with an id per row.

    Rows are numbered from 0, without the header and rows that cannot be read.
    """

    name: str
    text: bytes
    delimiter: str
    header: list[tuple[int, int]]
    starts: Places  # rows by columns
    ends: Places
    anchors: Places  # of each row: the place behind the row before it
    ragged: list[int]  # places of rows that cannot be read

    @cached_property
    def names(self) -> list[str]:
        """The headers."""
        cells = [
            unquoted(pa.array([self.text[a:b].decode(errors="replace")]))[0].as_py() for a, b in self.header
        ]
        return [cell.strip() for cell in cells]

    @property
    def line_end(self) -> bytes:
        """How the lines of the file end."""
        behind = self.text[self.header[-1][1] : self.header[-1][1] + 2]
        return b"\r\n" if behind == b"\r\n" else behind[:1] or b"\n"

    def column(self, name: str) -> int | None:
        """The column of a header: the first that is called so."""
        return self.names.index(name) if name in self.names else None

    @cached_property
    def ids(self) -> pa.Array:
        """The id of each row; null where it is empty or no text."""
        ids = trimmed(self.texts(self.column(ID) or 0))
        return pc.if_else(pc.equal(ids, ""), pa.scalar(None, pa.string()), ids)

    @cached_property
    def types(self) -> pa.Array:
        """The record type of each row; contact where the file does not tell."""
        column = self.column(TYPE)
        if column is None:
            return pa.repeat(pa.scalar("contact", pa.string()), len(self.starts))
        types = pc.utf8_lower(trimmed(self.texts(column)))
        return pc.if_else(pc.equal(pc.fill_null(types, ""), ""), "contact", types)

    def raw(self, column: int) -> pa.Array:
        """Cells as they are written."""
        return gathered(self.text, self.starts[:, column], self.ends[:, column])

    def texts(self, column: int) -> pa.Array:
        """What the cells of a column say, in normal form; null where that is no text."""
        return bared(unquoted(self.raw(column)))

    def keys(self, types: pa.Array, ids: pa.Array) -> pa.Array:
        """What names a record in this file."""
        return ids if self.column(TYPE) is None else pc.binary_join_element_wise(types, ids, "\0")

    def find(self, types: pa.Array, ids: pa.Array) -> Places:
        """The row of each record, the last where there are several; -1 where there is none."""
        own = self.keys(self.types, self.ids)[::-1]
        matches = pc.index_in(self.keys(types, ids), own.take(pa.array(np.arange(len(own)))), skip_nulls=True)
        rows = pc.subtract(len(own) - 1, matches)
        return np.asarray(pc.fill_null(rows, -1).to_numpy(zero_copy_only=False), np.int64)

    @cached_property
    def header_quoted(self) -> Mask:
        """Which headers stand in quotes: the habit of their columns."""
        return np.array([self.text[start : start + 1] == b'"' for start, _ in self.header])

    def empty(self, rows: Places, columns: list[int]) -> Mask:
        """Which cells (rows by columns) are empty."""
        starts, ends = self.starts[rows][:, columns], self.ends[rows][:, columns]
        marks = np.frombuffer(self.text, np.uint8)
        quotes = marks[np.minimum(starts, len(marks) - 1)] == 34
        return np.asarray((ends == starts) | ((ends - starts == 2) & quotes))

    def spelled(self, column: int, rows: Places, texts: pa.Array, *, number: bool) -> pa.Array:
        """New texts for cells of a column, quoted as those cells are now: a need for quotes tells no habit."""
        raw = self.raw(column).take(pa.array(rows))
        quoted = pc.fill_null(pc.starts_with(raw, '"'), False).to_numpy(zero_copy_only=False)
        if quoted.any():
            needed = must_quote(unquoted(raw), self.delimiter)
            quoted = np.where(needed, quoted & self.header_quoted[column], quoted)
        return spelled(guarded(texts, number=number), quoted, self.delimiter)

    def fresh(self, column: int, texts: pa.Array, *, number: bool = False) -> pa.Array:
        """Texts for new cells of a column."""
        quoted = np.full(len(texts), self.header_quoted[column])
        return spelled(guarded(texts, number=number), quoted, self.delimiter)

    def with_column(self, name: str, value: str = "") -> bytes:
        """The file with one column more at its right, which holds ``value`` in every row."""
        quoted = bool(self.header_quoted[0])
        cells = spelled(pa.array([name, value]), np.array([quoted, quoted]), self.delimiter).to_pylist()
        before = self.delimiter.encode()
        places = np.concatenate([[self.header[-1][1]], self.ends[:, -1]]).astype(np.int64)
        pieces = [before + cells[0].encode(), *[before + cells[1].encode()] * len(self.ends)]
        return spliced(self.text, places, places, pieces)


def parsed(name: str, text: bytes, default: str) -> Sheet:
    """The sheet that a file holds. Raises RequestError for one without an id column.

    ``default``: its delimiter if it shows none.
    """
    begin = len(BOM) if text.startswith(BOM) else 0
    while text[begin : begin + 1] in (b"\r", b"\n"):
        begin += 1
    line = text[begin:].split(b"\n", 1)[0]
    shown = detect(line)
    delimiter = shown if shown.encode() in line else default
    row = spans(text, begin, delimiter, ended=True)
    if row is None:
        raise RequestError(f"{name}: its header has an unclosed quote: fix the first line")
    header, behind = row
    places = _sound(text, behind, len(header), delimiter)
    if places is None:
        places = _mended(text, behind, len(header), delimiter)
    starts, ends, ragged = places
    anchors = (
        np.concatenate([[header[-1][1]], ends[:-1, -1]]).astype(np.int64)
        if len(ends)
        else np.zeros(0, np.int64)
    )
    if ragged and len(ends):
        anchors = np.array([_behind(text, start) for start in starts[:, 0].tolist()], np.int64)
    sheet = Sheet(name, text, delimiter, header, starts, ends, anchors, ragged)
    if sheet.column(ID) is None:
        shown = ", ".join(repr(label) for label in sheet.names[:30])
        raise RequestError(
            f"{name} has no column id; its headers are {shown}: rename the column of the ids to {ID}, or move the file away"
        )
    return sheet


def _behind(text: bytes, start: int) -> int:
    """The place behind the last character before a row that is no line end."""
    while text[start - 1 : start] in (b"\r", b"\n"):
        start -= 1
    return start


def _sound(text: bytes, begin: int, width: int, delimiter: str) -> tuple[Places, Places, list[int]] | None:
    """Places of all cells, where every row is beyond doubt; else None."""
    body = text[begin:]
    if b"\r" in body and body.count(b"\r") != body.count(b"\r\n"):
        return None
    body = body if not body or body.endswith(b"\n") else body + b"\n"
    marks = np.frombuffer(body, np.uint8)
    breaks = np.flatnonzero((marks == ord(delimiter)) | (marks == 10))
    if b'"' in body:
        quotes = np.flatnonzero(marks == 34)
        if not well_quoted(marks, quotes, ord(delimiter)):
            return None
        breaks = breaks[(np.searchsorted(quotes, breaks) & 1) == 0]
    if len(breaks) % width:
        return None
    cells: npt.NDArray[np.int64] = breaks.reshape(-1, width).astype(np.int64)
    if not (marks[cells[:, -1]] == 10).all() or (marks[cells[:, :-1]] == 10).any():
        return None
    starts = np.empty_like(cells)
    starts[:, 1:] = cells[:, :-1] + 1
    starts[1:, :1], starts[:1, :1] = cells[:-1, -1:] + 1, 0
    ends = cells.copy()
    ends[:, -1] -= (marks[np.maximum(ends[:, -1] - 1, 0)] == 13) & (ends[:, -1] > starts[:, -1])
    if width == 1 and (ends == starts).any():
        return None
    return starts + begin, ends + begin, []


def _mended(text: bytes, begin: int, width: int, delimiter: str) -> tuple[Places, Places, list[int]]:
    """As ``_sound``, row by row; rows that cannot be read are set aside."""
    rows: list[list[tuple[int, int]]] = []
    ragged: list[int] = []
    at = begin
    while at < len(text):
        row = spans(text, at, delimiter, ended=True)
        end = row[1] if row else (text.find(b"\n", at) + 1 or len(text))
        if row and len(row[0]) != width and text.count(b"\n", at, end) > 1:
            end = text.find(b"\n", at) + 1
        if text[at:end].strip():
            if row and len(row[0]) == width and b"\0" not in text[at:end]:
                rows.append(row[0])
            else:
                ragged.append(at)
        at = end
    places = np.array(rows, np.int64).reshape(-1, width, 2)
    return places[:, :, 0], places[:, :, 1], ragged
