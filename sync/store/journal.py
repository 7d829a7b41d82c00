"""The journal: what we meant, did and decided. An SQLite file, and memory: back it up.

A plan *is* its batches: each is one compressed Arrow table of changes, written when the plan is made, opened
before the call that carries it out and closed with the answer. Rows that were not simply done stand in
``exceptions``. So a crash leaves at most one open batch per account, and every value can be traced to its
run.
"""

from __future__ import annotations

import getpass
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from sync.store import integrity, migrations
from sync.store.arrow_bytes import packed, unpacked
from sync.store.soundness import as_closed, note_closed

_BIG = 64_000_000  # bytes: the copying of so much is felt

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


def backup_of(path: Path) -> Path:
    """Where the copy of a journal is kept."""
    return path.with_name("journal.backup.sqlite")


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
    content: bytes

    def changes(self) -> pa.Table:
        """Its changes (PLAN_SCHEMA)."""
        return unpacked(self.content)


class Journal:
    """The SQLite file of a state directory. Every method that writes has committed when it returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sound = True  # nothing that was read of it says otherwise
        new, touched = not path.exists(), not as_closed(path)
        if not new and not (path.is_file() and path.stat().st_size):
            raise integrity.JournalDamaged("it is empty" if path.is_file() else "it is no file")
        self.connection = sqlite3.connect(path, isolation_level=None)
        try:
            self._begin(new, touched)
        except BaseException:
            self.connection.close()
            raise

    def _begin(self, new: bool, touched: bool) -> None:
        self.connection.row_factory = sqlite3.Row
        version = migrations.version_of(self.connection)
        if not new and integrity.shape_of(self.connection) != migrations.shape_of_version(version):
            raise integrity.JournalDamaged("it is damaged, or no journal of crm-segments")
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "secure_delete = ON",
            "busy_timeout = 10000",
        ):
            self.connection.execute(f"PRAGMA {pragma}")
        if new:
            os.chmod(self.path, 0o600)
        if touched and version >= migrations.SIGNED:
            self.look_through()  # before a migration, which would vouch for what it rewrites
        if version < len(migrations.MIGRATIONS):
            with self.transaction():
                migrations.migrate(self.connection)
        if touched and 0 < version < migrations.SIGNED:
            self.look_through()

    def look_through(self) -> None:
        """JournalDamaged or an error of SQLite where something in it is not what was written.

        Until it has been read to its end once, it does not count as sound.
        """
        self._sound = False
        integrity.check(
            self.connection,
            [name for name, kind, _ in integrity.shape_of(self.connection) if kind == "table"],
        )
        self._sound = True

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; nests by joining the outer one."""
        if self.connection.in_transaction:
            yield self.connection
            return
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            with suppress(
                sqlite3.Error
            ):  # the first error tells; an open transaction ends with the connection
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows as dictionaries."""
        return [dict(row) for row in self.connection.execute(sql, parameters)]

    def value(self, sql: str, *parameters: Any) -> Any:
        """First column of the first row, or None."""
        row = self.connection.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    def execute(self, sql: str, *parameters: Any) -> int:
        """Write; returns the last row number."""
        with self.transaction() as connection:
            return int(connection.execute(sql, parameters).lastrowid or 0)

    def close(self) -> None:
        """Seal what was written, and let go of the file.

        Where that fails, the next one to open it looks at all of it.
        """
        with suppress(sqlite3.Error, integrity.JournalDamaged):
            if self._sound and not self.connection.in_transaction:
                with self.transaction():
                    integrity.seal(self.connection)
                self.connection.close()
                note_closed(self.path)
        self.connection.close()

    def back_up(self, at_once: bool = False) -> None:
        """Keep a copy beside the journal: of a big one once a day, unless ``at_once``.

        The older one stays where there is no room, and where the journal is damaged.
        """
        copy = backup_of(self.path)
        if not self._sound or (
            not at_once
            and copy.exists()
            and self.path.stat().st_size > _BIG
            and time.time() - copy.stat().st_mtime < 86_400
        ):
            return
        with suppress(sqlite3.Error, OSError, integrity.JournalDamaged):
            with self.transaction():
                integrity.seal(self.connection)
            integrity.copy_soundly(self.connection, copy)

    def next(self) -> int:
        """A number that grows with everything that happens to a batch."""
        with self.transaction() as connection:
            connection.execute("UPDATE sequence SET value = value + 1")
            return int(connection.execute("SELECT value FROM sequence").fetchone()[0])

    def sequence(self) -> int:
        """The last number that ``next`` gave."""
        return int(self.value("SELECT value FROM sequence"))

    def identity(self) -> str:
        """What tells this journal from every other, and from one that is begun again."""
        return str(self.value("SELECT value FROM identity"))

    # -- runs ----------------------------------------------------------------------------------------------

    def begin_run(self, account: str, command: str, allow: Mapping[str, str] | None = None) -> int:
        """A number for what starts now; who lets which guards through in it, and why, is kept from the start."""
        with self.transaction():
            run = self.execute(
                "INSERT INTO runs (account, command, started_at) VALUES (?, ?, ?)", account, command, now()
            )
            for guard, reason in (allow or {}).items():
                self.execute(
                    "INSERT INTO allowances VALUES (?, ?, ?, ?, ?, ?)",
                    run,
                    account,
                    guard,
                    reason,
                    user(),
                    now(),
                )
        return run

    def end_run(self, run: int, exit_code: int, summary: dict[str, Any]) -> None:
        """What came of it."""
        self.execute(
            "UPDATE runs SET finished_at = ?, exit_code = ?, summary = ? WHERE run = ?",
            now(),
            exit_code,
            json.dumps(summary, default=str),
            run,
        )

    # -- plans and batches ---------------------------------------------------------------------------------

    def save_plan(
        self,
        account: str,
        run: int,
        kind: str,
        as_of: str | None,
        basis: dict[str, Any],
        undoes: int | None = None,
    ) -> int:
        """A new, open plan, still without batches."""
        return self.execute(
            "INSERT INTO plans (account, run, kind, state, as_of, created_at, basis, undoes) VALUES (?, ?, ?, 'open', ?, ?, ?, ?)",
            account, run, kind, as_of, now(), json.dumps(basis, sort_keys=True), undoes,
        )  # fmt: skip

    def plan(self, plan: int) -> dict[str, Any] | None:
        """A plan's row, its JSON columns decoded."""
        rows = self.rows("SELECT * FROM plans WHERE plan = ?", plan)
        if not rows:
            return None
        for column in ("basis", "guards", "allowed", "summary"):
            rows[0][column] = json.loads(rows[0][column] or "{}")
        return rows[0]

    def set_plan(self, plan: int, **columns: Any) -> None:
        """Change columns of a plan; dictionaries and lists are stored as JSON."""
        values = [json.dumps(v, default=str) if isinstance(v, dict | list) else v for v in columns.values()]
        self.execute(
            f"UPDATE plans SET {', '.join(f'{c} = ?' for c in columns)} WHERE plan = ?", *values, plan
        )

    def add_batch(
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
        return self.execute(
            "INSERT INTO batches (plan, account, kind, target, record_type, rows, records, content, state, changed) VALUES (?, ?, ?, "
            "?, ?, ?, ?, ?, 'planned', 0)",
            plan, account, kind, target, record_type, changes.num_rows, records, packed(changes),
        )  # fmt: skip

    def batches(
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
        numbers = self.rows(
            f"SELECT batch FROM batches WHERE {where} ORDER BY batch", *(v for _, v in conditions)
        )
        for row in numbers:
            yield self.batch(row["batch"])

    def batch(self, batch: int) -> Batch:
        """One batch."""
        columns = ("batch", "plan", "run", "kind", "target", "record_type", "rows", "state", "content")
        row = self.rows(f"SELECT {', '.join(columns)} FROM batches WHERE batch = ?", batch)[0]
        return Batch(**row)

    def open_batch(self, batch: int, run: int, at: str) -> None:
        """The intent: on disk before the call."""
        number = self.next()
        sql = "UPDATE batches SET state = 'open', run = ?, opened = ?, changed = ?, opened_at = ? WHERE batch = ?"
        self.execute(sql, run, number, number, at, batch)

    def close_batch(self, batch: int, outcomes: pa.Table, at: str, written: int) -> None:
        """The answer (schemas.OUTCOME_SCHEMA), row by row, and how many records it may have moved."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM exceptions WHERE batch = ?", (batch,))
            connection.executemany(
                "INSERT INTO exceptions VALUES (?, ?, ?, ?, ?)", _exceptions(batch, outcomes)
            )
            closed = (at, self.next(), written, batch)
            connection.execute(
                "UPDATE batches SET state = 'done', closed_at = ?, changed = ?, records = ? WHERE batch = ?",
                closed,
            )

    def add_written(self, account: str, records: int, at: str) -> None:
        """Count records for the pace of which nothing else may be remembered: a batch without changes, of no
        plan and no run.
        """
        nothing = packed(PLAN_SCHEMA.empty_table())
        self.execute(
            "INSERT INTO batches (plan, account, run, kind, target, record_type, rows, records, state, opened, changed, opened_at, "
            "closed_at, content) VALUES (0, ?, 0, 'field', '', '', 0, ?, 'done', 0, 0, ?, ?, ?)",
            account, records, at, at, nothing,
        )  # fmt: skip

    def split_batch(self, batch: Batch, now: tuple[pa.Table, int], later: tuple[pa.Table, int]) -> int:
        """Take a part (changes, records) out of a planned batch, which keeps the rest; returns the number of
        the new batch.
        """
        with self.transaction() as connection:
            account = connection.execute(
                "SELECT account FROM batches WHERE batch = ?", (batch.batch,)
            ).fetchone()[0]
            parameters = (packed(later[0]), later[0].num_rows, later[1], batch.batch)
            connection.execute(
                "UPDATE batches SET content = ?, rows = ?, records = ? WHERE batch = ?", parameters
            )
            return self.add_batch(batch.plan, account, batch.kind, batch.target, batch.record_type, *now)

    def not_done(self, batch: Batch) -> list[int]:
        """Positions of the rows of a closed batch that were not done."""
        return [
            row["position"]
            for row in self.rows(
                "SELECT position FROM exceptions WHERE batch = ? ORDER BY position", batch.batch
            )
        ]

    def outcomes(self, batch: Batch) -> tuple[list[str], list[str | None]]:
        """Status and reason of each row of a closed batch."""
        status: list[str] = ["done"] * batch.rows
        reason: list[str | None] = [None] * batch.rows
        for row in self.rows("SELECT position, status, reason FROM exceptions WHERE batch = ?", batch.batch):
            status[row["position"]], reason[row["position"]] = row["status"], row["reason"]
        return status, reason

    # -- labels, models, what we made ----------------------------------------------------------------------

    def save_labels(self, account: str, segmentation: str, as_of: str, changed: Iterable[pa.Table]) -> None:
        """State rows that an as_of changed, in parts of different records; repeating an as_of replaces them."""
        with self.transaction() as connection:
            connection.execute(
                "DELETE FROM labels WHERE account = ? AND segmentation = ? AND as_of = ?",
                (account, segmentation, as_of),
            )
            for part, table in enumerate(changed):
                if table.num_rows or not part:  # a day that changed nothing is a day all the same
                    row = (account, segmentation, as_of, part, now(), packed(table))
                    connection.execute("INSERT INTO labels VALUES (?, ?, ?, ?, ?, ?)", row)

    def labels(
        self, account: str, segmentation: str, before: str | None = None, newest_first: bool = False
    ) -> Iterator[tuple[str, pa.Table]]:
        """(as_of, a part of the changed state) from the oldest, up to but without ``before``; a part is
        loaded when its turn comes.
        """
        where = "account = ? AND segmentation = ? AND as_of"
        order = "as_of DESC, part" if newest_first else "as_of, part"
        sql = f"SELECT as_of, part FROM labels WHERE {where} < coalesce(?, '9999-99-99') ORDER BY {order}"
        for row in self.rows(sql, account, segmentation, before):
            query = f"SELECT content FROM labels WHERE {where} = ? AND part = ?"
            yield row["as_of"], unpacked(self.value(query, account, segmentation, row["as_of"], row["part"]))

    def save_model(self, account: str, segmentation: str, as_of: str, digest: str, content: str) -> int:
        """A fitted model; returns its version."""
        version = int(
            self.value(
                "SELECT coalesce(max(version), 0) + 1 FROM models WHERE account = ? AND segmentation = ?",
                account,
                segmentation,
            )
        )
        self.execute(
            "INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?)",
            account,
            segmentation,
            version,
            as_of,
            digest,
            now(),
            content,
        )
        return version

    def model(self, account: str, segmentation: str) -> dict[str, Any] | None:
        """The newest model: version, as_of, digest, content."""
        rows = self.rows(
            "SELECT * FROM models WHERE account = ? AND segmentation = ? ORDER BY version DESC LIMIT 1",
            account,
            segmentation,
        )
        return rows[0] if rows else None

    def made(self, account: str) -> list[dict[str, Any]]:
        """Fields and lists of ours in the CRM. ``form``: what was asked for when it was made, and which kind
        of list it became; ``since``: when, in the order of batches."""
        rows = self.rows(
            "SELECT * FROM objects WHERE account = ? AND remote IS NOT '' ORDER BY kind, record_type, key",
            account,
        )
        return [{**row, "form": json.loads(row["form"] or "{}"), "since": row["since"] or 0} for row in rows]

    def save_object(
        self,
        account: str,
        kind: str,
        record_type: str,
        key: str,
        remote: str,
        adopted: bool,
        run: int,
        form: Mapping[str, Any],
        new: bool,
    ) -> None:
        """Remember that a field or list is ours. ``new``: it holds nothing of what was written before."""
        where = (account, kind, record_type, key)
        since = self.value(
            "SELECT since FROM objects WHERE account = ? AND kind = ? AND record_type = ? AND key = ?", *where
        )
        columns = (remote, int(adopted), run, json.dumps(form), self.next() if new else since)
        self.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *where, *columns)

    def intend_object(
        self,
        account: str,
        kind: str,
        record_type: str,
        key: str,
        run: int,
        form: Mapping[str, Any],
        new: bool,
    ) -> None:
        """Remember, before it is made, that a field or list is about to be made in this form; ``save_object``
        ends that.

        What we did not make so far has a row without ``remote`` until then.
        """
        where = (account, kind, record_type, key)
        with self.transaction():
            old_form = self.value(
                "SELECT form FROM objects WHERE account = ? AND kind = ? AND record_type = ? AND key = ?",
                *where,
            )
            meant = json.dumps({**json.loads(old_form or "{}"), "making": {"form": form, "new": new}})
            self.execute(
                "INSERT OR IGNORE INTO objects VALUES (?, ?, ?, ?, '', 0, ?, ?, NULL)", *where, run, meant
            )
            self.execute(
                "UPDATE objects SET form = ? WHERE account = ? AND kind = ? AND record_type = ? AND key = ?",
                meant,
                *where,
            )

    def try_again(self, account: str, record_type: str, target: str) -> None:
        """What the CRM refused of a field that has been made or fixed since goes out with the next run."""
        self.execute(
            "UPDATE rejects SET next_at = NULL, quarantined = 0, attempts = 0 WHERE account = ? AND source = 'write' AND record_type = ? "
            "AND target = ? AND kind IN ('data', 'permission')",
            *(account, record_type, target),
        )

    def intended(self, account: str) -> dict[tuple[str, str, str], dict[str, Any]]:
        """What a set-up that was cut off was about to make: (kind, record type, key) → its ``form``, and
        whether it is ``new``.
        """
        rows = self.rows("SELECT kind, record_type, key, form FROM objects WHERE account = ?", account)
        forms = {
            (row["kind"], row["record_type"], row["key"]): json.loads(row["form"] or "{}") for row in rows
        }
        return {key: form["making"] for key, form in forms.items() if "making" in form}


def user() -> str:
    """Who works here, as the machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def now() -> str:
    """The present instant as the journal writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _exceptions(batch: int, outcomes: pa.Table) -> Iterator[tuple[Any, ...]]:
    import pyarrow.compute as pc

    positions = pc.indices_nonzero(pc.not_equal(outcomes["status"], "done"))
    refused = outcomes.take(positions)
    columns = [refused[name].to_pylist() for name in ("status", "kind", "reason")]
    return ((batch, *row) for row in zip(positions.to_pylist(), *columns, strict=True))
