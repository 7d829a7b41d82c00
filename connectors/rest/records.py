"""How do the fields of a CRM's records become columns of the contract?"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Attribute
from connectors.schemas import ATTRIBUTE
from connectors.values.api_columns import attribute, lists_of
from connectors.values.rejects import Rejects

Column = Callable[[str], pa.Array]  # name of a field → what each record holds in it, as text


@dataclass(frozen=True)
class Person:
    """The fields that tell who is behind a record, by what they tell."""

    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # parts of the whole name, in their order
    country: tuple[str, ...] = ()  # the first that is filled counts
    first_name: tuple[str, ...] = ()
    last_name: tuple[str, ...] = ()

    def among(self, fields: Container[str]) -> Person:
        """Those that are there and that may be read: the column of what none tells is left out."""
        return Person(
            **{by: tuple(name for name in names if name in fields) for by, names in self.told_by.items()}
        )

    @property
    def told_by(self) -> dict[str, tuple[str, ...]]:
        """What is told → the fields that tell it."""
        return {entry.name: getattr(self, entry.name) for entry in dataclass_fields(self)}

    @property
    def fields(self) -> tuple[str, ...]:
        """All of the fields, each once."""
        return tuple(dict.fromkeys(name for names in self.told_by.values() for name in names))

    def columns(self, column: Column, separator: str = "") -> dict[str, pa.Array]:
        """Columns of RECORD_SCHEMA. ``separator`` stands between several addresses in one field."""
        columns: dict[str, pa.Array] = {}
        if self.emails:
            columns["emails"] = lists_of([column(name) for name in self.emails], separator)
        if self.phones:
            columns["phones"] = lists_of([column(name) for name in self.phones])
        if self.names:
            columns["name"] = _joined(column, self.names)
        if self.first_name:
            columns["first_name"] = _joined(column, self.first_name)
        if self.last_name:
            columns["last_name"] = _joined(column, self.last_name)
        if self.country:
            columns["country"] = pc.coalesce(*(column(name) for name in self.country))
        return columns


def _joined(column: Column, names: Sequence[str]) -> pa.Array:
    """Parts of a name with one blank between them; null where none is filled."""
    parts = [pc.fill_null(pc.utf8_trim_whitespace(column(name)), "") for name in names]
    name = pc.utf8_trim_whitespace(pc.binary_join_element_wise(*parts, " "))
    return pc.if_else(pc.equal(name, ""), pa.scalar(None, pa.string()), name)


def attribute_columns(
    attributes: Mapping[str, Attribute], column: Column, zone: str, ids: pa.Array, rejects: Rejects
) -> dict[str, pa.Array]:
    """The attributes, each in the type that the config gives it; days are those of ``zone``."""
    named = ids.to_pylist() if attributes else []
    return {
        ATTRIBUTE + name: attribute(name, wanted, column(wanted.field), zone, named, rejects)
        for name, wanted in attributes.items()
    }
