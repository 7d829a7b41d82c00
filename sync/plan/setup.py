"""Setup: make the fields and lists that runs write to.

Shown first, made after a yes; a run itself creates nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from connectors.contract import Destination, FieldSpec, ListSpec, RemoteList
from connectors.errors import RequestError
from sync.account.segment_catalog import title_faults
from sync.account.session import Session
from sync.account.targets import Target, field_specs, list_specs, name_faults, targets_of
from sync.config.config import Config
from sync.exit_codes import SetupNeeded
from sync.log import stage
from sync.plan.dynamic_lists import changed_lists, dynamic_specs
from sync.plan.orphans import marked_notes, owners_of
from sync.store.journal import Journal
from sync.store.journal.objects import MadeObject

# what is as it is, as long as a field or list lives
_FIXED = frozenset({"name", "key", "record_type", "type", "kind", "id", "retired", "adopted"})


@dataclass(frozen=True)
class Step:
    """One thing that set-up does."""

    kind: Literal["field", "list"]
    action: Literal["create", "adopt", "extend", "update", "rename"]
    name: str
    record_type: str
    detail: str = ""


@dataclass
class SetupPlan:
    """All steps, and what stands in the way."""

    steps: list[Step] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # names that somebody else uses, or that are no names
    # where this CRM gets something else than the config asks for
    notes: list[str] = field(default_factory=list)
    # kind, record type and name of what a set-up made that was cut off
    recovered: set[tuple[str, str, str]] = field(default_factory=set)
    _fields: dict[tuple[str, str], FieldSpec] = field(default_factory=dict)
    _lists: dict[str, ListSpec] = field(default_factory=dict)
    _owners: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)

    def add(self, *step: Any) -> None:
        """One more step: kind, action, name, record type, detail."""
        self.steps.append(Step(*step))

    def recover(self, kind: Literal["field", "list"], name: str, record_type: str) -> None:
        """One more step: what an earlier set-up made, and was cut off before it was remembered, is ours."""
        self.add(
            kind,
            "create",
            name,
            record_type,
            "created by a setup that was interrupted, or from its export; registered now",
        )
        self.recovered.add((kind, record_type, name))

    def as_dict(self) -> dict[str, Any]:
        """For printing and for ``--export``."""
        return {"steps": [asdict(s) for s in self.steps], "refused": self.refused, "notes": self.notes}


def plan_setup(session: Session, adopt: Sequence[str] = (), new_names: bool = False) -> SetupPlan:
    """What has to be made.

    A field or list of the same name that is not ours is refused unless adopted by name; so is a second field for what
    stands under the name that another template gave it, unless ``new_names`` are asked for.
    """
    setup = SetupPlan(refused=title_faults(session.config, session.journal, session.account))
    made = {(row.kind, row.record_type, row.key): row for row in session.journal.objects.of(session.account)}
    there, begun = session.destination().fields(), session.journal.objects.intended(session.account)
    targets = targets_of(session.config, session.account)
    setup._owners = owners_of(targets)
    setup.notes += marked_notes(session.account, there, made.values(), targets)
    former = {} if new_names else _under_former_names(made.values(), targets, there)
    for spec in field_specs(session.config, session.journal, session.account):
        setup._fields[(spec.record_type, spec.name)] = spec
        present = there.get((spec.record_type, spec.name))
        ours = made.get(("field", spec.record_type, spec.name))
        if ours is None and (spec.record_type, spec.name) in former:
            setup.refused.append(_second(spec.name, former[spec.record_type, spec.name], session.account))
        elif present is None:
            setup.add("field", "create", spec.name, spec.record_type, f"{spec.type}: {spec.label}")
        elif _as_meant(begun.get(("field", spec.record_type, spec.name)), present):
            setup.recover("field", spec.name, spec.record_type)
        elif ours is None and _named(adopt, spec.name):
            setup.add(
                "field",
                "adopt",
                spec.name,
                spec.record_type,
                "values that are in it stay, and count as somebody else's",
            )
        elif ours is None:
            setup.refused.append(
                f"field {spec.name} exists already, and crm-segments did not create it: choose another name in the "
                "config, or take it over with --adopt "
                f"{spec.name}"
            )
        elif (
            missing := sorted({o.key for o in spec.options} - {o.key for o in present.options})
            if present.type == "enum"
            else []
        ):
            setup.add("field", "extend", spec.name, spec.record_type, "options " + ", ".join(missing))
        elif changed := _changed(ours.form, form_of(spec)) if present.label else "":
            setup.add("field", "update", spec.name, spec.record_type, changed)
    able = session.destination().capabilities
    lists = list_specs(session.config, session.journal, session.account, able.dynamic_lists)
    setup.refused += name_faults(lists, session.settings)
    dynamic = dynamic_specs(lists, lambda: session.lists)
    differing, _unknown = changed_lists(session.destination(), dynamic)
    _plan_lists(setup, lists, session.lists, differing, made, adopt, begun)
    if not able.dynamic_lists:
        asked = [s.name for s in session.segmentations if s.lists == "dynamic"]
        setup.notes += [
            f"{name} asks for dynamic lists, which {session.settings.crm} does not have: its lists are static"
            for name in asked
        ]
    return setup


def _under_former_names(
    made: Iterable[MadeObject], targets: Sequence[Target], there: Container[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """By record type and new name, the name of the field of ours that another template of the account made for the
    same thing, and that still stands.
    """
    named = {target.name for target in targets if target.kind == "field"}
    new = {target.plain_name: target for target in targets if target.kind == "field"}
    former = {}
    for row in made:
        target = new.get(row.form.get("plain") or row.key)
        standing = row.kind == "field" and row.key not in named and (row.record_type, row.key) in there
        if standing and target and not row.retired and row.segmentation in ("", target.segmentation):
            former[row.record_type, target.name] = row.key
    return former


def _second(name: str, former: str, account: str) -> str:
    return (
        f"field {name} would be a second one for what {former} holds, because prefix or field_name of [accounts.{account}] "
        f"changed. To keep {former}, change them back. To move to {name}: `crm-segments setup --new-names` creates it, the "
        f"next plan fills it, and `crm-segments retire {former}` clears the old one"
    )


def _as_meant(begun: Mapping[str, Any] | None, present: FieldSpec) -> bool:
    """Whether a field is what a set-up that was cut off was about to make.

    Where a CRM has no texts for people, the name says it.
    """
    if begun is None or not present.label:
        return begun is not None
    form = begun["form"]
    head, _, tail = present.label.partition("…")  # a CRM may show both ends of a long label
    same = form["type"] == present.type and form["label"].startswith(head) and form["label"].endswith(tail)
    return same and {option["key"] for option in form["options"]} == {
        option.key for option in present.options
    }


def new_names(config: Config, journal: Journal, account: str, plan: Callable[[], SetupPlan]) -> list[str]:
    """What people would read again in the CRM after ``setup``, because a model found other names. The CRM is
    asked only where our memory of what was made says so; names that ``setup`` would refuse are told."""
    if faults := title_faults(config, journal, account):
        return [f"`crm-segments setup` creates nothing until this is fixed: {fault}" for fault in faults]
    forms = {
        (row.record_type, row.key): row.form for row in journal.objects.of(account) if row.kind == "field"
    }
    if not any(
        _changed(forms.get((spec.record_type, spec.name), {}), form_of(spec))
        for spec in field_specs(config, journal, account)
    ):
        return []
    steps = [step.name for step in plan().steps if step.action in ("update", "rename")]
    return (
        [
            f"some titles or descriptions differ from those in the CRM: `crm-segments setup` updates {len(steps)} fields and lists"
        ]
        if steps
        else []
    )


def _named(patterns: Sequence[str], *names: str) -> bool:
    """Whether a person named one of these, as it is or by a pattern such as ``rfm.*``."""
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def form_of(spec: FieldSpec | ListSpec) -> dict[str, Any]:
    """What of a field or list may change under the same name; the journal keeps it as it was made."""
    return {key: value for key, value in asdict(spec).items() if key not in _FIXED}


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Names of what is no longer as it was made; "" also where nobody knows how that was."""
    plain = json.loads(json.dumps(now))
    return ", ".join(key for key, value in plain.items() if key in before and before[key] != value)


def _plan_lists(
    setup: SetupPlan,
    specs: Sequence[ListSpec],
    by_id: Mapping[str, RemoteList],
    differing: Mapping[str, str],
    made: Mapping[tuple[str, str, str], MadeObject],
    adopt: Sequence[str],
    begun: Mapping[tuple[str, str, str], dict[str, Any]],
) -> None:
    """``by_id``: the lists that the CRM has; ``differing``: what differs, of the dynamic ones of ours."""
    mine = {row.remote for (kind, _type, _key), row in made.items() if kind == "list"}
    there = [remote for remote in by_id.values() if remote.id not in mine]
    for spec in specs:
        setup._lists[spec.key] = spec
        ours = made.get(("list", spec.record_type, spec.key))
        if ours and ours.remote in by_id:
            _plan_present(setup, spec, by_id[ours.remote], ours.form, differing.get(spec.key, ""))
            continue
        stranger = next(
            (
                r
                for r in there
                if (r.key == spec.key or r.label == spec.label) and r.record_type in (spec.record_type, "")
            ),
            None,
        )
        if stranger is None:
            setup.add("list", "create", spec.key, spec.record_type, f"{spec.kind}: {spec.label}")
        elif ("list", spec.record_type, spec.key) in begun:
            # the connector finds it by our mark, or refuses it
            setup.recover("list", spec.key, spec.record_type)
        elif _named(adopt, spec.key, stranger.label):
            setup._lists[spec.key] = replace(spec, id=stranger.id)
            setup.add(
                "list",
                "adopt",
                spec.key,
                spec.record_type,
                "members that are in it stay, and count as added by somebody else",
            )
        else:
            setup.refused.append(
                f"list {spec.key} exists already, and crm-segments did not create it: rename the segmentation, or "
                f"take it over with --adopt {spec.key}"
            )


def _plan_present(
    setup: SetupPlan, spec: ListSpec, remote: RemoteList, form: Mapping[str, Any], differs: str
) -> None:
    """A list of ours that is there: the name that people see, and its filter, follow the config."""
    shown = remote.label not in (spec.key, "")  # else the CRM has no texts for people
    # of a list that an earlier version made: its filter knew of opt-outs alone
    form = {"consent_basis": "", **form}
    if (
        shown
        and remote.label != spec.label
        and (remote.label != form.get("shown") or form.get("label") != spec.label)
    ):
        setup.add("list", "rename", spec.key, spec.record_type, spec.label)
    elif changed := (_changed(form, form_of(spec)) if shown else "") or differs:
        setup.add("list", "update", spec.key, spec.record_type, changed)
    if remote.kind != spec.kind:
        room = (
            "the CRM had no room for a dynamic one, so its members are written"
            if form.get("asked") == "dynamic"
            else "it was created that way"
        )
        setup.notes.append(
            f"list {spec.key} is {remote.kind}, not {spec.kind}: {room}; delete it there and run `crm-segments setup` to create it again"
        )


@stage("setup")
def apply_setup(session: Session, plan: SetupPlan) -> int:
    """Carry the steps out; returns how many. SetupNeeded where a name is refused: then nothing is made.

    What is about to be made is remembered before, and that it was made after: a set-up that was cut off goes
    on where it was, and takes nothing of ours for a stranger's.
    """
    if plan.refused:
        raise SetupNeeded("nothing was created:\n" + "\n".join(f"  {line}" for line in plan.refused))
    journal = session.journal
    begun, made = journal.objects.intended(session.account), journal.objects.of(session.account)
    ours = {(row.kind, row.record_type, row.key): row.adopted for row in made}
    for step in plan.steps:
        key = (step.kind, step.record_type, step.name)
        spec: FieldSpec | ListSpec = (
            plan._fields[step.record_type, step.name] if step.kind == "field" else plan._lists[step.name]
        )
        new = step.action in ("create", "adopt")
        if step.action == "create":
            new = bool(begun[key]["new"]) if key in plan.recovered else True
            journal.objects.intend(session.account, *key, session.run, _meant(spec), new)
        if isinstance(spec, FieldSpec):
            strange = step.action == "create" and key not in begun
            spec = replace(spec, adopted=step.action == "adopt" or ours.get(key, strange))
        remote, form, there = _ensured(session.destination(), spec)
        form |= plan._owners.get((step.kind, step.name), {})
        hidden = step.action == "create" and there and key not in plan.recovered
        if hidden and key in ours:
            new = False  # what we wrote into it is still ours
        theirs = step.action == "adopt" or (step.action != "create" and ours.get(key, False))
        # another's, that we did not see and never meant to make
        theirs = theirs or (hidden and ours.get(key, key not in begun))
        journal.objects.save(session.account, *key, remote, theirs, session.run, form, new)
        if step.kind == "field":
            journal.rejects.try_again(session.account, step.record_type, step.name)
    session.__dict__.pop("lists", None)
    return len(plan.steps)


def _meant(spec: FieldSpec | ListSpec) -> dict[str, Any]:
    return {**form_of(spec), "type": spec.type} if isinstance(spec, FieldSpec) else form_of(spec)


def _ensured(destination: Destination, spec: FieldSpec | ListSpec) -> tuple[str, dict[str, Any], bool]:
    """Make it, or bring it up to date: its name or id in the CRM, the form to remember, and whether it is a
    field that was there.
    """
    if isinstance(spec, FieldSpec):
        reference = destination.ensure_field(spec)
        return reference.name, _meant(spec), bool(reference.existed)
    made = destination.ensure_list(spec)
    return made.id, {**_meant(spec), "asked": spec.kind, "kind": made.kind, "shown": made.label}, False


def export(
    destination: Destination, journal: Journal, account: str, run: int, plan: SetupPlan, folder: Path
) -> list[Path]:
    """Write the steps as JSON, and beside it what an administrator can deploy where we may not make fields;
    returns the files.

    What is described is remembered, so that it is ours once it is there as it was described.
    """
    texts = {f"{account}.json": json.dumps(plan.as_dict(), indent=2) + "\n"}
    deployable = destination.export(list(plan._fields.values()), list(plan._lists.values()))
    texts |= {f"{account}/{name}": text for name, text in deployable.items()}
    written = []
    for name, text in texts.items():
        path = folder / name
        if ".." in path.parts:
            raise RequestError(
                f"the connector names a file {name!r} outside of the folder: report this as a bug in crm-segments"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    for step in plan.steps if deployable else ():
        if step.action == "create":
            spec: FieldSpec | ListSpec = (
                plan._fields[step.record_type, step.name] if step.kind == "field" else plan._lists[step.name]
            )
            journal.objects.intend(account, step.kind, step.record_type, step.name, run, _meant(spec), True)
    return written
