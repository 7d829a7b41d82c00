"""How is a refresh token used (RFC 6749, section 6), and where does one live that is replaced at every use?

In a file of its own, that only this user may read.

A token that was used once is dead, and using it again ends the whole grant. So the new one is on the disk
before anything else is done with the session, and where it could not be kept, the old one is not spent at
all.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

import requests

from connectors.errors import AccessError
from connectors.http.transport import Call, Transport


def refresh(transport: Transport, url: str, grant: Mapping[str, str | None]) -> requests.Response:
    """The answer to a refresh token. The secrets travel in the body, which nobody logs."""
    form = {name: value for name, value in grant.items() if value is not None}
    body = urlencode({"grant_type": "refresh_token", **form}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return transport.send(Call("POST", url, headers=headers, body=body, anonymous=True))


class KeptToken:
    """The refresh token of an account: that of the config until the CRM gave another, then the one in the
    file.

    ``file`` is None where the config names none: then a token that is replaced is refused.
    """

    def __init__(self, account: str, configured: str, file: Path | None) -> None:
        self._account, self._configured, self._file = account, configured, file

    def current(self) -> str:
        """The token to be used next. AccessError where the file could not take another one."""
        if self._file is None:
            return self._configured
        self._require_writable(self._file)
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return self._configured
        except (OSError, ValueError) as error:
            raise AccessError(
                f"refresh_token_file of account {self._account} cannot be read ({type(error).__name__}): authorise the app again, write "
                f"the new refresh_token, and delete {self._file}"
            ) from None
        if (
            not isinstance(kept, dict)
            or kept.get("of") != self._origin()
            or not isinstance(kept.get("token"), str)
        ):
            return self._configured  # a person wrote another one into the config since
        return str(kept["token"])

    def replace(self, used: str, fresh: object) -> None:
        """Keep what the CRM gave in place of the one that was used.

        AccessError where it gave another and no file is named.
        """
        if not isinstance(fresh, str) or not fresh or fresh == used:
            return
        if self._file is None:
            raise AccessError(
                f"the app of account {self._account} replaces its refresh token at every use, and the new one is stored nowhere: write "
                f'refresh_token_file = "refresh-token.json" in [accounts.{self._account}] and authorise the app once more (the token of '
                "the config is spent now); or switch off Refresh Token Rotation in the app; or use client credentials"
            )
        beside = self._file.with_name(f"{self._file.name}.new")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"of": self._origin(), "token": fresh}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self._file)

    def _origin(self) -> str:
        """Tells the token of the config that the kept one came from, without holding it."""
        return hashlib.sha256(self._configured.encode()).hexdigest()[:16]

    def _require_writable(self, file: Path) -> None:
        beside = file.with_name(f"{file.name}.new")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(beside, os.O_WRONLY | os.O_CREAT, 0o600))
            beside.unlink()
        except OSError as error:
            raise AccessError(
                f"refresh_token_file of account {self._account} cannot be written ({error.strerror}): {file}. Nothing was spent; name a "
                "file in a folder that this user may write"
            ) from None
