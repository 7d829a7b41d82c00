"""What do a contact's own properties tell of forms, page views and marketing e-mail?

HubSpot keeps the time of the latest of each, and how many there were: one row for each contact and kind, at
that time, with the number as its quantity. It is replaced when a later one is known: what was last, and how
long ago, is right; how many there were within some days is not told.
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
from connectors.values.api_columns import instants, numbers, texts
from connectors.values.rejects import Rejects

# source of the settings → kind of activity, property of its latest time, property of its number
PROPERTIES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "forms": (("form", "recent_conversion_date", "num_conversion_events"),),
    "pages": (("visit", "hs_analytics_last_timestamp", "hs_analytics_num_visits"),),
    "marketing_emails": (
        ("email_open", "hs_email_last_open_date", "hs_email_open"),
        ("email_click", "hs_email_last_click_date", "hs_email_click"),
        ("campaign_sent", "hs_email_last_send_date", "hs_email_delivered"),
    ),
}


@dataclass(frozen=True)
class Aggregates:
    """The latest of each kind, of all contacts."""

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
        return (
            self.stamp,
            MERGED,
            "hs_calculated_merged_vids",
            *(name for _, *names in self.wanted for name in names),
        )

    @property
    def form(self) -> str:
        return form(self.wanted)

    def table(
        self, results: Sequence[Result], links: dict[str, Links], rejects: Rejects, whole: bool
    ) -> pa.Table:
        """One row for each contact and kind of which HubSpot knows a time."""
        owners = pa.array([str(row["id"]) for row in results], pa.string())
        tables = []
        for kind, date, number in self.wanted:
            moments = instants(texts(values(results, date)))
            columns = {
                "id": pc.binary_join_element_wise(kind, owners, "/"),
                "record_type": pa.repeat(pa.scalar("contact", pa.string()), len(owners)),
                "record_id": owners,
                "kind": pa.repeat(pa.scalar(kind, pa.string()), len(owners)),
                "occurred_at": moments,
                "quantity": numbers(texts(values(results, number))),
            }
            tables.append(rows_of(columns).filter(moments.is_valid()))
        if not whole and (former := [old for row in results for old in merged(row)]):
            tables.append(self._ended(former))
        return pa.concat_tables(tables, promote_options="default")

    def gone(self, results: Sequence[Result]) -> pa.Table:
        """Rows that end what contacts did."""
        return self._ended([id for row in results for id in (str(row["id"]), *merged(row))])

    def _ended(self, ids: Sequence[str]) -> pa.Table:
        return gone_rows([f"{kind}/{id}" for id in ids for kind, _, _ in self.wanted])
