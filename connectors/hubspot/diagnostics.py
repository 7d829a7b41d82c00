"""What must a person fix before a run: a token, a scope, a right to a property or to lists, a limit, a wrong
setting?

Rights are found by calls that need them and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from connectors.contract import FieldSpec, Problem
from connectors.errors import AccessError, QuotaError
from connectors.hubspot.api_errors import Denied, Refused
from connectors.hubspot.fetching import hidden, query
from connectors.hubspot.fields import FORMS
from connectors.hubspot.paths import OBJECTS, TYPE_IDS
from connectors.hubspot.session import Portal
from connectors.hubspot.shapes import LIMITS
from connectors.hubspot.source import Source
from connectors.rest.api_errors import UnknownVersion
from connectors.rest.diagnostics import no_way_in, rate_missing, same_zone

_TIERS = {
    100: "Free or Starter",
    110: "an OAuth app",
    190: "Professional",
    250: "with HubSpot's API limit increase",
}
_LINKED, _SOME = "num_associated_contacts", 20  # deals: of fewer, none may have a contact
_ENTERPRISE = 1_000_000  # calls a day (HubSpot developer documentation, "API usage guidelines")
_SCOPES = {
    "deals": "crm.objects.deals.read",
    "orders": "crm.objects.orders.read",
    "emails": "sales-email-read",
}  # others: as contacts
_WHERE = "in HubSpot under Development > Keys > Service keys (or in the settings of the app)"


@dataclass(frozen=True)
class Asking:
    """What a connector asks of a portal anyhow: the sources of activity that it reads, and its lists."""

    sources: Callable[[], Sequence[Source]]
    lists: Callable[[], Any]


@dataclass(frozen=True)
class _Probe:
    """A call that only a key with the scope may make, and that changes nothing."""

    scope: str
    purpose: str
    ask: Callable[[], Any]


def problems(portal: Portal, asking: Asking, writing: bool = True) -> list[Problem]:
    """Everything that is wrong, at once, or (not ``writing``) what stands in the way of reading.

    QuotaError where nothing is but that the calls of the day are used up.
    """
    faults: list[Problem] = []
    try:
        faults += _lacking(portal, asking, writing)
        faults += _absent(portal)
        if writing:
            faults += _hidden(portal, asking.sources())
            for look in (_settings, _unwritable, _limits):
                faults += look(portal)
    except (AccessError, UnknownVersion) as error:
        return [no_way_in(error)]
    except QuotaError as error:
        if not faults:  # nothing to fix: time does it
            raise
        when = f"after {error.resets_at:%Y-%m-%d %H:%M %Z}" if error.resets_at else "later"
        faults.append(Problem(str(error), f"run again {when}, or lower quota_reserve in the config"))
    return faults


def notes(portal: Portal) -> list[str]:
    """What HubSpot has told so far of the portal's tier and limits."""
    rate, daily = portal.rate_limit.rate(), portal.answers.daily
    if rate is None or not portal.answers.learned:
        return []
    enterprise = rate.units == 190 and daily and daily[0] >= _ENTERPRISE
    tier = "Enterprise" if enterprise else _TIERS.get(rate.units, "")
    counts = ", ".join(f"{number:,} {kind}" for kind, number in sorted(portal.counted.items()))
    a_day = f" and {daily[0]:,} a day, {daily[1]:,} of them left today" if daily else ""
    return [
        f"HubSpot allows {rate.units} calls per {rate.seconds:g} s{a_day}" + (f" ({tier})" if tier else ""),
        *_zone_note(portal),
        *([f"HubSpot counts {counts}"] if counts else []),
    ]


def _lacking(portal: Portal, asking: Asking, writing: bool) -> Iterator[Problem]:
    """Scopes that the key does not have."""
    probes = [*_to_read(portal, asking), *(_to_write(portal) if writing else ())]
    purposes: dict[str, list[str]] = {}
    for probe, scopes in portal.many(lambda probe: (probe, _denied(probe)), probes):
        for scope in scopes:
            purposes.setdefault(scope, []).append(probe.purpose)
    for scope, needed in purposes.items():
        yield Problem(f"the key lacks the scope {scope}, needed {' and '.join(needed)}", f"add it {_WHERE}")


def _denied(probe: _Probe) -> tuple[str, ...]:
    """The scopes that are missing for a call."""
    try:
        probe.ask()
    except Denied as error:
        return error.refusal.scopes or (probe.scope,)
    except Refused:
        pass  # it may, but this call is not one that can succeed
    return ()


def _to_read(portal: Portal, asking: Asking) -> Iterator[_Probe]:
    for kind in _kinds(portal):
        yield _Probe(f"crm.objects.{kind}.read", f"to read {kind}", partial(portal.total, kind))
        properties = partial(portal.properties, kind)
        yield _Probe(f"crm.schemas.{kind}.read", f"to read the properties of {kind}", properties)
    for kind in dict.fromkeys(source.kind for source in asking.sources()):
        scope = _SCOPES.get(kind, "crm.objects.contacts.read")
        yield _Probe(scope, f"to read {kind}", partial(portal.total, kind))
    yield _Probe("crm.lists.read", "to read lists", asking.lists)


def _to_write(portal: Portal) -> Iterator[_Probe]:
    """Nothing is asked to be written: an empty batch, and members of a list that cannot be."""
    empty: dict[str, list[str]] = {"inputs": []}
    for kind in _kinds(portal):
        update = partial(portal.ask, "POST", portal.path("objects", kind, "batch/update"), body=empty)
        create = partial(portal.ask, "POST", portal.path("properties", kind, "batch/create"), body=empty)
        yield _Probe(f"crm.objects.{kind}.write", f"to write segments on {kind}", update)
        yield _Probe(f"crm.schemas.{kind}.write", f"to create properties of {kind} (setup)", create)
    nothing: dict[str, list[str]] = {"recordIdsToAdd": [], "recordIdsToRemove": []}
    path = portal.path("lists", "0", "memberships/add-and-remove")
    members = partial(portal.ask, "PUT", path, body=nothing)
    yield _Probe("crm.lists.write", "to create and fill lists", members)


def _kinds(portal: Portal) -> list[str]:
    """Object types whose records we write."""
    types = {"contact", *(field.record_type for field in _current(portal))}
    return [kind for record_type, kind in OBJECTS.items() if record_type in types]


def _current(portal: Portal) -> list[FieldSpec]:
    """Fields of ours that the config names: what it left behind is nothing to make, and stands in nobody's
    way.
    """
    return [field for field in portal.account.fields if not field.retired]


def _settings(portal: Portal) -> list[Problem]:
    """Settings that contradict what HubSpot tells of the portal."""
    mine, theirs = portal.account.currency, portal.details().currency
    what = f"the portal's company currency is {theirs}, the config says {mine} and has no rate for it"
    return rate_missing(portal.account, theirs, what)


def _zone_note(portal: Portal) -> list[str]:
    mine, theirs = portal.account.time_zone, portal.known_details.time_zone
    note = f"the portal's time zone is {theirs}, the config says {mine}: days start at other hours than in HubSpot"
    return [note] if theirs and not same_zone(theirs, mine) else []


def _absent(portal: Portal) -> Iterator[Problem]:
    """Properties that the config names and HubSpot has not: it would leave them out without a word."""
    definitions = [_definitions(portal, kind) for kind in OBJECTS.values()]
    if not definitions[0]:
        return  # the scope that is missing is named already
    for name, attribute in portal.account.attributes.items():
        if not any(attribute.field in properties for properties in definitions):
            yield Problem(
                f"attribute {name}: HubSpot has no property {attribute.field}, or hides it from the key",
                "write the property's internal name (Settings > Properties)",
            )
    objection = portal.settings.profiling_opt_out_property
    if objection and objection not in definitions[0]:
        yield Problem(
            f"profiling_opt_out_property: HubSpot has no contact property {objection}",
            "write the property's internal name",
        )


def _hidden(portal: Portal, sources: Sequence[Source]) -> Iterator[Problem]:
    """What activity cannot be read right without, and deals that would count for nobody."""
    for source in sources:
        try:
            lacking = hidden(portal, source)
        except (Denied, Refused):
            continue  # the scope that is missing is named already
        for what in lacking:
            remedy = "allow it to view the property, or leave this activity out of the settings"
            yield Problem(f"HubSpot no longer has {what}, or hides it from the key", remedy)
        if source.kind == "deals" and _LINKED in portal.properties("deals") and not lacking:
            yield from _unlinked(portal)


def _unlinked(portal: Portal) -> Iterator[Problem]:
    deals = portal.counted.get("deals", 0)
    filters = [{"propertyName": _LINKED, "operator": "GT", "value": "0"}]
    if deals >= _SOME and not portal.search("deals", query(filters, [], 1))["total"]:
        what = (
            f"HubSpot counts {deals:,} deals, and none of them has a contact: they would not count for anyone"
        )
        yield Problem(what, "associate deals with contacts in HubSpot, or allow the key to see contacts")


def _unwritable(portal: Portal) -> Iterator[Problem]:
    """Properties of ours that are there and cannot be written."""
    for field in _current(portal):
        definitions = _definitions(portal, OBJECTS[field.record_type]) if field.record_type in OBJECTS else {}
        present, wanted = definitions.get(field.name), FORMS[field.type][0]
        if present is None:
            continue
        if present.get("type") != wanted:
            what = f"property {field.name} is of type {present.get('type')} in HubSpot, not {wanted}"
            yield Problem(what, "choose another name in the config")
        elif (present.get("modificationMetadata") or {}).get("readOnlyValue") or present.get("calculated"):
            yield Problem(
                f"property {field.name} is read-only: HubSpot or another app fills it",
                "allow it to be edited (Settings > Properties), or choose another name in the config",
            )


def _limits(portal: Portal) -> Iterator[Problem]:
    daily = portal.usage()
    if daily and daily[1] <= portal.account.quota_reserve * daily[0]:
        kept = f"{portal.account.quota_reserve:.0%} are reserved for other apps"
        what = f"{daily[1]:,} of the portal's {daily[0]:,} calls for today are left, and {kept}"
        remedy = "a lower quota_reserve in the config reserves fewer"
        raise QuotaError(f"{what}; {remedy}", portal.answers.midnight())
    for record_type, kind in OBJECTS.items():
        mine = [field.name for field in _current(portal) if field.record_type == record_type]
        lacking = [name for name in mine if name not in _definitions(portal, kind)]
        room = _room(portal, TYPE_IDS[record_type]) if lacking else None
        if room is not None and room < len(lacking):
            yield Problem(
                f"HubSpot has room for {room} more properties of {kind}, and {len(lacking)} must be created: {', '.join(lacking)}",
                "archive properties that nobody uses, or drop extra_fields in the config",
            )


def _definitions(portal: Portal, kind: str) -> dict[str, dict[str, Any]]:
    try:
        return portal.properties(kind)
    except (Denied, Refused):
        return {}


def _room(portal: Portal, type_id: str) -> int | None:
    """How many properties of an object type can still be made, where HubSpot tells."""
    try:
        limits = portal.ask("GET", portal.path("limits", "custom-properties"), shape=LIMITS)
    except (Denied, Refused):
        return None
    limit = next((row for row in limits["byObjectType"] if row.get("objectTypeId") == type_id), None)
    return None if limit is None else max(int(limit["limit"]) - int(limit["usage"]), 0)
