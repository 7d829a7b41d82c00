"""Setup: make the fields and lists that runs write to. Shown first, made after a yes; a run itself creates nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from connectors.contract import FieldSpec, ListSpec, RemoteList
from connectors.errors import RequestError
from sync.account.session import Session
from sync.account.targets import field_specs, list_specs
from sync.stops import SetupNeeded


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
    refused: list[str] = field(default_factory=list)  # names that somebody else uses
    notes: list[str] = field(default_factory=list)  # where this CRM gets something else than the config asks for
    _fields: dict[tuple[str, str], FieldSpec] = field(default_factory=dict)
    _lists: dict[str, ListSpec] = field(default_factory=dict)

    def add(self, *step: Any) -> None:
        """One more step: kind, action, name, record type, detail."""
        self.steps.append(Step(*step))

    def as_dict(self) -> dict[str, Any]:
        """For printing and for ``--export``."""
        return {"steps": [asdict(s) for s in self.steps], "refused": self.refused, "notes": self.notes}


def plan_setup(session: Session, adopt: Sequence[str] = ()) -> SetupPlan:
    """What has to be made. A field or list of the same name that is not ours is refused unless adopted by name."""
    found = SetupPlan()
    made = {(row["kind"], row["record_type"], row["key"]): row for row in session.journal.made(session.account)}
    there = session.connector().fields()
    for spec in field_specs(session):
        found._fields[(spec.record_type, spec.name)] = spec
        present = there.get((spec.record_type, spec.name))
        ours = made.get(("field", spec.record_type, spec.name))
        if present is None:
            found.add("field", "create", spec.name, spec.record_type, f"{spec.type}: {spec.label}")
        elif ours is None and _named(adopt, spec.name):
            found.add("field", "adopt", spec.name, spec.record_type, "its values stay; they are not ours")
        elif ours is None:
            found.refused.append(
                f"field {spec.name} exists and we did not make it: give ours another name in the config, or take it over with --adopt "
                f"{spec.name}"
            )
        elif missing := sorted({o.key for o in spec.options} - {o.key for o in present.options}) if present.type == "enum" else []:
            found.add("field", "extend", spec.name, spec.record_type, "options " + ", ".join(missing))
        elif changed := _changed(ours["form"], form_of(spec)) if present.label else "":
            found.add("field", "update", spec.name, spec.record_type, changed)
    _plan_lists(session, found, made, adopt)
    return found


def new_names(session: Session) -> list[str]:
    """What people would read anew in the CRM after ``setup``, because a model found other names. The CRM is asked only where our memory
    of what was made says so."""
    forms = {(row["record_type"], row["key"]): row["form"] for row in session.journal.made(session.account) if row["kind"] == "field"}
    if not any(_changed(forms.get((spec.record_type, spec.name), {}), form_of(spec)) for spec in field_specs(session)):
        return []
    steps = [step.name for step in plan_setup(session).steps if step.action in ("update", "rename")]
    return [f"segments have other names than the CRM shows: `crm-segments setup` renames {len(steps)} fields and lists"] if steps else []


def _named(patterns: Sequence[str], *names: str) -> bool:
    """Whether a person named one of these, as it is or by a pattern such as ``rfm.*``."""
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def form_of(spec: FieldSpec | ListSpec) -> dict[str, Any]:
    """What of a field or list may change under the same name; the journal keeps it as it was made."""
    return {key: value for key, value in asdict(spec).items() if key not in ("name", "key", "record_type", "type", "kind", "id")}


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Names of what is no longer as it was made; "" also where nobody knows how that was."""
    plain = json.loads(json.dumps(now))
    return ", ".join(key for key, value in plain.items() if key in before and before[key] != value)


def _plan_lists(session: Session, found: SetupPlan, made: dict[tuple[str, str, str], dict[str, Any]], adopt: Sequence[str]) -> None:
    by_id = session.lists
    mine = {row["remote"] for (kind, _type, _key), row in made.items() if kind == "list"}
    there = [remote for remote in by_id.values() if remote.id not in mine]
    for spec in list_specs(session):
        found._lists[spec.key] = spec
        ours = made.get(("list", spec.record_type, spec.key))
        if ours and ours["remote"] in by_id:
            _plan_present(found, spec, by_id[ours["remote"]], ours["form"])
            continue
        stranger = next(
            (r for r in there if (r.key == spec.key or r.label == spec.label) and r.record_type in (spec.record_type, "")), None
        )
        if stranger is None:
            found.add("list", "create", spec.key, spec.record_type, f"{spec.kind}: {spec.label}")
        elif _named(adopt, spec.key, stranger.label):
            found._lists[spec.key] = replace(spec, id=stranger.id)
            found.add("list", "adopt", spec.key, spec.record_type, "its members stay; they are not ours")
        else:
            found.refused.append(
                f"list {spec.key} exists and we did not make it: rename the segmentation, or take it over with --adopt {spec.key}"
            )
    if not session.connector().capabilities.dynamic_lists:
        asked = [s.name for s in session.segmentations if s.lists == "dynamic"]
        found.notes += [
            f"{name} asks for dynamic lists, which {session.settings.crm} does not have: its lists are static" for name in asked
        ]


def _plan_present(found: SetupPlan, spec: ListSpec, remote: RemoteList, form: Mapping[str, Any]) -> None:
    """A list of ours that is there: the name that people see, and its filter, follow the config."""
    shown = remote.label not in (spec.key, "")  # else the CRM has no texts for people
    if shown and remote.label != spec.label and (remote.label != form.get("shown") or form.get("label") != spec.label):
        found.add("list", "rename", spec.key, spec.record_type, spec.label)
    elif changed := _changed(form, form_of(spec)) if shown else "":
        found.add("list", "update", spec.key, spec.record_type, changed)
    if remote.kind != spec.kind:
        room = "the CRM had no room for a dynamic one, and its members are written" if form.get("asked") == "dynamic" else "it was made so"
        found.notes.append(f"list {spec.key} is {remote.kind}, not {spec.kind}: {room}; delete it there and run setup to have it made anew")


def apply_setup(session: Session, plan: SetupPlan) -> int:
    """Carry the steps out; returns how many. SetupNeeded where a name is refused: then nothing is made.

    Each thing is remembered as soon as it is made: a set-up that was cut off goes on where it was.
    """
    if plan.refused:
        raise SetupNeeded("nothing was made:\n" + "\n".join(f"  {line}" for line in plan.refused))
    connector, journal = session.connector(), session.journal
    adopted = {(row["kind"], row["record_type"], row["key"]) for row in journal.made(session.account) if row["adopted"]}
    for step in plan.steps:
        spec: FieldSpec | ListSpec
        if step.kind == "field":
            spec = plan._fields[(step.record_type, step.name)]
            connector.ensure_field(spec)
            remote, form = step.name, form_of(spec)
        else:
            spec = plan._lists[step.name]
            made = connector.ensure_list(spec)
            remote, form = made.id, {**form_of(spec), "asked": spec.kind, "kind": made.kind, "shown": made.label}
        new, key = step.action in ("create", "adopt"), (step.kind, step.record_type, step.name)
        theirs = step.action == "adopt" or (not new and key in adopted)
        journal.save_object(session.account, *key, remote, theirs, session.run, form, new)
    session.__dict__.pop("lists", None)
    return len(plan.steps)


def export(session: Session, plan: SetupPlan, folder: Path) -> list[Path]:
    """Write the steps as JSON, and beside it what an administrator can deploy where we may not make fields; returns the files."""
    texts = {f"{session.account}.json": json.dumps(plan.as_dict(), indent=2) + "\n"}
    deployable = session.connector().deployable(list(plan._fields.values()), list(plan._lists.values()))
    texts |= {f"{session.account}/{name}": text for name, text in deployable.items()}
    written = []
    for name, text in texts.items():
        path = folder / name
        if ".." in path.parts:
            raise RequestError(f"the connector names a file {name!r} outside of the folder: report this as a fault of crm-segments")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written
