"""Does each dynamic list in the CRM hold whom it should?

Its filter is compared with ours, and its size with the segment's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta

from connectors.contract import ListSpec
from connectors.errors import ConnectorError
from sync.account.session import Session
from sync.account.targets import Target, list_specs
from sync.consent.consent import Consent, consent_of
from sync.store.mirror import literal


def dynamic_specs(session: Session) -> list[ListSpec]:
    """Our dynamic lists, of those that the config names and the CRM has."""
    specs = [spec for spec in list_specs(session) if spec.kind == "dynamic" and spec.id]
    return (
        [spec for spec in specs if spec.id in session.lists and session.lists[spec.id].kind == "dynamic"]
        if specs
        else []
    )


def changed_lists(session: Session, specs: Sequence[ListSpec]) -> tuple[dict[str, str], str]:
    """Key → what differs, of the lists whose filter is no longer ours; and why that is unknown, "" where it
    is known.
    """
    try:
        return (session.destination().changed_lists(specs) if specs else {}), ""
    except ConnectorError as error:  # nothing waits for this: what is written does not depend on it
        return {}, str(error)


def filter_notes(session: Session) -> list[str]:
    """A sentence for each list whose filter is no longer ours; campaign lists first, since their filter is
    the consent filter.
    """
    specs = dynamic_specs(session)
    changed, unknown = changed_lists(session, specs)
    if unknown:
        return [f"whether the filters of our dynamic lists are still ours is unknown: {unknown}"]
    differing = sorted(
        (spec for spec in specs if spec.key in changed), key=lambda spec: (not spec.channel, spec.key)
    )
    return [_sentence(spec, changed[spec.key]) for spec in differing] + _converted(session)


def _converted(session: Session) -> list[str]:
    """A sentence for each list that we made as a dynamic one and that somebody turned into a static one:
    members are written now.
    """
    made = [
        row
        for row in session.journal.objects.of(session.account)
        if row.kind == "list" and row.form.get("kind") == "dynamic"
    ]
    static = [
        row.key for row in made if row.remote in session.lists and session.lists[row.remote].kind == "static"
    ]
    what = "was made a static one in the CRM: its members are written; to have a dynamic one, delete it there and run `crm-segments setup`"
    return [f"list {key} {what}" for key in static]


def _sentence(spec: ListSpec, what: str) -> str:
    mend = "`crm-segments setup` gives it our filter again"
    if spec.channel:
        return (
            f"WARNING: campaign list {spec.key} may hold people who must not be reached by {spec.channel}: its filter is no longer ours "
            f"({what}). Send nothing to it; {mend}"
        )
    return f"list {spec.key} does not hold its segment: its filter is no longer ours ({what}); {mend}"


def size_notes(session: Session, written: bool) -> list[str]:
    """A sentence for each list that holds another number of records than its segment.

    A CRM that counts at once is asked after writing (``written``), one that takes its time before: then
    records that changed meanwhile may be missing, or too many.
    """
    lag = session.destination().capabilities.list_lag_minutes
    specs = dynamic_specs(session) if written == (not lag) else []
    if not specs:
        return []
    try:
        sizes = session.destination().list_sizes(specs)
    except ConnectorError as error:  # nothing waits for this: what is written does not depend on it
        return [f"how many records our dynamic lists hold is unknown: {error}"]
    if not sizes:
        return []
    consent = consent_of(session)
    moving = _moved_within(session, lag) if lag else 0
    notes = []
    for spec in specs:
        segment = _segment_size(session, consent, spec)
        if spec.key in sizes and abs(sizes[spec.key] - segment) > moving:
            notes.append(
                f'list {spec.key} ("{spec.label}") shows {sizes[spec.key]:,} records, its segment has {segment:,}: look at its filter '
                "in the CRM, and at what our user may see"
            )
    return notes


def _moved_within(session: Session, minutes: int) -> int:
    """Records that somebody, or we, may have changed in so many minutes."""
    since = (session.clock().astimezone(UTC) - timedelta(minutes=minutes)).isoformat(timespec="microseconds")
    changed = session.mirror().value(
        f"SELECT count(*) FROM records WHERE changed_at > {literal(since)}::TIMESTAMPTZ"
    )
    written = session.journal.batches.written_since(session.account, since)
    return int(changed) + written


def _segment_size(session: Session, consent: Consent, spec: ListSpec) -> int:
    """Records whose field holds the list's value, by what the mirror knows, and that may be in the list."""
    target = Target(spec.key, "list", "", channel=spec.channel, unknown_reachable=spec.unknown_reachable)
    return int(
        session.mirror().value(
            f"""SELECT count(DISTINCT record) FROM actual JOIN ids USING (record) WHERE target = {literal(spec.field)}
                AND value = {literal(spec.value)} AND ids.record_type = {literal(spec.record_type)}
                AND record NOT IN (SELECT record FROM redirects) AND record NOT IN ({consent.unreachable(target)})"""
        )
    )


def deleted_notes(names: Sequence[str]) -> list[str]:
    """A sentence for each list of ours that a person deleted."""
    return [
        f"list {name} was deleted in the CRM: nothing is written to it, everything else goes on; `crm-segments setup` makes it again"
        for name in names
    ]
