"""HubSpot as a CRM: contacts and companies, their deals and engagements, properties and lists ("segments")."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from connectors.contract import (
    Account,
    Capabilities,
    Connector,
    FieldSpec,
    Home,
    Listeners,
    ListSpec,
    Page,
    Problem,
    RemoteList,
    Ticket,
)
from connectors.errors import UnsupportedError
from connectors.hubspot import automations, diagnostics, export
from connectors.hubspot.fields import FRESH, Fields, normal
from connectors.hubspot.list_members import MEMBERS_PER_CALL, Membership
from connectors.hubspot.lists import Lists
from connectors.hubspot.reading import Reading
from connectors.hubspot.session import Portal
from connectors.hubspot.writing import BATCH_SIZE, RECORDS_PER_CALL, Writing

_STREAMS = ("contact", "company", "activity")


class HubspotConnector(Connector):
    """One HubSpot portal."""

    capabilities = Capabilities(
        record_types=("contact", "company"),
        streams=_STREAMS,
        dynamic_lists=True,
        counts=True,
        batch_size=BATCH_SIZE,
        member_batch_size=MEMBERS_PER_CALL,
        records_per_call=RECORDS_PER_CALL,
        members_per_call=MEMBERS_PER_CALL,
    )

    def __init__(self, account: Account) -> None:
        self._portal = Portal(account)
        self.calls = self._portal.transport.calls
        self._reading = Reading(self._portal)
        self._fields = Fields(self._portal)
        self._lists = Lists(self._portal)
        self._membership = Membership(self._portal, self._lists)
        self._asking = diagnostics.Asking(lambda: self._reading.sources("activity"), self._look_at_lists)
        self._listed: tuple[list[RemoteList], float] | None = None
        self._types = {(field.record_type, field.name): field.type for field in account.fields}
        self._writing = Writing(self._portal, self._types)

    def check(self) -> list[Problem]:
        return diagnostics.problems(self._portal, self._asking)

    def check_reading(self) -> list[Problem]:
        return diagnostics.problems(self._portal, self._asking, writing=False)

    def notes(self) -> list[str]:
        return (
            [*diagnostics.notes(self._portal), *self._reading.notes()] if self._portal.answers.learned else []
        )

    def home(self) -> Home:
        details = self._portal.details()
        return Home(details.time_zone, details.currency)

    def adopt(self, home: Home) -> None:
        self._portal.account = replace(self._portal.account, time_zone=home.time_zone, currency=home.currency)

    def count(self, stream: str) -> int | None:
        return self._reading.count(_known(stream))

    def read(self, stream: str, position: str | None) -> Iterator[Page]:
        return self._reading.pages(_known(stream), position)

    def fields(self) -> dict[tuple[str, str], FieldSpec]:
        return self._fields.all()

    def ensure_field(self, spec: FieldSpec) -> bool | None:
        return self._fields.ensure(spec)

    def normal(self, spec: FieldSpec, value: str | None) -> str | None:
        return normal(spec.type, value)

    def lists(self) -> list[RemoteList]:
        seen, (listed, moment) = self._listed is not None, self._listed or ([], 0.0)
        self._listed = None  # what a check has just read serves once
        return listed if seen and time.monotonic() - moment < FRESH else self._lists.all()

    def ensure_list(self, spec: ListSpec) -> RemoteList:
        return self._lists.ensure(spec)

    def changed_lists(self, specs: Sequence[ListSpec]) -> dict[str, str]:
        return self._lists.changed(specs)

    def members(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        self._lists.remember(remote)
        return self._membership.read(remote, position)

    def write_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return self._writing.write(changes)

    def write_members(self, remote: RemoteList, changes: pa.Table, ticket: Ticket) -> pa.Table:
        for key in changes["target"].unique().to_pylist():
            self._lists.remember(remote, key)
        ticket.save(remote.id)  # a list is known by its id: who settles this batch finds it so
        return self._membership.write(remote, changes)

    def current(self, changes: pa.Table) -> pa.Array:
        targets = changes["target"].to_pylist()
        values: list[str | None] = [None] * len(targets)
        listed: dict[str, list[int]] = {}
        plain: list[int] = []
        for row, target in enumerate(targets):
            (listed.setdefault(target, []) if _is_list(target) else plain).append(row)
        if plain:
            types = changes["record_type"].to_pylist()
            for row, value in zip(plain, self._writing.current(changes.take(plain)), strict=True):
                values[row] = normal(self._types.get((types[row], targets[row]), "text"), value)
        ids = changes["id"].to_pylist()
        for key, rows in listed.items():
            members = self._membership.current(self._lists.named(key), [ids[row] for row in rows])
            for row, value in zip(rows, members, strict=True):
                values[row] = value
        return pa.array(values, pa.string())

    def settle(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        for key in changes["target"].unique().to_pylist():
            if ticket.job and _is_list(key):
                self._lists.meet(key, ticket.job)
        return super().settle(changes, ticket)

    def deployable(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> dict[str, str]:
        return export.files(self._portal, self._fields, self._lists, fields, lists)

    def listeners(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> Listeners:
        return automations.listeners(self._portal, fields, lists)

    def _look_at_lists(self) -> None:
        self._listed = self._lists.all(), time.monotonic()

    def close(self) -> None:
        self._portal.close()


def connect(account: Account) -> Connector:
    """The connector of a HubSpot account."""
    return HubspotConnector(account)


def _is_list(target: str) -> bool:
    """Keys of lists are SEGMENTATION.SEGMENT; no property has a dot in its name."""
    return "." in target


def _known(stream: str) -> str:
    if stream not in _STREAMS:
        raise UnsupportedError(f"HubSpot has no stream {stream!r}; it has {', '.join(_STREAMS)}")
    return stream
