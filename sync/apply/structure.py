"""What becomes of fields and lists themselves when a plan retires them, or takes that back?

The values go first, batch by batch; a field or list goes once nothing stands in it any more. A kill in between leaves
the plan unfinished, and ``apply`` goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.contract import Destination, FieldSpec, ListSpec, RemoteList
from connectors.errors import AccessError, RequestError, UnsupportedError
from sync.store.actual import values_in
from sync.store.ids import MERGED
from sync.store.journal import Journal
from sync.store.journal.objects import MadeObject
from sync.store.journal.plans import Plan
from sync.store.mirror import AccountMirror

_DONE = {"archive": "archived", "delete": "deleted", "stays": "stays"}


def retired_by(plan: Plan, objects: Sequence[MadeObject]) -> list[MadeObject]:
    """The fields and lists that a plan retires."""
    steps = plan.summary.get("retires", {}).get("steps", ())
    names = {(step["kind"], step["record_type"], step["name"]) for step in steps}
    return [row for row in objects if (row.kind, row.record_type, row.key) in names]


def take_away(
    journal: Journal,
    mirror: AccountMirror,
    destination: Destination,
    lists: Callable[[], Mapping[str, RemoteList]],
    plan: Plan,
    run: int,
) -> list[dict[str, Any]]:
    """Archive and delete what is empty; what the CRM or other people keep stays. Answers what became of each."""
    rows = {
        (row.kind, row.record_type, row.key): row for row in retired_by(plan, journal.objects.of(mirror.name))
    }
    remotes = lists() if any(row.kind == "list" for row in rows.values()) else {}
    answers = []
    for step in plan.summary.get("retires", {}).get("steps", ()):
        row = rows.get((step["kind"], step["record_type"], step["name"]))
        if row is None:
            continue
        outcome, why = _DONE[step["action"]], step["why"]
        if row.retired.get("plan") == plan.plan:
            outcome, why = row.retired["outcome"], row.retired.get("why", "")
        elif step["action"] != "stays":
            outcome, why = _taken_away(mirror, destination, remotes, row, outcome)
        if outcome != "refused":
            noted = {"run": run, "plan": plan.plan, "outcome": outcome, "why": why}
            journal.objects.note(mirror.name, row, retired=row.retired or noted)
        answers.append({**step, "outcome": outcome, "why": why})
    return answers


def _taken_away(
    mirror: AccountMirror,
    destination: Destination,
    lists: Mapping[str, RemoteList],
    row: MadeObject,
    outcome: str,
) -> tuple[str, str]:
    """What became of one, and why it stays."""
    remote = lists.get(row.remote)
    dynamic = remote is not None and remote.kind == "dynamic"
    alive = f"record NOT IN (SELECT record FROM ({MERGED}))"
    sql = f"SELECT count(*) FROM ({values_in(row.key)}) WHERE coalesce(value, '') <> '' AND {alive}"
    if held := 0 if dynamic else int(mirror.value(sql)):
        return (
            "stays",
            f"it holds {held:,} {'members' if row.kind == 'list' else 'values'} that are not cleared",
        )
    try:
        if row.kind == "field":
            destination.archive_field(FieldSpec(row.key, row.record_type))
        elif remote is not None:
            destination.delete_list(remote)
    except (AccessError, RequestError, UnsupportedError) as error:
        return "refused", str(error)
    return outcome, ""


def to_bring_back(objects: Sequence[MadeObject], run: int) -> list[MadeObject]:
    """What a run retired."""
    return [row for row in objects if row.retired.get("run") == run]


def bring_back(journal: Journal, destination: Destination, account: str, run: int) -> None:
    """Create the lists again that a run deleted, before their members come back; what it retired is in use again."""
    for row in to_bring_back(journal.objects.of(account), run):
        if row.retired["outcome"] == "deleted":
            made = destination.ensure_list(_spec(row))
            form = {**row.form, "kind": made.kind, "shown": made.label}
            form.pop("retired")
            key = (row.kind, row.record_type, row.key)
            journal.objects.save(account, *key, made.id, row.adopted, row.run, form, new=False)
        else:
            journal.objects.note(account, row, retired=None)


def _spec(row: MadeObject) -> ListSpec:
    """A list as it was made."""
    names = ("label", "field", "value", "channel", "unknown_reachable", "consent_basis", "description")
    texts = {name: row.form[name] for name in names if name in row.form}
    return ListSpec(
        row.key, kind=row.form.get("kind", "static"), record_type=row.record_type, id=row.remote, **texts
    )
