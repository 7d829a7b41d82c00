"""How do values get onto records, when one that HubSpot refuses must not hold up the others?

Calls of 100 records, several at a time, each record by its id and with all its values at once. HubSpot either
answers record by record, or refuses the whole call (developer documentation, "Error handling"); then what the
error names is taken out, and where it names nothing the call is halved until the record that it is about
stands alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa

from connectors.errors import TemporaryError
from connectors.http.transport import TookPlace
from connectors.hubspot.api_errors import (
    INVALID_OPTION,
    READ_ONLY,
    UNKNOWN_PROPERTY,
    Denied,
    Refusal,
    Refused,
    of_records,
)
from connectors.hubspot.fields import normal
from connectors.hubspot.paths import OBJECTS
from connectors.hubspot.session import Portal
from connectors.hubspot.shapes import RECORDS, WRITTEN
from connectors.rest.api_errors import Kind
from connectors.schemas import OUTCOME_SCHEMA

RECORDS_PER_CALL = 100
BATCH_SIZE = 4_000  # forty calls: with eight at a time, none of them waits long for the last one of a batch
_NEVER = "lifecyclestage"  # moves only forward, and starts things: it belongs to people and to HubSpot
_OPTION_LAG = 2.0  # seconds until a new option is accepted in values ...
_OPTION_PATIENCE = 5.0  # ... or some more


@dataclass(frozen=True)
class _Record:
    """A record of a batch. ``cells``: property → number of its row in the changes."""

    id: str
    cells: dict[str, int]

    def without(self, names: set[str]) -> _Record:
        return _Record(self.id, {name: row for name, row in self.cells.items() if name not in names})


@dataclass
class _Batch:
    """What is known of one table of changes while it is written. Threads work on different rows."""

    before: Sequence[str | None]
    after: Sequence[str | None]
    status: list[str]
    kinds: list[Kind | None]
    reasons: list[str | None]
    # (object type, property) that HubSpot does not have
    absent: set[tuple[str, str]] = field(default_factory=set)
    failures: list[TemporaryError] = field(default_factory=list)
    answered: bool = False  # did any call come through?
    late_since: float = 0.0  # when a new option was first refused

    def done(self, record: _Record) -> None:
        for row in record.cells.values():
            self.status[row], self.kinds[row], self.reasons[row] = "done", None, None

    def skip(self, record: _Record) -> None:
        for row in record.cells.values():
            self.status[row], self.kinds[row], self.reasons[row] = (
                "skipped",
                "conflict",
                "somebody changed the record since the pull",
            )

    def reject(self, row: int, kind: Kind, reason: str) -> None:
        self.status[row], self.kinds[row], self.reasons[row] = "rejected", kind, reason

    def refuse(self, record: _Record, names: set[str], refusal: Refusal) -> None:
        for name in names:
            part = refusal.about(name)
            self.reject(record.cells[name], part.kind, part.reason)

    def table(self) -> pa.Table:
        columns = [self.status, self.kinds, self.reasons]
        return pa.table([pa.array(column, pa.string()) for column in columns], schema=OUTCOME_SCHEMA)


@dataclass(frozen=True)
class _Answer:
    """What came of a call: all is well, or some records are to be sent ``again``, or the call was refused."""

    again: tuple[_Record, ...] = ()
    refusal: Refusal | None = None
    clean: bool = True  # no record was blamed for anything


class Writing:
    """Writes values, and reads back what records hold."""

    def __init__(self, portal: Portal, types: Mapping[tuple[str, str], str]) -> None:
        self._portal = portal
        self._types = {
            (OBJECTS[record_type], name): type_
            for (record_type, name), type_ in types.items()
            if record_type in OBJECTS
        }
        self._compared = 0  # records that were looked at right before they were written

    def write(self, changes: pa.Table) -> pa.Table:
        """Carry out changes of fields; the answer to each, in their order.

        TemporaryError where HubSpot is away altogether, QuotaError, AccessError: then nobody knows what was
        written.
        """
        count = changes.num_rows
        batch = _Batch(
            changes["before"].to_pylist(),
            changes["after"].to_pylist(),
            ["rejected"] * count,
            ["transient"] * count,
            ["not written"] * count,
        )
        records = self._records(batch, changes)
        chunks = [
            (kind, rows[start : start + RECORDS_PER_CALL])
            for kind, rows in records.items()
            for start in range(0, len(rows), 100)
        ]
        total = sum(len(rows) for rows in records.values())
        compares = self._compared + total <= self._portal.settings.compare_up_to
        self._compared += total
        for _ in self._portal.many(lambda chunk: self._write(batch, *chunk, compares), chunks):
            pass
        if batch.failures and not batch.answered:
            raise batch.failures[0]
        return batch.table()

    def current(self, changes: pa.Table) -> list[str | None]:
        """What the records hold now, for each row (as HubSpot writes it)."""
        types, ids, targets = (changes[name].to_pylist() for name in ("record_type", "id", "target"))
        current: dict[tuple[str, str], dict[str, str | None]] = {}
        for record_type, kind in OBJECTS.items():
            mine = [row for row, row_type in enumerate(types) if row_type == record_type]
            wanted = list(dict.fromkeys(ids[row] for row in mine if ids[row].isdigit()))
            names = sorted({targets[row] for row in mine})
            chunks = [
                wanted[start : start + RECORDS_PER_CALL] for start in range(0, len(wanted), RECORDS_PER_CALL)
            ]
            for values_by_id in self._portal.many(partial(self._read, kind, names), chunks):
                current.update({(record_type, id): values for id, values in values_by_id.items()})
        return [current.get((t, i), {}).get(name) for t, i, name in zip(types, ids, targets, strict=True)]

    def _read(self, kind: str, names: list[str], ids: list[str]) -> dict[str, dict[str, str | None]]:
        body = {"properties": names, "propertiesWithHistory": [], "inputs": [{"id": id} for id in ids]}
        answer = self._portal.ask(
            "POST", self._portal.path("objects", kind, "batch/read"), body=body, shape=RECORDS
        )
        return {str(record["id"]): record["properties"] for record in answer["results"]}

    def _records(self, batch: _Batch, changes: pa.Table) -> dict[str, list[_Record]]:
        """The records to write, by object type; what can never be written is answered at once."""
        cells_by_record: dict[tuple[str, str], dict[str, int]] = {}
        columns = (changes[name].to_pylist() for name in ("record_type", "id", "target"))
        for row, (record_type, id, target) in enumerate(zip(*columns, strict=True)):
            if record_type not in OBJECTS:
                batch.reject(
                    row, "data", f"HubSpot has no {record_type} here; it has {' and '.join(OBJECTS)}"
                )
            elif target == _NEVER:
                batch.reject(row, "permission", f"{_NEVER} is never written")
            elif not (id.isascii() and id.isdigit()):
                batch.reject(row, "gone", "there is no such record: HubSpot's ids are numbers")
            else:
                cells_by_record.setdefault((OBJECTS[record_type], id), {})[target] = row
        records: dict[str, list[_Record]] = {}
        for (kind, id), cells in cells_by_record.items():
            records.setdefault(kind, []).append(_Record(id, cells))
        return records

    def _write(self, batch: _Batch, kind: str, records: list[_Record], compares: bool) -> None:
        """Write one call's worth of records, in as many calls as it takes."""
        try:
            waiting = self._unmoved(batch, kind, records) if compares else records
            size, poisoned = len(records), 0
            while waiting:
                group, waiting = waiting[:size], waiting[size:]
                answer = self._send(batch, kind, group)
                if answer.refusal is None:
                    waiting, size = [*answer.again, *waiting], min(size * 2, RECORDS_PER_CALL)
                    continue
                waiting = self._isolate(batch, kind, group, answer.refusal) + waiting
                poisoned += 1
                if poisoned > 1:  # where one record after the other is refused, large calls are a waste
                    size = max(1, size // 2)
        except TemporaryError as error:
            batch.failures.append(error)
            for row in (row for record in records for row in record.cells.values()):
                if batch.reasons[row] == "not written":
                    batch.reasons[row] = str(error)

    def _unmoved(self, batch: _Batch, kind: str, records: list[_Record]) -> list[_Record]:
        """The records that hold what they held when they were read. Of one that somebody changed since,
        nothing is written.

        So a segment and the fields that go with it stay together.
        """
        current = self._read(
            kind, sorted({name for entry in records for name in entry.cells}), [entry.id for entry in records]
        )
        unmoved: list[_Record] = []
        for record in records:
            values = current.get(record.id, {})
            # others: the write itself tells why
            present = {name: row for name, row in record.cells.items() if name in values}
            now = {name: self._normal(kind, name, values[name]) for name in present}
            if all(now[name] == self._normal(kind, name, batch.before[row]) for name, row in present.items()):
                unmoved.append(record)
            elif len(present) == len(record.cells) and all(
                now[name] == self._normal(kind, name, batch.after[row]) for name, row in present.items()
            ):
                # by an earlier call whose answer was lost, or by somebody of the same opinion
                batch.done(record)
            else:
                batch.skip(record)
        return unmoved

    def _normal(self, kind: str, name: str, value: str | None) -> str | None:
        return normal(self._types.get((kind, name), "text"), value)

    def _isolate(self, batch: _Batch, kind: str, group: list[_Record], refusal: Refusal) -> list[_Record]:
        """Find one record that the refusal is about, and reject it; answers the records that are not written
        yet.

        Of two halves only one is sent: if it passes, the other holds the culprit. So n records cost log2(n)
        calls.
        """
        remaining: list[_Record] = []
        while len(group) > 1:
            half = len(group) // 2
            tried, other = group[:half], group[half:]
            answer = self._send(batch, kind, tried)
            remaining += answer.again
            if not answer.clean:
                return remaining + other
            if answer.refusal is None:
                group = other
            else:
                remaining, group, refusal = remaining + other, tried, answer.refusal
        return remaining + self._blame(batch, kind, group, refusal)

    def _send(self, batch: _Batch, kind: str, group: list[_Record]) -> _Answer:
        group = [entry for entry in (self._known(batch, kind, record) for record in group) if entry.cells]
        if not group:
            return _Answer(clean=False)
        inputs = [
            {
                "id": entry.id,
                "objectWriteTraceId": entry.id,
                "properties": {name: batch.after[row] or "" for name, row in entry.cells.items()},
            }
            for entry in group
        ]
        path = self._portal.path("objects", kind, "batch/update")
        answer: Any = None
        refusal: Refusal | None = None
        try:
            answer = self._portal.ask(
                "POST",
                path,
                body={"inputs": inputs},
                writes=True,
                happened=lambda: self._held(batch, kind, group),
                shape=WRITTEN,
            )
        except TookPlace:
            answer = {"results": [{"id": entry.id} for entry in group]}
        except Denied as error:
            if error.scopes or error.refusal.category == "MISSING_SCOPES":  # the key may not write at all
                raise
            refusal = error.refusal
        except Refused as error:
            refusal = error.refusal
        batch.answered = True
        if refusal is None:
            return self._take(batch, kind, group, answer)
        if self._late(batch, kind, refusal):
            return _Answer(tuple(group), clean=False)
        blamed = _culprits(batch, group, refusal)
        return (
            _Answer(tuple(self._blame(batch, kind, group, refusal)), clean=False)
            if blamed
            else _Answer(refusal=refusal)
        )

    def _held(self, batch: _Batch, kind: str, group: list[_Record]) -> bool:
        """Do all of these records hold what a call was to write, whose answer was lost?"""
        names = sorted({name for record in group for name in record.cells})
        current = self._read(kind, names, [record.id for record in group])
        return all(
            (current.get(record.id, {}).get(name) or "") == (batch.after[row] or "")
            for record in group
            for name, row in record.cells.items()
        )

    def _take(self, batch: _Batch, kind: str, group: list[_Record], answer: dict[str, object]) -> _Answer:
        """Read an answer that took some or all of the records."""
        open_ = {entry.id: entry for entry in group}
        again: list[_Record] = []
        nameless: list[Refusal] = []
        refusals = of_records(answer)
        late = any(self._late(batch, kind, refusal) for refusal in refusals)
        for refusal in refusals:
            named = [open_.pop(id) for id in refusal.ids if id in open_]
            if late:
                again += named
            else:
                for record in named:
                    again += self._blame(batch, kind, [record], refusal)
            nameless += [] if named else [refusal]
        for result in answer.get("results") or ():  # type: ignore[attr-defined]
            asked = open_.pop(str(result.get("objectWriteTraceId") or result.get("id")), None)
            if asked and asked.id != str(result.get("id")):
                self._reject_all(batch, asked, "gone", "the record was merged into another one")
            elif asked:
                batch.done(asked)
        left = list(open_.values())
        if left and nameless:
            if len(left) == 1:
                again += self._blame(batch, kind, left, nameless[0])
            else:  # some of these are refused: each is asked for alone
                for record in left:
                    again += self._send(batch, kind, [record]).again
        else:
            for record in left:
                self._reject_all(
                    batch, record, "gone", "HubSpot did not answer for this record: it is merged or gone"
                )
        return _Answer(tuple(again), clean=not refusals)

    def _blame(self, batch: _Batch, kind: str, group: list[_Record], refusal: Refusal) -> list[_Record]:
        """Reject what the refusal is about; answers the records that still have something to write."""
        blamed = _culprits(batch, group, refusal)
        batch.absent.update(
            (kind, detail.property)
            for detail in refusal.details
            if detail.code == UNKNOWN_PROPERTY and detail.property
        )
        remaining = []
        for record in group:
            names = blamed.get(record.id, set())
            batch.refuse(record, names, refusal)
            left = record.without(names)
            remaining += [left] if left.cells else []
        return remaining

    def _known(self, batch: _Batch, kind: str, record: _Record) -> _Record:
        """The record without the properties that another call found to be missing."""
        lacking = {name for name in record.cells if (kind, name) in batch.absent}
        for name in lacking:
            batch.reject(
                record.cells[name], "permission", f"property {name} does not exist: run `crm-segments setup`"
            )
        return record.without(lacking) if lacking else record

    def _late(self, batch: _Batch, kind: str, refusal: Refusal) -> bool:
        """Was an option refused that is there? A new one is accepted after a moment: wait for it."""
        wanted = [
            detail
            for detail in refusal.details
            if detail.code == INVALID_OPTION and detail.property and detail.value is not None
        ]
        if not wanted or (batch.late_since and time.monotonic() - batch.late_since > _OPTION_PATIENCE):
            return False
        self._portal.forget(kind)
        properties = self._portal.properties(kind)
        for detail in wanted:
            options = properties.get(detail.property, {}).get("options") or ()
            if any(option.get("value") == detail.value for option in options):
                batch.late_since = batch.late_since or time.monotonic()
                time.sleep(_OPTION_LAG)
                return True
        return False

    @staticmethod
    def _reject_all(batch: _Batch, record: _Record, kind: Kind, reason: str) -> None:
        for row in record.cells.values():
            batch.reject(row, kind, reason)


def _culprits(batch: _Batch, group: list[_Record], refusal: Refusal) -> dict[str, set[str]]:
    """The properties by record that the refusal is about, as far as it tells; of a record alone, all of it."""
    named = [entry for entry in group if entry.id in refusal.ids] or (group if len(group) == 1 else [])
    blamed: dict[str, set[str]] = {}
    for detail in refusal.details:
        of_all = detail.code == UNKNOWN_PROPERTY or detail.code in READ_ONLY
        if not (named or of_all or detail.value is not None):
            continue
        for record in named or group:
            for name, row in record.cells.items():
                same = detail.property == name if detail.property else detail.value is not None
                if same and (of_all or detail.value is None or detail.value == batch.after[row]):
                    blamed.setdefault(record.id, set()).add(name)
    for record in named:
        blamed.setdefault(record.id, set(record.cells))
    return blamed
