"""Does a folder of exports keep the contract?"""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import pytest

from connectors import open_connector, settings_model
from connectors.contract import Account, Attribute, Connector
from tests.contract_suite import REASON, SEGMENT, ContractSuite, Crm

_CONTACT = ("id", "email", "city", "merged_into")
_ACTIVITY = ("contact_id", "occurred_at", "amount", "order_id")
Rows = dict[str, dict[str, str]]


class Folder(Crm):
    """People who edit the files with a spreadsheet: they save a file whole, and append to the purchases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.contacts: Rows = {}

    def connect(self) -> Connector:
        settings = settings_model("files")(path=str(self.folder))
        city = {"city": Attribute("city")}
        return open_connector(
            Account("folder", "files", settings, self.folder, attributes=city, fields=(SEGMENT, REASON))
        )

    def put(
        self, id: str, *, email: str | None = None, city: str | None = None, merged_into: str | None = None
    ) -> None:
        self.contacts[id] = {
            "id": id,
            "email": email or "",
            "city": city or "",
            "merged_into": merged_into or "",
        }
        _save(self.folder / "contacts.csv", self.contacts, _CONTACT)

    def delete(self, id: str) -> None:
        del self.contacts[id]
        _save(self.folder / "contacts.csv", self.contacts, _CONTACT)

    def buy(self, id: str, moment: datetime, amount: str, order: str) -> None:
        path = self.folder / "activities.csv"
        fresh = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(_ACTIVITY)
            writer.writerow([id, moment.isoformat(), amount, order])

    def set_field(self, id: str, name: str, value: str | None) -> None:
        path = self.folder / "segments.csv"
        rows, header = _open(path)
        rows.setdefault(id, dict.fromkeys(header, "") | {"id": id})[name] = value or ""
        _save(path, rows, header)

    def set_member(self, key: str, id: str, member: bool) -> None:
        path = self.folder / "lists" / f"{key}.csv"
        rows, header = _open(path)
        rows.pop(id, None)
        if member:
            rows[id] = {"id": id}
        _save(path, rows, header)


def _open(path: Path) -> tuple[Rows, tuple[str, ...]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        return {row["id"]: row for row in reader}, tuple(reader.fieldnames or ())


def _save(path: Path, rows: Rows, header: tuple[str, ...]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(rows.values())


class TestFiles(ContractSuite):
    @pytest.fixture
    def crm(self, tmp_path: Path) -> Crm:
        return Folder(tmp_path)
