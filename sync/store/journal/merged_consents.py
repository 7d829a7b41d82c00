"""What did records refuse that were merged into others? The mirror, which is only a cache, learns it from here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sync.store.journal.database import Repository
from sync.store.journal.people import People


class MergedConsent(NamedTuple):
    """What a record refused, and the survivor that it binds."""

    record_type: str
    id: str
    survivor_type: str
    survivor: str
    refused: str  # names of columns of consent, apart by blanks


class MergedConsents(Repository):
    """Refusals, by the record that was merged."""

    def of(self, account: str) -> list[MergedConsent]:
        """All of an account, by record type and id."""
        sql = (
            f"SELECT {', '.join(MergedConsent._fields)} FROM merged_consents WHERE account = ? ORDER BY 1, 2"
        )
        return [MergedConsent(**row) for row in self._database.rows(sql, account)]

    def replace(self, account: str, rows: Sequence[Iterable[str]]) -> None:
        """Keep these, and no others of the account (rows as ``MergedConsent``)."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM merged_consents WHERE account = ?", (account,))
            connection.executemany(
                "INSERT INTO merged_consents VALUES (?, ?, ?, ?, ?, ?)", [(account, *row) for row in rows]
            )

    def forget(self, account: str, people: People) -> None:
        """Drop what names one of these records."""
        with self._database.transaction() as connection:
            for named in ("record_type = ? AND id = ?", "survivor_type = ? AND survivor = ?"):
                sql = f"DELETE FROM merged_consents WHERE account = ? AND {named}"
                connection.executemany(sql, [(account, *person) for person in people])
