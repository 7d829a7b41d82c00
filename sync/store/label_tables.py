"""Which segment does each record have, and which had it before that day?

Per segmentation the mirror holds ``labels_NAME`` and ``before_NAME`` (the state before the day of the labels),
and of labels that are made for a file alone ``file_labels_NAME`` and ``file_before_NAME``. Those of the
segmentation itself can be rebuilt from what the journal keeps of each day.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from sync.store.chunks import Span, within
from sync.store.ids import numbered
from sync.store.journal.labels import Labels
from sync.store.mirror import AccountMirror, literal, quoted
from sync.store.relation import Relation
from sync.store.scratch import readable

if TYPE_CHECKING:
    import pandas as pd

# What labels hold in addition to ``record``; memory.* and value.* columns of the kind come on top.
STATE = {"segment": "VARCHAR", "since": "DATE", "previous": "VARCHAR", "score": "DOUBLE", "reason": "VARCHAR"}
_COLUMNS = "record::BIGINT AS record, " + ", ".join(
    f"{column}::{sql_type} AS {column}" for column, sql_type in STATE.items()
)


_MORE = {"memory.": "BIGINT", "value.": "VARCHAR"}  # by prefix


def value_column(name: str) -> str:
    """SQL, on labels: a further value."""
    return quoted(f"value.{name}")


def _type_of_more(column: str) -> str:
    """SQL type of a column of the kind; "": it is none."""
    return next((sql_type for prefix, sql_type in _MORE.items() if column.startswith(prefix)), "")


def labels_of(segmentation: str) -> Relation:
    """(record, segment, since, previous, score, reason, …) of the last labelling."""
    return Relation(f"SELECT * FROM {quoted('labels_' + segmentation)}")


def labels_before(segmentation: str) -> Relation:
    """The same of the state that it started from."""
    return Relation(f"SELECT * FROM {quoted('before_' + segmentation)}")


class StateTables:
    """The labels of one segmentation, and those that they started from. Relations have the columns ``record``,
    ``STATE``, ``memory.*`` and ``value.*``.
    """

    def __init__(self, mirror: AccountMirror, name: str, prefix: str = "") -> None:
        self._mirror, self._name = mirror, name
        self._labels, self._before = f"{prefix}labels_{name}", f"{prefix}before_{name}"

    @property
    def exist(self) -> bool:
        """Whether the mirror has labels."""
        return self._mirror.has_table(self._labels)

    @property
    def labels(self) -> Relation:
        """The labels."""
        return self._rows(self._labels)

    @property
    def before(self) -> Relation:
        """The state that they started from."""
        return self._rows(self._before)

    def _rows(self, table: str) -> Relation:
        return Relation(f"SELECT * FROM {self._mirror.schema}.{quoted(table)}")

    def columns(self) -> set[str]:
        """Names of the columns of the labels."""
        return self._mirror.columns(self._labels)

    def sizes(self) -> dict[str, int]:
        """Segment → records."""
        rows = f"SELECT segment, count(*) FROM ({self.labels}) GROUP BY segment ORDER BY segment"
        return dict(self._mirror.rows(rows))

    def previous(self, span: Span) -> pd.DataFrame:
        """The state before of a span of records, for labelling to start from."""
        return self._mirror.run(f"SELECT * FROM ({self.before}) WHERE {within(span)} ORDER BY record").df()

    def every_previous(self) -> pd.DataFrame:
        """The state before of all records, where these are few."""
        return self._mirror.run(f"SELECT * FROM ({self.before}) ORDER BY record").df()

    def store(self, labels: pd.DataFrame, begun: bool) -> None:
        """Make these the labels, or append them to those that were ``begun``."""
        frame = pa.Table.from_pandas(labels, preserve_index=False)
        more = "".join(
            f", {quoted(c)}::{_type_of_more(c)} AS {quoted(c)}"
            for c in frame.column_names
            if _type_of_more(c)
        )
        table = quoted(self._labels)
        into = f"INSERT INTO {table} BY NAME" if begun else f"CREATE OR REPLACE TABLE {table} AS"
        self._mirror.run(f"{into} SELECT {_COLUMNS}{more} FROM frame", frame=frame)

    def with_values(self, names: Iterable[str]) -> None:
        """Let the labels have these further values; those that nobody gave are null."""
        for name in names:
            self._mirror.run(
                f"ALTER TABLE {quoted(self._labels)} ADD COLUMN IF NOT EXISTS {value_column(name)} VARCHAR"
            )

    def _turn(self) -> None:
        """Let the labels be the state before."""
        self._mirror.run(f"DROP TABLE IF EXISTS {quoted(self._before)}")
        self._mirror.run(f"ALTER TABLE {quoted(self._labels)} RENAME TO {quoted(self._before)}")


class LabelTables(StateTables):
    """Those of a segmentation of the config."""

    def stamp(self) -> dict[str, str]:
        """``as_of`` and ``key`` of the labels: of which day they are, and all that decided them; nothing where
        that is not known.
        """
        stamp: dict[str, str] = json.loads(self._mirror.stamp("labels:" + self._name) or "{}")
        return stamp

    def set_stamp(self, as_of: str, key: str | None) -> None:
        """Say what the labels were made from."""
        self._mirror.set_stamp("labels:" + self._name, json.dumps({"as_of": as_of, "key": key}))

    def restored(self, labels: Labels) -> Relation:
        """The labels; those that a new mirror lacks come back from the journal."""
        if self.exist:
            return self.labels
        if self._mirror.read_only:
            table = quoted("restored_" + self._name)
            _write_states(labels, self._mirror, self._name, None, table, "TEMP TABLE")
            return Relation(f"SELECT * FROM {table} WHERE segment IS NOT NULL")
        self._restore(labels, None, self._labels)
        return self.labels

    def _restore(self, labels: Labels, before: str | None, table: str) -> None:
        _write_states(labels, self._mirror, self._name, before, quoted(table))
        self._mirror.run(f"DELETE FROM {quoted(table)} WHERE segment IS NULL")

    @property
    def keeps_before(self) -> bool:
        """Whether the mirror keeps the state that these started from; it may be empty."""
        return self._mirror.has_table(self._before)

    def has_before(self) -> bool:
        """Whether there is a labelling that these started from."""
        return self.keeps_before and bool(self._mirror.value(f"SELECT count(*) FROM ({self.before})"))

    def moves(self) -> list[tuple[str | None, str | None, int]]:
        """(segment before, segment now, records); None: not in the population."""
        return self._mirror.rows(
            f"""SELECT b.segment, l.segment, count(*) FROM ({self.before}) AS b FULL JOIN ({self.labels}) AS l USING (record)
                GROUP BY ALL ORDER BY ALL"""
        )

    def moves_since(self, labels: Labels, day: str) -> list[tuple[str, str, int]]:
        """(segment on a day, segment now, records) of those that were labelled then; who stays is among them."""
        after = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
        with states(labels, self._mirror, self._name, after) as then:
            return self._mirror.rows(
                f"""SELECT t.segment, l.segment, count(*) FROM ({then}) AS t JOIN ({self.labels}) AS l USING (record)
                    GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"""
            )

    def begin(self, labels: Labels, as_of: str) -> date | None:
        """Make ``before`` the state before a day, for new labels; returns the day that it is of."""
        latest = labels.latest_day(self._mirror.name, self._name, as_of)
        before = json.loads(self._mirror.stamp("before:" + self._name) or "{}")
        if latest is not None and self.stamp().get("as_of") == latest:
            self._turn()
        elif before.get("as_of") != (latest or "") or not self._mirror.has_table(self._before):
            self._restore(labels, as_of, self._before)
        self._mirror.set_stamp("before:" + self._name, json.dumps({"as_of": latest or ""}))
        return date.fromisoformat(latest) if latest else None

    def keep(self, labels: Labels, before: str, population: Relation) -> bool:
        """Let the latest labels up to (without) a day be the labels, those of the records that are in the
        population; False where there are none.
        """
        with states(labels, self._mirror, self._name, before) as latest:
            if not self._mirror.value(f"SELECT count(*) FROM ({latest})"):
                return False
            self._mirror.run(
                f"CREATE OR REPLACE TABLE {quoted(self._labels)} AS SELECT * FROM ({latest}) WHERE record IN ({population})"
            )
        return True

    def changed(self, spans: Iterable[Span]) -> Iterator[pa.Table]:
        """Labels that differ from the state before, span by span, under (record_type, id); a record that left
        the population has a null segment.
        """
        mirror = self._mirror
        mine, theirs = self.columns(), mirror.columns(self._before)
        compared = sorted((mine & theirs) - {"record", "score"})
        differs = " OR ".join(
            [f"l.{quoted(c)} IS DISTINCT FROM b.{quoted(c)}" for c in compared]
            + (["true"] if mine - theirs else [])
        )
        for span in spans:
            labels, before, ids = (
                f"(SELECT * FROM {table} WHERE {within(span)})"
                for table in (quoted(self._labels), quoted(self._before), "ids")
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


class FileTables(StateTables):
    """Those of labels that are made for a file alone; each file starts from the labels of the file before."""

    _stamp = "filed_labels"

    def __init__(self, mirror: AccountMirror, name: str, prefix: str = "file_") -> None:
        super().__init__(mirror, name, prefix)

    def begin(self, as_of: str) -> date | None:
        """Make ``before`` the labels of an earlier day, for new labels; returns that day."""
        mirror = self._mirror
        stamp = json.loads(mirror.stamp(f"{self._stamp}:{self._name}") or "{}")
        before = stamp.get("before")
        if stamp.get("as_of") and stamp["as_of"] < as_of and self.exist:
            self._turn()
            before = stamp["as_of"]
        elif not before or before >= as_of or not mirror.has_table(self._before):
            before = None
        self._set_stamp(as_of, before)
        return date.fromisoformat(before) if before else None

    def forget(self) -> None:
        """Let the next labels start from nothing."""
        self._set_stamp(None, None)

    def _set_stamp(self, as_of: str | None, before: str | None) -> None:
        self._mirror.set_stamp(f"{self._stamp}:{self._name}", json.dumps({"as_of": as_of, "before": before}))


@contextmanager
def states(
    labels: Labels, mirror: AccountMirror, name: str, before: str, left: bool = False
) -> Iterator[Relation]:
    """What the journal kept last of each record of a segmentation up to (without) a day, as long as the block
    lasts; with ``left`` also records that left the population, with a null segment.
    """
    table = quoted("states_" + name)
    _write_states(labels, mirror, name, before, table, "TEMP TABLE")
    try:
        yield Relation(f"SELECT * FROM {table}" + ("" if left else " WHERE segment IS NOT NULL"))
    finally:
        mirror.run(f"DROP TABLE {table}")


def _write_states(
    labels: Labels, mirror: AccountMirror, name: str, before: str | None, table: str, made: str = "TABLE"
) -> None:
    columns = ", ".join(f"NULL::{sql_type} AS {column}" for column, sql_type in STATE.items())
    mirror.run(f"CREATE OR REPLACE {made} {table} AS SELECT NULL::BIGINT AS record, {columns} LIMIT 0")
    there = set(STATE)
    for _day, frame in labels.days(mirror.name, name, before, newest_first=True):
        mirror.register(frame)
        for column in [c for c in frame.column_names if _type_of_more(c) and c not in there]:
            mirror.run(f"ALTER TABLE {table} ADD COLUMN {quoted(column)} {_type_of_more(column)}")
            there.add(column)
        mirror.run(
            f"""INSERT INTO {table} BY NAME SELECT record, frame.* EXCLUDE (record_type, id) FROM frame JOIN ids USING (record_type, id)
                ANTI JOIN {table} USING (record)""",
            frame=frame,
        )


def under_ids(mirror: AccountMirror, rows: Relation, spans: Iterable[Span]) -> Iterator[pa.Table]:
    """States under (record_type, id), as the journal keeps them, span by span."""
    for span in spans:
        within_span = f"(SELECT * FROM ({rows}) WHERE {within(span)})"
        yield mirror.table(
            f"SELECT ids.record_type, ids.id, state.* EXCLUDE (record) FROM {within_span} AS state JOIN ids USING (record)"
        )


def label_reasons(mirror: AccountMirror, segmentation: str, changes: pa.Table) -> dict[tuple[str, str], str]:
    """(record type, id) → reason of the last labelling, of the records of those ``changes`` that are of the
    segmentation.
    """
    with readable(mirror, changes.select(["record_type", "id", "segmentation"])) as frame:
        of_segmentation = (
            f"SELECT DISTINCT record_type, id FROM ({frame}) WHERE segmentation = {literal(segmentation)}"
        )
        rows = mirror.rows(
            f"""SELECT named.record_type, named.id, label.reason FROM ({numbered(Relation(of_segmentation))}) AS named
                JOIN ({labels_of(segmentation)}) AS label USING (record) WHERE label.reason IS NOT NULL"""
        )
    return {(record_type, id): reason for record_type, id, reason in rows}
