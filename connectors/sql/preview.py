"""What do the purchases of a database come to, read as somebody proposes? The same reading that a run does."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from connectors.contract import Account
from connectors.sql.source import SqlSource
from connectors.tables.preview import Preview, PreviewPart, match_owners, see_contacts


def look(account: Account) -> Preview:
    """Read all contacts and purchases in one snapshot, and add them up."""
    preview, source = Preview(), SqlSource(account)
    try:
        ids, emails = see_contacts(source.read("contact", None), preview)
        part = PreviewPart(ZoneInfo(account.time_zone))
        for page in source.read("activity", None):
            part.add(page)
    finally:
        source.close()
    preview.add(part.preview)
    preview.orders += part.orders.count()
    preview.repeated -= part.own_ids.count()
    match_owners(preview, account.settings.id_type or "text", ids, emails, part.owners.table())
    return preview
