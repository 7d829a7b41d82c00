"""Which segmentations wait since somebody took back what they had labelled?"""

from __future__ import annotations

from dataclasses import dataclass

from sync.store.journal.database import Repository, now


@dataclass(frozen=True)
class Hold:
    """A segmentation that waits."""

    segmentation: str
    run: int  # that was undone
    digest: str  # of the settings at that time
    at: str


class Holds(Repository):
    """Holds, by segmentation."""

    def of(self, account: str) -> list[Hold]:
        """All of an account, by segmentation."""
        sql = "SELECT segmentation, run, digest, at FROM holds WHERE account = ? ORDER BY segmentation"
        return [Hold(**row) for row in self._database.rows(sql, account)]

    def put(self, account: str, segmentation: str, run: int, digest: str) -> None:
        """Let a segmentation waiting."""
        row = (account, segmentation, run, digest, now())
        self._database.execute("INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?)", *row)

    def release(self, account: str, segmentation: str) -> None:
        """Let it go on."""
        sql = "DELETE FROM holds WHERE account = ? AND segmentation = ?"
        self._database.execute(sql, account, segmentation)
