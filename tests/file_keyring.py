"""A keyring of a process that a test starts: a file, where FILE_KEYRING says."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend


class FileKeyring(KeyringBackend):
    """Keeps what it is given, unprotected."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        value = _kept().get(f"{service}/{username}")
        return None if value is None else str(value)

    def set_password(self, service: str, username: str, password: str) -> None:
        _file().write_text(json.dumps({**_kept(), f"{service}/{username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        _file().write_text(json.dumps({k: v for k, v in _kept().items() if k != f"{service}/{username}"}))


def _file() -> Path:
    return Path(os.environ["FILE_KEYRING"])


def _kept() -> dict[str, object]:
    return dict(json.loads(_file().read_text())) if _file().exists() else {}
