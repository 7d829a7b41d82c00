"""Where does each row of a doubtful text end, and what is wrong with it?

One row at a time, so only for the pieces that need it. A row that cannot be read is refused on its line, and
reading goes on at the next line: an unclosed quote costs one line, not the rest of the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from connectors.files.settings import WHITESPACE

CELL_LIMIT = 1 << 20  # bytes


@dataclass
class Recovered:
    """The rows of a piece of text."""

    table: pa.Table | None
    lines: pa.Array
    refused: list[tuple[int, str]]
    used: int  # bytes
    newlines: int  # in them
    open: bool = False  # the last row ends without a line end
    endless: bool = False  # what follows is the rest of a line that is too long to hold


@lru_cache
def _cell(delimiter: str) -> re.Pattern[bytes]:
    mark = re.escape(delimiter.encode())
    return re.compile(rb'"[^"]*(?:""[^"]*)*"(?=' + mark + rb'|[\r\n]|\Z)|(?!")[^' + mark + rb"\r\n]*")


_OPENING = re.compile(rb'"[^"]*(?:""[^"]*)*')


class Unfinished(Exception):
    """The text ends within a row, and more may follow."""


def split_row(text: bytes, start: int, delimiter: str, *, ended: bool) -> tuple[list[bytes], int] | None:
    """Cells of the row at ``start`` and the place behind it; None where its quotes are broken.

    Raises Unfinished where the text ends within the row though the file goes on.
    """
    if delimiter == WHITESPACE:
        end = text.find(b"\n", start)
        if end < 0 and not ended:
            raise Unfinished
        stop = end if end >= 0 else len(text)
        return text[start:stop].split(), min(stop + 1, len(text))
    row = spans(text, start, delimiter, ended=ended)
    return ([plain(text[begin:end]) for begin, end in row[0]], row[1]) if row else None


def plain(cell: bytes) -> bytes:
    """What a sound cell says, without its quotes."""
    return cell[1:-1].replace(b'""', b'"') if cell[:1] == b'"' else cell


def spans(
    text: bytes, start: int, delimiter: str, *, ended: bool
) -> tuple[list[tuple[int, int]], int] | None:
    """Where the cells of the row at ``start`` begin and end, quotes included; else as ``split_row``."""
    cells, at, cell, mark = [], start, _cell(delimiter), delimiter.encode()
    while True:
        match = cell.match(text, at)
        if match is None:
            opening = _OPENING.match(text, at)
            if not ended and opening is not None and opening.end() == len(text):
                raise Unfinished
            return None
        cells.append(match.span())
        at = match.end()
        if at == len(text) and not ended:
            raise Unfinished
        if text[at : at + 1] == mark:
            at += 1
            continue
        if text[at : at + 2] == b"\r\n":
            return cells, at + 2
        if text[at : at + 1] == b"\r" and at + 1 == len(text) and not ended:
            raise Unfinished
        return cells, min(at + 1, len(text))


def mend(
    text: bytes, delimiter: str, width: int, wanted: list[int], line: int, least: int, ended: bool, full: bool
) -> Recovered:
    """Rows of a text from its start on until ``least`` bytes are used.

    ``ended``: nothing follows the text. ``full``: it holds as much as a row may, so a row that goes on is
    refused. A result that used nothing asks for more text.
    """
    at, lines, rows, refused = 0, [], [], []
    first, endless, open_ = line, False, False
    while at < min(least, len(text)):
        try:
            row = split_row(text, at, delimiter, ended=ended)
        except Unfinished:
            if not full or at:
                break
            row = None
        end = row[1] if row else _line_end(text, at)
        if row is None and end is None:
            refused.append(
                (
                    line,
                    "is longer than 64 MiB"
                    if full and not ended
                    else "has an unclosed quote, or text next to a quoted cell",
                )
            )
            at, endless = len(text), not ended
            break
        assert end is not None
        cells = row[0] if row else []
        fault = _fault(cells, width) if row else "has an unclosed quote, or text next to a quoted cell"
        if (
            row
            and fault
            and text.count(b"\n", at, end) > 1
            and not any(len(cell) > CELL_LIMIT for cell in cells)
        ):
            end = _line_end(text, at) or end
        if fault is None and not _blank(text[at:end]):
            lines.append(line)
            rows.append(cells)
        elif fault and not _blank(text[at:end]):
            refused.append((line, fault))
        line += text.count(b"\n", at, end) or (text[end - 1 : end] == b"\r")
        open_ = end == len(text) and text[-1:] not in (b"\n", b"\r")
        at = end
    names = [str(index) for index in wanted]
    columns = [pa.array([row[index].decode() for row in rows], pa.string()) for index in wanted]
    return Recovered(
        pa.table(columns, names),
        pa.array(lines, pa.int64()),
        refused,
        at,
        line - first,
        open=open_,
        endless=endless,
    )


def _line_end(text: bytes, at: int) -> int | None:
    """The place behind the line end that follows; at the very end of a text without one, None."""
    end = text.find(b"\n", at)
    return end + 1 if end >= 0 else None


def _blank(row: bytes) -> bool:
    return len(row) < 1000 and not row.strip()


def _fault(cells: list[bytes], width: int) -> str | None:
    """What is wrong with a row whose quotes are sound."""
    if any(len(cell) > CELL_LIMIT for cell in cells):
        return "has a cell of more than 1 MiB"
    if len(cells) != width:
        return f"has {len(cells)} cells where the header has {width}"
    whole = b"".join(cells)
    if b"\0" in whole:
        return "has a NUL byte"
    try:
        whole.decode()
        for cell in cells if not whole.isascii() else ():
            cell.decode()
    except UnicodeDecodeError:
        return "is not in the encoding of the file"
    return None
