"""How does a Tryton database answer what a CRM is asked? From the parts of this folder."""

from __future__ import annotations

from collections.abc import Sequence

from connectors import contract
from connectors.search_read.connector import SearchReadConnector
from connectors.search_read.mailing_lists import MEMBERS_PER_CALL
from connectors.search_read.reader import Source
from connectors.search_read.writing import Writing
from connectors.tryton import automations, diagnostics, module
from connectors.tryton.categories import Categories
from connectors.tryton.mailing import TrytonLists
from connectors.tryton.parties import Parties
from connectors.tryton.sales import sources
from connectors.tryton.server import Tryton

RECORDS_PER_CALL = 500


class TrytonConnector(SearchReadConnector):
    """One database of a Tryton server."""

    capabilities = contract.Capabilities(
        streams=("contact", "activity"),
        batch_size=4 * RECORDS_PER_CALL,
        member_batch_size=2 * MEMBERS_PER_CALL,
        records_per_call=RECORDS_PER_CALL,
        members_per_call=MEMBERS_PER_CALL,
        archives_fields=True,
        deletes_lists=frozenset({"static"}),
        way_back="Tryton keeps archived categories and mailing lists: a person marks them as active again, or undo does",
    )
    _server: Tryton

    def __init__(self, account: contract.Account) -> None:
        server = Tryton(account)
        self._categories = Categories(server)
        writing = Writing(server, self._categories, RECORDS_PER_CALL)
        super().__init__(server, self._categories, TrytonLists(server), writing)

    def sources(self, stream: str) -> list[Source]:
        if stream == "contact":
            return [Parties(self._server, self._categories)]
        return list(sources(self._server))

    def check(self) -> list[contract.Problem]:
        return diagnostics.problems(self._server)

    def account_defaults(self) -> contract.AccountDefaults:
        company = self._server.company()
        currency = str((company.get("currency.") or {}).get("code") or "")
        return contract.AccountDefaults(str(company.get("timezone") or ""), currency)

    def archive_field(self, spec: contract.FieldSpec) -> None:
        self._categories.archive(spec)

    def export(
        self, fields: Sequence[contract.FieldSpec], lists: Sequence[contract.ListSpec]
    ) -> dict[str, str]:
        return module.files(fields)

    def automations(
        self, fields: Sequence[contract.FieldSpec], lists: Sequence[contract.ListSpec]
    ) -> contract.Automations:
        return automations.reacting(self._server, fields, lists)

    def references(
        self, fields: Sequence[contract.FieldSpec], lists: Sequence[contract.ListSpec]
    ) -> contract.References:
        return automations.referring(self._server, self._categories, fields, lists)
