"""What do purchases come to, read as somebody proposes? The same reading that a run does, kept nowhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Account, IdType, Page
from connectors.files.distinct_ids import CountedIds, DistinctIds
from connectors.files.file_reader import ahead
from connectors.files.folder import Folder
from connectors.files.format_detection import Proof, judge, prove
from connectors.files.reading import Reading
from connectors.files.row_counts import DistinctTexts
from connectors.files.utf8_file import stamp_of
from connectors.values.text import words_in

_SAMPLES = 3
_FILES = 2  # that are read at a time
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


def look(account: Account, proof: Proof | None = None) -> Preview:
    """Read everything and add it up. ``proof``: what is known already of how the purchases are written."""
    folder, preview = Folder(account), Preview()
    ids, emails = _contacts(folder, preview)
    files = folder.required("activity")
    reading = _Purchases(folder, proof, files)
    zone = ZoneInfo(account.time_zone)
    orders, own_ids, owners = DistinctIds(), DistinctIds(), _Owners()
    in_parts = 0
    with ThreadPoolExecutor(_FILES) as pool:  # of several files one is read while another one is
        try:
            for part in pool.map(
                lambda name: reading.part(name, files[name], zone, alone=len(files) == 1), files
            ):
                preview.add(part.preview)
                in_parts += part.orders.count()
                orders.take(part.orders)
                own_ids.take(part.own_ids)
                owners.take(part.owners)
        finally:
            reading.stopped = True  # after an error nobody waits for the other files
    different = orders.count()
    preview.orders += different
    preview.overlapping = in_parts - different
    preview.repeated -= own_ids.count()
    _match(preview, account.settings.id_type, ids, emails, owners.table())
    return preview


class _Purchases(Reading):
    """Reads files of purchases each by itself, all of them as they are written together."""

    def __init__(self, folder: Folder, proof: Proof | None, files: Mapping[str, Path]) -> None:
        super().__init__(folder, "activity")
        self.stopped = False
        places = {part: (path, self.place(part, path)) for part, path in files.items()}
        if proof is not None and proof.holds_for(places):
            self._habits = judge(folder, self._dialect, places, proof.numbers, proof.times)
        else:
            self._habits = prove(folder, self._dialect, places)

    def part(self, name: str, path: Path, zone: ZoneInfo, alone: bool) -> _Part:
        """What one file comes to. ``alone``: no other file is read meanwhile, so the next page is."""
        part = _Part(zone)
        pages = (page for page, _ in self._file(name, path, stamp_of(path), None))
        for page in ahead(pages) if alone else pages:
            if self.stopped:
                break
            part.add(page)
        part.owners.unite()
        part.orders.count()
        return part


@dataclass
class _Part:
    """What the pages of one file come to."""

    zone: ZoneInfo
    preview: Preview = field(default_factory=Preview)
    orders: DistinctIds = field(default_factory=DistinctIds)
    own_ids: DistinctIds = field(default_factory=DistinctIds)
    owners: _Owners = field(default_factory=lambda: _Owners())

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


class _Owners:
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

    def take(self, others: _Owners) -> None:
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


def _contacts(folder: Folder, preview: Preview) -> tuple[pa.Array, pa.Array]:
    """Ids of the contacts, and their addresses as they are compared."""
    ids, emails = DistinctTexts(), DistinctTexts()
    for page in Reading(folder, "contact").pages(None):
        preview.contact_rows += page.records.num_rows + page.rejected
        preview.contact_refused.update(page.refused)
        if page.rejects is not None:
            outside = pc.match_substring(page.rejects["reason"], "is not in its order")
            preview.unordered.update(page.rejects["column"].filter(outside).to_pylist())
        ids.add(page.records["id"].drop_null())
        for name in ("email", "emails"):
            if name in page.records.column_names:
                column = page.records[name].combine_chunks()
                texts = pc.list_flatten(column) if pa.types.is_list(column.type) else column
                emails.add(_folded(texts.drop_null()))
    preview.contacts = ids.count()
    return ids.texts(), emails.texts()


def _match(preview: Preview, configured: str, ids: pa.Array, emails: pa.Array, owners: pa.Table) -> None:
    """Which way of comparing ids finds most of the owners? The plainest of those that find equally many."""
    preview.matched = -1
    rows, total = owners["rows"], pc.sum(owners["rows"]).as_py() or 0
    owner_ids = owners["id"].combine_chunks()
    by_email = pc.fill_null(pc.is_in(_folded(owners["email"].combine_chunks()), value_set=emails), False)
    for id_type in _ID_TYPES:
        if preview.matched == total and id_type != configured:
            continue  # none can find more
        keys = pc.unique(comparables(ids, id_type))
        if id_type == "number" != configured and len(keys) < len(ids):
            continue  # it would take two contacts for one
        keys = pa.concat_arrays([keys, emails]) if id_type == "email" else keys
        hits = pc.or_(
            pc.fill_null(pc.is_in(comparables(owner_ids, id_type), value_set=keys), False), by_email
        )
        matched = pc.sum(rows.filter(hits)).as_py() or 0
        if id_type == configured:
            preview.matched_as_configured = matched
        if matched > preview.matched:
            preview.id_type, preview.matched, preview.buyers = id_type, matched, pc.sum(hits).as_py() or 0
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


# -- the time zone that offsets tell
# ---------------------------------------------------------------------------

_ZONES = words_in("""
    UTC Europe/London Europe/Berlin Europe/Athens Europe/Moscow Europe/Istanbul America/New_York
    America/Chicago America/Denver America/Phoenix America/Los_Angeles America/Anchorage
    Pacific/Honolulu America/Halifax America/Sao_Paulo America/Bogota America/Mexico_City
    America/Santiago Africa/Johannesburg Africa/Lagos Asia/Dubai Asia/Karachi Asia/Kolkata
    Asia/Dhaka Asia/Bangkok Asia/Shanghai Asia/Singapore Asia/Tokyo Australia/Perth
    Australia/Brisbane Australia/Adelaide Australia/Sydney Pacific/Auckland
""")


_AGREE = 0.9  # share of the times that a zone must explain: shops move, and clocks are set late


def zone_of(times: Iterable[str]) -> str | None:
    """The zone whose clocks show the offsets that ISO-like times are written with: the usual one of those
    that fit; None: there is none.
    """
    pairs: dict[datetime, int] = {}  # a moment that is told twice counts once
    for text in times:
        parsed = _with_offset(text)
        if parsed is not None:
            pairs[parsed] = int((parsed.utcoffset() or timedelta()).total_seconds())
    fits = {name: sum(_offset(name, moment) == offset for moment, offset in pairs.items()) for name in _ZONES}
    best = max(_ZONES, key=lambda name: fits[name])
    return best if pairs and fits[best] >= _AGREE * len(pairs) else None


def _offset(zone: str, moment: datetime) -> int:
    return int((moment.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()).total_seconds())


def _with_offset(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.replace(" UTC", "+00:00").replace(" +", "+").replace(" -", "-"))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
