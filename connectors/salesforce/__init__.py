"""Salesforce as a CRM: contacts, leads and accounts, what they bought and did, fields, list views and
campaigns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.contract import Account, Connector


def connect(account: Account) -> Connector:
    """The connector of an org. Logs in when first asked something."""
    from connectors.salesforce.connector import SalesforceConnector

    return SalesforceConnector(account)
