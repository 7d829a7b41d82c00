"""What do partners of Odoo mean as contacts? Archived ones too: they bought. None of them is mailed."""

from __future__ import annotations

from typing import Any

from connectors.odoo.fields import ManualFields, column
from connectors.odoo.server import Odoo, named
from connectors.search_read.records import Person, Records
from connectors.search_read.server import Row

_OWN = (
    "name",
    "email",
    "phone",
    "mobile",
    "country_id",
    "active",
    "is_blacklisted",
    "create_date",
    "write_date",
)


class Partners(Records):
    """The partners of a database, except those that stand for the companies themselves."""

    model = "res.partner"

    def __init__(self, server: Odoo, columns: ManualFields) -> None:
        companies = [
            server.reference(row["partner_id"])
            for row in server.search_read("res.company", [], ["partner_id"])
        ]
        company = [["company_id", "in", [server.company(), False]]] if server.company() else []
        super().__init__(server.account, [["id", "not in", companies], *company])
        self._there, self._columns = server.fields_of(self.model), columns
        countries = server.search_read("res.country", [], ["code"]) if "country_id" in self._there else []
        self._countries = {row["id"]: str(row["code"] or "") for row in countries}

    @property
    def ours(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self._account.fields if column(spec.name) in self._there)

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(
            name
            for name in dict.fromkeys((*_OWN, *sorted(self._attributes), *map(column, self.ours)))
            if name in self._there
        )

    def person(self, row: Row) -> Person:
        email = str(row.get("email") or "").strip()
        country = row.get("country_id")
        return Person(
            name=str(row.get("name") or ""),
            emails=(email,) if email else (),
            phones=tuple(str(row[name]) for name in ("phone", "mobile") if row.get(name)),
            country=self._countries.get(country[0], "") if country else "",
            reachable=False if row.get("is_blacklisted") or not row.get("active") else None,
            changed_at=_utc(row.get("write_date")),
            created_at=_utc(row.get("create_date")),
            values={
                **{name: self._value(row, name) for name in self._attributes},
                **{name: self._columns.held(row, name) for name in self.ours},
            },
        )

    def _value(self, row: Row, name: str) -> str | None:
        value: Any = row.get(name)
        kind = self._there.get(name, {}).get("type")
        if kind == "boolean":
            return str(bool(value)).lower()
        if value is False or value is None:
            return None
        return named(value) if kind == "many2one" else str(value)


def _utc(value: Any) -> str:
    return f"{value}Z".replace(" ", "T") if value else ""
