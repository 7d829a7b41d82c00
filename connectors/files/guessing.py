"""What does a folder of exports hold that nobody has described yet? A first guess, for a person to read and mend."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from connectors.files.csv_rows import detect
from connectors.files.likeness import ACTIVITIES, ISO, RECORDS, date_format, decimal, mapped, plain, truths
from connectors.files.session import SEGMENTS, TABLES, UTF8

_BYTES, _ROWS = 1 << 18, 500  # how much of a file is looked at
_HINTS = {"company": ("compan", "firm", "organi"), "lead": ("lead", "interessent")}
_DEEDS = ("activit", "order", "receipt", "sale", "purchase", "transaction", "invoice", "bestell", "umsatz", "umsaetz", "beleg", "rechnung")
_OWN_TO_ALL = 0.9  # share of different texts from which on a column names people rather than groups of them


@dataclass(frozen=True)
class Sample:
    """The first rows of a file: cells by header, trimmed."""

    name: str
    columns: Mapping[str, Sequence[str]]
    size: int
    delimiter: str | None = None
    encoding: str | None = None

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers that are not empty."""
        return tuple(self.columns)


@dataclass
class Guess:
    """One kind of file. ``columns``: our name → header. A setting that is None is the usual one, or does not show."""

    stream: str
    sample: Sample
    files: list[str] = field(default_factory=list)  # patterns; none: the usual names
    columns: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)  # header → type
    decimal: str | None = None
    date_format: str | None = None
    notes: list[str] = field(default_factory=list)


def guess(folder: Path) -> list[Guess]:
    """What the CSV and Parquet files of a folder seem to be, contacts first; at most one guess a stream."""
    samples = [sample for path in sorted(folder.iterdir()) if _is_export(path) and (sample := read_sample(path))]
    by_stream: dict[str, list[Sample]] = {}
    for sample in samples:
        by_stream.setdefault(_stream(sample), []).append(sample)
    return [_guess(stream, by_stream[stream], samples) for stream in TABLES if stream in by_stream]


def _is_export(path: Path) -> bool:
    return path.is_file() and path.suffix in (".csv", ".parquet", ".txt", ".tsv") and path.name != SEGMENTS and path.name[0] != "."


def read_sample(path: Path) -> Sample | None:
    """The beginning of a file; None where it has no header."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as parquet

        rows = next(parquet.ParquetFile(path).iter_batches(_ROWS), None)
        columns = {name: [_text(cell) for cell in rows[name].to_pylist()] for name in rows.schema.names} if rows is not None else {}
        return Sample(path.name, columns, path.stat().st_size) if columns else None
    with path.open("rb") as file:
        raw = file.read(_BYTES)
    encoding = _encoding(raw)
    lines = raw.decode(encoding or "utf-8-sig", "replace").splitlines(keepends=True)
    lines = lines[:-1] if len(raw) == _BYTES else lines
    if not lines:
        return None
    delimiter = detect(lines[0].encode())
    header, *rows_ = csv.reader(lines[: _ROWS + 1], delimiter=delimiter)
    even = [row for row in rows_ if len(row) == len(header)]
    columns = {name.strip(): [row[place].strip() for row in even] for place, name in enumerate(header) if name.strip()}
    return Sample(path.name, columns, path.stat().st_size, delimiter, encoding) if columns else None


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)


def _encoding(raw: bytes) -> str | None:
    """The encoding to set; None for UTF-8."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder(UTF8)().decode(raw)
    except UnicodeDecodeError:
        return "cp1252"
    return None


def _stream(sample: Sample) -> str:
    """By its usual name, else by its name, else by what it holds."""
    name = plain(Path(sample.name).stem)
    usual = next((stream for stream, table in TABLES.items() if name.startswith(table)), None)
    hinted = next((stream for stream, hints in _HINTS.items() if any(hint in name for hint in hints)), None)
    deeds = mapped(ACTIVITIES, sample.columns)
    if usual or hinted:
        return usual or hinted or ""
    if {"contact_id", "occurred_at"} <= deeds.keys() and ("amount" in deeds or any(word in name for word in _DEEDS)):
        return "activity"
    return "contact" if "id" in mapped(RECORDS, sample.columns) else ""


def _guess(stream: str, samples: Sequence[Sample], everything: Sequence[Sample]) -> Guess:
    best = max(samples, key=lambda one: (plain(one.name).startswith(TABLES[stream]), one.size))
    same = [one for one in samples if one.headers == best.headers]
    found = Guess(stream, best, _patterns(stream, same, everything))
    found.columns = mapped(ACTIVITIES if stream == "activity" else RECORDS, best.columns)
    found.notes = [
        f"{one.name} looks like {TABLES[stream]} too, but its headers differ: it is left out" for one in samples if one not in same
    ]
    _read_habits(found)
    if stream != "activity":
        _find_attributes(found)
    return found


def _patterns(stream: str, samples: Sequence[Sample], everything: Sequence[Sample]) -> list[str]:
    """Names of files, with a star for numbers where that takes in no other file. None: they have the usual names."""
    names = [one.name for one in samples]
    others = [one.name for one in everything if one not in samples]
    usual = TABLES[stream] + ("*" if stream == "activity" else "")
    if all(fnmatch(name, f"{usual}.csv") or fnmatch(name, f"{usual}.parquet") for name in names):
        return []
    starred = {re.sub(r"\d+", "*", name) if stream == "activity" else name for name in names}
    clash = any(fnmatch(other, pattern) for pattern in starred for other in [*others, SEGMENTS])
    return sorted(names if clash else starred)


def _read_habits(found: Guess) -> None:
    """Decimal sign and date format, from the columns that must hold such."""
    cells = found.sample.columns
    signs = [sign for column in cells.values() if (sign := decimal(column)) and any("," in cell or "." in cell for cell in column)]
    amount = decimal(cells[found.columns["amount"]]) if "amount" in found.columns else None
    found.decimal = "," if amount == "," or (amount is None and "," in signs and "." not in signs) else None
    moments = [name for name in ("occurred_at", "created_at", "changed_at") if name in found.columns]
    formats = {name: date_format(cells[found.columns[name]]) for name in moments}
    if moments:
        found.date_format = formats[moments[0]] or None
        for name in moments[1:]:
            if (formats[name] or None) != found.date_format:
                found.notes.append(
                    f"{found.sample.name}: {found.columns.pop(name)!r} is written unlike the other dates: not mapped to {name}"
                )
    if found.date_format and found.date_format.startswith(("%d/%m", "%m/%d")):
        found.notes.append(
            f"{found.sample.name}: dates are read as {found.date_format}; see that day and month are not the other way round"
        )


def _find_attributes(found: Guess) -> None:
    """Further columns by which people may be grouped. One that says something else of nearly everyone is none."""
    for header, cells in found.sample.columns.items():
        given = [cell for cell in cells if cell]
        if header in found.columns.values() or not given:
            continue
        kind = _type(given, found)
        if kind in ("text", "date") and len(given) > 20 and len(set(given)) > _OWN_TO_ALL * len(given) and kind == "text":
            continue
        found.attributes[header] = kind


def _type(cells: Sequence[str], found: Guess) -> str:
    if any(cell.isdigit() and len(cell) > 1 and cell[0] == "0" for cell in cells):
        return "text"  # a postcode, an article number
    if truths(cells) and not all(cell in "01" for cell in cells):
        return "bool"
    sign = decimal(cells)
    if sign and (sign == (found.decimal or ".") or not any("." in cell for cell in cells)):
        return "number"
    written = date_format(cells)
    if written is not None and written == (found.date_format or ISO):
        return "date"
    return "text"
