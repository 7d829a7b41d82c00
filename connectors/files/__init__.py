"""A folder of CSV or Parquet exports as a CRM: the embedded default."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.contract import Account, Connector


def connect(account: Account) -> Connector:
    """The connector of a folder. Reads nothing yet."""
    from connectors.files.connector import FilesConnector

    return FilesConnector(account)
