"""Where does an account stand?

The journal tells, and what the mirror keeps of its last reading: nothing is read or counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sync.plan.orphans import ORPHAN
from sync.plan.preview import missing_targets
from sync.pull.reading import kept
from sync.store.journal import Journal

# commands that compare what the CRM holds with what it should hold
_COMPARING = frozenset({"run", "plan", "apply", "backfill", "setup"})


def status(
    journal: Journal,
    account: str,
    mirror_file: Path,
    going_on_since: datetime | None = None,
    runs: int = 10,
    orphans: Sequence[str] = (),
) -> dict[str, Any]:
    """Last runs, open plans, holds, files of segments and rejects of an account, and the summary of its last
    reading.

    ``going_on_since``: when the command began that works here just now; None: none does. ``orphans``: what is said now
    of fields and lists that left the config, in place of what the last run said.
    """
    last = journal.runs.last(account, runs)
    for row in last:
        if row["finished_at"] is None:  # only whoever holds the lock works
            goes_on = going_on_since and datetime.fromisoformat(row["started_at"]) >= going_on_since
            row["summary"]["going_on" if goes_on else "interrupted"] = True
    noted = [
        row["summary"]["notes"] for row in last if "notes" in row["summary"] and row["command"] in _COMPARING
    ]
    notes: list[str] = next(
        iter([*noted, *(row["summary"]["notes"] for row in last if row["summary"].get("notes"))]), []
    )
    return {
        "account": account,
        "notes": [*orphans, *(note for note in notes if not note.startswith(ORPHAN))],
        "reading": kept(journal, account, mirror_file),
        "last_good_run": journal.runs.last_good(account),
        "runs": last,
        "plans": [
            {
                "plan": plan.plan,
                "kind": plan.kind,
                "state": plan.state,
                "preview": bool(missing_targets(plan)),
                "as_of": plan.as_of,
                "created_at": plan.created_at,
            }
            for plan in journal.plans.unfinished(account)
        ],
        "holds": [
            {"segmentation": hold.segmentation, "run": hold.run, "at": hold.at}
            for hold in journal.holds.of(account)
        ],
        "segment_files": journal.exports.segment_files(account, runs),
        "models": journal.models.versions(account),
        "rejects": journal.rejects.by_place(account),
    }
