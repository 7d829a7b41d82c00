"""How a page gets into the mirror: ids become numbers, parts replace what they held before, repeated rows are seen.

A part that is delivered whole is loaded beside the live one and takes its place with its last page, so that a
reader never sees half a file, and a killed process leaves at most rows that nobody reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from connectors.contract import ACTIVITY_SCHEMA, ATTRIBUTE, FIELD, RECORD_SCHEMA, RECORD_TYPES, Page
from sync.mirror import AccountMirror, literal, quoted

_SQL_TYPES = {pa.float64(): "DOUBLE", pa.date32(): "DATE", pa.bool_(): "BOOLEAN"}
_CONTENT = [
    "record_type",
    "record_id",
    "order_id",
    "kind",
    "occurred_at",
    "amount_minor",
    "quantity",
    "product",
    "category",
    "channel",
    "campaign",
    "answer",
]


@dataclass
class Ingested:
    """What the last page of a part told: rows that the part holds now, held before, and rows that repeat others."""

    rows: int = 0
    rows_before: int = 0
    echo: int = 0  # values that came back as the mirror already had them
    repeated: list[tuple[str, int, str | None]] = field(default_factory=list)  # part, line, record id


class Ingest:
    """Takes the pages of one stream of one account. Every call is one transaction, the position included."""

    def __init__(self, mirror: AccountMirror, stream: str, time_zone: str) -> None:
        self._mirror = mirror
        self._stream = stream
        self._time_zone = time_zone

    def take(self, page: Page) -> Ingested | None:
        """Store a page; an answer comes with the last page of a part. ``undo_part`` can still take that part back."""
        mirror = self._mirror
        part = self._part(page)
        mirror.run("UPDATE parts SET rejected = rejected + ? WHERE part = ?", [page.rejected, part])
        if self._stream == "activity":
            self._add_activity(page.records, part)
        elif page.records.num_rows and any(n.startswith(FIELD) for n in page.records.column_names):
            mirror.register(page.records)
            self._add_values(page.records, part, page.whole)
        if self._stream in RECORD_TYPES:
            mirror.register(page.records)
            self._add_records(page.records, part, page.whole)
        answer = self._finish(page, part) if page.last else None
        mirror.set_position(self._stream, page.position)
        return answer

    # -- parts ---------------------------------------------------------------------------------------------

    def _part(self, page: Page) -> int:
        """Number of the part that the page's rows go to; a whole part is loaded under a number of its own."""
        mirror, stream = self._mirror, self._stream
        if page.first and page.whole:
            for (stale,) in mirror.rows("SELECT part FROM parts WHERE stream = ? AND name = ? AND NOT live", [stream, page.part]):
                self._drop(stale)
        live = not page.whole
        found = mirror.value("SELECT max(part) FROM parts WHERE stream = ? AND name = ? AND live = ?", [stream, page.part, live])
        if found is not None:
            return int(found)
        number = int(mirror.value("SELECT coalesce(max(part), 0) + 1 FROM parts"))
        mirror.run("INSERT INTO parts VALUES (?, ?, ?, ?, 0)", [number, stream, page.part, live])
        return number

    def _drop(self, part: int) -> None:
        for table in ("records", "activity", "parked", "actual", "parts"):
            self._mirror.run(f"DELETE FROM {table} WHERE part = {part}")

    def _finish(self, page: Page, part: int) -> Ingested:
        answer = Ingested()
        old = None
        if page.whole:
            old = self._mirror.value("SELECT max(part) FROM parts WHERE stream = ? AND name = ? AND live", [self._stream, page.part])
        if self._stream == "activity":
            self._finish_activity(part, old, answer)
        elif self._stream in RECORD_TYPES:
            self._finish_records(part, old, answer)
        else:
            self._finish_values(part, old, answer)
        if old is not None:
            self._drop(old)
        self._mirror.run("UPDATE parts SET live = true WHERE part = ?", [part])
        if self._stream == "activity" or self._stream in RECORD_TYPES:
            self._mirror.touched()
        return answer

    def _name(self, part: int) -> str:
        return str(self._mirror.value("SELECT name FROM parts WHERE part = ?", [part]))

    # -- records -------------------------------------------------------------------------------------------

    def _add_records(self, frame: pa.Table, part: int, whole: bool) -> None:
        mirror = self._mirror
        if not whole:  # a connector may give a record again: the newer row takes the place of the older
            mirror.run("DELETE FROM records WHERE record IN (SELECT record FROM frame JOIN ids USING (record_type, id))", frame=frame)
        known = mirror.attributes()
        columns = [c for c in frame.column_names if c in RECORD_SCHEMA.names and c not in ("record_type", "id")]
        for column in frame.column_names:
            if column.startswith(ATTRIBUTE):
                columns.append(column)
                if column not in known:
                    kind = _SQL_TYPES.get(frame.schema.field(column).type, "VARCHAR")
                    mirror.run(f"ALTER TABLE records ADD COLUMN {quoted(column)} {kind}")
        names = ", ".join(quoted(c) for c in columns)
        chosen = "".join(f", frame.{quoted(c)}" for c in columns)
        mirror.run(
            f"INSERT INTO records (record, part{', ' + names if names else ''}) SELECT ids.record, {part}{chosen} FROM frame JOIN ids "
            f"USING (record_type, id)",
            frame=frame,
        )

    def _finish_records(self, part: int, old: int | None, answer: Ingested) -> None:
        """The last row of an id wins; what a whole part no longer names is gone, unless it may stand in a rejected row."""
        mirror = self._mirror
        repeated = mirror.rows(
            f"""SELECT line, record FROM records WHERE part = {part}
                QUALIFY row_number() OVER (PARTITION BY record ORDER BY line DESC NULLS LAST) > 1"""
            if mirror.value(f"SELECT count(*) <> count(DISTINCT record) FROM records WHERE part = {part}")
            else "SELECT line, record FROM records WHERE false"
        )
        if repeated:
            name = self._name(part)
            ids = dict(mirror.rows(f"SELECT record, id FROM ids WHERE record IN (SELECT record FROM records WHERE part = {part})"))
            answer.repeated = [(name, line, ids[record]) for line, record in repeated]
            mirror.run(
                f"""DELETE FROM records WHERE part = {part} AND rowid NOT IN
                    (SELECT arg_max(rowid, (coalesce(line, 0), rowid)) FROM records WHERE part = {part} GROUP BY record)"""
            )
        if old is not None:
            answer.rows_before = mirror.value(f"SELECT count(*) FROM records WHERE part = {old}")
            missing = f"part = {old} AND record NOT IN (SELECT record FROM records WHERE part = {part})"
            vanished = mirror.value(f"SELECT count(*) FROM records WHERE {missing}")
            if 0 < vanished <= mirror.value("SELECT rejected FROM parts WHERE part = ?", [part]):
                mirror.run(f"UPDATE records SET part = {part} WHERE {missing}")
        answer.rows = mirror.value(f"SELECT count(*) FROM records WHERE part = {part}")
        mirror.run(
            f"DELETE FROM records WHERE part <> {part} AND record IN (SELECT record FROM records WHERE part = {part}) AND part IN "
            f"(SELECT part FROM parts WHERE live)"
        )
        mirror.run(f"DELETE FROM records WHERE part = {part} AND deleted AND merged_into IS NULL AND converted_to IS NULL")

    # -- activity ------------------------------------------------------------------------------------------

    def _add_activity(self, frame: pa.Table, part: int) -> None:
        """Insert rows of known records; park those of records that we have not seen."""
        if not frame.num_rows:
            return
        mirror = self._mirror
        schema = [f for f in ACTIVITY_SCHEMA if f.name in frame.column_names]
        frame = frame.select([f.name for f in schema]).cast(pa.schema(schema))
        for name in ("occurred_at", "recorded_at"):  # without a zone: arithmetic, not a calendar, on every row
            if name in frame.column_names:
                index = frame.column_names.index(name)
                frame = frame.set_column(index, name, frame[name].cast(pa.timestamp("us")))
        if "deleted" in frame.column_names:
            frame = self._without_deleted(frame, part)
        day, join_day = self._day(frame)
        columns = self._expressions(frame, part, day)
        inserted = 0
        for record_type in frame["record_type"].unique().to_pylist():
            source = f"""FROM frame {join_day} JOIN (SELECT ids.record, ids.id FROM ids JOIN (SELECT DISTINCT record FROM records) USING
                (record)
                         WHERE ids.record_type = {literal(record_type)}) AS known ON frame.record_id = known.id WHERE frame.record_type =
                             {literal(record_type)}"""
            inserted += mirror.value(f"INSERT INTO activity SELECT known.record, {columns} {source}", frame=frame)
        if inserted < frame.num_rows:
            mirror.run(
                f"""INSERT INTO parked SELECT frame.record_type, frame.record_id, {columns} FROM frame {join_day}
                    ANTI JOIN (SELECT ids.record_type, ids.id AS record_id FROM ids JOIN (SELECT DISTINCT record FROM records) USING
                        (record)) AS known
                    USING (record_type, record_id)""",
                frame=frame,
            )

    def _expressions(self, frame: pa.Table, part: int, day: str) -> str:
        """The columns of ``activity`` after ``record``, from those that the page has."""

        def column(name: str, kind: str) -> str:
            return f"frame.{name}" if name in frame.column_names else f"NULL::{kind}"

        content = "hash(" + ", ".join(f"frame.{c}" for c in _CONTENT if c in frame.column_names) + ")"
        named = "frame.id IS NOT NULL" if "id" in frame.column_names else "false"
        key = f"CASE WHEN {named} THEN hash('id', frame.id) ELSE {content} END" if "id" in frame.column_names else content
        order = "(hash(frame.order_id) >> 1)::BIGINT" if "order_id" in frame.column_names else "NULL::BIGINT"
        if "order_id" in frame.column_names:
            order = f"CASE WHEN frame.order_id IS NOT NULL THEN {order} END"
        amount = column("amount_minor", "BIGINT")
        if "share" in frame.column_names:
            amount = f"CASE WHEN frame.share IS NULL THEN {amount} ELSE round_even({amount} * frame.share, 0)::BIGINT END"
        texts = ", ".join(column(name, "VARCHAR") for name in ("product", "category", "channel", "campaign", "answer"))
        return (
            f"{part}, {column('line', 'BIGINT')}, {key}, {named}, false, {order}, frame.kind, {day}, frame.occurred_at, "
            f"{column('recorded_at', 'TIMESTAMP')}, {amount}, {column('quantity', 'DOUBLE')}, {texts}"
        )

    def _day(self, frame: pa.Table) -> tuple[str, str]:
        """Local day of ``occurred_at``: an expression and the join that it needs.

        Zones change their offset on quarters of an hour, so each quarter that occurs is asked about once.
        """
        if self._time_zone in ("UTC", "Etc/UTC"):
            return "frame.occurred_at::DATE", ""
        zone = literal(self._time_zone)
        self._mirror.run(
            f"""CREATE OR REPLACE TEMP TABLE quarters AS
                SELECT quarter, timezone({zone}, timezone('UTC', make_timestamp(quarter * 900000000)))::DATE AS day
                FROM (SELECT DISTINCT epoch_us(occurred_at) // 900000000 AS quarter FROM frame)""",
            frame=frame,
        )
        return "quarters.day", "JOIN quarters ON epoch_us(frame.occurred_at) // 900000000 = quarters.quarter"

    def _without_deleted(self, frame: pa.Table, part: int) -> pa.Table:
        """Rows that say ``deleted`` take the named row out of the mirror, and go no further themselves."""
        import pyarrow.compute as pc

        gone = pc.fill_null(frame["deleted"], False)
        if pc.any(gone).as_py() and "id" in frame.column_names:
            for table in ("activity", "parked"):
                self._mirror.run(f"DELETE FROM {table} WHERE named AND key IN (SELECT hash('id', id) FROM gone)", gone=frame.filter(gone))
        return frame.filter(pc.invert(gone)).drop_columns(["deleted"])

    def _finish_activity(self, part: int, old: int | None, answer: Ingested) -> None:
        mirror = self._mirror
        count = "SELECT (SELECT count(*) FROM activity WHERE part = {0}) + (SELECT count(*) FROM parked WHERE part = {0})"
        answer.rows = mirror.value(count.format(part))
        if old is not None:
            answer.rows_before = mirror.value(count.format(old))
            if mirror.value(f"SELECT count(*) FROM activity WHERE shadowed AND part NOT IN ({part}, {old})"):
                self._unshadow(old)
        others = "part IN (SELECT part FROM parts WHERE stream = 'activity' AND live)" + (f" AND part <> {old}" if old is not None else "")
        for table in ("activity", "parked"):
            for line, record in self._shadow_named(table, part, others):
                answer.repeated.append((self._name(part), line, record))
            self._shadow_content(table, part, others)

    def _unshadow(self, old: int) -> None:
        """Rows elsewhere that gave way to the part which is now replaced count again, if nothing else repeats them."""
        self._mirror.run(
            f"UPDATE activity SET shadowed = false WHERE shadowed AND part <> {old} AND key IN (SELECT key FROM activity WHERE part = "
            f"{old} AND NOT shadowed)"
        )

    def _shadow_named(self, table: str, part: int, others: str) -> list[tuple[int, str | None]]:
        """A repeated id: the last row wins. Returns the lines of rows in this part that lost to a later one."""
        mirror = self._mirror
        if not mirror.value(f"SELECT count(*) FROM {table} WHERE part = {part} AND named"):
            return []
        lost: list[tuple[int, str | None]] = []
        if self._has_repeats(table, part):
            twice = f"(SELECT key FROM {table} WHERE part = {part} AND named GROUP BY key HAVING count(*) > 1)"
            last = f"(SELECT arg_max(rowid, (coalesce(line, 0), rowid)) FROM {table} WHERE part = {part} AND key IN {twice} GROUP BY key)"
            losers = f"part = {part} AND NOT shadowed AND key IN {twice} AND rowid NOT IN {last}"
            id_of = f"(SELECT id FROM ids WHERE ids.record = {table}.record)" if table == "activity" else "id"
            lost = [(line, id) for line, id in mirror.rows(f"SELECT line, {id_of} FROM {table} WHERE {losers} ORDER BY line")]
            mirror.run(f"UPDATE {table} SET shadowed = true WHERE {losers}")
        mirror.run(
            f"UPDATE {table} SET shadowed = true WHERE named AND NOT shadowed AND {others} AND part <> {part} AND key IN (SELECT key "
            f"FROM {table} WHERE part = {part} AND named)"
        )
        return lost

    def _has_repeats(self, table: str, part: int) -> bool:
        """Whether a key stands twice. Sorting 20 million numbers is 8 times cheaper than grouping by them."""
        keys = np.sort(self._mirror.run(f"SELECT key FROM {table} WHERE part = {part} AND named").fetchnumpy()["key"])
        return bool((keys[1:] == keys[:-1]).any())

    def _shadow_content(self, table: str, part: int, others: str) -> None:
        """Without an id a row is known by its content and its n-th occurrence in its part: the n-th of another part is the same."""
        mirror = self._mirror
        if not mirror.value(f"SELECT count(*) FROM {table} WHERE {others} AND part <> {part} AND NOT named"):
            return
        record = "record" if table == "activity" else "id"
        shared = (
            f"(SELECT key FROM {table} WHERE part = {part} AND NOT named INTERSECT SELECT key FROM {table} WHERE {others} AND "
            f"part <> {part} AND NOT named)"
        )
        numbered = f"""SELECT rowid AS place, part, key, {record} AS owner, day, amount,
                       row_number() OVER (PARTITION BY part, key, {record}, day, amount ORDER BY line, rowid) AS nth
                       FROM {table} WHERE NOT named AND key IN {shared} AND (part = {part} OR {others})"""
        mirror.run(
            f"""UPDATE {table} SET shadowed = true WHERE part = {part} AND rowid IN (
                WITH numbered AS ({numbered})
                SELECT n.place FROM numbered AS n SEMI JOIN (SELECT * FROM numbered WHERE part <> {part}) AS o
                ON n.key = o.key AND n.owner = o.owner AND n.day = o.day AND n.amount IS NOT DISTINCT FROM o.amount AND n.nth = o.nth
                WHERE n.part = {part})"""
        )

    # -- values and members --------------------------------------------------------------------------------

    def _add_values(self, frame: pa.Table, part: int, whole: bool) -> None:
        """What the CRM holds in our fields: only values that exist become rows."""
        for column in frame.column_names:
            if column.startswith(FIELD):
                target = literal(column.removeprefix(FIELD))
                if not whole:
                    self._mirror.run(
                        f"DELETE FROM actual WHERE target = {target} AND record IN (SELECT record FROM frame JOIN ids USING "
                        f"(record_type, id))",
                        frame=frame,
                    )
                self._mirror.run(
                    f"""INSERT INTO actual SELECT ids.record, {target}, frame.{quoted(column)}, {part}
                        FROM frame JOIN ids USING (record_type, id) WHERE frame.{quoted(column)} IS NOT NULL""",
                    frame=frame,
                )

    def _finish_values(self, part: int, old: int | None, answer: Ingested) -> None:
        mirror = self._mirror
        answer.rows = mirror.value(f"SELECT count(*) FROM actual WHERE part = {part}")
        if old is not None:
            answer.rows_before = mirror.value(f"SELECT count(*) FROM actual WHERE part = {old}")
        answer.echo = answer.rows


def take_members(mirror: AccountMirror, target: str, page: Page) -> None:
    """Store a page of a static list's members as values of the target that the list is."""
    ingest = Ingest(mirror, "list:" + target, "UTC")
    frame = page.records.append_column(FIELD + target, pa.repeat("member", page.records.num_rows))
    ingest.take(Page(frame, page.position, page.part, page.whole, page.first, page.last, page.rejects, page.rejected))
