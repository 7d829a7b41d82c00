"""What does a plan follow from? What labels want, what the CRM holds and what we wrote before, read before
anything is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from sync.account.targets import Target
from sync.consent.consent import Consent
from sync.plan.desired import Desired, desired
from sync.plan.remote_state import MadeTargets
from sync.plan.selection import Selection
from sync.store.actual import values_in
from sync.store.ids import IDS, MERGED, PRESENT, numbered
from sync.store.mirror import literal
from sync.store.relation import Relation
from sync.store.scratch import Scratch, readable
from sync.store.test_contacts import any_test_contacts
from sync.store.write_history import WRITTEN

Forms = Callable[[Target, Sequence[str]], Sequence[str | None]]  # values as the CRM gives them back


@dataclass(frozen=True)
class Difference:
    """Where what is wanted in a target and what is there are not the same."""

    desired: Desired
    ours: bool  # we made the target, and did not adopt it
    since: int  # what an earlier batch wrote there went with an older target of the same name
    rows: Relation  # (record, wanted, actual), in the form in which the CRM gives values back
    # the field whose changes this extra field goes with; "": it goes by itself
    follows: str = ""


@dataclass(frozen=True)
class WriteHistory:
    """What we sent, all of it (record, target, after, mine, opened)."""

    written: Relation
    inherited: Relation  # sent to records that are merged by now, under their survivors
    waiting: Relation  # (record, target, after) of refused changes whose time has not come


def compare(
    scratch: Scratch,
    consent: Consent,
    selections: Mapping[Target, Selection],
    made: MadeTargets,
    forms: Forms,
) -> list[Difference]:
    """Compare what labels want with what the CRM holds, target by target in the order of ``selections``: a
    segmentation's own field stands before its extra fields.
    """
    differences: dict[Target, Difference] = {}
    own: dict[str, Difference] = {}  # by segmentation
    tested = any_test_contacts(scratch.mirror)
    for target, selection in selections.items():
        alone = selection.extra_fields or selection.withdrawn or target.by_itself or not target.extra_field
        moved = None if alone else own[target.segmentation]
        difference = _difference(scratch, desired(target, consent, tested), selection, made, forms, moved)
        if target.kind == "field" and not target.extra_field:
            own[target.segmentation] = difference
        differences[target] = difference
    return list(differences.values())


def _difference(
    scratch: Scratch,
    goal: Desired,
    selection: Selection,
    made: MadeTargets,
    forms: Forms,
    moved: Difference | None,
) -> Difference:
    """``moved``: of an extra field that goes with another field, that field's difference."""
    target, withdrawn = goal.target, goal.withdrawn
    condition = selection.condition(target, withdrawn)
    if moved is not None:
        condition += f" AND (record IN ({withdrawn}) OR record IN (SELECT record FROM ({moved.rows})))"
    rows = Relation(
        f"""SELECT record, wanted.value AS wanted, held.value AS actual
            FROM (SELECT * FROM ({goal.wanted}) WHERE value IS NOT NULL) AS wanted
            FULL JOIN ({_actual(target, made)}) AS held USING (record)
            WHERE coalesce(wanted.value, '') <> coalesce(held.value, '') AND {condition}"""
    )
    rows = _in_forms(scratch, scratch.table(rows), target, forms)
    key = (target.kind, target.name)
    follows = "" if moved is None else moved.desired.target.name
    return Difference(goal, made.ours[key], made.since[key], rows, follows)


def _actual(target: Target, made: MadeTargets) -> Relation:
    """(record, value) that stands in a target; nothing where the CRM does not have the field (any more)."""
    gone = ", ".join(map(literal, made.gone.get(target.name, ()) if target.kind == "field" else ()))
    if not gone:
        return values_in(target.name)
    without = f"SELECT record FROM ({IDS}) WHERE record_type IN ({gone})"
    return Relation(f"SELECT record, value FROM ({values_in(target.name)}) WHERE record NOT IN ({without})")


def _in_forms(scratch: Scratch, rows: Relation, target: Target, forms: Forms) -> Relation:
    """Wanted values in the form in which the CRM gives them back, so that no plan repeats for ever."""
    mirror = scratch.mirror
    values = [
        value for (value,) in mirror.rows(f"SELECT DISTINCT wanted FROM ({rows}) WHERE wanted IS NOT NULL")
    ]
    normal = forms(target, values)
    if list(normal) == values:
        return rows
    frame = pa.table({"wanted": pa.array(values, pa.string()), "normal": pa.array(normal, pa.string())})
    with readable(mirror, frame) as pairs:
        return scratch.table(
            Relation(
                f"""SELECT record, normal AS wanted, actual FROM ({rows}) AS plain LEFT JOIN ({pairs}) AS pairs USING (wanted)
                    WHERE coalesce(normal, '') <> coalesce(actual, '')"""
            )
        )


def write_history(scratch: Scratch, refusals: pa.Table) -> WriteHistory:
    """What we sent, and what the CRM refused of it and merged since. ``refusals``: record_type, id, target,
    after, and whether the record is ``gone`` and the change ``waits``.

    A refused change waits for its time, or for good once its budget of attempts is spent; one on a record
    that is gone, until the record is read again. What we sent to a record that is merged by now may stand on
    its survivor, even where the answer was a refusal.
    """
    with readable(scratch.mirror, refusals) as frame:
        refused = scratch.table(numbered(frame))
    waiting = Relation(
        f"SELECT record, target, after FROM ({refused}) WHERE waits > 0 OR (gone > 0 AND record NOT IN ({PRESENT}))"
    )
    inherited = Relation(
        f"""SELECT survivor AS record, target, after, mine, opened FROM ({WRITTEN}) JOIN ({MERGED}) USING (record)
            UNION ALL SELECT survivor, target, after, true, NULL FROM ({refused}) JOIN ({MERGED}) USING (record)"""
    )
    return WriteHistory(WRITTEN, scratch.table(inherited), scratch.table(waiting))
