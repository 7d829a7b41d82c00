"""What becomes of changes that the CRM refuses? Another time, later and later; then quarantine, until the row
or the config changes.

A record that the CRM says is gone leaves the mirror as if its deletion had been read: nobody labels or writes
it until it is read again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sync.config.settings import Limit
from sync.pull.pull import too_many_missing
from sync.store import records
from sync.store.journal.batches import Batch
from sync.store.journal.rejects import RefusedChange, Rejects
from sync.store.mirror import AccountMirror
from sync.store.scratch import readable, remembered

ATTEMPTS = 5  # how often a change that the CRM refuses is tried before it is put in quarantine
_FINAL = ("data", "permission", "gone")  # kinds of refusal that trying again alone does not cure
_LONGEST = 30 * 24 * 60  # minutes between two attempts


class RejectedChanges:
    """Refused changes of an account, as they stood when a plan began to be carried out: a plan has each
    change once.
    """

    def __init__(
        self, mirror: AccountMirror, rejects: Rejects, max_shrink: Limit, clock: Callable[[], datetime]
    ) -> None:
        self._mirror, self._rejects, self._max_shrink, self._clock = mirror, rejects, max_shrink, clock
        self._gone, self._in_mirror = 0, records.count(mirror)
        attempts = rejects.attempts(mirror.name)
        self._any = bool(attempts.num_rows)
        with readable(mirror, attempts) as rows:
            self._refused = remembered(mirror, "refused", rows)

    def keep(self, batch: Batch, outcomes: pa.Table) -> None:
        """Remember what of a batch was refused, forget what went through. An outage costs no attempt."""
        refused = pc.equal(outcomes["status"], "rejected")
        if not self._any and not pc.any(refused).as_py():
            return
        changes = batch.changes().select(["record_type", "id", "target", "after"])
        if batch.kind == "field":  # of a list, the CRM may mean the membership
            self._leave(
                changes.filter(pc.and_(refused, pc.equal(pc.fill_null(outcomes["kind"], ""), "gone")))
            )
        if self._any:
            gone = f"SELECT reject FROM ({self._refused}) SEMI JOIN answered USING (record_type, id, target)"
            numbers = self._mirror.table(gone, answered=changes)["reject"].to_pylist()
        else:
            numbers = []
        fresh = self._mirror.table(
            f"""SELECT a.*, coalesce(r.attempts, 0) + (coalesce(a.kind, '') <> 'transient')::INTEGER AS attempts FROM answered AS a
               LEFT JOIN (SELECT record_type, id, target, after, max(attempts) AS attempts FROM ({self._refused}) GROUP BY ALL) AS r
               ON r.record_type = a.record_type AND r.id = a.id AND r.target = a.target AND r.after IS NOT DISTINCT FROM a.after""",
            answered=pa.table({**dict(zip(changes.column_names, changes.columns, strict=True)), "kind": outcomes["kind"],
                               "reason": outcomes["reason"]}).filter(refused),
        )  # fmt: skip
        self._store(numbers, fresh)

    def _leave(self, changes: pa.Table) -> None:
        """Take records that are gone out of the mirror; not so many that the CRM, or our right to see them,
        must be at fault.
        """
        if not changes.num_rows:
            return
        self._gone += records.count_of(self._mirror, changes)
        if not too_many_missing(self._max_shrink, self._gone, self._in_mirror):
            records.take_out(self._mirror, changes)

    def _departed(self, refused: pa.Table) -> set[tuple[str, str]]:
        """Those of the refused records that are gone and have left the mirror."""
        gone = refused.filter(pc.equal(pc.fill_null(refused["kind"], ""), "gone"))
        return records.missing(self._mirror, gone) if gone.num_rows else set()

    def _store(self, gone: list[int], fresh: pa.Table) -> None:
        moment = self._clock()
        again = {
            n: (moment + timedelta(minutes=min(15 * 4 ** max(0, min(n, 20) - 1), _LONGEST))).isoformat(
                timespec="microseconds"
            )
            for n in pc.unique(fresh["attempts"]).to_pylist()
        }
        columns = [
            fresh[name].to_pylist()
            for name in ("record_type", "id", "target", "after", "kind", "reason", "attempts")
        ]
        departed = self._departed(fresh)

        def refused(row: tuple[Any, ...]) -> RefusedChange:
            kind, attempts, has_departed = row[4], row[6], row[:2] in departed
            # what waits for its record to be read again waits for no time
            next_at = None if kind == "transient" or has_departed else again[attempts]
            final = kind in _FINAL and attempts >= ATTEMPTS and not has_departed
            return RefusedChange._make((*row, next_at, final))

        changes = map(refused, zip(*columns, strict=True))
        self._rejects.replace_changes(self._mirror.name, gone, changes)
