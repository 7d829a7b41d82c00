"""How many rows do the files hold, without reading what is in them?"""

from __future__ import annotations

from pathlib import Path

from connectors.files.file_reader import SheetRows, opened
from connectors.files.folder import Folder
from connectors.files.settings import SEGMENTS, UTF8
from connectors.files.utf8_file import Source, Stamp, stamp_of


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
