"""What was refused, where, and why? The reason never quotes a name or an address."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import REJECT_SCHEMA

LISTED = 10_000  # rows of one part in one reading
_HARMLESS = re.compile(r"[0-9A-Za-z:./+\- ,]{1,32}\Z")


@dataclass
class Rejects:
    """Refused rows and cells of one part."""

    part: str
    rows: list[dict[str, object]] = field(default_factory=list)
    rejected: int = 0  # rows refused whole

    def add(self, line: int, reason: str, column: str | None = None, id: str | None = None, room: int = LISTED) -> None:
        """List one row or cell while there is room, and count it if it is a row."""
        self.rejected += column is None
        if len(self.rows) < room:
            self.rows.append({"part": self.part, "line": line, "column": column, "id": id, "reason": reason})

    def table(self) -> pa.Table | None:
        """The list as REJECT_SCHEMA, or None."""
        return pa.Table.from_pylist(self.rows, schema=REJECT_SCHEMA) if self.rows else None


class Sieve:
    """Takes the bad rows and cells out of one page."""

    def __init__(self, rejects: Rejects, lines: pa.Array, ids: pa.Array | None, room: int) -> None:
        self._rejects, self._lines, self._ids, self._room = rejects, lines, ids, room
        self._refused: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None

    def row(self, bad: pa.Array | None, reason: str, texts: pa.Array | None = None) -> None:
        """Refuse rows whole; a row is refused once, for its first reason. ``texts`` may be quoted where ``{}`` stands."""
        if bad is None or not pc.any(bad).as_py():
            return
        mask = pc.fill_null(bad, False).to_numpy(zero_copy_only=False)
        fresh = mask if self._refused is None else mask & ~self._refused
        self._refused = mask if self._refused is None else mask | self._refused
        self._list(fresh, reason, texts, None)
        self._rejects.rejected += int(fresh.sum())

    def cell(self, bad: pa.Array | None, column: str, reason: str, texts: pa.Array | None = None) -> None:
        """List cells that become null while their row goes on."""
        if bad is not None and pc.any(bad).as_py():
            mask = pc.fill_null(bad, False).to_numpy(zero_copy_only=False)
            self._list(mask if self._refused is None else mask & ~self._refused, reason, texts, column)

    def _list(self, mask: np.ndarray[tuple[int], np.dtype[np.bool_]], reason: str, texts: pa.Array | None, column: str | None) -> None:
        places = np.flatnonzero(mask)[: max(0, self._room - len(self._rejects.rows))]
        for place in places.tolist():
            said = reason
            if texts is not None and "{}" in reason:
                said = reason.replace("{}", quotable(texts[place].as_py()))
            id = self._ids[place].as_py() if self._ids is not None else None
            self._rejects.rows.append(
                {"part": self._rejects.part, "line": self._lines[place].as_py(), "column": column, "id": id, "reason": said}
            )

    def through(self, table: pa.Table) -> pa.Table:
        """The rows that were not refused."""
        return table if self._refused is None else table.filter(pa.array(~self._refused))


def quotable(text: str | None) -> str:
    """A value in quotes if it cannot be a name or an address of a person, else what it is like."""
    if text is None:
        return "what stands there"
    return repr(text) if _HARMLESS.match(text) else f"a text of {len(text)} characters"
