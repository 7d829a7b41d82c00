"""What does the journal keep of refused input rows and refused changes?"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple, TypedDict, cast

import pyarrow as pa

from sync.store.journal.database import Repository, now

_CHANGE = [(name, pa.string()) for name in ("record_type", "id", "target", "after")]
ATTEMPTS_SCHEMA = pa.schema([("reject", pa.int64()), *_CHANGE, ("attempts", pa.int64())])
IDS = 5  # that a sort of rejects names
WAITING_SCHEMA = pa.schema([*_CHANGE, ("gone", pa.int64()), ("waits", pa.int64())])


class RefusedRow(NamedTuple):
    """A row of a CRM or file that could not be read."""

    part: str
    line: int | None
    column: str | None
    id: str | None
    reason: str


class RefusedChange(NamedTuple):
    """A change that the CRM refused."""

    record_type: str
    id: str
    target: str
    after: str | None
    kind: str | None
    reason: str | None
    attempts: int
    next_at: str | None  # ISO; None: with the next run
    quarantined: bool  # it is not sent again by itself


class RejectsByPlace(TypedDict):
    """How many rejects there are of a stream or target."""

    source: str  # pull | write
    place: str | None
    rows: int
    quarantined: int


class RejectsBySort(TypedDict):
    """How many rejects are alike."""

    source: str  # pull | write
    place: str
    about: str
    reason: str
    rows: int
    quarantined: int
    ids: list[str]  # of the first ones: lines of a file, else records


class Rejects(Repository):
    """Rejects, by their numbers: of ``source`` pull (rows that cannot be read) and write (changes)."""

    def add_rows(
        self, account: str, stream: str, record_type: str | None, rows: Iterable[RefusedRow]
    ) -> None:
        """Keep rows of a stream that could not be read."""
        with self._database.transaction() as connection:
            connection.executemany(
                """INSERT INTO rejects (account, source, stream, part, line, "column", record_type, record_id, reason, attempts,
                       quarantined, at)
                   VALUES (?, 'pull', ?, ?, ?, ?, ?, ?, ?, 0, 0, ?)""",
                [
                    (account, stream, row.part, row.line, row.column, record_type, row.id, row.reason, now())
                    for row in rows
                ],
            )

    def drop_rows(self, account: str, stream: str, part: str) -> None:
        """Drop the rows of a part that is read again."""
        sql = "DELETE FROM rejects WHERE account = ? AND source = 'pull' AND stream = ? AND part = ?"
        self._database.execute(sql, account, stream, part)

    # -- changes --------------------------------------------------------------------------------------------

    def attempts(self, account: str) -> pa.Table:
        """Every refused change, and how often it was tried (ATTEMPTS_SCHEMA)."""
        sql = """SELECT reject, record_type, record_id AS id, target, after, attempts FROM rejects
                 WHERE account = ? AND source = 'write'"""
        return pa.Table.from_pylist(self._database.rows(sql, account), schema=ATTEMPTS_SCHEMA)

    def waiting(self, account: str, moment: str) -> pa.Table:
        """Every refused change: whether its record is gone, and whether it waits at a moment (WAITING_SCHEMA)."""
        sql = """SELECT record_type, record_id AS id, target, after, kind = 'gone' AS gone,
                     quarantined OR coalesce(next_at > ?, false) AS waits
                 FROM rejects WHERE account = ? AND source = 'write'"""
        return pa.Table.from_pylist(self._database.rows(sql, moment, account), schema=WAITING_SCHEMA)

    def replace_changes(self, account: str, gone: Sequence[int], fresh: Iterable[RefusedChange]) -> None:
        """Drop rejects by their numbers, and keep refused changes."""
        at = now()
        with self._database.transaction() as connection:
            connection.executemany("DELETE FROM rejects WHERE reject = ?", [(number,) for number in gone])
            connection.executemany(
                """INSERT INTO rejects (account, source, record_type, record_id, target, after, kind, reason, attempts, next_at,
                       quarantined, at) VALUES (?, 'write', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                ((account, *change, at) for change in fresh),
            )

    def try_again(self, account: str, record_type: str, target: str) -> None:
        """What the CRM refused of a field that has been made or fixed since goes out with the next run."""
        self._database.execute(
            "UPDATE rejects SET next_at = NULL, quarantined = 0, attempts = 0 WHERE account = ? AND source = 'write' AND record_type = ? "
            "AND target = ? AND kind IN ('data', 'permission')",
            *(account, record_type, target),
        )

    # -- what people see and do -----------------------------------------------------------------------------

    def of(self, account: str, id: str | None = None) -> list[dict[str, Any]]:
        """Rejects of a record, or of all, newest last."""
        sql = """SELECT reject, source, stream, part, line, "column", record_type, record_id, target, kind, reason, attempts, next_at,
                     quarantined, at
                 FROM rejects WHERE account = ? AND coalesce(record_id = ?, ? IS NULL) ORDER BY source, part, line, reject"""
        return self._database.rows(sql, account, id, id)

    def count(self, account: str, numbers: Collection[int] = ()) -> int:
        """How many there are; ``numbers``: of these."""
        sql = f"SELECT count(*) FROM rejects WHERE account = ?{_chosen(numbers)}"
        return int(self._database.value(sql, account))

    def retry(self, account: str, numbers: Collection[int] = ()) -> None:
        """Give changes a new budget of attempts: all, or those of ``numbers``."""
        sql = "UPDATE rejects SET quarantined = 0, attempts = 0, next_at = NULL WHERE source = 'write' AND account = ?"
        self._database.execute(sql + _chosen(numbers), account)

    def drop(self, account: str, numbers: Collection[int] = ()) -> None:
        """Remove rejects: all, or those of ``numbers``."""
        self._database.execute(f"DELETE FROM rejects WHERE account = ?{_chosen(numbers)}", account)

    def record_types(self, account: str, id: str) -> set[str]:
        """Types of the records of an id that something of was refused."""
        sql = "SELECT DISTINCT coalesce(record_type, 'contact') AS record_type FROM rejects WHERE account = ? AND record_id = ?"
        return {row["record_type"] for row in self._database.rows(sql, account, id)}

    def forget(self, account: str, ids: Iterable[str]) -> None:
        """Drop what names one of these ids."""
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM rejects WHERE account = ? AND record_id = ?", [(account, id) for id in ids]
            )

    def drop_before(self, account: str, at: str) -> None:
        """Drop those from before an instant (ISO), unless they are in quarantine."""
        sql = "DELETE FROM rejects WHERE account = ? AND at < ? AND NOT quarantined"
        self._database.execute(sql, account, at)

    def by_place(self, account: str) -> list[RejectsByPlace]:
        """Counted by stream or target."""
        sql = """SELECT source, coalesce(stream, target) AS place, count(*) AS rows, sum(quarantined) AS quarantined
                 FROM rejects WHERE account = ? GROUP BY 1, 2"""
        return [cast(RejectsByPlace, row) for row in self._database.rows(sql, account)]

    def by_sort(self, account: str) -> list[RejectsBySort]:
        """Counted by place, column or target, and reason, in which the record's id is replaced by ``…``."""
        sql = f"""WITH sorts AS (
                 SELECT reject, source, coalesce(CASE source WHEN 'pull' THEN part END, record_type, stream, '') AS place,
                     coalesce("column", target, '') AS about,
                     replace(coalesce(reason, kind, ''), iif(source = 'write', coalesce(record_id, ''), ''), '…') AS reason,
                     coalesce(quarantined, 0) AS quarantined, coalesce('line ' || line, record_id) AS id
                 FROM rejects WHERE account = ?)
             SELECT source, place, about, reason, count(*) AS rows, sum(quarantined) AS quarantined,
                 json_group_array(id) FILTER (WHERE place_in_sort <= {IDS} AND id IS NOT NULL) AS ids
             FROM (SELECT *, row_number() OVER (PARTITION BY source, place, about, reason ORDER BY reject) AS place_in_sort FROM sorts)
             GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, min(reject)"""
        rows = self._database.rows(sql, account)
        return [cast(RejectsBySort, {**row, "ids": json.loads(row["ids"])}) for row in rows]


def _chosen(numbers: Collection[int]) -> str:
    return f" AND reject IN ({', '.join(str(int(number)) for number in numbers)})" if numbers else ""
