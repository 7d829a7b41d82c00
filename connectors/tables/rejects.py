"""What was refused, where, and why? The reason never quotes a name or an address."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.values.rejects import LISTED, Rejects

_HARMLESS = re.compile(r"[0-9A-Za-z:./+\- ,]{1,32}\Z")


@dataclass
class TableRejects(Rejects):
    """Refused rows and cells of one part, and those that are no fault and do not count."""

    refused: Counter[str] = field(default_factory=Counter)  # reason → rows refused whole
    refused_minor: int = 0  # what those are worth whose amount could be read, without sign
    # reason → rows that are no fault and do not count
    left_out: Counter[str] = field(default_factory=Counter)
    ownerless: int = 0  # rows that name no customer
    voids: pa.Table | None = None  # VOID_SCHEMA: rows left out because their order does not count

    def add(
        self, line: int, reason: str, column: str | None = None, id: str | None = None, room: int = LISTED
    ) -> None:
        """List one row or cell while there is room, and count it if it is a row."""
        if column is None:
            self.rejected += 1
            self.refused[general(reason)] += 1
        self.list_one(line, column, id, reason, room)


def general(reason: str) -> str:
    """A reason without what the single row held."""
    return re.sub(r"\{\}|'[^']*'|\b[0-9]+\b", "…", reason)


class Sieve:
    """Takes the bad rows and cells, and the rows that do not count, out of one page.

    A row goes out once, for its first reason.
    """

    def __init__(self, rejects: TableRejects, lines: pa.Array, ids: pa.Array | None, room: int) -> None:
        self._rejects, self._lines, self._ids, self._room = rejects, lines, ids, room
        self._refused: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None  # rows that are out
        # those of them that are a fault
        self._faulty: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None
        # those whose order does not count
        self._void: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None

    def row(self, bad: pa.Array | None, reason: str, texts: pa.Array | None = None) -> None:
        """Refuse rows whole; a row is refused once, for its first reason.

        ``texts`` may be quoted where ``{}`` stands.
        """
        if bad is None or not pc.any(bad).as_py():
            return
        mask = pc.fill_null(bad, False).to_numpy(zero_copy_only=False)
        fresh = mask if self._refused is None else mask & ~self._refused
        self._refused = mask if self._refused is None else mask | self._refused
        self._list(fresh, reason, texts, None)
        number = int(fresh.sum())
        if number:
            self._rejects.rejected += number
            self._rejects.refused[general(reason)] += number
            self._faulty = fresh if self._faulty is None else self._faulty | fresh

    def leave_out(self, rows: pa.Array | None, reason: str, void: bool = False) -> None:
        """Take out rows that are no fault and do not count. ``void``: because their order does not."""
        fresh = self._out(rows)
        if fresh is None:
            return
        if number := int(fresh.sum()):
            self._rejects.left_out[reason] += number
        if void:
            self._void = fresh if self._void is None else self._void | fresh

    @property
    def has_voids(self) -> bool:
        """Whether some rows were left out because their order does not count."""
        return self._void is not None and bool(self._void.any())

    def keep_voids(self, table: pa.Table, sound: pa.Array) -> None:
        """Hand on the sound rows (VOID_SCHEMA) of those that were left out because their order does not
        count.
        """
        self._rejects.voids = table.filter(pc.and_(pa.array(self._void), sound))

    def ownerless(self, rows: pa.Array | None) -> None:
        """Take out rows that name no customer."""
        fresh = self._out(rows)
        self._rejects.ownerless += 0 if fresh is None else int(fresh.sum())

    def worth(self, units: pa.Array) -> None:
        """Add up what the refused rows are worth, as far as their amounts can be read (int64)."""
        if self._faulty is not None:
            refused = pc.abs(units.filter(pa.array(self._faulty)))
            self._rejects.refused_minor += pc.sum(refused.cast(pa.float64(), safe=False)).as_py() or 0

    def _out(self, rows: pa.Array | None) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
        if rows is None or not pc.any(rows).as_py():
            return None
        mask: np.ndarray[tuple[int], np.dtype[np.bool_]] = pc.fill_null(rows, False).to_numpy(
            zero_copy_only=False
        )
        fresh = mask if self._refused is None else mask & ~self._refused
        self._refused = mask if self._refused is None else mask | self._refused
        return fresh

    def out(self, count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which of the page's rows do not go on."""
        return np.zeros(count, np.bool_) if self._refused is None else self._refused

    def cell(self, bad: pa.Array | None, column: str, reason: str, texts: pa.Array | None = None) -> None:
        """List cells that become null while their row goes on."""
        if bad is not None and pc.any(bad).as_py():
            mask = pc.fill_null(bad, False).to_numpy(zero_copy_only=False)
            self._list(mask if self._refused is None else mask & ~self._refused, reason, texts, column)

    def _list(
        self,
        mask: np.ndarray[tuple[int], np.dtype[np.bool_]],
        reason: str,
        texts: pa.Array | None,
        column: str | None,
    ) -> None:
        places = np.flatnonzero(mask)[: max(0, self._room - len(self._rejects.rows))]
        for row in places.tolist():
            message = reason
            if texts is not None and "{}" in reason:
                message = reason.replace("{}", quotable(texts[row].as_py()))
            id = self._ids[row].as_py() if self._ids is not None else None
            self._rejects.rows.append(
                {
                    "part": self._rejects.part,
                    "line": self._lines[row].as_py(),
                    "column": column,
                    "id": id,
                    "reason": message,
                }
            )

    def through(self, table: pa.Table) -> pa.Table:
        """The rows that were not refused."""
        return table if self._refused is None else table.filter(pa.array(~self._refused))


def quotable(text: str | None) -> str:
    """A value in quotes if it cannot be a name or an address of a person, else what it is like."""
    if text is None:
        return "what stands there"
    return repr(text) if _HARMLESS.match(text) else f"a text of {len(text)} characters"
