"""A shop that can only be read: three methods, of which one is its constructor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa

from connectors.contract import Account, Calls, Capabilities, Page, Problem, Source
from connectors.schemas import ACTIVITY_SCHEMA, RECORD_SCHEMA


class CornerShop(Source):
    """Everything is in the settings."""

    capabilities = Capabilities(streams=("contact", "activity"))

    def __init__(self, account: Account) -> None:
        self.calls = Calls()
        self._settings = account.settings

    def check(self) -> list[Problem]:
        return []

    def read(self, stream: str, position: str | None) -> Iterator[Page]:
        self.calls.read += 1
        version = hashlib.sha256(self._settings.model_dump_json().encode()).hexdigest()
        if version == position:
            return
        if stream == "contact":
            rows = [
                {"record_type": "contact", "id": id, "email": email}
                for id, email in self._settings.customers.items()
            ]
            schema = pa.schema([RECORD_SCHEMA.field(name) for name in ("record_type", "id", "email")])
        else:
            rows = [
                {
                    "id": str(number),
                    "record_type": "contact",
                    "record_id": id,
                    "kind": "purchase",
                    "occurred_at": datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC),
                    "amount_minor": round(amount * 100),
                    "currency": "EUR",
                }
                for number, (id, day, amount) in enumerate(self._settings.purchases)
            ]
            names = ("id", "record_type", "record_id", "kind", "occurred_at", "amount_minor", "currency")
            schema = pa.schema([ACTIVITY_SCHEMA.field(name) for name in names])
        yield Page(pa.Table.from_pylist(rows, schema=schema), version, whole=True, first=True)


def connect(account: Account) -> CornerShop:
    """The shop of an account."""
    return CornerShop(account)
