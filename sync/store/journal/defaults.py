"""In which time zone and currency does an account live, by the last answer of its CRM?"""

from __future__ import annotations

from connectors.contract import AccountDefaults
from sync.store.journal.database import Repository


class Defaults(Repository):
    """Time zone and currency, by account."""

    def of(self, account: str) -> AccountDefaults | None:
        """What the CRM said; None: it was never asked."""
        rows = self._database.rows("SELECT time_zone, currency FROM homes WHERE account = ?", account)
        return AccountDefaults(rows[0]["time_zone"], rows[0]["currency"]) if rows else None

    def save(self, account: str, defaults: AccountDefaults) -> None:
        """Keep what the CRM said."""
        row = (account, defaults.time_zone, defaults.currency)
        self._database.execute("INSERT OR REPLACE INTO homes VALUES (?, ?, ?)", *row)
