"""How do the fields of a CRM's records become columns of the contract?"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass

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
    names: tuple[str, ...] = ()
    country: tuple[str, ...] = ()  # the first that is filled counts

    def among(self, fields: Container[str]) -> Person:
        """Those that are there and that may be read: the column of what none tells is left out."""
        told_by = (self.emails, self.phones, self.names, self.country)
        return Person(*(tuple(name for name in names if name in fields) for names in told_by))

    def columns(self, column: Column, separator: str = "") -> dict[str, pa.Array]:
        """Columns of RECORD_SCHEMA. ``separator`` stands between several addresses in one field."""
        columns: dict[str, pa.Array] = {}
        if self.emails:
            columns["emails"] = lists_of([column(name) for name in self.emails], separator)
        if self.phones:
            columns["phones"] = lists_of([column(name) for name in self.phones])
        if self.names:
            parts = [pc.fill_null(pc.utf8_trim_whitespace(column(name)), "") for name in self.names]
            name = pc.utf8_trim_whitespace(pc.binary_join_element_wise(*parts, " "))
            columns["name"] = pc.if_else(pc.equal(name, ""), pa.scalar(None, pa.string()), name)
        if self.country:
            columns["country"] = pc.coalesce(*(column(name) for name in self.country))
        return columns


def attribute_columns(
    attributes: Mapping[str, Attribute], column: Column, zone: str, ids: pa.Array, rejects: Rejects
) -> dict[str, pa.Array]:
    """The attributes, each in the type that the config gives it; days are those of ``zone``."""
    named = ids.to_pylist() if attributes else []
    return {
        ATTRIBUTE + name: attribute(name, wanted, column(wanted.field), zone, named, rejects)
        for name, wanted in attributes.items()
    }
