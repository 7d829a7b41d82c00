"""What follows from what was gathered: which values change, and which are left as other people made them? From
three things alone: what labels want, what the CRM holds, and what we wrote before.

    wanted vs actual   whose value is there                         result
    equal              anyone's                                     nothing
    different          ours, or empty and never ours                change
    different          someone else's, or cleared by a person       keep and report, or overwrite
    none wanted        ours                                         clear
    none wanted        not ours                                     leave alone; a member of a list that we
                       made: keep and report, or remove

Consent stands above it (``sync.consent``): ours is withdrawn from people who object, and anyone who
cannot be reached from a campaign list.

It speaks to no CRM, and reads nothing but what it is given.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.plan.finish import Decision
from sync.plan.gather import Difference, WriteHistory
from sync.store.mirror import literal
from sync.store.relation import Relation
from sync.store.scratch import Scratch


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
