"""Which files did we write that may name people, and who had a segment's members written?"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict, cast

from sync.store.journal.database import Repository, now, user


@dataclass(frozen=True)
class SegmentFile:
    """A file of a segment's members: what it holds, and what it is for."""

    segment: str  # SEGMENTATION.SEGMENT
    path: str
    columns: Sequence[str]
    records: int
    channel: str  # "" where it has nothing by which people can be contacted
    reason: str
    who: str = ""  # the system's user where nobody else is named


class WrittenSegmentFile(TypedDict):
    """The same, as it was written: in which run, by whom, when."""

    run: int
    segment: str
    path: str
    columns: list[str]
    records: int
    channel: str
    reason: str
    who: str
    at: str


class Exports(Repository):
    """Files that somebody told us to write (``--out``), by their paths; those of segments each with its story."""

    def remember(self, path: Path) -> None:
        """So that ``forget`` finds the file again."""
        self._database.execute("INSERT OR REPLACE INTO exports VALUES (?, ?)", str(path.resolve()), now())

    def paths(self) -> list[Path]:
        """All of them, also those that are there no more."""
        return [Path(row["path"]) for row in self._database.rows("SELECT path FROM exports")]

    def add_segment_file(self, account: str, run: int, file: SegmentFile) -> None:
        """Say who has a segment's members written now, and remember the file."""
        row = {"account": account, "run": run, **asdict(file), "columns": json.dumps(list(file.columns))}
        row |= {"path": str(Path(file.path).resolve()), "who": file.who or user(), "at": now()}
        names, places = ", ".join(row), ", ".join("?" * len(row))
        with self._database.transaction():
            self._database.execute(f"INSERT INTO segment_files ({names}) VALUES ({places})", *row.values())
            self.remember(Path(file.path))

    def segment_files(self, account: str, limit: int | None = None) -> list[WrittenSegmentFile]:
        """Files of segments, the newest first."""
        names = ", ".join(WrittenSegmentFile.__annotations__)
        sql = f"SELECT {names} FROM segment_files WHERE account = ? ORDER BY file DESC LIMIT ?"
        rows = self._database.rows(sql, account, -1 if limit is None else limit)
        return [cast(WrittenSegmentFile, {**row, "columns": json.loads(row["columns"])}) for row in rows]

    def columns_of_lists(self, account: str, reason: str) -> dict[str, list[str]]:
        """Segment → the columns, beside its id, of the file that was written last for this reason."""
        sql = "SELECT segment, columns FROM segment_files WHERE account = ? AND reason = ? ORDER BY file"
        columns = {
            row["segment"]: json.loads(row["columns"])[1:]
            for row in self._database.rows(sql, account, reason)
        }
        return {segment: names for segment, names in columns.items() if names}

    def drop_before(self, account: str, at: str) -> None:
        """Drop the stories of files that were written before an instant (ISO); ``forget`` still finds the files."""
        self._database.execute("DELETE FROM segment_files WHERE account = ? AND at < ?", account, at)

    def clean(self, account: str, cleaned: Callable[[str], str]) -> None:
        """Rewrite the reason of each."""
        for row in self._database.rows("SELECT file, reason FROM segment_files WHERE account = ?", account):
            reason = cleaned(row["reason"])
            if reason != row["reason"]:
                self._database.execute(
                    "UPDATE segment_files SET reason = ? WHERE file = ?", reason, row["file"]
                )
