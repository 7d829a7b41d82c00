"""Pull: bring the mirror up to what the CRM holds now, and stop where too much of it seems to be gone."""

from __future__ import annotations

import hmac
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pyarrow as pa

from connectors.contract import IdType, Page, Source
from connectors.errors import RequestError
from connectors.schemas import RECORD_TYPES
from connectors.values.ids import comparable
from sync.account.session import Session
from sync.config.settings import Limit
from sync.config.uses import activity_types_used, types_used
from sync.exit_codes import GuardTripped, Trip
from sync.log import stage
from sync.pull.ingest import Ingest, Ingested, take_members
from sync.store import merged_consent
from sync.store.activity_owner import means_record
from sync.store.identity_resolution import reconcile
from sync.store.journal import Journal, now
from sync.store.mirror import AccountMirror
from sync.store.write_history import catch_up

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
    """Read what changed since the last time, of this account and of those whose activity it uses."""
    pulled, began = Pulled(), session.clock()
    for account in session.sources():
        mirror, source = session.mirror(account), session.source(account)
        merged_consent.recall(session.journal, mirror)
        for stream in _streams(session, account, source):
            _pull_stream(session, account, stream, pulled)
        if mirror.stamp("reconciled") != str(
            mirror.revision()
        ):  # also where an earlier pull was cut off before it came to this
            with mirror.transaction():
                reconcile(mirror)
                _note_shape(mirror)
                mirror.set_stamp("reconciled", str(mirror.revision()))
            merged_consent.remember(session.journal, mirror)
        pulled.parked += mirror.value("SELECT count(*) FROM parked WHERE NOT shadowed")
    _pull_lists(session, pulled)
    session.mirror().set_stamp("pull_began", began.astimezone(UTC).isoformat(timespec="microseconds"))
    return pulled


def _streams(session: Session, account: str, source: Source) -> list[str]:
    """The streams that some segmentation uses; our own fields only where we write."""
    kinds, types = activity_types_used(session.config, account), types_used(session.config, account)
    types |= _types_left(session, account, types)
    streams = [
        stream
        for stream in source.capabilities.streams
        if (
            stream in types
            if stream in RECORD_TYPES
            else kinds != frozenset()
            if stream == "activity"
            else account == session.account
        )
    ]
    elsewhere = account == session.account and session.settings.activity_from
    if elsewhere and "activity" in streams and source.count("activity") == 0:
        streams.remove("activity")
    return streams


def _types_left(session: Session, account: str, used: frozenset[str]) -> set[str]:
    """Further record types on which something of ours still stands that the config no longer names."""
    made = {row["record_type"] for row in session.journal.made(account)} - used
    if not made or account != session.account:
        return set()
    mirror = session.mirror(account)
    catch_up(session.journal, mirror)
    sql = """SELECT DISTINCT record_type FROM (SELECT record, target, arg_max(coalesce(after, ''), opened) AS latest FROM written
             GROUP BY record, target) JOIN ids USING (record) WHERE latest <> ''"""
    return made & {record_type for (record_type,) in mirror.rows(sql)}


def _pull_stream(session: Session, account: str, stream: str, pulled: Pulled) -> None:
    """Read one stream page by page, each saved with its position."""
    mirror, source, journal = session.mirror(account), session.source(account), session.journal
    able, today = source.capabilities, session.clock().date()
    zone = session.config.accounts[account].time_zone
    names = session.config.attributes(account)
    ingest = Ingest(
        mirror,
        stream,
        zone,
        able.shared_ids,
        today,
        id_type=able.id_type,
        newest_wins=able.newest_wins,
        attributes=names,
    )
    named, total, begun = (
        _named(session, account, stream),
        source.count(stream) or 0,
        mirror.position(stream),
    )
    arrived, not_taken = False, 0
    for page in source.read(stream, begun):
        arrived = True
        page = _without_forgotten(journal, account, page, pulled, able.id_type, mirror)
        judged = page.whole and page.last and stream != "value"
        before, apart = (_held(mirror, stream), _not_taken(mirror, stream)) if judged else (0, 0)
        with mirror.transaction():
            answer = ingest.take(page)
            if judged:
                arrived_too = max(0, _not_taken(mirror, stream) - apart)
                _guard_shrink(session, named, page, before, _held(mirror, stream) + arrived_too)
            _keep_rejects(journal, account, stream, page, answer)
        pulled.add(pulled.rows, named, page.records.num_rows)
        pulled.add(pulled.rejected, named, page.rejected + (len(answer.repeated) if answer else 0))
        not_taken += sum(page.left_out.values()) + page.ownerless
        pulled.echo += answer.echo if answer else 0
        session.progress(f"reading {named}", pulled.rows.get(named, 0), total)
    if begun is None and arrived and source.capabilities.counts:
        seen = pulled.rows.get(named, 0) + pulled.rejected.get(named, 0) + pulled.forgotten + not_taken
        _guard_shrink(session, named, None, total, seen)


def _named(session: Session, account: str, stream: str) -> str:
    return stream if account == session.account else f"{account}.{stream}"


def _held(mirror: AccountMirror, stream: str) -> int:
    """Rows of a stream that count at present."""
    live = "part IN (SELECT part FROM parts WHERE live AND stream = ?)"
    if stream in RECORD_TYPES:
        return int(mirror.value(f"SELECT count(*) FROM records WHERE {live}", [stream]))
    count = f"SELECT count(*) FROM {{}} WHERE NOT shadowed AND {live}"
    return sum(int(mirror.value(count.format(table), [stream])) for table in ("activity", "parked"))


def _not_taken(mirror: AccountMirror, stream: str) -> int:
    """Rows that arrived, and were refused, left out or name nobody: where they grow, rows that count before
    are not missing.
    """
    return int(
        mirror.value(
            """SELECT coalesce(sum(number), 0) FROM reading JOIN parts USING (part)
               WHERE live AND stream = ? AND what IN ('refused', 'left_out', 'ownerless')""",
            [stream],
        )
    )


def _guard_shrink(session: Session, named: str, page: Page | None, before: int, after: int) -> None:
    """An empty or shrunken reading is nearly always a lost right or a cut-off export, never "all customers
    left".
    """
    limit, missing = session.config.guards.max_shrink, before - after
    if "max_shrink" in session.allow or not too_many_missing(limit, missing, before):
        return
    if page is None:
        what = f"the CRM counts {before:,} of {named}, but gave {after:,}: this user may not see the others"
    else:
        what = f"{named}: with {page.part or 'this reading'} {missing:,} of the {before:,} rows of the last pull are gone"
    raise GuardTripped(
        f"{what}. Nothing was written. Mend the export or the right; if they are truly gone, say --allow max_shrink --reason TEXT.",
        [
            Trip(
                "max_shrink",
                f"{missing:,} of {before:,} rows of {named} are missing, {_allowed(limit.share, limit.count)} may be",
            )
        ],
    )


def too_many_missing(limit: Limit, missing: int, before: int) -> bool:
    """Whether so many of so many records can hardly have left by themselves."""
    over = limit.share is not None and missing >= max(limit.floor, 1) and missing > limit.share * before
    return over or (limit.count is not None and missing > limit.count)


def _allowed(share: float | None, count: int | None) -> str:
    return " or ".join(
        text
        for text in (f"{share:.0%}" if share is not None else "", f"{count:,}" if count is not None else "")
        if text
    )


def _keep_rejects(journal: Journal, account: str, stream: str, page: Page, answer: Ingested | None) -> None:
    """List refused rows with file and line; a part that is read again has its old ones replaced."""
    rows = page.rejects.slice(0, LISTED_REJECTS).to_pylist() if page.rejects is not None else []
    repeated = answer.repeated[:LISTED_REJECTS] if answer else []
    rows += [
        {
            "part": p,
            "line": line,
            "column": "id",
            "id": id,
            "reason": "repeats an id; a later row with it counts",
        }
        for p, line, id in repeated
    ]
    with journal.transaction() as connection:
        if page.first and page.whole:
            connection.execute(
                "DELETE FROM rejects WHERE account = ? AND source = 'pull' AND stream = ? AND part = ?",
                (account, stream, page.part),
            )
        connection.executemany(
            """INSERT INTO rejects (account, source, stream, part, line, "column", record_type, record_id, reason, attempts, quarantined,
                at)
               VALUES (?, 'pull', ?, ?, ?, ?, ?, ?, ?, 0, 0, ?)""",
            [
                (
                    account,
                    stream,
                    r["part"],
                    r["line"],
                    r["column"],
                    stream if stream in RECORD_TYPES else None,
                    r["id"],
                    r["reason"],
                    now(),
                )
                for r in rows
            ],
        )


# -- people whom we were told to forget ---------------------------------------------------------------------


# what a digest is of, beside a record type: an id as it is compared, an e-mail address
KEY, ADDRESS = ("key", "address")


def forget_digest(journal: Journal, account: str, record_type: str, id: str) -> str:
    """What stays of a forgotten person: a keyed hash, from which nobody gets the id back without the
    journal's key.
    """
    key = journal.value("SELECT digest FROM forgotten WHERE at = 'key'")
    if key is None:
        import secrets

        key = secrets.token_hex(32)
        journal.execute("INSERT INTO forgotten VALUES (?, 'key')", key)
    return _digest(bytes.fromhex(key), account, record_type, id)


def _digest(key: bytes, account: str, record_type: str, id: str) -> str:
    return hmac.digest(key, f"{account}\0{record_type}\0{id}".encode(), "sha256").hex()


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
    digests = {row["digest"] for row in journal.rows("SELECT digest FROM forgotten WHERE at <> 'key'")}
    if not digests or not (page.records.num_rows or page.voids):
        return page
    secret = bytes.fromhex(journal.value("SELECT digest FROM forgotten WHERE at = 'key'"))

    @cache
    def forgotten(what: str, name: str) -> bool:
        return _digest(secret, account, what, name) in digests

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


def _pull_lists(session: Session, pulled: Pulled) -> None:
    """Members of the static lists that we made, where they changed.

    What is known of a list that is no more is void.
    """
    made = {
        row["key"]: row["remote"] for row in session.journal.made(session.account) if row["kind"] == "list"
    }
    if not made:
        return
    mirror = session.mirror()
    static = {id: remote for id, remote in session.lists.items() if remote.kind == "static"}
    for key, id in made.items():
        _forget_other(mirror, key, id if id in static else "")
        if id not in static:
            continue
        for page in session.destination().members(static[id], mirror.position("list:" + key)):
            page = _without_forgotten(session.journal, session.account, page, pulled)
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
            mirror.run("DELETE FROM positions WHERE stream = ?", ["list:" + key])
            mirror.run("DELETE FROM actual WHERE target = ?", [key])
        mirror.set_stamp("list:" + key, id)


def _note_shape(mirror: AccountMirror) -> None:
    """Two facts about the activity that decide how costly its features are."""
    refunds = mirror.value("SELECT coalesce(bool_or(kind = 'refund'), false) FROM activity")
    orders = mirror.run(
        """SELECT "order" FROM activity WHERE "order" IS NOT NULL AND NOT shadowed"""
    ).fetchnumpy()["order"]
    lines = False
    if len(orders):
        import numpy as np

        orders = np.sort(orders)
        lines = bool((orders[1:] == orders[:-1]).any())
    mirror.set_stamp("refunds", "yes" if refunds else "no")
    mirror.set_stamp("order_lines", "yes" if lines else "no")


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
        raise RequestError("\n".join(f"{account}: {p.what}. {p.remedy}" for p in problems))
