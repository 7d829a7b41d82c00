"""Whose value is there? The mirror's ``written`` table: every value that we wrote or may have written, from the journal."""

from __future__ import annotations

import pyarrow as pa

from sync.journal import Batch, Journal
from sync.mirror import AccountMirror


def catch_up(journal: Journal, mirror: AccountMirror) -> None:
    """Bring ``written`` up to the journal. A new mirror starts from nothing and gets all of it."""
    seen = int(mirror.stamp("written") or 0)
    sql = "SELECT batch, opened, changed FROM batches WHERE account = ? AND changed > ? AND state IN ('open', 'done') ORDER BY changed"
    for row in journal.rows(sql, mirror.name, seen):
        batch = journal.batch(row["batch"])
        with mirror.transaction():
            _take(journal, mirror, batch, row["opened"])
            mirror.set_stamp("written", str(row["changed"]))


def _take(journal: Journal, mirror: AccountMirror, batch: Batch, opened: int) -> None:
    """An open batch may have been written, row for row; of a closed one only what was done."""
    changes = batch.changes()
    if batch.state == "done":
        changes = changes.filter(pa.array([status == "done" for status in journal.outcomes(batch)[0]], pa.bool_()))
    mirror.register(changes)
    mirror.run("DELETE FROM written WHERE batch = ?", [batch.batch])
    mirror.run(
        f"""INSERT INTO written SELECT {batch.batch}, {opened}, ids.record, frame.target, frame.after, frame.mine_after
            FROM frame JOIN ids USING (record_type, id)""",
        frame=changes,
    )


def now_actual(mirror: AccountMirror, batch: Batch, done: pa.Table) -> None:
    """What the CRM holds after changes that it confirmed: the next plan need not read them back first."""
    if not done.num_rows:
        return
    stream = "list:" + batch.target if batch.kind == "list" else "value"
    part = mirror.value("SELECT max(part) FROM parts WHERE stream IN (?, ?) AND live", [stream, batch.record_type]) or 0
    with mirror.transaction():
        mirror.run(
            "DELETE FROM actual USING done, ids WHERE ids.record_type = done.record_type AND ids.id = done.id AND actual.record = "
            "ids.record AND actual.target = done.target",
            done=done,
        )
        mirror.run(
            f"INSERT INTO actual SELECT ids.record, done.target, done.after, {part} FROM done JOIN ids USING (record_type, id) WHERE "
            f"done.after IS NOT NULL",
            done=done,
        )
