"""How is a call to Salesforce built? By simple-salesforce, whose session is ours: it hands every call to our
transport.

The transport puts the session's token on the call when it goes out, renews it once for all threads, and sends
the call again with all its headers; what the library does about that (log in by itself, without a lock, and
forget headers) is never reached. Answers are asked for without the white space that the library wants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
import requests

from connectors.http.transport import Call, Transport

_DROPPED = frozenset({"x-prettyprint", "authorization", "x-sfdc-session"})


@dataclass(frozen=True)
class Manner:
    """How a call may be sent: see ``transport.Call``."""

    writes: bool = False
    repeatable: bool = True
    timeout: tuple[float, float] = (5, 120)
    stream: bool = False
    anonymous: bool = False


class Sender(requests.Session):
    """The session that simple-salesforce is given: the address becomes the account's, and the transport
    sends.
    """

    def __init__(self, transport: Transport, url: str, manner: Manner = Manner()) -> None:
        super().__init__()
        self._transport = transport
        self._url = url
        self._manner = manner

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
        how = manner or self._manner
        kept = {
            name: value
            for name, value in (headers or {}).items()
            if name.lower() not in _DROPPED or how.anonymous
        }
        body = _body(data, json, kept)
        asked = tuple((name, str(value)) for name, value in (params or {}).items())
        call = Call(
            method.upper(),
            self._own(url),
            asked,
            kept,
            body,
            writes=how.writes,
            repeatable=how.repeatable,
            timeout=how.timeout,
            stream=how.stream,
            anonymous=how.anonymous,
        )
        return self._transport.send(call)

    def _own(self, url: str) -> str:
        """The library writes https and a host of its own: the account's address stands in their place."""
        parts = urlsplit(url)
        return self._url + parts.path + (f"?{parts.query}" if parts.query else "")


class Client:
    """Calls of one org, in one version of its API. ``transport`` must be able to sign them."""

    def __init__(self, transport: Transport, url: str, version: str) -> None:
        from simple_salesforce.api import Salesforce

        self._library = Salesforce(
            session=Sender(transport, url),
            session_id="set by the transport",
            instance_url=url,
            version=version,
            object_pairs_hook=dict,
        )

    def send(
        self,
        method: str,
        path: str,
        manner: Manner,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The answer to a call below the version's path (or at a whole path, as Salesforce names next pages).

        ``body``: bytes as they are, or anything that is JSON. SalesforceError (of simple-salesforce) on other
        than success.
        """
        url = (
            self._library.base_url + path
            if not path.startswith("/")
            else f"https://{self._library.sf_instance}{path}"
        )
        data = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        answer: requests.Response = self._library._call_salesforce(
            method, url, params=params, data=data, headers=dict(headers or {}), manner=manner
        )
        return answer


def _body(data: Any, json: Any, headers: dict[str, str]) -> bytes | None:
    if json is not None:
        return orjson.dumps(json)
    if isinstance(data, Mapping):
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return urlencode(data).encode()
    return data.encode() if isinstance(data, str) else data
