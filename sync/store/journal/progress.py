"""How far is a plan written? Read beside the command that writes it, without a lock and without a change."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Progress:
    """Changes of a plan: all, those that were answered, and those of them that were not done. ``state``: of the plan."""

    state: str
    changes: int
    answered: int
    failed: int


def progress(journal: Path, plan: int) -> Progress | None:
    """Of a plan; None: there is none of that number."""
    with closing(sqlite3.connect(f"{journal.resolve().as_uri()}?mode=ro", uri=True, timeout=2)) as connection:
        row = connection.execute("SELECT state FROM plans WHERE plan = ?", (plan,)).fetchone()
        if row is None:
            return None
        counted = "coalesce(sum(rows), 0), coalesce(sum(CASE state WHEN 'done' THEN rows ELSE 0 END), 0)"
        changes, answered = connection.execute(
            f"SELECT {counted} FROM batches WHERE plan = ?", (plan,)
        ).fetchone()
        [failed] = connection.execute(
            "SELECT count(*) FROM exceptions WHERE batch IN (SELECT batch FROM batches WHERE plan = ?)",
            (plan,),
        ).fetchone()
    return Progress(row[0], changes, answered, failed)
