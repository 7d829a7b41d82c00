"""Undo: a plan that takes a run back, where the CRM still holds what that run wrote.

It restores value and owner.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow.compute as pc

from sync.account.left import extra_fields_of
from sync.account.session import Session
from sync.account.targets import targets_of
from sync.consent.consent import consent_of
from sync.exit_codes import CommandError
from sync.log import stage
from sync.plan.plan import Planned, begin_changes, finish
from sync.store.journal.batches import Batch
from sync.store.relation import Relation
from sync.store.write_history import catch_up, without

WAYS_BACK = ("undo", "retire")  # kinds of plans that a person asked for, and no run makes again


@stage("plan undo")
def undo(session: Session, run: int) -> Planned:
    """Plan the way back from a run. What somebody changed since stays, and is reported as kept."""
    journal, mirror = session.journal, session.mirror()
    if next(_batches(session, run), None) is None:
        raise CommandError(
            f"run {run} wrote nothing that can be undone to account {session.account}: `crm-segments status` lists the runs "
            f"(what people's consent forbids is taken away for good)"
        )
    catch_up(journal, mirror)
    consent = consent_of(session)
    begin_changes(mirror)
    _gather(session, run)
    mirror.run(
        """INSERT INTO changes SELECT r.record, r.target, r.kind, r.segmentation, r.extra_field, a.value, r.before, 'restore', true,
            r.mine_before
           FROM reversed AS r LEFT JOIN actual AS a USING (record, target)
           WHERE coalesce(a.value, '') = coalesce(r.after, '') AND r.before IS DISTINCT FROM a.value"""
    )
    mirror.run(
        """INSERT INTO conflicts SELECT r.record, r.target, r.before, a.value FROM reversed AS r LEFT JOIN actual AS a USING (record,
            target)
           WHERE coalesce(a.value, '') <> coalesce(r.after, '') AND coalesce(a.value, '') <> coalesce(r.before, '')"""
    )
    targets = targets_of(session.config, session.account)
    given = Relation(
        "SELECT record, target FROM changes WHERE coalesce(after, '') <> '' AND (mine_after OR kind = 'list')"
    )
    mirror.run(f"DELETE FROM changes WHERE (record, target) IN ({consent.forbidden(targets, given)})")
    return finish(session, consent, Planned(), "undo", {}, undoes=run)


def _batches(session: Session, run: int) -> Iterator[Batch]:
    """What a run wrote, without what it took away because consent forbids it."""
    withdrawing = session.journal.plans.withdrawing(session.account)
    for batch in session.journal.batches.of(account=session.account, run=run, state="done"):
        if batch.plan not in withdrawing:
            yield batch


def _gather(session: Session, run: int) -> None:
    """Table ``reversed``: what the run found and left, per record and target."""
    journal, mirror = session.journal, session.mirror()
    mirror.run(
        """CREATE OR REPLACE TEMP TABLE gathered (batch BIGINT, record BIGINT, target VARCHAR, kind VARCHAR, segmentation VARCHAR,
            extra_field BOOLEAN,
           before VARCHAR, after VARCHAR, mine_before BOOLEAN)"""
    )
    extra_fields = extra_fields_of(session.config, journal, session.account)
    for batch in _batches(session, run):
        changes = without(batch.changes(), journal.batches.not_done(batch))
        mirror.register(changes)
        mirror.run(
            f"""INSERT INTO gathered SELECT {batch.batch}, record, target, '{batch.kind}', segmentation, target IN
                ({", ".join(repr(c) for c in extra_fields) or "''"}),
                before, after, mine_before FROM frame JOIN ids USING (record_type, id)""",
            frame=changes,
        )
    mirror.run(
        """CREATE OR REPLACE TEMP TABLE reversed AS SELECT record, target, any_value(kind) AS kind, any_value(segmentation) AS segmentation,
           any_value(extra_field) AS extra_field, arg_min({'value': before}, batch).value AS before, arg_max({'value': after}, batch).value
               AS after,
           arg_min(mine_before, batch) AS mine_before FROM gathered GROUP BY record, target"""
    )


def labelled_by(session: Session, run: int) -> list[str]:
    """The segmentations of the config whose values a run wrote."""
    names: set[str] = set()
    for batch in _batches(session, run):
        names.update(pc.unique(batch.changes()["segmentation"]).to_pylist())
    return sorted(names & {s.name for s in session.segmentations})


def hold(session: Session, run: int) -> list[str]:
    """Put what the run labelled on hold, so that the next scheduled run does not redo it."""
    digests = {s.name: session.config.digest(s) for s in session.segmentations}
    names = labelled_by(session, run)
    for name in names:
        session.journal.holds.put(session.account, name, run, digests[name])
    return names


def cut_off_notes(session: Session) -> list[str]:
    """One sentence for each way back that a person approved of and that did not come to its end."""
    notes = []
    for plan in session.journal.plans.unfinished(session.account):
        cut_off = plan.state == "applying" and plan.kind in WAYS_BACK
        waiting = session.journal.batches.changes_of(plan.plan, "planned") if cut_off else 0
        if waiting:
            name = f"the undo of run {plan.undoes}" if plan.kind == "undo" else "a retire"
            notes.append(
                f"{name} was cut off: {waiting:,} of its changes wait; `crm-segments apply {plan.plan}` goes on with it"
            )
    return notes
