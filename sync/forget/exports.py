"""How are records taken out of files that we were told to write (``--out``)?"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from connectors.values.ids import comparable
from sync.views.private_file import private_file


def naming(
    paths: Iterable[Path], ids: Set[str], addresses: Set[str] = frozenset()
) -> Iterator[tuple[Path, str]]:
    """Of files that we wrote, those that are still there and name one of these: path, and text without them."""
    known = {comparable(address, "email") for address in addresses}
    for path in paths:
        strip = {".csv": _csv_without, ".json": _json_without}.get(path.suffix)
        if strip and path.is_file():
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            cleaned = strip(text, ids, known)
            if cleaned is not None:
                yield path, cleaned


def _csv_without(text: str, ids: Set[str], addresses: Set[str]) -> str | None:
    """Rows of all others; None where there are no further ones."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    header = rows[0] if rows else []
    by_id = header.index("id") if "id" in header else 0
    by_address = header.index("email") if "email" in header else None

    def others(row: list[str]) -> bool:
        id, address = (
            row[c].lstrip("'") if c is not None and c < len(row) else "" for c in (by_id, by_address)
        )
        return id not in ids and comparable(address, "email") not in addresses

    kept = rows[:1] + [row for row in rows[1:] if others(row)]
    if len(kept) == len(rows):
        return None
    sink = io.StringIO(newline="")
    csv.writer(sink, lineterminator="\n").writerows(kept)
    return sink.getvalue()


def _json_without(text: str, ids: Set[str], _addresses: Set[str]) -> str | None:
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


def purge(paths: Iterable[Path], ids: Set[str], addresses: Set[str] = frozenset()) -> int:
    """Write the files again without the person; returns how many there were."""
    count = 0
    for path, text in naming(paths, ids, addresses):
        with private_file(path) as sink:
            sink.write(text)
        count += 1
    return count
