"""Forget: take a person out of every file of ours, and see that no later export brings them back."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.schemas import CHANGE_SCHEMA
from connectors.values.ids import comparable
from sync.account.session import Session
from sync.apply.delivery import JournalTicket
from sync.apply.throttle import stamp
from sync.exit_codes import declined
from sync.pull.pull import pull
from sync.store import actual
from sync.store.arrow_bytes import packed, unpacked
from sync.store.erase import Names, erase
from sync.store.identity_resolution import (
    names_any,
    names_of,
    of_address,
    of_id,
    same_person,
    unknown_of_id,
)
from sync.store.journal import Journal
from sync.store.journal.database import backup_of
from sync.store.journal.forgotten import ADDRESS, KEY
from sync.store.mirror import AccountMirror
from sync.store.records import holds_records

Person = tuple[str, str, str]  # account, record type, id


@dataclass
class Traces:
    """Everything that we know of a person: what ``forget`` erases."""

    people: list[Person]
    addresses: set[str]
    values: list[tuple[Person, str, str]]  # record, field or list of ours in the CRM, value
    journal_rows: int
    files: list[str]
    before: bool  # whether they were forgotten already

    def as_dict(self) -> dict[str, Any]:
        """For printing."""
        records = [
            {"account": account, "record_type": record_type, "id": id}
            for account, record_type, id in self.people
        ]
        values = [
            {"record_type": kind, "id": id, "target": target, "value": value}
            for (_, kind, id), target, value in self.values
        ]
        return {
            "records": records,
            "addresses": sorted(self.addresses),
            "values": values,
            "journal_rows": self.journal_rows,
            "files": self.files,
        }


def people_of(mirrors: Sequence[AccountMirror], id: str) -> tuple[list[Person], set[str]]:
    """A person's records in the account of the first of the mirrors and in those whose activity it uses, and
    all addresses of theirs; nobody: no records.

    ``id`` is that of a record here, with all that were merged with it; where there is none, it is an address.
    In the other accounts the person is whoever has one of the addresses.
    """
    people: list[Person] = []
    addresses: set[str] = {id} if "@" in id else set()
    for mirror in mirrors:
        here = mirror is mirrors[0]
        records, unknown = (of_id(mirror, id), unknown_of_id(mirror, id)) if here else ([], [])
        if not records and not unknown:
            records = [number for address in sorted(addresses) for number in of_address(mirror, address)]
        rows = same_person(mirror, records)
        people += [(mirror.name, record_type, key) for record_type, key, _addresses in rows]
        people += [(mirror.name, record_type, key) for record_type, key in unknown]
        addresses |= {address for _, _, record_addresses in rows for address in record_addresses}
    return list(dict.fromkeys(people)), addresses


def traces(session: Session, id: str) -> Traces | None:
    """What is known of a person by an id or an address: in the mirror, in the journal and in files; None:
    nobody is called that.
    """
    journal, mirrors = session.journal, [session.mirror(name) for name in session.sources()]
    if not holds_records(mirrors[0]):
        pull(session)
    people, addresses = people_of(mirrors, id)
    if not people:  # who left the CRM may stand in the journal
        people = [(session.account, kind, id) for kind in _types_in_journal(journal, session.account, id)]
    named = any(names_any(mirror, addresses | {id}) for mirror in mirrors)
    before = _is_forgotten(journal, session.account, id)
    if not people and not named and not before:
        return None
    people = people or [(session.account, "contact", id)]
    rows = sum(
        _count(journal, account, {(kind, key) for name, kind, key in people if name == account})
        for account in session.sources()
    )
    files = [str(path) for path, _ in _exports_without(journal, {key for _, _, key in people})]
    made = {row.key for row in journal.objects.of(session.account)}
    values = [
        (person, target, value)
        for person in people
        if person[0] == session.account
        for target, value in _ours_on(mirrors[0], made, person)
    ]
    return Traces(people, addresses, values, rows, files, before)


def forget(
    session: Session, id: str, confirm: Callable[[dict[str, Any]], bool] = lambda _shown: True
) -> dict[str, Any]:
    """Clear what we wrote on a person in the CRM, then purge the journal, the mirror and files that we
    exported.

    ``confirm`` is shown all of it first; where it says no, nothing is done. The person's own rows in the
    CRM's exports are the customer's: they are not touched, only never read again. The answer names nobody:
    the journal keeps it.
    """
    trace = traces(session, id)
    nothing = {"forgotten": 0, "cleared": 0, "journal_rows": 0, "files": 0, "known": trace is not None}
    if trace is None:
        return nothing
    if not confirm(trace.as_dict()):
        return {**nothing, **declined("nothing was erased: say --yes to erase it. It cannot be undone.")}
    people, addresses = trace.people, trace.addresses
    spelled = {
        name: addresses | names_of(session.mirror(name), {id for account, _, id in people if account == name})
        for name in session.sources()
    }
    cleared = _clear(session, [p for p in people if p[0] == session.account])
    # whose rows are not read again: ids, as they are written and as they are compared, and addresses
    compared = [
        (account, f"{KEY} {kind}", comparable(key, session.source(account).capabilities.id_type))
        for account, kind, key in people
    ]
    addressed = [
        (name, ADDRESS, comparable(address, "email")) for name in session.sources() for address in addresses
    ]
    for account, what, text in [*people, *compared, *addressed]:
        session.journal.forgotten.add(account, what, text)
    named = {account: {(t, i) for name, t, i in people if name == account} for account in session.sources()}
    rows = sum(
        purge_journal(session.journal, account, named[account], spelled[account])
        for account in session.sources()
    )
    files = _purge_exports(session.journal, {key for _, _, key in people})
    erase(
        session.mirrors.file,
        {account: Names(named[account], spelled[account]) for account in session.sources()},
    )
    session.mirrors.file.path.with_name("journal.salvaged.sqlite").unlink(missing_ok=True)
    return {"forgotten": len(people), "cleared": cleared, "journal_rows": rows, "files": files, "known": True}


def _ours_on(mirror: AccountMirror, made: Collection[str], person: Person) -> list[tuple[str, str]]:
    """The targets that we ``made`` and in which the person's record holds something, and what."""
    _account, record_type, id = person
    return [pair for pair in actual.of_record(mirror, record_type, id) if pair[0] in made]


def _types_in_journal(journal: Journal, account: str, id: str) -> list[str]:
    """Types of the records of this id that the journal knows."""
    types: set[str] = set()
    for table in _tables(journal, account):
        met = table.filter(pc.equal(table["id"], id))
        types |= set(met["record_type"].to_pylist())
    sql = "SELECT DISTINCT coalesce(record_type, 'contact') AS kind FROM rejects WHERE account = ? AND record_id = ?"
    return sorted(types | {row["kind"] for row in journal.rows(sql, account, id)})


def _tables(journal: Journal, account: str) -> Iterator[pa.Table]:
    """All tables of changes and of labels of an account, one at a time."""
    for row in journal.rows("SELECT batch FROM batches WHERE account = ?", account):
        yield journal.batches.get(row["batch"]).changes()
    sql = "SELECT segmentation, as_of, part FROM labels WHERE account = ?"
    for row in journal.rows(sql, account):
        query = "SELECT content FROM labels WHERE account = ? AND segmentation = ? AND as_of = ? AND part = ?"
        yield unpacked(journal.value(query, account, row["segmentation"], row["as_of"], row["part"]))


def _count(journal: Journal, account: str, people: set[tuple[str, str]]) -> int:
    return (
        sum(pc.sum(_are(table, people)).as_py() or 0 for table in _tables(journal, account)) if people else 0
    )


def _is_forgotten(journal: Journal, account: str, id: str) -> bool:
    names = [ADDRESS] if "@" in id else ["contact", "lead", "company"]
    key = comparable(id, "email") if "@" in id else id
    return any(journal.forgotten.has(account, name, key) for name in names)


def _clear(session: Session, people: list[Person]) -> int:
    """Take our values and memberships off the person's records. Not journalled: a record of it would remember
    the person.

    A person asked for it, so no pace holds it back; but what comes later finds it counted.
    """
    cleared = 0
    made = {row.key: row for row in session.journal.objects.of(session.account)}
    lists = session.lists if any(row.kind == "list" for row in made.values()) else {}
    ticket = JournalTicket(session.journal.batches, 0)
    for person in people:
        _account, record_type, id = person
        written = _ours_on(session.mirror(), made, person)
        changes = [
            {"record_type": record_type, "id": id, "target": t, "before": v, "after": None}
            for t, v in written
        ]
        fields = [c for c in changes if made[str(c["target"])].kind == "field"]
        if fields:
            session.journal.batches.add_written(session.account, 1, stamp(session))
            session.destination().write_fields(pa.Table.from_pylist(fields, schema=CHANGE_SCHEMA), ticket)
        for change in changes:
            if change not in fields and made[str(change["target"])].remote in lists:
                remote = lists[made[str(change["target"])].remote]
                session.journal.batches.add_written(session.account, 1, stamp(session))
                session.destination().write_members(
                    remote, pa.Table.from_pylist([change], schema=CHANGE_SCHEMA), ticket
                )
        cleared += len(changes)
    return cleared


def purge_journal(
    journal: Journal, account: str, people: set[tuple[str, str]], spelled: Set[str] = frozenset()
) -> int:
    """Rewrite everything in the journal that names one of these (record type, id); returns how many rows
    went.

    ``spelled``: what else refused rows and the words of a CRM may name them by.
    """
    count = 0
    ids = {id for _type, id in people} | spelled
    with journal.transaction() as connection:
        for row in journal.rows("SELECT batch FROM batches WHERE account = ?", account):
            count += _purge_batch(journal, row["batch"], people)
        for row in journal.rows("SELECT segmentation, as_of, part FROM labels WHERE account = ?", account):
            parameters = (account, row["segmentation"], row["as_of"], row["part"])
            condition = "account = ? AND segmentation = ? AND as_of = ? AND part = ?"
            table = unpacked(journal.value(f"SELECT content FROM labels WHERE {condition}", *parameters))
            kept = table.filter(pc.invert(_are(table, people)))
            if kept.num_rows < table.num_rows:
                count += table.num_rows - kept.num_rows
                connection.execute(
                    f"UPDATE labels SET content = ? WHERE {condition}", (packed(kept), *parameters)
                )
        connection.executemany(
            "DELETE FROM rejects WHERE account = ? AND record_id = ?", [(account, id) for id in ids]
        )
        for person in ("record_type = ? AND id = ?", "survivor_type = ? AND survivor = ?"):
            sql = f"DELETE FROM merged_consents WHERE account = ? AND {person}"
            connection.executemany(sql, [(account, *named) for named in people])
        for name, key in (("plans", "plan"), ("runs", "run")):
            for row in journal.rows(
                f"SELECT {key} AS number, summary FROM {name} WHERE account = ? AND summary IS NOT NULL",
                account,
            ):
                cleaned = json.dumps(_without(json.loads(row["summary"]), ids))
                connection.execute(f"UPDATE {name} SET summary = ? WHERE {key} = ?", (cleaned, row["number"]))
    for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
        journal.connection.execute(statement)
    if backup_of(journal.path).exists():  # it remembers them too
        backup_of(journal.path).unlink()
        journal.back_up(at_once=True)
    return count


def _are(table: pa.Table, people: set[tuple[str, str]]) -> pa.ChunkedArray:
    """Which rows are about one of these people; types are looked at only where an id is met."""
    met = pc.is_in(table["id"], value_set=pa.array(sorted({id for _type, id in people}), pa.string()))
    if not pc.any(met).as_py():
        return met
    types = table["record_type"].to_pylist()
    ids = table["id"].to_pylist()
    return pa.chunked_array(
        [
            pa.array(
                [bool(m) and (t, i) in people for m, t, i in zip(met.to_pylist(), types, ids, strict=True)],
                pa.bool_(),
            )
        ]
    )


def _purge_batch(journal: Journal, number: int, people: set[tuple[str, str]]) -> int:
    """Drop changes of these people from a batch and move the notes on the others to their new places."""
    batch = journal.batches.get(number)
    changes = batch.changes()
    gone = _are(changes, people).to_pylist()
    if not any(gone):
        return 0
    next_position, places = 0, {}
    for position, is_gone in enumerate(gone):
        if not is_gone:
            places[position], next_position = next_position, next_position + 1
    notes = journal.rows("SELECT * FROM exceptions WHERE batch = ?", number)
    journal.execute("DELETE FROM exceptions WHERE batch = ?", number)
    for note in notes:
        if note["position"] in places:
            row = (number, places[note["position"]], note["status"], note["kind"], note["reason"])
            journal.execute("INSERT INTO exceptions VALUES (?, ?, ?, ?, ?)", *row)
    kept = changes.filter(pa.array([not is_gone for is_gone in gone]))
    journal.execute(
        "UPDATE batches SET content = ?, rows = ? WHERE batch = ?", packed(kept), kept.num_rows, number
    )
    if batch.state == "planned":  # of others the pace still counts what they moved
        journal.execute(
            "UPDATE batches SET records = ? WHERE batch = ?", pc.count_distinct(kept["id"]).as_py(), number
        )
    return int(changes.num_rows - kept.num_rows)


def _without(value: Any, ids: set[str]) -> Any:
    """A summary without the entries that name one of these ids, and without the words of a CRM or an error
    that quote one.
    """
    quoted = re.compile(r"(?<!\w)(" + "|".join(map(re.escape, ids)) + r")(?!\w)")

    def cleaned(part: Any) -> Any:
        if isinstance(part, dict):
            kept = {key: inner for key, inner in part.items() if not quoted.search(key)}
            return {
                key: quoted.sub("?", inner) if key == "stopped" else cleaned(inner)
                for key, inner in kept.items()
            }
        if isinstance(part, list):
            return [
                cleaned(inner) for inner in part if not (isinstance(inner, dict) and inner.get("id") in ids)
            ]
        return part

    return cleaned(value)


def _exports_without(journal: Journal, ids: Set[str]) -> Iterator[tuple[Path, str]]:
    """Files that we were told to write (``--out``), are still there and name one of these: path, and text
    without them.
    """
    for row in journal.rows("SELECT path FROM exports"):
        path = Path(row["path"])
        strip = {".csv": _csv_without, ".json": _json_without}.get(path.suffix)
        if strip and path.is_file():
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            cleaned = strip(text, ids)
            if cleaned is not None:
                yield path, cleaned


def _csv_without(text: str, ids: Set[str]) -> str | None:
    """Rows of all others; None where there are no further ones."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    column = rows[0].index("id") if rows and "id" in rows[0] else 0
    kept = [r for n, r in enumerate(rows) if n == 0 or len(r) <= column or r[column].lstrip("'") not in ids]
    if len(kept) == len(rows):
        return None
    sink = io.StringIO(newline="")
    csv.writer(sink, lineterminator="\n").writerows(kept)
    return sink.getvalue()


def _json_without(text: str, ids: Set[str]) -> str | None:
    """Changes of a plan that are of others; None where there are no further ones, or it is no plan of ours
    any more.
    """
    try:
        rows = json.loads(text)
    except ValueError:
        return None
    if not isinstance(rows, list):
        return None
    kept = [row for row in rows if not (isinstance(row, dict) and row.get("id") in ids)]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in kept)
    return f"[\n{lines}\n]\n" if len(kept) < len(rows) else None


def _purge_exports(journal: Journal, ids: Set[str]) -> int:
    """Write the files again without the person; returns how many there were."""
    count = 0
    for path, text in _exports_without(journal, ids):
        temporary = path.with_name(f".{path.name}.crm-segments.tmp")
        with temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as sink:
            sink.write(text)
        os.replace(temporary, path)
        count += 1
    return count
