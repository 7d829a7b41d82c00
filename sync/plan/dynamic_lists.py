"""Does each dynamic list in the CRM hold whom it should?

Its filter is compared with ours, and its size with the segment's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, timedelta

from connectors.contract import Destination, ListSpec, RemoteList
from connectors.errors import ConnectorError
from sync.account.session import Session
from sync.account.targets import Target, list_specs
from sync.consent.consent import Consent, consent_of
from sync.store.actual import values_in
from sync.store.ids import IDS, MERGED, changed_after
from sync.store.journal import Journal
from sync.store.journal.objects import MadeObject
from sync.store.mirror import AccountMirror, literal


def dynamic_specs(specs: Sequence[ListSpec], lists: Callable[[], Mapping[str, RemoteList]]) -> list[ListSpec]:
    """Of our lists, the dynamic ones that the CRM has. ``lists``: the CRM's, by id, asked where we have any."""
    dynamic = [spec for spec in specs if spec.kind == "dynamic" and spec.id]
    present = lists() if dynamic else {}
    return [spec for spec in dynamic if spec.id in present and present[spec.id].kind == "dynamic"]


def changed_lists(destination: Destination, specs: Sequence[ListSpec]) -> tuple[dict[str, str], str]:
    """Key → what differs, of the lists whose filter is no longer ours; and why that is unknown, "" where it
    is known.
    """
    try:
        return (destination.changed_lists(specs) if specs else {}), ""
    except ConnectorError as error:  # nothing waits for this: what is written does not depend on it
        return {}, str(error)


def filter_notes(session: Session) -> list[str]:
    """A sentence for each list whose filter is no longer ours; campaign lists first, since their filter is
    the consent filter.
    """
    destination, account = session.destination(), session.account
    able = destination.capabilities
    specs = dynamic_specs(
        list_specs(session.config, session.journal, account, able.dynamic_lists), lambda: session.lists
    )
    changed, unknown = changed_lists(destination, specs)
    if unknown:
        return [f"the filters of the dynamic lists could not be checked: {unknown}"]
    differing = sorted(
        (spec for spec in specs if spec.key in changed), key=lambda spec: (not spec.channel, spec.key)
    )
    converted = _converted(session.journal.objects.of(account), lambda: session.lists)
    return [_sentence(spec, changed[spec.key]) for spec in differing] + converted


def _converted(made: Sequence[MadeObject], lists: Callable[[], Mapping[str, RemoteList]]) -> list[str]:
    """A sentence for each list that we made as a dynamic one and that somebody turned into a static one:
    members are written now.
    """
    dynamic = [row for row in made if row.kind == "list" and row.form.get("kind") == "dynamic"]
    present = lists() if dynamic else {}
    static = [row.key for row in dynamic if row.remote in present and present[row.remote].kind == "static"]
    what = "is now a static list in the CRM, so its members are written; for a dynamic list, delete it there and run `crm-segments setup`"
    return [f"list {key} {what}" for key in static]


def _sentence(spec: ListSpec, what: str) -> str:
    mend = "`crm-segments setup` restores the filter"
    if spec.channel:
        return (
            f"WARNING: campaign list {spec.key} may contain people who must not be contacted by {spec.channel}: its filter was changed "
            f"({what}). Send nothing to it; {mend}"
        )
    return f"list {spec.key} may not match its segment: its filter was changed ({what}); {mend}"


def size_notes(session: Session, written: bool) -> list[str]:
    """A sentence for each list that holds another number of records than its segment.

    A CRM that counts at once is asked after writing (``written``), one that takes its time before: then
    records that changed meanwhile may be missing, or too many.
    """
    destination, account, journal, mirror = (
        session.destination(),
        session.account,
        session.journal,
        session.mirror(),
    )
    able = destination.capabilities
    if written != (not able.list_lag_minutes):
        return []
    specs = dynamic_specs(
        list_specs(session.config, journal, account, able.dynamic_lists), lambda: session.lists
    )
    if not specs:
        return []
    try:
        sizes = destination.list_sizes(specs)
    except ConnectorError as error:  # nothing waits for this: what is written does not depend on it
        return [f"the records in the dynamic lists could not be counted: {error}"]
    if not sizes:
        return []
    consent, moving = consent_of(session.mirror(), session.joined()), 0
    if able.list_lag_minutes:
        since = session.clock().astimezone(UTC) - timedelta(minutes=able.list_lag_minutes)
        moving = _moved_since(mirror, journal, account, since.isoformat(timespec="microseconds"))
    segments = {spec.key: _segment_size(mirror, consent, spec) for spec in specs if spec.key in sizes}
    return [
        f'list {spec.key} ("{spec.label}") shows {sizes[spec.key]:,} records, its segment has {segments[spec.key]:,}: look at its '
        "filter in the CRM, and what the user of crm-segments may see there"
        for spec in specs
        if spec.key in sizes and abs(sizes[spec.key] - segments[spec.key]) > moving
    ]


def _moved_since(mirror: AccountMirror, journal: Journal, account: str, since: str) -> int:
    """Records that somebody, or we, may have changed since an instant (ISO)."""
    return changed_after(mirror, since) + journal.batches.written_since(account, since)


def _segment_size(mirror: AccountMirror, consent: Consent, spec: ListSpec) -> int:
    """Records whose field holds the list's value, by what the mirror knows, and that may be in the list."""
    target = Target(spec.key, "list", "", channel=spec.channel, unknown_reachable=spec.unknown_reachable)
    return int(
        mirror.value(
            f"""SELECT count(DISTINCT record) FROM ({values_in(spec.field)}) JOIN ({IDS}) AS ids USING (record)
                WHERE value = {literal(spec.value)} AND ids.record_type = {literal(spec.record_type)}
                AND record NOT IN (SELECT record FROM ({MERGED})) AND record NOT IN ({consent.unreachable(target)})"""
        )
    )


def deleted_notes(names: Sequence[str]) -> list[str]:
    """A sentence for each list of ours that a person deleted."""
    return [
        f"list {name} was deleted in the CRM: nothing is written to it, everything else continues; `crm-segments setup` creates it again"
        for name in names
    ]
