"""Undo: a plan that takes a run back, where the CRM still holds what that run wrote.

It restores value and owner.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import pyarrow.compute as pc

from sync.account.left import extra_fields_of
from sync.account.session import Session
from sync.account.targets import Target, targets_of
from sync.config.config import Config
from sync.consent.consent import Consent, consent_of
from sync.exit_codes import CommandError
from sync.log import stage
from sync.plan.finish import Decision, Header, Planned, finish
from sync.store.actual import ACTUAL
from sync.store.ids import numbered
from sync.store.journal import Journal
from sync.store.journal.batches import Batch
from sync.store.journal.objects import MadeObject
from sync.store.mirror import literal
from sync.store.relation import Relation
from sync.store.scratch import Scratch, readable
from sync.store.write_history import catch_up, without

WAYS_BACK = ("undo", "retire")  # kinds of plans that a person asked for, and no run makes again


@stage("plan undo")
def undo(session: Session, run: int) -> Planned:
    """Plan the way back from a run. What somebody changed since stays, and is reported as kept."""
    config, journal, account, mirror = session.config, session.journal, session.account, session.mirror()
    retired = [row for row in journal.objects.of(account) if row.retired.get("run") == run]
    _require_fields(retired, session.destination().fields() if retired else {}, run)
    if next(_batches(journal, account, run), None) is None and not retired:
        raise CommandError(
            f"run {run} has nothing to undo in account {account}: `crm-segments status` lists the runs "
            f"(removals because of consent are permanent)"
        )
    catch_up(journal, mirror)
    consent, extra_fields = (
        consent_of(session.mirror(), session.joined()),
        extra_fields_of(config, journal, account),
    )
    with Scratch(mirror) as scratch:
        written = _written(scratch, journal, _batches(journal, account, run), extra_fields)
        decision = _way_back(scratch, written, consent, targets_of(config, account))
        planned = Planned(restores=sorted({row.key for row in retired}))
        return finish(session, scratch, consent, decision, Header("undo", undoes=run), planned)


def _require_fields(retired: Iterable[MadeObject], fields: Collection[tuple[str, str]], run: int) -> None:
    """CommandError where a field that the run archived is not there: no program brings it back."""
    archived = [
        f"{row.key} of {row.record_type}"
        for row in retired
        if row.retired["outcome"] == "archived" and (row.record_type, row.key) not in fields
    ]
    if archived:
        raise CommandError(
            f"run {run} archived {', '.join(archived)}, and only a person can bring an archived field back: restore it in "
            f"the settings of the CRM, then run `crm-segments undo {run}` again. Nothing was written"
        )


def _batches(journal: Journal, account: str, run: int) -> Iterator[Batch]:
    """What a run wrote, without what it took away because consent forbids it."""
    withdrawing = journal.plans.withdrawing(account)
    for batch in journal.batches.of(account=account, run=run, state="done"):
        if batch.plan not in withdrawing:
            yield batch


def _written(
    scratch: Scratch, journal: Journal, batches: Iterable[Batch], extra_fields: Collection[str]
) -> Relation:
    """What the batches found and left, per record and target."""
    parts = scratch.collection(
        """batch BIGINT, record BIGINT, target VARCHAR, kind VARCHAR, segmentation VARCHAR, extra_field BOOLEAN,
           before VARCHAR, after VARCHAR, mine_before BOOLEAN"""
    )
    extra = ", ".join(map(literal, sorted(extra_fields))) or "''"
    for batch in batches:
        changes = without(batch.changes(), journal.batches.not_done(batch))
        scratch.mirror.register(changes)
        with readable(scratch.mirror, changes) as frame:
            parts.add(
                Relation(
                    f"""SELECT {batch.batch}, record, target, {literal(batch.kind)}, segmentation, target IN ({extra}), before, after,
                        mine_before FROM ({numbered(frame)})"""
                )
            )
    return scratch.table(
        Relation(
            f"""SELECT record, target, any_value(kind) AS kind, any_value(segmentation) AS segmentation,
                   any_value(extra_field) AS extra_field, arg_min({{'value': before}}, batch).value AS before,
                   arg_max({{'value': after}}, batch).value AS after, arg_min(mine_before, batch) AS mine_before
                FROM ({parts.rows}) GROUP BY record, target"""
        )
    )


def _way_back(scratch: Scratch, written: Relation, consent: Consent, targets: Sequence[Target]) -> Decision:
    """Restore value and owner where the CRM still holds what was written; nothing of ours goes to those whose
    consent forbids it.
    """
    standing = f"({written}) AS r LEFT JOIN ({ACTUAL}) AS a USING (record, target)"
    restored = scratch.table(
        Relation(
            f"""SELECT r.record, r.target, r.kind, r.segmentation, r.extra_field, a.value AS before, r.before AS after, 'restore' AS action,
                   true AS mine_before, r.mine_before AS mine_after
                FROM {standing} WHERE coalesce(a.value, '') = coalesce(r.after, '') AND r.before IS DISTINCT FROM a.value"""
        )
    )
    given = Relation(
        f"SELECT record, target FROM ({restored}) WHERE coalesce(after, '') <> '' AND (mine_after OR kind = 'list')"
    )
    forbidden = consent.forbidden(targets, given)
    changes = scratch.table(
        Relation(f"SELECT * FROM ({restored}) ANTI JOIN ({forbidden}) AS forbidden USING (record, target)")
    )
    conflicts = Relation(
        f"""SELECT r.record, r.target, r.before AS wanted, a.value AS actual FROM {standing}
            WHERE coalesce(a.value, '') <> coalesce(r.after, '') AND coalesce(a.value, '') <> coalesce(r.before, '')"""
    )
    return Decision(changes, conflicts)


def labelled_by(config: Config, journal: Journal, account: str, run: int) -> list[str]:
    """The segmentations of the config whose values a run wrote."""
    names: set[str] = set()
    for batch in _batches(journal, account, run):
        names.update(pc.unique(batch.changes()["segmentation"]).to_pylist())
    return sorted(names & {s.name for s in config.segmentations_of(account)})


def hold(config: Config, journal: Journal, account: str, run: int) -> list[str]:
    """Put what the run labelled on hold, so that the next scheduled run does not redo it."""
    digests = {s.name: config.digest(s) for s in config.segmentations_of(account)}
    names = labelled_by(config, journal, account, run)
    for name in names:
        journal.holds.put(account, name, run, digests[name])
    return names


def cut_off_notes(journal: Journal, account: str) -> list[str]:
    """One sentence for each way back that a person approved of and that did not come to its end."""
    notes = []
    for plan in journal.plans.unfinished(account):
        cut_off = plan.state == "applying" and plan.kind in WAYS_BACK
        waiting = journal.batches.changes_of(plan.plan, "planned") if cut_off else 0
        name = f"the undo of run {plan.undoes}" if plan.kind == "undo" else "a retire"
        going_on = f"continue with `crm-segments apply {plan.plan}`"
        if waiting:
            notes.append(f"{name} was interrupted: {waiting:,} of its changes are waiting; {going_on}")
        elif cut_off and plan.summary.get("retires"):
            notes.append(f"{name} was interrupted before its fields and lists were taken away; {going_on}")
    return notes
