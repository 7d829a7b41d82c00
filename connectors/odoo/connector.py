"""How does an Odoo database answer what a CRM is asked? From the parts of this folder."""

from __future__ import annotations

from collections.abc import Sequence

from connectors import contract
from connectors.odoo import automations, diagnostics
from connectors.odoo.activities import home_currency, sources
from connectors.odoo.fields import ManualFields
from connectors.odoo.mailing import OdooLists
from connectors.odoo.partners import Partners
from connectors.odoo.server import Odoo
from connectors.search_read.connector import SearchReadConnector
from connectors.search_read.mailing_lists import MEMBERS_PER_CALL
from connectors.search_read.reader import Source
from connectors.search_read.writing import Writing

RECORDS_PER_CALL = 1_000


class OdooConnector(SearchReadConnector):
    """One database of an Odoo server."""

    capabilities = contract.Capabilities(
        streams=("contact", "activity"),
        merges=False,  # Odoo deletes what was merged, and does not say into what
        dynamic_lists=True,
        batch_size=4 * RECORDS_PER_CALL,
        member_batch_size=2 * MEMBERS_PER_CALL,
        records_per_call=RECORDS_PER_CALL,
        members_per_call=MEMBERS_PER_CALL,
        archives_fields=True,
        deletes_lists=frozenset({"static", "dynamic"}),
        way_back="Odoo keeps archived mailing lists; a deleted field or saved filter is made again by `crm-segments setup`",
    )
    _server: Odoo

    def __init__(self, account: contract.Account) -> None:
        server = Odoo(account)
        self._manual = ManualFields(server)
        super().__init__(
            server, self._manual, OdooLists(server), Writing(server, self._manual, RECORDS_PER_CALL)
        )

    def sources(self, stream: str) -> list[Source]:
        if stream == "contact":
            return [Partners(self._server, self._manual)]
        return list(sources(self._server))

    def check(self) -> list[contract.Problem]:
        return diagnostics.problems(self._server)

    def account_defaults(self) -> contract.AccountDefaults:
        return contract.AccountDefaults(currency=home_currency(self._server))

    def archive_field(self, spec: contract.FieldSpec) -> None:
        self._manual.archive(spec)

    def automations(
        self, fields: Sequence[contract.FieldSpec], lists: Sequence[contract.ListSpec]
    ) -> contract.Automations:
        return automations.reacting(self._server, fields, lists)

    def references(
        self, fields: Sequence[contract.FieldSpec], lists: Sequence[contract.ListSpec]
    ) -> contract.References:
        return automations.referring(self._server, fields, lists)
