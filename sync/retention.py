"""Retention: the journal forgets details that are older than the config wants, but never whose value is where."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa

from sync.journal import Batch, packed
from sync.session import Session


def age(session: Session) -> int:
    """Drop what is older than ``retention_days``; returns how many rows of changes went.

    A change that is the last one of its record and target stays: it says that the value is ours. So do label states
    from which the present one follows, folded into the oldest day that is kept.
    """
    limit = (session.clock() - timedelta(days=session.config.retention_days)).isoformat(timespec="microseconds")
    journal = session.journal
    old = [row["batch"] for row in journal.rows("SELECT batch FROM batches WHERE account = ? AND state = 'done' AND closed_at < ?", session.account, limit)]
    dropped = 0
    if old:
        latest = _latest(session)
        for number in old:
            dropped += _thin(session, journal.batch(number), latest)
    with journal.transaction() as connection:
        connection.execute("DELETE FROM runs WHERE account = ? AND started_at < ? AND run NOT IN (SELECT coalesce(run, 0) FROM batches)", (session.account, limit))
        connection.execute("DELETE FROM plans WHERE account = ? AND created_at < ? AND plan NOT IN (SELECT plan FROM batches)", (session.account, limit))
        connection.execute("DELETE FROM rejects WHERE account = ? AND at < ? AND NOT quarantined", (session.account, limit))
    _fold_labels(session, limit[:10])
    return dropped


def _latest(session: Session) -> pa.Table:
    """(record_type, id, target, batch) of the last change of each record and target."""
    from sync.ownership import catch_up

    catch_up(session.journal, session.mirror())
    return session.mirror().table(
        "SELECT ids.record_type, ids.id, target, arg_max(batch, opened) AS batch FROM written JOIN ids USING (record) GROUP BY ALL"
    )


def _thin(session: Session, batch: Batch, latest: pa.Table) -> int:
    """Keep of a batch only changes that nothing newer replaced."""
    journal, changes = session.journal, batch.changes()
    kept = session.mirror().table(
        f"SELECT changes.* FROM changes SEMI JOIN (SELECT * FROM latest WHERE batch = {batch.batch}) AS l USING (record_type, id, target)",
        changes=changes,
        latest=latest,
    )
    if kept.num_rows == changes.num_rows:
        return 0
    with journal.transaction() as connection:
        connection.execute("DELETE FROM exceptions WHERE batch = ?", (batch.batch,))
        if kept.num_rows:
            connection.execute("UPDATE batches SET content = ?, rows = ? WHERE batch = ?", (packed(kept), kept.num_rows, batch.batch))
        else:
            connection.execute("DELETE FROM batches WHERE batch = ?", (batch.batch,))
    return changes.num_rows - kept.num_rows


def _fold_labels(session: Session, day: str) -> None:
    """Days before ``day`` become one state under the last of them."""
    journal = session.journal
    for settings in session.segmentations:
        days = [(as_of, table) for as_of, table in journal.labels(session.account, settings.name, day)]
        if len(days) < 2:
            continue
        frame = pa.concat_tables([t.append_column("as_of", pa.repeat(d, t.num_rows)) for d, t in days], promote_options="permissive")
        state = session.mirror().table(
            "SELECT * EXCLUDE (as_of) FROM frame QUALIFY row_number() OVER (PARTITION BY record_type, id ORDER BY as_of DESC) = 1", frame=frame
        )
        last = days[-1][0]
        with journal.transaction() as connection:
            connection.execute("DELETE FROM labels WHERE account = ? AND segmentation = ? AND as_of < ?", (session.account, settings.name, last))
            connection.execute(
                "UPDATE labels SET content = ? WHERE account = ? AND segmentation = ? AND as_of = ?", (packed(state), session.account, settings.name, last)
            )
