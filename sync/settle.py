"""Settle: find out what an earlier run left open, before anything else is done."""

from __future__ import annotations

from connectors.errors import QuotaError, TemporaryError
from sync.apply import JournalTicket, close
from sync.journal import now
from sync.session import Session
from sync.stops import Later


def settle(session: Session) -> int:
    """Ask the CRM about every batch that was opened and never closed; returns how many there were.

    The rest of an interrupted plan is not carried out here: the next plan finds it again and inherits its approval.
    """
    from connectors.contract import CHANGE_SCHEMA

    count = 0
    for batch in list(session.journal.batches(account=session.account, state="open")):
        try:
            outcomes = session.connector().settle(batch.changes().select(CHANGE_SCHEMA.names), JournalTicket(session.journal, batch.batch))
        except (TemporaryError, QuotaError) as error:
            raise Later(f"batch {batch.batch} of an interrupted run cannot be settled now: {error}. Run again later.") from error
        session.reads += 1
        close(session, batch, outcomes, settled=True)
        count += 1
    session.journal.execute(
        "UPDATE runs SET finished_at = ?, exit_code = 1, summary = '{\"interrupted\": true}' WHERE account = ? AND finished_at IS "
        "NULL AND run <> ?",
        now(),
        session.account,
        session.run,
    )
    return count
