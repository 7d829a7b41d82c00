"""How are records taken out of files that we were told to write (``--out``)?"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Set
from pathlib import Path


def naming(paths: Iterable[Path], ids: Set[str]) -> Iterator[tuple[Path, str]]:
    """Of files that we wrote, those that are still there and name one of these: path, and text without them."""
    for path in paths:
        strip = {".csv": _csv_without, ".json": _json_without}.get(path.suffix)
        if strip and path.is_file():
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            cleaned = strip(text, ids)
            if cleaned is not None:
                yield path, cleaned


def _csv_without(text: str, ids: Set[str]) -> str | None:
    """Rows of all others; None where there are no further ones."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    column = rows[0].index("id") if rows and "id" in rows[0] else 0
    kept = [r for n, r in enumerate(rows) if n == 0 or len(r) <= column or r[column].lstrip("'") not in ids]
    if len(kept) == len(rows):
        return None
    sink = io.StringIO(newline="")
    csv.writer(sink, lineterminator="\n").writerows(kept)
    return sink.getvalue()


def _json_without(text: str, ids: Set[str]) -> str | None:
    """Changes of a plan that are of others; None where there are no further ones, or it is no plan of ours
    any more.
    """
    try:
        rows = json.loads(text)
    except ValueError:
        return None
    if not isinstance(rows, list):
        return None
    kept = [row for row in rows if not (isinstance(row, dict) and row.get("id") in ids)]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in kept)
    return f"[\n{lines}\n]\n" if len(kept) < len(rows) else None


def purge(paths: Iterable[Path], ids: Set[str]) -> int:
    """Write the files again without the person; returns how many there were."""
    count = 0
    for path, text in naming(paths, ids):
        temporary = path.with_name(f".{path.name}.crm-segments.tmp")
        with temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as sink:
            sink.write(text)
        os.replace(temporary, path)
        count += 1
    return count
