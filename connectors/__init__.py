"""Connectors: each speaks to one CRM and knows nothing of segments. Start at ``connectors.contract``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connectors.contract import Account, Connector, Limits

# A vendor's library is imported only when its CRM is used.
CRMS = ("files", "hubspot", "salesforce")


def settings_model(crm: str) -> Any:
    """The pydantic model of a CRM's own settings (what its ``[accounts.NAME]`` table takes beside the common
    keys).
    """
    return import_module(f"connectors.{crm}.settings").Settings


def limits(crm: str) -> Limits:
    """Which names and texts of ours a CRM takes."""
    crm_limits: Limits = import_module(f"connectors.{crm}.limits").LIMITS
    return crm_limits


def open_connector(account: Account) -> Connector:
    """The connector of an account. Opens no connection and reads nothing yet."""
    opened: Connector = import_module(f"connectors.{account.crm}").connect(account)
    return opened
