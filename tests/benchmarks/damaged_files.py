"""A company that keeps its CRM in files, ways to damage one of its files, and what of it belongs to people."""

from __future__ import annotations

import csv
import gzip
import io
import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.folder_store import FolderStore
from tests.world import World

OURS = ("seg_value", "seg_value_reason")
_FOREIGN = ("7", "seg_value", "kept by a person")
CONFIG = """
state_dir = "state"
as_of = 2024-06-30

[accounts.portal]
crm = "files"
path = "crm"
on_conflict = "keep"

[[segmentations]]
name = "value"
kind = "abc"
field = "seg_value"
lists = "static"
extra_fields = ["reason"]

[guards]
max_stale_days = 36500
"""
# of SQLite and of DuckDB, whose first three headers of 4096 bytes stand before them
_BLOCKS = (4096, 262_144)
_HEADERS = {4096: 0, 262_144: 3 * 4096}


class Foreign(NamedTuple):
    """What belongs to people: members of their list, their value in a field of ours, and other columns."""

    members: bytes | None
    value: str | None
    rows: Counter[tuple[str, ...]]  # cells of columns that are not ours, a row each


def lived(folder: Path, command: Callable[..., object]) -> None:
    """A company whose people wrote a value of their own into a field of ours, and have a column and a list of
    their own. ``command`` carries out the words of a command line.
    """
    folder.mkdir(parents=True)
    store = FolderStore(folder=folder / "crm")
    World(folder, store=store).customers(24)
    store.save()
    (folder / "config.toml").write_text(CONFIG, encoding="utf-8")
    for words in (("setup", "--yes"), ("plan",), ("apply", "1")):
        command(words, folder)
    segments = folder / "crm" / "segments.csv"
    with segments.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with segments.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], "note"], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            own = {_FOREIGN[1]: _FOREIGN[2]} if row["id"] == _FOREIGN[0] else {}
            writer.writerow({**row, "note": f"of a person {row['id']}", **own})
    (folder / "crm" / "lists" / "partners.csv").write_text("id\n3\n5\n", encoding="utf-8")


def crm(folder: Path) -> dict[str, bytes]:
    """Every byte of the CRM."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted((folder / "crm").rglob("*"))
        if path.is_file()
    }


def foreign(folder: Path) -> Foreign:
    """What belongs to people, as it stands, also in files that are damaged."""
    partners = folder / "crm" / "lists" / "partners.csv"
    segments = folder / "crm" / "segments.csv"
    members = partners.read_bytes() if partners.is_file() else None
    if not segments.is_file():
        return Foreign(members, None, Counter())
    text = segments.read_bytes().decode("utf-8", "surrogateescape").replace("\0", "␀")
    try:
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=False)
    except (ValueError, csv.Error):
        return Foreign(members, None, Counter())
    places = [position for position, name in enumerate(header) if name not in OURS]
    cells = Counter(tuple(row[position] for position in places if position < len(row)) for row in rows)
    value = (
        next((row[1] for row in rows if row[0] == _FOREIGN[0]), None)
        if header[1:2] == [_FOREIGN[1]]
        else None
    )
    return Foreign(members, value if value == _FOREIGN[2] else None, cells)


def touched(before: Foreign, after: Foreign) -> str:
    """What of people's is no longer as it was; "" where all is. Rows may have come."""
    if before.members != after.members:
        return "members"
    if before.value is not None and after.value != before.value:
        return "the value in our field"
    gone = {cells: number for cells, number in (before.rows - after.rows).items() if any(cells)}
    return f"columns: {next(iter(gone))}" if gone else ""


def chosen(folder: Path, what: str, chance: random.Random) -> Path:
    """The file to damage."""
    if what == "exports":
        return chance.choice(sorted((folder / "crm").rglob("*.csv")))
    state = folder / "state"
    return state / {"mirror": "mirror.duckdb", "journal": "journal.sqlite"}[what]


def damage(path: Path, chance: random.Random) -> str:
    """Change a file at random; says how."""
    how = chance.choice(list(_CHANGES) * 3 + list(_REPLACEMENTS))
    if how in _CHANGES:
        content = bytearray(path.read_bytes())
        detail = _CHANGES[how](content, chance)
        with path.open("r+b") as file:
            file.truncate(len(content))
            file.write(content)
        return f"{how} {detail}".strip()
    _REPLACEMENTS[how](path, chance)
    return how


def rots(how: str) -> bool:
    """Whether a disk may do that by itself, without anybody writing to the file."""
    return how.split(" ")[0] in ("bytes", "bits", "used", "front", "zeros", "noise")


def _bytes(content: bytearray, chance: random.Random) -> str:
    places = [chance.randrange(len(content)) for _ in range(chance.choice((1, 1, 5, 50)))]
    for position in places:
        content[position] = chance.randrange(256)
    return f"at {places[:5]}"


def _bits(content: bytearray, chance: random.Random) -> str:
    places = [chance.randrange(len(content)) for _ in range(chance.choice((1, 2, 20)))]
    for position in places:
        content[position] ^= 1 << chance.randrange(8)
    return f"at {places[:5]}"


def _used(content: bytearray, chance: random.Random) -> str:
    """A byte where something stands: most of a database is empty."""
    places = [
        position
        for position in chance.sample(range(len(content)), min(len(content), 4000))
        if content[position]
    ]
    for position in places[: chance.choice((1, 3, 30))]:
        content[position] = chance.randrange(256)
    return f"at {places[:3]}"


def _front(content: bytearray, chance: random.Random) -> str:
    places = [chance.randrange(min(len(content), 12_288)) for _ in range(chance.choice((1, 3)))]
    for position in places:
        content[position] = chance.randrange(256)
    return f"at {places}"


def _stretch(content: bytearray, chance: random.Random) -> slice:
    start = chance.randrange(len(content))
    return slice(start, min(len(content), start + chance.choice((1, 64, 4096, 70_000))))


def _block(content: bytearray, chance: random.Random) -> slice:
    """A block as the file's engine has them, or a piece of a small file."""
    size = chance.choice(_BLOCKS)
    number = max(1, (len(content) - _HEADERS[size]) // size)
    start = _HEADERS[size] + size * chance.randrange(number)
    return slice(start, start + size) if start + size <= len(content) else _stretch(content, chance)


def _zeros(content: bytearray, chance: random.Random) -> str:
    part = chance.choice((_stretch, _block))(content, chance)
    content[part] = bytes(part.stop - part.start)
    return f"from {part.start} to {part.stop}"


def _noise(content: bytearray, chance: random.Random) -> str:
    part = chance.choice((_stretch, _block))(content, chance)
    content[part] = chance.randbytes(part.stop - part.start)
    return f"from {part.start} to {part.stop}"


def _swapped(content: bytearray, chance: random.Random) -> str:
    """Two blocks change places, or one stands in the place of another: each is sound by itself."""
    first = _block(content, chance)
    size = first.stop - first.start
    second = slice(first.start % size if size > 1 else 0, 0)
    number = max(1, (len(content) - second.start) // size)
    start = second.start + size * chance.randrange(number)
    second = slice(start, min(len(content), start + size))
    held = bytes(content[first])[: second.stop - second.start]
    if chance.random() < 0.6:
        content[first.start : first.start + len(held)] = content[second]
    content[second] = held
    return f"{first.start} and {second.start} of {size}"


def _cut(content: bytearray, chance: random.Random) -> str:
    start = chance.randrange(len(content))
    del content[start:]
    return f"at {start}"


def _left_out(content: bytearray, chance: random.Random) -> str:
    part = _stretch(content, chance)
    del content[part]
    return f"from {part.start} to {part.stop}"


def _twice(content: bytearray, chance: random.Random) -> str:
    part = _stretch(content, chance)
    content[part.start : part.start] = content[part]
    return f"from {part.start} to {part.stop}"


def _junk(content: bytearray, chance: random.Random) -> str:
    content += chance.choice(
        (bytes(5000), chance.randbytes(4096), b"\n<<<<<<< HEAD\n", b"\0", bytes(content))
    )
    return ""


_CHANGES: dict[str, Callable[[bytearray, random.Random], str]] = {
    "bytes": _bytes, "bits": _bits, "used bytes": _used, "front": _front, "zeros": _zeros, "noise": _noise,
    "swapped": _swapped, "cut": _cut, "left out": _left_out, "twice": _twice, "junk": _junk,
}  # fmt: skip


def _another_file(path: Path, chance: random.Random) -> None:
    """A file of another type in its place."""
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE invoices (number INTEGER)")
        database = connection.serialize()
    png = b"\x89PNG\r\n\x1a\n" + bytes(200)
    page = b"<!DOCTYPE html><html><body>503 Service Unavailable</body></html>\n"
    kinds = (
        database,
        png,
        page,
        b"PK\x03\x04" + bytes(300),
        gzip.compress(page),
        b"%PDF-1.7\n%\xe2\xe3\n",
        b"{}",
    )
    path.write_bytes(chance.choice(kinds))


def _neighbour(path: Path, chance: random.Random) -> None:
    """Another file of the same folder in its place."""
    others = [other for other in sorted(path.parent.iterdir()) if other.is_file() and other != path]
    shutil.copyfile(chance.choice(others), path)


def _folder(path: Path, chance: random.Random) -> None:
    path.unlink()
    path.mkdir()
    (path / "note.txt").write_text("of somebody else", encoding="utf-8")


def _link(path: Path, chance: random.Random) -> None:
    """A link to nowhere, or to itself."""
    path.unlink()
    path.symlink_to(chance.choice(("nowhere", path.name)))


def _log(path: Path, chance: random.Random) -> None:
    """A log of writes beside it that is none."""
    end = "-wal" if path.suffix == ".sqlite" else ".wal"
    content = chance.choice((chance.randbytes(5000), bytes(4096), b"", path.read_bytes()[:20_000]))
    path.with_name(path.name + end).write_bytes(content)


_REPLACEMENTS: dict[str, Callable[[Path, random.Random], None]] = {
    "another file": _another_file,
    "a neighbour": _neighbour,
    "a folder": _folder,
    "a link": _link,
    "a log": _log,
    "deleted": lambda path, chance: path.unlink(),
    "empty": lambda path, chance: os.truncate(path, 0),
}
