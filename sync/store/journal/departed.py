"""Which records of ours have left the CRM, and since when? They are remembered for a while: they may come back."""

from __future__ import annotations

from collections.abc import Set

from sync.store.journal.database import Repository

Key = tuple[str, str]  # record type, id


class Departed(Repository):
    """Records that left, by record type and id."""

    def update(self, account: str, gone: Set[Key], at: str) -> None:
        """Those that are gone now: who was not gone before left at this instant (ISO), who was may have come back."""
        sql = "SELECT record_type, id FROM departed WHERE account = ?"
        recorded = {(row["record_type"], row["id"]) for row in self._database.rows(sql, account)}
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM departed WHERE account = ? AND record_type = ? AND id = ?",
                [(account, *key) for key in recorded - gone],
            )
            connection.executemany(
                "INSERT INTO departed VALUES (?, ?, ?, ?)", [(account, *key, at) for key in gone - recorded]
            )

    def before(self, account: str, at: str) -> set[Key]:
        """Those that left before an instant (ISO)."""
        sql = "SELECT record_type, id FROM departed WHERE account = ? AND at < ?"
        return {(row["record_type"], row["id"]) for row in self._database.rows(sql, account, at)}

    def drop_before(self, account: str, at: str) -> None:
        """Remember them no longer."""
        self._database.execute("DELETE FROM departed WHERE account = ? AND at < ?", account, at)
