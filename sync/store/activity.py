"""How activity gets into the mirror: each row finds its record and its local day, and rows that repeat
another do not count.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import IdType
from connectors.schemas import ACTIVITY_SCHEMA
from sync.store import activity_owner, repeats
from sync.store.identity_resolution import settle, unsettle
from sync.store.mirror import AccountMirror, literal, quoted
from sync.store.record_numbers import WORTH_IT, RecordNumbers, record_numbers

# Columns that a mirror has once a page brings them: an empty column of 20 million rows still costs seconds.
OPTIONAL = {
    "recorded_at": "TIMESTAMP",
    "updated_at": "TIMESTAMP",
    "quantity": "DOUBLE",
    "product": "VARCHAR",
    "channel": "VARCHAR",
    "campaign": "VARCHAR",
    "answer": "VARCHAR",
}
ASKED_ALONE = 5  # small pages that look their own records up
# What a row without an id is known by.
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
]
_CONTENT += ["campaign", "answer", "record_email"]


class Activity:
    """The activity of one account. ``known`` records are looked up once: records arrive before activity does.

    Where ids are compared as they are and nobody is named by an address, a row finds its record by its exact
    id; else by its name (``sync.store.activity_owner``). With ``newest_wins`` repeated rows are told when all parts
    are there (``sync.store.repeats``).
    """

    def __init__(
        self,
        mirror: AccountMirror,
        time_zone: str,
        shared_ids: bool = False,
        id_type: IdType = "text",
        newest_wins: bool = False,
    ) -> None:
        self._mirror = mirror
        # several records may stand under one id; else an id that comes again is a slip
        self._shared = shared_ids
        self._id_type = id_type
        self._newest = newest_wins
        self._time_zone = time_zone
        self._prepared = False
        self._all_known = False  # all records were looked up, not those of a page alone
        self._asked = 0  # pages that asked for theirs
        self._numbers: dict[str, RecordNumbers | None] = {}  # by record type, once a large page asks
        self._looked_up: bool | None = None  # names; true: addresses, too

    def widen(self, page: pa.Table) -> None:
        """Columns that the tables do not have yet.

        First thing in a transaction: DuckDB alters no table that it has changed before.
        """
        wanted = {name: kind for name, kind in OPTIONAL.items() if name in page.column_names}
        if self._by_name(page):
            wanted[activity_owner.COLUMN] = "BIGINT"
        for name, kind in wanted.items():
            if name not in self._mirror.columns("activity"):
                for table in ("activity", "parked"):
                    self._mirror.run(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")

    def _by_name(self, page: pa.Table) -> bool:
        """Whether rows find their record by their name: they may say more, or something else, than its exact
        id.
        """
        return self._id_type != "text" or _names_addresses(page)

    def add(self, page: pa.Table, part: int) -> None:
        """Insert rows of known records; park those of records that we have not seen."""
        frame = self._without_deleted(_plain(page))
        if not frame.num_rows:
            return
        if self._shared and "id" in frame.column_names:
            self._forget("part = " + str(part), frame.select(["id"]).drop_null())
        self._prepare()
        if self._by_name(page):
            self._add_by_name(frame, part)
        else:
            self._add_by_id(frame, part)

    def _add_by_id(self, frame: pa.Table, part: int) -> None:
        mirror = self._mirror
        self._look_up_ids(frame if "record_id" in frame.column_names else None)
        columns = _columns(frame, part, self._day(frame))
        names = ", ".join(quoted(name) for name in columns)
        values = ", ".join(columns.values())
        added = 0
        for record_type in frame["record_type"].unique().to_pylist():
            of_type = f"record_type = {literal(record_type)}"
            numbers = self._numbers_of(frame, record_type)
            if numbers is None:
                found = (
                    f"known.record, {values} FROM frame JOIN (SELECT * FROM known WHERE {of_type}) AS known"
                )
                found += f" ON frame.record_id = known.id WHERE frame.{of_type}"
            else:
                found = (
                    f"frame.record, {values} FROM frame WHERE frame.record IS NOT NULL AND frame.{of_type}"
                )
            added += mirror.value(
                f"INSERT INTO activity (record, {names}) SELECT {found}",
                frame=frame if numbers is None else frame.append_column("record", numbers),
            )
        if added < frame.num_rows:
            mirror.run(
                f"""INSERT INTO parked (record_type, id, {names}) SELECT frame.record_type, frame.record_id, {values} FROM frame
                    ANTI JOIN known ON frame.record_type = known.record_type AND frame.record_id = known.id""",
                frame=frame,
            )

    def _numbers_of(self, frame: pa.Table, record_type: str) -> pa.Array | None:
        """The record of each row, as far as it is of a type; None where SQL has to look for it."""
        if frame.num_rows < WORTH_IT or "record_id" not in frame.column_names:
            return None
        if record_type not in self._numbers:
            self._numbers[record_type] = record_numbers(self._mirror, "known", record_type)
        numbers = self._numbers[record_type]
        return None if numbers is None else numbers.of(frame["record_id"])

    def _add_by_name(self, frame: pa.Table, part: int) -> None:
        mirror = self._mirror
        self._look_up_ids()
        addressed = "record_email" in frame.column_names
        if self._looked_up is None or (addressed and not self._looked_up):
            activity_owner.look_up_names(mirror, addressed)
            self._looked_up = addressed
        for name in ("record_id", "record_email"):
            if name not in frame.column_names:
                frame = frame.append_column(name, pa.nulls(frame.num_rows, pa.string()))
        frame = activity_owner.with_names(mirror, frame)
        activity_owner.learn(mirror, frame)
        day = self._day(frame)
        columns = {**_columns(frame, part, day, _person(self._id_type)), activity_owner.COLUMN: "names.name"}
        listed, values = ", ".join(quoted(name) for name in columns), ", ".join(columns.values())
        source = "frame JOIN names ON frame.name = names.name"
        strangers = frame.num_rows - mirror.value(
            f"INSERT INTO activity (record, {listed}) SELECT names.record, {values} FROM {source} WHERE names.record IS NOT NULL",
            frame=frame,
        )
        if strangers:
            mirror.run(
                f"""INSERT INTO parked (record_type, id, email, {listed}) SELECT names.record_type, names.id, names.email, {values}
                    FROM {source} WHERE names.record IS NULL""",
                frame=frame,
            )

    def _prepare(self) -> None:
        mirror = self._mirror
        if not self._prepared:
            mirror.set_stamp("newest_wins", "yes" if self._newest else "no")
            if mirror.stamp("id_type") != self._id_type:
                mirror.set_stamp("id_type", self._id_type)
                unsettle(mirror)
            settle(mirror)
            self._prepared = True

    def _look_up_ids(self, page: pa.Table | None = None) -> None:
        """A few small pages ask for the ids that they name; more, or a large one, for all at once."""
        if self._all_known:
            return
        self._asked += 1
        alone = page is not None and page.num_rows < WORTH_IT and self._asked <= ASKED_ALONE
        activity_owner.look_up_ids(self._mirror, page if alone else None)
        self._all_known = not alone

    def _day(self, frame: pa.Table) -> str:
        """SQL of the local day of ``occurred_at``.

        Zones change their offset on quarters of an hour, so each quarter that occurs is asked about once; between
        the changes, which are few, the offset is a constant.
        """
        if self._time_zone in ("UTC", "Etc/UTC"):
            return "frame.occurred_at::DATE"
        zone = literal(self._time_zone)
        self._mirror.run(
            """CREATE OR REPLACE TEMP TABLE quarters AS
               SELECT DISTINCT epoch_us(occurred_at) // 900000000 * 900000000 AS quarter FROM frame""",
            frame=frame,
        )
        offsets = self._mirror.rows(
            f"""SELECT quarter, ahead FROM (
                    SELECT quarter, ahead, lag(ahead) OVER (ORDER BY quarter) AS before FROM (
                        SELECT quarter, epoch_us(timezone({zone}, timezone('UTC', make_timestamp(quarter)))) - quarter AS ahead
                        FROM quarters))
                WHERE ahead IS DISTINCT FROM before ORDER BY quarter DESC"""
        )
        if not offsets:
            return "NULL::DATE"
        moment, (*later, (_, earliest)) = "epoch_us(frame.occurred_at)", offsets
        cases = "".join(f" WHEN {moment} >= {quarter} THEN {ahead}" for quarter, ahead in later)
        offset = f"CASE{cases} ELSE {earliest} END" if cases else str(earliest)
        return f"make_timestamp({moment} + {offset})::DATE"

    def _without_deleted(self, frame: pa.Table) -> pa.Table:
        """Rows that say ``deleted`` take what stands under their id out of the mirror, and go no further
        themselves.
        """
        if "deleted" not in frame.column_names:
            return frame
        gone = pc.fill_null(frame["deleted"], False)
        if pc.any(gone).as_py() and "id" in frame.column_names:
            ids = frame.filter(gone).select(["id"]).drop_null()
            self._forget("true", ids)
            if self._shared:
                gone = pc.or_(gone, pc.is_in(frame["id"], value_set=ids["id"].combine_chunks()))
        return frame.filter(pc.invert(gone)).drop_columns(["deleted"])

    def _forget(self, where: str, ids: pa.Table) -> None:
        """Take all rows of these ids out, of the parts that meet a SQL condition."""
        for table in ("activity", "parked"):
            self._mirror.run(
                f"DELETE FROM {table} WHERE {where} AND named AND key IN (SELECT hash('id', id) FROM gone)",
                gone=ids,
            )

    # -- rows that repeat another --------------------------------------------------------------------------

    def fold(self, part: int, old: int | None) -> list[tuple[int, str | None]]:
        """Shadow what repeats another row, now that a part is whole; (line, record id) of rows whose id a
        later row has too.
        """
        mirror = self._mirror
        if self._newest:
            return repeats.fold(mirror, part, old)
        if old is not None:
            self._unshadow(part, old)
        others = "part IN (SELECT part FROM parts WHERE stream = 'activity' AND live)" + (
            f" AND part <> {old}" if old is not None else ""
        )
        lost = []
        if self._shared:
            self._give_way(part, others)
        for table in ("activity", "parked"):
            if not self._shared and mirror.value(
                f"SELECT count(*) FROM {table} WHERE part = {part} AND named"
            ):
                lost += self._fold_named(table, part, others)
            if mirror.value(f"SELECT count(*) FROM {table} WHERE {others} AND part <> {part} AND NOT named"):
                self._fold_content(table, part, others)
        return lost

    def _give_way(self, part: int, others: str) -> None:
        """What stands under the part's ids in other parts does not count any more, whichever records it is
        of.
        """
        keys = " UNION ALL ".join(
            f"SELECT key FROM {table} WHERE part = {part} AND named" for table in ("activity", "parked")
        )
        for table in ("activity", "parked"):
            older = f"named AND NOT shadowed AND {others} AND part <> {part}"
            if self._mirror.value(f"SELECT count(*) FROM {table} WHERE {older}"):
                self._mirror.run(f"UPDATE {table} SET shadowed = true WHERE {older} AND key IN ({keys})")

    def _unshadow(self, part: int, old: int) -> None:
        """Rows elsewhere that gave way to the part which is now replaced count again, if nothing else repeats
        them.
        """
        for table in ("activity", "parked"):
            sources = ("activity", "parked") if self._shared else (table,)
            keys = " UNION ALL ".join(
                f"SELECT key FROM {source} WHERE part = {old} AND NOT shadowed" for source in sources
            )
            self._mirror.run(
                f"UPDATE {table} SET shadowed = false WHERE shadowed AND part NOT IN ({part}, {old}) AND key IN ({keys})"
            )

    def _fold_named(self, table: str, part: int, others: str) -> list[tuple[int, str | None]]:
        """A repeated id: the last row wins, within the part and over parts that came before it."""
        mirror = self._mirror
        lost: list[tuple[int, str | None]] = []
        if self._repeats(table, part):
            twice = (
                f"(SELECT key FROM {table} WHERE part = {part} AND named GROUP BY key HAVING count(*) > 1)"
            )
            last = f"SELECT arg_max(rowid, (coalesce(line, 0), rowid)) FROM {table} WHERE part = {part} AND key IN {twice} GROUP BY key"
            losers = f"part = {part} AND NOT shadowed AND key IN {twice} AND rowid NOT IN ({last})"
            owner = f"(SELECT id FROM ids WHERE ids.record = {table}.record)" if table == "activity" else "id"
            lost = [
                (line, id)
                for line, id in mirror.rows(f"SELECT line, {owner} FROM {table} WHERE {losers} ORDER BY line")
            ]
            mirror.run(f"UPDATE {table} SET shadowed = true WHERE {losers}")
        mirror.run(
            f"""UPDATE {table} SET shadowed = true WHERE named AND NOT shadowed AND {others} AND part <> {part}
                AND key IN (SELECT key FROM {table} WHERE part = {part} AND named)"""
        )
        return lost

    def _repeats(self, table: str, part: int) -> bool:
        """Whether a key stands twice. Sorting 20 million numbers is 8 times cheaper than grouping by them."""
        keys = np.sort(
            self._mirror.run(f"SELECT key FROM {table} WHERE part = {part} AND named").fetchnumpy()["key"]
        )
        return bool((keys[1:] == keys[:-1]).any())

    def _fold_content(self, table: str, part: int, others: str) -> None:
        """Without an id a row is known by its content and its n-th occurrence in its part: the n-th of
        another part is the same.
        """
        unnamed = f"SELECT key FROM {table} WHERE NOT named AND"
        shared = f"({unnamed} part = {part} INTERSECT {unnamed} {others} AND part <> {part})"
        owner = "record" if table == "activity" else "0"  # whom a parked row names is part of its key
        self._mirror.run(
            f"""UPDATE {table} SET shadowed = true WHERE part = {part} AND rowid IN (
                WITH numbered AS (
                    SELECT rowid AS place, part, key, {owner} AS owner, day, amount,
                        row_number() OVER (PARTITION BY part, key, {owner}, day, amount ORDER BY line, rowid) AS nth
                    FROM {table} WHERE NOT named AND key IN {shared} AND (part = {part} OR {others}))
                SELECT n.place FROM numbered AS n SEMI JOIN (SELECT * FROM numbered WHERE part <> {part}) AS o
                ON n.key = o.key AND n.owner = o.owner AND n.day = o.day AND n.amount IS NOT DISTINCT FROM o.amount AND n.nth = o.nth
                WHERE n.part = {part})"""
        )


def _names_addresses(page: pa.Table) -> bool:
    """Whether some row of a page names its record by an address."""
    return "record_email" in page.column_names and page["record_email"].null_count < page.num_rows


def _plain(page: pa.Table) -> pa.Table:
    """The contract's columns that the page has; instants without their zone: arithmetic, not a calendar, on
    every row.
    """
    fields = [
        f
        for f in ACTIVITY_SCHEMA
        if f.name in page.column_names and (f.name != "record_email" or _names_addresses(page))
    ]
    frame = page.select([f.name for f in fields]).cast(pa.schema(fields))
    for name in ("occurred_at", "recorded_at", "updated_at"):
        if name in frame.column_names:
            frame = frame.set_column(
                frame.column_names.index(name), name, frame[name].cast(pa.timestamp("us"))
            )
    return frame


def _person(id_type: IdType) -> dict[str, str]:
    """Who a row that is found by its name is of, in its content: the id as it is compared, and the address
    where there is no id.
    """
    if id_type == "text":
        return {"record_email": "CASE WHEN frame.record_id IS NULL THEN names.by_address END"}
    return {"record_id": "NULL", "record_email": "coalesce(names.by_key, names.by_address)"}


def _columns(frame: pa.Table, part: int, day: str, person: Mapping[str, str] | None = None) -> dict[str, str]:
    """The columns of ``activity`` beside ``record``, as expressions over the page."""
    has, person = frame.column_names, person or {}
    content = ", ".join(person.get(name, f"frame.{name}") if name in has else "NULL" for name in _CONTENT)
    content = f"hash({content})"
    amount = "frame.amount_minor" if "amount_minor" in has else "NULL"
    if "share" in has and "amount_minor" in has:
        amount = "CASE WHEN frame.share IS NULL THEN frame.amount_minor ELSE round_even(frame.amount_minor * frame.share, 0)::BIGINT END"
    return {
        "part": str(part),
        "line": "frame.line" if "line" in has else "NULL",
        "key": f"CASE WHEN frame.id IS NOT NULL THEN hash('id', frame.id) ELSE {content} END"
        if "id" in has
        else content,
        "named": "frame.id IS NOT NULL" if "id" in has else "false",
        "shadowed": f"frame.kind = {literal(repeats.VOID)}",
        "order": "CASE WHEN frame.order_id IS NOT NULL THEN (hash(frame.order_id) >> 1)::BIGINT END"
        if "order_id" in has
        else "NULL",
        "kind": "frame.kind",
        "day": day,
        "occurred_at": "frame.occurred_at",
        "amount": amount,
        "category": "frame.category" if "category" in has else "NULL",
        **{name: f"frame.{name}" for name in OPTIONAL if name in has},
    }
