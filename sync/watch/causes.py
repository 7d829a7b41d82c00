"""What is wrong now? Each cause is judged by the last run that can tell: it is there, it is over, or nobody knows,
and then it stays as it was.

What is found are ids and counts: no record, no address, no text of a CRM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

from sync.config.alerting import Alerts
from sync.store.journal.runs import Run

RUNS = 40  # that are looked at
_BEFORE = 10  # runs that the sizes of the last one are compared with
_ENOUGH = 3  # such runs at least
_FEW = 20  # records: smaller segments and moves are not judged
_CUT_OFF = 1
_GOOD, _STOPPED, _FAILED = (0, 4), 5, (1, 2)
_CARRIES_ON = ("run", "apply", "backfill")  # each of these ends well only where the account can be written to
Place = tuple[str, str]  # cause and subject


@dataclass(frozen=True)
class Facts:
    """What is known of an account."""

    account: str
    runs: Sequence[Run]  # the newest first
    last_good_run: str | None  # ISO
    first_start: str | None  # ISO, of any command
    rejects: int
    working: bool = False  # a command is at work in the state directory: a run that has not ended may go on


@dataclass(frozen=True)
class Findings:
    """What was found: what is there with its fields, and the causes of which nobody knows."""

    there: Mapping[Place, Mapping[str, Any]] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()


def of_account(facts: Facts, alerts: Alerts, moment: datetime) -> Findings:
    """All that is wrong with an account at a moment."""
    judged = {
        "failed": _failed(facts),
        "guard": _guard(facts),
        "approval": _approval(facts),
        "rejects": _rejects(facts, alerts),
        "size": _sizes(facts, alerts),
        "quota": _quota(facts, alerts, moment),
        "silence": _silence(facts, alerts, moment),
    }
    there = {(cause, subject): f for cause, found in judged.items() for subject, f in (found or {}).items()}
    return Findings(there, frozenset(cause for cause, found in judged.items() if found is None))


def of_secrets(alerts: Alerts, moment: datetime) -> Findings:
    """Secrets whose last day is near."""
    limit = moment.date() + timedelta(days=alerts.secret_days)
    near = {reference: day for reference, day in alerts.secrets_expire.items() if day <= limit}
    return Findings(
        {("secret", reference): _expiry(reference, day, moment) for reference, day in near.items()}
    )


def _expiry(reference: str, day: date, moment: datetime) -> dict[str, Any]:
    return {"secret": reference, "day": day.isoformat(), "days": (day - moment.date()).days}


Found = dict[str, dict[str, Any]]  # subject → fields


def _ends(facts: Facts) -> Iterator[tuple[Run, int]]:
    """Runs that say how the account does, the newest first, each with its exit code.

    What a person carries out counts where it ended well: a slip of theirs is no failure of a run.
    """
    for position, run in enumerate(facts.runs):
        if run["command"] not in _CARRIES_ON:
            continue
        code = run["exit_code"]
        if code is None and (facts.working and position == 0):
            continue
        code = _CUT_OFF if code is None else code
        if run["command"] == "run" or code in _GOOD:
            yield run, code


def _failed(facts: Facts) -> Found | None:
    """A run that waits for a person got through; one that comes again later tells nothing."""
    for run, code in _ends(facts):
        if code in (*_GOOD, _STOPPED):
            return {}
        if code in _FAILED:
            cut_off = run["exit_code"] is None or run["summary"].get("interrupted")
            return {"": {"run": run["run"], "ended": "cut off" if cut_off else f"exit code {code}"}}
    return None


def _guard(facts: Facts) -> Found | None:
    for run, code in _ends(facts):
        if code in _GOOD:
            return {}
        if code == _STOPPED and run["summary"].get("waiting"):
            return {}
        if code == _STOPPED:
            names = sorted({guard["guard"] for guard in run["summary"].get("guards", ())})
            return {"": {"run": run["run"], "guards": ", ".join(names) or "a hold or a guard"}}
    return None


def _approval(facts: Facts) -> Found | None:
    for run, code in _ends(facts):
        waiting = run["summary"].get("waiting") or {}
        if waiting.get("why"):
            written = run["summary"].get("applied", {}).get("done", 0)
            named = {"run": run["run"], "plan": waiting["plan"]["plan"], "why": waiting["why"]}
            return {"": {**named, "written": f"{written:,}"}}
        if code in (*_GOOD, _STOPPED):
            return {}
    return None


def _rejects(facts: Facts, alerts: Alerts) -> Found:
    many = facts.rejects > alerts.rejects_over
    return {"": {"rejects": facts.rejects, "limit": alerts.rejects_over}} if many else {}


def _sizes(facts: Facts, alerts: Alerts) -> Found | None:
    labelled = [run for run in facts.runs if run["command"] == "run" and run["summary"].get("segments")]
    if len(labelled) <= _ENOUGH:
        return None
    last, *before = labelled[: _BEFORE + 1]
    found = {}
    for segmentation, sizes in last["summary"]["segments"].items():
        earlier = [run["summary"]["segments"].get(segmentation) for run in before]
        texts = _unlike(sizes, [entry for entry in earlier if entry is not None], alerts.size_deviation)
        if texts:
            named = {"run": last["run"], "segmentation": segmentation, "segments": ", ".join(texts)}
            found[segmentation] = named
    return found


def _unlike(sizes: Mapping[str, int], earlier: Sequence[Mapping[str, int]], deviation: float) -> list[str]:
    """Segments whose size is far from the median of earlier runs."""
    if len(earlier) < _ENOUGH:
        return []
    texts = []
    for segment in sorted({*sizes, *(name for entry in earlier for name in entry)}):
        size, usual = sizes.get(segment, 0), median(entry.get(segment, 0) for entry in earlier)
        moved = abs(size - usual)
        if moved >= _FEW and moved > deviation * usual:
            texts.append(f"{segment} {size:,} (usually {usual:,.0f})")
    return texts


def _quota(facts: Facts, alerts: Alerts, moment: datetime) -> Found | None:
    """By what the CRM said last; of an earlier day it says nothing about this one."""
    for run in facts.runs:
        quota = run["summary"].get("quota", {}).get(facts.account)
        if quota and moment - datetime.fromisoformat(run["started_at"]) < timedelta(days=1):
            reserved = round(quota["reserve"] * quota["limit"])
            ours = quota["limit"] - reserved
            if ours > 0 and (quota["left"] - reserved) / ours >= alerts.quota_left:
                return {}
            named = {"run": run["run"], "reserved": f"{reserved:,}"}
            return {"": {**named, "left": f"{quota['left']:,}", "limit": f"{quota['limit']:,}"}}
    return {}


def _silence(facts: Facts, alerts: Alerts, moment: datetime) -> Found:
    """Where no run was good yet, the first command counts: who has just begun is not alarmed."""
    last, since = facts.last_good_run, facts.last_good_run or facts.first_start
    limit = timedelta(hours=alerts.no_good_run_hours)
    if since is not None and moment - datetime.fromisoformat(since) <= limit:
        return {}
    return {"": {"last_good_run": last or "(never)", "hours": f"{alerts.no_good_run_hours:g}"}}
