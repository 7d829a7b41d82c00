"""Which rows does a spreadsheet (.xlsx) hold? Its first sheet that is not empty, every cell as the text that
a CSV file would have.

A table that goes on in further sheets, under the same header, is one table: a sheet holds no more than
1,048,576 rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.errors import RequestError

ZIP = b"PK\x03\x04"
SUFFIXES = (".xlsx", ".xlsm")


class XlsxRows:
    """One workbook, read whole: a sheet has 1,048,576 rows at most.

    Every fault of the file is a RequestError that names it.
    """

    def __init__(self, path: Path, skip: int = 0) -> None:
        self.path = path
        names, sheets = _sheets(path)
        sheet = sheets[0] if sheets else []
        filled = [number for number, row in enumerate(sheet) if any(row) and number >= skip]
        if not filled:
            raise RequestError(f"{path.name} is empty: it needs at least a row with the column names")
        header = filled[0]
        width = max(number for row in sheet[header:] for number, cell in enumerate(row, 1) if cell)
        self.headers = [cell.strip() for cell in (sheet[header] + [""] * width)[:width]]
        self.first_line = header + 2
        self._begin = sheet[:200]
        self.others: list[str] = []  # further sheets that hold another table: they are not read
        rows = sheet[header + 1 :]
        for name, further in zip(names[1:], sheets[1:], strict=True):
            start = next((number for number, row in enumerate(further) if _same(row, sheet[header])), None)
            if start is None:
                self.others += [name]
            else:
                rows = [*rows, *further[start + 1 :]]
        self._rows = [(row + [""] * width)[:width] for row in rows]

    def begin(self, count: int) -> list[list[str]]:
        """The first rows of the sheet as they stand there, titles and blank ones too."""
        return self._begin[:count]

    @property
    def rows(self) -> int:
        """Rows below the header, blank ones too."""
        return len(self._rows)

    def pages(self, start: int, wanted: list[int]) -> Iterator[pa.Table]:
        """The rows from one on as one table of text, with one column per index asked for, named by it."""
        rows = self._rows[start:]
        if rows:
            yield pa.table(
                [pa.array([row[index] for row in rows], pa.string()) for index in wanted],
                [str(index) for index in wanted],
            )

    def close(self) -> None:
        """Nothing stays open."""


def _same(row: list[str], header: list[str]) -> bool:
    """Whether two rows are the same, but for empty cells behind."""
    return [cell.strip() for cell in row if cell] == [cell.strip() for cell in header if cell]


def _sheets(path: Path) -> tuple[list[str], list[list[list[str]]]]:
    """Names and rows of the sheets that are not empty."""
    try:
        from python_calamine import CalamineWorkbook
    except ImportError:
        remedy = 'pip install "crm-segments[excel]", or save it as CSV (UTF-8)'
        raise RequestError(
            f"{path.name} is a spreadsheet, and the package that reads those is not installed: {remedy}"
        ) from None
    try:
        book = CalamineWorkbook.from_path(path)
        sheets = {
            name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names
        }
    except (
        Exception
    ) as error:  # the library raises classes of its own for each way in which a workbook can be broken
        what = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise RequestError(
            f"{path.name} cannot be read as a spreadsheet ({what}): save it again, or as CSV (UTF-8)"
        ) from error
    filled = {
        name: [[_text(cell) for cell in row] for row in sheet] for name, sheet in sheets.items() if sheet
    }
    return list(filled), list(filled.values())


def _text(cell: Any) -> str:
    """A cell as a CSV file would have it; whole numbers without ``.0``, days and times in ISO 8601."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(" ", timespec="seconds") if cell.time() != time() else cell.date().isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return str(cell)
