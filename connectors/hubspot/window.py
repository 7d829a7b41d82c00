"""Which records changed between two moments? HubSpot's search tells, with its limits.

A search gives at most 10,000 results, 200 a page, its body has at most 3,000 characters, and what changed is
found some seconds late (developer documentation, "Search the CRM"). So it is asked for ids and times only, in
the order of ids, each page a new search behind the last id: neither equal times nor any number of records are
too many, and nothing is paged past the cap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from connectors.values.api_columns import milliseconds

if TYPE_CHECKING:
    from connectors.hubspot.session import Portal

LIMIT = 200
MINUTE = 60_000
LAG = 2 * MINUTE  # so late may a change be found by search
LOOK_BACK = 10 * MINUTE + LAG  # so late may a change become visible at all, and be found
FRESH = 5_000  # a record read so soon after its change may have changed once more within the same millisecond
Filter = dict[str, Any]


@dataclass
class Found:
    """A page of a search: ids in their order, the times of their changes, and how many records are found from
    here on (-1: not told).
    """

    ids: list[int]
    stamps: list[int]
    total: int


@dataclass(frozen=True)
class Window:
    """Records of an object type that changed in [start, end), by the property that says when; ``end`` 0:
    until now.

    A record that changes while its window is read is found once, or not at all and then in the next window.
    """

    portal: Portal
    kind: str
    stamp: str
    start: int
    end: int = 0

    def pages(self, behind: int = 0) -> Iterator[Found]:
        """All of them, behind an id."""
        while True:
            page = self._page(behind, LIMIT)
            yield page
            if not page.ids or page.total == len(page.ids):
                return
            behind = max(page.ids)

    def total(self) -> int:
        """How many they are."""
        return self._page(0, 1).total

    def _page(self, behind: int, limit: int) -> Found:
        filters = [{"propertyName": self.stamp, "operator": "GTE", "value": str(self.start)}, _behind(behind)]
        if self.end:
            filters.append({"propertyName": self.stamp, "operator": "LT", "value": str(self.end)})
        answer = self.portal.search(self.kind, query(filters, [self.stamp], limit))
        results = [row for row in answer["results"] if int(row["id"]) > behind]
        times = [(row.get("properties") or {}).get(self.stamp) or row.get("updatedAt") for row in results]
        stamps = milliseconds(pa.array(times, pa.string())).fill_null(self.start).to_pylist()
        return Found([int(row["id"]) for row in results], stamps, int(answer.get("total", -1)))


def query(
    filters: Sequence[Filter],
    properties: Sequence[str],
    limit: int,
    direction: str = "ASCENDING",
    by: str = "hs_object_id",
) -> dict[str, Any]:
    """The body of a search, in the order of ids if nothing else is said."""
    return {
        "filterGroups": [{"filters": list(filters)}] if filters else [],
        "sorts": [{"propertyName": by, "direction": direction}],
        "properties": list(properties),
        "limit": limit,
        "after": "0",
    }


def _behind(id: int) -> Filter:
    return {"propertyName": "hs_object_id", "operator": "GT", "value": str(id)}
