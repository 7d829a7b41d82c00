"""What do contacts, leads and accounts of Salesforce mean as records?

A contact that lost a merge is deleted and names its survivor (MasterRecordId); a converted lead names its
contact. The Individual behind a person says who objects to profiling or is to be forgotten ("Object
Reference": Contact, Lead, Individual).

Who may be contacted: not who opted out (HasOptedOutOfEmail, DoNotCall), and by e-mail not without an address
or after a bounce. Salesforce tells of nobody who opted in: under ``consent_basis = "opt_in"`` all others are
unknown, under "not_opted_out" they may be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Attribute
from connectors.rest.activity import repeated
from connectors.rest.cursor import fingerprint
from connectors.rest.records import Person, attribute_columns
from connectors.rest.seen import Overlap
from connectors.salesforce import soql
from connectors.salesforce.fetching import Fetching
from connectors.salesforce.names import OBJECTS, api_name
from connectors.salesforce.session import Org
from connectors.salesforce.source import STAMP, Source, column, is_true
from connectors.schemas import FIELD, REACHABLE
from connectors.values.api_columns import instants
from connectors.values.rejects import Rejects

_CONSENT = ("HasOptedOutOfEmail", "EmailBouncedDate", "DoNotCall", "IndividualId")
_OWN = {
    "contact": ("Email", "AccountId", *_CONSENT),
    "lead": ("Email", *_CONSENT, "IsConverted", "ConvertedContactId"),
    "company": ("IsPersonAccount",),
}
_PERSON = {
    "contact": Person(
        ("Email",),
        ("Phone", "MobilePhone", "HomePhone", "OtherPhone"),
        ("Name",),
        ("MailingCountry",),
        ("FirstName",),
        ("LastName",),
    ),
    "lead": Person(
        ("Email",), ("Phone", "MobilePhone"), ("Name",), ("Country",), ("FirstName",), ("LastName",)
    ),
    "company": Person((), ("Phone",), ("Name",), ("BillingCountry",)),
}
_SYSTEM = ("Id", "CreatedDate", STAMP, "IsDeleted", "MasterRecordId")
_MANY_PARENTS = 1_500  # of which each is asked for by its id: five calls
_OBJECTIONS = ("HasOptedOutProfiling", "HasOptedOutProcessing", "ShouldForget")
_UNREADABLE = frozenset({"address", "location", "base64", "anyType", "complexvalue"})


@dataclass(frozen=True)
class Parent:
    """Records that a reference leads to, and which of their fields are read."""

    reference: str  # the field that holds their id
    table: str
    fields: tuple[str, ...]


@dataclass
class Records(Source):
    """One of the record types, as far as this user sees it."""

    record_type: str
    attributes: Mapping[str, Attribute]  # those of which this user sees the field
    ours: tuple[tuple[str, str, str], ...]  # (name, name in Salesforce, type) of our fields that are there
    parents: tuple[Parent, ...] = ()  # what is read of other records

    @property
    def fingerprint(self) -> str:
        attributes = {name: asdict(wanted) for name, wanted in self.attributes.items()}
        account = self.account
        return fingerprint(self.fields, attributes, self.ours, account.time_zone, account.consent_basis)

    def further(
        self, fetching: Fetching, window: Sequence[str], known_ids: pa.Array, overlap: Overlap
    ) -> Iterator[pa.Table]:
        """Records of which the Individual, or another record that an attribute stands in, changed: that moves
        no stamp of theirs.
        """
        for parent in self.parents:
            statement = soql.Select(["Id", STAMP, *parent.fields], parent.table, window)
            changed = [overlap.fresh(batch.table) for batch in fetching.changed(statement)]
            ids = [id for table in changed for id in table["Id"].to_pylist()]
            if not ids:
                continue
            if len(ids) <= _MANY_PARENTS:
                tables = [fetching.among(self.fields, self.object, parent.reference, ids)]
            else:
                below = f"{soql.name(parent.reference)} IN ({soql.Select(['Id'], parent.table, window)})"
                tables = [
                    batch.table for batch in fetching.changed(soql.Select(self.fields, self.object, [below]))
                ]
            for rows in tables:
                yield rows.filter(pc.invert(pc.is_in(column(rows, "Id"), known_ids)))

    def table(self, rows: pa.Table, rejects: Rejects, whole: bool) -> pa.Table:
        """One row a record."""
        if "IsPersonAccount" in rows.column_names and self.record_type == "company":
            rows = rows.filter(pc.invert(is_true(rows, "IsPersonAccount")))  # a person account is a contact
        ids, master = column(rows, "Id"), column(rows, "MasterRecordId")
        nothing, is_deleted = pa.scalar(None, pa.string()), is_true(rows, "IsDeleted")

        def cells(name: str) -> pa.Array:
            return column(rows, name)

        columns: dict[str, pa.Array] = {
            "record_type": repeated(self.record_type, rows.num_rows),
            "id": ids,
            "changed_at": instants(cells(STAMP)),
            "created_at": instants(cells("CreatedDate")),
            **_PERSON[self.record_type].among(self.fields).columns(cells),
            "merged_into": master,
            "deleted": pc.and_(is_deleted, master.is_null()),
        }
        if self.record_type == "lead":
            converted = is_true(rows, "IsConverted")
            columns["converted_to"] = pc.if_else(converted, cells("ConvertedContactId"), nothing)
        if self.record_type != "company":
            columns |= {"email": cells("Email"), "company_id": cells("AccountId"), **self._consent(rows)}
        columns |= attribute_columns(self.attributes, cells, self.account.time_zone, ids, rejects)
        # What nobody can write any more holds nothing of ours: it would be cleared without success, again and again.
        is_closed = pc.or_(is_deleted, is_true(rows, "IsConverted"))
        for name, remote, type in self.ours:
            current = _plain(cells(remote)) if type == "number" else cells(remote)
            columns[FIELD + name] = pc.if_else(is_closed, nothing, current)
        return pa.table(columns)

    def _consent(self, rows: pa.Table) -> dict[str, pa.Array]:
        """Objections, and who may be contacted how; null where no field tells."""
        columns: dict[str, pa.Array] = {}
        flags = [name for name in (f"Individual.{flag}" for flag in _OBJECTIONS) if name in rows.column_names]
        if flags:
            objects = is_true(rows, flags[0])
            for name in flags[1:]:
                objects = pc.or_(objects, is_true(rows, name))
            columns["objects_to_profiling"] = objects
        impossible = pc.or_(column(rows, "Email").is_null(), column(rows, "EmailBouncedDate").is_valid())
        columns[REACHABLE + "email"] = pc.if_else(impossible, False, self._may(rows, "HasOptedOutOfEmail"))
        columns[REACHABLE + "phone"] = self._may(rows, "DoNotCall")
        return columns

    def _may(self, rows: pa.Table, opt_out: str) -> pa.Array:
        """No where the box is ticked; where it is not, unknown, or yes where that is enough.

        Null where this user does not see it.
        """
        not_ticked = pa.scalar(True if self.account.consent_basis == "not_opted_out" else None, pa.bool_())
        return pc.if_else(pc.equal(column(rows, opt_out), "false"), not_ticked, False)


def records(org: Org, record_type: str) -> Records | None:
    """The source of a record type; None where this user does not see the object."""
    table, account = OBJECTS[record_type], org.account
    visible = org.fields(table)
    if not visible:
        return None
    attributes = {name: spec for name, spec in account.attributes.items() if sees(org, table, spec.field)}
    ours = tuple(
        (spec.name, api_name(spec.name), spec.type)
        for spec in account.fields
        if spec.record_type == record_type and api_name(spec.name) in visible
    )
    wanted = (*_SYSTEM, *_OWN[record_type], *_PERSON[record_type].fields)
    own = [name for name in wanted if name in visible]
    if "IndividualId" in own:
        individual = org.fields("Individual")
        own += [f"Individual.{name}" for name in _OBJECTIONS if name in individual]
    own += [spec.field for spec in attributes.values()] + [remote for _, remote, _ in ours]
    fields = tuple(dict.fromkeys(own))
    parents = tuple(_parents(org, table, fields))
    return Records(table, table, fields, account, record_type, attributes, ours, parents)


def _parents(org: Org, table: str, fields: Sequence[str]) -> Iterator[Parent]:
    """The records right above a record that some field is read from.

    What stands further up is seen by the reading of all rows.
    """
    paths: dict[str, list[str]] = {}
    for name in fields:
        relation, _, field = name.partition(".")
        if field and "." not in field:
            paths.setdefault(relation, []).append(field)
    for relation, names in paths.items():
        reference = _reference(org, table, relation)
        if reference is not None:
            yield Parent(str(reference["name"]), str(reference["referenceTo"][0]), tuple(names))


def _reference(org: Org, table: str, relation: str) -> dict[str, Any] | None:
    """The field of an object behind the name of a relation; None: this user sees none."""
    return next(
        (
            field
            for field in org.fields(table).values()
            if field.get("relationshipName") == relation and field.get("referenceTo")
        ),
        None,
    )


def sees(org: Org, table: str, path: str) -> bool:
    """Whether this user sees a field, or a field of a record that a reference leads to
    (``Account.Industry``).
    """
    steps = path.split(".")
    for step in steps[:-1]:
        reference = _reference(org, table, step)
        if reference is None:
            return False
        table = reference["referenceTo"][0]
    about = org.fields(table).get(steps[-1])
    return about is not None and about.get("type") not in _UNREADABLE


def _plain(texts: pa.Array) -> pa.Array:
    """Numbers without the zeros behind their point."""
    pointed = pc.fill_null(pc.match_substring(texts, "."), False)
    shorter = pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")
    return pc.if_else(pointed, shorter, texts)
