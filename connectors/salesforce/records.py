"""What do contacts, leads and accounts of Salesforce mean as records?

A contact that lost a merge is deleted and names its survivor (MasterRecordId); a converted lead names its contact. Who may
be contacted: HasOptedOutOfEmail and DoNotCall, bounced addresses; the Individual behind a person says who objects to
profiling or is to be forgotten ("Object Reference": Contact, Lead, Individual).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.columns import Rejects, attribute, instants
from connectors.contract import ATTRIBUTE, FIELD, REACHABLE, Account, Attribute
from connectors.salesforce import soql
from connectors.salesforce.fetching import Fetching
from connectors.salesforce.holding import api_name
from connectors.salesforce.position import Overlap
from connectors.salesforce.rows import OBJECTS
from connectors.salesforce.session import Org
from connectors.salesforce.source import STAMP, column, form, is_true

_OWN = {
    "contact": ("Email", "AccountId", "HasOptedOutOfEmail", "EmailBouncedDate", "DoNotCall", "IndividualId"),
    "lead": ("Email", "HasOptedOutOfEmail", "EmailBouncedDate", "DoNotCall", "IndividualId", "IsConverted", "ConvertedContactId"),
    "company": ("IsPersonAccount",),
}
_SYSTEM = ("Id", "CreatedDate", STAMP, "IsDeleted", "MasterRecordId")
_OBJECTIONS = ("HasOptedOutProfiling", "HasOptedOutProcessing", "ShouldForget")
_UNREADABLE = frozenset({"address", "location", "base64", "anyType", "complexvalue"})


@dataclass
class Records:
    """One of the record types, as far as this user sees it."""

    account: Account
    record_type: str
    fields: tuple[str, ...]
    attributes: Mapping[str, Attribute]  # those of which this user sees the field
    ours: tuple[tuple[str, str, str], ...]  # (name, name in Salesforce, type) of our fields that are there

    @property
    def name(self) -> str:
        return self.object

    @property
    def object(self) -> str:
        return OBJECTS[self.record_type]

    @property
    def form(self) -> str:
        attributes = {name: asdict(one) for name, one in self.attributes.items()}
        return form(self.fields, attributes, self.ours, self.account.time_zone)

    def prepare(self, fetching: Fetching, window: Sequence[str] | None, overlap: Overlap) -> None:
        """Nothing: what a record needs stands in its own row."""

    def further(self, fetching: Fetching, window: Sequence[str], known: pa.Array, overlap: Overlap) -> Iterator[pa.Table]:
        """People whose Individual changed: an objection does not move the stamp of the contact."""
        told = [name.partition(".")[2] for name in self.fields if name.startswith("Individual.")]
        if not told:
            return
        statement = soql.Select(["Id", STAMP, *told], "Individual", window)
        changed = [overlap.fresh(batch.table) for batch in fetching.changed(statement)]
        ids = [id for table in changed for id in table["Id"].to_pylist()]
        if ids:
            rows = fetching.among(self.fields, self.object, "IndividualId", ids)
            yield rows.filter(pc.invert(pc.is_in(column(rows, "Id"), known)))

    def table(self, rows: pa.Table, rejects: Rejects, whole: bool) -> pa.Table:
        """One row a record."""
        if "IsPersonAccount" in rows.column_names and self.record_type == "company":
            rows = rows.filter(pc.invert(is_true(rows, "IsPersonAccount")))  # a person account is a contact
        ids = column(rows, "Id")
        master = column(rows, "MasterRecordId")
        done: dict[str, Any] = {
            "record_type": pa.repeat(pa.scalar(self.record_type, pa.string()), rows.num_rows),
            "id": ids,
            "changed_at": instants(column(rows, STAMP)),
            "created_at": instants(column(rows, "CreatedDate")),
        }
        if self.record_type != "company":
            done |= {"email": column(rows, "Email"), "company_id": column(rows, "AccountId")}
        done["merged_into"] = master
        if self.record_type == "lead":
            contact = column(rows, "ConvertedContactId")
            done["converted_to"] = pc.if_else(is_true(rows, "IsConverted"), contact, pa.scalar(None, pa.string()))
        done["deleted"] = pc.and_(is_true(rows, "IsDeleted"), master.is_null())
        if self.record_type != "company":
            done |= self._consent(rows)
        listed = ids.to_pylist() if self.attributes else []
        for name, wanted in self.attributes.items():
            done[ATTRIBUTE + name] = attribute(name, wanted, column(rows, wanted.field), self.account.time_zone, listed, rejects)
        # What nobody can write any more holds nothing of ours: it would be cleared in vain, again and again.
        closed = pc.or_(is_true(rows, "IsDeleted"), is_true(rows, "IsConverted"))
        for name, remote, kind in self.ours:
            held = _plain(column(rows, remote)) if kind == "number" else column(rows, remote)
            done[FIELD + name] = pc.if_else(closed, pa.scalar(None, pa.string()), held)
        return pa.table(done)

    def _consent(self, rows: pa.Table) -> dict[str, pa.Array]:
        """Objections, and who may be contacted how; null where no field tells."""
        found: dict[str, pa.Array] = {}
        told = [name for name in (f"Individual.{one}" for one in _OBJECTIONS) if name in rows.column_names]
        if told:
            objects = is_true(rows, told[0])
            for name in told[1:]:
                objects = pc.or_(objects, is_true(rows, name))
            found["objects_to_profiling"] = objects
        absent = column(rows, "Email").is_null()
        bounced = column(rows, "EmailBouncedDate").is_valid()
        impossible = pc.or_(absent, bounced)
        may = pc.equal(column(rows, "HasOptedOutOfEmail"), "false")
        found[REACHABLE + "email"] = pc.if_else(impossible, False, may)
        found[REACHABLE + "phone"] = pc.equal(column(rows, "DoNotCall"), "false")
        return found


def records(org: Org, record_type: str) -> Records | None:
    """The source of a record type; None where this user does not see the object."""
    visible = org.fields(OBJECTS[record_type])
    if not visible:
        return None
    account = org.account
    attributes = {name: one for name, one in account.attributes.items() if sees(org, OBJECTS[record_type], one.field)}
    ours = tuple(
        (one.name, api_name(one.name), one.type)
        for one in account.fields
        if one.record_type == record_type and api_name(one.name) in visible
    )
    own = [name for name in (*_SYSTEM, *_OWN[record_type]) if name in visible]
    if "IndividualId" in own:
        individual = org.fields("Individual")
        own += [f"Individual.{name}" for name in _OBJECTIONS if name in individual]
    wanted = [*own, *(one.field for one in attributes.values()), *(remote for _, remote, _ in ours)]
    return Records(account, record_type, tuple(dict.fromkeys(wanted)), attributes, ours)


def sees(org: Org, table: str, path: str) -> bool:
    """Whether this user sees a field, or a field of a record that a reference leads to (``Account.Industry``)."""
    steps = path.split(".")
    for step in steps[:-1]:
        referring = [one for one in org.fields(table).values() if one.get("relationshipName") == step and one.get("referenceTo")]
        if not referring:
            return False
        table = referring[0]["referenceTo"][0]
    told = org.fields(table).get(steps[-1])
    return told is not None and told.get("type") not in _UNREADABLE


def _plain(texts: pa.Array) -> pa.Array:
    """Numbers without the zeros behind their point."""
    pointed = pc.fill_null(pc.match_substring(texts, "."), False)
    shorter = pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")
    return pc.if_else(pointed, shorter, texts)
