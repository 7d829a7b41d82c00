"""Whose consent forbids what we write?

A record is withdrawn from a target where the person objects to profiling (from every field and list of ours),
and from a campaign list where the person cannot be reached by its channel. What stands there is taken away at
the next run: no guard and no hold stops that, and undo does not bring it back. Where it is not known whether
a channel may be used, it may not, unless the segmentation says ``unknown_reachable = true``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.schemas import REACHABLE
from sync.account.targets import Target
from sync.store.actual import HELD
from sync.store.consents import consents_of, profiled
from sync.store.ids import numbered
from sync.store.joined import Joined
from sync.store.journal.batches import Batch
from sync.store.mirror import AccountMirror, literal, quoted
from sync.store.relation import Relation
from sync.store.scratch import readable
from sync.store.test_contacts import test_contacts, without


@dataclass(frozen=True)
class Consent:
    """What the people of an account allow, by what is known now."""

    consents: Relation  # record, objects, a column per channel
    people: (
        Relation  # records of those who do not object, as (record, record_type, id, …), without test contacts
    )
    test_contacts: Relation  # the same of test contacts

    @property
    def objectors(self) -> Relation:
        """Records that object to profiling."""
        return Relation(f"SELECT record FROM ({self.consents}) WHERE objects")

    def withdrawn(self, target: Target) -> Relation:
        """The records that may not stand in a target."""
        forbidden = f"objects OR {_unreachable(target)}" if target.channel else "objects"
        return Relation(f"SELECT record FROM ({self.consents}) WHERE {forbidden}")

    def unreachable(self, target: Target) -> Relation:
        """The records that a campaign list may not hold; nobody for other targets."""
        condition = _unreachable(target) if target.channel else "false"
        return Relation(f"SELECT record FROM ({self.consents}) WHERE {condition}")

    def forbidden(self, targets: Sequence[Target], rows: Relation) -> Relation:
        """Of rows with ``record`` and ``target``, those in which somebody stands who may not."""
        return Relation(
            f"SELECT standing.* FROM ({rows}) AS standing JOIN ({self.consents}) AS consents USING (record) WHERE {_condition(targets)}"
        )


def consent_of(mirror: AccountMirror, joined: Sequence[Joined]) -> Consent:
    """What the people of an account allow. It holds until it is asked for again.

    ``joined``: the accounts whose activity or attributes it uses.
    """
    consents = consents_of(mirror, joined)
    willing = profiled(mirror, Relation(f"SELECT record FROM ({consents}) WHERE objects"))
    tested = Relation(f"SELECT * FROM ({willing}) WHERE record IN ({test_contacts(mirror)})")
    return Consent(consents, without(mirror, willing), tested)


def held_against(mirror: AccountMirror, consent: Consent, targets: Sequence[Target]) -> set[str]:
    """Names of the targets in which somebody stands who may not."""
    if not _concerns_anyone(mirror, consent, targets):
        return set()
    return {
        name for (name,) in mirror.rows(f"SELECT DISTINCT target FROM ({consent.forbidden(targets, HELD)})")
    }


def allowed_changes(
    mirror: AccountMirror, consent: Consent, targets: Sequence[Target], batch: Batch
) -> pa.Array:
    """Which changes of a batch consent allows by what is known now; it may have moved since the plan."""
    changes = batch.changes()
    if not _concerns_anyone(mirror, consent, targets):
        return pa.repeat(pa.scalar(True), changes.num_rows)
    given = "coalesce(after, '') <> ''" + ("" if batch.kind == "list" else " AND mine_after")
    placed = changes.append_column("position", pa.array(np.arange(changes.num_rows)))
    with readable(mirror, placed) as frame:
        ours = Relation(f"SELECT record, target, position FROM ({numbered(frame)}) WHERE {given}")
        forbidden = mirror.table(f"SELECT position FROM ({consent.forbidden(targets, ours)})")
    return pc.invert(
        pc.is_in(placed["position"].combine_chunks(), value_set=forbidden["position"].combine_chunks())
    )


def _concerns_anyone(mirror: AccountMirror, consent: Consent, targets: Sequence[Target]) -> bool:
    """Whether anything of ours may be forbidden to anybody."""
    campaigns = any(target.channel for target in targets)
    return campaigns or bool(mirror.value(f"SELECT count(*) FROM ({consent.objectors})"))


def _unreachable(target: Target) -> str:
    return f"NOT coalesce({quoted(REACHABLE + target.channel)}, {str(target.unknown_reachable).lower()})"


def _condition(targets: Sequence[Target]) -> str:
    """SQL condition on a target and its record's consents."""
    campaigns: dict[str, list[str]] = {}
    for target in targets:
        if target.channel:
            campaigns.setdefault(_unreachable(target), []).append(literal(target.name))
    return " OR ".join(
        [
            "objects",
            *(f"({condition} AND target IN ({', '.join(names)}))" for condition, names in campaigns.items()),
        ]
    )
