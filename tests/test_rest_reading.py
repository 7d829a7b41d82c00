"""A CRM of another kind, ``search_read`` over its records and no recycle bin, is read by what is written once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from connectors.rest import full_read, paging
from connectors.rest.progress import loads
from connectors.rest.reading import TooMany, pages
from connectors.rest.record_reader import RecordReader
from connectors.rest.source import Found, Links, Listed, Row
from connectors.values.rejects import Rejects

MINUTE = 60_000


@dataclass
class Crm:
    """Partners with a number and the moment of their last write, as an ORM over JSON-RPC gives them."""

    partners: dict[int, Row] = field(default_factory=dict)
    clock: int = 1_800_000_000_000
    calls: int = 0

    def write(self, id: int, name: str) -> None:
        self.clock += 1_000
        created = self.partners.get(id, {}).get("create_date", self.clock)
        self.partners[id] = {"id": id, "name": name, "create_date": created, "write_date": self.clock}

    def search_read(self, is_wanted: Callable[[Row], bool], limit: int) -> list[Row]:
        self.calls += 1
        return [self.partners[id] for id in sorted(self.partners) if is_wanted(self.partners[id])][:limit]


@dataclass
class Partners:
    """All that the connector of such a CRM needs to write for the reading of one stream."""

    crm_: Crm
    name: str = "partners"
    kind: str = "res.partner"
    fingerprint: str = "1"
    present: tuple[str, ...] = ()
    crm: str = "Toy"
    look_back: int = 12 * MINUTE
    lag: int = 2 * MINUTE
    batch: int = 100
    count_cap: int = -1

    def table(
        self, rows: Sequence[Row], links: Mapping[str, Links], rejects: Rejects, whole: bool
    ) -> pa.Table:
        columns = {"id": [str(row["id"]) for row in rows], "name": [row["name"] for row in rows]}
        return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})

    def gone(self, rows: Sequence[Row]) -> pa.Table:
        raise AssertionError("nothing is reported as gone")

    def run(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return map(function, items)

    def now(self) -> int:
        return self.crm_.clock

    def size(self) -> tuple[int, int]:
        self.crm_.calls += 1
        return max(self.crm_.partners, default=0), len(self.crm_.partners)

    def holding(self, name: str) -> int:
        return len(self.crm_.partners)

    def some_exist(self) -> bool:
        return bool(self.crm_.partners)

    def page(self, after: str | None) -> Listed:
        rows = self.crm_.search_read(lambda row: row["id"] > int(after or 0), self.batch)
        return Listed(rows, str(rows[-1]["id"]) if len(rows) == self.batch else None)

    def changed(self, start: int, end: int, behind: int) -> Iterator[Found]:
        def page(id: int | None) -> Found:
            rows = self.crm_.search_read(
                lambda row: row["write_date"] >= start and row["id"] > (id or 0), self.batch
            )
            return Found([row["id"] for row in rows], [row["write_date"] for row in rows], -1)

        return paging.pages(page, lambda last: last.ids[-1] if len(last.ids) == self.batch else None, behind)

    def changed_total(self, start: int, end: int) -> int:
        return sum(start <= row["write_date"] < end for row in self.crm_.partners.values())

    def read(self, ids: Sequence[str]) -> tuple[list[Row], list[str]]:
        rows = self.crm_.search_read(lambda row: str(row["id"]) in ids, len(ids))
        return rows, sorted(set(ids) - {str(row["id"]) for row in rows})

    def recycled(self) -> Iterator[tuple[Row, int]]:
        raise TooMany

    def links(self, rows: Sequence[Row], listed: bool) -> dict[str, Links]:
        return {}

    def stamps(self, rows: Sequence[Row]) -> list[int]:
        return [row["write_date"] for row in rows]

    def created(self, rows: Sequence[Row]) -> list[int]:
        return [row["create_date"] for row in rows]

    def digests(self, rows: Sequence[Row], links: Mapping[str, Links]) -> list[int]:
        return [hash(row["name"]) & 0xFFFFFFFF for row in rows]

    def merged(self, row: Row) -> list[str]:
        return []


class Mirror:
    """What came of the pages, and the position behind the last one."""

    def __init__(self, crm: Crm) -> None:
        self.crm = crm
        self.position: str | None = None
        self.names: dict[str, str] = {}
        self.unfinished: dict[str, str] = {}

    def pull(self, most: int | None = None) -> int:
        """Read on, at most so many pages; how many rows came."""
        partners = Partners(self.crm)
        now = datetime.fromtimestamp(self.crm.clock / 1000, UTC)
        reader = RecordReader(partners, partners, now, timedelta(days=30))
        rows = 0
        for number, page in enumerate(pages("contact", loads(self.position, 1), [reader]), 1):
            came = dict(zip(*(page.records[name].to_pylist() for name in ("id", "name")), strict=True))
            rows += len(came)
            if page.whole:
                self.unfinished = came if page.first else self.unfinished | came
                self.names = self.unfinished if page.last else self.names
            else:
                self.names |= came
            self.position = page.position
            if number == most:
                break
        return rows

    @property
    def is_right(self) -> bool:
        return self.names == {str(id): row["name"] for id, row in self.crm.partners.items()}


@pytest.fixture
def crm() -> Crm:
    crm = Crm()
    for id in range(1, 1_001):
        crm.write(id * 3, f"n{id}")
    crm.clock += 60 * MINUTE
    return crm


def test_all_records_come_and_then_only_what_changed(crm: Crm) -> None:
    mirror = Mirror(crm)
    assert mirror.pull() == 1_000 and mirror.is_right
    crm.write(3, "other")
    crm.write(9_999, "new")
    assert mirror.pull() == 2 and mirror.is_right


def test_an_account_in_which_nothing_changed_costs_two_calls_and_brings_no_page(crm: Crm) -> None:
    mirror = Mirror(crm)
    mirror.pull()
    position, calls = mirror.position, crm.calls
    assert mirror.pull() == 0 and crm.calls - calls == 2 and mirror.position == position


def test_a_deleted_record_is_found_by_the_number_of_records_and_everything_is_read_again(crm: Crm) -> None:
    mirror = Mirror(crm)
    mirror.pull()
    del crm.partners[30]
    assert mirror.pull() == 999 and mirror.is_right


def test_a_reading_cut_off_after_any_page_goes_on_without_a_gap(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_read, "ROWS", 200)
    mirror, came = Mirror(crm), 0
    while rows := mirror.pull(1):
        came += rows
    assert mirror.is_right and came == 1_000


def test_a_change_that_becomes_visible_late_is_found_by_the_look_back(crm: Crm) -> None:
    mirror = Mirror(crm)
    mirror.pull()
    crm.clock += 30 * MINUTE
    mirror.pull()
    crm.partners[3] |= {"name": "late", "write_date": crm.clock - 5 * MINUTE}
    crm.write(6, "in time")
    mirror.pull()
    assert mirror.is_right
