"""What came of each change of a batch? Filled in while the batch is written, told as a table at its end."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from connectors.rest.api_errors import Kind
from connectors.schemas import CHANGE_SCHEMA, OUTCOME_SCHEMA

_Outcome = tuple[str, Kind | None, str | None]  # a row of OUTCOME_SCHEMA
_DONE: _Outcome = ("done", None, None)


@dataclass(frozen=True)
class Record:
    """A record of a batch. ``cells``: target → number of its row in the changes."""

    id: str
    cells: Mapping[str, int]

    @property
    def rows(self) -> Iterable[int]:
        """The rows of its changes."""
        return self.cells.values()

    def without(self, targets: Container[str]) -> Record:
        """The record without some of its changes."""
        return Record(self.id, {name: row for name, row in self.cells.items() if name not in targets})


def targets_of(records: Iterable[Record]) -> list[str]:
    """All targets of records, in the order of their changes."""
    cells = sorted((row, target) for record in records for target, row in record.cells.items())
    return list(dict.fromkeys(target for _, target in cells))


class Outcomes:
    """Changes (CHANGE_SCHEMA), column by column, and what is known of each. Threads work on different rows."""

    def __init__(self, changes: pa.Table) -> None:
        columns = (changes[name].to_pylist() for name in CHANGE_SCHEMA.names)
        self.types: Sequence[str]
        self.ids: Sequence[str]
        self.targets: Sequence[str]
        self.before: Sequence[str | None]
        self.after: Sequence[str | None]
        self.types, self.ids, self.targets, self.before, self.after = columns
        self._outcomes: list[_Outcome | None] = [None] * changes.num_rows

    def done(self, rows: Iterable[int]) -> None:
        """The CRM says that it took these."""
        for row in rows:
            self._outcomes[row] = _DONE

    def reject(self, rows: Iterable[int], kind: Kind, reason: str) -> None:
        """These are not carried out."""
        outcome: _Outcome = ("rejected", kind, reason)
        for row in rows:
            self._outcomes[row] = outcome

    def skip(self, rows: Iterable[int], reason: str) -> None:
        """What the CRM holds is no longer the ``before`` of these."""
        outcome: _Outcome = ("skipped", "conflict", reason)
        for row in rows:
            self._outcomes[row] = outcome

    def unanswered(self, rows: Iterable[int]) -> list[int]:
        """Those of the rows of which nothing is known."""
        return [row for row in rows if self._outcomes[row] is None]

    def is_passing(self, row: int) -> bool:
        """Whether it was refused for something that passes by itself."""
        outcome = self._outcomes[row]
        return outcome is not None and outcome[1] == "transient"

    def values(self, held: Mapping[tuple[str, str], Mapping[str, str | None]]) -> list[str | None]:
        """For each change, what its record holds in its field; None: nothing, or it was not seen."""
        rows = zip(self.types, self.ids, self.targets, strict=True)
        return [held.get((record_type, id), {}).get(target) for record_type, id, target in rows]

    def records(self) -> dict[str, list[Record]]:
        """The records of the changes of which nothing is known, by record type."""
        cells_by_record: dict[tuple[str, str], dict[str, int]] = {}
        for row in self.unanswered(range(len(self.ids))):
            cells_by_record.setdefault((self.types[row], self.ids[row]), {})[self.targets[row]] = row
        records: dict[str, list[Record]] = {}
        for (record_type, id), cells in cells_by_record.items():
            records.setdefault(record_type, []).append(Record(id, cells))
        return records

    def table(self, unanswered: str) -> pa.Table:
        """OUTCOME_SCHEMA. ``unanswered``: why a change of which nothing is known was not carried out."""
        missing: _Outcome = ("rejected", "transient", unanswered)
        columns = zip(*(outcome or missing for outcome in self._outcomes), strict=True)
        names = OUTCOME_SCHEMA.names
        return pa.table(
            dict(zip(names, columns, strict=True)) or {name: [] for name in names}, OUTCOME_SCHEMA
        )
