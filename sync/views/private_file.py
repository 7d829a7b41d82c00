"""How is a file written that names people? Beside its place first, so that nobody reads half of it, and for its
owner alone.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pyarrow as pa


@contextmanager
def private_file(out: Path, mode: int = 0o600) -> Iterator[TextIO]:
    """A file to write into, which takes the place of ``out`` once the block has ended well; else nothing changes.

    ``mode``: who may read it, where it names nobody.
    """
    temporary = out.with_name(f".{out.name}.crm-segments.tmp")
    temporary.unlink(missing_ok=True)
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.fchmod(handle, mode)
        with open(handle, "w", newline="", encoding="utf-8", errors="surrogateescape") as sink:
            yield sink
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)


def write_csv(
    sink: TextIO, columns: Sequence[str], parts: Iterable[pa.Table], phones: Collection[str] = ()
) -> None:
    """Rows as CSV, with a header; no text is a formula to a spreadsheet (``connectors.files.csv_cells``).

    ``phones``: columns in which ``+49 30 123`` stays as it is, for those who dial it.
    """
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(columns)
    for part in parts:
        cells = [_cells(part[name].combine_chunks(), name in phones) for name in columns]
        writer.writerows(zip(*cells, strict=True))


def _cells(column: pa.Array, phones: bool) -> list[str]:
    from connectors.files.csv_cells import guarded, guarded_unless_phone

    texts = column.cast(pa.string())
    if pa.types.is_string(column.type):
        texts = guarded_unless_phone(texts) if phones else guarded(texts)
    return [cell or "" for cell in texts.to_pylist()]
