"""How are changes carried out on a sheet: compared with what it holds, set, added, removed, and answered one
by one?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.files.csv_cells import Mask, Places, spliced
from connectors.files.csv_editor import ID, TYPE, Sheet
from connectors.schemas import MEMBER, OUTCOME_SCHEMA
from connectors.values.text import flat

_MOVED = "the value there is no longer the expected one: pull again"
_DONE, _SET, _SKIPPED, _ABSENT, _BAD = range(5)


@dataclass
class Changes:
    """A table of changes, column by column."""

    types: pa.Array
    ids: pa.Array
    targets: pa.Array
    before: pa.Array
    after: pa.Array

    @classmethod
    def of(cls, table: pa.Table) -> Changes:
        """The columns of CHANGE_SCHEMA."""
        return cls(
            *(
                flat(table[name].cast(pa.string()))
                for name in ("record_type", "id", "target", "before", "after")
            )
        )


@dataclass
class _Edits:
    """Pieces of text that take the place of others."""

    starts: list[Places] = field(default_factory=list)
    ends: list[Places] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)

    def add(self, starts: Places, ends: Places, pieces: pa.Array) -> None:
        self.starts.append(starts)
        self.ends.append(ends)
        self.pieces += pieces.cast(pa.binary()).to_pylist()

    def made(self, text: bytes) -> bytes:
        if not self.pieces:
            return text
        starts, ends = np.concatenate(self.starts), np.concatenate(self.ends)
        order = np.argsort(starts, kind="stable")
        return spliced(text, starts[order], ends[order], [self.pieces[index] for index in order.tolist()])


def held(sheet: Sheet, rows: Places, targets: pa.Array) -> pa.Array:
    """What the cells of fields say: null where there is no row, or no such column."""
    values = pa.nulls(len(rows), pa.string())
    for target in pc.unique(targets).to_pylist():
        column = sheet.column(target) if target not in (ID, TYPE) else None
        if column is not None:
            here = pc.equal(targets, target)
            places = pa.array(rows, mask=rows < 0)
            values = pc.if_else(here, sheet.texts(column).take(places), values)
    return values


def set_fields(sheet: Sheet, changes: Changes, numbers: Mapping[str, bool]) -> tuple[bytes, pa.Table]:
    """The sheet's text after the changes, and the outcomes. ``numbers``: fields whose numbers need no guard."""
    rows = sheet.find(changes.types, changes.ids)
    verdicts = _compared(held(sheet, rows, changes.targets), changes)
    has_column = np.isin(
        np.asarray(changes.targets.to_pylist(), object), [n for n in sheet.names if n not in (ID, TYPE)]
    )
    verdicts[~(has_column & _addressable(sheet, changes))] = _ABSENT
    verdicts[_unwritable(changes.ids) | _unwritable(changes.after)] = _BAD
    moving = verdicts == _SET
    edits = _Edits()
    removed = _emptied(sheet, changes, rows, moving, verdicts)
    gone = np.zeros(len(sheet.starts) + 1, np.bool_)
    gone[removed] = True
    for target in pc.unique(changes.targets.filter(pa.array(moving))).to_pylist():
        column = sheet.column(target)
        assert column is not None
        here = (
            moving
            & pc.equal(changes.targets, target).to_numpy(zero_copy_only=False)
            & (rows >= 0)
            & ~gone[rows]
        )
        places, which = _last_of_each(rows, here)
        texts = pc.fill_null(changes.after.take(pa.array(which)), "")
        cells = sheet.spelled(column, places, texts, number=numbers.get(target, False))
        edits.add(sheet.starts[places, column], sheet.ends[places, column], cells)
    _add_rows(sheet, changes, moving & (rows < 0), numbers, edits, members=False)
    _remove_rows(sheet, removed, edits)
    return edits.made(sheet.text), _outcomes(verdicts, lambda index: changes.targets[index].as_py())


def set_members(sheet: Sheet, changes: Changes) -> tuple[bytes, pa.Table]:
    """As ``set_fields`` for a list: a record is a member where it has a row."""
    rows = sheet.find(changes.types, changes.ids)
    verdicts = _compared(members_held(rows), changes)
    verdicts[~_addressable(sheet, changes)] = _ABSENT
    verdicts[_unwritable(changes.ids)] = _BAD
    moving, edits = verdicts == _SET, _Edits()
    _add_rows(sheet, changes, moving & (rows < 0), {}, edits, members=True)
    _remove_rows(sheet, np.unique(rows[moving & (rows >= 0)]), edits)
    return edits.made(sheet.text), _outcomes(verdicts, lambda index: TYPE)


def members_held(rows: Places) -> pa.Array:
    """MEMBER where a record has a row, else null."""
    return pc.if_else(pa.array(rows >= 0), pa.scalar(MEMBER), pa.scalar(None, pa.string()))


def same(first: pa.Array, other: pa.Array) -> Mask:
    """Which values are equal; nothing and the empty text are."""
    return np.asarray(
        pc.equal(pc.fill_null(first, ""), pc.fill_null(other, "")).to_numpy(zero_copy_only=False), np.bool_
    )


def _compared(now: pa.Array, changes: Changes) -> Places:
    done, expected = same(now, changes.after), same(now, changes.before)
    return np.where(done, _DONE, np.where(expected, _SET, _SKIPPED)).astype(np.int64)


def _addressable(sheet: Sheet, changes: Changes) -> Mask:
    """Records of other types need a column that tells the type."""
    if sheet.column(TYPE) is not None:
        return np.ones(len(changes.ids), np.bool_)
    return np.asarray(pc.equal(changes.types, "contact").to_numpy(zero_copy_only=False), np.bool_)


def _unwritable(texts: pa.Array) -> Mask:
    return np.asarray(
        pc.fill_null(pc.match_substring(texts, "\0"), False).to_numpy(zero_copy_only=False), np.bool_
    )


def _last_of_each(rows: Places, here: Mask) -> tuple[Places, Places]:
    """Each row once, and the last change of it."""
    which = np.flatnonzero(here)[::-1]
    places, first = np.unique(rows[which], return_index=True)
    return places, which[first]


def _emptied(sheet: Sheet, changes: Changes, rows: Places, moving: Mask, verdicts: Places) -> Places:
    """Rows that hold nothing but their id once the changes are made, and that a change to null emptied."""
    cleared = changes.after.is_null().to_numpy(zero_copy_only=False)
    touched = (rows >= 0) & ((verdicts == _DONE) | moving)
    candidates = np.setdiff1d(rows[touched & moving & cleared], rows[touched & ~cleared])
    others = [index for index, name in enumerate(sheet.names) if name not in (ID, TYPE)]
    if not len(candidates):
        return candidates
    full = ~sheet.empty(candidates, others)
    where = np.full(len(sheet.starts), -1)
    where[candidates] = np.arange(len(candidates))
    for target in pc.unique(changes.targets).to_pylist():
        if target in sheet.names and target not in (ID, TYPE):
            here = (
                moving
                & cleared
                & (rows >= 0)
                & pc.equal(changes.targets, target).to_numpy(zero_copy_only=False)
            )
            places = where[rows[here]]
            full[places[places >= 0], others.index(sheet.names.index(target))] = False
    return candidates[~full.any(axis=1)]


def _remove_rows(sheet: Sheet, rows: Places, edits: _Edits) -> None:
    edits.add(sheet.anchors[rows], sheet.ends[rows, -1], pa.repeat(pa.scalar(b""), len(rows)))


def _add_rows(
    sheet: Sheet, changes: Changes, fresh: Mask, numbers: Mapping[str, bool], edits: _Edits, *, members: bool
) -> None:
    """One row for each new record, where the order of ids asks for it, at the end where the file keeps no
    order.
    """
    if not fresh.any():
        return
    mask = pa.array(fresh)
    types, ids, targets, after = (
        column.filter(mask) for column in (changes.types, changes.ids, changes.targets, changes.after)
    )
    named = sheet.keys(types, ids)
    keys = pc.unique(named)
    first = pc.index_in(keys, named)
    types_, ids_ = types.take(first), ids.take(first)
    columns = []
    for index, name in enumerate(sheet.names):
        texts = pa.repeat(pa.scalar(""), len(keys))
        if index == sheet.column(ID):
            texts = ids_
        elif index == sheet.column(TYPE):
            texts = types_
        elif not members and index == sheet.column(name):
            here = pc.equal(targets, name)
            if pc.any(here).as_py():
                texts = pc.fill_null(after.filter(here).take(pc.index_in(keys, named.filter(here))), "")
        columns.append(sheet.fresh(index, texts, number=numbers.get(name, False)))
    lines = pc.binary_join_element_wise(*columns, sheet.delimiter)
    order, behind = _places(sheet, types_, ids_)
    lines = pc.binary_join_element_wise(sheet.line_end.decode(), lines.take(pa.array(order)), "")
    edits.add(behind, behind, lines)


def _places(sheet: Sheet, types: pa.Array, ids: pa.Array) -> tuple[Places, Places]:
    """The order of new rows among themselves, and the place behind which each stands.

    Short ids come before long ones.
    """
    held_ids, count = pc.fill_null(sheet.ids, ""), len(sheet.starts)
    everyone = pa.concat_arrays([held_ids, ids])
    frame = pa.table(
        {"type": pa.concat_arrays([sheet.types, types]), "length": pc.utf8_length(everyone), "id": everyone}
    )
    order = (
        pc.sort_indices(frame, [(name, "ascending") for name in frame.column_names])
        .to_numpy()
        .astype(np.int64)
    )
    ours = order >= count
    ends = np.concatenate([[sheet.header[-1][1]], sheet.ends[:, -1]]).astype(np.int64)
    if sheet.ragged or (np.diff(order[~ours]) < 0).any():
        return np.arange(len(ids)), np.full(len(ids), max(int(ends[-1]), _last(sheet)))
    return order[ours] - count, ends[np.cumsum(~ours)[ours]]


def _last(sheet: Sheet) -> int:
    """The place behind the last row, where it is one that cannot be read; else 0."""
    behind = int(sheet.ends[-1, -1]) if len(sheet.ends) else 0
    return len(sheet.text.rstrip(b"\r\n \t")) if sheet.ragged and sheet.ragged[-1] >= behind else 0


def _outcomes(verdicts: Places, missing: Callable[[int], str]) -> pa.Table:
    """OUTCOME_SCHEMA of the verdicts."""
    codes = pa.array(verdicts)
    status = pa.array(["done", "done", "skipped", "rejected", "rejected"]).take(codes)
    kinds = pa.array([None, None, None, "permission", "data"], pa.string()).take(codes)
    reasons = pa.array([None, None, _MOVED, None, "has a NUL character"], pa.string()).take(codes)
    absent = np.flatnonzero(verdicts == _ABSENT)
    if len(absent):
        texts = reasons.to_pylist()
        for index in absent.tolist():
            texts[index] = f"field {missing(index)} does not exist: run `crm-segments setup`"
        reasons = pa.array(texts, pa.string())
    return pa.table([status, kinds, reasons], schema=OUTCOME_SCHEMA)


def absent(changes: Changes) -> pa.Table:
    """The outcomes where there is no file to write to."""
    return _outcomes(np.full(len(changes.ids), _ABSENT), lambda index: changes.targets[index].as_py())
