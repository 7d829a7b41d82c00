"""Retention: the journal forgets details that are older than the config wants, but never whose value is
where.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sync.account.session import Session
from sync.config.uses import types_used
from sync.forget.purge import purge
from sync.store import write_history
from sync.store.chunks import spans
from sync.store.journal import Journal
from sync.store.journal.labels import Labels
from sync.store.label_tables import states, under_ids
from sync.store.mirror import AccountMirror

DEPARTED_DAYS = 30  # how long the journal remembers records that have left the CRM, in case they come back


def age(session: Session) -> int:
    """Drop what is older than ``retention_days``; returns how many rows of changes went.

    A change that is the last one of its record and target stays: it says that the value is ours. So do label
    states from which the present one follows, folded into the oldest day that is kept; their age is counted
    from the day that is labelled, so that a history labelled afterwards lasts too.
    """
    journal, account, moment = session.journal, session.account, session.clock()
    days = timedelta(days=session.config.retention_days)
    limit = (moment - days).isoformat(timespec="microseconds")
    dropped = _thin(journal, session.mirror(), limit)
    with journal.transaction():
        journal.batches.drop_empty_before(account, limit)
        journal.runs.drop_before(account, limit)
        journal.plans.drop_before(account, limit)
        journal.approvals.drop_before(account, limit)
        journal.rejects.drop_before(account, limit)
        journal.exports.drop_before(account, limit)
        journal.alerts.drop_before(account, limit)
    day = min(limit[:10], (session.as_of - days).isoformat())
    _fold_labels(journal.labels, session.mirror(), [settings.name for settings in session.segmentations], day)
    return dropped + _purge_departed(
        journal, session.mirror(), types_used(session.config, account), session.clock()
    )


def _purge_departed(
    journal: Journal, mirror: AccountMirror, record_types: Collection[str], moment: datetime
) -> int:
    """Take records that left the CRM out of the journal, once nothing of ours is left on them and their time
    has passed.
    """
    stamp = f"{mirror.revision()} {moment:%Y-%m-%d}"
    if mirror.stamp("departed") == stamp:
        return 0
    mirror.set_stamp("departed", stamp)
    account, limit = mirror.name, (moment - timedelta(days=DEPARTED_DAYS)).isoformat()
    journal.departed.update(account, write_history.departed(mirror, record_types), moment.isoformat())
    due = journal.departed.before(account, limit)
    if not due:
        return 0
    count = purge(journal, account, due)
    journal.departed.drop_before(account, limit)
    write_history.forget(mirror, due)
    return count


def _thin(journal: Journal, mirror: AccountMirror, limit: str) -> int:
    """Keep of batches that were answered before an instant (ISO) only changes that nothing newer replaced;
    returns how many went.
    """
    dropped, last = 0, None
    for batch in journal.batches.closed_before(mirror.name, limit):
        if last is None:
            write_history.catch_up(journal, mirror)
            last = write_history.last_batches(mirror)
        kept = write_history.still_last(mirror, batch, last)
        if kept.num_rows < batch.rows:
            journal.batches.keep_only(batch, kept)
            dropped += batch.rows - kept.num_rows
    return dropped


def _fold_labels(labels: Labels, mirror: AccountMirror, names: Iterable[str], day: str) -> None:
    """Days before ``day`` become one state under the last of them."""
    for name in names:
        if labels.count_days(mirror.name, name, day) < 2:
            continue
        with states(labels, mirror, name, day, left=True) as folded:
            labels.fold(mirror.name, name, day, under_ids(mirror, folded, spans(mirror)))
