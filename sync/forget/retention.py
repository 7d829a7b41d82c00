"""Retention: the journal forgets details that are older than the config wants, but never whose value is
where.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa

from sync.account.session import Session
from sync.config.uses import types_used
from sync.store import write_history
from sync.store.arrow_bytes import packed
from sync.store.chunks import spans
from sync.store.journal import Journal
from sync.store.journal.batches import Batch
from sync.store.label_tables import states, under_ids
from sync.store.mirror import AccountMirror

DEPARTED_DAYS = 30  # how long the journal remembers records that have left the CRM, in case they come back


def age(session: Session) -> int:
    """Drop what is older than ``retention_days``; returns how many rows of changes went.

    A change that is the last one of its record and target stays: it says that the value is ours. So do label
    states from which the present one follows, folded into the oldest day that is kept; their age is counted
    from the day that is labelled, so that a history labelled afterwards lasts too.
    """
    limit = (session.clock() - timedelta(days=session.config.retention_days)).isoformat(
        timespec="microseconds"
    )
    journal = session.journal
    old = [
        row["batch"]
        for row in journal.rows(
            "SELECT batch FROM batches WHERE account = ? AND state = 'done' AND closed_at < ?",
            session.account,
            limit,
        )
    ]
    dropped = 0
    if old:
        write_history.catch_up(journal, session.mirror())
        latest = write_history.last_batches(session.mirror())
        for number in old:
            dropped += _thin(journal, session.mirror(), journal.batches.get(number), latest)
    with journal.transaction() as connection:
        empty = "DELETE FROM batches WHERE account = ? AND rows = 0 AND state = 'done' AND closed_at < ?"
        connection.execute(empty, (session.account, limit))
        connection.execute(
            "DELETE FROM runs WHERE account = ? AND started_at < ? AND run NOT IN (SELECT coalesce(run, 0) FROM batches)",
            (session.account, limit),
        )
        connection.execute(
            "DELETE FROM plans WHERE account = ? AND created_at < ? AND plan NOT IN (SELECT plan FROM batches)",
            (session.account, limit),
        )
        connection.execute(
            "DELETE FROM rejects WHERE account = ? AND at < ? AND NOT quarantined", (session.account, limit)
        )
    day = min(limit[:10], (session.as_of - timedelta(days=session.config.retention_days)).isoformat())
    for settings in session.segmentations:
        _fold_labels(journal, session.mirror(), settings.name, day)
    read = types_used(session.config, session.account)
    return dropped + _purge_departed(journal, session.mirror(), read, session.clock())


def _purge_departed(journal: Journal, mirror: AccountMirror, types: frozenset[str], clock: datetime) -> int:
    """Take records that left the CRM out of the journal, once nothing of ours is left on them and their time
    has passed.
    """
    from sync.forget.forget import purge_journal

    account, stamp = mirror.name, f"{mirror.revision()} {clock:%Y-%m-%d}"
    if mirror.stamp("departed") == stamp:
        return 0
    mirror.set_stamp("departed", stamp)
    gone = write_history.departed(mirror, types)
    recorded = {
        (row["record_type"], row["id"])
        for row in journal.rows("SELECT record_type, id FROM departed WHERE account = ?", account)
    }
    with journal.transaction() as connection:
        returned = [(account, *key) for key in recorded - gone]
        connection.executemany(
            "DELETE FROM departed WHERE account = ? AND record_type = ? AND id = ?", returned
        )
        connection.executemany(
            "INSERT INTO departed VALUES (?, ?, ?, ?)",
            [(account, *key, clock.isoformat()) for key in gone - recorded],
        )
    limit = (clock - timedelta(days=DEPARTED_DAYS)).isoformat()
    due = {
        (r["record_type"], r["id"])
        for r in journal.rows("SELECT * FROM departed WHERE account = ? AND at < ?", account, limit)
    }
    if not due:
        return 0
    count = purge_journal(journal, account, due)
    journal.execute("DELETE FROM departed WHERE account = ? AND at < ?", account, limit)
    write_history.forget(mirror, due)
    return count


def _thin(journal: Journal, mirror: AccountMirror, batch: Batch, latest: pa.Table) -> int:
    """Keep of a batch only changes that nothing newer replaced."""
    changes = batch.changes()
    kept = mirror.table(
        f"SELECT frame.* FROM frame SEMI JOIN (SELECT * FROM latest WHERE batch = {batch.batch}) AS l USING (record_type, id, target)",
        frame=changes,
        latest=latest,
    )
    if kept.num_rows == changes.num_rows:
        return 0
    with journal.transaction() as connection:
        connection.execute("DELETE FROM exceptions WHERE batch = ?", (batch.batch,))
        if kept.num_rows:
            connection.execute(
                "UPDATE batches SET content = ?, rows = ? WHERE batch = ?",
                (packed(kept), kept.num_rows, batch.batch),
            )
        else:
            connection.execute("DELETE FROM batches WHERE batch = ?", (batch.batch,))
    return int(changes.num_rows - kept.num_rows)


def _fold_labels(journal: Journal, mirror: AccountMirror, segmentation: str, day: str) -> None:
    """Days before ``day`` become one state under the last of them."""
    where = "FROM labels WHERE account = ? AND segmentation = ? AND as_of < ?"
    parameters = (mirror.name, segmentation, day)
    if journal.value(f"SELECT count(DISTINCT as_of) {where}", *parameters) < 2:
        return
    last = journal.value(f"SELECT max(as_of) {where}", *parameters)
    with (
        states(journal.labels, mirror, segmentation, day, left=True) as folded,
        journal.transaction() as connection,
    ):
        connection.execute(f"DELETE {where}", parameters)
        journal.labels.save(mirror.name, segmentation, last, under_ids(mirror, folded, spans(mirror)))
