"""Forget: take a person out of every file of ours, and see that no later export brings them back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import IdType
from connectors.schemas import CHANGE_SCHEMA
from connectors.values.ids import comparable
from sync.account.session import Session
from sync.apply.delivery import JournalTicket
from sync.apply.throttle import stamp
from sync.exit_codes import declined
from sync.forget import exports
from sync.forget.purge import purge
from sync.pull.pull import pull
from sync.store import actual
from sync.store.erase import Names, erase
from sync.store.identity_resolution import (
    names_any,
    names_of,
    of_address,
    of_id,
    phones_of,
    same_person,
    unknown_of_id,
)
from sync.store.joined import Joined, alike
from sync.store.journal import Journal
from sync.store.journal.forgotten import ADDRESS, KEY, Forgotten
from sync.store.journal.people import count_about
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


def forget(
    session: Session, id: str, confirm: Callable[[dict[str, Any]], bool] = lambda _shown: True
) -> dict[str, Any]:
    """Clear what we wrote on a person in the CRM, then purge the journal, the mirror and files that we
    exported.

    ``confirm`` is shown all of it first; where it says no, nothing is done. The person's own rows in the
    CRM's exports are the customer's: they are not touched, only never read again. The answer names nobody:
    the journal keeps it.
    """
    if not holds_records(session.mirror()):  # it may have been deleted
        pull(session)
    journal, mirrors = session.journal, {account: session.mirror(account) for account in session.sources()}
    trace = traces(journal, mirrors, session.joined(), session.account, id)
    nothing = {"forgotten": 0, "cleared": 0, "journal_rows": 0, "files": 0, "known": trace is not None}
    if trace is None:
        return nothing
    if not confirm(trace.as_dict()):
        return {**nothing, **declined("Nothing was erased. Add --yes to erase it; this cannot be undone.")}
    names = {
        account: Names(_records_in(trace.people, account), trace.addresses | spelled)
        for account, spelled in _spelled(mirrors, trace.people).items()
    }
    cleared = _clear(session, trace.values)
    id_types = {account: session.source(account).capabilities.id_type for account, _type, _id in trace.people}
    _remember(journal.forgotten, list(mirrors), trace, id_types)
    rows = sum(purge(journal, account, named.records, named.texts) for account, named in names.items())
    files = exports.purge(journal.exports.paths(), _named(mirrors, trace.people, trace.addresses))
    erase(session.mirrors.file, names)
    session.mirrors.file.path.with_name("journal.salvaged.sqlite").unlink(missing_ok=True)
    counts = {"forgotten": len(trace.people), "cleared": cleared, "journal_rows": rows, "files": files}
    return {**counts, "known": True}


# -- what is known of a person -----------------------------------------------------------------------------


def traces(
    journal: Journal, mirrors: Mapping[str, AccountMirror], joined: Sequence[Joined], account: str, id: str
) -> Traces | None:
    """What is known of a person by an id or an address: in the mirror, in the journal and in files; None:
    nobody is called that.
    """
    people, addresses = _people(mirrors, joined, account, id)
    if not people:  # who left the CRM may stand in the journal
        people = [(account, record_type, id) for record_type in _types_in_journal(journal, account, id)]
    named = any(names_any(mirror, addresses | {id}) for mirror in mirrors.values())
    before = _is_forgotten(journal.forgotten, account, id)
    if not people and not named and not before:
        return None
    people = people or [(account, "contact", id)]
    rows = sum(
        count_about(table, records)
        for name in mirrors
        if (records := _records_in(people, name))
        for table in _tables(journal, name)
    )
    named_in_files = _named(mirrors, people, addresses)
    files = [str(path) for path, _ in exports.naming(journal.exports.paths(), named_in_files)]
    made = {row.key for row in journal.objects.of(account)}
    values = [
        ((account, record_type, key), target, value)
        for name, record_type, key in people
        if name == account
        for target, value in actual.of_record(mirrors[account], record_type, key)
        if target in made
    ]
    return Traces(people, addresses, values, rows, files, before)


def _people(
    mirrors: Mapping[str, AccountMirror], joined: Sequence[Joined], account: str, id: str
) -> tuple[list[Person], set[str]]:
    """A person's records in the account and in those that it draws from, and all addresses of theirs; nobody:
    no records.

    ``id`` is that of a record here, with all that were merged with it; where there is none, it is an address.
    In the other accounts the person is whoever has one of the addresses, or is found by what the account is
    joined by.
    """
    people: list[Person] = []
    addresses: set[str] = {id} if "@" in id else set()
    ours, sources, here = mirrors[account], {source.name: source for source in joined}, list[int]()
    for name, mirror in mirrors.items():
        numbers, unknown = (of_id(mirror, id), unknown_of_id(mirror, id)) if name == account else ([], [])
        if not numbers and not unknown:
            numbers = [number for address in sorted(addresses) for number in of_address(mirror, address)]
        if name == account:
            here = numbers
        elif name in sources:
            numbers += alike(ours, sources[name], here)
        rows = same_person(mirror, numbers)
        people += [(name, record_type, key) for record_type, key, _addresses in rows]
        people += [(name, record_type, key) for record_type, key in unknown]
        addresses |= {address for _, _, record_addresses in rows for address in record_addresses}
    return list(dict.fromkeys(people)), addresses


def _named(
    mirrors: Mapping[str, AccountMirror], people: Sequence[Person], addresses: set[str]
) -> exports.Named:
    """How files may name these people."""
    phones = {
        phone for name, mirror in mirrors.items() for phone in phones_of(mirror, _records_in(people, name))
    }
    return exports.Named({key for _, _, key in people}, addresses, phones)


def _records_in(people: Iterable[Person], account: str) -> set[tuple[str, str]]:
    return {(record_type, key) for name, record_type, key in people if name == account}


def _types_in_journal(journal: Journal, account: str, id: str) -> list[str]:
    """Types of the records of this id that the journal knows."""
    types = journal.rejects.record_types(account, id)
    for table in _tables(journal, account):
        met = table.filter(pc.equal(table["id"], id))
        types |= set(met["record_type"].to_pylist())
    return sorted(types)


def _tables(journal: Journal, account: str) -> Iterator[pa.Table]:
    """All tables of changes and of labels of an account, one at a time."""
    yield from (batch.changes() for batch in journal.batches.of(account=account))
    yield from journal.labels.tables(account)


# -- so that nobody comes back -----------------------------------------------------------------------------


def _is_forgotten(forgotten: Forgotten, account: str, id: str) -> bool:
    if "@" in id:
        return forgotten.has(account, ADDRESS, comparable(id, "email"))
    return any(forgotten.has(account, record_type, id) for record_type in ("contact", "lead", "company"))


def _remember(
    forgotten: Forgotten, accounts: Sequence[str], trace: Traces, id_types: Mapping[str, IdType]
) -> None:
    """Keyed hashes of the ids, as they are written and as they are compared, and of the addresses: whose rows
    are not read again.
    """
    for account, record_type, key in trace.people:
        forgotten.add(account, record_type, key)
        forgotten.add(account, f"{KEY} {record_type}", comparable(key, id_types[account]))
    for account in accounts:
        for address in trace.addresses:
            forgotten.add(account, ADDRESS, comparable(address, "email"))


def _spelled(mirrors: Mapping[str, AccountMirror], people: Sequence[Person]) -> dict[str, set[str]]:
    """By account: ids and addresses by which its activity names these people, as they are written there."""
    return {
        account: names_of(mirror, [id for name, _, id in people if name == account])
        for account, mirror in mirrors.items()
    }


# -- what stands in the CRM --------------------------------------------------------------------------------


def _clear(session: Session, values: Sequence[tuple[Person, str, str]]) -> int:
    """Take our values and memberships off the person's records. Not journalled: a record of it would remember
    the person.

    A person asked for it, so no pace holds it back; but what comes later finds it counted.
    """
    batches, made = (
        session.journal.batches,
        {row.key: row for row in session.journal.objects.of(session.account)},
    )
    lists = session.lists if any(row.kind == "list" for row in made.values()) else {}
    ticket = JournalTicket(batches, 0)
    for (_account, record_type, id), theirs in groupby(values, lambda value: value[0]):
        changes = [
            {"record_type": record_type, "id": id, "target": target, "before": value, "after": None}
            for _person, target, value in theirs
        ]
        fields = [change for change in changes if made[str(change["target"])].kind == "field"]
        if fields:
            batches.add_written(session.account, 1, stamp(session.clock()))
            session.destination().write_fields(pa.Table.from_pylist(fields, schema=CHANGE_SCHEMA), ticket)
        for change in changes:
            remote = lists.get(made[str(change["target"])].remote)
            if change not in fields and remote is not None:
                batches.add_written(session.account, 1, stamp(session.clock()))
                table = pa.Table.from_pylist([change], schema=CHANGE_SCHEMA)
                session.destination().write_members(remote, table, ticket)
    return len(values)
