"""What people do in Tryton, by its own API: they never go through our connector."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import date
from typing import Any

import requests


class Refused(Exception):
    """Tryton's own error."""


class People:
    """One user who is logged in."""

    def __init__(self, url: str, database: str, user: str, password: str) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._urls = [f"{url}/{database}/rpc/", f"{url}/{database}/"]
        self._context: dict[str, Any] = {}
        self.user, key, *_ = self._ask("common.db.login", user, {"password": password}, "en")
        signature = base64.b64encode(f"{user}:{self.user}:{key}".encode()).decode()
        self._session.headers["Authorization"] = f"Session {signature}"
        self._context = {"company": self._ask("model.res.user.get_preferences", True, {}).get("company")}

    def _ask(self, method: str, *parameters: Any) -> Any:
        body = {"id": 0, "method": method, "params": parameters}
        response = self._session.post(self._urls[0], json=body, timeout=60)
        if response.status_code in (404, 405) and len(self._urls) > 1:
            self._urls.pop(0)
            return self._ask(method, *parameters)
        response.raise_for_status()
        answer = response.json()
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["result"]

    def call(self, model: str, method: str, *parameters: Any, **context: Any) -> Any:
        """Any method of a model."""
        return self._ask(f"model.{model}.{method}", *parameters, {**self._context, **context})

    def create(self, model: str, *values: dict[str, Any]) -> list[int]:
        made: list[int] = self.call(model, "create", list(values))
        return made

    def find(self, model: str, domain: Sequence[Any], *fields: str, **context: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.call(
            model, "search_read", list(domain), 0, None, [["id", "ASC"]], list(fields), **context
        )
        return rows

    def open_a_company(self) -> None:
        """The company that sells, with its currency; the administrator works for it."""
        rate = {"rate": decimal("1"), "date": day(date(2000, 1, 1))}
        euro = {"name": "Euro", "code": "EUR", "symbol": "€", "rates": [["create", [rate]]]}
        (currency,) = self.create("currency.currency", euro)
        (party,) = self.create("party.party", {"name": "The shop"})
        (company,) = self.create("company.company", {"party": party, "currency": currency})
        self.call("res.user", "write", [self.user], {"companies": [["add", [company]]], "company": company})

    def party(self, name: str, email: str | None = None, city: str | None = None) -> dict[str, Any]:
        """The values of a party, for ``create``."""
        mechanisms = [["create", [{"type": "email", "value": email}]]] if email else []
        return {"name": name, "contact_mechanisms": mechanisms, "addresses": [["create", [{"city": city}]]]}

    def sell(self, *sales: tuple[int, date, str]) -> list[int]:
        """Confirmed sales: party, day, amount."""
        parties = sorted({party for party, _, _ in sales})
        addresses = {
            row["id"]: row["addresses"][0]
            for row in self.find("party.party", [["id", "in", parties]], "addresses")
        }
        made = self.create("sale.sale", *(self._sale(*sale, addresses[sale[0]]) for sale in sales))
        self.call("sale.sale", "quote", made)
        self.call("sale.sale", "confirm", made)
        return made

    def _sale(self, party: int, on: date, amount: str, address: int) -> dict[str, Any]:
        line = {"type": "line", "quantity": 1, "unit_price": decimal(amount), "description": "Hat"}
        where = {"invoice_address": address, "shipment_address": address}
        return {"party": party, "currency": 1, "sale_date": day(on), "lines": [["create", [line]]], **where}

    def replace(self, party: int, by: int) -> None:
        """A party turns out to be another one."""
        session, *_ = self._ask("wizard.party.replace.create", self._context)
        asked = {"ask": {"source": party, "destination": by}}
        context = {**self._context, "active_id": party, "active_ids": [party], "active_model": "party.party"}
        self._ask("wizard.party.replace.execute", session, asked, "replace", context)

    def members(self, list_name: str) -> set[str]:
        """Addresses that a mailing list would be sent to."""
        rows = self.find("marketing.email", [["list_.name", "=", list_name]], "email")
        return {row["email"] for row in rows}

    def in_category(self, *names: str) -> set[int]:
        """Parties that a user finds by a category: its name and those above it, the highest first."""
        domain = [
            ["categories.name", "=", names[-1]],
            *([["categories.parent.name", "=", names[-2]]] if len(names) > 1 else []),
        ]
        return {
            row["id"] for row in self.find("party.party", [["categories", "where", _clauses(domain)]], "id")
        }


def _clauses(domain: list[list[Any]]) -> list[list[Any]]:
    return [[field.removeprefix("categories."), *rest] for field, *rest in domain]


def decimal(text: str) -> dict[str, Any]:
    return {"__class__": "Decimal", "decimal": text}


def day(value: date) -> dict[str, Any]:
    return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
