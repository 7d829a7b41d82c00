"""How a page gets into the mirror: ids become numbers, parts replace what they held before, repeated rows are
seen.

A part that is delivered whole is loaded beside the live one and takes its place with its last page, so that a
reader never sees half a file, and a killed process leaves at most rows that nobody reads.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Attribute, IdType, Page
from connectors.schemas import FIELD, RECORD_SCHEMA, RECORD_TYPES
from sync.pull import columns
from sync.store import merged_consent
from sync.store.activity import Activity
from sync.store.identity_resolution import unsettle
from sync.store.mirror import AccountMirror, literal, quoted
from sync.store.repeats import as_activity

_QUOTED = re.compile(r"^('[^']*'|a text of [0-9]+ characters|what stands there) ")


@dataclass
class Ingested:
    """What the last page of a part told."""

    echo: int = 0  # values that came back as the mirror already had them
    repeated: list[tuple[str, int, str | None]] = field(default_factory=list)  # part, line, record id


class Ingest:
    """Takes the pages of one stream of one account. Every call is one transaction, the position included."""

    def __init__(
        self,
        mirror: AccountMirror,
        stream: str,
        time_zone: str,
        shared_ids: bool = False,
        read_on: date = date.min,
        *,
        id_type: IdType = "text",
        newest_wins: bool = False,
        attributes: Mapping[str, Attribute] | None = None,
    ) -> None:
        self._mirror = mirror
        self._stream = stream
        self._read_on = read_on
        self._newest_wins = newest_wins
        self._attributes = attributes or {}
        self._activity = Activity(mirror, time_zone, shared_ids, id_type, newest_wins)

    def take(self, page: Page) -> Ingested | None:
        """Store a page; an answer comes with the last page of a part.

        ``undo_part`` can still take that part back.
        """
        mirror = self._mirror
        voids = as_activity(page.voids) if page.voids is not None and self._newest_wins else None
        if self._stream == "activity":
            self._activity.widen(page.records)
            if voids is not None:
                self._activity.widen(voids)
        elif self._stream in RECORD_TYPES:
            page = replace(page, records=columns.prepared(mirror, page.records, self._attributes))
        part = self._part(page)
        mirror.run("UPDATE parts SET rejected = rejected + ? WHERE part = ?", [page.rejected, part])
        for what, reason, number in _counted(page):
            self._count(part, what, reason, number)
        if self._stream == "activity":
            self._activity.add(page.records, part)
            if voids is not None:
                self._activity.add(voids, part)
        elif page.records.num_rows and any(n.startswith(FIELD) for n in page.records.column_names):
            mirror.register(page.records)
            self._add_values(page.records, part, page.whole)
        if self._stream in RECORD_TYPES:
            mirror.register(page.records)
            self._add_records(page.records, part, page.whole)
            unsettle(mirror)
        answer = self._finish(page, part) if page.last else None
        self._count(part, "repeated", "", len(answer.repeated) if answer else 0)
        mirror.set_position(self._stream, page.position)
        return answer

    def _count(self, part: int, what: str, reason: str, number: int) -> None:
        """Add to what the reading of a part gave.

        A part that is read again has a number of its own, and so begins at nothing.
        """
        if not number or not (self._stream == "activity" or self._stream in RECORD_TYPES):
            return
        same = [part, self._read_on, what, reason]
        sql = "UPDATE reading SET number = number + ? WHERE part = ? AND read_on = ? AND what = ? AND reason = ?"
        if not self._mirror.value(sql, [number, *same]):
            self._mirror.run("INSERT INTO reading VALUES (?, ?, ?, ?, ?)", [*same, number])

    # -- parts ---------------------------------------------------------------------------------------------

    def _part(self, page: Page) -> int:
        """Number of the part that the page's rows go to; a whole part is loaded under a number of its own."""
        mirror, stream = self._mirror, self._stream
        if page.first and page.whole:
            for (stale,) in mirror.rows(
                "SELECT part FROM parts WHERE stream = ? AND name = ? AND NOT live", [stream, page.part]
            ):
                self._drop(stale)
        live = not page.whole
        part = mirror.value(
            "SELECT max(part) FROM parts WHERE stream = ? AND name = ? AND live = ?",
            [stream, page.part, live],
        )
        if part is not None:
            return int(part)
        number = int(mirror.value("SELECT coalesce(max(part), 0) + 1 FROM parts"))
        mirror.run("INSERT INTO parts VALUES (?, ?, ?, ?, 0)", [number, stream, page.part, live])
        return number

    def _drop(self, part: int) -> None:
        for table in ("records", "activity", "parked", "actual", "reading", "parts"):
            self._mirror.run(f"DELETE FROM {table} WHERE part = {part}")

    def _finish(self, page: Page, part: int) -> Ingested:
        answer = Ingested()
        old = None
        if page.whole:
            old = self._mirror.value(
                "SELECT max(part) FROM parts WHERE stream = ? AND name = ? AND live",
                [self._stream, page.part],
            )
        if self._stream == "activity":
            answer.repeated = [(page.part, line, record) for line, record in self._activity.fold(part, old)]
        elif self._stream in RECORD_TYPES:
            self._finish_records(page.part, part, old, answer)
        else:
            answer.echo = self._echo(part)
        if page.whole and self._stream.startswith(
            "list:"
        ):  # what we wrote before it was read for the first time stands in it now
            self._mirror.run(
                f"DELETE FROM actual WHERE target = ? AND part <> {part}",
                [self._stream.removeprefix("list:")],
            )
        if old is not None:
            self._drop(old)
        self._mirror.run("UPDATE parts SET live = true WHERE part = ?", [part])
        if self._stream == "activity" or self._stream in RECORD_TYPES:
            self._mirror.touched()
        return answer

    # -- records -------------------------------------------------------------------------------------------

    def _add_records(self, frame: pa.Table, part: int, whole: bool) -> None:
        mirror = self._mirror
        merged_consent.gather(mirror, frame)
        if not whole:  # a connector may give a record again: the newer row takes the place of the older
            mirror.run(
                "DELETE FROM records WHERE record IN (SELECT record FROM frame JOIN ids USING (record_type, id))",
                frame=frame,
            )
        kept = mirror.columns("records")
        taken = [
            c
            for c in frame.column_names
            if (c in RECORD_SCHEMA.names and c in kept) or c.startswith(columns.PREFIXES)
        ]
        names = ", ".join(quoted(c) for c in taken)
        chosen = "".join(f", frame.{quoted(c)}" for c in taken)
        mirror.run(
            f"INSERT INTO records (record, part{', ' + names if names else ''}) SELECT ids.record, {part}{chosen} FROM frame JOIN ids "
            f"USING (record_type, id)",
            frame=frame,
        )

    def _finish_records(self, name: str, part: int, old: int | None, answer: Ingested) -> None:
        """The last row of an id wins; what a whole part no longer names is gone, unless it may stand in a
        rejected row.
        """
        mirror = self._mirror
        repeated = mirror.rows(
            f"""SELECT line, record FROM records WHERE part = {part}
                QUALIFY row_number() OVER (PARTITION BY record ORDER BY line DESC NULLS LAST) > 1"""
            if mirror.value(f"SELECT count(*) <> count(DISTINCT record) FROM records WHERE part = {part}")
            else "SELECT line, record FROM records WHERE false"
        )
        if repeated:
            ids = dict(
                mirror.rows(
                    f"SELECT record, id FROM ids WHERE record IN (SELECT record FROM records WHERE part = {part})"
                )
            )
            answer.repeated = [(name, line, ids[record]) for line, record in repeated]
            mirror.run(
                f"""DELETE FROM records WHERE part = {part} AND rowid NOT IN
                    (SELECT arg_max(rowid, (coalesce(line, 0), rowid)) FROM records WHERE part = {part} GROUP BY record)"""
            )
        if old is not None:
            merged_consent.gather_missing(mirror, old, part)
            missing = f"part = {old} AND record NOT IN (SELECT record FROM records WHERE part = {part})"
            vanished = mirror.value(f"SELECT count(*) FROM records WHERE {missing}")
            if 0 < vanished <= mirror.value("SELECT rejected FROM parts WHERE part = ?", [part]):
                mirror.run(f"UPDATE records SET part = {part} WHERE {missing}")
        mirror.run(
            f"DELETE FROM records WHERE part <> {part} AND record IN (SELECT record FROM records WHERE part = {part}) AND part IN "
            f"(SELECT part FROM parts WHERE live)"
        )
        mirror.run(
            f"DELETE FROM records WHERE part = {part} AND deleted AND merged_into IS NULL AND converted_to IS NULL"
        )

    # -- values and members --------------------------------------------------------------------------------

    def _add_values(self, frame: pa.Table, part: int, whole: bool) -> None:
        """What the CRM holds in our fields: only values that exist become rows."""
        mirror = self._mirror
        targets = [name.removeprefix(FIELD) for name in frame.column_names if name.startswith(FIELD)]
        values = ", ".join(f"frame.{quoted(FIELD + target)} AS {quoted(target)}" for target in targets)
        mirror.run(
            f"CREATE OR REPLACE TEMP TABLE arrived AS SELECT ids.record, {values} FROM frame JOIN ids USING (record_type, id)",
            frame=frame,
        )
        for target in targets:
            if not whole:
                mirror.run(
                    f"DELETE FROM actual WHERE target = {literal(target)} AND record IN (SELECT record FROM arrived)"
                )
            value = quoted(target)
            mirror.run(
                f"INSERT INTO actual SELECT record, {literal(target)}, {value}, {part} FROM arrived WHERE {value} IS NOT NULL"
            )

    def _echo(self, part: int) -> int:
        """Values that came back as we wrote them."""
        return int(
            self._mirror.value(
                f"""SELECT count(*) FROM (SELECT * FROM actual WHERE part = {part}) AS held SEMI JOIN written AS w
                    ON w.record = held.record AND w.target = held.target AND w.after = held.value"""
            )
        )


def _counted(page: Page) -> Iterator[tuple[str, str, int]]:
    """(what, reason, number) of a page: each of its rows once, and the worth of those that were delivered and
    refused.
    """
    yield "rows", "", page.records.num_rows
    yield from (("refused", reason, number) for reason, number in page.refused.items())
    yield "refused", "refused", max(0, page.rejected - sum(page.refused.values()))
    yield from (("left_out", reason, number) for reason, number in page.left_out.items())
    yield "ownerless", "", page.ownerless
    if page.rejects is not None:
        cells = page.rejects.filter(pc.is_valid(page.rejects["column"]))
        reasons = zip(cells["column"].to_pylist(), cells["reason"].to_pylist(), strict=True)
        yield from (("cells", reason, number) for reason, number in Counter(map(_of_cell, reasons)).items())
    yield "refused_worth", "", page.refused_minor
    if "amount_minor" in page.records.column_names:
        yield (
            "worth",
            "",
            int(
                min(
                    pc.sum(pc.abs(page.records["amount_minor"].cast(pa.float64(), safe=False))).as_py() or 0,
                    1e18,
                )
            ),
        )


def _of_cell(cell: tuple[str, str]) -> str:
    """Why cells of a column are not known, without what the single one held."""
    column, reason = cell
    return f"{column} {_QUOTED.sub('', reason)}"


def take_members(mirror: AccountMirror, target: str, page: Page) -> None:
    """Store a page of a static list's members as values of the target that the list is."""
    ingest = Ingest(mirror, "list:" + target, "UTC")
    frame = page.records.append_column(FIELD + target, pa.repeat("member", page.records.num_rows))
    ingest.take(replace(page, records=frame))
