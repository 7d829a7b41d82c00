"""What do labels want in a target, as far as consent allows it?"""

from __future__ import annotations

from dataclasses import dataclass

from sync.account.targets import Target
from sync.consent.consent import Consent
from sync.plan.control_groups import held_out
from sync.store.ids import IDS
from sync.store.label_tables import labels_before, labels_of
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


def desired(target: Target, consent: Consent) -> Desired:
    """What the last labelling wants in a target."""
    return Desired(
        target,
        _wanted(target, consent),
        _before(target),
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
    value = {
        "": "segment",
        "reason": "left(reason, 255)",
        "since": "strftime(since, '%Y-%m-%d')",
        "previous": "previous",
        "score": f"(round_even(score * 100 / {COARSE}, 0) * {COARSE})::INTEGER::VARCHAR",
    }[target.extra_field]
    return Relation(f"SELECT record, {value} AS value FROM ({labels}) AS labels WHERE {allowed}")


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
