"""Apply: carry out a plan, batch by batch, as far as guards, windows and pace allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Destination, Problem, RemoteList
from sync.account.session import Session
from sync.account.targets import Target, targets_of
from sync.apply import member_columns, structure
from sync.apply.delivery import Applied, Delivery
from sync.apply.extent import Extent, extent, mask, records
from sync.apply.rejects import RejectedChanges
from sync.apply.throttle import Throttle
from sync.config.config import Config
from sync.config.windows import Windows
from sync.consent.consent import allowed_changes, consent_of
from sync.exit_codes import CommandError, GuardTripped, Trip
from sync.log import stage
from sync.plan.approval import require_approved
from sync.plan.finish import basis
from sync.plan.preview import require_applicable
from sync.plan.references import referring
from sync.plan.references import require_allowed as require_unreferenced
from sync.plan.trip_lines import guard_lines
from sync.plan.undo import WAYS_BACK, hold
from sync.sentence import sentences
from sync.store import write_history
from sync.store.journal import Journal
from sync.store.journal.approvals import PlanDecision
from sync.store.journal.batches import Batch, Batches
from sync.store.journal.database import user
from sync.store.journal.objects import MadeObject
from sync.store.journal.plans import Plan, Plans


@stage("apply")
def apply(session: Session, plan: int, reviewed: bool, first: int | None = None) -> Applied:
    """Carry out an open plan. ``reviewed``: a person named it, which settles what a first labelling trips.

    GuardTripped where a guard is tripped or the plan is superseded, before the first write; RetryLater where a window
    is closed or the pace is used up, with everything so far saved.
    """
    journal, mirror, account = session.journal, session.mirror(), session.account
    row = _stored(journal.plans, account, plan)
    require_applicable(row)
    targets = targets_of(session.config, account)
    _require_current(
        journal.plans, row, basis(session.config, journal, account), {target.name for target in targets}
    )
    _require_rights(account, session.destination().check_writing())
    decision = require_approved(
        journal, session.config.approval, row, session.clock(), session.settings.time_zone
    )
    if row.state == "open":
        _require_allowed(row, session.allow, reviewed or decision is not None)
        journal.plans.update(plan, allowed={"guards": dict(session.allow), "who": user()})
    if decision is not None:
        allowed = {"guards": dict(session.allow), "who": user(), **row.allowed, "approval": decision.approval}
        journal.plans.update(plan, allowed=allowed)
    made = journal.objects.of(account) if row.kind == "retire" else []
    _require_unreferenced(session.destination(), made, lambda: session.lists, row, session.allow)
    throttle = _throttle(session.config, journal.batches, row, session.clock)
    throttle.wait_for_window()
    consent = consent_of(session.mirror(), session.joined())
    with journal.transaction():
        journal.plans.update(plan, state="applying")
        if row.kind != "consent":
            close_other_plans(journal, account, plan)
        if row.undoes is not None:
            # before the first write: what is undone in part is not redone either
            hold(session.config, journal, account, row.undoes)
    if row.undoes is not None and row.summary.get("restores"):
        structure.bring_back(journal, session.destination(), account, row.undoes)
        session.__dict__.pop("lists", None)
    within = _extent(journal.batches, row, targets, first, decision)
    delivery = Delivery(
        journal,
        mirror,
        session.destination(),
        lambda: session.lists,
        RejectedChanges(mirror, journal.rejects, session.config.guards.max_shrink, session.clock),
        lambda batch: allowed_changes(mirror, consent, targets, batch),
        session.clock,
        session.run,
        row,
    )
    applied = delivery.applied
    for batch in journal.batches.of(plan=plan, state="planned"):
        throttle.wait_for_window()  # it may close while we write
        if not _as_far_as_allowed(journal.batches, throttle, delivery, batch, within):
            raise throttle.used_up(plan)
        session.progress("writing", applied.done + applied.rejected + applied.skipped, row.summary["changes"])
    applied.remaining = journal.batches.changes_of(plan, "planned")
    if waiting := _waiting_to_be_sent(journal.batches, plan, within, throttle):
        raise throttle.not_to_be_sent(plan, waiting)
    if row.kind == "retire" and not applied.remaining and not applied.transient:
        crm = session.destination()
        applied.retired = structure.take_away(journal, mirror, crm, lambda: session.lists, row, session.run)
        session.__dict__.pop("lists", None)
    decided = decision is not None and decision.first is None and first is None
    _close(journal.plans, plan, applied, decided)
    member_columns.fill(session.config, journal, mirror, session.destination(), session.joined(), session.run)
    keys = {remote: key for key, remote in journal.objects.lists_of(account).items()}
    write_history.now_read(
        mirror, session.destination(), lambda: session.lists.values() if keys else (), keys
    )
    return applied


def _close(plans: Plans, plan: int, applied: Applied, decided: bool) -> None:
    """Note that a plan is done, if it is. ``decided``: what is still planned was left out by a person, for good.

    What an outage refused is the rest of this plan, approved as it is: it stays open.
    """
    if decided:
        applied.left_out, applied.remaining = applied.remaining, 0
    if not applied.remaining and not applied.transient:
        plans.update(plan, state="done")


def _stored(plans: Plans, account: str, plan: int) -> Plan:
    """The plan of a number, if it can still be carried out."""
    row = plans.get(plan)
    if row is None or row.account != account:
        raise CommandError(
            f"there is no plan {plan} of account {account}: create one with `crm-segments plan`"
        )
    if row.state == "done":
        raise GuardTripped(
            f"plan {plan} is finished and cannot be applied again: create a new one with `crm-segments plan`",
            plan=plan,
        )
    if row.state == "superseded":
        what = "another plan was applied since it was made, or a run found nothing left to do"
        raise _superseded(plan, what)
    return row


def _superseded(plan: int, why: str) -> GuardTripped:
    return GuardTripped(
        f"plan {plan} is superseded: {why}. Create a new one with `crm-segments plan`.", plan=plan
    )


def _require_current(plans: Plans, row: Plan, made_from: Mapping[str, Any], targets: Set[str]) -> None:
    """GuardTripped where a plan does not follow from what is now; it is superseded. ``made_from``: what a plan
    would be made from now; ``targets``: names of those in the config.
    """
    newer = _applied_since(plans, row)
    moved = [name for name, value in made_from.items() if row.basis.get(name) != value]
    again = sorted(row.summary.get("by_target", {}).keys() & targets)
    why = None
    if newer:
        why = f"plan {newer} was applied since"
    elif moved and row.kind == "forward":
        why = f"the {' and '.join(moved)} of the segmentations have changed since"
    elif again and row.kind == "retire":
        why = f"{' and '.join(again)} is in the config again"
    if why is not None:
        plans.update(row.plan, state="superseded")
        raise _superseded(row.plan, why)


def _require_rights(account: str, problems: Sequence[Problem]) -> None:
    if problems:
        raise CommandError(
            "\n".join(
                f"{account}: {sentences(problem.what, problem.remedy)} Nothing was written."
                for problem in problems
            )
        )


def _require_unreferenced(
    destination: Destination,
    made: Sequence[MadeObject],
    lists: Callable[[], Mapping[str, RemoteList]],
    row: Plan,
    allow: Mapping[str, str],
) -> None:
    """GuardTripped where something of others refers to what a plan retires, perhaps since it was made."""
    rows = structure.retired_by(row, made)
    if not rows:
        return
    remotes = lists() if any(each.kind == "list" for each in rows) else {}
    allowed = {*allow, *(row.allowed.get("guards") or ())}
    name = row.summary.get("retires", {}).get("name", "")
    require_unreferenced(referring(destination, rows, remotes), name, allowed, row.plan)


def _require_allowed(row: Plan, allow: Mapping[str, str], reviewed: bool) -> None:
    """GuardTripped where guards stop a plan that nobody let through."""
    trips = [
        trip
        for trip in row.guards
        if trip["guard"] not in allow and not (reviewed and trip["first_labelling"])
    ]
    if not trips:
        return
    lines = [f"  {line}" for line in guard_lines(trips, row.summary.get("first_labelling"))]
    names = sorted({trip["guard"] for trip in trips})
    review = (
        f"Review it (`crm-segments plan`) and apply it by its number: `crm-segments apply {row.plan}`; or"
        if all(trip["first_labelling"] for trip in trips)
        else "If this is expected,"
    )
    allowing = " ".join(f"--allow {name}" for name in names)
    raise GuardTripped(
        f"guards (safety checks) stopped plan {row.plan}; nothing was written:\n"
        + "\n".join(lines)
        + f"\n{review} run again with {allowing} --reason TEXT.",
        [Trip(trip["guard"], trip["what"], trip["first_labelling"]) for trip in trips],
        row.plan,
    )


def close_other_plans(journal: Journal, account: str, plan: int | None) -> None:
    """Every other plan was made before this one is applied: its figures no longer hold. What it left undone
    is planned again, except by a way back that was cut off: that goes on unless this plan writes to the same
    fields or lists.

    ``plan`` is None where a run found nothing to do: that ends what labels wanted before, and not the way
    back from a run.
    """
    applied = None if plan is None else journal.plans.get(plan)
    for other in journal.plans.unfinished(account):
        if other.plan != plan and _ends(other, applied) and not _parts_of_a_run(other, applied):
            journal.plans.update(other.plan, state="superseded")


def _ends(other: Plan, applied: Plan | None) -> bool:
    """Whether an unfinished plan ends where this one is applied, or where there is nothing to apply."""
    if applied is None:
        return other.kind == "forward"
    return not _cut_off(other) or bool(_written_by(other) & _written_by(applied))


def _parts_of_a_run(plan: Plan, other: Plan | None) -> bool:
    """Whether a run divided what it found between these: one is written at once, the other waits for an approval."""
    return other is not None and plan.run == other.run and plan.kind == other.kind == "forward"


def _cut_off(row: Plan) -> bool:
    """Whether a person approved of a plan, undo or retire, that was not carried out to its end."""
    return row.state == "applying" and row.kind in WAYS_BACK


def _written_by(plan: Plan) -> set[str]:
    """The fields and lists that a plan changes."""
    return set(plan.summary.get("by_target", {}))


def _applied_since(plans: Plans, row: Plan) -> int | None:
    """The first plan that was applied after this one was made, and that ends it."""
    targets = _written_by(row)
    for other in plans.applied_after(row):
        if _parts_of_a_run(row, other):
            continue
        if not _cut_off(row) or targets & _written_by(other):
            return other.plan
    return None


# -- how much of a batch -----------------------------------------------------------------------------------


def _throttle(config: Config, batches: Batches, row: Plan, clock: Callable[[], datetime]) -> Throttle:
    """What consent takes away waits for no window, and for no pace."""
    account, pace = row.account, config.pace.writes_per_hour
    windows, time_zone = config.windows(account), config.accounts[account].time_zone
    if row.kind == "consent":
        windows, pace = Windows((), windows.zone), None
    return Throttle(batches, account, clock, windows, config.send_windows(account), pace, time_zone)


def _extent(
    batches: Batches, row: Plan, targets: Sequence[Target], first: int | None, decision: PlanDecision | None
) -> Extent:
    """What was asked for now, as far as it was approved."""
    trials = [number for number in (first, decision.first if decision else None) if number is not None]
    without = decision.without if decision else ()
    listeners = {} if row.kind == "consent" else row.summary.get("listeners", {})
    return extent(
        lambda: batches.of(plan=row.plan),
        row.plan,
        targets,
        min(trials, default=None),
        without,
        listeners,
        row.summary.get("test_contacts", {}).get("records", ()),
    )


def _waiting_to_be_sent(batches: Batches, plan: int, within: Extent, throttle: Throttle) -> int:
    """Records of a plan that start something in the CRM, and do not go now."""
    if within.starting is None or throttle.may_send():
        return 0
    waiting = [pa.array([], pa.string())]
    for batch in batches.of(plan=plan, state="planned"):
        changes = batch.changes()
        chosen = within.of(changes) & within.held(changes)
        waiting.append(records(changes).filter(pa.array(chosen)))
    return len(pc.unique(pa.concat_arrays(waiting)))


def _as_far_as_allowed(
    batches: Batches, throttle: Throttle, delivery: Delivery, batch: Batch, within: Extent
) -> bool:
    """Carry out what was approved and windows and pace let through of a planned batch; the rest stays planned.

    False: the pace held some back.
    """
    changes = batch.changes()
    chosen = within.of(changes)
    if within.starting is not None and not throttle.may_send():
        chosen &= ~within.held(changes)
    room = throttle.room()
    let_through = chosen
    if room is not None:
        named = records(changes)
        let_through = chosen & mask(
            pc.is_in(named, value_set=pc.unique(named.filter(pa.array(chosen))).slice(0, room))
        )
    if let_through.any():
        if not let_through.all():
            parts = [changes.filter(pa.array(part)) for part in (let_through, ~let_through)]
            counted = [(part, pc.count_distinct(records(part)).as_py()) for part in parts]
            batch = batches.get(batches.split(batch, *counted))
        delivery.carry_out(batch)
    return bool((let_through == chosen).all())
