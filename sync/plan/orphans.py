"""Which fields and lists of ours does no segmentation of the config write any more, since when, and what to do?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from connectors.contract import FieldSpec
from sync.account.help_texts import MARK, source_of
from sync.account.targets import Target
from sync.local_time import local_time
from sync.plan.remote_state import RemoteState
from sync.store.journal.objects import MadeObject, Objects

ORPHAN = "no segmentation of the config writes "  # how each of these sentences begins
_NAMED = 5  # fields and lists that a sentence names


def owners_of(targets: Iterable[Target]) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """By kind and name: the segmentation of each, and of a field its name in the config (``plain``)."""
    owners: dict[tuple[str, str], Mapping[str, str]] = {}
    for target in targets:
        plain = {"plain": target.plain_name} if target.kind == "field" else {}
        owners[target.kind, target.name] = {"segmentation": target.segmentation, **plain}
    return owners


def note_owners(
    objects: Objects,
    account: str,
    made: Iterable[MadeObject],
    targets: Sequence[Target],
    remote: RemoteState,
    moment: str,
) -> None:
    """Remember whose each field and list is as long as the config says it, when it first did not, and whether the CRM
    still has it then.
    """
    owners = owners_of(targets)
    for row in made:
        owner = owners.get((row.kind, row.key))
        if owner is not None:
            objects.note(account, row, **owner, retired=None, left=None, gone=None)
        elif not row.retired:
            there = (
                row.remote in remote.lists
                if row.kind == "list"
                else (row.record_type, row.key) in remote.fields
            )
            objects.note(account, row, left=row.left or moment, gone=None if there else True)


def orphans(made: Iterable[MadeObject], targets: Iterable[Target]) -> list[MadeObject]:
    """Fields and lists of ours that the config no longer names, that the CRM has, and that were not retired."""
    named = {(target.kind, target.name) for target in targets}
    left = [row for row in made if (row.kind, row.key) not in named]
    return [row for row in left if not row.retired and not row.form.get("gone")]


def orphan_notes(
    account: str, made: Iterable[MadeObject], targets: Iterable[Target], time_zone: str
) -> list[str]:
    """A sentence for each segmentation that left the config and was not retired."""
    rows_by_name: dict[str, list[MadeObject]] = {}
    for row in orphans(made, targets):
        rows_by_name.setdefault(row.segmentation or row.key, []).append(row)
    notes = []
    for name, rows in rows_by_name.items():
        parts = list(dict.fromkeys(f"{row.kind} {row.key}" for row in rows))
        more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
        left = min((row.left for row in rows if row.left), default="")
        since = f"since {local_time(left, time_zone)}" if left else "since the last change of the config"
        notes.append(
            f"{ORPHAN}{', '.join(parts[:_NAMED])}{more} in account {account} {since}: "
            f"what was written stays there; `crm-segments retire {name}` clears it"
        )
    return notes


def marked_notes(
    account: str,
    fields: Mapping[tuple[str, str], FieldSpec],
    made: Iterable[MadeObject],
    targets: Iterable[Target],
) -> list[str]:
    """A sentence for each field that bears our mark and that neither the journal nor the config knows."""
    known: Collection[tuple[str, str]] = {(row.record_type, row.key) for row in made if row.kind == "field"}
    names = {target.name for target in targets}
    strangers = [
        (record_type, name, source_of(spec.description))
        for (record_type, name), spec in fields.items()
        if MARK in spec.description and name not in names and (record_type, name) not in known
    ]
    return [
        f"field {name} of {record_type} says that crm-segments writes it (segmentation {segmentation}), but neither this "
        "config nor its journal knows it: another config may write it; if none does, put the segmentation back, take the "
        f"field over with `crm-segments setup --adopt {name}`, and run `crm-segments retire {segmentation}` once it has left again"
        for record_type, name, (segmentation, of_account) in sorted(strangers)
        if of_account == account
    ]
