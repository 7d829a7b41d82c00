"""Who was forgotten, so that no later reading brings them back?

What stays of a person are keyed hashes, from which nobody gets a name back without the journal's key.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable

from sync.store.journal.database import Repository, now

# What a name is, beside a record type: an id as it is compared, an e-mail address.
KEY, ADDRESS = ("key", "address")


class Forgotten(Repository):
    """Names of forgotten people: what a name is (a record type, ``KEY`` and a record type, ``ADDRESS``), and the
    name.
    """

    def digest(self, account: str, what: str, name: str) -> str:
        """What stays of a name."""
        return _digest(self._key() or self._new_key(), account, what, name)

    def add(self, account: str, what: str, name: str) -> None:
        """Remember a name."""
        row = (self.digest(account, what, name), now())
        self._database.execute("INSERT OR IGNORE INTO forgotten VALUES (?, ?)", *row)

    def has(self, account: str, what: str, name: str) -> bool:
        """Whether a name is remembered."""
        sql = "SELECT count(*) FROM forgotten WHERE digest = ?"
        return bool(self._database.value(sql, self.digest(account, what, name)))

    def test(self, account: str) -> Callable[[str, str], bool] | None:
        """Whether a name is remembered, for many names; None: nobody was forgotten."""
        rows = self._database.rows("SELECT digest FROM forgotten WHERE at <> 'key'")
        digests, key = {row["digest"] for row in rows}, self._key()
        if not digests or key is None:
            return None
        return lambda what, name: _digest(key, account, what, name) in digests

    def _key(self) -> bytes | None:
        key = self._database.value("SELECT digest FROM forgotten WHERE at = 'key'")
        return None if key is None else bytes.fromhex(key)

    def _new_key(self) -> bytes:
        key = secrets.token_bytes(32)
        self._database.execute("INSERT INTO forgotten VALUES (?, 'key')", key.hex())
        return key


def _digest(key: bytes, account: str, what: str, name: str) -> str:
    return hmac.digest(key, f"{account}\0{what}\0{name}".encode(), "sha256").hex()
