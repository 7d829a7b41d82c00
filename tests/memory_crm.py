"""A CRM in memory: what a connector is at its plainest, and one whose people, outages and refusals a test commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from connectors.contract import (
    ACTIVITY_SCHEMA,
    ATTRIBUTE,
    FIELD,
    MEMBER,
    MEMBER_SCHEMA,
    OUTCOME_SCHEMA,
    RECORD_SCHEMA,
    Account,
    Capabilities,
    Connector,
    FieldSpec,
    Listeners,
    ListSpec,
    Option,
    Page,
    Problem,
    RemoteList,
    Ticket,
)
from connectors.errors import RequestError, TemporaryError

Key = tuple[str, str]  # record type, id
_TYPES = {"number": pa.float64(), "date": pa.date32(), "bool": pa.bool_()}
_RECORD_COLUMNS = [name for name in RECORD_SCHEMA.names if name != "line"]
_ACTIVITY_COLUMNS = [name for name in ACTIVITY_SCHEMA.names if name != "line"]


@dataclass
class _List:
    remote: RemoteList
    ids: set[str] = field(default_factory=set)
    version: int = 0


@dataclass
class Store:
    """What the CRM holds. It outlives the connectors (and the killed runs) that are opened on it."""

    records: dict[Key, dict[str, Any]] = field(default_factory=dict)
    activity: list[dict[str, Any]] = field(default_factory=list)
    fields: dict[Key, FieldSpec] = field(default_factory=dict)
    lists: dict[str, _List] = field(default_factory=dict)
    clock: int = 0  # moves with every change; the position of a reader

    def put(self, id: str, record_type: str = "contact", **columns: Any) -> None:
        """A person creates or edits a record; attributes are given by the CRM's own names."""
        row = self.records.setdefault((record_type, id), {"record_type": record_type, "id": id, "created_at": self._tick()[1]})
        clock, moment = self._tick()
        row.update(columns, changed_at=moment, clock=clock)

    def delete(self, id: str, record_type: str = "contact") -> None:
        """A person deletes a record: only its tombstone stays."""
        clock, moment = self._tick()
        self.records[record_type, id] = {"record_type": record_type, "id": id, "changed_at": moment, "deleted": True, "clock": clock}
        for held in self.lists.values():
            if held.remote.record_type == record_type and id in held.ids:
                held.ids.discard(id)
                held.version = clock

    def merge(self, loser: str, survivor: str, record_type: str = "contact") -> None:
        """A person merges two records; the loser's activity stays under its old id."""
        self.put(loser, record_type, merged_into=survivor)

    def convert(self, lead: str, contact: str) -> None:
        """A sales rep turns a lead into a contact."""
        self.put(contact)
        self.put(lead, "lead", converted_to=contact)

    def act(self, record_id: str, occurred_at: datetime, kind: str = "purchase", record_type: str = "contact", **columns: Any) -> None:
        """A record does something."""
        clock, _ = self._tick()
        columns.setdefault("id", f"activity-{clock}")
        row = {"record_type": record_type, "record_id": record_id, "kind": kind, "occurred_at": occurred_at}
        self.activity.append({**row, **columns, "clock": clock})

    def set_field(self, id: str, name: str, value: str | None, record_type: str = "contact") -> None:
        """Anyone sets a field of a record."""
        self.put(id, record_type, **{FIELD + name: value})

    def set_member(self, key: str, id: str, member: bool) -> None:
        """Anyone adds a record to a list, or removes it."""
        held = self.lists[key]
        (held.ids.add if member else held.ids.discard)(id)
        held.version = self._tick()[0]

    def exists(self, record_type: str, id: str) -> bool:
        row = self.records.get((record_type, id))
        return row is not None and not row.get("deleted") and not row.get("merged_into") and not row.get("converted_to")

    def _tick(self) -> tuple[int, datetime]:
        self.clock += 1
        return self.clock, datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=self.clock)


@dataclass
class Faults:
    """What goes wrong, and when. Counts are of write calls still to come: 0 is the next one."""

    fail_before: int | None = None  # the call never arrives
    fail_after: int | None = None  # it is carried out, and the answer is lost
    reject: dict[str, str] = field(default_factory=dict)  # id → kind of rejection
    poison: set[str] = field(default_factory=set)  # ids that make the CRM refuse the whole call that names them
    hook: Callable[[str], None] = lambda moment: None  # called with "before read", "before write" and "after write"; may raise


class MemoryCrm(Connector):
    """A connector on a ``Store``. Its fields come with the records; our own writes move the records' stamps, as in real CRMs."""

    def __init__(
        self, account: Account, store: Store | None = None, faults: Faults | None = None, page_size: int = 1000, batch_size: int = 100
    ) -> None:
        self.account = account
        self.store = store or Store()
        self.faults = faults or Faults()
        self.page_size = page_size
        self.capabilities = Capabilities(batch_size=batch_size, member_batch_size=batch_size)
        self.reads = self.writes = 0  # calls so far

    def check(self) -> list[Problem]:
        return []

    def count(self, stream: str) -> int | None:
        if stream == "activity":
            return len(self.store.activity)
        return sum(self.store.exists(*key) for key in self.store.records if key[0] == stream)

    def read(self, stream: str, position: str | None) -> Iterator[Page]:
        if stream not in self.capabilities.streams:
            raise RequestError(f"the CRM in memory has no stream {stream!r}")
        made_under = [sorted(self.account.attributes), sorted({spec.name for spec in self.account.fields})]
        state = json.loads(position) if position else {}
        since = state.get("clock", 0) if state.get("under") == made_under else 0
        everything = self.store.activity if stream == "activity" else [row for key, row in self.store.records.items() if key[0] == stream]
        rows = sorted((dict(row) for row in everything if row["clock"] > since), key=lambda row: int(row["clock"]))
        table = self._activity if stream == "activity" else self._records
        for start in range(0, len(rows), self.page_size):
            self.faults.hook("before read")
            self.reads += 1
            chunk = rows[start : start + self.page_size]
            yield Page(table(chunk), json.dumps({"clock": chunk[-1]["clock"], "under": made_under}), first=start == 0)

    def _activity(self, rows: list[dict[str, Any]]) -> pa.Table:
        return _table(rows, [ACTIVITY_SCHEMA.field(name) for name in _ACTIVITY_COLUMNS])

    def _records(self, rows: list[dict[str, Any]]) -> pa.Table:
        columns = [RECORD_SCHEMA.field(name) for name in _RECORD_COLUMNS]
        for name, attribute in self.account.attributes.items():
            columns.append(pa.field(ATTRIBUTE + name, _TYPES.get(attribute.type, pa.string())))
            for row in rows:
                value = row.get(attribute.field)
                row[ATTRIBUTE + name] = None if value in attribute.missing else value
        ours = {spec.name for spec in self.account.fields if (spec.record_type, spec.name) in self.store.fields}
        return _table(rows, [*columns, *(pa.field(FIELD + name, pa.string()) for name in sorted(ours))])

    def fields(self) -> dict[Key, FieldSpec]:
        return dict(self.store.fields)

    def ensure_field(self, spec: FieldSpec) -> None:
        known = self.store.fields.get((spec.record_type, spec.name))
        options = {option.key: option for option in (*(known.options if known else ()), *spec.options)}
        self.store.fields[spec.record_type, spec.name] = replace(spec, options=tuple(options.values()))

    def lists(self) -> list[RemoteList]:
        return [held.remote for held in self.store.lists.values()]

    def ensure_list(self, spec: ListSpec) -> RemoteList:
        held = self.store.lists.get(spec.key)
        remote = RemoteList(held.remote.id if held else f"list-{len(self.store.lists)}", spec.key, spec.label, "static", spec.record_type)
        self.store.lists[spec.key] = replace(held, remote=remote) if held else _List(remote, version=self.store._tick()[0])
        return remote

    def members(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        held = self._list(remote)
        if position != str(held.version):
            self.reads += 1
            rows = [{"record_type": remote.record_type, "id": id} for id in sorted(held.ids)]
            yield Page(pa.Table.from_pylist(rows, schema=MEMBER_SCHEMA), str(held.version), part=remote.key, whole=True, first=True)

    def write_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return self._call(changes, lambda change: self._write_field(**change))

    def write_members(self, remote: RemoteList, changes: pa.Table, ticket: Ticket) -> pa.Table:
        held = self._list(remote)
        return self._call(changes, lambda change: self._write_member(held, **change))

    def current(self, changes: pa.Table) -> pa.Array:
        self.reads += 1
        return pa.array([self._now(row["record_type"], row["id"], row["target"]) for row in changes.to_pylist()], pa.string())

    def listeners(self, fields: Sequence[str], lists: Sequence[str]) -> Listeners:
        return Listeners()

    def _now(self, record_type: str, id: str, target: str) -> str | None:
        if target in self.store.lists:
            return MEMBER if id in self.store.lists[target].ids else None
        return self.store.records.get((record_type, id), {}).get(FIELD + target)

    def _call(self, changes: pa.Table, write: Callable[[dict[str, Any]], tuple[str, str] | None]) -> pa.Table:
        """Carry out one call: ``write`` answers None where done, else kind and reason of the rejection."""
        self.faults.hook("before write")
        self._fail("fail_before", "the CRM did not answer")
        if self.faults.poison.intersection(changes["id"].to_pylist()):
            raise RequestError("the CRM cannot read this request")
        self.writes += 1
        answers = [self._refused(change) or write(change) for change in changes.to_pylist()]
        self._fail("fail_after", "the answer of the CRM was lost")
        self.faults.hook("after write")
        rows = [{"status": "rejected", "kind": answer[0], "reason": answer[1]} if answer else {"status": "done"} for answer in answers]
        return pa.Table.from_pylist(rows, schema=OUTCOME_SCHEMA)

    def _fail(self, fault: str, message: str) -> None:
        left = getattr(self.faults, fault)
        if left is not None:
            setattr(self.faults, fault, left - 1 if left else None)
            if left == 0:
                raise TemporaryError(message)

    def _refused(self, change: dict[str, Any]) -> tuple[str, str] | None:
        kind = self.faults.reject.get(change["id"])
        if kind:
            return kind, f"the CRM refuses record {change['id']}"
        if not self.store.exists(change["record_type"], change["id"]):
            return "gone", f"there is no record {change['id']}"
        return None

    def _write_field(self, record_type: str, id: str, target: str, before: str | None, after: str | None) -> tuple[str, str] | None:
        spec = self.store.fields.get((record_type, target))
        if spec is None:
            return "permission", f"field {target} does not exist: run `crm-segments setup`"
        if after and spec.options and after not in {option.key for option in spec.options}:
            return "data", f"{after!r} is no option of {target}"
        if self._now(record_type, id, target) != (after or None):
            self.store.set_field(id, target, after or None, record_type)
        return None

    def _write_member(self, held: _List, record_type: str, id: str, target: str, before: str | None, after: str | None) -> None:
        if (id in held.ids) != bool(after):
            self.store.set_member(held.remote.key, id, bool(after))

    def _list(self, remote: RemoteList) -> _List:
        for held in self.store.lists.values():
            if held.remote.id == remote.id:
                return held
        raise RequestError(f"there is no list {remote.id}: run `crm-segments setup`")


def _table(rows: Iterable[dict[str, Any]], columns: list[pa.Field]) -> pa.Table:
    return pa.Table.from_pylist([{column.name: row.get(column.name) for column in columns} for row in rows], schema=pa.schema(columns))


def options(*keys: str) -> tuple[Option, ...]:
    """Options whose labels are their keys."""
    return tuple(Option(key, key) for key in keys)
