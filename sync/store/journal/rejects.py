"""What does the journal keep of refused input rows and refused changes?"""

from __future__ import annotations

from sync.store.journal.database import Repository


class Rejects(Repository):
    """Rejects, by their numbers: of ``source`` pull (rows that cannot be read) and write (changes)."""

    def try_again(self, account: str, record_type: str, target: str) -> None:
        """What the CRM refused of a field that has been made or fixed since goes out with the next run."""
        self._database.execute(
            "UPDATE rejects SET next_at = NULL, quarantined = 0, attempts = 0 WHERE account = ? AND source = 'write' AND record_type = ? "
            "AND target = ? AND kind IN ('data', 'permission')",
            *(account, record_type, target),
        )
