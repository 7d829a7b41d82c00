"""What does the journal keep of labels? The rows of a segmentation's state that each day changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from sync.store.arrow_bytes import packed, unpacked
from sync.store.journal.database import Repository, now


class Labels(Repository):
    """Labels, by segmentation and day. A day is an ISO date; its rows may stand in several parts."""

    def save(self, account: str, segmentation: str, as_of: str, changed: Iterable[pa.Table]) -> None:
        """State rows that an as_of changed, in parts of different records; repeating an as_of replaces them."""
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM labels WHERE account = ? AND segmentation = ? AND as_of = ?",
                (account, segmentation, as_of),
            )
            for part, table in enumerate(changed):
                if table.num_rows or not part:  # a day that changed nothing is a day all the same
                    row = (account, segmentation, as_of, part, now(), packed(table))
                    connection.execute("INSERT INTO labels VALUES (?, ?, ?, ?, ?, ?)", row)

    def days(
        self, account: str, segmentation: str, before: str | None = None, newest_first: bool = False
    ) -> Iterator[tuple[str, pa.Table]]:
        """(as_of, a part of the changed state) from the oldest, up to but without ``before``; a part is
        loaded when its turn comes.
        """
        where = "account = ? AND segmentation = ? AND as_of"
        order = "as_of DESC, part" if newest_first else "as_of, part"
        sql = f"SELECT as_of, part FROM labels WHERE {where} < coalesce(?, '9999-99-99') ORDER BY {order}"
        for row in self._database.rows(sql, account, segmentation, before):
            query = f"SELECT content FROM labels WHERE {where} = ? AND part = ?"
            content = self._database.value(query, account, segmentation, row["as_of"], row["part"])
            yield row["as_of"], unpacked(content)

    def latest_day(self, account: str, segmentation: str, before: str | None = None) -> str | None:
        """The latest day up to but without ``before``."""
        sql = "SELECT max(as_of) FROM labels WHERE account = ? AND segmentation = ? AND as_of < coalesce(?, '9999-99-99')"
        day: str | None = self._database.value(sql, account, segmentation, before)
        return day
