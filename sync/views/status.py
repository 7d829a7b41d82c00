"""Where does an account stand?

The journal tells, and what the mirror keeps of its last reading: nothing is read or counted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sync.pull.reading import kept
from sync.store.journal import Journal

# commands that compare what the CRM holds with what it should hold
_COMPARING = frozenset({"run", "plan", "apply", "backfill", "setup"})


def status(journal: Journal, account: str, mirror_file: Path, runs: int = 10) -> dict[str, Any]:
    """Last runs, open plans, holds and rejects of an account, and the summary of its last reading."""
    last = journal.rows(
        "SELECT run, command, started_at, finished_at, exit_code, summary FROM runs WHERE account = ? ORDER BY run DESC LIMIT ?",
        account,
        runs,
    )
    for row in last:
        row["summary"] = json.loads(row["summary"] or "{}")
        if row["finished_at"] is None:  # whoever works here holds the lock, and that is us
            row["summary"]["interrupted"] = True
    counts = journal.rows(
        "SELECT source, coalesce(stream, target) AS place, count(*) AS rows, sum(quarantined) AS quarantined FROM rejects WHERE "
        "account = ? GROUP BY 1, 2",
        account,
    )
    noted = [
        row["summary"]["notes"] for row in last if "notes" in row["summary"] and row["command"] in _COMPARING
    ]
    notes: list[str] = next(
        iter([*noted, *(row["summary"]["notes"] for row in last if row["summary"].get("notes"))]), []
    )
    return {
        "account": account,
        "notes": notes,
        "reading": kept(journal, account, mirror_file),
        "last_good_run": journal.value(
            "SELECT max(finished_at) FROM runs WHERE account = ? AND command = 'run' AND exit_code IN (0, 4)",
            account,
        ),
        "runs": last,
        "plans": journal.rows(
            "SELECT plan, kind, state, as_of, created_at FROM plans WHERE account = ? AND state IN ('open', 'applying') ORDER BY plan",
            account,
        ),
        "holds": journal.rows("SELECT segmentation, run, at FROM holds WHERE account = ?", account),
        "models": journal.rows(
            "SELECT segmentation, max(version) AS version, max(as_of) AS as_of FROM models WHERE account = ? GROUP BY segmentation",
            account,
        ),
        "rejects": counts,
    }
