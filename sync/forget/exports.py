"""How are records taken out of files that we were told to write (``--out``)?

A file for an ad platform holds no id: its rows are found by the person's addresses and numbers, as they are written
and hashed there.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from connectors.audience_files.identifiers import country_code
from connectors.audience_files.layouts import Layout, cells_of, of_header
from connectors.values.ids import comparable
from sync.views.audience_file import require_installed
from sync.views.private_file import private_file


@dataclass(frozen=True)
class Named:
    """How files may name a person."""

    ids: Set[str]
    addresses: Set[str] = frozenset()
    phones: Set[tuple[str, str]] = frozenset()  # each with the country, as it stands in the record


def naming(paths: Iterable[Path], named: Named) -> Iterator[tuple[Path, str]]:
    """Of files that we wrote, those that are still there and name the person: path, and text without them."""
    for path in paths:
        strip = {".csv": _csv_without, ".json": _json_without}.get(path.suffix)
        if strip and path.is_file():
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            cleaned = strip(text, named)
            if cleaned is not None:
                yield path, cleaned


def _csv_without(text: str, named: Named) -> str | None:
    """Rows of all others; None where there are no further ones."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    header = rows[0] if rows else []
    layout = of_header(header)
    others = _others(header, named) if layout is None else _others_of_upload(layout, named)
    kept = rows[:1] + [row for row in rows[1:] if others(row)]
    if len(kept) == len(rows):
        return None
    sink = io.StringIO(newline="")
    csv.writer(sink, lineterminator="\n").writerows(kept)
    return sink.getvalue()


def _others_of_upload(layout: Layout, named: Named) -> Callable[[list[str]], bool]:
    require_installed()
    phones = [(number, country_code(country)) for number, country in named.phones]
    theirs = cells_of(layout, named.addresses, phones)
    return lambda row: theirs.isdisjoint(cell.lstrip("'") for cell in row)


def _others(header: list[str], named: Named) -> Callable[[list[str]], bool]:
    addresses = {comparable(address, "email") for address in named.addresses}
    by_id = header.index("id") if "id" in header else 0
    by_address = header.index("email") if "email" in header else None

    def others(row: list[str]) -> bool:
        id, address = (
            row[c].lstrip("'") if c is not None and c < len(row) else "" for c in (by_id, by_address)
        )
        return id not in named.ids and comparable(address, "email") not in addresses

    return others


def _json_without(text: str, named: Named) -> str | None:
    """Changes of a plan that are of others; None where there are no further ones, or it is no plan of ours
    any more.
    """
    try:
        rows = json.loads(text)
    except ValueError:
        return None
    if not isinstance(rows, list):
        return None
    kept = [row for row in rows if not (isinstance(row, dict) and row.get("id") in named.ids)]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in kept)
    return f"[\n{lines}\n]\n" if len(kept) < len(rows) else None


def purge(paths: Iterable[Path], named: Named) -> int:
    """Write the files again without the person; returns how many there were."""
    count = 0
    for path, text in naming(paths, named):
        with private_file(path) as sink:
            sink.write(text)
        count += 1
    return count
