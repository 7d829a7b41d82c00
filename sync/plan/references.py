"""Who else refers to fields and lists that are to be retired? While anybody does, nothing of them goes."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from connectors.contract import Destination, FieldSpec, ListSpec, References, RemoteList
from sync.exit_codes import GuardTripped, Trip
from sync.store.journal.objects import MadeObject

GUARD = "references"  # what ``--allow`` calls it where nobody can tell who refers to them


def referring(
    destination: Destination, rows: Sequence[MadeObject], lists: Mapping[str, RemoteList]
) -> References:
    """Ask the CRM who names these fields and lists of ours."""
    fields = [FieldSpec(row.key, row.record_type) for row in rows if row.kind == "field"]
    specs = [
        ListSpec(row.key, kind=lists[row.remote].kind, record_type=row.record_type, id=row.remote)
        for row in rows
        if row.kind == "list" and row.remote in lists
    ]
    return destination.references(fields, specs)


def require_none(referred: References, name: str) -> None:
    """GuardTripped where something of others refers to them: who, to what, and what to do."""
    if not referred.found:
        return
    trips = [Trip(GUARD, f"{found.name} refers to {found.target}") for found in referred.found]
    lines = "\n".join(f"  {trip.what}" for trip in trips)
    raise GuardTripped(
        f"nothing was written: {name} is not retired, because others refer to its fields or lists:\n{lines}\n"
        f"Take these references out in the CRM, or delete what refers, then run `crm-segments retire {name}` again.",
        trips,
    )


def unknown_trips(referred: References, name: str) -> list[Trip]:
    """What nobody can tell may refer to them: a guard, which a person can let through with a reason."""
    if not referred.unknown:
        return []
    return [Trip(GUARD, f"something may refer to the fields and lists of {name}: {referred.unknown}")]


def require_allowed(referred: References, name: str, allowed: Container[str], plan: int) -> None:
    """As both, once more before the first write: a workflow may have come since the plan was made."""
    require_none(referred, name)
    trips = [trip for trip in unknown_trips(referred, name) if trip.guard not in allowed]
    if trips:
        raise GuardTripped(
            f"guards (safety checks) stopped plan {plan}; nothing was written:\n  {trips[0]}\nIf this is expected, run "
            f"again with --allow {GUARD} --reason TEXT.",
            trips,
            plan,
        )
