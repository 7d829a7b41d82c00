"""Pull: bring the mirror up to what the CRM holds now, and stop where too much of it seems to be gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pyarrow as pa

from connectors.contract import Destination, IdType, Page, RemoteList, Source
from connectors.errors import RequestError
from connectors.schemas import RECORD_TYPES
from connectors.values.ids import comparable
from sync.account.session import Session
from sync.config.config import Config
from sync.config.settings import Limit
from sync.config.uses import activity_types_used, types_used
from sync.exit_codes import GuardTripped, Trip
from sync.log import stage
from sync.pull.ingest import Ingest, Ingested, take_members
from sync.sentence import sentences
from sync.store import actual, first_seen, merged_consent, write_history
from sync.store.activity_owner import means_record
from sync.store.identity_resolution import reconcile
from sync.store.joined import ID_TYPE
from sync.store.journal import Journal
from sync.store.journal.forgotten import ADDRESS, KEY
from sync.store.journal.rejects import RefusedRow
from sync.store.mirror import AccountMirror
from sync.store.purchases import note_shape
from sync.store.reading_counts import not_taken, rows_that_count, waiting

LISTED_REJECTS = 10_000  # of one part; beyond it they are only counted


@dataclass
class Pulled:
    """What a pull read and refused, by account and stream."""

    rows: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    echo: int = 0  # our own writes, come back
    parked: int = 0  # activity whose record is not known (yet)
    forgotten: int = 0  # rows of people whom we were told to forget

    def add(self, counts: dict[str, int], stream: str, number: int) -> None:
        """Count under a stream."""
        if number:
            counts[stream] = counts.get(stream, 0) + number

    def as_dict(self) -> dict[str, Any]:
        """For printing."""
        return asdict(self)


@stage("pull")
def pull(session: Session) -> Pulled:
    """Read what changed since the last time, of this account and of those that it draws from."""
    pulled, began, journal = Pulled(), session.clock(), session.journal
    for account in session.sources():
        mirror, source = session.mirror(account), session.source(account)
        merged_consent.recall(journal, mirror)
        mirror.set_stamp(ID_TYPE, source.capabilities.id_type)
        for stream in _streams(session.config, session.account, source, mirror, journal):
            _pull_stream(session, account, stream, pulled)
        source.end_reading()
        if mirror.stamp("reconciled") != str(
            mirror.revision()
        ):  # also where an earlier pull was cut off before it came to this
            session.mirrors.before_a_change()
            with mirror.transaction():
                reconcile(mirror)
                note_shape(mirror)
                first_seen.note(mirror, began.date())
                mirror.set_stamp("reconciled", str(mirror.revision()))
            merged_consent.remember(journal, mirror)
        pulled.parked += waiting(mirror)
    made = session.journal.objects.lists_of(session.account)
    if made:
        _pull_lists(session.mirror(), journal, session.destination(), session.lists, made, pulled)
    session.mirror().set_stamp("pull_began", began.astimezone(UTC).isoformat(timespec="microseconds"))
    return pulled


def _streams(
    config: Config, reader: str, source: Source, mirror: AccountMirror, journal: Journal
) -> list[str]:
    """The streams that some segmentation uses; our own fields only where we write.

    ``reader``: the account that is pulled, perhaps from the activity of another one.
    """
    account = mirror.name
    activity_types, types = activity_types_used(config, account), types_used(config, account)
    if account == reader:
        types |= _types_left(mirror, journal, types)
    streams = [
        stream
        for stream in source.capabilities.streams
        if (
            stream in types
            if stream in RECORD_TYPES
            else activity_types != frozenset()
            if stream == "activity"
            else account == reader
        )
    ]
    elsewhere = account == reader and config.accounts[reader].activity_from
    if elsewhere and "activity" in streams and source.count("activity") == 0:
        streams.remove("activity")
    return streams


def _types_left(mirror: AccountMirror, journal: Journal, used: frozenset[str]) -> set[str]:
    """Further record types on which something of ours still stands that the config no longer names."""
    made = {row.record_type for row in journal.objects.of(mirror.name)} - used
    if not made:
        return set()
    write_history.catch_up(journal, mirror)
    return made & write_history.record_types(mirror)


def _pull_stream(session: Session, account: str, stream: str, pulled: Pulled) -> None:
    """Read one stream page by page, each saved with its position."""
    mirror, source, journal = session.mirror(account), session.source(account), session.journal
    able, named = source.capabilities, stream if account == session.account else f"{account}.{stream}"
    guard = ShrinkGuard(named, session.config.guards.max_shrink, "max_shrink" in session.allow)
    ingest = Ingest(
        mirror,
        stream,
        session.config.accounts[account].time_zone,
        able.shared_ids,
        session.clock().date(),
        id_type=able.id_type,
        newest_wins=able.newest_wins,
        attributes=session.config.attributes(account),
    )
    total, begun = source.count(stream) or 0, mirror.position(stream)
    arrived, ignored = False, 0
    for page in source.read(stream, begun):
        arrived = True
        if page.whole or page.records.num_rows or page.voids:
            session.mirrors.before_a_change()
        page = _without_forgotten(journal, account, page, pulled, able.id_type, mirror)
        judged = page.whole and page.last and stream != "value"
        before, apart = (rows_that_count(mirror, stream), not_taken(mirror, stream)) if judged else (0, 0)
        with mirror.transaction():
            answer = ingest.take(page)
            if judged:  # where more rows are not taken than before, rows that counted then are not missing
                arrived_too = max(0, not_taken(mirror, stream) - apart)
                guard.check(before, rows_that_count(mirror, stream) + arrived_too, page.part)
            _keep_rejects(journal, account, stream, page, answer)
        pulled.add(pulled.rows, named, page.records.num_rows)
        pulled.add(pulled.rejected, named, page.rejected + (len(answer.repeated) if answer else 0))
        ignored += sum(page.left_out.values()) + page.ownerless
        pulled.echo += answer.echo if answer else 0
        session.progress(f"reading {named}", pulled.rows.get(named, 0), total)
    if begun is None and arrived and able.counts:
        taken = pulled.rows.get(named, 0) + pulled.rejected.get(named, 0)
        guard.check_count(total, taken + pulled.forgotten + ignored)


@dataclass(frozen=True)
class ShrinkGuard:
    """An empty or shrunken reading is nearly always a lost right or a cut-off export, never "all customers
    left".
    """

    named: str  # the stream, as people read it
    limit: Limit
    allowed: bool

    def check(self, before: int, after: int, part: str) -> None:
        """GuardTripped: too many rows of the last pull are missing after this one."""
        what = f"{self.named}: with {part or 'this reading'} {before - after:,} of the {before:,} rows of the last pull are gone"
        self._check(before, after, what)

    def check_count(self, counted: int, given: int) -> None:
        """GuardTripped: the CRM gave too few of the rows that it counts."""
        what = f"the CRM counts {counted:,} of {self.named}, but gave {given:,}: this user may not see the others"
        self._check(counted, given, what)

    def _check(self, before: int, after: int, what: str) -> None:
        missing = before - after
        if self.allowed or not too_many_missing(self.limit, missing, before):
            return
        share, count = self.limit.share, self.limit.count
        most = [f"{share:.0%}"] if share is not None else []
        most += [f"{count:,}"] if count is not None else []
        raise GuardTripped(
            f"{what}. Nothing was written. Fix the export or the permission; if the rows are really gone, run again "
            "with --allow max_shrink --reason TEXT.",
            [
                Trip(
                    "max_shrink",
                    f"{missing:,} of {before:,} rows of {self.named} are missing, {' or '.join(most)} may be",
                )
            ],
        )


def too_many_missing(limit: Limit, missing: int, before: int) -> bool:
    """Whether so many of so many records can hardly have left by themselves."""
    over = limit.share is not None and missing >= max(limit.floor, 1) and missing > limit.share * before
    return over or (limit.count is not None and missing > limit.count)


def _keep_rejects(journal: Journal, account: str, stream: str, page: Page, answer: Ingested | None) -> None:
    """List refused rows with file and line; a part that is read again has its old ones replaced."""
    rows = page.rejects.slice(0, LISTED_REJECTS).to_pylist() if page.rejects is not None else []
    repeated = answer.repeated[:LISTED_REJECTS] if answer else []
    refused = [RefusedRow(row["part"], row["line"], row["column"], row["id"], row["reason"]) for row in rows]
    refused += [
        RefusedRow(part, line, "id", id, "repeats an id; a later row with it counts")
        for part, line, id in repeated
    ]
    with journal.transaction():
        if page.first and page.whole:
            journal.rejects.drop_rows(account, stream, page.part)
        journal.rejects.add_rows(account, stream, stream if stream in RECORD_TYPES else None, refused)


# -- people whom we were told to forget ---------------------------------------------------------------------


def _without_forgotten(
    journal: Journal,
    account: str,
    page: Page,
    pulled: Pulled,
    id_type: IdType = "text",
    mirror: AccountMirror | None = None,
) -> Page:
    """Drop rows of forgotten people: they do not come back with the next export.

    A row of activity that names a forgotten address, but another record of ``mirror`` by its id, is that
    record's: it stays.
    """
    test = journal.forgotten.test(account)
    if test is None or not (page.records.num_rows or page.voids):
        return page
    forgotten = cache(test)

    @cache
    def gone(record_type: str, id: str | None, email: str | None) -> bool:
        if id and (
            forgotten(record_type, id)
            or (id_type != "text" and forgotten(f"{KEY} {record_type}", comparable(id, id_type)))
        ):
            return True
        if not email or not forgotten(ADDRESS, comparable(email, "email")):
            return False
        return not id or mirror is None or not means_record(mirror, record_type, id, id_type)

    def without(records: pa.Table) -> pa.Table:
        names = [
            name
            for name in ("record_type", "record_id", "id", "record_email")
            if name in records.column_names
        ]
        texts = {name: records[name].to_pylist() for name in names}
        ids = texts.get("record_id", texts.get("id", []))
        emails = texts.get("record_email") or [None] * len(ids)
        return records.filter(
            pa.array(
                [not gone(*row) for row in zip(texts["record_type"], ids, emails, strict=True)], pa.bool_()
            )
        )

    kept = without(page.records)
    pulled.forgotten += page.records.num_rows - kept.num_rows
    return replace(page, records=kept, voids=without(page.voids) if page.voids else None)


# -- lists ---------------------------------------------------------------------------------------------------


def _pull_lists(
    mirror: AccountMirror,
    journal: Journal,
    destination: Destination,
    lists: Mapping[str, RemoteList],
    made: Mapping[str, str],
    pulled: Pulled,
) -> None:
    """Members of the static lists that we made (key → id in the CRM), where they changed.

    What is known of a list that is no more is void.
    """
    static = {id: remote for id, remote in lists.items() if remote.kind == "static"}
    for key, id in made.items():
        _forget_other(mirror, key, id if id in static else "")
        if id not in static:
            continue
        for page in destination.members(static[id], mirror.position("list:" + key)):
            page = _without_forgotten(journal, mirror.name, page, pulled)
            with mirror.transaction():
                take_members(mirror, key, page)
            pulled.echo += page.records.num_rows


def _forget_other(mirror: AccountMirror, key: str, id: str) -> None:
    """Drop position and members of a list of the same key that had another id in the CRM."""
    known_id = mirror.stamp("list:" + key)
    if known_id == id:
        return
    with mirror.transaction():
        if known_id is not None:
            mirror.forget_position("list:" + key)
            actual.forget(mirror, key)
        mirror.set_stamp("list:" + key, id)


def stale(mirror: AccountMirror, clock: datetime, minutes: int = 15) -> bool:
    """Whether the last pull began so long ago that records must be read again before they are written.

    Asked once, when the carrying out of a plan begins: what a run has just read is fresh however long its
    writing takes.
    """
    began = mirror.stamp("pull_began")
    return (
        began is None
        or (clock.astimezone(UTC) - datetime.fromisoformat(began)).total_seconds() > 60 * minutes
    )


def require_streams(source: Source, account: str) -> None:
    """Name what a pull would stumble over."""
    problems = source.check_reading()
    if problems:
        raise RequestError("\n".join(f"{account}: {sentences(p.what, p.remedy)}" for p in problems))
