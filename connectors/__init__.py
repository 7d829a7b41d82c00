"""Connectors: each speaks to one CRM and knows nothing of segments. Start at ``connectors.contract``."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connectors.contract import Account, Connector, Limits, Source

# A vendor's library is imported only when its CRM is used.
CRMS = ("files", "hubspot", "odoo", "salesforce", "sql", "tryton")


def settings_model(crm: str) -> Any:
    """The pydantic model of a CRM's own settings (what its ``[accounts.NAME]`` table takes beside the common
    keys).
    """
    return import_module(f"connectors.{crm}.settings").Settings


def limits(crm: str) -> Limits:
    """Which names and texts of ours a CRM takes; any, where it can only be read and has no such module."""
    from connectors.contract import Limits

    if find_spec(f"connectors.{crm}.limits") is None:
        return Limits()
    crm_limits: Limits = import_module(f"connectors.{crm}.limits").LIMITS
    return crm_limits


def secret_steps(crm: str, key: str) -> list[str]:
    """What a person does in a CRM in the cloud for the secret of a key of its settings, line by line."""
    steps: list[str] = import_module(f"connectors.{crm}.secret_steps").steps(key)
    return steps


def open_source(account: Account) -> Source:
    """What an account is read from; a ``Destination`` as well where segments can be written to it. Opens no
    connection and reads nothing yet.
    """
    opened: Source = import_module(f"connectors.{account.crm}").connect(account)
    return opened


def open_connector(account: Account) -> Connector:
    """The connector of an account of a CRM, which is both source and destination."""
    from connectors.contract import Connector

    opened = open_source(account)
    if not isinstance(opened, Connector):
        raise TypeError(f"{account.crm} is not a CRM: it can only be read")
    return opened
