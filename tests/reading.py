"""Pages as a connector hands them out, taken into a mirror of their own: what a pull does without a CRM
around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.contract import IdType, Page
from connectors.schemas import ACTIVITY_SCHEMA, RECORD_SCHEMA, VOID_SCHEMA
from sync.pull.ingest import Ingest
from sync.store.identity_resolution import reconcile
from sync.store.mirror import AccountMirror, Mirror

Row = Mapping[str, Any]
NOON = datetime(2024, 6, 30, 12, tzinfo=UTC)


def bought(
    person: str | None = None, amount: int = 100, at: datetime = NOON, **columns: Any
) -> dict[str, Any]:
    """A purchase row; ``person`` is the id that it names, ``record_email`` the address."""
    return {
        "record_type": "contact",
        "record_id": person,
        "kind": "purchase",
        "occurred_at": at,
        "amount_minor": amount,
        **columns,
    }


def void(person: str | None = None, **columns: Any) -> dict[str, Any]:
    """A row that says that an order (or an id) does not count: cancelled, given back."""
    return {"record_type": "contact", "record_id": person, "void": True, **columns}


def contact(id: str, *emails: str, **columns: Any) -> dict[str, Any]:
    """A contact with addresses, the primary one first."""
    return {
        "record_type": "contact",
        "id": id,
        "email": emails[0] if emails else None,
        "emails": list(emails) or None,
        **columns,
    }


@dataclass
class Reading:
    """A mirror of one account that pages are read into."""

    folder: Path
    id_type: IdType = "text"
    newest_wins: bool = False
    account: str = "shop"
    mirror: AccountMirror = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = Mirror(self.folder / "mirror.duckdb")
        self.mirror = self._file.account(self.account)

    def pull(
        self, people: Sequence[Row] | None = None, parts: Mapping[str, Sequence[Row]] | None = None
    ) -> None:
        """Read contacts (all there are, None: unchanged) and whole parts of activity, in the order given."""
        if people is not None:
            self._take("contact", {"": people}, RECORD_SCHEMA)
        self._take("activity", parts or {}, ACTIVITY_SCHEMA)
        with self.mirror.transaction():
            reconcile(self.mirror)

    def read_contacts(self, people: Sequence[Row], attributes: Mapping[str, pa.DataType]) -> None:
        """The same of contacts that have attributes, under ``attribute.NAME``."""
        further = [(f"attribute.{name}", kind) for name, kind in attributes.items()]
        self._take("contact", {"": people}, pa.schema([*RECORD_SCHEMA, *further]))
        with self.mirror.transaction():
            reconcile(self.mirror)

    def _take(self, stream: str, parts: Mapping[str, Sequence[Row]], schema: pa.Schema) -> None:
        ingest = Ingest(self.mirror, stream, "UTC", id_type=self.id_type, newest_wins=self.newest_wins)
        for part, rows in parts.items():
            numbered = [{**row, "line": line} for line, row in enumerate(rows, 1)]
            table = pa.Table.from_pylist([row for row in numbered if not row.get("void")], schema=schema)
            voids = pa.Table.from_pylist([row for row in numbered if row.get("void")], schema=VOID_SCHEMA)
            with self.mirror.transaction():
                ingest.take(
                    Page(table, "", part, whole=True, first=True, voids=voids if len(voids) else None)
                )

    def close(self) -> None:
        self._file.close()

    def owned(self) -> dict[str, int]:
        """Whose how much is: the sums of what counts, by the id of the record."""
        return dict(
            self.mirror.rows(
                f"SELECT id, sum(amount)::BIGINT FROM activity JOIN ids USING (record) WHERE {_COUNTS} GROUP BY id"
            )
        )

    def waiting(self) -> list[tuple[str | None, str | None, int]]:
        """Activity of nobody that we know: the id and the address that it names, and how much it is."""
        rows = self.mirror.rows(f"SELECT id, email, amount FROM parked WHERE {_COUNTS} ORDER BY ALL")
        return [(id, email, int(amount)) for id, email, amount in rows]

    def counted(self) -> list[tuple[str, int]]:
        """(part, line) of every row of somebody that counts."""
        sql = f"SELECT name, line FROM activity JOIN parts USING (part) WHERE {_COUNTS} ORDER BY ALL"
        return [(name, int(line)) for name, line in self.mirror.rows(sql)]


_COUNTS = "NOT shadowed AND part IN (SELECT part FROM parts WHERE live)"


def everybody(ids: Iterable[str]) -> list[dict[str, Any]]:
    """Contacts without addresses."""
    return [contact(id) for id in ids]
