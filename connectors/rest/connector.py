"""What is a CRM behind an API put together from? A session, and one part each for reading, fields, lists,
members and writing.

A CRM gives the parts; what needs none of them (checks, notes, defaults, automations, export) its class tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from connectors.contract import (
    AccountDefaults,
    Connector,
    FieldReference,
    FieldSpec,
    ListSpec,
    Page,
    Quota,
    RemoteList,
    Ticket,
)
from connectors.rest.session import Session


class Reading(Protocol):
    """Reads streams: see ``Source``."""

    def count(self, stream: str) -> int | None: ...
    def pages(self, stream: str, position: str | None) -> Iterator[Page]: ...


class Fields(Protocol):
    """Looks at fields and makes ours: see ``Destination``. ``ensure``: whether the field was made just now."""

    def all(self) -> dict[tuple[str, str], FieldSpec]: ...
    def ensure(self, spec: FieldSpec) -> bool: ...
    def normal(self, spec: FieldSpec, value: str | None) -> str | None: ...


class Lists(Protocol):
    """Looks at lists and makes ours: see ``Destination``."""

    def all(self) -> list[RemoteList]: ...
    def ensure(self, spec: ListSpec) -> RemoteList: ...
    def changed(self, specs: Sequence[ListSpec]) -> dict[str, str]: ...
    def sizes(self, specs: Sequence[ListSpec]) -> dict[str, int]: ...


class ListMembers(Protocol):
    """Members of static lists: see ``Destination``."""

    def read(self, remote: RemoteList, position: str | None) -> Iterator[Page]: ...
    def write(self, remote: RemoteList, changes: pa.Table) -> pa.Table: ...
    def current(self, remote: RemoteList, ids: Sequence[str]) -> list[str | None]: ...


class Writing(Protocol):
    """Values of fields: see ``Destination``."""

    def write(self, changes: pa.Table, ticket: Ticket, /) -> pa.Table: ...
    def current(self, changes: pa.Table) -> list[str | None]: ...


class RestConnector(Connector):
    """A CRM whose parts do what is asked of it."""

    def __init__(
        self,
        session: Session,
        reading: Reading,
        fields: Fields,
        lists: Lists,
        members: ListMembers,
        writing: Writing,
    ) -> None:
        self._session, self._reading, self._fields = session, reading, fields
        self._lists, self._members, self._writing = lists, members, writing
        self.calls = session.transport.calls

    def server_time(self) -> datetime | None:
        return self._session.transport.server_time()

    def quota(self) -> Quota | None:
        daily = self._session.rate_limit.daily()
        return None if daily is None else Quota(*daily)

    def use_defaults(self, defaults: AccountDefaults) -> None:
        account = self._session.account
        self._session.account = replace(account, time_zone=defaults.time_zone, currency=defaults.currency)

    def count(self, stream: str) -> int | None:
        return self._reading.count(stream)

    def read(self, stream: str, position: str | None) -> Iterator[Page]:
        return self._reading.pages(stream, position)

    def fields(self) -> dict[tuple[str, str], FieldSpec]:
        return self._fields.all()

    def ensure_field(self, spec: FieldSpec) -> FieldReference:
        return FieldReference(spec.name, existed=not self._fields.ensure(spec))

    def normal(self, spec: FieldSpec, value: str | None) -> str | None:
        return self._fields.normal(spec, value)

    def lists(self) -> list[RemoteList]:
        return self._lists.all()

    def ensure_list(self, spec: ListSpec) -> RemoteList:
        return self._lists.ensure(spec)

    def changed_lists(self, specs: Sequence[ListSpec]) -> dict[str, str]:
        return self._lists.changed(specs)

    def list_sizes(self, specs: Sequence[ListSpec]) -> dict[str, int]:
        return self._lists.sizes(specs)

    def members(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        return self._members.read(remote, position)

    def write_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return self._writing.write(changes, ticket)

    def write_members(self, remote: RemoteList, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return self._members.write(remote, changes)

    def current_values(self, changes: pa.Table) -> pa.Array:
        return pa.array(self._writing.current(changes), pa.string())

    def current_members(self, remote: RemoteList, changes: pa.Table) -> pa.Array:
        return pa.array(self._members.current(remote, changes["id"].to_pylist()), pa.string())

    def close(self) -> None:
        self._session.close()
