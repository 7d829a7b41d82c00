"""Apply: carry out a plan, batch by batch, as far as guards, windows and pace allow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sync.account.session import Session
from sync.account.targets import targets_of
from sync.apply import throttle
from sync.apply.delivery import Applied, Delivery
from sync.consent.consent import consent_of
from sync.exit_codes import CommandError, GuardTripped, RetryLater, Trip
from sync.log import stage
from sync.plan.finish import basis
from sync.plan.undo import WAYS_BACK, hold
from sync.store import write_history
from sync.store.journal import Journal
from sync.store.journal.batches import Batch
from sync.store.journal.database import user
from sync.store.journal.plans import Plan


@stage("apply")
def apply(session: Session, plan: int, reviewed: bool, first: int | None = None) -> Applied:
    """Carry out an open plan. ``reviewed``: a person named it, which settles what a first labelling trips.

    GuardTripped where a guard is tripped or the plan is superseded, before the first write; RetryLater where a window
    is closed or the pace is used up, with everything so far saved.
    """
    row = _ready(session, plan, reviewed)
    throttle.wait_for_window(session)
    journal = session.journal
    consent = consent_of(session)
    with journal.transaction():
        journal.plans.update(plan, state="applying")
        if row.kind != "consent":
            close_other_plans(journal, session.account, plan)
        if row.undoes is not None:
            # before the first write: what is undone in part is not redone either
            hold(session.config, journal, session.account, row.undoes)
    wanted = None if first is None else _first_records(journal, plan, first)
    delivery = Delivery(session, consent, plan, planned_in=row.run)
    applied = delivery.applied
    for batch in journal.batches.of(plan=plan, state="planned"):
        throttle.wait_for_window(session)  # it may close while we write
        if not _as_far_as_allowed(session, delivery, batch, wanted):
            raise RetryLater(throttle.used_up(session, plan), throttle.room_at(session))
        session.progress("writing", applied.done + applied.rejected + applied.skipped, row.summary["changes"])
    applied.remaining = journal.batches.changes_of(plan, "planned")
    if (
        not applied.remaining and not applied.transient
    ):  # what an outage refused is the rest of this plan, approved as it is
        journal.plans.update(plan, state="done")
    keys = {remote: key for key, remote in journal.objects.lists_of(session.account).items()}
    write_history.now_read(
        session.mirror(), session.destination(), lambda: session.lists.values() if keys else (), keys
    )
    return applied


def _ready(session: Session, plan: int, reviewed: bool) -> Plan:
    """The plan's row, if it may be carried out now."""
    journal = session.journal
    row = journal.plans.get(plan)
    if row is None or row.account != session.account:
        raise CommandError(
            f"there is no plan {plan} of account {session.account}: `crm-segments plan` makes one"
        )
    if row.state == "done":
        raise GuardTripped(
            f"plan {plan} is done and cannot be applied again: make a new one with `crm-segments plan`",
            plan=plan,
        )
    if row.state == "superseded":
        what = "another plan was applied since it was made, or a run found nothing left to do"
        raise GuardTripped(
            f"plan {plan} is superseded: {what}. Make a new one with `crm-segments plan`.", plan=plan
        )
    newer = _applied_since(journal, row)
    moved = [
        name
        for name, value in basis(session.config, journal, session.account).items()
        if row.basis.get(name) != value
    ]
    again = sorted(
        row.summary.get("by_target", {}).keys()
        & {t.name for t in targets_of(session.config, session.account)}
    )
    why = None
    if newer:
        why = f"plan {newer} was applied since"
    elif moved and row.kind == "forward":
        why = f"the {' and '.join(moved)} of the segmentations changed since"
    elif again and row.kind == "retire":
        why = f"{' and '.join(again)} is in the config again"
    if why is not None:
        journal.plans.update(plan, state="superseded")
        raise GuardTripped(
            f"plan {plan} is superseded: {why}. Make a new one with `crm-segments plan`.", plan=plan
        )
    if problems := session.destination().check_writing():
        raise CommandError(
            "\n".join(
                f"{session.account}: {problem.what}. {problem.remedy}. Nothing was written."
                for problem in problems
            )
        )
    if row.state == "open":
        trips = [
            t
            for t in row.guards
            if t["guard"] not in session.allow and not (reviewed and t["first_labelling"])
        ]
        if trips:
            stop_for(session, plan, trips)
        journal.plans.update(plan, allowed={"guards": dict(session.allow), "who": user()})
    return row


def stop_for(session: Session, plan: int, trips: list[dict[str, Any]]) -> None:
    """Raise the GuardTripped that explains tripped guards."""
    lines = [f"  {t['guard']}: {t['what']}" for t in trips]
    first = all(t["first_labelling"] for t in trips)
    names = sorted({t["guard"] for t in trips})
    review = (
        f"Look at it (`crm-segments plan`) and apply it by its number: `crm-segments apply {plan}`; or"
        if first
        else "If that is right,"
    )
    allow = " ".join(f"--allow {name}" for name in names)
    raise GuardTripped(
        f"guards stopped plan {plan}, and nothing of it was written:\n"
        + "\n".join(lines)
        + f"\n{review} run again with {allow} --reason TEXT.",
        [Trip(t["guard"], t["what"], t["first_labelling"]) for t in trips],
        plan,
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
        if other.plan != plan and _ends(other, applied):
            journal.plans.update(other.plan, state="superseded")


def _ends(other: Plan, applied: Plan | None) -> bool:
    """Whether an unfinished plan ends where this one is applied, or where there is nothing to apply."""
    if applied is None:
        return other.kind == "forward"
    return not _cut_off(other) or bool(_written_by(other) & _written_by(applied))


def _cut_off(row: Plan) -> bool:
    """Whether a person approved of a plan, undo or retire, that was not carried out to its end."""
    return row.state == "applying" and row.kind in WAYS_BACK


def _written_by(plan: Plan) -> set[str]:
    """The fields and lists that a plan changes."""
    return set(plan.summary.get("by_target", {}))


def _applied_since(journal: Journal, row: Plan) -> int | None:
    """The first plan that was applied after this one was made, and that ends it."""
    targets = _written_by(row)
    for other in journal.plans.applied_after(row):
        if not _cut_off(row) or targets & _written_by(other):
            return other.plan
    return None


# -- how much of a batch -----------------------------------------------------------------------------------


def _as_far_as_allowed(session: Session, delivery: Delivery, batch: Batch, wanted: pa.Array | None) -> bool:
    """Carry out what the canary and the pace let through of a planned batch; the rest stays planned.

    False: the pace held some back.
    """
    changes = batch.changes()
    records = _records(changes)
    chosen = (
        np.ones(changes.num_rows, np.bool_) if wanted is None else _mask(pc.is_in(records, value_set=wanted))
    )
    room = throttle.room(session)
    let_through = chosen
    if room is not None:
        let_through = chosen & _mask(
            pc.is_in(records, value_set=pc.unique(records.filter(pa.array(chosen))).slice(0, room))
        )
    if let_through.any():
        if not let_through.all():
            parts = [changes.filter(pa.array(mask)) for mask in (let_through, ~let_through)]
            counted = [(part, pc.count_distinct(_records(part)).as_py()) for part in parts]
            batch = session.journal.batches.get(session.journal.batches.split(batch, *counted))
        delivery.carry_out(batch)
    return bool((let_through == chosen).all())


def _first_records(journal: Journal, plan: int, first: int) -> pa.Array:
    """The first N records of a plan, for a canary."""
    records = pa.array([], pa.string())
    for batch in journal.batches.of(plan=plan, state="planned"):
        records = pc.unique(pa.concat_arrays([records, _records(batch.changes())])).slice(0, first)
        if len(records) == first:
            break
    return records


def _records(changes: pa.Table) -> pa.Array:
    """Which record each change is about, as one text."""
    return pc.binary_join_element_wise(changes["record_type"], changes["id"], "\0").combine_chunks()


def _mask(chosen: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(chosen.to_numpy(zero_copy_only=False), np.bool_)
