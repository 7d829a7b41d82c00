"""How do rows of a model become records of the contract?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from connectors.contract import Account
from connectors.rest.activity import repeated
from connectors.rest.cursor import fingerprint
from connectors.rest.records import attribute_columns
from connectors.schemas import FIELD, REACHABLE, RECORD_SCHEMA
from connectors.search_read.server import Domain, Row
from connectors.values.api_columns import instants, lists_of, texts
from connectors.values.rejects import Rejects


@dataclass(frozen=True)
class Person:
    """Who is behind a record. Texts; empty ones are not known."""

    name: str = ""
    emails: tuple[str, ...] = ()  # the primary one first
    phones: tuple[str, ...] = ()
    country: str = ""
    reachable: bool | None = None  # by e-mail; None: the CRM does not tell
    merged_into: str | None = None
    deleted: bool | None = None
    changed_at: str = ""
    created_at: str = ""
    values: Mapping[str, str | None] = field(default_factory=dict)  # of attributes and of fields of ours


class Records(ABC):
    """The contacts of an account (``connectors.search_read.reader.Source``)."""

    name = "contact"
    model: str
    details: Mapping[str, str] = {}

    def __init__(self, account: Account, domain: Domain) -> None:
        self.domain = domain
        self._account = account
        self._attributes = {a.field for a in account.attributes.values()}

    @property
    @abstractmethod
    def fields(self) -> tuple[str, ...]: ...

    @abstractmethod
    def person(self, row: Row) -> Person:
        """Who is behind a record, with the values of its attributes and of our fields."""

    @property
    @abstractmethod
    def ours(self) -> tuple[str, ...]:
        """Our own fields that are there."""

    @property
    def fingerprint(self) -> str:
        attributes = {name: asdict(wanted) for name, wanted in self._account.attributes.items()}
        return fingerprint(
            self.model, self.domain, self.fields, self.ours, attributes, self._account.time_zone
        )

    def table(self, rows: Sequence[Row], rejects: Rejects, whole: bool) -> pa.Table:
        """One row a record."""
        people, count = list(map(self.person, rows)), len(rows)
        ids = texts(str(row["id"]) for row in rows)

        def column(name: str) -> pa.Array:
            return texts(person.values.get(name) for person in people)

        columns: dict[str, Any] = {
            "record_type": repeated("contact", count),
            "id": ids,
            "changed_at": instants(texts(person.changed_at for person in people)),
            "created_at": instants(texts(person.created_at for person in people)),
            "email": texts(person.emails[0] if person.emails else None for person in people),
            "emails": _several([person.emails for person in people]),
            "phones": _several([person.phones for person in people]),
            "name": texts(person.name for person in people),
            "country": texts(person.country for person in people),
            "merged_into": texts(person.merged_into for person in people),
            "deleted": pa.array([person.deleted for person in people], pa.bool_()),
            REACHABLE + "email": pa.array([person.reachable for person in people], pa.bool_()),
        }
        columns |= attribute_columns(self._account.attributes, column, self._account.time_zone, ids, rejects)
        return pa.table(columns | {FIELD + name: column(name) for name in self.ours})

    def gone(self, ids: Sequence[int]) -> pa.Table:
        """Deleted rows."""
        count = len(ids)
        columns = {
            "record_type": repeated("contact", count),
            "id": texts(map(str, ids)),
            "deleted": pa.array([True] * count, pa.bool_()),
            **{FIELD + name: pa.nulls(count, pa.string()) for name in self.ours},
        }
        names = [*RECORD_SCHEMA.names, *columns]
        return pa.table({name: columns[name] for name in dict.fromkeys(names) if name in columns})


def _several(values: Sequence[Sequence[str]]) -> pa.Array:
    """Texts of each record as one list without repeats."""
    longest = max(map(len, values), default=0) or 1
    return lists_of([texts(cells[i] if i < len(cells) else None for cells in values) for i in range(longest)])
