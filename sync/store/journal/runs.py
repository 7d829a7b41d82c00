"""What does the journal keep of commands: when they ran, what came of them, and which guards a person let
through?
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypedDict, cast

from sync.store.journal.database import Repository, now, user

_COLUMNS = "run, command, started_at, finished_at, exit_code, summary"
# It wrote, or had nothing to write; or it wrote all but what waits for an approval.
_GOOD = (
    "(exit_code IN (0, 4) OR (exit_code = 5 AND json_extract(summary, '$.waiting.why') <> '' AND json_extract(summary, '$.applied.plan') "
    "IN (SELECT plan FROM plans WHERE state = 'done')))"
)
_ALL_OF_A_PLAN = (
    "command = 'apply' AND json_extract(summary, '$.applied.remaining') = 0 AND json_extract(summary, '$.applied.plan') IN "
    "(SELECT plan FROM plans WHERE kind = 'forward' AND state = 'done')"
)


class Run(TypedDict):
    """A command and what came of it."""

    run: int
    command: str
    started_at: str
    finished_at: str | None  # None: it works still, or it was killed
    exit_code: int | None
    summary: dict[str, Any]


class Allowance(TypedDict):
    """Who let a guard pass, and why."""

    run: int
    guard: str
    reason: str
    who: str
    at: str


class Runs(Repository):
    """Commands, by the numbers that they got when they began."""

    def begin(self, account: str, command: str, allow: Mapping[str, str] | None = None) -> int:
        """A number for what starts now; who lets which guards through in it, and why, is kept from the start."""
        database = self._database
        with database.transaction():
            sql = "INSERT INTO runs (account, command, started_at) VALUES (?, ?, ?)"
            run = database.execute(sql, account, command, now())
            for guard, reason in (allow or {}).items():
                allowance = (run, account, guard, reason, user(), now())
                database.execute("INSERT INTO allowances VALUES (?, ?, ?, ?, ?, ?)", *allowance)
        return run

    def end(self, run: int, exit_code: int, summary: dict[str, Any]) -> None:
        """What came of it."""
        sql = "UPDATE runs SET finished_at = ?, exit_code = ?, summary = ? WHERE run = ?"
        self._database.execute(sql, now(), exit_code, json.dumps(summary, default=str), run)

    def interrupt_others(self, account: str, run: int) -> None:
        """End every run of an account that never ended, but for this one: whoever works holds the lock."""
        self._database.execute(
            "UPDATE runs SET finished_at = ?, exit_code = 1, summary = '{\"interrupted\": true}' "
            "WHERE account = ? AND finished_at IS NULL AND run <> ?",
            *(now(), account, run),
        )

    def get(self, run: int) -> Run | None:
        """The run of a number; None: there is none."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM runs WHERE run = ?", run)
        return _decoded(rows[0]) if rows else None

    def account_of(self, run: int) -> str | None:
        """Whose run it is; None: there is none of that number."""
        account: str | None = self._database.value("SELECT account FROM runs WHERE run = ?", run)
        return account

    def latest_start(self, account: str, without: int) -> str | None:
        """The latest instant (ISO) that a run began at, but for one of them."""
        sql = "SELECT max(started_at) FROM runs WHERE account = ? AND run <> ?"
        began: str | None = self._database.value(sql, account, without)
        return began

    def first_start(self, account: str) -> str | None:
        """When (ISO) the first command began that is kept."""
        began: str | None = self._database.value(
            "SELECT min(started_at) FROM runs WHERE account = ?", account
        )
        return began

    def last_good(self, account: str) -> str | None:
        """When (ISO) the last ``run`` ended that wrote, or had nothing to write; or an ``apply`` that wrote all that
        was left of a plan of what labels want.
        """
        sql = f"SELECT max(finished_at) FROM runs WHERE account = ? AND {_GOOD} AND (command = 'run' OR ({_ALL_OF_A_PLAN}))"
        ended: str | None = self._database.value(sql, account)
        return ended

    def last(self, account: str, limit: int) -> list[Run]:
        """The last runs, the newest first."""
        sql = f"SELECT {_COLUMNS} FROM runs WHERE account = ? ORDER BY run DESC LIMIT ?"
        return [_decoded(row) for row in self._database.rows(sql, account, limit)]

    def ended(self, account: str, wrote: bool = False) -> Iterator[Run]:
        """Runs that ended, the newest first, each read when its turn comes. ``wrote``: only good ones that may
        write.
        """
        where = f"AND command IN ('run', 'apply', 'backfill') AND {_GOOD}" if wrote else ""
        sql = f"SELECT run FROM runs WHERE account = ? AND finished_at IS NOT NULL {where} ORDER BY run DESC"
        for row in self._database.rows(sql, account):
            run = self.get(row["run"])
            if run is not None:
                yield run

    def allowances(self, account: str, limit: int) -> list[Allowance]:
        """Guards that were let through, the newest first."""
        sql = "SELECT run, guard, reason, who, at FROM allowances WHERE account = ? ORDER BY run DESC, guard LIMIT ?"
        return [cast(Allowance, row) for row in self._database.rows(sql, account, limit)]

    def drop_before(self, account: str, at: str) -> None:
        """Drop runs that began before an instant (ISO), unless a batch is theirs."""
        self._database.execute(
            "DELETE FROM runs WHERE account = ? AND started_at < ? AND run NOT IN (SELECT coalesce(run, 0) FROM batches)",
            *(account, at),
        )

    def clean(self, account: str, cleaned: Callable[[Any], Any]) -> None:
        """Rewrite the summary of each."""
        sql = "SELECT run, summary FROM runs WHERE account = ? AND summary IS NOT NULL"
        for row in self._database.rows(sql, account):
            summary = json.dumps(cleaned(json.loads(row["summary"])))
            self._database.execute("UPDATE runs SET summary = ? WHERE run = ?", summary, row["run"])


def _decoded(row: dict[str, Any]) -> Run:
    return cast(Run, {**row, "summary": json.loads(row["summary"] or "{}")})
