"""Labels that are kept: ``labels_NAME`` and ``before_NAME`` in the mirror, rebuilt from what the journal keeps of each day."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

from sync.account.session import Session
from sync.store.mirror import AccountMirror, quoted

if TYPE_CHECKING:
    import pandas as pd

# What labels hold beside ``record``; memory.* columns of the kind come on top.
STATE = {"segment": "VARCHAR", "since": "DATE", "previous": "VARCHAR", "score": "DOUBLE", "reason": "VARCHAR"}


def prepare_before(session: Session, name: str) -> date | None:
    """Make ``before_NAME`` the state before ``session.as_of``; returns the day that state is of."""
    mirror, as_of = session.mirror(), session.as_of.isoformat()
    latest = session.journal.value(
        "SELECT max(as_of) FROM labels WHERE account = ? AND segmentation = ? AND as_of < ?", session.account, name, as_of
    )
    before = json.loads(mirror.stamp("before:" + name) or "{}")
    now = json.loads(mirror.stamp("labels:" + name) or "{}")
    if now.get("as_of") == latest and latest is not None:
        mirror.run(f"DROP TABLE IF EXISTS {quoted('before_' + name)}")
        mirror.run(f"ALTER TABLE {quoted('labels_' + name)} RENAME TO {quoted('before_' + name)}")
    elif before.get("as_of") != (latest or "") or not mirror.has_table("before_" + name):
        rebuild_state(session, name, as_of, "before_" + name)
    mirror.set_stamp("before:" + name, json.dumps({"as_of": latest or ""}))
    return date.fromisoformat(latest) if latest else None


def rebuild_state(session: Session, name: str, before: str | None, table: str) -> None:
    """A state table from what the journal keeps of each day up to (without) ``before``."""
    mirror = session.mirror()
    columns = ", ".join(f"NULL::{kind} AS {column}" for column, kind in STATE.items())
    mirror.run(f"CREATE OR REPLACE TABLE {quoted(table)} AS SELECT NULL::BIGINT AS record, {columns} LIMIT 0")
    days = [t.append_column("as_of", pa.repeat(day, t.num_rows)) for day, t in session.journal.labels(session.account, name, before)]
    if not days:
        return
    frame = pa.concat_tables(days, promote_options="permissive")
    mirror.register(frame)
    mirror.run(
        f"""CREATE OR REPLACE TABLE {quoted(table)} AS SELECT record, frame.* EXCLUDE (record_type, id, as_of) FROM frame JOIN ids USING
            (record_type, id)
            QUALIFY row_number() OVER (PARTITION BY record ORDER BY as_of DESC) = 1""",
        frame=frame,
    )
    mirror.run(f"DELETE FROM {quoted(table)} WHERE segment IS NULL")


def store(mirror: AccountMirror, name: str, labels: pd.DataFrame) -> None:
    frame = pa.Table.from_pandas(labels, preserve_index=False)
    kinds = ", ".join(f"{column}::{kind} AS {column}" for column, kind in STATE.items())
    memory = "".join(", " + quoted(c) for c in frame.column_names if c.startswith("memory."))
    mirror.run(
        f"CREATE OR REPLACE TABLE {quoted('labels_' + name)} AS SELECT record::BIGINT AS record, {kinds}{memory} FROM frame", frame=frame
    )


def changed(mirror: AccountMirror, name: str) -> pa.Table:
    """Rows of the state that this day changed; a record that left the population has a null segment."""
    labels, before = quoted("labels_" + name), quoted("before_" + name)
    mine = {
        c
        for (c,) in mirror.rows(
            "SELECT column_name FROM duckdb_columns() WHERE schema_name = ? AND table_name = ?", [mirror.name, "labels_" + name]
        )
    }
    theirs = {
        c
        for (c,) in mirror.rows(
            "SELECT column_name FROM duckdb_columns() WHERE schema_name = ? AND table_name = ?", [mirror.name, "before_" + name]
        )
    }
    compared = sorted((mine & theirs) - {"record", "score"})
    differs = " OR ".join([f"l.{quoted(c)} IS DISTINCT FROM b.{quoted(c)}" for c in compared] + (["true"] if mine - theirs else []))
    # Two queries: as one UNION, DuckDB 1.5 waits for itself for ever at a million records.
    changed = mirror.table(
        f"""SELECT ids.record_type, ids.id, l.* EXCLUDE (record) FROM {labels} AS l JOIN ids USING (record) LEFT JOIN {before} AS b USING
            (record)
            WHERE b.record IS NULL OR {differs}"""
    )
    left = mirror.table(
        f"""SELECT ids.record_type, ids.id, NULL::VARCHAR AS segment FROM {before} AS b JOIN ids USING (record) ANTI JOIN {labels} AS l
                USING (record)"""
    )
    return pa.concat_tables([changed, left], promote_options="default")
