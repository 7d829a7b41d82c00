"""How many rows do the files hold, without reading what is in them?"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from connectors.files.file_reader import SheetRows, opened
from connectors.files.folder import Folder
from connectors.files.settings import SEGMENTS, UTF8
from connectors.files.utf8_file import Source, Stamp, stamp_of

_COMPACT = 4_000_000  # texts that may wait before they are compared with those before them


class DistinctTexts:
    """Different texts of a column that comes page by page: exact, and at the cost of Arrow's memory rather
    than Python's.
    """

    def __init__(self) -> None:
        self._parts: list[pa.Array] = []
        self._waiting = self._compact = 0

    def add(self, texts: pa.ChunkedArray | pa.Array) -> None:
        """Take texts (none of them null) into account."""
        part = pc.unique(texts).cast(pa.large_string())
        self._parts.append(part)
        self._waiting += len(part)
        if self._waiting > max(_COMPACT, self._compact):
            self._unite()

    def take(self, others: DistinctTexts) -> None:
        """Take all texts of others into account."""
        self._parts += others._parts
        self._waiting += sum(map(len, others._parts))

    def _unite(self) -> None:
        if len(self._parts) > 1:
            self._parts = [pc.unique(pa.chunked_array(self._parts))]
        self._waiting, self._compact = 0, sum(map(len, self._parts))

    def count(self) -> int:
        """How many there are."""
        self._unite()
        return self._compact

    def texts(self) -> pa.Array:
        """All of them."""
        self._unite()
        return self._parts[0].cast(pa.string()) if self._parts else pa.array([], pa.string())


class Counts:
    """Counts rows, those that will be refused included; a file that did not change is counted once."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._known: dict[Path, tuple[Stamp, int]] = {}

    def rows(self, stream: str) -> int | None:
        """Rows of all files of a stream, None where there is no file.

        Of CSV, lines: a cell of several lines counts as such.
        """
        if stream == "value":
            path = self._folder.path / SEGMENTS
            return self._rows(path, UTF8) if path.exists() else None
        files = self._folder.files(stream)
        encoding = self._folder.dialect(stream).encoding
        return sum(self._rows(path, encoding) for path in files.values()) if files else None

    def _rows(self, path: Path, encoding: str) -> int:
        stamp = stamp_of(path)
        cached = self._known.get(path)
        if cached is None or cached[0] != stamp:
            rows = opened(path, 0)
            cached = (stamp, _lines(path, encoding, stamp[0]) if rows is None else _rows(rows))
            self._known[path] = cached
        return cached[1]


def _rows(rows: SheetRows) -> int:
    rows.close()
    return rows.rows


def _lines(path: Path, encoding: str, size: int) -> int:
    """Lines behind the header."""
    lines, end = 0, b"\n"
    with Source(path, encoding, size) as source:
        source.rewind(0)
        while text := source.read():
            lines += text.count(b"\n")
            end = text[-1:]
    return max(0, lines - (end == b"\n"))
