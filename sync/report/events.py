"""What happened lately?

Runs, the last changes written, guards and who let them pass, holds, rejects: out of the journal.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.store.journal import Journal
from sync.store.journal.runs import Allowance
from sync.views.reject_groups import grouped, without_values

RUNS = 15
GUARDS = 30
REJECTS = 50

_ADDRESS = re.compile(r"\S+@\S+")
_NUMBERED = re.compile(r"\S*\d\S*")


@dataclass(frozen=True)
class Run:
    """One command and what came of it."""

    run: int
    command: str
    started: str
    exit_code: int | None  # None: it did not end
    written: int | None
    rejected: int | None
    note: str


@dataclass(frozen=True)
class Written:
    """The last plan that wrote something, target by target."""

    run: int
    command: str
    at: str
    as_of: str | None
    by_target: dict[str, dict[str, int]]  # target → action → changes
    done: int
    rejected: int
    skipped: int
    kept: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class Tripped:
    """One guard that stopped one plan, with all that it found."""

    plan: int
    guard: str
    first_labelling: bool
    found: list[str]


@dataclass(frozen=True)
class Reject:
    """Refused rows or changes of one sort."""

    source: str  # pull | write
    place: str
    about: str
    reason: str
    rows: int
    quarantined: int


@dataclass(frozen=True)
class Events:
    """All of them, the newest first."""

    runs: list[Run]
    written: Written | None
    trips: list[Tripped]
    allowances: list[Allowance]
    holds: list[dict[str, Any]]  # segmentation, run
    rejects: list[Reject]
    rejected: int  # rows in all
    last_good: str | None


def events(journal: Journal, account: str) -> Events:
    """Read the journal of one account."""
    return Events(
        runs=_runs(journal, account),
        written=_written(journal, account),
        trips=_trips(journal, account),
        allowances=journal.runs.allowances(account, GUARDS),
        holds=[{"segmentation": hold.segmentation, "run": hold.run} for hold in journal.holds.of(account)],
        rejects=_rejects(journal, account),
        rejected=journal.rejects.count(account),
        last_good=journal.runs.last_good(account),
    )


def without_addresses(text: object) -> str:
    """A text out of a CRM or a file, its e-mail addresses left out."""
    return _ADDRESS.sub("…", str(text or ""))


def _without_names(reasons: Mapping[str, int]) -> dict[str, int]:
    """Reasons of changes without addresses and ids (words with a digit), those that are then alike added up."""
    counts: Counter[str] = Counter()
    for reason, number in reasons.items():
        counts[_NUMBERED.sub("…", without_addresses(reason))] += number
    return dict(counts.most_common())


def _runs(journal: Journal, account: str) -> list[Run]:
    runs = []
    for row in journal.runs.last(account, RUNS):
        summary = row["summary"]
        applied = summary.get("applied") or {}
        stopped = without_addresses(summary.get("stopped"))
        runs.append(
            Run(
                row["run"],
                row["command"],
                row["started_at"],
                None if summary.get("interrupted") else row["exit_code"],
                applied.get("done"),
                applied.get("rejected"),
                stopped,
            )
        )
    return runs


def _written(journal: Journal, account: str) -> Written | None:
    for row in journal.runs.ended(account):
        applied = row["summary"].get("applied") or {}
        plan = journal.plans.get(applied["plan"]) if applied.get("done") else None
        if plan is not None:
            return Written(
                row["run"], row["command"], str(row["finished_at"]), plan.as_of, plan.summary.get("by_target", {}), applied["done"],
                applied["rejected"], applied["skipped"], plan.summary.get("kept", 0),
                _without_names(applied.get("reasons", {})),
            )  # fmt: skip
    return None


def _trips(journal: Journal, account: str) -> list[Tripped]:
    trips_by_guard: dict[tuple[int, str], Tripped] = {}
    for plan, trips in journal.plans.guarded(account, GUARDS):
        for trip in trips:
            tripped = trips_by_guard.setdefault(
                (plan, trip["guard"]),
                Tripped(plan, trip["guard"], bool(trip.get("first_labelling")), []),
            )
            tripped.found.append(trip["what"])
    return list(trips_by_guard.values())


def _rejects(journal: Journal, account: str) -> list[Reject]:
    """Of one sort are rejects of one place, column or target, and reason; what a row held and whose it is are
    taken out of it.
    """
    sorts = journal.rejects.by_sort(account)
    groups = grouped({**sort, "reason": without_addresses(sort["reason"])} for sort in sorts)
    return [
        Reject(
            group["source"],
            group["place"],
            group["about"],
            without_values(group["reason"]),
            rows=group["rows"],
            quarantined=group["quarantined"],
        )
        for group in groups[:REJECTS]
    ]
