"""What does every object of Salesforce tell about itself, so that one reading serves them all?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Account
from connectors.rest.seen import Overlap
from connectors.salesforce.fetching import Fetching
from connectors.values import timestamps
from connectors.values.rejects import Rejects

STAMP = "SystemModstamp"


@dataclass
class Source(ABC):
    """One object, read for one stream. Rows are tables of texts with the columns ``fields``."""

    name: str  # the part that its pages are of
    object: str  # its name in Salesforce
    fields: tuple[str, ...]  # what is read of each row
    account: Account

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Changes as soon as the same row would be read differently."""

    @abstractmethod
    def table(self, rows: pa.Table, rejects: Rejects, whole: bool) -> pa.Table:
        """The rows of the contract.

        ``whole``: nothing was delivered before, so that nothing must be taken back.
        """

    def prepare(self, fetching: Fetching, window: Sequence[str] | None, overlap: Overlap) -> None:
        """Fetch what the rows of a window (None: all rows) cannot be understood without. Here: nothing."""
        return

    def further(
        self, fetching: Fetching, window: Sequence[str], known_ids: pa.Array, overlap: Overlap
    ) -> Iterator[pa.Table]:
        """Rows that did not change in the window, but what belongs to them did. Here: none.

        ``known_ids``: of rows that are given anyway.
        """
        return iter(())


def column(rows: pa.Table, name: str) -> pa.Array:
    """A column of texts; null throughout where this user does not see the field."""
    if name not in rows.column_names:
        return pa.nulls(rows.num_rows, pa.string())
    values: pa.Array = rows[name].combine_chunks()
    return values


def is_true(rows: pa.Table, name: str) -> pa.Array:
    """Whether a checkbox is ticked; false where it is unknown."""
    return pc.fill_null(pc.equal(column(rows, name), "true"), False)


def midnights(texts: pa.Array, zone: str) -> pa.Array:
    """Days (YYYY-MM-DD) as the instant at which they begin in a time zone; null where a text is none."""
    return timestamps.api_midnights(texts, zone)


def keyed(prefix: str, ids: pa.Array, suffix: str = "") -> pa.Array:
    """Ids of activity: what it is, the record of Salesforce, and which of its activities."""
    parts = [pa.scalar(prefix), ids, *([pa.scalar(suffix)] if suffix else [])]
    return pc.binary_join_element_wise(*parts, "/")
