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

First everything is gathered (``sync.plan.remote_state``, ``sync.plan.gather``). What follows from it,
``decide`` says: it speaks to no CRM, and reads nothing but what it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sync.account.session import Session
from sync.account.targets import Target, field_specs
from sync.config.config import Config
from sync.consent.consent import Consent, consent_of
from sync.exit_codes import SetupNeeded
from sync.log import stage
from sync.plan.finish import Decision, Header, Planned, basis, finish
from sync.plan.gather import Difference, WriteHistory, compare, write_history
from sync.plan.reading_guards import reading_trips
from sync.plan.remote_state import forms_of, made_targets, remote_state
from sync.plan.selection import Selection
from sync.store.journal import Journal
from sync.store.label_tables import labels_of
from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation
from sync.store.scratch import Scratch
from sync.store.write_history import catch_up


@stage("plan")
def plan(session: Session, selection: Selection | None = None, adopt: bool = False) -> Planned:
    """Compare and decide; save what is to be done as a plan that ``apply`` carries out."""
    config, account, journal, mirror = session.config, session.account, session.journal, session.mirror()
    catch_up(journal, mirror)
    consent, objects = consent_of(session.all_mirrors(), session.settings.match), journal.objects.of(account)
    remote = remote_state(session.destination(), lambda: session.lists, objects)
    made = made_targets(config, account, objects, remote)
    _require(account, made.missing)
    on_hold = _on_hold(config, journal, account, release="undone" in session.allow)
    planned = Planned(
        deleted=made.deleted,
        retired=sorted(name for _kind, name in made.retired),
        held=on_hold,
        withheld=_withheld(mirror, consent, [*made.ready, *made.filled]),
    )
    reading = reading_trips(session)
    chosen, objecting = selection or Selection(), Selection(withdrawn=True)
    selections = {target: objecting if target.segmentation in on_hold else chosen for target in made.ready}
    with Scratch(mirror) as scratch:
        specs = field_specs(config, journal, account)
        differences = compare(
            scratch, consent, selections, made, partial(forms_of, session.destination(), specs)
        )
        moment = session.clock().isoformat(timespec="microseconds")
        history = write_history(scratch, journal.rejects.waiting(account, moment))
        overwrite = session.settings.on_conflict == "overwrite"
        decision = decide(scratch, differences, history, adopt, overwrite)
        header = Header("forward", basis(config, journal, account))
        return finish(session, scratch, consent, decision, header, planned, reading)


def _require(account: str, missing: Sequence[str]) -> None:
    if missing:
        names = ", ".join(missing[:10]) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
        raise SetupNeeded(
            f"account {account} lacks {names}: run `crm-segments setup` once, it shows what it will make"
        )


def _withheld(mirror: AccountMirror, consent: Consent, targets: Sequence[Target]) -> dict[str, int]:
    """How many labelled records each segmentation's campaign lists leave out, because nobody may reach them
    there.
    """
    campaigns = {target.segmentation: target for target in targets if target.channel}
    withheld = {
        name: int(
            mirror.value(
                f"SELECT count(*) FROM ({labels_of(name)}) WHERE segment IS NOT NULL AND record IN ({consent.unreachable(target)})"
            )
        )
        for name, target in campaigns.items()
    }
    return {name: number for name, number in withheld.items() if number}


def _on_hold(config: Config, journal: Journal, account: str, release: bool) -> list[str]:
    """Segmentations that an undo put on hold; a changed config or ``release`` lets them go."""
    on_hold = []
    digests = {s.name: config.digest(s) for s in config.segmentations_of(account)}
    for hold in journal.holds.of(account):
        if release or digests.get(hold.segmentation) != hold.digest:
            journal.holds.release(account, hold.segmentation)
        else:
            on_hold.append(hold.segmentation)
    return on_hold


# -- what follows ------------------------------------------------------------------------------------------


def decide(
    scratch: Scratch, differences: Sequence[Difference], history: WriteHistory, adopt: bool, overwrite: bool
) -> Decision:
    """Changes and conflicts, by the table at the top of this file.

    ``adopt``: values that labels want anywhere and nobody of us wrote count as ours. ``overwrite``: values of
    other people do not stay. A field stands before the extra fields that go with it.
    """
    changes = scratch.collection(
        """record BIGINT, target VARCHAR, kind VARCHAR, segmentation VARCHAR, extra_field BOOLEAN, before VARCHAR,
           after VARCHAR, action VARCHAR, mine_before BOOLEAN, mine_after BOOLEAN"""
    )
    conflicts = scratch.collection("record BIGINT, target VARCHAR, wanted VARCHAR, actual VARCHAR")
    for difference in differences:
        rows = difference.rows
        if difference.follows:
            moved = f"SELECT record FROM ({changes.rows}) WHERE target = {literal(difference.follows)}"
            withdrawn = difference.desired.withdrawn
            rows = scratch.table(
                Relation(f"SELECT * FROM ({rows}) WHERE record IN ({withdrawn}) OR record IN ({moved})")
            )
        judged = scratch.table(_judged(difference, rows, history, adopt))
        changes.add(_changes(difference, judged, overwrite))
        if not overwrite:
            conflicts.add(_conflicts(difference, judged))
    return Decision(changes.rows, conflicts.rows)


def _judged(difference: Difference, rows: Relation, history: WriteHistory, adopt: bool) -> Relation:
    """Whose value stands there. Of a campaign list of our making, we answer for every member out of reach.

    What we wrote before the target was made again (``since``) went with the old one; no person took it away.
    Where it stands there all the same, in a target of our making, it is ours: what was deleted was brought
    back. What we sent to records that were merged counts on their survivor as ours, but says nothing of who
    emptied it.
    """
    desired, since = difference.desired, difference.since
    name, made = literal(desired.target.name), str(difference.ours).lower()
    sent_since = 0 if difference.ours else since
    adopted = (
        f"OR (e.latest IS NULL AND d.actual IN (SELECT DISTINCT value FROM ({desired.wanted})))"
        if adopt
        else ""
    )
    return Relation(
        f"""WITH differing AS ({rows}),
            ours AS (SELECT record, after, mine, opened FROM ({history.written}) WHERE target = {name} AND opened > {since}),
            sent AS (SELECT record, after, mine, opened FROM ({history.written}) WHERE target = {name} AND opened > {sent_since}
                     UNION ALL SELECT record, after, mine, coalesce(opened, 0) FROM ({history.inherited})
                     WHERE target = {name} AND coalesce(opened > {sent_since}, true)),
            mine AS (SELECT w.record, arg_max(w.mine, w.opened) AS equal_mine FROM sent AS w JOIN differing AS d
                          ON w.record = d.record AND coalesce(w.after, '') = coalesce(d.actual, '') GROUP BY w.record),
            latest AS (SELECT w.record, arg_max(coalesce(w.after, ''), w.opened) AS latest, arg_max(w.mine, w.opened) AS latest_mine
                       FROM ours AS w SEMI JOIN differing USING (record) GROUP BY w.record)
            SELECT d.record, d.wanted, d.actual, coalesce(d.actual, '') = '' AS empty,
                   coalesce(m.equal_mine, {made} AND b.value IS NOT NULL) {adopted}
                       OR ({made} AND d.wanted IS NULL AND d.record IN ({desired.unreachable})) AS mine,
                   coalesce(d.actual, '') = '' AND coalesce(e.latest <> '' OR NOT e.latest_mine, false) AS cleared_by_person
            FROM differing AS d LEFT JOIN mine AS m USING (record) LEFT JOIN latest AS e USING (record)
            LEFT JOIN ({desired.before}) AS b ON b.record = d.record AND b.value = d.actual
            ANTI JOIN (SELECT record, after FROM ({history.waiting}) WHERE target = {name}) AS waiting
            ON waiting.record = d.record AND coalesce(waiting.after, '') = coalesce(d.wanted, '')"""
    )


_OF_OTHERS = "(cleared_by_person OR NOT (empty OR mine))"


def _strangers(difference: Difference) -> str:
    """SQL: may there be members of a list that we made who do not belong there?"""
    return str(difference.desired.target.kind == "list" and difference.ours).lower()


def _changes(difference: Difference, judged: Relation, overwrite: bool) -> Relation:
    target, is_list = difference.desired.target, difference.desired.target.kind == "list"
    enter, leave, change = ("enter", "leave", "enter") if is_list else ("set", "clear", "set")
    overwrites = str(overwrite).lower()
    return Relation(
        f"""SELECT record, {literal(target.name)}, {literal(target.kind)}, {literal(target.segmentation)},
            {str(bool(target.extra_field)).lower()}, actual,
                coalesce(wanted, {"NULL" if is_list else "''"}),
                CASE WHEN wanted IS NULL AND record IN ({difference.desired.withdrawn}) THEN 'withdraw'
                     WHEN wanted IS NULL AND mine THEN {literal(leave)} WHEN {_OF_OTHERS} THEN 'overwrite'
                     WHEN empty THEN {literal(enter)} ELSE {literal(change)} END,
                CASE WHEN empty THEN NOT cleared_by_person ELSE mine END, true
            FROM ({judged}) WHERE CASE WHEN wanted IS NULL THEN mine OR {_strangers(difference)} AND {overwrites}
                                   ELSE NOT {_OF_OTHERS} OR {overwrites} END"""
    )


def _conflicts(difference: Difference, judged: Relation) -> Relation:
    kept = f"(wanted IS NOT NULL OR {_strangers(difference)}) AND {_OF_OTHERS}"
    name = literal(difference.desired.target.name)
    return Relation(f"SELECT record, {name}, wanted, actual FROM ({judged}) WHERE {kept}")
