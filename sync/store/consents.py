"""Who objects, and who can be reached by which channel? One row per record, from all that the mirror knows."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.schemas import CHANNELS, REACHABLE
from sync.store.identity_resolution import people
from sync.store.joined import Joined, alike_people
from sync.store.mirror import AccountMirror, quoted
from sync.store.relation import Relation
from sync.store.scratch import remembered


def consents_of(mirror: AccountMirror, joined: Sequence[Joined]) -> Relation:
    """(record, objects, a column per channel) of every record, merged and converted ones included.

    Who was merged or converted has the consent of the survivor. Who objects in a ``joined`` account, whose
    activity or attributes are used here, objects here too: with every record that shares a key with the
    objector, whether or not it has the activity. It holds until it is asked for again.
    """
    objects = ["coalesce(objects_to_profiling, false)"]
    for source in joined:
        alike, everyone = alike_people(mirror, source), people(source.mirror)
        objects.append(
            f"record IN (SELECT alike.ours FROM ({alike}) AS alike JOIN ({everyone}) AS person "
            "ON person.record = alike.theirs WHERE person.objects_to_profiling)"
        )
    channels = ", ".join(quoted(REACHABLE + channel) for channel in CHANNELS)
    own = f"SELECT record, {' OR '.join(objects)} AS objects, {channels} FROM ({people(mirror)})"
    return remembered(
        mirror,
        "consents",
        f"""WITH own AS MATERIALIZED ({own})
            FROM own UNION ALL
            SELECT redirects.record, objects, {channels} FROM redirects JOIN own ON own.record = survivor""",
    )


def profiled(mirror: AccountMirror, objectors: Relation) -> Relation:
    """The records that stand for someone who does not object to profiling."""
    return Relation(f"SELECT * FROM ({people(mirror)}) WHERE record NOT IN ({objectors})")
