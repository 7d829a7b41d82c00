"""What becomes of changes that were decided? They are counted, weighed by the guards, and saved as a plan."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Automations, Capabilities, ListSpec
from sync.account.session import Session
from sync.account.targets import Target, field_specs, list_specs, targets_of
from sync.config.config import Config
from sync.consent.consent import Consent
from sync.exit_codes import Trip
from sync.plan import guards, review
from sync.plan.approval import Reason, agreed, agreed_to, approval_needed, as_dicts, covered, proposal
from sync.plan.automation_impact import (
    concerned,
    enrolled,
    enrolment_trips,
    present_dynamic,
    reactions,
)
from sync.plan.usual_change import usual_changes
from sync.store.ids import IDS
from sync.store.journal import Journal
from sync.store.journal.batches import PLAN_SCHEMA
from sync.store.journal.database import user
from sync.store.journal.plans import Plan
from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation
from sync.store.scratch import Scratch
from sync.store.test_contacts import any_test_contacts, of_test_contacts, record_names, without

ROWS = 100_000  # changes that are in memory at once while batches are cut
CONFLICTS_SHOWN = 100


@dataclass(frozen=True)
class Decision:
    """What is to be changed, and what is left as other people made it."""

    # record, target, kind, segmentation, extra_field, before, after, action, mine_before, mine_after
    changes: Relation
    conflicts: Relation  # record, target, wanted, actual


@dataclass(frozen=True)
class Header:
    """What a plan is saved under."""

    kind: str  # forward | consent | undo | retire
    # what it was made from; where one of these moved, the plan is superseded
    basis: dict[str, Any] = field(default_factory=dict)
    targets: Sequence[Target] = ()  # that it is about as a whole; none where it is about some records alone
    undoes: int | None = None  # a run


@dataclass
class Planned:
    """A plan: ``plan`` is its number, or None where nothing is to be changed."""

    plan: int | None = None
    changes: int = 0
    records: int = 0
    kept: int = 0  # values of other people that were left as they are
    calls: int = 0  # that applying it would cost
    by_target: dict[str, dict[str, int]] = field(default_factory=dict)  # target → action → changes
    trips: list[Trip] = field(default_factory=list)
    # of a first labelling: how many records get a segment, and of which segmentations (as people call them)
    first_labelling: dict[str, Any] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)  # segmentations that wait after an undo
    # segmentation → labelled records left out of its campaign lists
    withheld: dict[str, int] = field(default_factory=dict)
    # lists of ours that a person deleted: nothing is written to them
    deleted: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)  # targets of ours that the config no longer names
    orphans: list[str] = field(default_factory=list)  # the same in sentences, with since when and what to do
    conflicts: list[dict[str, Any]] = field(default_factory=list)  # the first of those kept
    listeners: dict[str, Any] = field(default_factory=dict)
    # why it waits for somebody's approval; None where none has to be given
    approval: list[dict[str, Any]] | None = None
    made_by: str = ""
    # segmentation → records ``moved`` to another segment, ``of`` all that have one
    moves: dict[str, dict[str, int]] = field(default_factory=dict)
    # of test contacts, which no other figure counts: their ``changes``, and the ``records`` as [type, id]
    test_contacts: dict[str, Any] = field(default_factory=dict)
    # fields and lists that are still to be set up: it shows what would be written, and cannot be applied
    preview: list[str] = field(default_factory=list)
    waiting: Planned | None = None  # the part that needs an approval, where this is the part that needs none
    # of a retire: ``name``, what becomes of each field and list (``steps``), and what nobody can promise (``limits``)
    retires: dict[str, Any] = field(default_factory=dict)
    restores: list[str] = field(default_factory=list)  # fields and lists that an undo of a retire brings back

    def as_dict(self) -> dict[str, Any]:
        """For printing and for the journal."""
        return {
            **{name: value for name, value in self.__dict__.items() if name != "waiting"},
            "trips": [{"guard": t.guard, "what": t.what, "first_labelling": t.first} for t in self.trips],
        }


def basis(config: Config, journal: Journal, account: str) -> dict[str, Any]:
    """What a plan was made from; where one of these moved, the plan is superseded."""
    names = {settings.name: settings for settings in config.segmentations_of(account)}
    return {
        "digests": {name: config.digest(settings) for name, settings in names.items()},
        "models": {
            name: model.version if (model := journal.models.latest(account, name)) else None for name in names
        },
    }


def finish(
    session: Session,
    scratch: Scratch,
    consent: Consent,
    decision: Decision,
    header: Header,
    planned: Planned,
    reading: Sequence[Trip] = (),
    split: bool = False,
) -> Planned:
    """Count, weigh and save what was decided. ``reading``: guards that the reading trips which it is made from.

    ``split``: where only a part needs an approval, that part is a plan of its own (``Planned.waiting``).
    """
    one = _Finishing(session, scratch, consent, reading)
    held = one.to_hold(decision.changes, header) if split else frozenset()
    if not held:
        return one.plan(decision, header, planned)
    free, waiting = _parts(scratch.mirror, decision, header, held)
    planned = one.plan(*free, planned)
    planned.waiting = one.plan(*waiting, Planned(), beside=free[0].changes)
    return planned


@dataclass(frozen=True)
class _Finishing:
    session: Session
    scratch: Scratch
    consent: Consent
    reading: Sequence[Trip]

    def plan(
        self, decision: Decision, header: Header, planned: Planned, beside: Relation | None = None
    ) -> Planned:
        """One plan. ``beside``: changes that the same run makes by another plan; what is started counts both.

        Who reacts is asked of the CRM here, and only where something is changed: an unchanged run would pay for
        the question each day.
        """
        session, scratch, consent = self.session, self.scratch, self.consent
        written, journal, account = decision.changes, session.journal, session.account
        capabilities = session.destination().capabilities
        also = f" UNION ALL SELECT * FROM ({beside}) WHERE action <> 'withdraw'" if beside is not None else ""
        changes = without(scratch.mirror, written)
        _count(scratch.mirror, changes, decision.conflicts, planned)
        planned.test_contacts = _of_test_contacts(scratch.mirror, written)
        planned.calls = guards.calls(scratch.mirror, written, capabilities)
        planned.moves = guards.moves(scratch.mirror, changes)
        planned.calls += sum(step["action"] != "stays" for step in planned.retires.get("steps", ()))
        planned.calls += len(planned.restores)
        heard, dynamic = Automations(), dict[str, ListSpec]()
        if planned.changes or planned.test_contacts:
            made = journal.objects.of(account)
            fields = field_specs(session.config, journal, account)
            lists = list_specs(session.config, journal, account, capabilities.dynamic_lists)
            dynamic = present_dynamic(lists, lambda: session.lists)
            rows = scratch.mirror.rows(f"SELECT DISTINCT target FROM (SELECT * FROM ({written}){also})")
            targets = [target for (target,) in rows]
            heard = session.destination().automations(*concerned(targets, fields, lists, made, dynamic))
            planned.listeners = reactions(scratch.mirror, written, consent, heard, dynamic)
        if header.kind != "consent":
            approved = _approved(journal, account, header.kind)
            judged = guards.weighed(scratch, changes, approved)
            if judged is not None:
                cost = guards.calls(scratch.mirror, changes if approved is None else judged, capabilities)
                usual, limits = usual_changes(journal, account), session.config.guards
                tripped = guards.trips(scratch.mirror, judged, changes, limits, cost, header.kind, usual)
                planned.first_labelling = _first_labelling(session.config, scratch.mirror, judged, changes)
                both = Relation(f"SELECT * FROM ({judged}){also}")
                starting = enrolled(scratch.mirror, both, consent, heard, dynamic)
                tripped += _enrolling(scratch.mirror, session.config, both, starting, heard.unknown)
                planned.trips = sorted(
                    (trip for trip in (*tripped, *self.reading) if trip.guard not in session.allow),
                    key=lambda trip: trip.guard,
                )
        if planned.changes or planned.test_contacts or planned.retires or planned.restores:
            reasons, covers = _approval(session.config, journal, account, scratch, changes, header)
            planned.approval = as_dicts(reasons) if session.config.approval.required else None
            planned.made_by = user()
            header = replace(header, basis={**header.basis, "covers": covers})
            with journal.transaction():
                planned.plan = journal.plans.save(
                    account, session.run, header.kind, session.as_of.isoformat(), header.basis, header.undoes
                )
                _save_batches(journal, account, scratch.mirror, written, planned.plan, capabilities)
                counted = review.figures(session.config, journal, scratch.mirror, changes)
                summary = {**planned.as_dict(), "review": counted}
                journal.plans.update(planned.plan, guards=summary["trips"], summary=summary)
        return planned

    def to_hold(self, changes: Relation, header: Header) -> frozenset[str]:
        """The fields and lists that wait for an approval; none where nothing waits, all of the plan does, or somebody approved
        of all of it.
        """
        session, scratch = self.session, self.scratch
        config, journal, account = session.config, session.journal, session.account
        if not config.approval.required:
            return frozenset()
        written, changes = changes, without(scratch.mirror, changes)
        reasons, _ = _approval(config, journal, account, scratch, changes, header)
        held = frozenset(target for reason in reasons for target in reason.targets)
        free = _free(changes, held)
        if not held or not scratch.mirror.value(f"SELECT count(*) FROM ({free})"):
            return frozenset()
        still, _ = _approval(config, journal, account, scratch, free, header)
        if still:  # it is large without that part, too
            return frozenset()
        capabilities = session.destination().capabilities

        def digest() -> str:
            parts = _cut(scratch.mirror, written, capabilities)
            return journal.batches.digest_of((*named, content) for named, content, _ in parts)

        approved = agreed_to(journal, config.approval, account, digest, session.clock())
        return frozenset() if approved else held


def _of_test_contacts(mirror: AccountMirror, changes: Relation) -> dict[str, Any]:
    """Nothing where no test contact changes."""
    tested = of_test_contacts(mirror, changes)
    number = int(mirror.value(f"SELECT count(*) FROM ({tested})"))
    return {"changes": number, "records": record_names(mirror, tested)} if number else {}


def _first_labelling(
    config: Config, mirror: AccountMirror, judged: Relation, changes: Relation
) -> dict[str, Any]:
    """Nothing where every segmentation was written before."""
    names = guards.first_labelled(mirror, changes)
    titles = [s.title or s.name for s in config.segmentations_of(mirror.name) if s.name in names]
    records = guards.newly_labelled(mirror, judged, names) if titles else 0
    return {"records": records, "segmentations": titles} if records else {}


def _enrolling(
    mirror: AccountMirror, config: Config, judged: Relation, starting: Mapping[str, int], unknown: str
) -> Iterator[Trip]:
    records = mirror.value(f"SELECT count(DISTINCT record) FROM ({judged})") if unknown else 0
    return enrolment_trips(starting, unknown, records, config.automations, config.guards.max_enrolled)


def _approval(
    config: Config, journal: Journal, account: str, scratch: Scratch, changes: Relation, header: Header
) -> tuple[list[Reason], dict[str, list[str]]]:
    """Why a plan waits for an approval, and what somebody agrees to who gives it."""
    weighed = changes
    cut_off = _cut_off(journal, account, header.kind)
    if cut_off is not None:
        decision = next(iter(journal.approvals.of_plan(cut_off.plan)), None)
        if decision is not None and decision.whole:
            parts = (batch.changes() for batch in journal.batches.of(plan=cut_off.plan))
            weighed = guards.not_approved(scratch, changes, parts)
    targets = targets_of(config, account)
    offered = proposal(scratch.mirror, weighed, header.kind, header.basis, targets)
    names = dict.fromkeys(offered.targets.values())
    reasons = approval_needed(config.approval, offered, agreed(journal, account, offered))
    return reasons, covered(names, header.targets)


def _parts(
    mirror: AccountMirror, decision: Decision, header: Header, held: Collection[str]
) -> tuple[tuple[Decision, Header], tuple[Decision, Header]]:
    """What needs no approval, and what waits for one; each is about its own fields and lists."""
    changes = decision.changes
    free, no_conflicts = _free(changes, held), Relation(f"SELECT * FROM ({decision.conflicts}) WHERE false")
    waits = Relation(f"SELECT * FROM ({changes}) WHERE NOT ({_NEEDS_NONE.format(held=_named(held))})")
    goes_on = {name for (name,) in mirror.rows(f"SELECT DISTINCT segmentation FROM ({free})")}
    own = [t for t in header.targets if t.name in held or t.segmentation not in goes_on]
    others = [target for target in header.targets if target not in own]
    return (
        (Decision(free, decision.conflicts), replace(header, targets=others)),
        (Decision(waits, no_conflicts), replace(header, targets=own)),
    )


_NEEDS_NONE = "action = 'withdraw' OR target NOT IN ({held})"  # what consent takes away never waits


def _free(changes: Relation, held: Collection[str]) -> Relation:
    return Relation(f"SELECT * FROM ({changes}) WHERE {_NEEDS_NONE.format(held=_named(held))}")


def _named(held: Collection[str]) -> str:
    return ", ".join(map(literal, sorted(held))) or "NULL"


def _cut_off(journal: Journal, account: str, kind: str) -> Plan | None:
    """The last plan of a kind that is being applied."""
    unfinished = journal.plans.unfinished(account)
    return next((p for p in reversed(unfinished) if p.state == "applying" and p.kind == kind), None)


def _approved(journal: Journal, account: str, kind: str) -> Iterable[pa.Table] | None:
    """The changes of a plan of that kind that was cut off while it was applied; None: there is none."""
    cut_off = _cut_off(journal, account, kind)
    return None if cut_off is None else (batch.changes() for batch in journal.batches.of(plan=cut_off.plan))


def _count(mirror: AccountMirror, changes: Relation, conflicts: Relation, planned: Planned) -> None:
    for target, action, number in mirror.rows(
        f"SELECT target, action, count(*) FROM ({changes}) GROUP BY ALL ORDER BY ALL"
    ):
        planned.by_target.setdefault(target, {})[action] = number
        planned.changes += number
    planned.records = mirror.value(f"SELECT count(DISTINCT record) FROM ({changes})")
    planned.kept = mirror.value(f"SELECT count(*) FROM ({conflicts})")
    names = ("id", "target", "wanted", "holds")
    planned.conflicts = [
        dict(zip(names, row, strict=True))
        for row in mirror.rows(
            f"""SELECT id, target, wanted, actual FROM ({conflicts}) JOIN ({IDS}) USING (record)
                ORDER BY target, id LIMIT {CONFLICTS_SHOWN}"""
        )
    ]


# -- saving ------------------------------------------------------------------------------------------------


def _save_batches(
    journal: Journal, account: str, mirror: AccountMirror, changes: Relation, plan: int, able: Capabilities
) -> None:
    for (kind, target, record_type), content, records in _cut(mirror, changes, able):
        journal.batches.add(plan, account, kind, target, record_type, content, records)


def _cut(
    mirror: AccountMirror, changes: Relation, able: Capabilities
) -> Iterator[tuple[tuple[str, str, str], pa.Table, int]]:
    """The batches of changes, those of test contacts before all others. Each with its kind, target and record type, its
    changes (PLAN_SCHEMA), and how many records it has.
    """
    if any_test_contacts(mirror):
        yield from _cut_plain(mirror, of_test_contacts(mirror, changes), able)
    yield from _cut_plain(mirror, without(mirror, changes), able)


def _cut_plain(
    mirror: AccountMirror, changes: Relation, able: Capabilities
) -> Iterator[tuple[tuple[str, str, str], pa.Table, int]]:
    """Fields first, each record in one batch, then list by list."""
    named = f"({changes}) AS changes JOIN ({IDS}) AS ids USING (record)"
    parts: list[tuple[str, str, str, int]] = [
        ("field", "", record_type, able.batch_size)
        for (record_type,) in mirror.rows(
            f"SELECT DISTINCT record_type FROM {named} WHERE kind = 'field' ORDER BY 1"
        )
    ]
    parts += [
        ("list", target, record_type, able.member_batch_size)
        for target, record_type in mirror.rows(
            f"SELECT DISTINCT target, record_type FROM {named} WHERE kind = 'list' ORDER BY ALL"
        )
    ]
    for kind, target, record_type, size in parts:
        where = f"kind = {literal(kind)} AND record_type = {literal(record_type)}" + (
            f" AND target = {literal(target)}" if target else ""
        )
        for part in _batches(mirror, f"{named} WHERE {where}", size):
            records = pc.count_distinct(part["id"]).as_py()
            yield (kind, target, record_type), part.select(PLAN_SCHEMA.names).cast(PLAN_SCHEMA), records


def _batches(mirror: AccountMirror, rows: str, size: int) -> Iterator[pa.Table]:
    """Changes (SQL after FROM) in batches of at most ``size`` records."""
    records = mirror.value(f"SELECT count(DISTINCT record) FROM {rows}")
    number = "0" if records <= size else f"(dense_rank() OVER (ORDER BY record) - 1) // {size}"
    names = ", ".join(PLAN_SCHEMA.names)
    sql = f"SELECT {names}, {number} AS number FROM {rows} ORDER BY record, target"
    return _runs(mirror.run(sql).to_arrow_reader(ROWS))


def _runs(rows: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows of one ``number`` after the other, in one pass: a CRM that takes a hundred at a time gets many
    batches.
    """
    remaining: list[pa.Table] = []
    for batch in rows:
        table = pa.concat_tables([*remaining, pa.Table.from_batches([batch])])
        ends = np.flatnonzero(np.diff(table["number"].to_numpy())) + 1
        starts = [0, *ends.tolist()]
        yield from (table.slice(start, end - start) for start, end in pairwise(starts))
        remaining = [table.slice(starts[-1])]
    yield from (table for table in remaining if table.num_rows)
