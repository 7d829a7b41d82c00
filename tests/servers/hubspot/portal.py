"""The whole account: what it holds, how it answers, and what its people do behind our back."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from tests.servers.garbling import Garbler
from tests.servers.hubspot import routing
from tests.servers.hubspot.access import Access, Grant
from tests.servers.hubspot.associations import Associations
from tests.servers.hubspot.clock import Clock
from tests.servers.hubspot.consent import Consent
from tests.servers.hubspot.errors import BadValues, Refused, correlation
from tests.servers.hubspot.faults import Fault, Script
from tests.servers.hubspot.flows import Flows
from tests.servers.hubspot.knobs import Knobs
from tests.servers.hubspot.limits import Limits
from tests.servers.hubspot.lists import Lists
from tests.servers.hubspot.routing import Reply, Request
from tests.servers.hubspot.schema import Kind, Schema, kind_of
from tests.servers.hubspot.search import Index
from tests.servers.hubspot.store import Record, Store
from tests.servers.hubspot.transfers import Transfers
from tests.servers.hubspot.validation import checked


class Logged(NamedTuple):
    """A call that was answered; ``at`` is an instant of the portal, ``path`` the legacy one."""

    at: int
    method: str
    path: str
    status: int
    records: int  # inputs of a batch


class Written(NamedTuple):
    """A value that an app wrote."""

    at: int
    kind: str
    id: int
    name: str
    value: str


class Portal:
    """A HubSpot account in memory. ``lock`` guards it: the server answers one call after the other."""

    def __init__(
        self,
        knobs: Knobs | None = None,
        clock: Clock | None = None,
        seed: int = 7,
        faults: Iterable[Fault] = (),
    ) -> None:
        self.knobs = knobs or Knobs()
        self.clock = clock or Clock()
        self.began = self.clock.start
        self.seed = seed
        self.dice = random.Random(seed)
        self.lock = threading.RLock()
        self.schema = Schema()
        self.store = Store(self.clock.now)
        self.links = Associations()
        self.index = Index(self.knobs, self.clock.now)
        self.access = Access()
        self.limits = Limits(self.knobs, self.clock.now)
        self.lists = Lists(self.knobs, self.store, self.schema, self.clock.now)
        self.flows = Flows(self.clock.now)
        self.consent = Consent()
        self.transfers = Transfers()
        self.script = Script(list(faults), random.Random(seed))
        self.garbler: Garbler | None = None  # damages answers at random
        self.log: list[Logged] = []
        self.written: list[Written] = []
        self.owners: list[dict[str, Any]] = []
        self.teams: list[dict[str, Any]] = []
        self.users: list[dict[str, Any]] = []
        self.store.observers += [
            self.index.observe,
            self.lists.observe,
            self.flows.observe,
            self._count_contacts,
        ]
        self.store.merge_observers += [self.links.moved, self.lists.moved, self._count_after_merge]
        self.lists.join_observers.append(self.flows.joined)

    # What the server asks

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[Reply, list[Fault]]:
        """The reply to a call, and the faults that befall its delivery."""
        request = routing.parse(method, target, headers, body, self.knobs.versions)
        with self.lock:
            faults = self.script.strike(method, request.path)
            self.tick()
            for fault in faults:
                if fault.do == "meanwhile":
                    self.happen(fault)
            before = next((fault for fault in faults if fault.do in ("status", "reset")), None)
            reply = self._broken(before, request) if before else self._reply(request)
            self.tick()
            self._keep(request, reply)
            return reply, faults

    def _reply(self, request: Request) -> Reply:
        extra: dict[str, str] = {}
        try:
            if (
                len(request.path) + sum(len(value) for values in request.params.values() for value in values)
                > self.knobs.max_uri
            ):
                return Reply(
                    414, b"<html><body>414 Request-URI Too Large</body></html>", content_type="text/html"
                )
            match = routing.find(request.method, request.path)
            if match is None:
                return self._nowhere()
            route, parts = match
            if not route.public:
                request.grant = self.access.who(request.headers.get("authorization", ""), self.clock.now())
                extra = self.limits.admit(request.grant, route.search)
            reply = routing.answer(self, route.handler, request, parts)
        except Refused as refused:
            reply = Reply(refused.status, refused.body, refused.headers)
        reply.headers = {**extra, **reply.headers}
        return reply

    def _nowhere(self) -> Reply:
        if self.knobs.unknown_route == "html":
            return Reply(
                404,
                b"<html><head><title>Error 404 Not Found</title></head></html>",
                content_type="text/html;charset=iso-8859-1",
            )
        return Reply(
            404,
            {
                "status": "error",
                "message": "resource not found",
                "correlationId": correlation(),
                "category": "OBJECT_NOT_FOUND",
            },
        )

    def _broken(self, fault: Fault, request: Request) -> Reply:
        from tests.servers.hubspot.breakage import broken

        self.limits.today += 1
        return broken(fault, self)

    def _keep(self, request: Request, reply: Reply) -> None:
        records = request.body.count(b'"id"') if request.body else 0
        self.log.append(Logged(self.clock.now(), request.method, request.path, reply.status, records))

    def tick(self) -> None:
        """Let happen what is due."""
        self.index.settle()
        self.lists.settle()
        self.transfers.settle(self)

    # What handlers use

    def write(self, kind: Kind, record: Record, values: dict[str, str], source: str = "INTEGRATION") -> None:
        """An app sets values."""
        now = self.clock.now()
        self.written += [Written(now, kind.name, record.id, name, value) for name, value in values.items()]
        self.store.write(kind, record, values, source)

    def make(self, kind: Kind, body: dict[str, Any]) -> Record:
        """An app makes a record, with its associations."""
        values = checked(
            body.get("properties") or {}, self.schema.properties[kind.name], self.knobs, self.clock.now()
        )
        record = self.store.create(kind, values)
        for each in body.get("associations") or []:
            other = int(each["to"]["id"])
            for target in self._targets(kind, each.get("types") or []):
                self.link(kind, record.id, target, other)
        return record

    def _targets(self, kind: Kind, types: list[dict[str, Any]]) -> list[Kind]:
        from tests.servers.hubspot.associations import TYPE_IDS

        wanted = {each.get("associationTypeId") for each in types}
        return [
            kind_of(second) for (first, second), id in TYPE_IDS.items() if first == kind.name and id in wanted
        ]

    def link(
        self, kind: Kind, id: int, other_kind: Kind, other: int, types: list[dict[str, Any]] | None = None
    ) -> None:
        """Associate two records; a deal counts its contacts."""
        self.links.link(kind, id, other_kind, other, types)
        if {kind.name, other_kind.name} == {"contacts", "deals"}:
            self._count(id if kind.name == "deals" else other)

    def _count_contacts(self, kind: Kind, record: Record, before: dict[str, str]) -> None:
        if kind.name == "contacts" and self.knobs.links_touch:
            for deal in self.links.of(kind, record.id, kind_of("deals")):
                self._count(deal)

    def _count_after_merge(self, kind: Kind, gone: int, survivor: int) -> None:
        record = self.store.shelves[kind.name].records.get(survivor)
        if record is not None:
            self._count_contacts(kind, record, {})

    def _count(self, deal: int) -> None:
        """Put num_associated_contacts right, where that is set to move the deal's stamp."""
        record = self.store.shelves["deals"].records.get(deal)
        if record is None or record.archived or not self.knobs.links_touch:
            return
        contacts = kind_of("contacts")
        count = str(len(self.living(contacts, self.links.of(kind_of("deals"), deal, contacts))))
        if record.values.get("num_associated_contacts", "0") != count:
            self.store.write(kind_of("deals"), record, {"num_associated_contacts": count}, "CALCULATED")

    def living(self, kind: Kind, ids: list[int]) -> list[int]:
        records = self.store.shelves[kind.name].records
        return [id for id in ids if id in records and not records[id].archived]

    def refuse_poison(self, ids: list[str]) -> None:
        """Refuse a whole batch because of one record in it."""
        bad = [id for id in ids if id in self.knobs.poison]
        if bad and self.knobs.poison_refusal == "whole":
            raise Refused(400, "VALIDATION_ERROR", self._poisoned(bad[0]).message)

    def refuse_each(self, id: str) -> None:
        if id in self.knobs.poison:
            raise self._poisoned(id)

    def _poisoned(self, id: str) -> BadValues:
        """A refusal that quotes the record's address and name, as HubSpot's do."""
        error = self.knobs.poison[id]
        record = self.store.find(kind_of("contacts"), id)
        values = record.values if record else {}
        message = f"Email address {values.get('email')} of {values.get('firstname')} {values.get('lastname')} is invalid"
        return BadValues(
            [
                {
                    "isValid": False,
                    "message": message,
                    "error": error,
                    "name": "email",
                    "portalId": self.knobs.portal_id,
                }
            ]
        )

    # What people do

    def put(self, kind: str, values: dict[str, str], id: int | None = None, at: int | None = None) -> int:
        """A person creates a record, or edits the one that has this id."""
        with self.lock:
            type_ = kind_of(kind)
            kept = checked(
                values, self.schema.properties[type_.name], self.knobs, self.clock.now(), by_person=True
            )
            record = self.store.shelves[type_.name].records.get(id) if id is not None else None
            if record is not None and record.archived:
                self.store.restore(type_, record)
            if record is not None:
                self.store.write(type_, record, kept, "CRM_UI")
                return record.id
            return self.store.create(type_, kept, id, at, "CRM_UI").id

    def record(self, kind: str, id: int) -> Record:
        """A record that is there, archived or not; KeyError."""
        return self.store.shelves[kind_of(kind).name].records[id]

    def archive(self, kind: str, id: int) -> None:
        with self.lock:
            self.store.archive(kind_of(kind), self.record(kind, id))

    def restore(self, kind: str, id: int) -> None:
        with self.lock:
            self.store.restore(kind_of(kind), self.record(kind, id))

    def erase(self, kind: str, id: int) -> None:
        """As the law demands: nothing is left."""
        with self.lock:
            self.store.erase(kind_of(kind), self.record(kind, id))

    def join(self, kind: str, primary: int, other: int) -> int:
        """A person merges two records; the survivor's id."""
        with self.lock:
            return self.merge(kind_of(kind), self.record(kind, primary), self.record(kind, other)).id

    def merge(self, kind: Kind, primary: Record, other: Record) -> Record:
        return self.store.merge(kind, primary, other, self.knobs.merge_id == "keep")

    def associate(
        self, kind: str, id: int, other_kind: str, other: int, types: list[dict[str, Any]] | None = None
    ) -> None:
        with self.lock:
            self.link(kind_of(kind), id, kind_of(other_kind), other, types)

    def happen(self, fault: Fault) -> None:
        """An event of the script."""
        type_ = kind_of(fault.kind)
        live = self.store.shelves[type_.name].live
        for id in fault.ids or self.script.dice.sample(live, min(1, len(live))):
            if id not in self.store.shelves[type_.name].records and fault.event != "create":
                continue
            match fault.event:
                case "edit":
                    self.put(
                        fault.kind, fault.values or {"city": f"Town {self.script.dice.randrange(100)}"}, id
                    )
                case "create":
                    self.put(fault.kind, fault.values, id if fault.ids else None)
                case "archive":
                    self.archive(fault.kind, id)
                case "erase":
                    self.erase(fault.kind, id)
                case "merge":
                    self._merge_one(fault, id, live)

    def _merge_one(self, fault: Fault, id: int, live: list[int]) -> None:
        """Of two ids the second goes into the first; one id goes into any other record."""
        if len(fault.ids) == 2:
            if id == fault.ids[0]:
                self.join(fault.kind, *fault.ids)
        elif len(live) > 1:
            self.join(fault.kind, self.script.dice.choice([other for other in live if other != id]), id)

    # What tests look at

    def counts(self) -> dict[str, Any]:
        """Calls by method and path (ids left out), by status, and the fullest window."""
        import re

        paths = Counter(f"{each.method} {re.sub(r'/[0-9]+(?=/|$)', '/{id}', each.path)}" for each in self.log)
        return {
            "calls": len(self.log),
            "paths": dict(paths),
            "statuses": {
                str(status): number for status, number in Counter(each.status for each in self.log).items()
            },
            "fullest_window": self.limits.fullest,
            "today": self.limits.today,
        }

    def dump(self, kind: str = "contacts") -> dict[str, dict[str, str]]:
        """Values of all live records by id."""
        with self.lock:
            return {str(record.id): dict(record.values) for record in self.store.all(kind_of(kind))}

    def settle(self, seconds: float = 0.0) -> None:
        """Turn the clock on, and let everything happen that is due then."""
        with self.lock:
            if seconds:
                self.clock.advance(seconds)
            self.tick()

    def grant(self, token: str, scopes: Iterable[str], app: str = "") -> None:
        """Give out a token with these scopes."""
        self.access.grants[token] = Grant(app or token, frozenset(scopes))


def pause(seconds: float) -> None:
    if seconds > 0:
        time.sleep(seconds)
