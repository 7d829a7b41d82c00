"""Whose consent forbids what we write?

A record is withdrawn from a target where the person objects to profiling (from every field and list of ours),
and from a campaign list where the person cannot be reached by its channel. What stands there is taken away at
the next run: no guard and no hold stops that, and undo does not bring it back. Where it is not known whether
a channel may be used, it may not, unless the segmentation says ``unknown_reachable = true``.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.schemas import CHANNELS, REACHABLE
from sync.account.session import Session
from sync.account.targets import Target, targets_of
from sync.store.identity_resolution import alike_people, people
from sync.store.journal import Batch
from sync.store.mirror import literal, quoted

_OBJECTORS = "SELECT record FROM consents WHERE objects"


def prepare(session: Session) -> None:
    """Table ``consents`` (record, objects, a column per channel) and view ``people``: those who do not
    object.

    Who was merged or converted has the consent of the survivor. Who objects in an account whose activity is
    used here, objects here too: with every record that shares an address with the objector, whichever of them
    has the activity.
    """
    mirror = session.mirror()
    objects = ["coalesce(objects_to_profiling, false)"]
    for name in session.settings.activity_from:
        theirs = session.mirror(name)
        alike = alike_people(mirror, theirs, session.settings.match)
        objects.append(
            f"record IN (SELECT alike.ours FROM ({alike}) AS alike JOIN ({people(theirs)}) AS person ON person.record = alike.theirs "
            "WHERE person.objects_to_profiling)"
        )
    channels = ", ".join(quoted(REACHABLE + channel) for channel in CHANNELS)
    mirror.run(
        f"CREATE OR REPLACE TEMP TABLE consents AS SELECT record, {' OR '.join(objects)} AS objects, {channels} FROM ({people(mirror)})"
    )
    mirror.run(
        f"INSERT INTO consents SELECT redirects.record, objects, {channels} FROM redirects JOIN consents ON consents.record = survivor"
    )
    mirror.run(
        f"CREATE OR REPLACE TEMP VIEW people AS SELECT * FROM ({people(mirror)}) WHERE record NOT IN ({_OBJECTORS})"
    )


def withdrawn(target: Target) -> str:
    """SQL of the records that may not stand in a target."""
    return f"{_OBJECTORS} OR {_unreachable(target)}" if target.channel else _OBJECTORS


def unreachable(target: Target) -> str:
    """SQL of the records that a campaign list may not hold; nobody for other targets."""
    return f"SELECT record FROM consents WHERE {_unreachable(target) if target.channel else 'false'}"


def _unreachable(target: Target) -> str:
    return f"NOT coalesce({quoted(REACHABLE + target.channel)}, {str(target.unknown_reachable).lower()})"


def concerns_anyone(session: Session) -> bool:
    """Whether anything of ours may be forbidden to anybody."""
    campaigns = any(target.channel for target in targets_of(session.config, session.account))
    return campaigns or bool(session.mirror().value(f"SELECT count(*) FROM ({_OBJECTORS})"))


def held_against(session: Session) -> set[str]:
    """Names of the targets in which somebody stands who may not."""
    if not concerns_anyone(session):
        return set()
    sql = f"SELECT DISTINCT target FROM actual JOIN consents USING (record) WHERE coalesce(value, '') <> '' AND ({_forbidden(session)})"
    return {name for (name,) in session.mirror().rows(sql)}


def withhold(session: Session) -> None:
    """Take out of the gathered ``changes`` whatever would give something of ours to those whose consent
    forbids it.
    """
    session.mirror().run(
        f"DELETE FROM changes USING consents WHERE changes.record = consents.record AND coalesce(after, '') <> '' "
        f"AND (mine_after OR kind = 'list') AND ({_forbidden(session)})"
    )


def allowed(session: Session, batch: Batch) -> pa.Array:
    """Which changes of a batch consent allows by what is known now; it may have moved since the plan."""
    changes = batch.changes()
    if not concerns_anyone(session):
        return pa.repeat(pa.scalar(True), changes.num_rows)
    placed = changes.append_column("position", pa.array(np.arange(changes.num_rows)))
    forbidden = session.mirror().table(
        f"""SELECT position FROM frame JOIN ids USING (record_type, id) JOIN consents USING (record)
            WHERE coalesce(after, '') <> '' AND (mine_after OR {str(batch.kind == "list").lower()}) AND ({_forbidden(session)})""",
        frame=placed,
    )
    return pc.invert(
        pc.is_in(placed["position"].combine_chunks(), value_set=forbidden["position"].combine_chunks())
    )


def _forbidden(session: Session) -> str:
    """SQL condition on a target and its record's row of ``consents``."""
    campaigns: dict[str, list[str]] = {}
    for target in targets_of(session.config, session.account):
        if target.channel:
            campaigns.setdefault(_unreachable(target), []).append(literal(target.name))
    return " OR ".join(
        [
            "objects",
            *(f"({condition} AND target IN ({', '.join(names)}))" for condition, names in campaigns.items()),
        ]
    )
