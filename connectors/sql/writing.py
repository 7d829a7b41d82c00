"""How is a batch of changes carried out? In one transaction: compared with what stands there, merged, answered."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.schemas import CHANGE_SCHEMA, MEMBER, OUTCOME_SCHEMA
from connectors.sql.own_tables import MEMBERS, STAGED, VALUES, WRITTEN
from connectors.sql.writers.base import Writer

LONGEST_ID, LONGEST_VALUE = 255, 10_000  # characters: what every one of the databases takes
_DONE, _SET, _SKIPPED, _ABSENT, _ID, _VALUE = range(6)
_STATUSES = pa.array(["done", "done", "skipped", "rejected", "rejected", "rejected"])
_KINDS = pa.array([None, None, "conflict", "permission", "data", "data"])
_REASONS = pa.array(
    [
        None,
        None,
        "the value there is no longer the expected one: pull again",
        " does not exist (any more): run `crm-segments setup`",
        f"the id is longer than {LONGEST_ID} characters, ends in a blank or has a NUL: no row has such an id",
        f"the text is longer than {LONGEST_VALUE} characters or has a NUL",
    ]
)
_KEY = ["record_type", "id", "target"]


@dataclass(frozen=True)
class Target:
    """Where changes go, and how: values of fields, or members of lists."""

    table: str
    key: str  # column of the field's name or the list's key
    value: str | None  # column of the value; None: a row is a membership
    moment: str  # column of the time of the last change

    def _same(self, rows: str) -> str:
        return (
            f"v.{self.key} = {rows}.target AND v.record_type = {rows}.record_type AND v.record_id = {rows}.id"
        )

    def look(self, locking: bool) -> str:
        """What stands there for the rows that are staged."""
        value = f"v.{self.value}" if self.value else f"'{MEMBER}'"
        text = f"SELECT s.number, {value} AS value_there FROM {STAGED} AS s JOIN {self.table} AS v ON {self._same('s')}"
        return f"{text} FOR UPDATE" if locking else text

    def put(self, dialect: str) -> str:
        """Set what is written and not cleared."""
        columns = [self.key, "record_type", "record_id", *([self.value] if self.value else []), self.moment]
        cells = [
            "s.target",
            "s.record_type",
            "s.id",
            *(["s.after"] if self.value else []),
            "CURRENT_TIMESTAMP",
        ]
        text = (
            f"INSERT INTO {self.table} ({', '.join(columns)}) SELECT {', '.join(cells)} FROM {WRITTEN} AS s"
        )
        text += " WHERE s.after IS NOT NULL"
        changed = columns[3:]
        if dialect == "mysql":
            return f"{text} ON DUPLICATE KEY UPDATE {', '.join(f'{c} = VALUES({c})' for c in changed)}"
        update = ", ".join(f"{column} = excluded.{column}" for column in changed)
        return f"{text} ON CONFLICT ({self.key}, record_type, record_id) DO UPDATE SET {update}"

    def clear(self, dialect: str) -> str:
        """Remove what is written and cleared."""
        if dialect == "mysql":
            same = self._same("s")
            return f"DELETE v FROM {self.table} AS v JOIN {WRITTEN} AS s ON {same} WHERE s.after IS NULL"
        return f"""DELETE FROM {self.table} WHERE ({self.key}, record_type, record_id) IN
            (SELECT s.target, s.record_type, s.id FROM {WRITTEN} AS s WHERE s.after IS NULL)"""


FIELD_VALUES = Target(VALUES, "field", "value", "changed_at")
LIST_MEMBERS = Target(MEMBERS, "list_key", None, "added_at")


def current(writer: Writer, target: Target, changes: pa.Table, locked: bool = False) -> pa.Array:
    """What stands there for each change. ``locked``: once whoever is still writing has ended, and unchanged by
    others until the end of the transaction.
    """
    if locked:
        writer.lock(target.table)
    keys = changes.select(_KEY).append_column("number", pa.array(np.arange(changes.num_rows, dtype=np.int32)))
    writer.stage(STAGED, keys.filter(pa.array(~_no_id(changes["id"]))))
    asked = target.look(locked and writer.dialect == "mysql")
    rows = list(writer.batches(writer.tables.statement(asked)))
    numbers = pa.chunked_array([pc.cast(batch.column(0), pa.int64()) for batch in rows], pa.int64())
    values = pa.chunked_array([pc.cast(batch.column(1), pa.string()) for batch in rows], pa.string())
    where = pc.index_in(pa.array(np.arange(changes.num_rows)), value_set=numbers.combine_chunks())
    values_there: pa.Array = values.combine_chunks().take(where)
    return values_there


def write(
    writer: Writer, target: Target, changes: pa.Table, existing: Collection[tuple[str, str]]
) -> pa.Table:
    """Carry out changes (CHANGE_SCHEMA), and answer each. ``existing``: record types and names of the fields or lists that are there."""
    changes = _flat(changes)
    codes = _compared(current(writer, target, changes, locked=True), changes)
    codes[~_exists(changes, existing)] = _ABSENT
    codes[_no_id(changes["id"])] = _ID
    codes[_strange(changes["after"], LONGEST_VALUE)] = _VALUE
    moving = _last_of_each(changes.filter(pa.array(codes == _SET)))
    if moving.num_rows:
        writer.stage(WRITTEN, moving.select([*_KEY, "after"]))
        if moving["after"].null_count:
            writer.run(_statement(writer, target.clear(writer.dialect)))
        if moving["after"].null_count < moving.num_rows:
            writer.run(_statement(writer, target.put(writer.dialect)))
        writer.commit()
    return _outcomes(codes, changes["target"])


def _statement(writer: Writer, template: str) -> str:
    return writer.tables.statement(template, read="mysql" if writer.dialect == "mysql" else "postgres")


def _flat(changes: pa.Table) -> pa.Table:
    """In one piece each; an empty text is no value."""
    columns = [changes[name].cast(pa.string()).combine_chunks() for name in CHANGE_SCHEMA.names]
    nothing = pa.scalar(None, pa.string())
    columns[3:] = [pc.if_else(pc.equal(column, ""), nothing, column) for column in columns[3:]]
    return pa.table(columns, names=CHANGE_SCHEMA.names)


def _compared(now: pa.Array, changes: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    filled = pc.fill_null(now, "")
    arrived, expected = (
        _mask(pc.equal(filled, pc.fill_null(changes[name].combine_chunks(), "")))
        for name in ("after", "before")
    )
    return np.where(arrived, _DONE, np.where(expected, _SET, _SKIPPED)).astype(np.int64)


def _exists(
    changes: pa.Table, existing: Collection[tuple[str, str]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    pairs = pc.binary_join_element_wise(changes["record_type"], changes["target"], "\0")
    return _mask(pc.is_in(pairs, pa.array([f"{type_}\0{name}" for type_, name in existing], pa.string())))


def _strange(texts: pa.ChunkedArray, longest: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    too_long = pc.greater(pc.utf8_length(texts), longest)
    return _mask(pc.or_(pc.match_substring(texts, "\0"), too_long))


def _no_id(texts: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Ids that no row of ours can have; MySQL takes no notice of a blank at the end."""
    return _strange(texts, LONGEST_ID) | _mask(pc.ends_with(texts, " "))


def _mask(values: pa.Array | pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    filled = pc.fill_null(values, False)
    if isinstance(filled, pa.ChunkedArray):
        filled = filled.combine_chunks()
    return np.asarray(filled.to_numpy(zero_copy_only=False), np.bool_)


def _last_of_each(changes: pa.Table) -> pa.Table:
    """Each record and target once: the last change counts."""
    numbered = changes.append_column("number", pa.array(np.arange(changes.num_rows)))
    last = numbered.group_by(_KEY).aggregate([("number", "max")])["number_max"]
    return changes if len(last) == changes.num_rows else changes.take(last)


def _outcomes(codes: np.ndarray[tuple[int], np.dtype[np.int64]], targets: pa.ChunkedArray) -> pa.Table:
    chosen = pa.array(codes)
    reasons = _REASONS.take(chosen)
    named = pc.binary_join_element_wise(targets.combine_chunks(), reasons, "")
    reasons = pc.if_else(pa.array(codes == _ABSENT), named, reasons)
    return pa.table([_STATUSES.take(chosen), _KINDS.take(chosen), reasons], schema=OUTCOME_SCHEMA)
