"""What in the CRM starts when changes are carried out, and for how many records?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from connectors.contract import Automation, Automations, Destination, FieldSpec, ListSpec, RemoteList
from connectors.errors import ConnectorError
from connectors.schemas import MEMBER
from sync.account.targets import Target
from sync.config.settings import Limit
from sync.consent.consent import Consent
from sync.exit_codes import Trip
from sync.store.ids import IDS
from sync.store.journal.objects import MadeObject
from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation


def present_dynamic(
    specs: Sequence[ListSpec], lists: Callable[[], Mapping[str, RemoteList]]
) -> dict[str, ListSpec]:
    """By key, our lists that the CRM fills by itself: their members move with the field that they filter on.

    ``lists``: those that the CRM has, by id; asked only where the config names any.
    """
    present = lists() if specs else {}
    return {spec.key: spec for spec in specs if spec.id in present and present[spec.id].kind == "dynamic"}


def concerned(
    changed: Collection[str],
    fields: Sequence[FieldSpec],
    lists: Sequence[ListSpec],
    made: Iterable[MadeObject],
    dynamic: Mapping[str, ListSpec],
) -> tuple[list[FieldSpec], list[ListSpec]]:
    """The fields and lists of ours that move with the ``changed`` targets.

    ``made``: what set-up made; of that, targets that the config no longer names may be cleared.
    """
    moved = [spec for spec in fields if spec.name in changed]
    moved_lists = [
        spec for spec in lists if spec.key in changed or (spec.key in dynamic and spec.field in changed)
    ]
    names = {*(spec.name for spec in moved), *(spec.key for spec in moved_lists)}
    for target in made:
        if target.key in changed and target.key not in names:
            if target.kind == "field":
                moved.append(FieldSpec(target.key, target.record_type))
            else:
                moved_lists.append(ListSpec(target.key, record_type=target.record_type, id=target.remote))
    return moved, moved_lists


def reactions(
    mirror: AccountMirror,
    changes: Relation,
    consent: Consent,
    heard: Automations,
    dynamic: Mapping[str, ListSpec],
) -> dict[str, Any]:
    """``found``: each workflow or flow that listens to a changed target (name, target, value, and how many
    ``records`` would start it); ``starts``: for how many each would start in all; ``unknown``: the right that is missing to
    tell, or "".
    """
    listeners = [
        {
            "name": listener.name,
            "target": listener.target,
            "value": listener.value,
            **_filter(dynamic.get(listener.target)),
            "records": int(
                mirror.value(
                    f"SELECT count(DISTINCT record) FROM ({changes}) WHERE {_starts(listener, consent, dynamic.get(listener.target))}"
                )
            ),
        }
        for listener in heard.found
    ]
    return {
        "found": sorted(listeners, key=lambda listener: (-listener["records"], listener["name"])),
        "starts": enrolled(mirror, changes, consent, heard, dynamic),
        "unknown": heard.unknown,
    }


def _filter(spec: ListSpec | None) -> dict[str, str]:
    """Of a list that the CRM fills by itself: the field and the value by which it does."""
    return {} if spec is None else {"field": spec.field, "segment": spec.value}


def enrolled(
    mirror: AccountMirror,
    changes: Relation,
    consent: Consent,
    heard: Automations,
    dynamic: Mapping[str, ListSpec],
) -> dict[str, int]:
    """By name, for how many records each workflow or flow would start, whatever of ours it listens to."""
    conditions: dict[str, list[str]] = {}
    for listener in heard.found:
        starts = _starts(listener, consent, dynamic.get(listener.target))
        conditions.setdefault(listener.name, []).append(f"({starts})")
    counts = {
        name: int(mirror.value(f"SELECT count(DISTINCT record) FROM ({changes}) WHERE {' OR '.join(parts)}"))
        for name, parts in conditions.items()
    }
    return {name: count for name, count in sorted(counts.items()) if count}


def enrolment_trips(
    starting: Mapping[str, int], unknown: str, records: int, allowed: Mapping[str, int], limit: Limit
) -> Iterator[Trip]:
    """Where a plan would start an automation that nobody allowed, or for more records than was allowed.

    ``starting``: by name, for how many; ``unknown``: why that cannot be told, and then it would start for all ``records``;
    ``allowed``: by name, for how many at most; ``limit``: for all others together.
    """
    others = {name: count for name, count in starting.items() if name not in allowed}
    for name, count in starting.items():
        if name in allowed and count > allowed[name]:
            what = f"{name} would start for {count:,} records (at most {allowed[name]:,})"
            yield Trip("max_enrolled", what)
    most = limit.count
    if most is None:
        return
    if sum(others.values()) > most:
        for name, count in others.items():
            what = f"{name} would start for {count:,} records, and no line of [automations] allows it"
            yield Trip("max_enrolled", what)
    if unknown and records > most:
        what = f"it is unknown what the changes of {records:,} records start in the CRM: {unknown}"
        yield Trip("max_enrolled", what)


def blind_notes(
    destination: Destination, fields: Sequence[FieldSpec], lists: Sequence[ListSpec], limit: Limit
) -> list[str]:
    """Says that ``enrolment_trips`` will stop every plan, where the CRM does not tell what starts; nothing where it does.

    What stops a question stops no other: it is told of elsewhere.
    """
    if limit.count is None or not (fields or lists):
        return []
    try:
        unknown = destination.automations(fields, lists).unknown
    except ConnectorError:
        return []
    if not unknown:
        return []
    return [
        f"the CRM does not tell what our changes would start ({unknown}), so guard max_enrolled stops every plan that changes more than "
        f"{limit.count:,} records. Give that right; or set max_enrolled in [guards] to as many records as one plan may change; or let "
        "one plan pass with --allow max_enrolled --reason TEXT. Names in [automations] do not help here"
    ]


def _starts(listener: Automation, consent: Consent, filtered: ListSpec | None) -> str:
    """SQL condition on a change: the listener starts on it."""
    if filtered is None:
        value = "" if listener.value is None else f" AND coalesce(after, '') = {literal(listener.value)}"
        return f"target = {literal(listener.target)}{value}"
    target = Target(
        filtered.key, "list", "", channel=filtered.channel, unknown_reachable=filtered.unknown_reachable
    )
    value = literal(filtered.value)
    enters = f"after = {value} AND record NOT IN ({consent.unreachable(target)})"
    leaves = f"before = {value}" if listener.value is None else "false"
    starts = "false" if listener.value not in (None, MEMBER) else enters
    of_type = f"record IN (SELECT record FROM ({IDS}) WHERE record_type = {literal(filtered.record_type)})"
    return f"target = {literal(filtered.field)} AND {of_type} AND ({starts} OR {leaves})"
