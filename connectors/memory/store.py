"""What does the CRM hold, and what do people do in it? Where a real CRM is connected, its API stands here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.contract import FieldSpec, RemoteList
from connectors.schemas import FIELD


@dataclass
class Store:
    """All that the CRM holds. Every change moves ``clock``: whoever knows where it stood reads on from there."""

    records: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)  # by record type and id
    activity: list[dict[str, Any]] = field(default_factory=list)
    fields: dict[tuple[str, str], FieldSpec] = field(default_factory=dict)  # by record type and name
    lists: dict[str, RemoteList] = field(default_factory=dict)  # by key
    members: dict[str, set[str]] = field(default_factory=dict)  # ids, by key of the list
    clock: int = 0

    def tick(self) -> int:
        """Something changes: the new clock."""
        self.clock += 1
        return self.clock

    def put(self, id: str, record_type: str = "contact", **columns: Any) -> None:
        """A person creates or edits a record; attributes are given by the CRM's own names."""
        moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=self.tick())
        row = {"record_type": record_type, "id": id, "created_at": moment}
        self.records.setdefault((record_type, id), row).update(columns, changed_at=moment, clock=self.clock)

    def delete(self, id: str, record_type: str = "contact") -> None:
        """A person deletes a record: only its tombstone stays."""
        self._end(id, record_type, deleted=True)

    def merge(self, loser: str, survivor: str, record_type: str = "contact") -> None:
        """A person merges two records: of the loser the CRM tells no more than who survived."""
        self._end(loser, record_type, merged_into=survivor)

    def _end(self, id: str, record_type: str, **columns: Any) -> None:
        row = {"record_type": record_type, "id": id, "clock": self.tick(), **columns}
        self.records[record_type, id] = row
        for key, listed in self.lists.items():
            if listed.record_type == record_type:
                self.set_member(key, id, False)

    def act(self, record_id: str, occurred_at: datetime, kind: str = "purchase", **columns: Any) -> None:
        """A record does something."""
        row = {"id": f"activity-{self.tick()}", "record_type": "contact", "record_id": record_id}
        columns |= {"kind": kind, "occurred_at": occurred_at, "clock": self.clock}
        self.activity.append(row | columns)

    def set_member(self, key: str, id: str, member: bool) -> None:
        """Anyone adds a record to a list, or removes it."""
        ids = self.members.setdefault(key, set())
        (ids.add if member else ids.discard)(id)

    def delete_list(self, key: str) -> None:
        """Anyone deletes a list, and who was in it is forgotten."""
        self.lists.pop(key, None)
        self.members.pop(key, None)

    def exists(self, record_type: str, id: str) -> bool:
        """Whether there is such a record: none that is deleted, merged or converted."""
        row = self.records.get((record_type, id), {"deleted": True})
        return not (row.get("deleted") or row.get("merged_into") or row.get("converted_to"))

    def value(self, record_type: str, id: str, name: str) -> str | None:
        """What a record holds in a field; None: nothing."""
        row = self.records.get((record_type, id), {}) if (record_type, name) in self.fields else {}
        return row.get(FIELD + name) or None


STORES: dict[str, Store] = {}  # of this process, by the name that the config gives
