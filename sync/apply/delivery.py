"""How does one batch get into the CRM, so that a crash anywhere loses and doubles nothing?

A batch is marked open in the journal before the call and closed with the CRM's answer for each record after
it; whatever ends the run in between leaves it open, and the next run finds out what became of it
(``sync.apply.settle``). A batch that the CRM refuses as a whole is halved until the record that poisons it
stands alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Destination, RemoteList
from connectors.errors import RequestError
from connectors.schemas import CHANGE_SCHEMA, OUTCOME_SCHEMA, done
from sync.apply.rejects import RejectedChanges
from sync.apply.throttle import stamp
from sync.plan.undo import WAYS_BACK
from sync.pull.pull import stale
from sync.store import actual, write_history
from sync.store.journal import Journal
from sync.store.journal.batches import Batch, Batches
from sync.store.journal.objects import Objects
from sync.store.journal.plans import Plan
from sync.store.mirror import AccountMirror

_NOTHING = pa.array([], pa.string())
REASONS = 20  # told in an answer; the others are counted together


@dataclass
class Applied:
    """What came of a plan."""

    plan: int = 0
    done: int = 0
    rejected: int = 0
    skipped: int = 0
    # of the rejected: refused by an outage or a lock, so that the next run sends them again
    transient: int = 0
    left_out: int = 0  # changes of segments that were approved of without them
    remaining: int = 0  # changes that wait: beyond a canary, or beyond the pace
    reasons: Counter[str] = field(default_factory=Counter)
    # of a retire: what became of each field and list itself (kind, name, record_type, outcome, why)
    retired: list[dict[str, Any]] = field(default_factory=list)

    def add(self, outcomes: pa.Table) -> None:
        """Count the outcomes of a batch."""
        for status in ("done", "rejected", "skipped"):
            setattr(
                self,
                status,
                getattr(self, status) + (pc.sum(pc.equal(outcomes["status"], status)).as_py() or 0),
            )
        self.transient += pc.sum(pc.equal(outcomes["kind"], "transient")).as_py() or 0
        reasons = outcomes.filter(pc.not_equal(outcomes["status"], "done"))["reason"]
        for tally in pc.value_counts(pc.replace_substring_regex(reasons, r" \[[^\[\]]*\]$", "")).to_pylist():
            self.reasons[str(tally["values"])] += tally["counts"]

    def as_dict(self) -> dict[str, Any]:
        """For printing; of many reasons the most frequent."""
        frequent = dict(self.reasons.most_common(REASONS))
        others = self.reasons.total() - sum(frequent.values())
        return {
            **self.__dict__,
            "reasons": {
                **frequent,
                **({"for other reasons: see `crm-segments rejects`": others} if others else {}),
            },
        }


class JournalTicket:
    """A batch's place for the CRM's job id: in the journal, before the upload."""

    def __init__(self, batches: Batches, batch: int) -> None:
        self._batches = batches
        self._batch = batch

    @property
    def job(self) -> str | None:
        """The job id that was saved, or None."""
        return self._batches.job(self._batch)

    def save(self, job: str) -> None:
        """Store the job id."""
        self._batches.save_job(self._batch, job)


def close(
    journal: Journal,
    mirror: AccountMirror,
    batch: Batch,
    outcomes: pa.Table,
    at: str,
    refusals: RejectedChanges | None = None,
) -> None:
    """Store a batch's answers: journal, rejects, and what the mirror believes the CRM to hold.

    ``refusals`` is None where a batch is settled: what settling finds unwritten was never refused, the next
    plan has it again.
    """
    changes = batch.changes()
    moved = pc.equal(outcomes["status"], "done")
    if refusals is not None:  # the answer may be lost where the CRM was busy: counted by the pace
        moved = pc.or_(moved, pc.equal(pc.fill_null(outcomes["kind"], ""), "transient"))
    written = pc.count_distinct(changes["id"].filter(moved)).as_py()
    with journal.transaction():
        journal.batches.close(batch.batch, outcomes, at, written)
        _put_off(journal, mirror.name, batch, changes, outcomes, settled=refusals is None)
    if refusals is not None:
        refusals.keep(batch, outcomes)
    write_history.now_actual(mirror, batch, changes.filter(pc.equal(outcomes["status"], "done")))
    write_history.catch_up(journal, mirror)


def _put_off(
    journal: Journal, account: str, batch: Batch, changes: pa.Table, outcomes: pa.Table, settled: bool
) -> None:
    """What an outage or a kill kept from a way back (undo, retire) is planned once more: no later plan finds it
    by itself. What settling finds unwritten of a run's plan is planned once more too, so that ``apply`` ends it.
    """
    again = changes.filter(pc.equal(pc.fill_null(outcomes["kind"], ""), "transient"))
    plan = journal.plans.get(batch.plan)
    kinds = (*WAYS_BACK, "forward") if settled else WAYS_BACK
    if not again.num_rows or plan is None or plan.state != "applying" or plan.kind not in kinds:
        return
    records = pc.count_distinct(again["id"]).as_py()
    journal.batches.add(batch.plan, account, batch.kind, batch.target, batch.record_type, again, records)


class Delivery:
    """The carrying out of one plan. Whether the pull is so old that records are read again is decided once,
    when it begins.

    ``allowed``: which changes of a batch consent allows. Where another ``run`` than the one that made the plan
    carries it out, what was read since then counts.
    """

    def __init__(
        self,
        journal: Journal,
        mirror: AccountMirror,
        destination: Destination,
        lists: Callable[[], Mapping[str, RemoteList]],
        refusals: RejectedChanges,
        allowed: Callable[[Batch], pa.Array],
        clock: Callable[[], datetime],
        run: int,
        plan: Plan,
    ) -> None:
        self.applied = Applied(plan.plan)
        self._journal, self._mirror, self._destination, self._lists = journal, mirror, destination, lists
        self._refusals, self._allowed, self._clock, self._run = refusals, allowed, clock, run
        self._able = destination.capabilities
        self._reread = not self._able.compares_before and stale(mirror, clock())
        self._moved = _moved_since(mirror, journal.batches, plan) if plan.run != run else _NOTHING

    def carry_out(self, batch: Batch) -> None:
        """Open, write, close. What ends the run leaves the batch open: the next run settles it."""
        plain = batch.changes().select(CHANGE_SCHEMA.names)
        self._journal.batches.open(batch.batch, self._run, stamp(self._clock()))
        outcomes = _vanished(batch, self._write(batch, plain))
        close(self._journal, self._mirror, batch, outcomes, stamp(self._clock()), self._refusals)
        self.applied.add(outcomes)

    def _remote(self, batch: Batch) -> RemoteList | None:
        return remote_list(self._lists(), self._journal.objects, self._mirror.name, batch.target)

    def _write(self, batch: Batch, changes: pa.Table) -> pa.Table:
        """Write changes; skip those that consent forbids by now, and those of a list that a person deleted."""
        if batch.kind == "list" and self._remote(batch) is None:
            reason = f"list {batch.target} was deleted in the CRM: `crm-segments setup` creates it again"
            return _told("skipped", "gone", reason, changes.num_rows)
        allowed = self._allowed(batch)
        outcomes = self._write_unmoved(batch, changes.filter(allowed))
        return _woven(
            allowed,
            outcomes,
            _told("skipped", "conflict", "consent was withdrawn since the plan", changes.num_rows),
        )

    def _write_unmoved(self, batch: Batch, changes: pa.Table) -> pa.Table:
        """Write changes; skip those whose value moved since the plan, and since the pull where that is long
        ago.
        """
        if len(self._moved):
            planned = pc.invert(pc.is_in(_names(changes), value_set=self._moved))
            outcomes = self._write_fresh(batch, changes.filter(planned))
            return _woven(
                planned,
                outcomes,
                _told("skipped", "conflict", "it changed since the plan was made", changes.num_rows),
            )
        return self._write_fresh(batch, changes)

    def _write_fresh(self, batch: Batch, changes: pa.Table) -> pa.Table:
        if not self._reread or not changes.num_rows:
            return self._write_through(batch, changes)
        same = self._stands(batch, changes, "before")
        outcomes = self._write_through(batch, changes.filter(same))
        return _woven(
            same,
            outcomes,
            _told("skipped", "conflict", "somebody changed it since the pull", changes.num_rows),
        )

    def _stands(self, batch: Batch, changes: pa.Table, column: str) -> pa.Array:
        """Which changes' ``before`` or ``after`` the CRM holds now."""
        crm = self._destination
        if batch.kind == "list":
            remote = self._remote(batch)
            assert remote is not None
            now = crm.current_members(remote, changes)
        else:
            now = crm.current_values(changes)
        return pc.equal(pc.fill_null(now, ""), pc.fill_null(changes[column].combine_chunks(), ""))

    def _write_through(self, batch: Batch, changes: pa.Table) -> pa.Table:
        if not changes.num_rows:
            return done(0)
        ticket = JournalTicket(self._journal.batches, batch.batch)
        try:
            if batch.kind == "list":
                remote = self._remote(batch)
                assert remote is not None
                return self._destination.write_members(remote, changes, ticket)
            return self._destination.write_fields(changes, ticket)
        except RequestError as error:
            return self._halved(batch, changes, error)

    def _halved(self, batch: Batch, changes: pa.Table, error: RequestError) -> pa.Table:
        """Records that the CRM refuses only together are written apart; one that it refuses alone is a
        reject.

        Where it takes several calls, those before the refused one went through: what stands there is not sent
        again.
        """
        ids = pc.unique(changes["id"])
        if len(ids) < 2:
            return _told("rejected", "data", str(error), changes.num_rows)
        if len(ids) > (self._able.members_per_call if batch.kind == "list" else self._able.records_per_call):
            missing = pc.invert(self._stands(batch, changes, "after"))
            if not pc.all(missing).as_py():
                unwritten = changes.filter(missing)
                return _woven(
                    missing,
                    self._halved(batch, unwritten, error) if unwritten.num_rows else done(0),
                    done(changes.num_rows),
                )
        left = pc.is_in(changes["id"].combine_chunks(), value_set=ids[: len(ids) // 2])
        answers = [self._write_through(batch, changes.filter(mask)) for mask in (left, pc.invert(left))]
        return _woven(left, *answers)


def remote_list(
    lists: Mapping[str, RemoteList], objects: Objects, account: str, key: str
) -> RemoteList | None:
    """The list of a key of ours, of those that the CRM has by id; None where a person deleted it."""
    return lists.get(objects.lists_of(account).get(key, ""))


def _names(changes: pa.Table) -> pa.Array:
    """Record and target of each change, as one text."""
    parts = [changes[name].combine_chunks() for name in ("record_type", "id", "target")]
    return pc.binary_join_element_wise(*parts, "\0")


def _moved_since(mirror: AccountMirror, batches: Batches, plan: Plan) -> pa.Array:
    """Names of the changes of a plan whose value is no longer what it was planned from, by what was read and
    written since.
    """
    if mirror.stamp("pull_began") is None:
        return _NOTHING  # nothing is known: records are read again before they are written
    planned = _many(batch.changes() for batch in batches.of(plan=plan.plan, state="planned"))
    return pa.concat_arrays([_NOTHING, *(_names(actual.moved(mirror, changes)) for changes in planned)])


def _many(tables: Iterable[pa.Table], rows: int = 100_000) -> Iterator[pa.Table]:
    """The same rows in fewer tables."""
    gathered: list[pa.Table] = []
    for table in tables:
        gathered.append(table)
        if sum(part.num_rows for part in gathered) >= rows:
            yield pa.concat_tables(gathered)
            gathered = []
    if gathered:
        yield pa.concat_tables(gathered)


def _vanished(batch: Batch, outcomes: pa.Table) -> pa.Table:
    """What consent takes away from a record that the CRM says is gone (merged, say) is gone with it: done."""
    gone = pc.and_(
        pc.equal(batch.changes()["action"], "withdraw"), pc.equal(pc.fill_null(outcomes["kind"], ""), "gone")
    )
    if not pc.any(gone).as_py():
        return outcomes
    nothing = pa.scalar(None, pa.string())
    columns = [
        pc.if_else(gone, value, outcomes[name])
        for name, value in (("status", "done"), ("kind", nothing), ("reason", nothing))
    ]
    return pa.table(columns, schema=OUTCOME_SCHEMA)


def _told(status: str, kind: str, reason: str, count: int) -> pa.Table:
    """The same outcome, so many times."""
    return pa.table(
        [pa.repeat(pa.scalar(text, pa.string()), count) for text in (status, kind, reason)],
        schema=OUTCOME_SCHEMA,
    )


def _woven(mask: pa.Array, chosen: pa.Table, others: pa.Table) -> pa.Table:
    """Outcomes in the order of the mask: the next of ``chosen`` where it is true, else one of ``others``."""
    here = np.asarray(mask.to_numpy(zero_copy_only=False), np.bool_)
    if here.all():
        return chosen
    places = np.where(here, np.cumsum(here) - 1, len(chosen) + np.cumsum(~here) - 1)
    return pa.concat_tables([chosen, others]).take(pa.array(places))
