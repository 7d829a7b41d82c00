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
from connectors.schemas import FIELD, RECORD_TYPES
from sync.store import actual, parts, reading_counts, record_columns, records
from sync.store.activity import Activity
from sync.store.identity_resolution import unsettle
from sync.store.mirror import AccountMirror
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
        """Store a page; an answer comes with the last page of a part."""
        mirror = self._mirror
        voids = as_activity(page.voids) if page.voids is not None and self._newest_wins else None
        if self._stream == "activity":
            self._activity.widen(page.records)
            if voids is not None:
                self._activity.widen(voids)
        elif self._of_records:
            page = replace(page, records=record_columns.prepared(mirror, page.records, self._attributes))
        part = parts.part_for(mirror, self._stream, page.part, page.whole, page.first)
        parts.add_rejected(mirror, part, page.rejected)
        for what, reason, number in _counted(page):
            self._count(part, what, reason, number)
        if self._stream == "activity":
            self._activity.add(page.records, part)
            if voids is not None:
                self._activity.add(voids, part)
        elif page.records.num_rows and any(n.startswith(FIELD) for n in page.records.column_names):
            mirror.register(page.records)
            actual.add(mirror, page.records, part, page.whole)
        if self._of_records:
            mirror.register(page.records)
            records.add(mirror, page.records, part, page.whole)
            unsettle(mirror)
        answer = self._finish(page, part) if page.last else None
        self._count(part, "repeated", "", len(answer.repeated) if answer else 0)
        mirror.set_position(self._stream, page.position)
        return answer

    @property
    def _of_records(self) -> bool:
        return self._stream in RECORD_TYPES

    def _count(self, part: int, what: str, reason: str, number: int) -> None:
        if number and (self._stream == "activity" or self._of_records):
            reading_counts.add(self._mirror, part, self._read_on, what, reason, number)

    def _finish(self, page: Page, part: int) -> Ingested:
        """Let a part count that is complete, in the place of the one that stood under its name."""
        mirror, answer = self._mirror, Ingested()
        old = parts.live_part(mirror, self._stream, page.part) if page.whole else None
        if self._stream == "activity":
            answer.repeated = [(page.part, line, record) for line, record in self._activity.fold(part, old)]
        elif self._of_records:
            answer.repeated = [(page.part, line, id) for line, id in records.fold(mirror, part, old)]
        else:
            answer.echo = actual.as_written(mirror, part)
        if page.whole and self._stream.startswith("list:"):
            # what we wrote before it was read for the first time stands in it now
            actual.forget(mirror, self._stream.removeprefix("list:"), kept_part=part)
        if old is not None:
            parts.drop(mirror, old)
        parts.set_live(mirror, part)
        if self._stream == "activity" or self._of_records:
            mirror.touched()
        return answer


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
