"""What do calls, meetings, e-mails, notes and tasks of HubSpot mean as activity?

Each is one row for every contact that it is associated with (for its companies where it has no contact), at
``hs_timestamp``: when a call was made, a meeting begins, an e-mail was sent, a note was written, a task is
due.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from connectors.activity import gone_rows, rows_of
from connectors.hubspot.associations import Links
from connectors.hubspot.records import MERGED, merged
from connectors.hubspot.source import Result, form, values
from connectors.values.api_columns import instants, texts
from connectors.values.rejects import Rejects

KINDS = {
    "calls": "call",
    "meetings": "meeting",
    "emails": "email",
    "notes": "note",
    "tasks": "task",
}  # object type → kind of activity


@dataclass(frozen=True)
class Engagements:
    """The engagements of one object type."""

    kind: str
    targets: tuple[str, ...] = ("contacts", "companies")
    stamp: str = "hs_lastmodifieddate"
    present: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.kind

    @property
    def properties(self) -> tuple[str, ...]:
        return (self.stamp, "hs_timestamp", MERGED)

    @property
    def essential(self) -> tuple[tuple[str, ...], ...]:
        return ((self.stamp,), ("hs_timestamp",))

    @property
    def form(self) -> str:
        return form(self.kind, self.properties, self.targets)

    def table(
        self, results: Sequence[Result], links: dict[str, Links], rejects: Rejects, whole: bool
    ) -> pa.Table:
        """One row for each engagement and each of its contacts."""
        contacts, companies = links.get("contacts", {}), links.get("companies", {})
        moments = instants(texts(values(results, "hs_timestamp")))
        ids: list[str] = []
        owners: list[str] = []
        types: list[str] = []
        places: list[int] = []
        for index, row in enumerate(results):
            id = str(row["id"])
            of_contacts = contacts.get(id)
            belongs = of_contacts or companies.get(id, [])
            ids += [id] * len(belongs)
            owners += belongs
            types += ["contact" if of_contacts else "company"] * len(belongs)
            places += [index] * len(belongs)
        singular = KINDS[self.kind]
        table = rows_of(
            {
                "id": pc.binary_join_element_wise(singular, pa.array(ids, pa.string()), "/"),
                "record_type": pa.array(types, pa.string()),
                "record_id": pa.array(owners, pa.string()),
                "kind": pa.array([singular] * len(ids), pa.string()),
                "occurred_at": moments.take(pa.array(places, pa.int64())),
            }
        )
        rejects.refuse(
            moments.is_null(), [str(row["id"]) for row in results], "has no hs_timestamp: it is not counted"
        )
        table = table.filter(table["occurred_at"].is_valid())
        if whole:
            return table
        kept = set(table["id"].to_pylist())
        void = [key for row in results if (key := f"{singular}/{row['id']}") not in kept]
        void += [f"{singular}/{old}" for row in results for old in merged(row)]
        return pa.concat_tables([table, gone_rows(void)], promote_options="default") if void else table

    def gone(self, results: Sequence[Result]) -> pa.Table:
        """Rows that end these engagements."""
        return gone_rows([f"{KINDS[self.kind]}/{row['id']}" for row in results])
