"""Labels that are kept: ``labels_NAME`` and ``before_NAME`` in the mirror, rebuilt from what the journal
keeps of each day.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

from sync.account.session import Session
from sync.label.chunks import Span, within
from sync.store.mirror import AccountMirror, quoted

if TYPE_CHECKING:
    import pandas as pd

# What labels hold beside ``record``; memory.* columns of the kind come on top.
STATE = {"segment": "VARCHAR", "since": "DATE", "previous": "VARCHAR", "score": "DOUBLE", "reason": "VARCHAR"}
_COLUMNS = "record::BIGINT AS record, " + ", ".join(
    f"{column}::{kind} AS {column}" for column, kind in STATE.items()
)


def prepare_before(session: Session, name: str) -> date | None:
    """Make ``before_NAME`` the state before ``session.as_of``; returns the day that state is of."""
    mirror, as_of = session.mirror(), session.as_of.isoformat()
    latest = session.journal.value(
        "SELECT max(as_of) FROM labels WHERE account = ? AND segmentation = ? AND as_of < ?",
        session.account,
        name,
        as_of,
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
    latest_state(session, name, before, table)
    session.mirror().run(f"DELETE FROM {quoted(table)} WHERE segment IS NULL")


def latest_state(session: Session, name: str, before: str | None, table: str) -> None:
    """A table of what the journal kept last of each record up to (without) ``before``; a null segment: it
    left the population.
    """
    mirror, target = session.mirror(), quoted(table)
    columns = ", ".join(f"NULL::{kind} AS {column}" for column, kind in STATE.items())
    mirror.run(f"CREATE OR REPLACE TABLE {target} AS SELECT NULL::BIGINT AS record, {columns} LIMIT 0")
    for _day, frame in session.journal.labels.days(session.account, name, before, newest_first=True):
        mirror.register(frame)
        for column in {c for c in frame.column_names if c.startswith("memory.")} - mirror.columns(table):
            mirror.run(f"ALTER TABLE {target} ADD COLUMN {quoted(column)} BIGINT")
        mirror.run(
            f"""INSERT INTO {target} BY NAME SELECT record, frame.* EXCLUDE (record_type, id) FROM frame JOIN ids USING (record_type, id)
                ANTI JOIN {target} USING (record)""",
            frame=frame,
        )


def store(
    mirror: AccountMirror, table: str, labels: pd.DataFrame, begun: bool = False, kind: str = "TABLE"
) -> None:
    """Make a state table of labels, or append to the one that was ``begun`` with labels of the same
    segmentation.
    """
    frame = pa.Table.from_pandas(labels, preserve_index=False)
    memory = "".join(", " + quoted(c) for c in frame.column_names if c.startswith("memory."))
    into = f"INSERT INTO {quoted(table)} BY NAME" if begun else f"CREATE OR REPLACE {kind} {quoted(table)} AS"
    mirror.run(f"{into} SELECT {_COLUMNS}{memory} FROM frame", frame=frame)


def keep(mirror: AccountMirror, name: str, population: str) -> None:
    """Make ``kept_NAME`` the labels of the records that are still in the population, given as SQL of their
    numbers.
    """
    kept, labels = quoted("kept_" + name), quoted("labels_" + name)
    mirror.run(f"CREATE OR REPLACE TABLE {labels} AS SELECT * FROM {kept} WHERE record IN ({population})")
    mirror.run(f"DROP TABLE {kept}")


def changed(mirror: AccountMirror, name: str, spans: Iterable[Span]) -> Iterator[pa.Table]:
    """Rows of the state that this day changed, span by span; a record that left the population has a null
    segment.
    """
    mine, theirs = mirror.columns("labels_" + name), mirror.columns("before_" + name)
    compared = sorted((mine & theirs) - {"record", "score"})
    differs = " OR ".join(
        [f"l.{quoted(c)} IS DISTINCT FROM b.{quoted(c)}" for c in compared]
        + (["true"] if mine - theirs else [])
    )
    for span in spans:
        labels, before, ids = (
            f"(SELECT * FROM {table} WHERE {within(span)})"
            for table in (quoted("labels_" + name), quoted("before_" + name), "ids")
        )
        # Two queries: as one UNION, DuckDB 1.5 waits for itself for ever at a million records.
        news = mirror.table(
            f"""SELECT ids.record_type, ids.id, l.* EXCLUDE (record) FROM {labels} AS l JOIN {ids} AS ids USING (record)
                LEFT JOIN {before} AS b USING (record) WHERE b.record IS NULL OR {differs}"""
        )
        left = mirror.table(
            f"""SELECT ids.record_type, ids.id, NULL::VARCHAR AS segment FROM {before} AS b JOIN {ids} AS ids USING (record)
                ANTI JOIN {labels} AS l USING (record)"""
        )
        yield pa.concat_tables([news, left], promote_options="default")
