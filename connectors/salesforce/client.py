"""How is a call to Salesforce built? By simple-salesforce, whose session is ours: it hands every call to our
transport.

The transport puts the session's token on the call when it goes out, renews it once for all threads, and sends
the call again with all its headers; what the library does about that (log in by itself, without a lock, and
forget headers) is never reached. Answers are asked for without the white space that the library wants.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict
from urllib.parse import urlencode, urlsplit

import orjson
import requests

from connectors.http.transport import Call, Transport

_TIMEOUT = (5.0, 120.0)
_DROPPED = frozenset({"x-prettyprint", "authorization", "x-sfdc-session"})


class Manner(TypedDict, total=False):
    """How a call may be sent: see ``transport.Call``."""

    writes: bool
    repeatable: bool
    timeout: tuple[float, float]
    anonymous: bool


class Sender(requests.Session):
    """The session that simple-salesforce is given: the address becomes the account's, and the transport
    sends.
    """

    def __init__(self, transport: Transport, url: str, manner: Manner | None = None) -> None:
        super().__init__()
        self._transport = transport
        self._url = url
        self._manner: Manner = manner or {}

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        manner: Manner | None = None,
        **_given: Any,
    ) -> requests.Response:
        """The answer, whatever its status, once the transport is done with it."""
        how: Manner = {"timeout": _TIMEOUT, **(manner or self._manner)}
        dropped = () if how.get("anonymous") else _DROPPED
        kept = {name: value for name, value in (headers or {}).items() if name.lower() not in dropped}
        asked = tuple((name, str(value)) for name, value in (params or {}).items())
        body = _body(data, json, kept)
        return self._transport.send(Call(method.upper(), self._own(url), asked, kept, body, **how))

    def _own(self, url: str) -> str:
        """The library writes https and a host of its own: the account's address stands in their place."""
        parts = urlsplit(url)
        return self._url + parts.path + (f"?{parts.query}" if parts.query else "")


def library(transport: Transport, url: str, version: str) -> Any:
    """simple-salesforce, in one version of the API. ``transport`` must be able to sign its calls."""
    from simple_salesforce.api import Salesforce

    return Salesforce(
        session=Sender(transport, url),
        session_id="set by the transport",
        instance_url=url,
        version=version,
        object_pairs_hook=dict,
    )


def _body(data: Any, json: Any, headers: dict[str, str]) -> bytes | None:
    if json is not None:
        return orjson.dumps(json)
    if isinstance(data, Mapping):
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return urlencode(data).encode()
    return data.encode() if isinstance(data, str) else data
