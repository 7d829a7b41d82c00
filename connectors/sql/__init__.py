"""A database as an account: contacts, leads, companies and activity are read, each from a table or a query. Segments
are written to tables of ours, in the schema that the config names; without one, the database is only read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.errors import ConnectorError

if TYPE_CHECKING:
    from connectors.contract import Account, Source


def connect(account: Account) -> Source:
    """A whole CRM where the config names a schema of ours, else a source. Connects nowhere yet."""
    from connectors.sql.address import address_of
    from connectors.sql.source import SqlSource

    if account.settings.segments_schema is None:
        return SqlSource(account)
    from connectors.sql.connector import SqlConnector
    from connectors.sql.writers.base import ENGINES

    try:
        writes = address_of(account).engine in ENGINES
    except ConnectorError:
        writes = True  # an address that cannot be read is told by the check
    return SqlConnector(account) if writes else SqlSource(account)
