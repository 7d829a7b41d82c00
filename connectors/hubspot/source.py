"""What does every source of records or activity tell about itself, so that one reading serves them all?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import pyarrow as pa

from connectors.rest import source
from connectors.rest.source import Row
from connectors.values.api_columns import texts

MERGED = "hs_merged_object_ids"


class Source(source.Source, Protocol):
    """One object type of HubSpot, read for one stream."""

    @property
    def stamp(self) -> str:
        """The property that says when a record changed."""

    @property
    def properties(self) -> tuple[str, ...]:
        """What is read of a record."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Object types whose associations are needed."""

    @property
    def essential(self) -> tuple[tuple[str, ...], ...]:
        """Of each of these groups HubSpot must show one property: without it the rows would be wrong, and
        nobody would know.
        """


def values(rows: Sequence[Row], name: str) -> pa.Array:
    """A property of each record, as text."""
    return texts(row["properties"].get(name) for row in rows)


def ids_of(rows: Iterable[Row]) -> list[str]:
    """The id of each record, as text."""
    return [str(row["id"]) for row in rows]


def merged(row: Row) -> list[str]:
    """Ids of the records that were merged into one: ``ID;ID``, of contacts also ``ID:TIME;ID:TIME``."""
    properties: dict[str, Any] = row.get("properties") or {}
    former, dated = properties.get(MERGED), properties.get("hs_calculated_merged_vids")
    if not former and not dated:
        return []
    parts = [*str(former or "").split(";"), *(part.partition(":")[0] for part in str(dated or "").split(";"))]
    own = str(row["id"])
    return list(dict.fromkeys(id for part in parts if (id := part.strip()).isdigit() and id != own))
