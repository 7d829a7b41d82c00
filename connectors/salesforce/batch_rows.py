"""How do changes become rows of Salesforce objects, and answers about rows become outcomes?

A change is one value of one record; Salesforce takes one row per record with all its values. Everything here
is whole columns: a hundred thousand changes cost a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectors.rest.api_errors import Kind
from connectors.schemas import OUTCOME_SCHEMA

OBJECTS = {"contact": "Contact", "lead": "Lead", "company": "Account"}  # record type → object

Texts = npt.NDArray[np.object_]


@dataclass
class Rows:
    """The changes of one object as rows: ``values[field][row]`` is text, "" clears, None leaves as it is."""

    table: str
    ids: Texts
    values: dict[str, Texts]
    boxes: frozenset[str] = frozenset()  # fields that are check boxes: "true" or "false", and never empty

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, places: Sequence[int] | npt.NDArray[np.int64]) -> Rows:
        """Some of the rows."""
        values = {name: column[places] for name, column in self.values.items()}
        return Rows(self.table, self.ids[places], values, self.boxes)

    def with_boxes(self, boxes: Iterable[str]) -> Rows:
        """The same rows, of which these fields are check boxes: clearing one takes its tick away."""
        boxes = frozenset(boxes)
        values = {
            name: np.where(column == "", "false", column) if name in boxes else column
            for name, column in self.values.items()
        }
        return Rows(self.table, self.ids, values, boxes)


class Answers:
    """What is known of each change so far: nothing, done, or rejected and why. Filled in by row or by change."""

    def __init__(self, changes: pa.Table) -> None:
        self.types = np.asarray(changes["record_type"].to_numpy(zero_copy_only=False), object)
        self.ids = np.asarray(changes["id"].to_numpy(zero_copy_only=False), object)
        self.targets = np.asarray(changes["target"].to_numpy(zero_copy_only=False), object)
        after = np.asarray(changes["after"].to_numpy(zero_copy_only=False), object)
        self.after = np.where([value is None for value in after], "", after)
        self.status = np.full(len(self.ids), None, object)
        self.kind = np.full(len(self.ids), None, object)
        self.reason = np.full(len(self.ids), None, object)

    def open(self) -> npt.NDArray[np.bool_]:
        """The changes of which nothing is known."""
        return np.asarray([status is None for status in self.status], bool)

    def reject(self, which: npt.NDArray[np.bool_], kind: Kind, reason: str) -> None:
        """Changes that are not carried out."""
        self.status[which], self.kind[which], self.reason[which] = "rejected", kind, reason

    def skip(self, which: npt.NDArray[np.bool_], reason: str) -> None:
        """Changes whose ``before`` is no longer there."""
        self.status[which], self.kind[which], self.reason[which] = "skipped", "conflict", reason

    def rows(self, record_type: str) -> tuple[Rows, npt.NDArray[np.int64]]:
        """The open changes of a record type as rows, and the row of each change (-1: none)."""
        here = self.open() & (self.types == record_type)
        ids, inverse = np.unique(self.ids[here].astype(str), return_inverse=True)
        positions = np.full(len(self.ids), -1, np.int64)
        positions[here] = inverse
        values = {}
        for target in dict.fromkeys(self.targets[here]):
            column = np.full(len(ids), None, object)
            of_target = here & (self.targets == target)
            column[positions[of_target]] = self.after[of_target]
            values[str(target)] = column
        return Rows(OBJECTS[record_type], ids.astype(object), values), positions

    def take(self, positions: npt.NDArray[np.int64], row_status: RowAnswers) -> None:
        """Give every change the answer about its row."""
        of_row = positions >= 0
        at = positions[of_row]
        for mine, theirs in (
            (self.status, row_status.status),
            (self.kind, row_status.kind),
            (self.reason, row_status.reason),
        ):
            mine[of_row] = theirs[at]

    def outcomes(self) -> pa.Table:
        """OUTCOME_SCHEMA; what nobody answered was not carried out."""
        self.reject(
            self.open(), "transient", "Salesforce gave no answer about this record; the next run looks again"
        )
        return pa.table(
            [pa.array(list(column), pa.string()) for column in (self.status, self.kind, self.reason)],
            schema=OUTCOME_SCHEMA,
        )


class RowAnswers:
    """What is known of each row."""

    def __init__(self, count: int) -> None:
        self.status = np.full(count, None, object)
        self.kind = np.full(count, None, object)
        self.reason = np.full(count, None, object)

    def done(self, places: Sequence[int] | npt.NDArray[np.int64]) -> None:
        """Rows that Salesforce says it took."""
        self.status[places], self.kind[places], self.reason[places] = "done", None, None

    def reject(self, row: int, kind: Kind, reason: str) -> None:
        """A row that Salesforce refused."""
        self.status[row], self.kind[row], self.reason[row] = "rejected", kind, reason

    def without_answer(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Those of the rows of which nothing is known."""
        unknown = np.asarray([status is None for status in self.status[places]], bool)
        return np.asarray(places[unknown], np.int64)

    def passing(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether each row is to be sent again: nothing is known of it, or it was refused for something that
        passes by itself.
        """
        unknown = np.asarray([status is None for status in self.status[places]], bool)
        return np.asarray(unknown | (self.kind[places] == "transient"), bool)
