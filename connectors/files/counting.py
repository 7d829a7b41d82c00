"""How many rows do the files hold, without reading what is in them?"""

from __future__ import annotations

from pathlib import Path

from connectors.files.parquet_rows import ParquetRows
from connectors.files.reading import is_parquet
from connectors.files.session import SEGMENTS, UTF8, Folder
from connectors.files.source import Source, Stamp, stamp_of


class Counts:
    """Counts rows, those that will be refused included; a file that did not change is counted once."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._known: dict[Path, tuple[Stamp, int]] = {}

    def rows(self, stream: str) -> int | None:
        """Rows of all files of a stream, None where there is no file. Of CSV, lines: a cell of several lines counts as such."""
        if stream == "value":
            path = self._folder.path / SEGMENTS
            return self._rows(path, UTF8) if path.exists() else None
        files = self._folder.files(stream)
        encoding = self._folder.dialect(stream).encoding
        return sum(self._rows(path, encoding) for path in files.values()) if files else None

    def _rows(self, path: Path, encoding: str) -> int:
        stamp = stamp_of(path)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, _parquet(path) if is_parquet(path) else _lines(path, encoding, stamp[0]))
            self._known[path] = known
        return known[1]


def _parquet(path: Path) -> int:
    rows = ParquetRows(path)
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
