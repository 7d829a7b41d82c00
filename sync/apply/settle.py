"""Settle: find out what an earlier run left open, before anything else is done."""

from __future__ import annotations

import pyarrow as pa

from connectors.contract import Destination, RemoteList
from connectors.schemas import CHANGE_SCHEMA, OUTCOME_SCHEMA
from sync.account.session import Session
from sync.apply.delivery import JournalTicket, close, remote_list
from sync.apply.throttle import stamp
from sync.log import stage
from sync.store.journal.batches import Batch, Batches


@stage("settle")
def settle(session: Session) -> int:
    """Ask the CRM about every batch that was opened and never closed; returns how many there were.

    The rest of an interrupted plan is not carried out here: the next plan finds it again and inherits its
    approval.
    """
    count = 0
    for batch in list(session.journal.batches.of(account=session.account, state="open")):
        remote = None
        if batch.kind == "list":
            remote = remote_list(session.lists, session.journal.objects, session.account, batch.target)
        outcomes = _outcomes(session.destination(), session.journal.batches, batch, remote)
        close(session.journal, session.mirror(), batch, outcomes, stamp(session.clock()))
        count += 1
    session.journal.runs.interrupt_others(session.account, session.run)
    return count


def _outcomes(
    destination: Destination, batches: Batches, batch: Batch, remote: RemoteList | None
) -> pa.Table:
    """What the CRM says. Members of a list that is there no more are nowhere."""
    changes, ticket = batch.changes().select(CHANGE_SCHEMA.names), JournalTicket(batches, batch.batch)
    if batch.kind == "list":
        if remote is None:
            gone = ("rejected", "gone", "the list no longer exists")
            return pa.table(
                [pa.repeat(pa.scalar(text), changes.num_rows) for text in gone], schema=OUTCOME_SCHEMA
            )
        return destination.settle_members(remote, changes, ticket)
    return destination.settle_fields(changes, ticket)
