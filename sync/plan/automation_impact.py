"""What in the CRM starts when the gathered changes are carried out, and for how many records?"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from connectors.contract import Automation, FieldSpec, ListSpec
from connectors.schemas import MEMBER
from sync.account.session import Session
from sync.account.targets import Target, field_specs, list_specs
from sync.consent.consent import Consent
from sync.store.mirror import literal


def reactions(session: Session, consent: Consent, changed: Collection[str]) -> dict[str, Any]:
    """``found``: each workflow or flow that listens to a changed target (name, target, value, and how many
    ``records`` would start it); ``unknown``: the right that is missing to tell, or ""."""
    fields = [spec for spec in field_specs(session) if spec.name in changed]
    lists = [
        spec
        for spec in list_specs(session)
        if spec.key in changed or (_is_dynamic(session, spec) and spec.field in changed)
    ]
    spec_names = {*(spec.name for spec in fields), *(spec.key for spec in lists)}
    for row in session.journal.objects.of(session.account):  # what the config no longer names, and is cleared
        if row.key in changed and row.key not in spec_names:
            if row.kind == "field":
                fields.append(FieldSpec(row.key, row.record_type))
            else:
                lists.append(ListSpec(row.key, record_type=row.record_type, id=row.remote))
    heard = session.destination().automations(fields, lists)
    filters = {spec.key: spec for spec in lists if _is_dynamic(session, spec)}
    listeners = [
        {
            "name": listener.name,
            "target": listener.target,
            "value": listener.value,
            "records": _records(session, consent, listener, filters.get(listener.target)),
        }
        for listener in heard.found
    ]
    return {
        "found": sorted(listeners, key=lambda listener: (-listener["records"], listener["name"])),
        "unknown": heard.unknown,
    }


def _is_dynamic(session: Session, spec: ListSpec) -> bool:
    """A list that the CRM fills by itself: its members move with the field that it filters on."""
    remote = session.lists.get(spec.id)
    return remote is not None and remote.kind == "dynamic"


def _records(session: Session, consent: Consent, listener: Automation, filtered: ListSpec | None) -> int:
    """How many records have a change that the listener starts on."""
    if filtered is None:
        value = "" if listener.value is None else f" AND coalesce(after, '') = {literal(listener.value)}"
        where = f"target = {literal(listener.target)}{value}"
    else:
        target = Target(
            filtered.key, "list", "", channel=filtered.channel, unknown_reachable=filtered.unknown_reachable
        )
        value = literal(filtered.value)
        enters = f"after = {value} AND record NOT IN ({consent.unreachable(target)})"
        leaves = f"before = {value}" if listener.value is None else "false"
        starts = "false" if listener.value not in (None, MEMBER) else enters
        of_type = f"record IN (SELECT record FROM ids WHERE record_type = {literal(filtered.record_type)})"
        where = f"target = {literal(filtered.field)} AND {of_type} AND ({starts} OR {leaves})"
    return int(session.mirror().value(f"SELECT count(DISTINCT record) FROM changes WHERE {where}"))
