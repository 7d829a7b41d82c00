"""What becomes of changes that the CRM refuses? Another time, later and later; then quarantine, until the row
or the config changes.

A record that the CRM says is gone leaves the mirror as if its deletion had been read: nobody labels or writes
it until it is read again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sync.account.session import Session
from sync.pull.pull import too_many_missing
from sync.store.journal.batches import Batch
from sync.store.journal.rejects import RefusedChange

ATTEMPTS = 5  # how often a change that the CRM refuses is tried before it is put in quarantine
_FINAL = ("data", "permission", "gone")  # kinds of refusal that trying again alone does not cure
_LONGEST = 30 * 24 * 60  # minutes between two attempts


class RejectedChanges:
    """Refused changes of an account, as they stood when a plan began to be carried out: a plan has each
    change once.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._gone, self._held = 0, int(session.mirror().value("SELECT count(*) FROM records"))
        rejects = session.journal.rejects.attempts(session.account)
        self._any = bool(rejects.num_rows)
        session.mirror().run(
            "CREATE OR REPLACE TEMP TABLE refused AS SELECT * FROM known_rejects", known_rejects=rejects
        )

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
            gone = "SELECT reject FROM refused SEMI JOIN answered USING (record_type, id, target)"
            numbers = self._session.mirror().table(gone, answered=changes)["reject"].to_pylist()
        else:
            numbers = []
        fresh = self._session.mirror().table(
            """SELECT a.*, coalesce(r.attempts, 0) + (coalesce(a.kind, '') <> 'transient')::INTEGER AS attempts FROM answered AS a
               LEFT JOIN (SELECT record_type, id, target, after, max(attempts) AS attempts FROM refused GROUP BY ALL) AS r
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
        mirror = self._session.mirror()
        mirror.run(
            "CREATE OR REPLACE TEMP TABLE gone AS SELECT DISTINCT record FROM frame JOIN ids USING (record_type, id)",
            frame=changes,
        )
        self._gone += int(mirror.value("SELECT count(*) FROM gone SEMI JOIN records USING (record)"))
        if too_many_missing(self._session.config.guards.max_shrink, self._gone, self._held):
            return
        with mirror.transaction():
            for table in ("records", "actual"):
                mirror.run(f"DELETE FROM {table} WHERE record IN (SELECT record FROM gone)")
            mirror.touched()

    def _departed(self, refused: pa.Table) -> set[tuple[str, str]]:
        """Those of the refused records that are gone and have left the mirror."""
        gone = refused.filter(pc.equal(pc.fill_null(refused["kind"], ""), "gone"))
        if not gone.num_rows:
            return set()
        sql = "SELECT DISTINCT record_type, id FROM frame JOIN ids USING (record_type, id) ANTI JOIN records USING (record)"
        departed = self._session.mirror().table(sql, frame=gone)
        return set(zip(departed["record_type"].to_pylist(), departed["id"].to_pylist(), strict=True))

    def _store(self, gone: list[int], fresh: pa.Table) -> None:
        moment = self._session.clock()
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
        self._session.journal.rejects.replace_changes(self._session.account, gone, changes)
