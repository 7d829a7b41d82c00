"""What does every source of records or activity tell about itself, so that one reading serves them all?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Protocol

import pyarrow as pa

from connectors.hubspot.associations import Links
from connectors.values.rejects import Rejects

Result = dict[str, Any]  # a record as HubSpot gives it


class Source(Protocol):
    """One object type of HubSpot, read for one stream."""

    @property
    def name(self) -> str:
        """The part that its pages are of."""

    @property
    def kind(self) -> str:
        """The object type."""

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

    @property
    def present(self) -> tuple[str, ...]:
        """Where no record has any of these properties, there is nothing to read. Empty: there always is."""

    @property
    def form(self) -> str:
        """Changes as soon as the same record would be read differently."""

    def table(
        self, results: Sequence[Result], links: dict[str, Links], rejects: Rejects, whole: bool
    ) -> pa.Table:
        """The rows that records make.

        ``whole``: nothing of them has been delivered before, so that nothing must be taken back.
        """

    def gone(self, results: Sequence[Result]) -> pa.Table:
        """The rows that take back records that were archived (as HubSpot still gives them, or with their id
        only).
        """


def form(*facts: object) -> str:
    """A digest of what decides how a source is read."""
    return hashlib.blake2b(
        json.dumps(facts, sort_keys=True, default=repr).encode(), digest_size=12
    ).hexdigest()


def values(results: Sequence[Result], name: str) -> list[Any]:
    """A property of each record."""
    return [row["properties"].get(name) for row in results]
