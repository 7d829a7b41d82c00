"""The CRM in memory (``connectors.memory``) as tests want it: with people, outages and refusals that they
command, with dynamic lists, workflows and deals of several contacts. It gives no more than the product's does
(see ``test_memory_gives_no_more``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from connectors import memory
from connectors.contract import (
    Account,
    Automation,
    Automations,
    Capabilities,
    FieldSpec,
    ListSpec,
    Option,
    Reference,
    References,
    RemoteList,
    Ticket,
)
from connectors.errors import RequestError, TemporaryError
from connectors.memory import store as memory_store
from connectors.memory import writing
from connectors.schemas import FIELD, OUTCOME_SCHEMA, REACHABLE

Change = dict[str, Any]
Outcome = tuple[str, str | None, str | None]
_DONE: Outcome = ("done", None, None)


@dataclass(frozen=True)
class Sent:
    """One change that we sent. Where it ``moved`` something, a workflow that listens there enrols the record."""

    at: datetime
    id: str
    target: str
    after: str | None
    moved: bool


@dataclass
class Store(memory_store.Store):
    """What the CRM holds, and how it is set up."""

    dynamic_lists: bool = False
    room: int | None = None  # for dynamic lists: beyond it the CRM makes static ones
    call_size: int | None = None  # records in one call; None: a whole batch
    # a write to a merged id is carried out on its survivor, and answered as "done" or as "gone"
    through_merged: str = ""
    listeners: tuple[Automation, ...] = ()
    unreadable: str = ""  # why nobody can tell who refers to our fields and lists
    notes: tuple[str, ...] = ()
    # the time at which things are sent
    wall: Callable[[], datetime] = lambda: datetime(2024, 7, 1, tzinfo=UTC)
    sent: list[Sent] = field(default_factory=list)
    objected: set[str] = field(default_factory=set)  # ids of merged records that had objected
    filters: dict[str, ListSpec] = field(default_factory=dict)  # of dynamic lists, by key

    def merge(self, loser: str, survivor: str, record_type: str = "contact") -> None:
        """As people do; what the loser said no to is remembered for tests alone."""
        if self.records.get((record_type, loser), {}).get("objects_to_profiling"):
            self.objected.add(loser)
        super().merge(loser, survivor, record_type)

    def convert(self, lead: str, contact: str) -> None:
        """A sales rep turns a lead into a contact: what we wrote on the lead nobody can write any more."""
        self.put(contact)
        row = self.records["lead", lead]
        self.records["lead", lead] = {name: row[name] for name in row if not name.startswith(FIELD)}
        self.put(lead, "lead", converted_to=contact)

    def deal(self, id: str, shares: dict[str, float | None], occurred_at: datetime, amount: int) -> None:
        """What several contacts bought together; told again, it stands in the place of what stood under that
        id.
        """
        self.activity = [row for row in self.activity if row["id"] != id]
        for contact, share in shares.items():
            self.act(contact, occurred_at, id=id, share=share, amount_minor=amount, order_id=id)

    def lose_deal(self, id: str) -> None:
        """A person deletes it, or it was never won."""
        lost = next(row for row in self.activity if row["id"] == id)
        self.activity = [row for row in self.activity if row["id"] != id]
        self.activity.append({**lost, "deleted": True, "clock": self.tick()})

    def set_field(self, id: str, name: str, value: str | None, record_type: str = "contact") -> None:
        """Anyone sets a field of a record."""
        self.put(id, record_type, **{FIELD + name: value})

    def delete_list(self, key: str) -> None:
        """Anyone deletes a list."""
        super().delete_list(key)
        self.filters.pop(key, None)

    def members_of(self, key: str) -> set[str]:
        """Who is in a list; the filter of a dynamic one is evaluated now."""
        if key not in self.filters:
            return set(self.members.get(key, ()))
        spec, ids = self.filters[key], set()
        for (record_type, id), row in self.records.items():
            if (
                record_type == spec.record_type
                and self.exists(record_type, id)
                and row.get(FIELD + spec.field) == spec.value
            ):
                reachable = row.get(REACHABLE + spec.channel) if spec.channel else True
                if spec.unknown_reachable if reachable is None else reachable:
                    ids.add(id)
        return ids


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


class MemoryCrm(memory.MemoryConnector):
    """A connector on a ``Store``."""

    store: Store

    def __init__(
        self,
        account: Account,
        store: Store | None = None,
        faults: Faults | None = None,
        page_size: int = 1000,
        batch_size: int = 100,
    ) -> None:
        super().__init__(account, store or Store())
        self.faults = faults or Faults()
        self.page_size = page_size
        carried = self.store.call_size or batch_size
        self.capabilities = Capabilities(
            dynamic_lists=self.store.dynamic_lists,
            batch_size=batch_size,
            member_batch_size=batch_size,
            records_per_call=carried,
            members_per_call=carried,
            archives_fields=True,
            deletes_lists=frozenset({"static", "dynamic"} if self.store.dynamic_lists else {"static"}),
        )

    def _ask(self, verb: str, writes: bool = False) -> None:
        if verb == "read":
            self.faults.hook("before read")
        else:
            self.faults.asked(verb)
        super()._ask(verb, writes)

    def diagnostics(self) -> list[str]:
        return list(self.store.notes)

    def count(self, stream: str) -> int | None:
        self._ask("count")
        ids = [key for key in self.store.records if key[0] == stream and self.store.exists(*key)]
        return None if stream == "activity" else len(ids)

    def ensure_list(self, spec: ListSpec) -> RemoteList:
        store, there = self.store, self.store.lists.get(spec.key)
        room = store.room is None or len(store.filters) < store.room
        dynamic = spec.key in store.filters if there else spec.kind == "dynamic" and room
        remote = super().ensure_list(spec)
        if dynamic:
            remote = store.lists[spec.key] = replace(remote, kind="dynamic")
            store.filters[spec.key] = spec
        return remote

    def changed_lists(self, specs: Sequence[ListSpec]) -> dict[str, str]:
        self._ask("changed_lists")
        filters = {
            self.store.lists[key].id: spec
            for key, spec in self.store.filters.items()
            if key in self.store.lists
        }
        names = ("record_type", "field", "value", "channel", "unknown_reachable", "consent_basis")
        differing = {
            spec.key: [name for name in names if getattr(spec, name) != getattr(filters[spec.id], name)]
            for spec in specs
            if spec.id in filters
        }
        return {key: "filter: " + ", ".join(parts) for key, parts in differing.items() if parts}

    def automations(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> Automations:
        self._ask("listeners")
        named = {*(spec.name for spec in fields), *(spec.key for spec in lists)}
        return Automations(tuple(each for each in self.store.listeners if each.target in named))

    def references(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> References:
        self._ask("references")
        named = {*(spec.name for spec in fields), *(spec.key for spec in lists)}
        found = tuple(
            Reference(f"workflow {e.name}", e.target) for e in self.store.listeners if e.target in named
        )
        return References(found, self.store.unreadable)

    def export(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> dict[str, str]:
        return {
            f"fields/{spec.record_type}.{spec.name}.json": json.dumps(spec.description) for spec in fields
        }

    def write_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        """All changes of a record in one call, and as many records as a call carries."""
        ids = list(dict.fromkeys(changes["id"].to_pylist()))
        size = self.store.call_size or len(ids)
        rows = changes.to_pylist()
        answers: list[Outcome] = []
        for start in range(0, len(ids), size):
            chosen = set(ids[start : start + size])
            answers += self._call([row for row in rows if row["id"] in chosen])
        table = [dict(zip(OUTCOME_SCHEMA.names, answer, strict=True)) for answer in answers]
        return pa.Table.from_pylist(table, schema=OUTCOME_SCHEMA)

    def _members(self, remote: RemoteList) -> set[str]:
        if remote.kind == "dynamic":
            raise RequestError(f"the CRM itself fills {remote.key}: its members cannot be written")
        return super()._members(remote)

    def _call(self, changes: list[Change]) -> list[Outcome]:
        self.faults.hook("before write")
        self._fail("fail_before", "the CRM did not answer")
        if self.faults.poison.intersection(change["id"] for change in changes):
            raise RequestError("the CRM cannot read this request")
        self.calls.write += 1
        answers = [
            self._through(change) or self._refused(change) or self._carried(change) for change in changes
        ]
        self._fail("fail_after", "the answer of the CRM was lost")
        self.faults.hook("after write")
        return answers

    def _through(self, change: Change) -> Outcome | None:
        """The answer to a change of a record that is merged, where the CRM takes its id for the survivor's."""
        survivor = self.store.records.get((change["record_type"], change["id"]), {}).get("merged_into")
        if not self.store.through_merged or survivor is None:
            return None
        self._carried({**change, "id": survivor})
        if self.store.through_merged == "done":
            return _DONE
        return "rejected", "gone", f"record {change['id']} was merged"

    def _carried(self, change: Change) -> Outcome:
        key = (change["record_type"], change["id"], change["target"])
        before = self._now(*key)
        answer = writing.write(self.store, **change)
        moved = before != self._now(*key)
        self.store.sent.append(
            Sent(self.store.wall(), change["id"], change["target"], change["after"], moved)
        )
        return answer

    def _now(self, record_type: str, id: str, target: str) -> str | bool | None:
        if target in self.store.lists:
            return id in self.store.members_of(target)
        return self.store.value(record_type, id, target)

    def _fail(self, fault: str, message: str) -> None:
        left = getattr(self.faults, fault)
        if left is not None:
            setattr(self.faults, fault, left - 1 if left else None)
            if left == 0:
                raise TemporaryError(message)

    def _refused(self, change: Change) -> Outcome | None:
        kind = self.faults.reject.get(change["id"])
        return ("rejected", kind, f"the CRM refuses record {change['id']}") if kind else None


def options(*keys: str) -> tuple[Option, ...]:
    """Options whose labels are their keys."""
    return tuple(Option(key, key) for key in keys)
