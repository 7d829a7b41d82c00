"""How do the rows of a list come to hold more of a member than the id, and how is that taken out again?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.files.csv_cells import guarded, guarded_unless_phone, spelled, spliced
from connectors.files.csv_editor import ID, TYPE, Sheet, parsed
from connectors.values.text import flat

_PHONE = "phone"  # the column whose numbers are dialled


def filled(sheet: Sheet, cells: pa.Table, dropped: Sequence[str]) -> bytes:
    """The file with these columns, each cell that of its row's record or empty, and without ``dropped`` ones.

    ``cells``: record_type, id, and a column for each name. All else stays byte for byte.
    """
    for name in cells.column_names[2:]:
        if sheet.column(name) is None:
            sheet = _again(sheet, sheet.with_column(name))
        sheet = _again(sheet, _with_cells(sheet, name, cells))
    for name in dropped:
        column = sheet.column(name)
        if column is not None and name not in (ID, TYPE):
            sheet = _again(sheet, _without(sheet, column))
    return sheet.text


def _again(sheet: Sheet, text: bytes) -> Sheet:
    return parsed(sheet.name, text, sheet.delimiter)


def _with_cells(sheet: Sheet, name: str, cells: pa.Table) -> bytes:
    column = sheet.column(name)
    assert column is not None
    types, ids = (flat(cells[key].cast(pa.string())) for key in ("record_type", "id"))
    which = pc.index_in(sheet.keys(sheet.types, sheet.ids), sheet.keys(types, ids), skip_nulls=True)
    texts = pc.replace_substring(flat(cells[name].cast(pa.string())), "\0", "")
    texts = pc.fill_null(texts.take(which), "")
    safe = guarded_unless_phone(texts) if name == _PHONE else guarded(texts)
    quoted = np.full(len(texts), sheet.header_quoted[column])
    fresh = spelled(safe, quoted, sheet.delimiter).cast(pa.binary())
    moved = pc.not_equal(pc.fill_null(sheet.raw(column).cast(pa.binary()), b""), fresh)
    rows = np.flatnonzero(moved.to_numpy(zero_copy_only=False))
    pieces = fresh.take(pa.array(rows)).to_pylist()
    return spliced(sheet.text, sheet.starts[rows, column], sheet.ends[rows, column], pieces)


def _without(sheet: Sheet, column: int) -> bytes:
    """The file without a column that is not the first: with it goes the delimiter before it."""
    starts = np.array([sheet.header[column][0], *sheet.starts[:, column]], np.int64) - 1
    ends = np.array([sheet.header[column][1], *sheet.ends[:, column]], np.int64)
    return spliced(sheet.text, starts, ends, [b""] * len(starts))
