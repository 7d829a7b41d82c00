"""A whole CRM in memory that gives what a CRM gives and no more: the template for a new connector. Copy the
folder and rename it. The class here is the contract; in place of ``store``, the CRM itself, comes the client
of an API; ``settings`` and ``limits`` say what the config may hold; ``reading`` makes pages of what the CRM has,
``writing`` answers changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from connectors import contract
from connectors.contract import Account, FieldReference, FieldSpec, ListSpec, Page, RemoteList, Ticket
from connectors.errors import RequestError
from connectors.memory import reading, writing
from connectors.memory.store import STORES, Store
from connectors.schemas import MEMBER, MEMBER_SCHEMA, OUTCOME_SCHEMA


def connect(account: Account) -> contract.Connector:
    """The connector of an account. What it names as its store is there as long as the process."""
    return MemoryConnector(account, STORES.setdefault(account.settings.store, Store()))


class MemoryConnector(contract.Connector):
    """One account of the CRM. Our own writes move the stamps of records, as in real CRMs."""

    capabilities = contract.Capabilities(archives_fields=True, deletes_lists=frozenset({"static"}))
    page_size = 1000

    def __init__(self, account: Account, store: Store) -> None:
        self.account, self.store, self.calls = account, store, contract.Calls()

    def _ask(self, verb: str, writes: bool = False) -> None:
        """One call, counted where it is made."""
        self.calls.write += writes
        self.calls.read += not writes

    def check(self) -> list[contract.Problem]:
        self._ask("check")
        return []

    def read(self, stream: str, position: str | None) -> Iterator[Page]:
        for page in reading.pages(self.store, self.account, stream, position, self.page_size):
            self._ask("read")
            yield page

    def fields(self) -> dict[tuple[str, str], FieldSpec]:
        self._ask("fields")
        return dict(self.store.fields)

    def ensure_field(self, spec: FieldSpec) -> FieldReference:
        self._ask("ensure_field", writes=True)
        there = self.store.fields.get((spec.record_type, spec.name))
        if there and there.type != spec.type:
            raise RequestError(f"field {spec.name} is of type {there.type}: choose another name")
        words = there if there and spec.adopted else replace(spec, retired=False, adopted=False)
        options = {option.key: option for each in (there or spec, spec, words) for option in each.options}
        self.store.fields[spec.record_type, spec.name] = replace(words, options=tuple(options.values()))
        return FieldReference(spec.name, there is not None)

    def normal(self, spec: FieldSpec, value: str | None) -> str | None:
        return writing.normal(spec, value)

    def lists(self) -> list[RemoteList]:
        self._ask("lists")
        return list(self.store.lists.values())

    def ensure_list(self, spec: ListSpec) -> RemoteList:
        self._ask("ensure_list", writes=True)
        id = self.store.lists[spec.key].id if spec.key in self.store.lists else f"list-{self.store.tick()}"
        self.store.lists[spec.key] = RemoteList(id, spec.key, spec.label, "static", spec.record_type)
        return self.store.lists[spec.key]

    def archive_field(self, spec: FieldSpec) -> None:
        self._ask("archive_field", writes=True)
        self.store.fields.pop((spec.record_type, spec.name), None)

    def delete_list(self, remote: RemoteList) -> None:
        self._ask("delete_list", writes=True)
        for key in [key for key, listed in self.store.lists.items() if listed.id == remote.id]:
            self.store.delete_list(key)

    def members(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        rows = [{"record_type": remote.record_type, "id": id} for id in sorted(self._members(remote))]
        digest = hashlib.sha256(str(rows).encode()).hexdigest()  # a position is kept, and names nobody
        if position != digest:
            self._ask("members")
            yield Page(pa.Table.from_pylist(rows, MEMBER_SCHEMA), digest, remote.key, whole=True, first=True)

    def write_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        self._ask("write", writes=True)  # one call for all changes; each is answered, in its order
        answers = [writing.write(self.store, **change) for change in changes.to_pylist()]
        rows = [dict(zip(OUTCOME_SCHEMA.names, answer, strict=True)) for answer in answers]
        return pa.Table.from_pylist(rows, schema=OUTCOME_SCHEMA)

    def write_members(self, remote: RemoteList, changes: pa.Table, ticket: Ticket) -> pa.Table:
        self._members(remote)
        return self.write_fields(changes, ticket)

    def current_values(self, changes: pa.Table) -> pa.Array:
        self._ask("current")
        keys = changes.select(["record_type", "id", "target"]).to_pylist()
        return pa.array([self.store.value(*key.values()) for key in keys], pa.string())

    def current_members(self, remote: RemoteList, changes: pa.Table) -> pa.Array:
        self._ask("current")
        ids = self._members(remote)
        return pa.array([MEMBER if id in ids else None for id in changes["id"].to_pylist()], pa.string())

    def _members(self, remote: RemoteList) -> set[str]:
        for key, listed in self.store.lists.items():
            if listed.id == remote.id:
                return self.store.members.setdefault(key, set())
        raise RequestError(f"there is no list {remote.key or remote.id}: run `crm-segments setup`")
