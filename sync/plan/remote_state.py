"""What does the CRM have, as far as a plan hangs on it? This is asked before anything is planned, and here alone.

Who reacts to a plan (``sync.plan.automation_impact``) is asked once the plan is known, and where it changes
something: an unchanged run would pay for the question each day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.contract import Capabilities, Destination, FieldSpec, RemoteList
from sync.account.targets import Target, targets_of
from sync.config.config import Config
from sync.store.journal.objects import MadeObject

Form = Callable[[str], str | None]  # a value → the form in which the CRM gives it back


@dataclass(frozen=True)
class RemoteState:
    """Fields by record type and name, lists by id, and what the CRM can do."""

    fields: Mapping[tuple[str, str], FieldSpec]
    lists: Mapping[str, RemoteList]  # none are asked for where we made none
    capabilities: Capabilities


def remote_state(
    destination: Destination, lists: Callable[[], Mapping[str, RemoteList]], made: Iterable[MadeObject]
) -> RemoteState:
    """Ask the CRM; ``made``: by set-up."""
    has_lists = any(target.kind == "list" for target in made)
    return RemoteState(destination.fields(), lists() if has_lists else {}, destination.capabilities)


def forms_of(
    destination: Destination, specs: Sequence[FieldSpec], target: Target, values: Sequence[str]
) -> list[str | None]:
    """The forms in which the CRM gives the values of a target back, so that no plan repeats for ever."""
    if target.kind == "list" or type(destination).normal is Destination.normal:
        return list(values)
    spec = next(spec for spec in specs if spec.name == target.name)
    return [destination.normal(spec, value) for value in values]


@dataclass(frozen=True)
class MadeTargets:
    """The targets of the config that stand in the CRM, and the others."""

    ready: list[Target]  # those whose values or members we write
    filled: list[Target]  # lists that the CRM fills by itself, by a field of ours
    missing: list[str]
    deleted: list[str]  # lists that a person deleted: they stop nothing else
    retired: list[tuple[str, str]]  # kind and name of targets of ours that the config no longer names
    ours: dict[tuple[str, str], bool]  # kind and name → whether we made it, and did not adopt it
    since: dict[tuple[str, str], int]  # kind and name → since which batch what we wrote there stands there


def made_targets(
    config: Config, account: str, objects: Sequence[MadeObject], remote: RemoteState
) -> MadeTargets:
    """Which targets set-up has made, of those that the CRM still has.

    Lists that the CRM fills by itself stand apart. ``objects``: what set-up made.
    """
    targets = targets_of(config, account)
    record_types = {s.name: config.record_types(s) for s in config.segmentations_of(account)}
    made = {(row.kind, row.record_type, row.key): row for row in objects}
    ready: list[Target] = []
    filled: list[Target] = []
    missing: list[str] = []
    deleted: list[str] = []
    for target in targets:
        row = made.get(("list", target.record_type, target.name))
        if target.kind == "field":
            lacking = [
                record_type
                for record_type in record_types[target.segmentation]
                if (record_type, target.name) not in remote.fields
                or ("field", record_type, target.name) not in made
            ]
            missing += [f"field {target.name}" + (f" of {t}" if t != "contact" else "") for t in lacking]
            ready += [] if lacking else [target]
        elif row is None:
            missing.append(f"list {target.name}")
        elif row.remote not in remote.lists:
            deleted.append(target.name)
        else:
            (filled if remote.lists[row.remote].kind == "dynamic" else ready).append(target)
    named = {(t.kind, t.name) for t in targets}
    pairs = [((row.kind, row.key), row) for row in made.values()]
    return MadeTargets(
        ready=ready,
        filled=filled,
        missing=missing,
        deleted=deleted,
        retired=list(dict.fromkeys(pair for pair, _ in pairs if pair not in named)),
        ours={pair: all(not row.adopted for other, row in pairs if other == pair) for pair, _ in pairs},
        since={pair: min(row.since for other, row in pairs if other == pair) for pair, _ in pairs},
    )
