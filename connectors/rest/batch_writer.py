"""How do values get onto records, when one that the CRM refuses must not hold up the others?

Calls of so many records, several at a time, each record with all its values at once. A CRM answers record by
record, or refuses the whole call: then what the error names is taken out, and where it names nothing the call
is halved until the record that it is about stands alone. A call whose answer is lost is settled by reading
back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import pyarrow as pa

from connectors.errors import TemporaryError
from connectors.http.transport import TookPlace, Transport
from connectors.rest.api_errors import Refusal, Refused
from connectors.rest.outcomes import Outcomes, Record, targets_of

Complaint = TypeVar("Complaint", bound=Refusal)
Item = TypeVar("Item")
Result = TypeVar("Result")
Values = Mapping[str, Mapping[str, str | None]]  # id of a record → target → what it holds
Read = Callable[[str, Sequence[str], Sequence[str]], Values]  # of a record type, these targets, these ids
Held = dict[tuple[str, str], Mapping[str, str | None]]  # (record type, id) → target → what it holds


def slices(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def bisected(
    send: Callable[[Sequence[Item]], Result], items: Sequence[Item], divides: Callable[[Complaint], bool]
) -> Iterator[tuple[Sequence[Item], Result | Complaint]]:
    """The items of each call, with its answer. A call that is refused whole is halved, and both halves are
    sent, until an item that is refused stands alone, with its refusal.

    ``divides``: whether a refusal is about single items; another one is raised.
    """
    try:
        answer: Result | Complaint = send(items)
    except Refused as error:
        if not divides(error.refusal):
            raise
        if len(items) > 1:
            middle = len(items) // 2
            yield from bisected(send, items[:middle], divides)
            yield from bisected(send, items[middle:], divides)
            return
        answer = error.refusal
    yield items, answer


def read_back(transport: Transport, records: Mapping[str, Sequence[Record]], read: Read, size: int) -> Held:
    """What records hold in the fields that are about to be written, ``size`` of them a call; those that are
    gone, and fields that are not seen, are missing.
    """
    held: Held = {}
    for record_type, of_type in records.items():
        calls = slices([record.id for record in of_type], size)
        for values in transport.run(partial(read, record_type, targets_of(of_type)), calls):
            held.update({(record_type, id): of_record for id, of_record in values.items()})
    return held


class CompareBudget:
    """How many records of a run are looked at right before they are written."""

    def __init__(self, records: int) -> None:
        self._left = records

    def covers(self, records: int) -> bool:
        """Whether it covers these too; a batch that it does not cover uses it up all the same."""
        self._left -= records
        return self._left >= 0


@dataclass(frozen=True)
class Answer(Generic[Complaint]):
    """What came of a call: all is well, or some records are to be sent ``again``, or the call was refused."""

    again: tuple[Record, ...] = ()
    refusal: Complaint | None = None
    clean: bool = True  # no record was blamed for anything


class BatchWriter(ABC, Generic[Complaint]):
    """One batch on its way. What differs from CRM to CRM is told by the methods that a subclass gives."""

    records_per_call = 100
    moved = "somebody changed the record since the pull"

    def __init__(self, transport: Transport, changes: pa.Table) -> None:
        self.outcomes = Outcomes(changes)
        self._transport = transport
        self._answered = False  # did any call come through?

    @abstractmethod
    def reject_unwritable(self) -> None:
        """Reject the changes that can never be carried out, without asking the CRM."""

    @abstractmethod
    def read(self, record_type: str, targets: Sequence[str], ids: Sequence[str]) -> Values:
        """What the records of one call hold, as the CRM writes it; those that are gone are left out."""

    @abstractmethod
    def send(self, record_type: str, records: Sequence[Record], happened: Callable[[], bool]) -> Any:
        """Write records by one call: its answer, or Refused.

        ``happened``: whether a call whose answer was lost took place (see ``Call``).
        """

    def prepared(self, record_type: str, records: Sequence[Record]) -> list[Record]:
        """The records without what is known by now to be refused."""
        return list(records)

    def take(self, record_type: str, records: Sequence[Record], answer: Any) -> Answer[Complaint]:
        """Give the records that a call took their outcomes: here all of them."""
        for record in records:
            self.outcomes.done(record.rows)
        return Answer()

    def refused(self, record_type: str, records: Sequence[Record], refusal: Complaint) -> Answer[Complaint]:
        """What to do about a call that was refused whole: here it is halved."""
        return Answer(refusal=refusal)

    def blame(self, record_type: str, records: Sequence[Record], refusal: Complaint) -> list[Record]:
        """Reject what a refusal is about: here all of the records. Those with something left to be written."""
        for record in records:
            self.outcomes.reject(record.rows, refusal.kind, refusal.reason)
        return []

    def normal(self, record_type: str, target: str, value: str | None) -> str | None:
        """The form in which two values are compared."""
        return value

    def groups(self, record_type: str, records: Sequence[Record]) -> Iterable[Sequence[Record]]:
        """The records that may share a call: all of a type, unless a call carries one value for all of its
        records.
        """
        return [records]

    def write(self, budget: CompareBudget) -> pa.Table:
        """Carry out the changes; the answer to each, in their order.

        TemporaryError where the CRM is away altogether, QuotaError, AccessError: then nobody knows what was
        written.
        """
        self.reject_unwritable()
        records = self.outcomes.records()
        compares = budget.covers(sum(map(len, records.values())))
        calls = [
            (record_type, call)
            for record_type, of_type in records.items()
            for group in self.groups(record_type, of_type)
            for call in slices(group, self.records_per_call)
        ]
        results = self._transport.run(lambda call: self._write(*call, compares), calls)
        failures = [failure for failure in results if failure is not None]
        if failures and not self._answered:
            raise failures[0]
        return self.outcomes.table("not written")

    def current(self) -> list[str | None]:
        """What the records hold now, for each change (as the CRM writes it)."""
        self.reject_unwritable()
        held = read_back(self._transport, self.outcomes.records(), self.read, self.records_per_call)
        return self.outcomes.values(held)

    def _write(self, record_type: str, records: Sequence[Record], compares: bool) -> TemporaryError | None:
        """Write the records of one call, in as many calls as it takes; the error that broke it off."""
        try:
            waiting = self._unmoved(record_type, records) if compares else list(records)
            size, poisoned = len(records), 0
            while waiting:
                group, waiting = waiting[:size], waiting[size:]
                answer = self._send(record_type, group)
                if answer.refusal is None:
                    waiting, size = [*answer.again, *waiting], min(size * 2, self.records_per_call)
                    continue
                waiting = self._isolate(record_type, group, answer.refusal) + waiting
                poisoned += 1
                if poisoned > 1:  # where one record after the other is refused, large calls are a waste
                    size = max(1, size // 2)
        except TemporaryError as error:
            for record in records:
                self.outcomes.reject(self.outcomes.unanswered(record.rows), "transient", str(error))
            return error
        return None

    def _send(self, record_type: str, records: Sequence[Record]) -> Answer[Complaint]:
        records = [record for record in self.prepared(record_type, records) if record.cells]
        if not records:
            return Answer(clean=False)
        try:
            answer = self.send(record_type, records, lambda: self._arrived(record_type, records))
        except TookPlace:
            self._answered = True
            return BatchWriter.take(self, record_type, records, None)
        except Refused as error:
            self._answered = True
            return self.refused(record_type, records, error.refusal)
        self._answered = True
        return self.take(record_type, records, answer)

    def _isolate(self, record_type: str, group: Sequence[Record], refusal: Complaint) -> list[Record]:
        """Find one record that the refusal is about, and reject it; the records that are not written yet.

        Of two halves only one is sent: if it passes, the other holds the culprit. So n records cost log2(n)
        calls.
        """
        remaining: list[Record] = []
        while len(group) > 1:
            tried, other = group[: len(group) // 2], group[len(group) // 2 :]
            answer = self._send(record_type, tried)
            remaining += answer.again
            if not answer.clean:
                return [*remaining, *other]
            if answer.refusal is None:
                group = other
            else:
                remaining, group, refusal = [*remaining, *other], tried, answer.refusal
        return [*remaining, *self.blame(record_type, group, refusal)]

    def _unmoved(self, record_type: str, records: Sequence[Record]) -> list[Record]:
        """The records that hold what they held when they were read. Of one that somebody changed since,
        nothing is written.

        So a segment and the fields that go with it stay together.
        """
        current = self.read(record_type, targets_of(records), [record.id for record in records])
        unmoved: list[Record] = []
        for record in records:
            values = current.get(record.id, {})
            # others: the write itself tells why
            present = {target: row for target, row in record.cells.items() if target in values}
            if self._all_hold(record_type, present, values, self.outcomes.before):
                unmoved.append(record)
            elif len(present) == len(record.cells) and self._all_hold(
                record_type, present, values, self.outcomes.after
            ):
                # by an earlier call whose answer was lost, or by somebody of the same opinion
                self.outcomes.done(record.rows)
            else:
                self.outcomes.skip(record.rows, self.moved)
        return unmoved

    def _all_hold(
        self,
        record_type: str,
        cells: Mapping[str, int],
        values: Mapping[str, str | None],
        wanted: Sequence[str | None],
    ) -> bool:
        return all(
            self.normal(record_type, target, values[target]) == self.normal(record_type, target, wanted[row])
            for target, row in cells.items()
        )

    def _arrived(self, record_type: str, records: Sequence[Record]) -> bool:
        """Whether all of these records hold what a call was to write, whose answer was lost."""
        current = self.read(record_type, targets_of(records), [record.id for record in records])
        return all(
            (current.get(record.id, {}).get(target) or "") == (self.outcomes.after[row] or "")
            for record in records
            for target, row in record.cells.items()
        )
