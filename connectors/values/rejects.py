"""What was refused of one part of a stream, and why? The reason never quotes a name or an address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from connectors.schemas import REJECT_SCHEMA

LISTED = 10_000  # rows and cells of one part in one reading; the others are counted


@dataclass
class Rejects:
    """Refused rows and cells of one part."""

    part: str
    rows: list[dict[str, object]] = field(default_factory=list)
    rejected: int = 0  # rows refused whole

    def list_one(
        self, line: int | None, column: str | None, id: str | None, reason: str, room: int = LISTED
    ) -> None:
        """List one row (``column`` None) or cell, while there is room."""
        if len(self.rows) < room:
            self.rows.append({"part": self.part, "line": line, "column": column, "id": id, "reason": reason})

    def refuse(self, bad: pa.Array, ids: Sequence[str], reason: str) -> None:
        """Rows that are refused whole."""
        self.rejected += self._list(bad, ids, None, reason)

    def cells(self, bad: pa.Array, ids: Sequence[str], column: str, reason: str) -> None:
        """Cells that become null while their row goes on."""
        self._list(bad, ids, column, reason)

    def table(self) -> pa.Table | None:
        """The list as REJECT_SCHEMA, or None."""
        return pa.Table.from_pylist(self.rows, schema=REJECT_SCHEMA) if self.rows else None

    def _list(self, bad: pa.Array, ids: Sequence[str], column: str | None, reason: str) -> int:
        positions: list[int] = pc.indices_nonzero(pc.fill_null(bad, False)).to_pylist()
        for row in positions[: max(0, LISTED - len(self.rows))]:
            self.list_one(None, column, ids[row], reason)
        return len(positions)
