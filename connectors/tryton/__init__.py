"""Tryton as a CRM: parties, their sales, opportunities and invoices, party categories and mailing lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.contract import Account, Connector


def connect(account: Account) -> Connector:
    """The connector of a Tryton database. Logs in when first asked something."""
    from connectors.tryton.connector import TrytonConnector

    return TrytonConnector(account)
