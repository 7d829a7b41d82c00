"""What did people do besides buying? Tasks, events and campaigns.

Membership of a campaign that we fill is our own doing and no activity. Only what happened counts: closed
tasks, events that have begun ("Object Reference": Task, Event, CampaignMember).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from connectors.rest.activity import Columns, repeated, rows_of, taking_back
from connectors.rest.cursor import fingerprint
from connectors.salesforce.list_members import CAMPAIGN
from connectors.salesforce.session import Org
from connectors.salesforce.source import STAMP, Source, column, is_true, keyed, midnights
from connectors.values.api_columns import instants
from connectors.values.home_amounts import Amounts
from connectors.values.rejects import Rejects

_SYSTEM = ("Id", "CreatedDate", STAMP, "IsDeleted")
_CONTACT, _LEAD = "003", "00Q"  # how ids of contacts and of leads begin


@dataclass(frozen=True)
class Meaning:
    """An object whose rows are activity by themselves, and what they mean."""

    object: str
    fields: tuple[str, ...]
    # rows of the object → columns of activity, type by type
    convert: Callable[[Activities, pa.Table, Rejects], list[Columns]]
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # whose fields are read as well
    suffixes: tuple[str, ...] = ("",)  # of the ids that a row has


@dataclass
class Activities(Source):
    """Activity as this user sees it."""

    meaning: Meaning
    amounts: Amounts

    @property
    def fingerprint(self) -> str:
        account = self.account
        return fingerprint(
            self.fields, account.time_zone, account.currency, account.rates, sorted(account.lists)
        )

    def table(self, rows: pa.Table, rejects: Rejects, whole: bool) -> pa.Table:
        """The rows of what happened; what is deleted, or has not happened (any more), is taken back."""
        living = rows.filter(pc.invert(is_true(rows, "IsDeleted")))
        tables = [rows_of(columns) for columns in self.meaning.convert(self, living, rejects)]
        table = pa.concat_tables(tables, promote_options="default")
        table = table.filter(pc.and_(table["record_id"].is_valid(), table["occurred_at"].is_valid()))
        if whole:
            return table
        ids = (id for suffix in self.meaning.suffixes for id in self.key(rows, suffix).to_pylist())
        return taking_back(table, ids)

    def key(self, rows: pa.Table, suffix: str = "") -> pa.Array:
        """Ids of activity."""
        return keyed(self.object.lower(), column(rows, "Id"), suffix)

    def columns(
        self, rows: pa.Table, persons: pa.Array, types: pa.Array, moments: pa.Array, suffix: str = ""
    ) -> Columns:
        """What persons did; it names nobody where one is neither a contact nor a lead."""
        prefix = pc.utf8_slice_codeunits(persons, 0, 3)
        is_lead = pc.fill_null(pc.equal(prefix, _LEAD), False)
        is_person = pc.or_(is_lead, pc.fill_null(pc.equal(prefix, _CONTACT), False))
        return {
            "id": self.key(rows, suffix),
            "record_type": pc.if_else(is_lead, "lead", "contact"),
            "record_id": pc.if_else(is_person, persons, pa.scalar(None, pa.string())),
            "kind": types,
            "occurred_at": moments,
            "recorded_at": instants(column(rows, "CreatedDate")),
        }


def _tasks(source: Activities, rows: pa.Table, _rejects: Rejects) -> list[Columns]:
    rows = rows.filter(is_true(rows, "IsClosed"))
    subtypes = column(rows, "TaskSubtype")
    types = pc.if_else(pc.fill_null(pc.equal(subtypes, "Call"), False), "call", "task")
    types = pc.if_else(pc.is_in(subtypes, pa.array(["Email", "ListEmail"])), "email", types)
    days = midnights(column(rows, "ActivityDate"), source.account.time_zone)
    moments = pc.coalesce(days, instants(column(rows, "CreatedDate")))
    return [source.columns(rows, column(rows, "WhoId"), types, moments)]


def _events(source: Activities, rows: pa.Table, _rejects: Rejects) -> list[Columns]:
    timed = pc.coalesce(column(rows, "StartDateTime"), column(rows, "ActivityDateTime"))
    zone, days = source.account.time_zone, column(rows, "ActivityDate")
    moments = pc.coalesce(instants(timed), midnights(days, zone))
    # An event of whole days begins, as Salesforce tells it, at midnight of UTC, wherever the people are: only
    # its day counts.
    days = pc.coalesce(days, pc.utf8_slice_codeunits(timed, 0, 10))
    moments = pc.if_else(is_true(rows, "IsAllDayEvent"), pc.coalesce(midnights(days, zone), moments), moments)
    return [source.columns(rows, column(rows, "WhoId"), repeated("meeting", rows.num_rows), moments)]


def _campaigns(source: Activities, rows: pa.Table, _rejects: Rejects) -> list[Columns]:
    ours = [entry.split(":")[1] for entry in source.account.lists if entry.startswith(CAMPAIGN)]
    rows = rows.filter(pc.invert(pc.is_in(column(rows, "CampaignId"), pa.array(ours, pa.string()))))

    def columns(of: pa.Table, type: str, moments: pa.Array, suffix: str) -> Columns:
        persons = pc.coalesce(column(of, "ContactId"), column(of, "LeadId"))
        return {
            **source.columns(of, persons, repeated(type, of.num_rows), moments, suffix),
            "campaign": pc.coalesce(column(of, "Campaign.Name"), column(of, "CampaignId")),
            "category": column(of, "Campaign.Type"),
        }

    responses = rows.filter(is_true(rows, "HasResponded"))
    days = midnights(column(responses, "FirstRespondedDate"), source.account.time_zone)
    moments = pc.coalesce(days, instants(column(responses, STAMP)))
    return [
        columns(rows, "campaign_sent", instants(column(rows, "CreatedDate")), "sent"),
        columns(responses, "campaign_response", moments, "response"),
    ]


_MEANINGS = {  # by source of the settings
    "tasks": Meaning("Task", ("WhoId", "TaskSubtype", "ActivityDate", "IsClosed"), _tasks),
    "events": Meaning(
        "Event", ("WhoId", "StartDateTime", "ActivityDateTime", "ActivityDate", "IsAllDayEvent"), _events
    ),
    "campaigns": Meaning(
        "CampaignMember",
        ("CampaignId", "ContactId", "LeadId", "HasResponded", "FirstRespondedDate"),
        _campaigns,
        {"Campaign": ("Name", "Type")},
        ("sent", "response"),
    ),
}


def activities(org: Org, name: str) -> Activities | None:
    """A source of activity that is no purchase; None where this user does not see its object."""
    return activity_of(org, name, _MEANINGS[name])


def activity_of(org: Org, name: str, meaning: Meaning) -> Activities | None:
    """A source of what this user sees of an object; None: nothing."""
    visible = org.fields(meaning.object)
    if not visible:
        return None
    fields = [field for field in (*_SYSTEM, *meaning.fields) if field in visible]
    for parent, names in meaning.parents.items():
        fields += [f"{parent}.{field}" for field in names if field in org.fields(parent)]
    return Activities(name, meaning.object, tuple(fields), org.account, meaning, Amounts(org.account, ""))
