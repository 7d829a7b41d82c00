"""People who keep their CRM in a folder of CSV files: what ``Store`` is in memory, saved and read back around
every command.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.contract import FieldSpec, RemoteList
from connectors.schemas import FIELD
from tests.memory_crm import Store

_RECORD = ("id", "email", "company_id", "merged_into", "objects_to_profiling")
_ACTIVITY = ("id", "contact_id", "kind", "occurred_at", "amount", "order_id")


@dataclass
class FolderStore(Store):
    """A store whose truth is on disk as soon as a command ran."""

    folder: Path = field(default_factory=Path)

    def save(self) -> None:
        """Write contacts and activities as people left them; files that say the same stay untouched."""
        self.folder.mkdir(exist_ok=True)
        people = [
            row for (type, _), row in self.records.items() if type == "contact" and not row.get("deleted")
        ]
        _write(self.folder / "contacts.csv", _RECORD, people)
        deeds = [
            {
                **row,
                "contact_id": row["record_id"],
                "occurred_at": row["occurred_at"].isoformat(),
                "amount": f"{row['amount_minor'] / 100:.2f}",
            }
            for row in self.activity
        ]
        header = _ACTIVITY + ("category",) * any(row.get("category") for row in deeds)
        _write(self.folder / "activities.csv", header, deeds)

    def load(self) -> None:
        """Take over what a command wrote."""
        header, rows = _read(self.folder / "segments.csv")
        self.fields = {
            ("contact", name): FieldSpec(name) for name in header if name not in ("id", "record_type")
        }
        rows_by_id = {row["id"]: row for row in rows}
        for (_, id), row in self.records.items():
            for _, name in self.fields:
                row[FIELD + name] = rows_by_id.get(id, {}).get(name) or None
        self.lists, self.members = {}, {}
        for path in sorted((self.folder / "lists").glob("*.csv")):
            self.lists[path.stem] = RemoteList(path.stem, path.stem, path.stem, "static")
            self.members[path.stem] = {row["id"] for row in _read(path)[1]}

    def set_field(self, id: str, name: str, value: str | None, record_type: str = "contact") -> None:
        """Someone types into segments.csv."""
        path = self.folder / "segments.csv"
        header, rows = _read(path)
        if id not in {row["id"] for row in rows}:
            rows.append({"id": id})
        for row in rows:
            if row["id"] == id:
                row[name] = value or ""
        _write(path, header, rows)
        self.load()

    def set_member(self, key: str, id: str, member: bool) -> None:
        """Someone edits the file of a list."""
        path = self.folder / "lists" / f"{key}.csv"
        header, rows = _read(path)
        rows = [row for row in rows if row["id"] != id] + ([{"id": id}] if member else [])
        _write(path, header, rows)
        self.load()

    def bytes(self) -> dict[str, bytes]:
        """Every byte that we could have written."""
        paths = [self.folder / "segments.csv", *sorted((self.folder / "lists").glob("*"))]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths if path.is_file()}


def _read(path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    if not path.exists():
        return ["id"], []
    with path.open(newline="", encoding="utf-8-sig") as source:
        reader = csv.DictReader(source)
        rows: list[dict[str, Any]] = list(reader)
        return list(reader.fieldnames or ["id"]), rows


def _write(path: Path, header: list[str] | tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".new")
    with temporary.open("w", newline="", encoding="utf-8") as sink:
        writer = csv.DictWriter(sink, header, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    if path.exists() and path.read_bytes() == temporary.read_bytes():
        temporary.unlink()
    else:
        temporary.replace(path)
