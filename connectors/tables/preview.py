"""What do contacts and purchases come to, read as somebody proposes? Figures that a person compares with their own,
from the pages of the same reading that a run does; nothing is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import IdType, Page
from connectors.tables.distinct_ids import CountedIds, DistinctIds, DistinctTexts

_SAMPLES = 3
_SEVERAL = 8  # pages, after which what is known of them is put together
_OWNERS = pa.schema([("id", pa.string()), ("email", pa.string()), ("rows", pa.int64())])
_ID_TYPES: tuple[IdType, ...] = ("text", "number", "email", "salesforce")


@dataclass
class Preview:
    """Figures of a reading of all contacts and purchases. Amounts are in minor units."""

    contacts: int = 0
    rows: int = 0  # of activity, all of them
    orders: int = 0
    revenue: int = 0
    buyers: int = 0
    unmatched: int = 0  # rows whose owner no contact is
    ownerless: int = 0
    overlapping: int = 0  # orders of which an earlier file has rows too
    repeated: int = 0  # rows whose own id a later row has too: that one counts
    ahead: int = 0  # rows that are dated after today
    refused: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    first_day: date | None = None
    last_day: date | None = None
    samples: list[dict[str, Any]] = field(default_factory=list)  # owner, day, amount of the first rows
    id_type: IdType = "text"  # that matches most
    matched: int = 0  # rows, under it
    matched_as_configured: int = 0  # rows, under the account's own
    contact_rows: int = 0
    contact_refused: Counter[str] = field(default_factory=Counter)
    unordered: Counter[str] = field(default_factory=Counter)  # cells of contacts, by attribute

    def add(self, part: Preview) -> None:
        """Add what one file comes to."""
        for name in ("rows", "orders", "revenue", "ownerless", "repeated", "ahead"):
            setattr(self, name, getattr(self, name) + getattr(part, name))
        self.refused.update(part.refused)
        self.left_out.update(part.left_out)
        days = [
            day for day in (self.first_day, self.last_day, part.first_day, part.last_day) if day is not None
        ]
        self.first_day, self.last_day = min(days, default=None), max(days, default=None)
        self.samples += part.samples[: _SAMPLES - len(self.samples)]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        days = {
            name: day and day.isoformat()
            for name, day in (("first_day", self.first_day), ("last_day", self.last_day))
        }
        return {
            **self.__dict__,
            **days,
            "refused": dict(self.refused.most_common(3)),
            "left_out": dict(self.left_out),
        }


@dataclass
class PreviewPart:
    """What the pages of one file come to."""

    zone: ZoneInfo
    preview: Preview = field(default_factory=Preview)
    orders: DistinctIds = field(default_factory=DistinctIds)
    own_ids: DistinctIds = field(default_factory=DistinctIds)
    owners: Owners = field(default_factory=lambda: Owners())

    def add(self, page: Page) -> None:
        records, preview = page.records, self.preview
        preview.rows += records.num_rows + page.rejected + sum(page.left_out.values()) + page.ownerless
        preview.ownerless += page.ownerless
        preview.refused.update(page.refused)
        preview.left_out.update(page.left_out)
        if "deleted" in records.column_names:
            records = records.filter(pc.invert(pc.fill_null(records["deleted"], False)))
        if not records.num_rows:
            return
        columns = {
            name: _column(records, name)
            for name in ("record_id", "record_email", "order_id", "kind", "amount_minor")
        }
        purchases = pc.equal(columns["kind"], "purchase")
        paid = pc.or_(purchases, pc.equal(columns["kind"], "refund"))
        preview.revenue += pc.sum(_chosen(columns["amount_minor"], paid)).as_py() or 0
        bought = _chosen(columns["order_id"], purchases)
        self.orders.add(bought.drop_null() if bought.null_count else bought)
        preview.orders += bought.null_count  # a row without an order is one of its own
        self.owners.add(columns["record_id"], columns["record_email"])
        if "id" in records.column_names:
            ids = records["id"].combine_chunks().drop_null()
            preview.repeated += len(ids)
            self.own_ids.add(ids)
        _note_days(preview, records["occurred_at"], self.zone)
        if len(preview.samples) < _SAMPLES:
            preview.samples += _samples(records, self.zone)[: _SAMPLES - len(preview.samples)]


class Owners:
    """Owners of purchases, and the number of their rows."""

    def __init__(self) -> None:
        self._ids, self._tables = CountedIds(), list[pa.Table]()

    def add(self, ids: pa.Array, emails: pa.Array) -> None:
        """Take rows into account."""
        if emails.null_count < len(emails) or ids.null_count or not self._ids.add(ids):
            self._tables.append(_by_owner(pa.table([ids, emails], ["id", "email"])))
            if len(self._tables) > _SEVERAL:
                self._tables = [_by_owner(pa.concat_tables(self._tables))]

    def unite(self) -> None:
        """Hold each owner once."""
        self._ids.unite()

    def take(self, others: Owners) -> None:
        """Take the rows of another file into account."""
        self._ids.take(others._ids)
        self._tables += others._tables

    def table(self) -> pa.Table:
        """One row an owner: id, email, rows."""
        tables = [
            pa.table([ids, pa.nulls(len(ids), pa.string()), rows], schema=_OWNERS)
            for ids, rows in self._ids.tables()
        ]
        tables += self._tables
        return (
            tables[0] if len(tables) == 1 else _by_owner(pa.concat_tables([_OWNERS.empty_table(), *tables]))
        )


def _chosen(column: pa.Array, rows: pa.Array) -> pa.Array:
    """The rows of a column that are chosen; often all are."""
    return column if not rows.null_count and pc.all(rows).as_py() else column.filter(rows)


def _by_owner(rows: pa.Table) -> pa.Table:
    """Owners and the number of their rows, from rows, or from such tables one below the other."""
    if "rows" not in rows.column_names:
        rows = rows.append_column("rows", pa.repeat(1, rows.num_rows))
    return rows.group_by(["id", "email"]).aggregate([("rows", "sum")]).rename_columns(["id", "email", "rows"])


def see_contacts(pages: Iterable[Page], preview: Preview) -> tuple[pa.Array, pa.Array]:
    """Ids of the contacts, and their addresses as they are compared."""
    ids, emails = DistinctTexts(), DistinctTexts()
    for page in pages:
        preview.contact_rows += page.records.num_rows + page.rejected
        preview.contact_refused.update(page.refused)
        if page.rejects is not None:
            outside = pc.match_substring(page.rejects["reason"], "is not in its order")
            preview.unordered.update(page.rejects["column"].filter(outside).to_pylist())
        records = page.records
        if "deleted" in records.column_names:
            records = records.filter(pc.invert(pc.fill_null(records["deleted"], False)))
        ids.add(records["id"].drop_null())
        for name in ("email", "emails"):
            if name in records.column_names:
                column = records[name].combine_chunks()
                texts = pc.list_flatten(column) if pa.types.is_list(column.type) else column
                emails.add(_folded(texts.drop_null()))
    preview.contacts = ids.count()
    return ids.texts(), emails.texts()


def match_owners(
    preview: Preview, configured: str, ids: pa.Array, emails: pa.Array, owners: pa.Table
) -> None:
    """Which way of comparing ids finds most of the owners? The plainest of those that find equally many."""
    preview.matched = -1
    rows, total = owners["rows"], pc.sum(owners["rows"]).as_py() or 0
    owner_ids = owners["id"].combine_chunks()
    owner_emails = _folded(owners["email"].combine_chunks())
    by_email = pc.fill_null(pc.is_in(owner_emails, value_set=emails), False)
    for id_type in _ID_TYPES:
        if preview.matched == total and id_type != configured:
            continue  # none can find more
        keys = pc.unique(comparables(ids, id_type))
        if id_type == "number" != configured and len(keys) < len(ids):
            continue  # it would take two contacts for one
        keys = pa.concat_arrays([keys, emails]) if id_type == "email" else keys
        own_keys = comparables(owner_ids, id_type)
        hits = pc.or_(pc.fill_null(pc.is_in(own_keys, value_set=keys), False), by_email)
        matched = pc.sum(rows.filter(hits)).as_py() or 0
        if id_type == configured:
            preview.matched_as_configured = matched
        if matched > preview.matched:
            preview.id_type, preview.matched = id_type, matched
            preview.buyers = pc.count_distinct(
                pc.if_else(by_email, owner_emails, own_keys).filter(hits)
            ).as_py()
    preview.unmatched = total - preview.matched


def _folded(texts: pa.Array) -> pa.Array:
    """Texts without blanks around and in small letters, as addresses are compared."""
    trimmed = pc.utf8_trim_whitespace(texts)
    if pc.all(pc.string_is_ascii(trimmed)).as_py() is not False:
        return pc.utf8_lower(trimmed)
    return pa.array([text and text.casefold() for text in trimmed.to_pylist()], pa.string())


def comparables(ids: pa.Array, id_type: str) -> pa.Array:
    """As ``comparable``, for a column."""
    if id_type == "number":
        return pc.replace_substring_regex(
            pc.utf8_ltrim(pc.utf8_trim_whitespace(ids), "0"), r"^([^.]*)\.0*$", r"\1"
        )
    if id_type == "email":
        return _folded(ids)
    if id_type == "salesforce":
        well_formed = pc.is_in(pc.utf8_length(ids), value_set=pa.array([15, 18], pa.int32()))
        return pc.if_else(well_formed, pc.utf8_slice_codeunits(ids, 0, 15), ids)
    return ids


def _column(records: pa.Table, name: str) -> pa.Array:
    if name in records.column_names:
        return records[name].combine_chunks()
    return pa.nulls(records.num_rows, pa.int64() if name == "amount_minor" else pa.string())


def _note_days(preview: Preview, moments: pa.ChunkedArray, zone: ZoneInfo) -> None:
    """First and last day of the rows; days that have not come are counted and move no end."""
    now = pa.scalar(datetime.now(zone), pa.timestamp("us", tz="UTC"))
    come = moments.filter(pc.less_equal(moments, now))
    preview.ahead += len(moments) - len(come)
    ends = pc.min_max(come).as_py()
    days = [moment.astimezone(zone).date() for moment in (ends["min"], ends["max"]) if moment is not None]
    if days:
        preview.first_day = min(days[0], preview.first_day or days[0])
        preview.last_day = max(days[-1], preview.last_day or days[-1])


def _samples(records: pa.Table, zone: ZoneInfo) -> list[dict[str, Any]]:
    samples = []
    if "amount_minor" in records.column_names:
        records = records.slice(0, 1000)
        records = records.filter(pc.is_valid(records["amount_minor"]))
    for row in records.slice(0, _SAMPLES).to_pylist():
        moment: datetime = row["occurred_at"]
        owner = row.get("record_id") or row.get("record_email")
        samples.append(
            {
                "owner": owner,
                "day": moment.astimezone(zone).date().isoformat(),
                "amount_minor": row.get("amount_minor"),
            }
        )
    return samples
