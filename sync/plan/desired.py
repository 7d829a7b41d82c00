"""What do labels want in a target, as far as consent allows it?"""

from __future__ import annotations

from dataclasses import dataclass

from sync.account.targets import Target
from sync.consent.consent import Consent
from sync.plan.control_groups import held_out
from sync.store import test_contacts
from sync.store.ids import IDS
from sync.store.label_tables import labels_before, labels_of, value_column
from sync.store.mirror import literal
from sync.store.relation import Relation

COARSE = 5  # steps of the extra field ``_score``, in percent: a rank that moves a little writes nothing


@dataclass(frozen=True)
class Desired:
    """What is wanted in one target. There is none without consent."""

    target: Target
    wanted: Relation  # (record, value) of the records whose consent allows it
    # (record, value) that labels wanted before: in a field of our making such a value counts as ours, whoever
    # typed it
    before: Relation
    withdrawn: Relation  # records that may not stand there
    unreachable: Relation  # records that a campaign list may not hold


def desired(target: Target, consent: Consent, tested: bool = False) -> Desired:
    """What the last labelling wants in a target; ``tested``: there are test contacts."""
    wanted, before = _wanted(target, consent), _before(target)
    if tested:
        wanted = Relation(f"{wanted} UNION ALL {_wanted_of_test_contacts(target, consent)}")
        before = Relation(f"{before} UNION {_before_of_test_contacts(target)}")
    return Desired(
        target,
        wanted,
        before,
        consent.withdrawn(target),
        consent.unreachable(target),
    )


def _wanted(target: Target, consent: Consent) -> Relation:
    labels, allowed = labels_of(target.segmentation), f"record NOT IN ({consent.withdrawn(target)})"
    if target.kind == "list":
        return Relation(
            f"""SELECT record, 'member' AS value FROM ({labels}) AS labels JOIN ({IDS}) AS ids USING (record)
                WHERE segment = {literal(target.segment)} AND ids.record_type = {literal(target.record_type)} AND {allowed}
                    AND NOT ({held_out(target)})"""
        )
    return Relation(f"SELECT record, {_value(target)} AS value FROM ({labels}) AS labels WHERE {allowed}")


def _wanted_of_test_contacts(target: Target, consent: Consent) -> Relation:
    """Their own segment in a field, and every list, whichever segment they have: none is in a control group."""
    allowed = f"record NOT IN ({consent.withdrawn(target)})"
    if target.kind == "list":
        of_type = f"record_type = {literal(target.record_type)}"
        return Relation(
            f"SELECT record, 'member' AS value FROM ({consent.test_contacts}) AS tested WHERE {of_type} AND {allowed}"
        )
    labels = test_contacts.wanted(target.segmentation)
    return Relation(f"SELECT record, {_value(target)} AS value FROM ({labels}) AS labels WHERE {allowed}")


def _before_of_test_contacts(target: Target) -> Relation:
    own = target.kind == "field" and not target.extra_field
    labels = test_contacts.wanted(target.segmentation)
    previous = (
        f"SELECT record, previous AS value FROM ({labels}) WHERE previous IS NOT NULL AND {str(own).lower()}"
    )
    return Relation(previous)


def _value(target: Target) -> str:
    """SQL, on labels, of what stands in a field."""
    if target.by_itself:
        return value_column(target.extra_field)
    return {
        "": "segment",
        "reason": "left(reason, 255)",
        "since": "strftime(since, '%Y-%m-%d')",
        "previous": "previous",
        "score": f"(round_even(score * 100 / {COARSE}, 0) * {COARSE})::INTEGER::VARCHAR",
    }[target.extra_field]


def _before(target: Target) -> Relation:
    states = (
        f"SELECT record, previous AS segment FROM ({labels_of(target.segmentation)}) UNION ALL "
        f"SELECT record, segment FROM ({labels_before(target.segmentation)})"
    )
    if target.kind == "list":
        return Relation(
            f"SELECT DISTINCT record, 'member' AS value FROM ({states}) WHERE segment = {literal(target.segment)}"
        )
    own = str(not target.extra_field).lower()
    return Relation(
        f"SELECT DISTINCT record, segment AS value FROM ({states}) WHERE segment IS NOT NULL AND {own}"
    )
