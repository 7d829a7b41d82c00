"""HubSpot as a CRM: contacts and companies, their deals and engagements, properties and lists ("segments")."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from connectors.contract import (
    Account,
    AccountDefaults,
    Automations,
    Capabilities,
    Connector,
    FieldReference,
    FieldSpec,
    ListSpec,
    Page,
    Problem,
    RemoteList,
    Ticket,
)
from connectors.errors import UnsupportedError
from connectors.hubspot import automations, diagnostics, export
from connectors.hubspot.fields import FRESH, Fields, normal
from connectors.hubspot.list_members import MEMBERS_PER_CALL, ListMembers
from connectors.hubspot.lists import Lists
from connectors.hubspot.reading import Reading
from connectors.hubspot.session import Portal
from connectors.hubspot.writing import BATCH_SIZE, Writing

_STREAMS = ("contact", "company", "activity")


class HubspotConnector(Connector):
    """One HubSpot portal."""

    capabilities = Capabilities(
        streams=_STREAMS,
        dynamic_lists=True,
        counts=True,
        batch_size=BATCH_SIZE,
        member_batch_size=MEMBERS_PER_CALL,
        members_per_call=MEMBERS_PER_CALL,
        list_lag_minutes=60,
    )

    def __init__(self, account: Account) -> None:
        self._portal = Portal(account)
        self.calls = self._portal.transport.calls
        self._reading = Reading(self._portal)
        self._fields = Fields(self._portal)
        self._lists = Lists(self._portal)
        self._membership = ListMembers(self._portal, self._lists)
        self._asking = diagnostics.Asking(lambda: self._reading.sources("activity"), self._look_at_lists)
        self._listed: tuple[list[RemoteList], float] | None = None
        self._writing = Writing(self._portal)

    def check(self) -> list[Problem]:
        return diagnostics.problems(self._portal, self._asking)

    def check_reading(self) -> list[Problem]:
        return diagnostics.problems(self._portal, self._asking, writing=False)

    def diagnostics(self) -> list[str]:
        return (
            [*diagnostics.notes(self._portal), *self._reading.diagnostics()]
            if self._portal.answers.learned
            else []
        )

    def server_time(self) -> datetime | None:
        return self._portal.transport.server_time()

    def account_defaults(self) -> AccountDefaults:
        details = self._portal.details()
        return AccountDefaults(details.time_zone, details.currency)

    def use_defaults(self, defaults: AccountDefaults) -> None:
        self._portal.account = replace(
            self._portal.account, time_zone=defaults.time_zone, currency=defaults.currency
        )

    def count(self, stream: str) -> int | None:
        return self._reading.count(_known(stream))

    def read(self, stream: str, position: str | None) -> Iterator[Page]:
        return self._reading.pages(_known(stream), position)

    def fields(self) -> dict[tuple[str, str], FieldSpec]:
        return self._fields.all()

    def ensure_field(self, spec: FieldSpec) -> FieldReference:
        return FieldReference(spec.name, existed=not self._fields.ensure(spec))

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

    def list_sizes(self, specs: Sequence[ListSpec]) -> dict[str, int]:
        return self._lists.sizes(specs)

    def members(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        return self._membership.read(remote, position)

    def write_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return self._writing.write(changes)

    def write_members(self, remote: RemoteList, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return self._membership.write(remote, changes)

    def current_values(self, changes: pa.Table) -> pa.Array:
        return pa.array(self._writing.current(changes), pa.string())

    def current_members(self, remote: RemoteList, changes: pa.Table) -> pa.Array:
        return pa.array(self._membership.current(remote, changes["id"].to_pylist()), pa.string())

    def export(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> dict[str, str]:
        return export.files(self._portal, self._fields, self._lists, fields, lists)

    def automations(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> Automations:
        return automations.reacting(self._portal, fields, lists)

    def _look_at_lists(self) -> None:
        self._listed = self._lists.all(), time.monotonic()

    def close(self) -> None:
        self._portal.close()


def connect(account: Account) -> Connector:
    """The connector of a HubSpot account."""
    return HubspotConnector(account)


def _known(stream: str) -> str:
    if stream not in _STREAMS:
        raise UnsupportedError(f"HubSpot has no stream {stream!r}; it has {', '.join(_STREAMS)}")
    return stream
