"""How do values get onto records? By calls that carry a value and the ids of all records that are to hold it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from connectors.contract import FieldSpec, Ticket
from connectors.rest.batch_writer import BatchWriter, CompareBudget, Values
from connectors.rest.outcomes import Record
from connectors.search_read.server import Denied, Refusal, Refused, Row, Server

Problem = tuple[str, str]  # kind and reason of a rejection


class Columns(Protocol):
    """Where our fields are in a model, and how a value stands in it."""

    model: str

    def kept_in(self, names: Sequence[str]) -> list[str]:
        """The model's own fields that hold these fields of ours."""

    def held(self, row: Row, name: str) -> str | None:
        """What a record holds in a field of ours, in normal form."""

    def fault(self, name: str, value: str | None) -> Problem | None:
        """Why a value cannot be written, without asking the CRM."""

    def values(self, wanted: Mapping[str, str | None]) -> dict[str, Any]:
        """What ``write`` takes so that a record holds these."""

    def normal(self, spec: FieldSpec, value: str | None) -> str | None:
        """The form in which the CRM gives a value back."""


class Writing:
    """Writes values, and reads back what records hold."""

    def __init__(self, server: Server, columns: Columns, records_per_call: int) -> None:
        self._server, self._columns, self._size = server, columns, records_per_call
        self._budget = CompareBudget(server.account.settings.compare_up_to)

    def write(self, changes: pa.Table, _ticket: Ticket) -> pa.Table:
        """Carry out changes of fields; the answer to each, in their order. Errors: see ``BatchWriter.write``."""
        return _Batch(self._server, self._columns, changes, self._size).write(self._budget)

    def current(self, changes: pa.Table) -> list[str | None]:
        """What the records hold now, for each row, in normal form."""
        return _Batch(self._server, self._columns, changes, self._size).current()


class _Batch(BatchWriter[Refusal]):
    """A table of changes on its way."""

    def __init__(self, server: Server, columns: Columns, changes: pa.Table, size: int) -> None:
        super().__init__(server.transport, changes)
        self.records_per_call = size
        self._server, self._columns = server, columns

    def reject_unwritable(self) -> None:
        outcomes = self.outcomes
        rows = zip(outcomes.types, outcomes.ids, outcomes.targets, outcomes.after, strict=True)
        for row, (record_type, id, target, after) in enumerate(rows):
            if record_type != "contact":
                outcomes.reject(
                    [row], "data", f"{self._server.crm} has no {record_type} here; it has contacts"
                )
            elif not (id.isascii() and id.isdigit()):
                outcomes.reject(
                    [row], "gone", f"there is no such record: {self._server.crm}'s ids are numbers"
                )
            elif fault := self._columns.fault(target, after):
                outcomes.reject([row], *fault)  # type: ignore[arg-type]

    def read(self, record_type: str, targets: Sequence[str], ids: Sequence[str]) -> Values:
        domain = [["id", "in", [int(id) for id in ids]]]
        fields = self._columns.kept_in(targets)
        rows = self._server.search_read(self._columns.model, domain, fields)
        return {str(row["id"]): {name: self._columns.held(row, name) for name in targets} for row in rows}

    def normal(self, record_type: str, target: str, value: str | None) -> str | None:
        return value or None

    def groups(self, record_type: str, records: Sequence[Record]) -> Iterable[Sequence[Record]]:
        """Of a CRM whose call carries one value for all of its records: those that get the same."""
        return [records] if self._server.many_values else list(self._alike(records).values())

    def send(self, record_type: str, records: Sequence[Record], happened: Callable[[], bool]) -> None:
        groups = [
            ([int(record.id) for record in alike], self._columns.values(self._wanted(alike[0])))
            for alike in self._alike(records).values()
        ]
        try:
            self._server.write(self._columns.model, groups, happened)
        except Denied as error:  # perhaps of some of the records only
            raise Refused(str(error), error.refusal) from error

    def blame(self, record_type: str, records: Sequence[Record], refusal: Refusal) -> list[Record]:
        """Reject records; of one that is not there (any more), the CRM's words say no more than that."""
        there = self.read(record_type, [], [record.id for record in records])
        for record in records:
            if record.id not in there:
                refusal = Refusal("gone", f"there is no contact {record.id}")
            self.outcomes.reject(record.rows, refusal.kind, refusal.reason)
        return []

    def _wanted(self, record: Record) -> dict[str, str | None]:
        return {target: self.outcomes.after[row] for target, row in record.cells.items()}

    def _alike(self, records: Sequence[Record]) -> dict[str, list[Record]]:
        """Records by what they are to hold."""
        groups: dict[str, list[Record]] = {}
        for record in records:
            groups.setdefault(json.dumps(self._wanted(record), sort_keys=True), []).append(record)
        return groups
