"""What must be known of records that an API gives as JSON, so that one reading serves them all?

``Source`` says what the records mean, ``Api`` how they are fetched. Ids are whole numbers in ascending order,
times are milliseconds since 1970 of the CRM's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from connectors.values.rejects import Rejects

Row = dict[str, Any]  # a record as the API gives it, with its ``id``
Links = dict[str, list[str]]  # record id → ids of its associates, the primary one first
# runs a function over items, several at a time, and gives its results in their order
Runner = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


@dataclass
class Listed:
    """One answer to a listing."""

    results: list[Row]
    after: str | None  # the cursor that goes on; None: this was the last page


@dataclass
class Found:
    """Records that changed, a page of them: ids in their order, the times of their changes, and how many
    there are from here on (-1: not told).
    """

    ids: list[int]
    stamps: list[int]
    total: int


class Source(Protocol):
    """One object type, read for one stream."""

    @property
    def name(self) -> str:
        """The part that its pages are of."""

    @property
    def kind(self) -> str:
        """The object type, as the CRM calls it."""

    @property
    def fingerprint(self) -> str:
        """Changes as soon as the same record would be read differently."""

    @property
    def present(self) -> tuple[str, ...]:
        """Where no record has a value in any of these, there is nothing to read. Empty: there always is."""

    def table(
        self, rows: Sequence[Row], links: Mapping[str, Links], rejects: Rejects, whole: bool
    ) -> pa.Table:
        """The rows that records make. ``links``: of each object type that they are associated with.

        ``whole``: nothing of them has been delivered before, so that nothing must be taken back.
        """

    def gone(self, rows: Sequence[Row]) -> pa.Table:
        """The rows that take back records that are gone (as the CRM still gives them, or with their id only)."""


class Api(Protocol):
    """The calls that fetch the records of one source, and what stands in the answers."""

    crm: str  # its name, for messages
    look_back: int  # so late may a change become visible, and be found
    lag: int  # so late may a change be found that is visible
    batch: int  # records of one call of ``read``
    count_cap: int  # a count as high as this may be too low

    @property
    def run(self) -> Runner:
        """Makes calls, several at a time."""

    def now(self) -> int:
        """The CRM's clock."""

    def size(self) -> tuple[int, int]:
        """The highest id and the number of records."""

    def holding(self, name: str) -> int:
        """How many records have a value in a field."""

    def some_exist(self) -> bool:
        """Whether any of the records that are counted can be read."""

    def page(self, after: str | None) -> Listed:
        """A page of all records, in the order of ids, behind a cursor; an id is a cursor too."""

    def changed(self, start: int, end: int, behind: int) -> Iterator[Found]:
        """Records with an id above ``behind`` that changed in [start, end); ``end`` 0: until now."""

    def changed_total(self, start: int, end: int) -> int:
        """How many records changed in [start, end)."""

    def read(self, ids: Sequence[str]) -> tuple[list[Row], list[str]]:
        """Records by id, at most ``batch``, and the ids that are not there any more."""

    def recycled(self) -> Iterator[tuple[Row, int]]:
        """Every record in the recycle bin, and when it came there. TooMany where the CRM has no bin: what is
        gone is then found by reading everything again.
        """

    def links(self, rows: Sequence[Row], listed: bool) -> dict[str, Links]:
        """The associations of records, which were ``listed`` with them or must be asked for."""

    def stamps(self, rows: Sequence[Row]) -> list[int]:
        """When each record changed last."""

    def created(self, rows: Sequence[Row]) -> list[int]:
        """When each record was made."""

    def digests(self, rows: Sequence[Row], links: Mapping[str, Links]) -> list[int]:
        """What each record holds, in 32 bits: to tell one that came again from one that changed."""

    def merged(self, row: Row) -> list[str]:
        """Ids of the records that were merged into one."""
