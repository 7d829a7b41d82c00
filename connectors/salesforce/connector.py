"""How does a Salesforce org answer what a CRM is asked? From the parts of this folder."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from connectors import contract
from connectors.rest.connector import RestConnector
from connectors.salesforce import automations, diagnostics, export, references
from connectors.salesforce.fields import Fields
from connectors.salesforce.list_members import ListMembers
from connectors.salesforce.lists import Lists
from connectors.salesforce.reading import STREAMS, Reading
from connectors.salesforce.session import Org
from connectors.salesforce.writing import COLLECTION, Writing

_BATCH = 100_000  # records of one batch
_BULK_CALLS = 15  # of a job: made, uploaded, started, looked at, and its results fetched


class SalesforceConnector(RestConnector):
    """One org, as one user sees it."""

    _lists: Lists
    _writing: Writing

    def __init__(self, account: contract.Account) -> None:
        self._org = org = Org(account)
        super().__init__(org, Reading(org), Fields(org), Lists(org), ListMembers(org), Writing(org))
        self.capabilities = contract.Capabilities(
            streams=STREAMS,
            dynamic_lists=True,
            counts=True,
            compares_before=org.settings.compare_up_to >= _BATCH,
            batch_size=_BATCH,
            member_batch_size=2_000,
            records_per_call=COLLECTION,
            members_per_call=COLLECTION,
            bulk_above=org.settings.bulk_writes_above,
            bulk_calls=_BULK_CALLS,
            deletes_lists=frozenset({"dynamic"}),
            way_back="Salesforce has no archive for fields: fields and campaigns stay, empty, until an administrator "
            "deletes them in Setup; undo creates deleted list views again",
        )

    def check(self) -> list[contract.Problem]:
        return diagnostics.problems(self._org)

    def check_reading(self) -> list[contract.Problem]:
        return diagnostics.reading_problems(self._org)

    def check_writing(self) -> list[contract.Problem]:
        return diagnostics.writing_problems(self._org)

    def diagnostics(self) -> list[str]:
        return diagnostics.notes(self._org)

    def account_defaults(self) -> contract.AccountDefaults:
        return contract.AccountDefaults(self._org.identity.time_zone, self._org.corporate_currency())

    def settle_fields(self, changes: pa.Table, ticket: contract.Ticket) -> pa.Table:
        return self._writing.settle(changes, ticket)

    def list_pages(self, lists: Sequence[contract.RemoteList]) -> dict[str, str]:
        return {remote.id: page for remote in lists if (page := self._org.page_of(remote.id.split(":")))}

    def export(
        self, fields: Sequence[contract.FieldSpec], lists: Sequence[contract.ListSpec]
    ) -> dict[str, str]:
        return export.files(fields, lists, self._org.settings)

    def automations(
        self, fields: Sequence[contract.FieldSpec], lists: Sequence[contract.ListSpec]
    ) -> contract.Automations:
        return automations.reacting(self._org, fields, lists)

    def references(
        self, fields: Sequence[contract.FieldSpec], lists: Sequence[contract.ListSpec]
    ) -> contract.References:
        return references.referring(self._org, fields, lists)

    def delete_list(self, remote: contract.RemoteList) -> None:
        self._lists.delete(remote)
