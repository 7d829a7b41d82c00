"""What did people of HubSpot do besides buying: calls, meetings, e-mails, notes, tasks; forms, page views and
marketing e-mail?

An engagement is one row for every contact that it is associated with (for its companies where it has no
contact), at ``hs_timestamp``: when a call was made, a meeting begins, an e-mail was sent, a note was written,
a task is due.

Of the others a contact's own properties tell: the time of the latest of each, and how many there were. That
is one row for each contact and type, at that time, with the number as its quantity. It is replaced when a
later one is known: what was last, and how long ago, is right; how many there were within some days is not
told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from connectors.hubspot.source import MERGED, ids_of, merged, values
from connectors.rest.activity import Owners, gone_rows, repeated, rows_of, taking_back
from connectors.rest.cursor import fingerprint
from connectors.rest.source import Links, Row
from connectors.values.api_columns import instants, numbers
from connectors.values.rejects import Rejects

# object type → type of activity
ENGAGEMENTS = {
    "calls": "call",
    "meetings": "meeting",
    "emails": "email",
    "notes": "note",
    "tasks": "task",
}
# source of the settings → type of activity, property of its latest time, property of its number
AGGREGATES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "forms": (("form", "recent_conversion_date", "num_conversion_events"),),
    "pages": (("visit", "hs_analytics_last_timestamp", "hs_analytics_num_visits"),),
    "marketing_emails": (
        ("email_open", "hs_email_last_open_date", "hs_email_open"),
        ("email_click", "hs_email_last_click_date", "hs_email_click"),
        ("campaign_sent", "hs_email_last_send_date", "hs_email_delivered"),
    ),
}


@dataclass(frozen=True)
class Engagements:
    """The engagements of one object type."""

    kind: str
    targets: tuple[str, ...] = ("contacts", "companies")
    stamp: str = "hs_lastmodifieddate"
    present: tuple[str, ...] = ()
    properties: tuple[str, ...] = ("hs_lastmodifieddate", "hs_timestamp", MERGED)
    essential: tuple[tuple[str, ...], ...] = (("hs_lastmodifieddate",), ("hs_timestamp",))

    @property
    def name(self) -> str:
        return self.kind

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.kind, self.properties, self.targets)

    def table(
        self, rows: Sequence[Row], links: Mapping[str, Links], rejects: Rejects, whole: bool
    ) -> pa.Table:
        """One row for each engagement and each of its contacts."""
        contacts, companies = links.get("contacts", {}), links.get("companies", {})
        ids, moments = ids_of(rows), instants(values(rows, "hs_timestamp"))
        rejects.refuse(moments.is_null(), ids, "has no hs_timestamp: it is not counted")
        owners = Owners.of((contacts.get(id, ()) for id in ids), (companies.get(id, ()) for id in ids))
        places, singular = pa.array(owners.deals), ENGAGEMENTS[self.kind]
        table = rows_of(
            {
                "id": pc.binary_join_element_wise(singular, pa.array(ids, pa.string()).take(places), "/"),
                "record_type": owners.record_types,
                "record_id": owners.record_ids,
                "kind": repeated(singular, len(places)),
                "occurred_at": moments.take(places),
            }
        )
        table = table.filter(pc.and_(table["occurred_at"].is_valid(), table["record_id"].is_valid()))
        if whole:
            return table
        former = [old for row in rows for old in merged(row)]
        return taking_back(table, [f"{singular}/{id}" for id in (*ids, *former)])

    def gone(self, rows: Sequence[Row]) -> pa.Table:
        """Rows that end these engagements."""
        return gone_rows(f"{ENGAGEMENTS[self.kind]}/{id}" for id in ids_of(rows))


@dataclass(frozen=True)
class Aggregates:
    """The latest of each type, of all contacts."""

    wanted: tuple[tuple[str, str, str], ...]
    name: str = "contact properties"
    kind: str = "contacts"
    stamp: str = "lastmodifieddate"
    targets: tuple[str, ...] = ()
    essential: tuple[tuple[str, ...], ...] = ()

    @property
    def present(self) -> tuple[str, ...]:
        return tuple(date for _, date, _ in self.wanted)

    @property
    def properties(self) -> tuple[str, ...]:
        told_by = (name for _, *names in self.wanted for name in names)
        return (self.stamp, MERGED, "hs_calculated_merged_vids", *told_by)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.wanted)

    def table(
        self, rows: Sequence[Row], links: Mapping[str, Links], rejects: Rejects, whole: bool
    ) -> pa.Table:
        """One row for each contact and type of which HubSpot knows a time."""
        owners = pa.array(ids_of(rows), pa.string())
        tables = []
        for type, date, number in self.wanted:
            moments = instants(values(rows, date))
            columns = {
                "id": pc.binary_join_element_wise(type, owners, "/"),
                "record_type": repeated("contact", len(owners)),
                "record_id": owners,
                "kind": repeated(type, len(owners)),
                "occurred_at": moments,
                "quantity": numbers(values(rows, number)),
            }
            tables.append(rows_of(columns).filter(moments.is_valid()))
        table = pa.concat_tables(tables)
        return table if whole else taking_back(table, self._ids(old for row in rows for old in merged(row)))

    def gone(self, rows: Sequence[Row]) -> pa.Table:
        """Rows that end what contacts did."""
        return gone_rows(self._ids(id for row in rows for id in (str(row["id"]), *merged(row))))

    def _ids(self, contacts: Iterable[str]) -> Iterator[str]:
        return (f"{type}/{id}" for id in contacts for type, _, _ in self.wanted)
