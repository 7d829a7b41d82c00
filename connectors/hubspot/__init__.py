"""HubSpot as a CRM: contacts and companies, their deals and engagements, properties and lists ("segments")."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.contract import Account, Connector


def connect(account: Account) -> Connector:
    """The connector of a HubSpot account."""
    from connectors.hubspot.connector import HubspotConnector

    return HubspotConnector(account)
