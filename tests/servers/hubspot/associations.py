"""Which records belong to which?"""

from __future__ import annotations

from typing import Any

from tests.servers.hubspot.schema import KINDS, Kind

TYPE_IDS = {
    ("contacts", "deals"): 4, ("deals", "contacts"): 3,
    ("contacts", "companies"): 279, ("companies", "contacts"): 280,
    ("deals", "companies"): 341, ("companies", "deals"): 342,
    ("deals", "line_items"): 19, ("line_items", "deals"): 20,
    ("contacts", "calls"): 193, ("calls", "contacts"): 194,
    ("contacts", "emails"): 197, ("emails", "contacts"): 198,
    ("contacts", "meetings"): 199, ("meetings", "contacts"): 200,
    ("contacts", "notes"): 201, ("notes", "contacts"): 202,
    ("contacts", "tasks"): 203, ("tasks", "contacts"): 204,
    ("orders", "contacts"): 507, ("contacts", "orders"): 508,
    ("orders", "companies"): 509, ("companies", "orders"): 510,
    ("orders", "deals"): 512, ("deals", "orders"): 511,
    ("orders", "line_items"): 513, ("line_items", "orders"): 514,
}  # fmt: skip
PRIMARY = {
    ("contacts", "companies"): 1,
    ("companies", "contacts"): 2,
    ("deals", "companies"): 5,
    ("companies", "deals"): 6,
}
_SINGULAR = {kind.name: kind.singular for kind in KINDS}


class Associations:
    """Links in both directions, in the order in which they were made; each with its default type and further
    labels.
    """

    def __init__(self) -> None:
        self.links: dict[tuple[str, str], dict[int, list[int]]] = {}
        # types besides the default one
        self.further: dict[tuple[str, int, str, int], list[dict[str, Any]]] = {}

    def link(
        self, a: Kind, record_id: int, b: Kind, other: int, types: list[dict[str, Any]] | None = None
    ) -> None:
        """Join two records.

        ``types``: further association types from ``a`` to ``b`` ({category, typeId, label}).
        """
        there = self.links.setdefault((a.name, b.name), {}).setdefault(record_id, [])
        if other not in there:
            there.append(other)
            self.links.setdefault((b.name, a.name), {}).setdefault(other, []).append(record_id)
        if types:
            self.further[a.name, record_id, b.name, other] = types

    def unlink(self, a: Kind, record_id: int, b: Kind, other: int) -> None:
        for first, start, second, end in ((a, record_id, b, other), (b, other, a, record_id)):
            there = self.links.get((first.name, second.name), {}).get(start, [])
            if end in there:
                there.remove(end)
            self.further.pop((first.name, start, second.name, end), None)

    def of(self, a: Kind, record_id: int, b: Kind) -> list[int]:
        return self.links.get((a.name, b.name), {}).get(record_id, [])

    def types(self, a: Kind, record_id: int, b: Kind, other: int) -> list[dict[str, Any]]:
        default = {
            "category": "HUBSPOT_DEFINED",
            "typeId": TYPE_IDS.get((a.name, b.name), 999),
            "label": None,
        }
        return [*self.further.get((a.name, record_id, b.name, other), []), default]

    def type_name(self, a: Kind, b: Kind) -> str:
        return f"{_SINGULAR[a.name]}_to_{_SINGULAR[b.name]}"

    def moved(self, kind: Kind, gone: int, survivor: int) -> None:
        """A merge: the survivor inherits all links."""
        for (first, second), by_id in list(self.links.items()):
            if first != kind.name or gone not in by_id:
                continue
            target = next(other for other in KINDS if other.name == second)
            for other in list(by_id[gone]):
                types = self.further.get((first, gone, second, other))
                self.unlink(kind, gone, target, other)
                self.link(kind, survivor, target, other, types)
            del by_id[gone]

    def primary(self, a: Kind, b: Kind) -> list[dict[str, Any]]:
        """The further type that marks a primary company."""
        return [{"category": "HUBSPOT_DEFINED", "typeId": PRIMARY[a.name, b.name], "label": "Primary"}]
