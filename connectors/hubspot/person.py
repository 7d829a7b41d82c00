"""Who is behind a contact or a company: name, addresses, numbers and country, as far as the portal has
properties for them?

A contact has one e-mail address of its own and, where others were added or came with a merge, those of
``hs_additional_emails``, separated by ";". A property that the portal does not have, or hides from the key,
is not asked for: its column is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from connectors.values.api_columns import lists_of

Column = Callable[[str], pa.Array]
_EMAILS = {"contact": ("email", "hs_additional_emails"), "company": ()}
_PHONES = {"contact": ("phone", "mobilephone", "hs_whatsapp_phone_number"), "company": ("phone",)}
_NAMES = {"contact": ("firstname", "lastname"), "company": ("name",)}
_COUNTRY = ("country", "hs_country_region_code")  # the second is two letters; companies have it too


@dataclass(frozen=True)
class Person:
    """The properties that tell, by what they tell."""

    emails: tuple[str, ...]
    phones: tuple[str, ...]
    names: tuple[str, ...]
    country: tuple[str, ...]

    @staticmethod
    def of(record_type: str, properties: Collection[str]) -> Person:
        """Those that the portal has for a record type."""

        def present(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(name for name in names if name in properties)

        emails = present(_EMAILS[record_type])
        return Person(
            emails if len(emails) > 1 else (),
            present(_PHONES[record_type]),
            present(_NAMES[record_type]),
            present(_COUNTRY),
        )

    @property
    def properties(self) -> tuple[str, ...]:
        """What must be read."""
        return (*self.emails, *self.phones, *self.names, *self.country)

    def columns(self, column: Column) -> dict[str, pa.Array]:
        """Columns of RECORD_SCHEMA."""
        columns: dict[str, pa.Array] = {}
        if self.emails:
            columns["emails"] = lists_of([column(name) for name in self.emails], ";")
        if self.phones:
            columns["phones"] = lists_of([column(name) for name in self.phones])
        if self.names:
            parts = [pc.fill_null(pc.utf8_trim_whitespace(column(name)), "") for name in self.names]
            name = pc.utf8_trim_whitespace(pc.binary_join_element_wise(*parts, " "))
            columns["name"] = pc.if_else(pc.equal(name, ""), pa.scalar(None, pa.string()), name)
        if self.country:
            columns["country"] = pc.coalesce(*(column(name) for name in self.country))
        return columns
