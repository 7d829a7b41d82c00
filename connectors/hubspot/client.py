"""How is a call to HubSpot built? By hubspot-api-client, which then hands it to our transport instead of
sending it.

One client lives as long as the connector. Its models are not used: bodies go in and come out as raw JSON,
because its deserialisation costs fifty times the parsing. Its own sender has no time-out, its retries are its
own: both are replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partialmethod
from typing import Any

import orjson

from connectors.http.credentials import Token
from connectors.http.transport import Call

_JSON = {"Accept": "application/json", "Content-Type": "application/json"}


class Client:
    """Builds and authenticates calls of one account."""

    def __init__(self, url: str, token: Token) -> None:
        from hubspot import HubSpot

        self._token = token
        # One object for all calls: each walk down the library's tree would open a pool of connections.
        self._api = HubSpot(access_token="", host=url).crm.contacts.basic_api.api_client
        self._api.rest_client.pool_manager.clear()
        self._api.rest_client = _Sender()

    def call(self, method: str, path: str, params: Sequence[tuple[str, str]] = (), body: Any = None) -> Call:
        """A call as hubspot-api-client builds it, with its log-in. ``body``: anything that is JSON, or None."""
        self._api.configuration.access_token = self._token.value()
        built = self._api.call_api(
            path,
            method,
            query_params=list(params),
            header_params=dict(_JSON),
            body=None if body is None else orjson.dumps(body),
            auth_settings=["oauth2"],
            _preload_content=False,
        )
        assert isinstance(built, Call)
        return built


class _Sender:
    """Stands where hubspot-api-client has its own sender, and answers with the call itself: the transport
    sends it.
    """

    def _built(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        query_params: Sequence[tuple[str, str]] | None = None,
        body: bytes | None = None,
        **_given: Any,
    ) -> Call:
        return Call(method, url, params=tuple(query_params or ()), headers=dict(headers or {}), body=body)

    # the library asks for these names
    GET = partialmethod(_built, "GET")
    POST = partialmethod(_built, "POST")
    PUT = partialmethod(_built, "PUT")
    PATCH = partialmethod(_built, "PATCH")
    DELETE = partialmethod(_built, "DELETE")
