"""Plan: what to change, from three things alone — what labels want, what the CRM holds, and what we wrote
before.

    wanted vs actual   whose value is there                         result
    equal              anyone's                                     nothing
    different          ours, or empty and never ours                change
    different          someone else's, or cleared by a person       keep and report, or overwrite
    none wanted        ours                                         clear
    none wanted        not ours                                     leave alone; a member of a list that we
                       made: keep and report, or remove

Consent stands above it (``sync.consent``): ours is withdrawn from people who object, and anyone who
cannot be reached from a campaign list.

Pure: it reads the mirror and writes a plan into the journal. Nothing here speaks to a CRM.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sync.account.session import Session
from sync.account.targets import Target, targets_of
from sync.consent.consent import Consent, consent_of
from sync.exit_codes import SetupNeeded, Trip
from sync.log import stage
from sync.plan import guards
from sync.plan.automation_impact import reactions
from sync.plan.control_groups import held_out
from sync.store.journal.batches import PLAN_SCHEMA
from sync.store.mirror import AccountMirror, literal, quoted
from sync.store.write_history import catch_up

ROWS = 100_000  # changes that are in memory at once while batches are cut
COARSE = 5  # steps of the extra field ``_score``, in percent: a rank that moves a little writes nothing


@dataclass(frozen=True)
class Selection:
    """Which records a plan is about; all by default. ``extra_fields`` writes those of unmoved records too."""

    records: Sequence[str] | None = None  # ids
    segment: str | None = None
    since: str | None = None  # ISO day: records that changed or moved on it or later
    extra_fields: bool = False
    withdrawn: bool = False  # only those whose consent forbids a target

    def where(self, column: str) -> str:
        """SQL condition on a column of record numbers."""
        conditions = []
        if self.records is not None:
            conditions.append(
                f"{column} IN (SELECT record FROM ids WHERE id IN ({', '.join(map(literal, self.records)) or 'NULL'}))"
            )
        if self.since is not None:
            conditions.append(
                f"{column} IN (SELECT record FROM records WHERE changed_at >= {literal(self.since)}::DATE OR created_at >= "
                f"{literal(self.since)}::DATE)"
            )
        return " AND ".join(conditions) or "true"


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
    held: list[str] = field(default_factory=list)  # segmentations that wait after an undo
    # segmentation → labelled records left out of its campaign lists
    withheld: dict[str, int] = field(default_factory=dict)
    # lists of ours that a person deleted: nothing is written to them
    deleted: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)  # targets of ours that the config no longer names
    conflicts: list[dict[str, Any]] = field(default_factory=list)  # the first of those kept
    listeners: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For printing and for the journal."""
        return {
            **self.__dict__,
            "trips": [{"guard": t.guard, "what": t.what, "first_labelling": t.first} for t in self.trips],
        }


@dataclass(frozen=True)
class Made:
    """The targets of the config that stand in the CRM, and the others."""

    ready: list[Target]  # those whose values or members we write
    filled: list[Target]  # lists that the CRM fills by itself, by a field of ours
    missing: list[str]
    deleted: list[str]  # lists that a person deleted: they stop nothing else
    retired: list[tuple[str, str]]  # kind and name of targets of ours that the config no longer names
    ours: dict[tuple[str, str], bool]  # kind and name → whether we made it, and did not adopt it
    since: dict[tuple[str, str], int]  # kind and name → since which batch what we wrote there stands there


@stage("plan")
def plan(session: Session, selection: Selection | None = None, adopt: bool = False) -> Planned:
    """Compare and decide; save what is to be done as a plan that ``apply`` carries out."""
    selection = selection or Selection()
    mirror, planned = session.mirror(), Planned()
    catch_up(session.journal, mirror)
    consent = consent_of(session)
    made = made_targets(session)
    _require(session, made.missing)
    planned.deleted = made.deleted
    planned.retired = sorted(name for _kind, name in made.retired)
    planned.held = _held(session)
    planned.withheld = _withheld(session, consent, [*made.ready, *made.filled])
    begin_changes(mirror)
    prepare_refused(session)
    for target in made.ready:
        part = Selection(withdrawn=True) if target.segmentation in planned.held else selection
        compare(session, consent, target, part, adopt, made)
    return finish(session, consent, planned, "forward", basis(session))


def basis(session: Session) -> dict[str, Any]:
    """What a plan was made from; where one of these moved, the plan is superseded."""
    return {
        "digests": {s.name: session.config.digest(s) for s in session.segmentations},
        "models": {
            s.name: model.version
            if (model := session.journal.models.latest(session.account, s.name))
            else None
            for s in session.segmentations
        },
    }


def begin_changes(mirror: AccountMirror) -> None:
    """Empty the table that a plan is gathered in."""
    mirror.run(
        """CREATE OR REPLACE TEMP TABLE changes (record BIGINT, target VARCHAR, kind VARCHAR, segmentation VARCHAR, extra_field BOOLEAN,
            before VARCHAR,
           after VARCHAR, action VARCHAR, mine_before BOOLEAN, mine_after BOOLEAN)"""
    )
    mirror.run(
        "CREATE OR REPLACE TEMP TABLE conflicts (record BIGINT, target VARCHAR, wanted VARCHAR, actual VARCHAR)"
    )


def finish(
    session: Session,
    consent: Consent,
    planned: Planned,
    kind: str,
    made_from: dict[str, Any],
    undoes: int | None = None,
) -> Planned:
    """Count, judge and save what was gathered in ``changes``."""
    mirror = session.mirror()
    for target, action, number in mirror.rows(
        "SELECT target, action, count(*) FROM changes GROUP BY ALL ORDER BY ALL"
    ):
        planned.by_target.setdefault(target, {})[action] = number
        planned.changes += number
    planned.records = mirror.value("SELECT count(DISTINCT record) FROM changes")
    planned.kept = mirror.value("SELECT count(*) FROM conflicts")
    names = ("id", "target", "wanted", "holds")
    planned.conflicts = [
        dict(zip(names, row, strict=True))
        for row in mirror.rows(
            "SELECT id, target, wanted, actual FROM conflicts JOIN ids USING (record) ORDER BY target, id LIMIT 100"
        )
    ]
    planned.calls = guards.calls(session)
    planned.trips = [] if kind == "consent" else guards.trips(session, planned.calls, kind)
    if planned.changes:
        planned.listeners = reactions(session, consent, planned.by_target)
        _save(session, planned, kind, made_from, undoes)
    return planned


# -- what is compared --------------------------------------------------------------------------------------


def made_targets(session: Session) -> Made:
    """Which targets set-up has made, of those that the CRM still has.

    Lists that the CRM fills by itself stand apart.
    """
    made = {(row.kind, row.record_type, row.key): row for row in session.journal.objects.of(session.account)}
    types = {settings.name: session.config.record_types(settings) for settings in session.segmentations}
    fields, lists = (
        session.destination().fields(),
        session.lists if any(kind == "list" for kind, _, _ in made) else {},
    )
    ready: list[Target] = []
    filled: list[Target] = []
    missing: list[str] = []
    deleted: list[str] = []
    targets = targets_of(session.config, session.account)
    for target in targets:
        row = made.get(("list", target.record_type, target.name))
        if target.kind == "field":
            lacking = [
                t
                for t in types[target.segmentation]
                if (t, target.name) not in fields or ("field", t, target.name) not in made
            ]
            missing += [f"field {target.name}" + (f" of {t}" if t != "contact" else "") for t in lacking]
            ready += [] if lacking else [target]
        elif row is None:
            missing.append(f"list {target.name}")
        elif row.remote not in lists:
            deleted.append(target.name)
        else:
            (filled if lists[row.remote].kind == "dynamic" else ready).append(target)
    named = {(t.kind, t.name) for t in targets}
    rows = [((kind, key), row) for (kind, _type, key), row in made.items()]
    return Made(
        ready=ready,
        filled=filled,
        missing=missing,
        deleted=deleted,
        retired=list(dict.fromkeys(pair for pair, _ in rows if pair not in named)),
        ours={pair: all(not row.adopted for other, row in rows if other == pair) for pair, _ in rows},
        since={pair: min(row.since for other, row in rows if other == pair) for pair, _ in rows},
    )


def _require(session: Session, missing: Sequence[str]) -> None:
    if missing:
        names = ", ".join(missing[:10]) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
        raise SetupNeeded(
            f"account {session.account} lacks {names}: run `crm-segments setup` once, it shows what it will make"
        )


def _withheld(session: Session, consent: Consent, targets: Sequence[Target]) -> dict[str, int]:
    """How many labelled records each segmentation's campaign lists leave out, because nobody may reach them
    there.
    """
    campaigns = {target.segmentation: target for target in targets if target.channel}
    count = "SELECT count(*) FROM {} WHERE segment IS NOT NULL AND record IN ({})"
    withheld = {
        name: int(session.mirror().value(count.format(quoted("labels_" + name), consent.unreachable(target))))
        for name, target in campaigns.items()
    }
    return {name: number for name, number in withheld.items() if number}


def _held(session: Session) -> list[str]:
    """Segmentations that an undo put on hold; a changed config or ``--allow undone`` lets them go."""
    on_hold = []
    digests = {s.name: session.config.digest(s) for s in session.segmentations}
    holds = session.journal.holds
    for hold in holds.of(session.account):
        if "undone" in session.allow or digests.get(hold.segmentation) != hold.digest:
            holds.release(session.account, hold.segmentation)
        else:
            on_hold.append(hold.segmentation)
    return on_hold


def prepare_refused(session: Session) -> None:
    """Tables ``deferred`` and ``inherited``, of what the CRM refused and what it merged since.

    A refused change waits for its time, or for good once its budget of attempts is spent; one on a record
    that is gone, until the record is read again. What we sent to a record that is merged by now may stand on
    its survivor, even where the answer was a refusal.
    """
    mirror, moment = session.mirror(), session.clock().isoformat(timespec="microseconds")
    mirror.run(
        "CREATE OR REPLACE TEMP TABLE refusals AS SELECT * FROM frame JOIN ids USING (record_type, id)",
        frame=session.journal.rejects.waiting(session.account, moment),
    )
    mirror.run(
        """CREATE OR REPLACE TEMP TABLE deferred AS SELECT record, target, after FROM refusals
           WHERE waits > 0 OR (gone > 0 AND record NOT IN (SELECT record FROM records))"""
    )
    mirror.run(
        """CREATE OR REPLACE TEMP TABLE inherited AS
           SELECT survivor AS record, target, after, mine, opened FROM written JOIN redirects USING (record)
           UNION ALL SELECT survivor, target, after, true, NULL FROM refusals JOIN redirects USING (record)"""
    )


def _wanted(consent: Consent, target: Target) -> str:
    """SQL of (record, value) that labels want in a target, of the records whose consent allows it."""
    labels = quoted("labels_" + target.segmentation)
    allowed = f"record NOT IN ({consent.withdrawn(target)})"
    if target.kind == "list":
        return f"""SELECT record, 'member' AS value FROM {labels} JOIN ids USING (record)
                   WHERE segment = {literal(target.segment)} AND ids.record_type = {literal(target.record_type)} AND {allowed}
                       AND NOT ({held_out(target)})"""
    value = {
        "": "segment",
        "reason": "left(reason, 255)",
        "since": "strftime(since, '%Y-%m-%d')",
        "previous": "previous",
        "score": f"(round_even(score * 100 / {COARSE}, 0) * {COARSE})::INTEGER::VARCHAR",
    }[target.extra_field]
    return f"SELECT record, {value} AS value FROM {labels} WHERE {allowed}"


def compare(
    session: Session, consent: Consent, target: Target, selection: Selection, adopt: bool, made: Made
) -> None:
    """Gather the changes and conflicts of one target."""
    target_key = (target.kind, target.name)
    _differ(session, consent, target, selection)
    _judge(session, consent, target, adopt, made.ours[target_key], made.since[target_key])
    _decide(session, consent, target, made.ours[target_key])


def _differ(session: Session, consent: Consent, target: Target, selection: Selection) -> None:
    """Table ``differing``: where what is wanted and what is there are not the same, on records that were not
    merged into another.

    Records that are withdrawn from the target are always among them.
    """
    mirror, name, withdrawn = session.mirror(), literal(target.name), consent.withdrawn(target)
    scope = selection.where("record")
    if selection.segment is not None:
        labelled = quoted("labels_" + target.segmentation)
        scope += (
            f" AND record IN (SELECT record FROM {labelled} WHERE segment = {literal(selection.segment)})"
        )
    if target.extra_field and not selection.extra_fields:
        moved = next(
            t.name
            for t in targets_of(session.config, session.account)
            if t.segmentation == target.segmentation and t.kind == "field"
        )
        scope += f" AND record IN (SELECT record FROM changes WHERE target = {literal(moved)})"
    scope = f"record NOT IN (SELECT record FROM redirects) AND {scope}"
    scope = f"record IN ({withdrawn})" if selection.withdrawn else f"(record IN ({withdrawn}) OR ({scope}))"
    mirror.run(
        f"""CREATE OR REPLACE TEMP TABLE differing AS
            SELECT record, wanted.value AS wanted, held.value AS actual
            FROM (SELECT * FROM ({_wanted(consent, target)}) WHERE value IS NOT NULL) AS wanted
            FULL JOIN (SELECT record, value FROM actual WHERE target = {name}) AS held USING (record)
            WHERE coalesce(wanted.value, '') <> coalesce(held.value, '') AND {scope}"""
    )
    _normalise(session, target)


def _before(session: Session, target: Target) -> str:
    """SQL of (record, value) that labels wanted before: in a field of our making such a value counts as ours,
    whoever typed it.
    """
    labels, before = quoted("labels_" + target.segmentation), quoted("before_" + target.segmentation)
    states = (
        f"SELECT record, previous AS segment FROM {labels} UNION ALL SELECT record, segment FROM {before}"
    )
    if target.kind == "list":
        return f"SELECT DISTINCT record, 'member' AS value FROM ({states}) WHERE segment = {literal(target.segment)}"
    return f"SELECT DISTINCT record, segment AS value FROM ({states}) WHERE segment IS NOT NULL AND {str(not target.extra_field).lower()}"


def _judge(session: Session, consent: Consent, target: Target, adopt: bool, made: bool, since: int) -> None:
    """Table ``judged``: whose value stands there. Of a campaign list of our making, we answer for every
    member out of reach.

    What we wrote before the target was made again (``since``) went with the old one; no person took it away.
    Where it stands there all the same, in a target of our making, it is ours: what was deleted was brought
    back. What we sent to records that were merged counts on their survivor as ours, but says nothing of who
    emptied it.
    """
    mirror, name = session.mirror(), literal(target.name)
    sent_since = 0 if made else since
    adopted = (
        f"OR (e.latest IS NULL AND d.actual IN (SELECT DISTINCT value FROM ({_wanted(consent, target)})))"
        if adopt
        else ""
    )
    mirror.run(
        f"""CREATE OR REPLACE TEMP TABLE judged AS
            WITH ours AS (SELECT record, after, mine, opened FROM written WHERE target = {name} AND opened > {since}),
            sent AS (SELECT record, after, mine, opened FROM written WHERE target = {name} AND opened > {sent_since}
                     UNION ALL SELECT record, after, mine, coalesce(opened, 0) FROM inherited
                     WHERE target = {name} AND coalesce(opened > {sent_since}, true)),
            mine AS (SELECT w.record, arg_max(w.mine, w.opened) AS equal_mine FROM sent AS w JOIN differing AS d
                          ON w.record = d.record AND coalesce(w.after, '') = coalesce(d.actual, '') GROUP BY w.record),
            latest AS (SELECT w.record, arg_max(coalesce(w.after, ''), w.opened) AS latest, arg_max(w.mine, w.opened) AS latest_mine
                       FROM ours AS w SEMI JOIN differing USING (record) GROUP BY w.record)
            SELECT d.record, d.wanted, d.actual, coalesce(d.actual, '') = '' AS empty,
                   coalesce(m.equal_mine, {str(made).lower()} AND b.value IS NOT NULL) {adopted}
                       OR ({str(made).lower()} AND d.wanted IS NULL AND d.record IN ({consent.unreachable(target)})) AS mine,
                   coalesce(d.actual, '') = '' AND coalesce(e.latest <> '' OR NOT e.latest_mine, false) AS cleared_by_person
            FROM differing AS d LEFT JOIN mine AS m USING (record) LEFT JOIN latest AS e USING (record)
            LEFT JOIN ({_before(session, target)}) AS b ON b.record = d.record AND b.value = d.actual
            ANTI JOIN (SELECT record, after FROM deferred WHERE target = {name}) AS waiting
            ON waiting.record = d.record AND coalesce(waiting.after, '') = coalesce(d.wanted, '')"""
    )


def _decide(session: Session, consent: Consent, target: Target, made: bool) -> None:
    """Changes and conflicts of a target, by the table at the top of this file."""
    mirror, name = session.mirror(), literal(target.name)
    overwrite = session.settings.on_conflict == "overwrite"
    # a member of a list that we made and who does not belong there
    strangers = str(target.kind == "list" and made).lower()
    enter, leave, change = ("enter", "leave", "enter") if target.kind == "list" else ("set", "clear", "set")
    foreign = "(cleared_by_person OR NOT (empty OR mine))"
    mirror.run(
        f"""INSERT INTO changes SELECT record, {name}, {literal(target.kind)}, {literal(target.segmentation)},
            {str(bool(target.extra_field)).lower()}, actual,
                coalesce(wanted, {"NULL" if target.kind == "list" else "''"}),
                CASE WHEN wanted IS NULL AND record IN ({consent.withdrawn(target)}) THEN 'withdraw'
                     WHEN wanted IS NULL AND mine THEN {literal(leave)} WHEN {foreign} THEN 'overwrite'
                     WHEN empty THEN {literal(enter)} ELSE {literal(change)} END,
                CASE WHEN empty THEN NOT cleared_by_person ELSE mine END, true
            FROM judged WHERE CASE WHEN wanted IS NULL THEN mine OR {strangers} AND {str(overwrite).lower()}
                                   ELSE NOT {foreign} OR {str(overwrite).lower()} END"""
    )
    if not overwrite:
        kept = f"(wanted IS NOT NULL OR {strangers}) AND {foreign}"
        mirror.run(f"INSERT INTO conflicts SELECT record, {name}, wanted, actual FROM judged WHERE {kept}")


def _normalise(session: Session, target: Target) -> None:
    """Bring wanted values into the form in which the CRM gives them back, so that no plan repeats for ever."""
    from connectors.contract import Destination
    from sync.account.targets import field_specs

    destination = session.destination()
    if target.kind == "list" or type(destination).normal is Destination.normal:
        return
    mirror = session.mirror()
    spec = next(s for s in field_specs(session) if s.name == target.name)
    values = [
        value for (value,) in mirror.rows("SELECT DISTINCT wanted FROM differing WHERE wanted IS NOT NULL")
    ]
    forms = pa.table(
        {
            "wanted": pa.array(values, pa.string()),
            "normal": pa.array([destination.normal(spec, v) for v in values], pa.string()),
        }
    )
    mirror.run(
        "UPDATE differing SET wanted = forms.normal FROM forms WHERE differing.wanted = forms.wanted",
        forms=forms,
    )
    mirror.run("DELETE FROM differing WHERE coalesce(wanted, '') = coalesce(actual, '')")


# -- saving ------------------------------------------------------------------------------------------------


def _save(
    session: Session, planned: Planned, kind: str, made_from: dict[str, Any], undoes: int | None
) -> None:
    """Write the plan and its batches: fields first, each record in one batch, then list by list."""
    journal, mirror, able = session.journal, session.mirror(), session.destination().capabilities
    with journal.transaction():
        number = journal.plans.save(
            session.account, session.run, kind, session.as_of.isoformat(), made_from, undoes
        )
        for (record_type,) in mirror.rows(
            "SELECT DISTINCT record_type FROM changes JOIN ids USING (record) WHERE kind = 'field' ORDER BY 1"
        ):
            _save_batches(session, number, "field", "", record_type, able.batch_size)
        for target, record_type in mirror.rows(
            "SELECT DISTINCT target, record_type FROM changes JOIN ids USING (record) WHERE kind = 'list' ORDER BY ALL"
        ):
            _save_batches(session, number, "list", target, record_type, able.member_batch_size)
        planned.plan = number
        journal.plans.update(number, guards=planned.as_dict()["trips"], summary=planned.as_dict())


def _save_batches(session: Session, plan: int, kind: str, target: str, record_type: str, size: int) -> None:
    """Cut the changes of one kind into batches of at most ``size`` records."""
    mirror = session.mirror()
    where = f"kind = {literal(kind)} AND record_type = {literal(record_type)}" + (
        f" AND target = {literal(target)}" if target else ""
    )
    records = mirror.value(
        f"SELECT count(DISTINCT record) FROM changes JOIN ids USING (record) WHERE {where}"
    )
    number = "0" if records <= size else f"(dense_rank() OVER (ORDER BY record) - 1) // {size}"
    names = ", ".join(PLAN_SCHEMA.names)
    sql = f"SELECT {names}, {number} AS number FROM changes JOIN ids USING (record) WHERE {where} ORDER BY record, target"
    for part in _runs(mirror.run(sql).to_arrow_reader(ROWS)):
        count = pc.count_distinct(part["id"]).as_py()
        session.journal.batches.add(
            plan,
            session.account,
            kind,
            target,
            record_type,
            part.select(PLAN_SCHEMA.names).cast(PLAN_SCHEMA),
            count,
        )


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
