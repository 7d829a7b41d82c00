"""What does the journal keep of batches: the changes of a plan, whether they were sent, and what came of each?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sync.store.arrow_bytes import packed, unpacked
from sync.store.journal.database import Repository
from sync.store.journal.people import People, are_about

# Beside schemas.CHANGE_SCHEMA: which segmentation wants it, what is done, and whose the value was and will
# be.
PLAN_SCHEMA = pa.schema(
    [
        ("record_type", pa.string()),
        ("id", pa.string()),
        ("target", pa.string()),
        ("before", pa.string()),
        ("after", pa.string()),
        ("segmentation", pa.string()),
        ("action", pa.string()),  # set | clear | overwrite | enter | leave | restore | withdraw
        ("mine_before", pa.bool_()),
        ("mine_after", pa.bool_()),
    ]
)

_COLUMNS = (
    "batch, plan, run, kind, target, record_type, rows, state, opened, changed, opened_at, closed_at, content"
)
# What the pace counts: a batch from before its call, and after its answer with the records that it may have moved
_COUNTED = "FROM batches WHERE account = ? AND (state = 'open' OR (state = 'done' AND records > 0 AND closed_at > ?))"


@dataclass(frozen=True)
class Batch:
    """One batch as the journal keeps it."""

    batch: int
    plan: int
    run: int | None
    kind: str  # field | list
    target: str  # of a list: its key
    record_type: str
    rows: int
    state: str  # planned | open | done
    opened: int | None  # when it was opened, in the order of everything that happens to batches
    changed: int  # when something last happened to it, in the same order
    opened_at: str | None
    closed_at: str | None
    content: bytes

    def changes(self) -> pa.Table:
        """Its changes (PLAN_SCHEMA)."""
        return unpacked(self.content)


class Batches(Repository):
    """Batches, by their numbers."""

    def add(
        self,
        plan: int,
        account: str,
        kind: str,
        target: str,
        record_type: str,
        changes: pa.Table,
        records: int,
    ) -> int:
        """A planned batch (PLAN_SCHEMA)."""
        return self._database.execute(
            "INSERT INTO batches (plan, account, kind, target, record_type, rows, records, content, state, changed) VALUES (?, ?, ?, "
            "?, ?, ?, ?, ?, 'planned', 0)",
            plan, account, kind, target, record_type, changes.num_rows, records, packed(changes),
        )  # fmt: skip

    def of(
        self,
        plan: int | None = None,
        account: str | None = None,
        state: str | None = None,
        run: int | None = None,
    ) -> Iterator[Batch]:
        """Batches in the order of their numbers, content loaded one at a time."""
        asked = {"plan": plan, "account": account, "state": state, "run": run}
        conditions = [(column, value) for column, value in asked.items() if value is not None]
        where = " AND ".join(f"{c} = ?" for c, _ in conditions) or "1"
        return self._where(f"{where} ORDER BY batch", *(v for _, v in conditions))

    def sizes(self, plan: int) -> list[tuple[int, int]]:
        """Number and changes of each batch of a plan, in their order."""
        sql = "SELECT batch, rows FROM batches WHERE plan = ? ORDER BY batch"
        return [(row["batch"], row["rows"]) for row in self._database.rows(sql, plan)]

    def sent(self, account: str, run: int | None = None, newest_first: bool = False) -> Iterator[Batch]:
        """Batches with changes that were sent (of all runs, or of one), in the order in which they were opened."""
        condition = "account = ? AND state <> 'planned' AND rows > 0 AND run = coalesce(?, run)"
        order = "opened DESC" if newest_first else "opened"
        return self._where(f"{condition} ORDER BY {order}", account, run)

    def sent_rows(self, account: str, run: int | None = None) -> int:
        """How many changes these hold."""
        condition = "account = ? AND state <> 'planned' AND run = coalesce(?, run)"
        return int(
            self._database.value(
                f"SELECT coalesce(sum(rows), 0) FROM batches WHERE {condition}", account, run
            )
        )

    def changed_since(self, account: str, number: int) -> Iterator[Batch]:
        """Batches that were opened or closed since, in that order."""
        where = "account = ? AND changed > ? AND state IN ('open', 'done') ORDER BY changed"
        return self._where(where, account, number)

    def closed_before(self, account: str, at: str) -> Iterator[Batch]:
        """Batches that were answered before an instant (ISO)."""
        return self._where("account = ? AND state = 'done' AND closed_at < ?", account, at)

    def _where(self, condition: str, *parameters: Any) -> Iterator[Batch]:
        for row in self._database.rows(f"SELECT batch FROM batches WHERE {condition}", *parameters):
            yield self.get(row["batch"])

    def get(self, batch: int) -> Batch:
        """One batch."""
        [row] = self._database.rows(f"SELECT {_COLUMNS} FROM batches WHERE batch = ?", batch)
        return Batch(**row)

    # -- what happens to them -------------------------------------------------------------------------------

    def open(self, batch: int, run: int, at: str) -> None:
        """The intent: on disk before the call."""
        number = self._database.next()
        sql = "UPDATE batches SET state = 'open', run = ?, opened = ?, changed = ?, opened_at = ? WHERE batch = ?"
        self._database.execute(sql, run, number, number, at, batch)

    def close(self, batch: int, outcomes: pa.Table, at: str, written: int) -> None:
        """The answer (schemas.OUTCOME_SCHEMA), row by row, and how many records it may have moved."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM exceptions WHERE batch = ?", (batch,))
            connection.executemany(
                "INSERT INTO exceptions VALUES (?, ?, ?, ?, ?)", _exceptions(batch, outcomes)
            )
            closed = (at, self._database.next(), written, batch)
            connection.execute(
                "UPDATE batches SET state = 'done', closed_at = ?, changed = ?, records = ? WHERE batch = ?",
                closed,
            )

    def split(self, batch: Batch, now: tuple[pa.Table, int], later: tuple[pa.Table, int]) -> int:
        """Take a part (changes, records) out of a planned batch, which keeps the rest; returns the number of
        the new batch.
        """
        with self._database.transaction() as connection:
            account = connection.execute(
                "SELECT account FROM batches WHERE batch = ?", (batch.batch,)
            ).fetchone()[0]
            parameters = (packed(later[0]), later[0].num_rows, later[1], batch.batch)
            connection.execute(
                "UPDATE batches SET content = ?, rows = ?, records = ? WHERE batch = ?", parameters
            )
            return self.add(batch.plan, account, batch.kind, batch.target, batch.record_type, *now)

    def job(self, batch: int) -> str | None:
        """The id that the CRM gave the upload of a batch."""
        job: str | None = self._database.value("SELECT job FROM batches WHERE batch = ?", batch)
        return job

    def save_job(self, batch: int, job: str) -> None:
        """Keep that id, before the upload."""
        self._database.execute("UPDATE batches SET job = ? WHERE batch = ?", job, batch)

    # -- what came of them ----------------------------------------------------------------------------------

    def not_done(self, batch: Batch) -> list[int]:
        """Positions of the rows of a closed batch that were not done."""
        sql = "SELECT position FROM exceptions WHERE batch = ? ORDER BY position"
        return [row["position"] for row in self._database.rows(sql, batch.batch)]

    def outcomes(self, batch: Batch) -> tuple[list[str], list[str | None]]:
        """Status and reason of each row of a closed batch."""
        status: list[str] = ["done"] * batch.rows
        reason: list[str | None] = [None] * batch.rows
        sql = "SELECT position, status, reason FROM exceptions WHERE batch = ?"
        for row in self._database.rows(sql, batch.batch):
            status[row["position"]], reason[row["position"]] = row["status"], row["reason"]
        return status, reason

    # -- what is forgotten of them --------------------------------------------------------------------------

    def forget(self, account: str, people: People) -> int:
        """Drop the changes of these records, and move the notes on the others to their new positions; returns
        how many there were.
        """
        with self._database.transaction():
            return sum(self._forget(batch, people) for batch in self.of(account=account))

    def _forget(self, batch: Batch, people: People) -> int:
        database, changes = self._database, batch.changes()
        gone = are_about(changes, people).to_pylist()
        if not any(gone):
            return 0
        kept_positions = (position for position, is_gone in enumerate(gone) if not is_gone)
        moved = {position: new for new, position in enumerate(kept_positions)}
        notes = database.rows("SELECT * FROM exceptions WHERE batch = ?", batch.batch)
        database.execute("DELETE FROM exceptions WHERE batch = ?", batch.batch)
        for note in notes:
            if note["position"] in moved:
                row = (batch.batch, moved[note["position"]], note["status"], note["kind"], note["reason"])
                database.execute("INSERT INTO exceptions VALUES (?, ?, ?, ?, ?)", *row)
        kept = changes.filter(pa.array([not is_gone for is_gone in gone]))
        sql = "UPDATE batches SET content = ?, rows = ? WHERE batch = ?"
        database.execute(sql, packed(kept), kept.num_rows, batch.batch)
        if batch.state == "planned":  # of others the pace still counts what they moved
            records = len(set(kept["id"].to_pylist()))
            database.execute("UPDATE batches SET records = ? WHERE batch = ?", records, batch.batch)
        return int(changes.num_rows - kept.num_rows)

    def keep_only(self, batch: Batch, kept: pa.Table) -> None:
        """Forget all changes of a closed batch but these, and what came of it; a batch without changes goes."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM exceptions WHERE batch = ?", (batch.batch,))
            if kept.num_rows:
                connection.execute(
                    "UPDATE batches SET content = ?, rows = ? WHERE batch = ?",
                    (packed(kept), kept.num_rows, batch.batch),
                )
            else:
                connection.execute("DELETE FROM batches WHERE batch = ?", (batch.batch,))

    def drop_empty_before(self, account: str, at: str) -> None:
        """Drop batches without changes that were answered before an instant (ISO)."""
        sql = "DELETE FROM batches WHERE account = ? AND rows = 0 AND state = 'done' AND closed_at < ?"
        self._database.execute(sql, account, at)

    def digest(self, plan: int) -> str:
        """A hash of all changes of a plan. A batch that is split changes it."""
        sql = "SELECT batch, kind, target, record_type, rows, content FROM batches WHERE plan = ? ORDER BY batch"
        return _digest(tuple(row)[1:] for row in self._database.connection.execute(sql, (plan,)))

    @staticmethod
    def digest_of(parts: Iterable[tuple[str, str, str, pa.Table]]) -> str:
        """The same of changes that are no plan yet: kind, target, record type and changes of each batch."""
        return _digest((*named, changes.num_rows, packed(changes)) for *named, changes in parts)

    # -- how much was, and will be, written -----------------------------------------------------------------

    def changes_of(self, plan: int, state: str | None = None) -> int:
        """Changes of a plan, or of its batches in a state."""
        sql = "SELECT coalesce(sum(rows), 0) FROM batches WHERE plan = ? AND coalesce(state = ?, true)"
        return int(self._database.value(sql, plan, state))

    def counted_since(self, account: str, at: str) -> int:
        """Records that count for the pace since an instant (ISO)."""
        return int(self._database.value(f"SELECT coalesce(sum(records), 0) {_COUNTED}", account, at))

    def first_counted_since(self, account: str, at: str) -> str | None:
        """When (ISO) the first batch was answered that counts for the pace since an instant."""
        answered: str | None = self._database.value(f"SELECT min(closed_at) {_COUNTED}", account, at)
        return answered

    def written_since(self, account: str, at: str) -> int:
        """Records that answered batches may have moved since an instant (ISO)."""
        sql = "SELECT coalesce(sum(records), 0) FROM batches WHERE account = ? AND state = 'done' AND closed_at > ?"
        return int(self._database.value(sql, account, at))

    def add_written(self, account: str, records: int, at: str) -> None:
        """Count records for the pace of which nothing else may be remembered: a batch without changes, of no
        plan and no run.
        """
        nothing = packed(PLAN_SCHEMA.empty_table())
        self._database.execute(
            "INSERT INTO batches (plan, account, run, kind, target, record_type, rows, records, state, opened, changed, opened_at, "
            "closed_at, content) VALUES (0, ?, 0, 'field', '', '', 0, ?, 'done', 0, 0, ?, ?, ?)",
            account, records, at, at, nothing,
        )  # fmt: skip


def _digest(parts: Iterable[tuple[Any, ...]]) -> str:
    content = hashlib.sha256()
    for *named, changes in parts:
        content.update(json.dumps(named).encode())
        content.update(changes)
    return content.hexdigest()[:32]


def _exceptions(batch: int, outcomes: pa.Table) -> Iterator[tuple[Any, ...]]:
    import pyarrow.compute as pc

    positions = pc.indices_nonzero(pc.not_equal(outcomes["status"], "done"))
    refused = outcomes.take(positions)
    columns = [refused[name].to_pylist() for name in ("status", "kind", "reason")]
    return ((batch, *row) for row in zip(positions.to_pylist(), *columns, strict=True))
