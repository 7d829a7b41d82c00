"""Odoo as a CRM: partners, their orders, won leads, mailings and meetings; manual fields, mailing lists and saved filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.contract import Account, Connector


def connect(account: Account) -> Connector:
    """The connector of an Odoo database. Asks nothing yet."""
    from connectors.odoo.connector import OdooConnector

    return OdooConnector(account)
