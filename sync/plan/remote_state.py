"""What does the CRM have, as far as a plan hangs on it? This is asked before anything is planned, and here alone.

Who reacts to a plan (``sync.plan.automation_impact``) is asked once the plan is known, and where it changes
something: an unchanged run would pay for the question each day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.contract import Capabilities, Destination, FieldSpec, ListSpec, RemoteList
from sync.account.targets import Target, targets_of
from sync.config.config import Config
from sync.store.journal.objects import MadeObject

_NEVER = 2**62  # later than every batch: nothing that was written before stands in what is still to be made
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
    foreign: set[
        tuple[str, str]
    ]  # kind and name of missing fields that the CRM has, because somebody else made them
    partly: set[tuple[str, str]]  # kind and name of missing fields that some record types have
    gone: dict[str, list[str]]  # of missing fields: the record types without it, whatever was once read there
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
    foreign: set[tuple[str, str]] = set()
    partly: set[tuple[str, str]] = set()
    gone: dict[str, list[str]] = {}
    deleted: list[str] = []
    for target in targets:
        row = made.get(("list", target.record_type, target.name))
        if target.kind == "field":
            types = record_types[target.segmentation]
            there = {t for t in types if (t, target.name) in remote.fields}
            of_ours = {t for t in types if ("field", t, target.name) in made}
            lacking = [t for t in types if t not in there & of_ours]
            missing += [f"field {target.name}" + (f" of {t}" if t != "contact" else "") for t in lacking]
            ready += [] if lacking else [target]
            foreign |= {("field", target.name)} if there - of_ours else set()
            partly |= {("field", target.name)} if there & of_ours else set()
            gone |= {target.name: sorted(set(types) - there)} if set(types) - there else {}
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
        foreign=foreign,
        partly=partly,
        gone=gone,
        deleted=deleted,
        retired=list(dict.fromkeys(pair for pair, _ in pairs if pair not in named)),
        ours={pair: all(not row.adopted for other, row in pairs if other == pair) for pair, _ in pairs},
        since={pair: min(row.since for other, row in pairs if other == pair) for pair, _ in pairs},
    )


def as_set_up(made: MadeTargets, targets: Sequence[Target], lists: Sequence[ListSpec]) -> MadeTargets:
    """The targets as they stand after set-up: what is missing is there, empty, and ours.

    ``targets``: all of the config, in its order; ``lists``: as set-up asks for them.
    """
    deleted = set(made.deleted)
    present = {*made.ready, *made.filled}
    new = [t for t in targets if t not in present and not (t.kind == "list" and t.name in deleted)]
    dynamic = {spec.key for spec in lists if spec.kind == "dynamic"}
    filled = [target for target in new if target.kind == "list" and target.name in dynamic]
    written = {*made.ready, *new} - set(filled)
    return replace(
        made,
        ready=[target for target in targets if target in written],
        filled=[*made.filled, *filled],
        ours={**{(t.kind, t.name): (t.kind, t.name) not in made.foreign for t in new}, **made.ours},
        since={
            **made.since,
            **{(t.kind, t.name): _NEVER for t in new if (t.kind, t.name) not in made.partly},
        },
    )
