"""What do parties of Tryton mean as contacts?

A party has addresses and contact mechanisms of its own; an attribute names one of ``LOOKED_UP``, or a field of the
party. The parties of the companies themselves are no customers. A party that was replaced by another one is merged
into it; any other that is not active counts as deleted, because Tryton lets nobody write to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.search_read.records import Person, Records
from connectors.search_read.server import Row
from connectors.tryton.categories import Categories
from connectors.tryton.server import Tryton, plain

LOOKED_UP = {
    "city": "city",
    "postal_code": "postal_code",
    "street": "street",
}  # attribute → field of an address
_PHONES = ("phone", "mobile")


class Parties(Records):
    """The parties of a database."""

    model = "party.party"
    details = {"party.contact_mechanism": "party", "party.address": "party"}

    def __init__(self, server: Tryton, columns: Categories) -> None:
        own = server.search_read("company.company", [], ["party"]) if server.company() else []
        super().__init__(server.account, [["id", "not in", [row["party"] for row in own]]] if own else [])
        self._there, self._columns = server.fields_of(self.model), columns
        self._address, there = server.fields_of("party.address"), columns.names
        self._ours = tuple(spec.name for spec in server.account.fields if spec.name in there)
        self._direct = sorted(
            name for name in self._attributes if name in self._there and name not in LOOKED_UP
        )

    @property
    def ours(self) -> tuple[str, ...]:
        return self._ours

    @property
    def fields(self) -> tuple[str, ...]:
        looked_up = [LOOKED_UP[name] for name in sorted(self._attributes & LOOKED_UP.keys())]
        addresses = [f"addresses.{name}" for name in looked_up if name in self._address]
        references = [f"{name}.rec_name" for name in self._direct if self._there[name]["type"] == "many2one"]
        held = self._columns.kept_in(self.ours)
        replaced = [name for name in ("replaced_by",) if name in self._there]
        own = (
            "name",
            "active",
            "create_date",
            "write_date",
            "lang.code",
            "addresses.country.code",
            *replaced,
        )
        mechanisms = ("contact_mechanisms.type", "contact_mechanisms.value")
        return tuple(dict.fromkeys((*own, *mechanisms, *addresses, *references, *self._direct, *held)))

    def person(self, row: Row) -> Person:
        mechanisms, addresses = row.get("contact_mechanisms.") or (), row.get("addresses.") or ()
        countries = (str((address.get("country.") or {}).get("code") or "") for address in addresses)
        merged = row.get("replaced_by")
        created = plain(row.get("create_date"))
        return Person(
            name=str(row.get("name") or ""),
            emails=tuple(_of(mechanisms, ("email",))),
            phones=tuple(_of(mechanisms, _PHONES)),
            country=next(filter(None, countries), ""),
            merged_into=str(merged) if merged else None,
            deleted=None if merged or row.get("active") else True,
            changed_at=plain(row.get("write_date")) or created,
            created_at=created,
            values={
                **{name: self._value(row, name, addresses) for name in self._attributes},
                **{name: self._columns.held(row, name) for name in self.ours},
            },
        )

    def _value(self, row: Row, name: str, addresses: Iterable[Row]) -> str | None:
        if name in LOOKED_UP:
            return next((text for address in addresses if (text := address.get(LOOKED_UP[name]))), None)
        if name in ("language", "lang"):
            return (row.get("lang.") or {}).get("code")
        reference = row.get(f"{name}.")
        return plain(reference.get("rec_name") if isinstance(reference, dict) else row.get(name)) or None


def _of(mechanisms: Iterable[dict[str, Any]], types: tuple[str, ...]) -> Iterable[str]:
    return (str(each["value"]) for each in mechanisms if each.get("type") in types and each.get("value"))
