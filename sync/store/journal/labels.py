"""What does the journal keep of labels? The rows of a segmentation's state that each day changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from sync.store.arrow_bytes import packed, unpacked
from sync.store.journal.database import Repository, now
from sync.store.journal.people import People, without

_PART = "account = ? AND segmentation = ? AND as_of = ? AND part = ?"


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
            yield row["as_of"], self._part(account, (segmentation, row["as_of"], row["part"]))

    def tables(self, account: str) -> Iterator[pa.Table]:
        """All rows that days changed, a part at a time."""
        for key in self._keys(account):
            yield self._part(account, key)

    def forget(self, account: str, people: People) -> int:
        """Drop the rows of these records; returns how many there were."""
        count = 0
        with self._database.transaction() as connection:
            for key in self._keys(account):
                table = self._part(account, key)
                kept = without(table, people)
                if kept.num_rows < table.num_rows:
                    count += table.num_rows - kept.num_rows
                    connection.execute(
                        f"UPDATE labels SET content = ? WHERE {_PART}", (packed(kept), account, *key)
                    )
        return count

    def fold(self, account: str, segmentation: str, before: str, states: Iterable[pa.Table]) -> None:
        """Replace the days up to but without ``before`` by the last of them, with these rows of state."""
        last = self.latest_day(account, segmentation, before)
        if last is None:
            return
        with self._database.transaction() as connection:
            sql = "DELETE FROM labels WHERE account = ? AND segmentation = ? AND as_of < ?"
            connection.execute(sql, (account, segmentation, before))
            self.save(account, segmentation, last, states)

    def count_days(self, account: str, segmentation: str, before: str) -> int:
        """How many days there are up to but without ``before``."""
        sql = "SELECT count(DISTINCT as_of) FROM labels WHERE account = ? AND segmentation = ? AND as_of < ?"
        return int(self._database.value(sql, account, segmentation, before))

    def _keys(self, account: str) -> list[tuple[str, str, int]]:
        rows = self._database.rows("SELECT segmentation, as_of, part FROM labels WHERE account = ?", account)
        return [(row["segmentation"], row["as_of"], row["part"]) for row in rows]

    def _part(self, account: str, key: tuple[str, str, int]) -> pa.Table:
        return unpacked(self._database.value(f"SELECT content FROM labels WHERE {_PART}", account, *key))

    def saved_at(self, account: str, segmentation: str, before: str) -> str | None:
        """When the labels of the latest day up to but without ``before`` were saved."""
        sql = """SELECT max(at) FROM labels WHERE account = ?1 AND segmentation = ?2 AND as_of =
                 (SELECT max(as_of) FROM labels WHERE account = ?1 AND segmentation = ?2 AND as_of < ?3)"""
        moment: str | None = self._database.value(sql, account, segmentation, before)
        return moment

    def latest_day(self, account: str, segmentation: str, before: str | None = None) -> str | None:
        """The latest day up to but without ``before``."""
        sql = "SELECT max(as_of) FROM labels WHERE account = ? AND segmentation = ? AND as_of < coalesce(?, '9999-99-99')"
        day: str | None = self._database.value(sql, account, segmentation, before)
        return day
