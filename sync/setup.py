"""Setup: make the fields and lists that runs write to. Shown first, made after a yes; a run itself creates nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from connectors.contract import FieldSpec, ListSpec
from sync.session import Session
from sync.stops import SetupNeeded
from sync.targets import field_specs, list_specs


@dataclass(frozen=True)
class Step:
    """One thing that set-up does."""

    kind: Literal["field", "list"]
    action: Literal["create", "adopt", "extend", "rename"]
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
        ours = ("field", spec.record_type, spec.name) in made
        if present is None:
            found.steps.append(Step("field", "create", spec.name, spec.record_type, f"{spec.type}: {spec.label}"))
        elif not ours and spec.name in adopt:
            found.steps.append(Step("field", "adopt", spec.name, spec.record_type, "its values stay; they are not ours"))
        elif not ours:
            found.refused.append(
                f"field {spec.name} exists and we did not make it: give ours another name in the config, or take it over with --adopt "
                f"{spec.name}"
            )
        elif present.type == "enum" and {o.key for o in spec.options} - {o.key for o in present.options}:
            missing = sorted({o.key for o in spec.options} - {o.key for o in present.options})
            found.steps.append(Step("field", "extend", spec.name, spec.record_type, "options " + ", ".join(missing)))
    _plan_lists(session, found, made, adopt)
    if not session.connector().capabilities.dynamic_lists:
        asked = [s.name for s in session.segmentations if s.lists == "dynamic"]
        found.notes += [
            f"{name} asks for dynamic lists, which {session.settings.crm} does not have: its lists are static" for name in asked
        ]
    return found


def _plan_lists(session: Session, found: SetupPlan, made: dict[tuple[str, str, str], dict[str, Any]], adopt: Sequence[str]) -> None:
    there = session.connector().lists()
    by_id = {remote.id: remote for remote in there}
    for spec in list_specs(session):
        found._lists[spec.key] = spec
        ours = made.get(("list", spec.record_type, spec.key))
        if ours and ours["remote"] in by_id:
            if by_id[ours["remote"]].label not in (spec.label, spec.key, ""):
                found.steps.append(Step("list", "rename", spec.key, spec.record_type, spec.label))
            continue
        stranger = next(
            (r for r in there if (r.key == spec.key or r.label == spec.label) and r.record_type in (spec.record_type, "")), None
        )
        if stranger is None:
            found.steps.append(Step("list", "create", spec.key, spec.record_type, f"{spec.kind}: {spec.label}"))
        elif spec.key in adopt or stranger.label in adopt:
            found.steps.append(Step("list", "adopt", spec.key, spec.record_type, "its members stay; they are not ours"))
        else:
            found.refused.append(
                f"list {spec.key} exists and we did not make it: rename the segmentation, or take it over with --adopt {spec.key}"
            )


def apply_setup(session: Session, plan: SetupPlan) -> int:
    """Carry the steps out; returns how many. SetupNeeded where a name is refused: then nothing is made."""
    if plan.refused:
        raise SetupNeeded("nothing was made:\n" + "\n".join(f"  {line}" for line in plan.refused))
    connector, journal = session.connector(), session.journal
    for step in plan.steps:
        adopted = step.action == "adopt"
        if step.kind == "field":
            connector.ensure_field(plan._fields[(step.record_type, step.name)])
            remote = step.name
        else:
            remote = connector.ensure_list(plan._lists[step.name]).id
        session.writes += 1
        journal.save_object(session.account, step.kind, step.record_type, step.name, remote, adopted, session.run)
    return len(plan.steps)
