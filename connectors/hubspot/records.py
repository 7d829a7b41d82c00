"""What do contacts and companies of HubSpot mean as records?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from connectors.contract import Account, Attribute
from connectors.hubspot.associations import Links
from connectors.hubspot.fields import normal_column
from connectors.hubspot.opt_out import Consent
from connectors.hubspot.paths import OBJECTS
from connectors.hubspot.person import Person
from connectors.hubspot.source import Result, form, values
from connectors.schemas import ATTRIBUTE, FIELD, REACHABLE, RECORD_SCHEMA
from connectors.values.api_columns import attribute, instants, texts
from connectors.values.rejects import Rejects

_STAMPS = {"contacts": "lastmodifieddate"}
_OWN = {"contacts": ("email", "associatedcompanyid", "hs_calculated_merged_vids"), "companies": ()}
MERGED = "hs_merged_object_ids"


def stamp_of(kind: str) -> str:
    """The property that says when a record of an object type changed."""
    return _STAMPS.get(kind, "hs_lastmodifieddate")


@dataclass(frozen=True)
class Records:
    """The contacts or the companies of an account."""

    account: Account
    record_type: str
    attributes: dict[str, Attribute]  # those that the object type has a property for
    consent: Consent | None = None  # of contacts
    person: Person = field(default_factory=lambda: Person((), (), (), ()))
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
        return stamp_of(self.kind)

    @property
    def fields(self) -> dict[str, str]:
        """Our own fields on this record type, and their types."""
        return {spec.name: spec.type for spec in self.account.fields if spec.record_type == self.record_type}

    @property
    def properties(self) -> tuple[str, ...]:
        named = [
            self.stamp,
            MERGED,
            *_OWN[self.kind],
            *self.person.properties,
            *(self.consent.properties if self.consent else ()),
        ]
        return tuple(
            dict.fromkeys([*named, *(wanted.field for wanted in self.attributes.values()), *self.fields])
        )

    @property
    def form(self) -> str:
        attributes = {name: asdict(wanted) for name, wanted in self.attributes.items()}
        consent = self.consent and asdict(self.consent)
        return form(
            self.kind,
            self.properties,
            self.fields,
            attributes,
            self.account.time_zone,
            consent,
            asdict(self.person),
        )

    def table(
        self, results: Sequence[Result], links: dict[str, Links], rejects: Rejects, whole: bool
    ) -> pa.Table:
        """One row a record, and one for each record that was merged into it."""
        ids = [str(entry["id"]) for entry in results]

        def column(name: str) -> pa.Array:
            return texts(values(results, name))

        done: dict[str, Any] = {
            "record_type": pa.repeat(pa.scalar(self.record_type, pa.string()), len(ids)),
            "id": pa.array(ids, pa.string()),
            "changed_at": instants(column(self.stamp)),
            "created_at": instants(texts(entry.get("createdAt") for entry in results)),
        }
        if self.consent is not None:
            done["email"] = column("email")
            done["company_id"] = column("associatedcompanyid")
        done |= self.person.columns(column)
        done["merged_into"] = pa.nulls(len(ids), pa.string())
        done["deleted"] = pa.nulls(len(ids), pa.bool_())
        if self.consent is not None:
            objects = self.consent.objects(column)
            if objects is not None:
                done["objects_to_profiling"] = objects
            done[REACHABLE + "email"] = self.consent.reachable(done["email"], column)
            source = self.consent.source(len(ids), column)
            if source is not None:
                done["consent_source"] = source
        for name, wanted in self.attributes.items():
            done[ATTRIBUTE + name] = attribute(
                name, wanted, column(wanted.field), self.account.time_zone, ids, rejects
            )
        types = {
            entry.name: entry.type for entry in self.account.fields if entry.record_type == self.record_type
        }
        for name in self.fields:
            done[FIELD + name] = normal_column(types[name], texts(values(results, name)))
        return self._with_merged(pa.table(done), results)

    def gone(self, results: Sequence[Result]) -> pa.Table:
        """Deleted rows, also of those that had been merged into them."""
        ids = list(dict.fromkeys(id for row in results for id in (str(row["id"]), *merged(row))))
        return self._rows(ids, None)

    def _with_merged(self, table: pa.Table, results: Sequence[Result]) -> pa.Table:
        into = {old: str(row["id"]) for row in results for old in merged(row)}
        if not into:
            return table
        return pa.concat_tables(
            [table, self._rows(list(into), list(into.values()))], promote_options="default"
        )

    def _rows(self, ids: list[str], survivors: list[str] | None) -> pa.Table:
        rows = {
            "record_type": pa.array([self.record_type] * len(ids), pa.string()),
            "id": pa.array(ids, pa.string()),
            "merged_into": pa.array(survivors if survivors is not None else [None] * len(ids), pa.string()),
            "deleted": pa.array([None if survivors is not None else True] * len(ids), pa.bool_()),
            **{FIELD + name: pa.nulls(len(ids), pa.string()) for name in self.fields},
        }
        assert set(rows) <= {*RECORD_SCHEMA.names, *(FIELD + name for name in self.fields)}
        return pa.table(rows)


def merged(result: Result) -> list[str]:
    """Ids of the records that were merged into one: ``ID;ID``, of contacts also ``ID:TIME;ID:TIME``."""
    properties = result.get("properties") or {}
    former, dated = properties.get(MERGED), properties.get("hs_calculated_merged_vids")
    if not former and not dated:
        return []
    parts = [*str(former or "").split(";"), *(part.partition(":")[0] for part in str(dated or "").split(";"))]
    own = str(result["id"])
    return list(dict.fromkeys(id for part in parts if (id := part.strip()).isdigit() and id != own))
