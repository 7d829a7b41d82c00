"""A CRM in memory: what a connector is at its plainest, and one whose people, outages and refusals a test
commands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from connectors.contract import (
    Account,
    Automation,
    Automations,
    Calls,
    Capabilities,
    Connector,
    FieldReference,
    FieldSpec,
    ListSpec,
    Option,
    Page,
    Problem,
    RemoteList,
    Ticket,
)
from connectors.errors import RequestError, TemporaryError
from connectors.schemas import (
    ACTIVITY_SCHEMA,
    ATTRIBUTE,
    FIELD,
    MEMBER,
    MEMBER_SCHEMA,
    OUTCOME_SCHEMA,
    REACHABLE,
    RECORD_SCHEMA,
)

Key = tuple[str, str]  # record type, id
_TYPES = {"number": pa.float64(), "date": pa.date32(), "bool": pa.bool_()}
_RECORD_COLUMNS = [name for name in RECORD_SCHEMA.names if name != "line"]
_ACTIVITY_COLUMNS = [name for name in ACTIVITY_SCHEMA.names if name != "line"]


_DONE = ("done", "")


@dataclass
class _List:
    remote: RemoteList
    ids: set[str] = field(default_factory=set)
    version: int = 0
    spec: ListSpec | None = None  # of a dynamic one: its filter


@dataclass(frozen=True)
class Sent:
    """One change that we sent. Where it ``moved`` something, a workflow that listens there enrols the record."""

    at: datetime
    id: str
    target: str
    after: str | None
    moved: bool


@dataclass
class Store:
    """What the CRM holds. It outlives the connectors (and the killed runs) that are opened on it."""

    dynamic_lists: bool = False
    room: int | None = None  # for dynamic lists: beyond it the CRM makes static ones
    call_size: int | None = None  # records in one call; None: a whole batch
    # a write to a merged id is carried out on its survivor, and answered as "done" or as "gone"
    through_merged: str = ""
    listeners: tuple[Automation, ...] = ()
    notes: tuple[str, ...] = ()
    # the time at which things are sent
    wall: Callable[[], datetime] = lambda: datetime(2024, 7, 1, tzinfo=UTC)
    sent: list[Sent] = field(default_factory=list)
    records: dict[Key, dict[str, Any]] = field(default_factory=dict)
    activity: list[dict[str, Any]] = field(default_factory=list)
    fields: dict[Key, FieldSpec] = field(default_factory=dict)
    lists: dict[str, _List] = field(default_factory=dict)
    clock: int = 0  # moves with every change; the position of a reader

    def put(self, id: str, record_type: str = "contact", **columns: Any) -> None:
        """A person creates or edits a record; attributes are given by the CRM's own names."""
        row = self.records.setdefault(
            (record_type, id), {"record_type": record_type, "id": id, "created_at": self._tick()[1]}
        )
        clock, moment = self._tick()
        row.update(columns, changed_at=moment, clock=clock)

    def delete(self, id: str, record_type: str = "contact") -> None:
        """A person deletes a record: only its tombstone stays."""
        clock, moment = self._tick()
        self.records[record_type, id] = {
            "record_type": record_type,
            "id": id,
            "changed_at": moment,
            "deleted": True,
            "clock": clock,
        }
        self._leave_lists(id, record_type)

    def _leave_lists(self, id: str, record_type: str) -> None:
        for held in self.lists.values():
            if held.remote.record_type == record_type and id in held.ids:
                held.ids.discard(id)
                held.version = self.clock

    def merge(self, loser: str, survivor: str, record_type: str = "contact") -> None:
        """A person merges two records; the loser's activity stays under its old id, its memberships end."""
        self.put(loser, record_type, merged_into=survivor)
        self._leave_lists(loser, record_type)

    def convert(self, lead: str, contact: str) -> None:
        """A sales rep turns a lead into a contact."""
        self.put(contact)
        self.put(lead, "lead", converted_to=contact)

    def act(
        self,
        record_id: str,
        occurred_at: datetime,
        kind: str = "purchase",
        record_type: str = "contact",
        **columns: Any,
    ) -> None:
        """A record does something."""
        clock, _ = self._tick()
        columns.setdefault("id", f"activity-{clock}")
        row = {"record_type": record_type, "record_id": record_id, "kind": kind, "occurred_at": occurred_at}
        self.activity.append({**row, **columns, "clock": clock})

    def deal(self, id: str, shares: dict[str, float | None], occurred_at: datetime, amount: int) -> None:
        """What several contacts bought together; told again, it stands in the place of what stood under that
        id.
        """
        self.activity = [row for row in self.activity if row["id"] != id]
        for contact, share in shares.items():
            self.act(contact, occurred_at, id=id, share=share, amount_minor=amount, order_id=id)

    def lose_deal(self, id: str) -> None:
        """A person deletes it, or it was never won."""
        row = next(row for row in self.activity if row["id"] == id)
        self.activity = [one for one in self.activity if one["id"] != id]
        self.activity.append({**row, "deleted": True, "clock": self._tick()[0]})

    def set_field(self, id: str, name: str, value: str | None, record_type: str = "contact") -> None:
        """Anyone sets a field of a record."""
        self.put(id, record_type, **{FIELD + name: value})

    def set_member(self, key: str, id: str, member: bool) -> None:
        """Anyone adds a record to a list, or removes it."""
        held = self.lists[key]
        (held.ids.add if member else held.ids.discard)(id)
        held.version = self._tick()[0]

    def members_of(self, key: str) -> set[str]:
        """Who is in a list; the filter of a dynamic one is evaluated now."""
        held = self.lists[key]
        if held.spec is None:
            return set(held.ids)
        spec, found = held.spec, set()
        for (record_type, id), row in self.records.items():
            if (
                record_type == spec.record_type
                and self.exists(record_type, id)
                and row.get(FIELD + spec.field) == spec.value
            ):
                reachable = row.get(REACHABLE + spec.channel) if spec.channel else True
                if spec.unknown_reachable if reachable is None else reachable:
                    found.add(id)
        return found

    def exists(self, record_type: str, id: str) -> bool:
        row = self.records.get((record_type, id))
        return (
            row is not None
            and not row.get("deleted")
            and not row.get("merged_into")
            and not row.get("converted_to")
        )

    def _tick(self) -> tuple[int, datetime]:
        self.clock += 1
        return self.clock, datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=self.clock)


@dataclass
class Faults:
    """What goes wrong, and when. Counts are of write calls still to come: 0 is the next one."""

    fail_before: int | None = None  # the call never arrives
    fail_after: int | None = None  # it is carried out, and the answer is lost
    reject: dict[str, str] = field(default_factory=dict)  # id → kind of rejection
    # ids that make the CRM refuse the whole call that names them
    poison: set[str] = field(default_factory=set)
    # called with "before read", "before write" and "after write"; may raise
    hook: Callable[[str], None] = lambda moment: None
    # called with the verb of every other question; may raise
    asked: Callable[[str], None] = lambda verb: None


class MemoryCrm(Connector):
    """A connector on a ``Store``.

    Its fields come with the records; our own writes move the records' stamps, as in real CRMs.
    """

    def __init__(
        self,
        account: Account,
        store: Store | None = None,
        faults: Faults | None = None,
        page_size: int = 1000,
        batch_size: int = 100,
    ) -> None:
        self.account = account
        self.store = store or Store()
        self.faults = faults or Faults()
        self.page_size = page_size
        carried = self.store.call_size or batch_size
        self.capabilities = Capabilities(
            dynamic_lists=self.store.dynamic_lists,
            batch_size=batch_size,
            member_batch_size=batch_size,
            records_per_call=carried,
            members_per_call=carried,
        )
        self.calls = Calls()

    def check(self) -> list[Problem]:
        self._ask("check")
        return []

    def diagnostics(self) -> list[str]:
        return list(self.store.notes)

    def _ask(self, verb: str) -> None:
        self.faults.asked(verb)
        self.calls.read += 1

    def count(self, stream: str) -> int | None:
        self._ask("count")
        if stream == "activity":
            return len(self.store.activity)
        return sum(self.store.exists(*key) for key in self.store.records if key[0] == stream)

    def read(self, stream: str, position: str | None) -> Iterator[Page]:
        if stream not in self.capabilities.streams:
            raise RequestError(f"the CRM in memory has no stream {stream!r}")
        kinds = None if self.account.activity_types is None else sorted(self.account.activity_types)
        made_under = [
            sorted(self.account.attributes),
            sorted({spec.name for spec in self.account.fields}),
            kinds,
        ]
        state = json.loads(position) if position else {}
        since = state.get("clock", 0) if state.get("under") == made_under else 0
        everything = (
            self._deeds()
            if stream == "activity"
            else [row for key, row in self.store.records.items() if key[0] == stream]
        )
        rows = sorted(
            (dict(row) for row in everything if row["clock"] > since), key=lambda row: int(row["clock"])
        )
        table = self._activity if stream == "activity" else self._records
        start = 0
        while start < len(rows):
            self.faults.hook("before read")
            self.calls.read += 1
            end = start + self.page_size
            while (
                end < len(rows) and rows[end]["clock"] == rows[end - 1]["clock"]
            ):  # an id is never cut in two
                end += 1
            after = json.dumps({"clock": rows[start:end][-1]["clock"], "under": made_under})
            yield Page(table(rows[start:end]), after, first=start == 0)
            start = end

    def _deeds(self) -> list[dict[str, Any]]:
        """What somebody uses: rows of one id under the clock of the latest of them; nothing of the campaigns
        that we fill.
        """
        latest = {
            row["id"]: row["clock"] for row in sorted(self.store.activity, key=lambda row: int(row["clock"]))
        }
        return [
            {**row, "clock": latest[row["id"]]}
            for row in self.store.activity
            if (self.account.activity_types is None or row["kind"] in self.account.activity_types)
            and row.get("campaign_id") not in self.account.lists
        ]

    def _activity(self, rows: list[dict[str, Any]]) -> pa.Table:
        return _table(rows, [ACTIVITY_SCHEMA.field(name) for name in _ACTIVITY_COLUMNS])

    def _records(self, rows: list[dict[str, Any]]) -> pa.Table:
        columns = [RECORD_SCHEMA.field(name) for name in _RECORD_COLUMNS]
        for name, attribute in self.account.attributes.items():
            columns.append(pa.field(ATTRIBUTE + name, _TYPES.get(attribute.type, pa.string())))
            for row in rows:
                value = row.get(attribute.field)
                row[ATTRIBUTE + name] = None if value in attribute.missing else value
        ours = {
            spec.name for spec in self.account.fields if (spec.record_type, spec.name) in self.store.fields
        }
        return _table(rows, [*columns, *(pa.field(FIELD + name, pa.string()) for name in sorted(ours))])

    def fields(self) -> dict[Key, FieldSpec]:
        self._ask("fields")
        return dict(self.store.fields)

    def ensure_field(self, spec: FieldSpec) -> FieldReference:
        self.faults.asked("ensure_field")
        self.calls.write += 1
        known = self.store.fields.get((spec.record_type, spec.name))
        options = {option.key: option for option in (*(known.options if known else ()), *spec.options)}
        self.store.fields[spec.record_type, spec.name] = replace(spec, options=tuple(options.values()))
        return FieldReference(spec.name)

    def lists(self) -> list[RemoteList]:
        self._ask("lists")
        return [held.remote for held in self.store.lists.values()]

    def ensure_list(self, spec: ListSpec) -> RemoteList:
        self.faults.asked("ensure_list")
        self.calls.write += 1
        held = self.store.lists.get(spec.key)
        taken = sum(one.spec is not None for one in self.store.lists.values())
        dynamic = (
            held.spec is not None
            if held
            else spec.kind == "dynamic" and (self.store.room is None or taken < self.store.room)
        )
        made = held.remote.id if held else f"list-{self.store._tick()[0]}"
        remote = RemoteList(made, spec.key, spec.label, "dynamic" if dynamic else "static", spec.record_type)
        kept = held or _List(remote, version=self.store.clock)
        self.store.lists[spec.key] = replace(kept, remote=remote, spec=spec if dynamic else None)
        return remote

    def changed_lists(self, specs: Sequence[ListSpec]) -> dict[str, str]:
        self._ask("changed_lists")
        held = {one.remote.id: one.spec for one in self.store.lists.values() if one.spec is not None}
        names = ("record_type", "field", "value", "channel", "unknown_reachable", "consent_basis")
        differing = {
            spec.key: [name for name in names if getattr(spec, name) != getattr(held[spec.id], name)]
            for spec in specs
            if spec.id in held
        }
        return {key: "filter: " + ", ".join(parts) for key, parts in differing.items() if parts}

    def members(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        self.faults.asked("members")
        held = self._list(remote)
        if position != str(held.version):
            self.calls.read += 1
            rows = [{"record_type": remote.record_type, "id": id} for id in sorted(held.ids)]
            yield Page(
                pa.Table.from_pylist(rows, schema=MEMBER_SCHEMA),
                str(held.version),
                part=remote.key,
                whole=True,
                first=True,
            )

    def write_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return self._calls(changes, lambda change: self._write_field(**change))

    def write_members(self, remote: RemoteList, changes: pa.Table, ticket: Ticket) -> pa.Table:
        held = self._list(remote)
        return self._calls(changes, lambda change: self._write_member(held, **change))

    def current_values(self, changes: pa.Table) -> pa.Array:
        self._ask("current")
        rows = changes.to_pylist()
        records = [self.store.records.get((row["record_type"], row["id"]), {}) for row in rows]
        values = [record.get(FIELD + row["target"]) for record, row in zip(records, rows, strict=True)]
        return pa.array(values, pa.string())

    def current_members(self, remote: RemoteList, changes: pa.Table) -> pa.Array:
        self._ask("current")
        member_ids = self.store.members_of(remote.key)
        values = [MEMBER if id in member_ids else None for id in changes["id"].to_pylist()]
        return pa.array(values, pa.string())

    def automations(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> Automations:
        self._ask("listeners")
        named = {*(spec.name for spec in fields), *(spec.key for spec in lists)}
        return Automations(tuple(one for one in self.store.listeners if one.target in named))

    def export(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> dict[str, str]:
        return {
            f"fields/{spec.record_type}.{spec.name}.json": json.dumps(spec.description) for spec in fields
        }

    def _now(self, record_type: str, id: str, target: str) -> str | None:
        if target in self.store.lists:
            return MEMBER if id in self.store.members_of(target) else None
        return self.store.records.get((record_type, id), {}).get(FIELD + target)

    def _calls(
        self, changes: pa.Table, write: Callable[[dict[str, Any]], tuple[str, str] | None]
    ) -> pa.Table:
        """All changes of a record in one call, and as many records as a call carries."""
        ids = list(dict.fromkeys(changes["id"].to_pylist()))
        size = self.store.call_size or len(ids)
        rows = changes.to_pylist()
        answers: list[dict[str, Any]] = []
        for start in range(0, len(ids), size):
            chosen = set(ids[start : start + size])
            answers += self._call([row for row in rows if row["id"] in chosen], write)
        return pa.Table.from_pylist(answers, schema=OUTCOME_SCHEMA)

    def _call(
        self, changes: list[dict[str, Any]], write: Callable[[dict[str, Any]], tuple[str, str] | None]
    ) -> list[dict[str, Any]]:
        """Carry out one call: ``write`` answers None where done, else kind and reason of the rejection."""
        self.faults.hook("before write")
        self._fail("fail_before", "the CRM did not answer")
        if self.faults.poison.intersection(change["id"] for change in changes):
            raise RequestError("the CRM cannot read this request")
        self.calls.write += 1
        answers = [
            self._through(change, write) or self._refused(change) or self._carried(change, write)
            for change in changes
        ]
        answers = [None if answer == _DONE else answer for answer in answers]
        self._fail("fail_after", "the answer of the CRM was lost")
        self.faults.hook("after write")
        return [
            {"status": "rejected", "kind": answer[0], "reason": answer[1]} if answer else {"status": "done"}
            for answer in answers
        ]

    def _through(
        self, change: dict[str, Any], write: Callable[[dict[str, Any]], tuple[str, str] | None]
    ) -> tuple[str, str] | None:
        """The answer to a change of a record that is merged, where the CRM takes its id for the survivor's."""
        survivor = self.store.records.get((change["record_type"], change["id"]), {}).get("merged_into")
        if not self.store.through_merged or survivor is None:
            return None
        self._carried({**change, "id": survivor}, write)
        return _DONE if self.store.through_merged == "done" else ("gone", f"record {change['id']} was merged")

    def _carried(
        self, change: dict[str, Any], write: Callable[[dict[str, Any]], tuple[str, str] | None]
    ) -> tuple[str, str] | None:
        before = self._now(change["record_type"], change["id"], change["target"])
        answer = write(change)
        moved = (before or None) != (self._now(change["record_type"], change["id"], change["target"]) or None)
        self.store.sent.append(
            Sent(self.store.wall(), change["id"], change["target"], change["after"], moved)
        )
        return answer

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

    def _write_field(
        self, record_type: str, id: str, target: str, before: str | None, after: str | None
    ) -> tuple[str, str] | None:
        spec = self.store.fields.get((record_type, target))
        if spec is None:
            return "permission", f"field {target} does not exist: run `crm-segments setup`"
        if after and spec.options and after not in {option.key for option in spec.options}:
            return "data", f"{after!r} is no option of {target}"
        if self._now(record_type, id, target) != (after or None):
            self.store.set_field(id, target, after or None, record_type)
        return None

    def _write_member(
        self, held: _List, record_type: str, id: str, target: str, before: str | None, after: str | None
    ) -> None:
        if (id in held.ids) != bool(after):
            self.store.set_member(held.remote.key, id, bool(after))

    def _list(self, remote: RemoteList) -> _List:
        for held in self.store.lists.values():
            if held.remote.id == remote.id:
                return held
        raise RequestError(f"there is no list {remote.id}: run `crm-segments setup`")


def _table(rows: Iterable[dict[str, Any]], columns: list[pa.Field]) -> pa.Table:
    return pa.Table.from_pylist(
        [{column.name: row.get(column.name) for column in columns} for row in rows], schema=pa.schema(columns)
    )


def options(*keys: str) -> tuple[Option, ...]:
    """Options whose labels are their keys."""
    return tuple(Option(key, key) for key in keys)
