"""What did people do besides buying? Tasks, events, campaigns, and orders where the account counts them.

Membership of a campaign that we fill is our own doing and no activity. Only what happened counts: closed
tasks, activated orders, events that have begun ("Object Reference": Task, Event, CampaignMember, Order).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Account
from connectors.rest.activity import gone_rows, rows_of
from connectors.rest.seen import Overlap
from connectors.salesforce.fetching import Fetching
from connectors.salesforce.list_members import CAMPAIGN
from connectors.salesforce.session import Org
from connectors.salesforce.source import STAMP, column, form, is_true, keyed, midnights
from connectors.values.api_columns import instants
from connectors.values.home_amounts import Amounts
from connectors.values.rejects import Rejects

_SYSTEM = ("Id", "CreatedDate", STAMP, "IsDeleted")
_WANTED = {
    "tasks": ("Task", ("WhoId", "TaskSubtype", "ActivityDate", "IsClosed")),
    "events": ("Event", ("WhoId", "StartDateTime", "ActivityDateTime", "ActivityDate", "IsAllDayEvent")),
    "campaigns": (
        "CampaignMember",
        ("CampaignId", "ContactId", "LeadId", "HasResponded", "FirstRespondedDate"),
    ),
    "orders": (
        "Order",
        (
            "AccountId",
            "BillToContactId",
            "EffectiveDate",
            "StatusCode",
            "TotalAmount",
            "CurrencyIsoCode",
            "IsReductionOrder",
            "Type",
        ),
    ),
}
_SUBTYPES = {"Call": "call", "Email": "email", "ListEmail": "email"}
_CONTACT, _LEAD = "003", "00Q"  # how ids of contacts and of leads begin

Columns = dict[str, pa.Array]


@dataclass
class Activities:
    """One object whose rows are activity by themselves."""

    name: str
    object: str
    fields: tuple[str, ...]
    account: Account
    amounts: Amounts
    # rows of the object → rows of activity, kind by kind
    told: Callable[[Activities, pa.Table, Rejects], list[Columns]]
    suffixes: tuple[str, ...] = ("",)

    @property
    def form(self) -> str:
        return form(
            self.fields,
            self.account.time_zone,
            self.account.currency,
            self.account.rates,
            sorted(self.account.lists),
        )

    def prepare(self, fetching: Fetching, window: Sequence[str] | None, overlap: Overlap) -> None:
        """Nothing: a row says all."""

    def further(
        self, fetching: Fetching, window: Sequence[str], known_ids: pa.Array, overlap: Overlap
    ) -> Iterator[pa.Table]:
        """None."""
        return iter(())

    def table(self, rows: pa.Table, rejects: Rejects, whole: bool) -> pa.Table:
        """The rows of what happened; what is deleted, or has not happened (any more), is taken back."""
        living = rows.filter(pc.invert(is_true(rows, "IsDeleted")))
        tables = [rows_of(columns) for columns in self.told(self, living, rejects)]
        tables = [
            part.filter(pc.and_(part["record_id"].is_valid(), part["occurred_at"].is_valid()))
            for part in tables
        ]
        table = pa.concat_tables(tables, promote_options="default")
        if whole:
            return table
        ids = pa.concat_arrays([self.key(rows, suffix) for suffix in self.suffixes])
        void = ids.filter(pc.invert(pc.is_in(ids, table["id"].combine_chunks())))
        return (
            pa.concat_tables([table, gone_rows(void.to_pylist())], promote_options="default")
            if len(void)
            else table
        )

    def key(self, rows: pa.Table, suffix: str = "") -> pa.Array:
        """Ids of activity."""
        return keyed(self.object.lower(), column(rows, "Id"), suffix)


def deeds(org: Org, name: str) -> Activities | None:
    """The source of one kind of deeds; None where this user does not see its object."""
    table, wanted = _WANTED[name]
    visible = org.fields(table)
    if not visible:
        return None
    fields = [field for field in (*_SYSTEM, *wanted) if field in visible]
    if name == "campaigns":
        fields += [f"Campaign.{field}" for field in ("Name", "Type") if field in org.fields("Campaign")]
    converter = {"tasks": _tasks, "events": _events, "campaigns": _campaigns, "orders": _orders}[name]
    suffixes = ("sent", "response") if name == "campaigns" else ("",)
    return Activities(name, table, tuple(fields), org.account, Amounts(org.account, ""), converter, suffixes)


def _who(texts: pa.Array) -> Columns:
    """Record type and id of a person that is a contact or a lead; no record of anything else."""
    start = pc.utf8_slice_codeunits(texts, 0, 3)
    contact, lead = pc.equal(start, _CONTACT), pc.equal(start, _LEAD)
    is_person = pc.fill_null(pc.or_(contact, lead), False)
    return {
        "record_type": pc.if_else(pc.fill_null(lead, False), "lead", "contact"),
        "record_id": pc.if_else(is_person, texts, pa.scalar(None, pa.string())),
    }


def _tasks(source: Activities, rows: pa.Table, _rejects: Rejects) -> list[Columns]:
    rows = rows.filter(is_true(rows, "IsClosed"))
    created = instants(column(rows, "CreatedDate"))
    subtypes = column(rows, "TaskSubtype")
    kinds = pc.if_else(pc.fill_null(pc.equal(subtypes, "Call"), False), _SUBTYPES["Call"], "task")
    kinds = pc.if_else(pc.is_in(subtypes, pa.array(["Email", "ListEmail"])), _SUBTYPES["Email"], kinds)
    moments = pc.coalesce(midnights(column(rows, "ActivityDate"), source.account.time_zone), created)
    return [
        {
            "id": source.key(rows),
            **_who(column(rows, "WhoId")),
            "kind": kinds,
            "occurred_at": moments,
            "recorded_at": created,
        }
    ]


def _events(source: Activities, rows: pa.Table, _rejects: Rejects) -> list[Columns]:
    timed = pc.coalesce(column(rows, "StartDateTime"), column(rows, "ActivityDateTime"))
    zone = source.account.time_zone
    # An event of whole days begins, as Salesforce tells it, at midnight of UTC, wherever the people are: only
    # its day counts.
    days = pc.coalesce(column(rows, "ActivityDate"), pc.utf8_slice_codeunits(timed, 0, 10))
    moments = pc.coalesce(instants(timed), midnights(column(rows, "ActivityDate"), zone))
    moments = pc.if_else(is_true(rows, "IsAllDayEvent"), pc.coalesce(midnights(days, zone), moments), moments)
    kinds = pa.array(["meeting"] * rows.num_rows, pa.string())
    recorded = instants(column(rows, "CreatedDate"))
    return [
        {
            "id": source.key(rows),
            **_who(column(rows, "WhoId")),
            "kind": kinds,
            "occurred_at": moments,
            "recorded_at": recorded,
        }
    ]


def _campaigns(source: Activities, rows: pa.Table, _rejects: Rejects) -> list[Columns]:
    ours = [entry.split(":")[1] for entry in source.account.lists if entry.startswith(CAMPAIGN)]
    rows = rows.filter(pc.invert(pc.is_in(column(rows, "CampaignId"), pa.array(ours, pa.string()))))
    created = instants(column(rows, "CreatedDate"))
    about = {
        **_who(pc.coalesce(column(rows, "ContactId"), column(rows, "LeadId"))),
        "campaign": pc.coalesce(column(rows, "Campaign.Name"), column(rows, "CampaignId")),
        "category": column(rows, "Campaign.Type"),
        "recorded_at": created,
    }
    sent = {
        "id": source.key(rows, "sent"),
        "kind": pa.array(["campaign_sent"] * rows.num_rows, pa.string()),
        "occurred_at": created,
        **about,
    }
    responded = is_true(rows, "HasResponded")
    moments = pc.coalesce(
        midnights(column(rows, "FirstRespondedDate"), source.account.time_zone), instants(column(rows, STAMP))
    )
    response = {
        "id": source.key(rows, "response"),
        "kind": pa.array(["campaign_response"] * rows.num_rows),
        "occurred_at": moments,
        **about,
    }
    return [sent, {name: entry.filter(responded) for name, entry in response.items()}]


def _orders(source: Activities, rows: pa.Table, rejects: Rejects) -> list[Columns]:
    rows = rows.filter(pc.fill_null(pc.not_equal(column(rows, "StatusCode"), "Draft"), False))
    ids = column(rows, "Id").to_pylist()
    moments = midnights(column(rows, "EffectiveDate"), source.account.time_zone)
    rejects.refuse(moments.is_null(), ids, "an order without an effective date: it is not counted")
    currencies = column(rows, "CurrencyIsoCode")
    amounts = column(rows, "TotalAmount")
    home = amounts if "CurrencyIsoCode" not in rows.column_names else pa.nulls(len(amounts), pa.string())
    units, wrong, unrated = source.amounts.minor(amounts, currencies, home, moments)
    rejects.refuse(wrong, ids, "TotalAmount is no number: it is not counted")
    rejects.refuse(
        unrated,
        ids,
        f"no rate for its currency on its day: set [rates] for what account {source.account.name} sells in",
    )
    back = is_true(rows, "IsReductionOrder")
    contact = column(rows, "BillToContactId")
    keys = source.key(rows)
    columns = {
        "id": keys,
        "record_type": pc.if_else(contact.is_valid(), "contact", "company"),
        "record_id": pc.coalesce(contact, column(rows, "AccountId")),
        "order_id": keys,
        "kind": pc.if_else(back, "refund", "purchase"),
        "occurred_at": moments,
        "recorded_at": instants(column(rows, "CreatedDate")),
        "amount_minor": pc.if_else(back, pc.negate(pc.abs(units)), units),
        "currency": pc.fill_null(currencies, source.amounts.home),
        "category": column(rows, "Type"),
    }
    good = pc.invert(pc.or_(wrong, unrated))
    return [{name: array.filter(good) for name, array in columns.items()}]
