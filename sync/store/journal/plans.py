"""What does the journal keep of plans? A plan is made open, is applied until it is done, or is superseded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sync.store.journal.database import Repository, now


@dataclass(frozen=True)
class Plan:
    """A plan as the journal keeps it."""

    plan: int
    account: str
    run: int  # that made it
    kind: str  # forward | undo | retire | consent
    state: str  # open | applying | done | superseded
    as_of: str | None
    created_at: str
    basis: dict[str, Any]  # what it was made from
    guards: list[dict[str, Any]]  # those that it trips: guard, what, first_labelling
    allowed: dict[str, Any]  # guards that were let through, and by whom
    summary: dict[str, Any]  # what ``plan`` answers
    undoes: int | None  # the run that it takes back


class Plans(Repository):
    """Plans, by their numbers."""

    def save(
        self,
        account: str,
        run: int,
        kind: str,
        as_of: str | None,
        basis: Mapping[str, Any],
        undoes: int | None = None,
    ) -> int:
        """A new, open plan, still without batches."""
        return self._database.execute(
            "INSERT INTO plans (account, run, kind, state, as_of, created_at, basis, undoes) VALUES (?, ?, ?, 'open', ?, ?, ?, ?)",
            account, run, kind, as_of, now(), json.dumps(basis, sort_keys=True), undoes,
        )  # fmt: skip

    def get(self, plan: int) -> Plan | None:
        """The plan of a number; None: there is none."""
        return next(self._where("plan = ?", plan), None)

    def account_of(self, plan: int) -> str | None:
        """Whose plan it is; None: there is none of that number."""
        account: str | None = self._database.value("SELECT account FROM plans WHERE plan = ?", plan)
        return account

    def update(self, plan: int, **columns: Any) -> None:
        """Change columns of a plan; dictionaries and lists are stored as JSON."""
        values = [json.dumps(v, default=str) if isinstance(v, dict | list) else v for v in columns.values()]
        named = ", ".join(f"{column} = ?" for column in columns)
        self._database.execute(f"UPDATE plans SET {named} WHERE plan = ?", *values, plan)

    def unfinished(self, account: str) -> list[Plan]:
        """Plans that are open or being applied, by number."""
        return list(self._where("account = ? AND state IN ('open', 'applying')", account))

    def last(self, account: str, limit: int) -> list[Plan]:
        """The last plans, the newest first."""
        newest = "SELECT plan FROM plans WHERE account = ? ORDER BY plan DESC LIMIT ?"
        return list(self._where(f"plan IN ({newest})", account, limit))[::-1]

    def of_run(self, run: int) -> list[Plan]:
        """The plans that a run made, by number."""
        return list(self._where("run = ?", run))

    def written_by(self, plan: int) -> int | None:
        """The last run that wrote changes of a plan; None: none did."""
        sql = "SELECT max(run) FROM batches WHERE plan = ? AND state = 'done' AND rows > 0"
        run: int | None = self._database.value(sql, plan)
        return run

    def applied_after(self, plan: Plan) -> Iterator[Plan]:
        """Plans of the same account that were made later and applied, but for those that only withdraw."""
        where = "account = ? AND plan > ? AND state IN ('applying', 'done') AND kind <> 'consent'"
        return self._where(where, plan.account, plan.plan)

    def carried_out(self, account: str) -> Iterator[Plan]:
        """Plans of what labels wanted that were applied, wholly or in part, the newest first, each read when its turn
        comes.
        """
        sql = (
            "SELECT plan FROM plans WHERE account = ? AND kind = 'forward' AND (state IN ('applying', 'done') OR (state = 'superseded' "
            "AND EXISTS (SELECT 1 FROM batches WHERE batches.plan = plans.plan AND batches.state = 'done'))) ORDER BY plan DESC"
        )
        for row in self._database.rows(sql, account):
            plan = self.get(row["plan"])
            if plan is not None:
                yield plan

    def withdrawing(self, account: str) -> set[int]:
        """Numbers of the plans that took away what consent forbids."""
        sql = "SELECT plan FROM plans WHERE account = ? AND kind = 'consent'"
        return {row["plan"] for row in self._database.rows(sql, account)}

    def guarded(self, account: str, limit: int) -> list[tuple[int, list[dict[str, Any]]]]:
        """Number and tripped guards of plans that tripped some, the newest first."""
        sql = "SELECT plan, guards FROM plans WHERE account = ? AND coalesce(guards, '[]') <> '[]' ORDER BY plan DESC LIMIT ?"
        return [(row["plan"], json.loads(row["guards"])) for row in self._database.rows(sql, account, limit)]

    def drop_before(self, account: str, at: str) -> None:
        """Drop plans that were made before an instant (ISO), unless a batch is theirs."""
        self._database.execute(
            "DELETE FROM plans WHERE account = ? AND created_at < ? AND plan NOT IN (SELECT plan FROM batches)",
            *(account, at),
        )

    def clean(self, account: str, cleaned: Callable[[Any], Any]) -> None:
        """Rewrite the summary of each."""
        sql = "SELECT plan, summary FROM plans WHERE account = ? AND summary IS NOT NULL"
        for row in self._database.rows(sql, account):
            summary = json.dumps(cleaned(json.loads(row["summary"])))
            self._database.execute("UPDATE plans SET summary = ? WHERE plan = ?", summary, row["plan"])

    def _where(self, condition: str, *parameters: Any) -> Iterator[Plan]:
        return map(_decoded, self._rows(condition, parameters))

    def _rows(self, condition: str, parameters: Iterable[Any]) -> list[dict[str, Any]]:
        return self._database.rows(f"SELECT * FROM plans WHERE {condition} ORDER BY plan", *parameters)


def _decoded(row: dict[str, Any]) -> Plan:
    tables = {name: json.loads(row[name] or "{}") for name in ("basis", "allowed", "summary")}
    return Plan(**{**row, **tables, "guards": json.loads(row["guards"] or "[]")})
