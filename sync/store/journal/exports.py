"""Which files did we write that may name people?"""

from __future__ import annotations

from pathlib import Path

from sync.store.journal.database import Repository, now


class Exports(Repository):
    """Files that somebody told us to write (``--out``), by their paths."""

    def remember(self, path: Path) -> None:
        """So that ``forget`` finds the file again."""
        self._database.execute("INSERT OR REPLACE INTO exports VALUES (?, ?)", str(path.resolve()), now())

    def paths(self) -> list[Path]:
        """All of them, also those that are there no more."""
        return [Path(row["path"]) for row in self._database.rows("SELECT path FROM exports")]
