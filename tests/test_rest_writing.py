"""A batch reaches a CRM whose calls carry one value for many records, though the connector says only how one
call is sent: what is common to all CRMs stands in ``connectors.rest``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pyarrow as pa
import pytest

from connectors.errors import TemporaryError
from connectors.http.transport import TookPlace, Transport
from connectors.rest.api_errors import Kind, Refused
from connectors.rest.batch_writer import BatchWriter, CompareBudget, Values
from connectors.rest.outcomes import Record
from tests.contract_suite import changes

FIELD = "segment"


@dataclass(frozen=True)
class No:
    """What the CRM says."""

    kind: Kind = "data"
    reason: str = "no"


@dataclass
class Crm:
    """Values of one field by id, and calls that write one of them to many records."""

    held: dict[str, str | None] = field(default_factory=dict)
    poisoned: frozenset[str] = frozenset()
    away_after: int = 1000  # calls
    loses: bool = False  # answers, after it did what was asked
    calls: list[tuple[list[str], str | None]] = field(default_factory=list)

    def write(self, ids: list[str], value: str | None) -> None:
        if len(self.calls) >= self.away_after:
            raise TemporaryError("away")
        self.calls.append((ids, value))
        if self.poisoned & set(ids):
            raise Refused("no", No())
        self.held.update(dict.fromkeys(ids, value))


class Inline:
    """Stands for the transport: one call after the other."""

    def run(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterable[Any]:
        return map(function, items)


class Batch(BatchWriter[No]):
    records_per_call = 8

    def __init__(self, crm: Crm, table: pa.Table) -> None:
        super().__init__(cast(Transport, Inline()), table)
        self._crm = crm

    def reject_unwritable(self) -> None:
        unknown = [row for row, id in enumerate(self.outcomes.ids) if not id.isdigit()]
        self.outcomes.reject(unknown, "gone", "there is no such record")

    def read(self, record_type: str, targets: Sequence[str], ids: Sequence[str]) -> Values:
        return {id: {FIELD: self._crm.held[id]} for id in ids if id in self._crm.held}

    def groups(self, record_type: str, records: Sequence[Record]) -> Iterable[Sequence[Record]]:
        by_value: dict[str | None, list[Record]] = {}
        for record in records:
            by_value.setdefault(self._value(record), []).append(record)
        return by_value.values()

    def send(self, record_type: str, records: Sequence[Record], happened: Callable[[], bool]) -> Any:
        self._crm.write([record.id for record in records], self._value(records[0]))
        if self._crm.loses and happened():
            raise TookPlace

    def _value(self, record: Record) -> str | None:
        return self.outcomes.after[record.cells[FIELD]]


def written(crm: Crm, rows: list[tuple[str, str, str | None, str | None]], compared: int = 0) -> list[str]:
    """The status of each change, and the kind of a rejection."""
    answers = Batch(crm, changes(*rows)).write(CompareBudget(compared)).to_pylist()
    return [" ".join(filter(None, (answer["status"], answer["kind"]))) for answer in answers]


def rows(count: int, *values: str) -> list[tuple[str, str, str | None, str | None]]:
    return [(str(number), FIELD, None, values[number % len(values)]) for number in range(count)]


def test_each_call_carries_one_value_for_as_many_records_as_fit() -> None:
    crm = Crm()
    assert written(crm, rows(20, "loyal", "lost")) == ["done"] * 20
    assert [(len(ids), value) for ids, value in crm.calls] == [
        (8, "loyal"),
        (2, "loyal"),
        (8, "lost"),
        (2, "lost"),
    ]
    assert crm.held == {str(number): ("loyal", "lost")[number % 2] for number in range(20)}


@pytest.mark.parametrize("poisoned", range(8))
def test_a_poisoned_record_stands_alone_and_the_others_are_written(poisoned: int) -> None:
    crm = Crm(poisoned=frozenset({str(poisoned)}))
    assert written(crm, rows(8, "loyal")) == [
        "rejected data" if number == poisoned else "done" for number in range(8)
    ]
    assert len(crm.calls) <= 6
    assert len(crm.held) == 7


def test_a_call_that_took_place_though_its_answer_was_lost_is_not_sent_again() -> None:
    crm = Crm(loses=True)
    assert written(crm, rows(8, "loyal")) == ["done"] * 8
    assert len(crm.calls) == 1


def test_what_somebody_changed_since_is_skipped_and_what_is_there_is_done() -> None:
    crm = Crm(held={"0": None, "1": "other", "2": "loyal"})
    assert written(crm, rows(3, "loyal"), compared=3) == ["done", "skipped conflict", "done"]
    assert crm.calls == [(["0"], "loyal")]


def test_without_a_budget_nothing_is_looked_at_before_it_is_written() -> None:
    crm = Crm(held={"0": None, "1": "other"})
    assert written(crm, rows(2, "loyal"), compared=1) == ["done", "done"]


def test_what_can_never_be_written_costs_no_call() -> None:
    crm = Crm()
    assert written(crm, [("x", FIELD, None, "loyal")]) == ["rejected gone"]
    assert not crm.calls


def test_a_crm_that_goes_away_keeps_what_it_took_and_the_rest_waits() -> None:
    crm = Crm(away_after=1)
    assert written(crm, rows(12, "loyal")) == ["done"] * 8 + ["rejected transient"] * 4


def test_a_crm_that_is_away_altogether_ends_the_batch() -> None:
    with pytest.raises(TemporaryError):
        written(Crm(away_after=0), rows(12, "loyal"))


def test_what_is_there_now_is_told_change_by_change() -> None:
    crm = Crm(held={"0": "loyal", "1": None})
    table = changes(*rows(3, "lost"), ("x", FIELD, None, "lost"))
    assert Batch(crm, table).current() == ["loyal", None, None, None]
