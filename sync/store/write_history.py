"""Whose value is there?

The mirror's ``written`` table: every value that we wrote or may have written, from the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from connectors.contract import Destination, RemoteList
from sync.store.ids import MERGED
from sync.store.journal import Journal
from sync.store.journal.batches import Batch
from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation

# what we wrote or may have written, and by which batch
WRITTEN = Relation("SELECT record, target, after, mine, opened FROM written")


def catch_up(journal: Journal, mirror: AccountMirror) -> None:
    """Bring ``written`` up to the journal. A new mirror starts from nothing and gets all of it."""
    seen = int(mirror.stamp("written") or 0)
    for batch in journal.batches.changed_since(mirror.name, seen):
        with mirror.transaction():
            _take(journal, mirror, batch)
            mirror.set_stamp("written", str(batch.changed))


def _take(journal: Journal, mirror: AccountMirror, batch: Batch) -> None:
    """An open batch may have been written, row for row; of a closed one only what was done."""
    changes = batch.changes()
    if batch.state == "done":
        changes = without(changes, journal.batches.not_done(batch))
    _resolve(mirror, changes)
    mirror.run("DELETE FROM written WHERE batch = ?", [batch.batch])
    mirror.run(
        f"INSERT INTO written SELECT {batch.batch}, {batch.opened}, record, target, after, mine_after FROM resolved"
    )


def unknown_values(mirror: AccountMirror, targets: Collection[str]) -> dict[str, int]:
    """How many values stand in each of these targets that we did not write, as far as we know: neither to the
    record, nor to one that is merged into it.
    """
    named = ", ".join(map(literal, sorted(targets))) or "NULL"
    return dict(
        mirror.rows(
            f"""SELECT target, count(*) FROM actual AS a WHERE target IN ({named}) AND coalesce(value, '') <> '' AND NOT EXISTS (
                    SELECT 1 FROM written AS w LEFT JOIN ({MERGED}) AS m ON m.record = w.record
                    WHERE w.target = a.target AND w.after = a.value AND a.record IN (w.record, m.survivor))
                GROUP BY target ORDER BY target"""
        )
    )


def record_types(mirror: AccountMirror) -> set[str]:
    """Those on which a value of ours was the last that we wrote, or may have written."""
    sql = """SELECT DISTINCT record_type FROM (SELECT record, target, arg_max(coalesce(after, ''), opened) AS latest FROM written
             GROUP BY record, target) JOIN ids USING (record) WHERE latest <> ''"""
    return {record_type for (record_type,) in mirror.rows(sql)}


def last_batches(mirror: AccountMirror) -> pa.Table:
    """(record_type, id, target, batch) of the last change of each record and target."""
    return mirror.table(
        "SELECT ids.record_type, ids.id, target, arg_max(batch, opened) AS batch FROM written JOIN ids USING (record) GROUP BY ALL"
    )


def still_last(mirror: AccountMirror, batch: Batch, last: pa.Table) -> pa.Table:
    """The changes of a batch that nothing newer replaced, by ``last_batches``."""
    return mirror.table(
        f"SELECT frame.* FROM frame SEMI JOIN (SELECT * FROM latest WHERE batch = {batch.batch}) AS l USING (record_type, id, target)",
        frame=batch.changes(),
        latest=last,
    )


def departed(mirror: AccountMirror, types: Collection[str]) -> set[tuple[str, str]]:
    """(record type, id) of records that we wrote to and that left the CRM, with nothing of ours left on them."""
    listed = ", ".join(map(literal, sorted(types))) or "NULL"
    rows = mirror.rows(
        f"""SELECT DISTINCT record_type, id FROM ids SEMI JOIN written USING (record) ANTI JOIN records USING (record)
            ANTI JOIN (SELECT record FROM actual WHERE coalesce(value, '') <> '') AS held USING (record)
            WHERE record_type IN ({listed})"""
    )
    return {(record_type, id) for record_type, id in rows}


def forget(mirror: AccountMirror, people: Collection[tuple[str, str]]) -> None:
    """What we wrote to these (record type, id)."""
    keys = pa.table({"record_type": [t for t, _ in people], "id": [i for _, i in people]})
    mirror.run(
        "DELETE FROM written WHERE record IN (SELECT record FROM ids JOIN keys USING (record_type, id))",
        keys=keys,
    )


def without(changes: pa.Table, positions: Sequence[int]) -> pa.Table:
    """A table without the rows at these positions."""
    if not positions:
        return changes
    kept = np.ones(changes.num_rows, np.bool_)
    kept[list(positions)] = False
    return changes.filter(pa.array(kept))


def _resolve(mirror: AccountMirror, changes: pa.Table) -> None:
    """Table ``resolved``: changes under the numbers of their records.

    Only a new mirror does not know all of them.
    """
    sql = """CREATE OR REPLACE TEMP TABLE resolved AS SELECT ids.record, target, after, mine_after
             FROM frame JOIN ids USING (record_type, id)"""
    if mirror.value(sql, frame=changes) < changes.num_rows:
        mirror.register(changes)
        mirror.run(sql, frame=changes)


def now_actual(mirror: AccountMirror, batch: Batch, done: pa.Table) -> None:
    """What the CRM holds after changes that it confirmed: the next plan need not read them back first."""
    if not done.num_rows:
        return
    # where it will be read back
    streams = ["list:" + batch.target] if batch.kind == "list" else ["value", batch.record_type]
    parts = [
        mirror.value("SELECT max(part) FROM parts WHERE stream = ? AND live", [stream]) for stream in streams
    ]
    part = next((part for part in parts if part is not None), 0)
    with mirror.transaction():
        _void(mirror, streams[0])
        _resolve(mirror, done)
        for (target,) in mirror.rows("SELECT DISTINCT target FROM resolved"):
            if mirror.value("SELECT count(*) FROM actual WHERE target = ?", [target]):
                mirror.run(
                    "DELETE FROM actual WHERE target = ? AND record IN (SELECT record FROM resolved WHERE target = ?)",
                    [target, target],
                )
        mirror.run(
            f"INSERT INTO actual SELECT record, target, after, {part} FROM resolved WHERE after IS NOT NULL"
        )


def _void(mirror: AccountMirror, stream: str) -> None:
    """What was read no longer is what the mirror holds: were the stream to look as it did then, it would have
    to be read.
    """
    position = mirror.position(stream)
    if position is not None:
        mirror.set_stamp("before our writes:" + stream, position)
        mirror.forget_position(stream)


def now_read(
    mirror: AccountMirror,
    destination: Destination,
    lists: Callable[[], Iterable[RemoteList]],
    keys: Mapping[str, str],
) -> None:
    """Move positions behind our own writes, where the connector vouches for them: then these are not read
    back.

    ``keys``: by remote id.
    """
    if type(destination).caught_up is Destination.caught_up:
        return
    streams: list[tuple[str, str | RemoteList]] = [("value", "value")]
    streams += [("list:" + keys[remote.id], remote) for remote in lists() if remote.id in keys]
    for name, stream in streams:
        position = mirror.stamp("before our writes:" + name)
        moved = destination.caught_up(stream, position) if position is not None else None
        if moved is not None:
            mirror.set_position(name, moved)
        mirror.run("DELETE FROM stamps WHERE name = ?", ["before our writes:" + name])
