"""What do contacts and companies of HubSpot mean as records?

A contact has one e-mail address of its own and, where others were added or came with a merge, those of
``hs_additional_emails``, separated by ";". A property that the portal does not have, or hides from the key,
is not asked for: its column is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

from connectors.contract import Account, Attribute
from connectors.hubspot.fields import normal_column
from connectors.hubspot.opt_out import Consent
from connectors.hubspot.paths import OBJECTS
from connectors.hubspot.source import MERGED, ids_of, merged, values
from connectors.rest.activity import repeated
from connectors.rest.cursor import fingerprint
from connectors.rest.records import Person, attribute_columns
from connectors.rest.source import Links, Row
from connectors.schemas import FIELD, REACHABLE
from connectors.values.api_columns import instants, texts
from connectors.values.rejects import Rejects

_OWN = {"contacts": ("email", "associatedcompanyid", "hs_calculated_merged_vids"), "companies": ()}
_COUNTRY = ("country", "hs_country_region_code")  # the second is two letters; companies have it too
_PERSON = {
    "contact": Person(
        ("email", "hs_additional_emails"),
        ("phone", "mobilephone", "hs_whatsapp_phone_number"),
        ("firstname", "lastname"),
        _COUNTRY,
        ("firstname",),
        ("lastname",),
    ),
    "company": Person((), ("phone",), ("name",), _COUNTRY),
}


def person_of(record_type: str, properties: Collection[str]) -> Person:
    """The properties that the portal has for who is behind a record."""
    person = _PERSON[record_type].among(properties)
    return person if len(person.emails) > 1 else replace(person, emails=())


@dataclass(frozen=True)
class Records:
    """The contacts or the companies of an account."""

    account: Account
    record_type: str
    attributes: dict[str, Attribute]  # those that the object type has a property for
    consent: Consent | None  # of contacts
    person: Person
    targets: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    essential: tuple[tuple[str, ...], ...] = ()

    @property
    def name(self) -> str:
        return self.kind

    @property
    def kind(self) -> str:
        return OBJECTS[self.record_type]

    @property
    def stamp(self) -> str:
        return "lastmodifieddate" if self.kind == "contacts" else "hs_lastmodifieddate"

    @property
    def fields(self) -> dict[str, str]:
        """Our own fields on this record type, and their types."""
        return {spec.name: spec.type for spec in self.account.fields if spec.record_type == self.record_type}

    @property
    def properties(self) -> tuple[str, ...]:
        consent = self.consent.properties if self.consent else ()
        attributes = (wanted.field for wanted in self.attributes.values())
        own = (self.stamp, MERGED, *_OWN[self.kind])
        return tuple(dict.fromkeys((*own, *self.person.fields, *consent, *attributes, *self.fields)))

    @property
    def fingerprint(self) -> str:
        return fingerprint(
            self.kind,
            self.properties,
            self.fields,
            {name: asdict(wanted) for name, wanted in self.attributes.items()},
            self.account.time_zone,
            self.consent and asdict(self.consent),
            asdict(self.person),
        )

    def table(
        self, rows: Sequence[Row], links: Mapping[str, Links], rejects: Rejects, whole: bool
    ) -> pa.Table:
        """One row a record, and one for each record that was merged into it."""
        ids, count = pa.array(ids_of(rows), pa.string()), len(rows)

        def column(name: str) -> pa.Array:
            return values(rows, name)

        columns: dict[str, Any] = {
            "record_type": repeated(self.record_type, count),
            "id": ids,
            "changed_at": instants(column(self.stamp)),
            "created_at": instants(texts(row.get("createdAt") for row in rows)),
            **self.person.columns(column, ";"),
            "merged_into": pa.nulls(count, pa.string()),
            "deleted": pa.nulls(count, pa.bool_()),
        }
        if self.consent is not None:
            columns["email"], columns["company_id"] = column("email"), column("associatedcompanyid")
            columns[REACHABLE + "email"] = self.consent.reachable(columns["email"], column)
            further = {
                "objects_to_profiling": self.consent.objects(column),
                "consent_source": self.consent.source(count, column),
            }
            columns |= {name: cells for name, cells in further.items() if cells is not None}
        columns |= attribute_columns(self.attributes, column, self.account.time_zone, ids, rejects)
        columns |= {FIELD + name: normal_column(type, column(name)) for name, type in self.fields.items()}
        into = {old: str(row["id"]) for row in rows for old in merged(row)}
        tables = [pa.table(columns), *([self._ended(list(into), list(into.values()))] if into else [])]
        return pa.concat_tables(tables, promote_options="default")

    def gone(self, rows: Sequence[Row]) -> pa.Table:
        """Deleted rows, also of those that had been merged into them."""
        return self._ended(list(dict.fromkeys(id for row in rows for id in (str(row["id"]), *merged(row)))))

    def _ended(self, ids: list[str], survivors: list[str] | None = None) -> pa.Table:
        """Rows of records that are deleted, or that were merged into ``survivors``."""
        nobody = pa.nulls(len(ids), pa.string())
        return pa.table(
            {
                "record_type": repeated(self.record_type, len(ids)),
                "id": pa.array(ids, pa.string()),
                "merged_into": pa.array(survivors, pa.string()) if survivors else nobody,
                "deleted": pa.array([None if survivors else True] * len(ids), pa.bool_()),
                **{FIELD + name: nobody for name in self.fields},
            }
        )
