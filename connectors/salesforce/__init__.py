"""Salesforce as a CRM: contacts, leads and accounts, what they bought and did, fields, list views and
campaigns.
"""

from __future__ import annotations

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
from connectors.salesforce import diagnostics, export
from connectors.salesforce.automations import reacting
from connectors.salesforce.fields import Fields, normal
from connectors.salesforce.list_members import ListMembers
from connectors.salesforce.lists import Lists
from connectors.salesforce.reading import STREAMS, Reading
from connectors.salesforce.session import Org
from connectors.salesforce.writing import COLLECTION, Writing

_BATCH = 100_000  # records of one batch
_BULK_CALLS = 15  # of a job: made, uploaded, started, looked at, and its results fetched


def connect(account: Account) -> Connector:
    """The connector of an org. Logs in when first asked something."""
    return SalesforceConnector(account)


class SalesforceConnector(Connector):
    """One org, as one user sees it."""

    def __init__(self, account: Account) -> None:
        self._org = Org(account)
        self.calls = self._org.transport.calls
        self.capabilities = Capabilities(
            streams=STREAMS,
            dynamic_lists=True,
            counts=True,
            compares_before=self._org.settings.compare_up_to >= _BATCH,
            batch_size=_BATCH,
            member_batch_size=2_000,
            records_per_call=COLLECTION,
            members_per_call=COLLECTION,
            bulk_above=self._org.settings.bulk_writes_above,
            bulk_calls=_BULK_CALLS,
        )
        self._reading = Reading(self._org)
        self._fields = Fields(self._org)
        self._lists = Lists(self._org)
        self._members = ListMembers(self._org)
        self._writing = Writing(self._org)

    def check(self) -> list[Problem]:
        return diagnostics.problems(self._org)

    def check_reading(self) -> list[Problem]:
        return diagnostics.reading_problems(self._org)

    def check_writing(self) -> list[Problem]:
        return diagnostics.writing_problems(self._org)

    def diagnostics(self) -> list[str]:
        if self._org.account.consent_basis == "not_opted_out":
            return list(self._org.notes)
        return [
            *self._org.notes,
            "Salesforce tells who opted out, and nobody who opted in: nobody is known to be reachable for a campaign. "
            f'consent_basis = "not_opted_out" in [accounts.{self._org.account.name}] takes everybody who did not opt out',
        ]

    def server_time(self) -> datetime | None:
        return self._org.transport.server_time()

    def account_defaults(self) -> AccountDefaults:
        return AccountDefaults(self._org.identity.time_zone, self._org.corporate_currency())

    def use_defaults(self, defaults: AccountDefaults) -> None:
        self._org.account = replace(
            self._org.account, time_zone=defaults.time_zone, currency=defaults.currency
        )

    def count(self, stream: str) -> int | None:
        return self._reading.count(stream)

    def read(self, stream: str, position: str | None) -> Iterator[Page]:
        return self._reading.pages(stream, position)

    def fields(self) -> dict[tuple[str, str], FieldSpec]:
        return self._fields.all()

    def ensure_field(self, spec: FieldSpec) -> FieldReference:
        return FieldReference(spec.name, existed=not self._fields.ensure(spec))

    def normal(self, spec: FieldSpec, value: str | None) -> str | None:
        return normal(spec, value)

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

    def settle_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return self._writing.settle(changes, ticket)

    def export(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> dict[str, str]:
        return export.sources(fields, lists, self._org.settings)

    def automations(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> Automations:
        return reacting(self._org, fields, lists)

    def close(self) -> None:
        self._org.close()
