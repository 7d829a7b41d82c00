"""With what is a call signed, and where does the signature stand?

One token for all threads, renewed by one of them while it still works, and never twice. A CRM wants it in a
header (``bearer``, ``header``), in the address (``query``) or in the body (``body``).
"""

from __future__ import annotations

import copy
import re
import threading
import time
from collections.abc import Callable

import orjson
import requests

from connectors.errors import AccessError, ConnectorError, RequestError

_EARLY = 0.1  # of its life, before the end, a token is renewed ...
_EARLIEST = 300.0  # ... but at most so many seconds before
_PATIENCE = 10.0  # seconds between two tries to renew a token that still works


AuthScheme = Callable[[requests.Request, str], None]  # puts the token on a request that is not sent yet


def bearer(request: requests.Request, token: str) -> None:
    """The token stands in the header Authorization (RFC 6750)."""
    header("Authorization", "Bearer ")(request, token)


def header(name: str, prefix: str = "") -> AuthScheme:
    """The token stands in a header of this name."""

    def sign(request: requests.Request, token: str) -> None:
        others = {key: value for key, value in request.headers.items() if key.lower() != name.lower()}
        request.headers = {**others, name: prefix + token}

    return sign


def query(name: str) -> AuthScheme:
    """The token is a parameter of the address. No error and no log line holds parameters."""

    def sign(request: requests.Request, token: str) -> None:
        others = [(key, value) for key, value in request.params if key != name]
        request.params = [*others, (name, token)]

    return sign


def body(name: str) -> AuthScheme:
    """The token is a key of the body, a JSON object. A call without a body gets one."""

    def sign(request: requests.Request, token: str) -> None:
        content = orjson.loads(request.data) if request.data else {}
        if not isinstance(content, dict):
            raise ValueError("a body that is signed is a JSON object")
        request.data = orjson.dumps({**content, name: token})

    return sign


class Token:
    """``fetch`` answers a new token and its life in seconds (None: unknown).

    A fetch that fails with AccessError or RequestError is not tried again: a person must see to it first, and
    a CRM locks out who keeps asking. Threads that waited for a fetch share what came of it, also a failure.
    """

    def __init__(
        self, fetch: Callable[[], tuple[str, float | None]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._guard = threading.Lock()
        self._text = ""
        self._early = self._ends = float("inf")
        self._fetched = 0  # how many fetches have ended
        self._refusal: ConnectorError | None = None

    @classmethod
    def fixed(cls, text: str) -> Token:
        """A token that a person made, and that only a person can renew."""

        def fetch() -> tuple[str, float | None]:
            raise AccessError(
                "The CRM does not accept the token (any more): create a new one there and put it into the account's settings."
            )

        token = cls(fetch)
        token._text = _checked(text)
        return token

    def value(self) -> str:
        """The token's text. Where there is none, the error that its fetch ended in."""
        now = self._clock()
        if self._text and now < self._early:
            return self._text
        fetched = self._fetched
        if self._text and now < self._ends:
            if self._guard.acquire(blocking=False):  # who comes meanwhile goes on with what still works
                try:
                    self._renew_early(fetched)
                finally:
                    self._guard.release()
            return self._text
        with self._guard:
            self._renew(fetched)
        return self._text

    def renew(self, rejected: str) -> None:
        """The CRM rejected this text: get another, unless another thread already did."""
        fetched = self._fetched
        with self._guard:
            if self._text == rejected:
                self._renew(fetched)

    def _renew_early(self, fetched: int) -> None:
        try:
            self._renew(fetched)
        except ConnectorError:
            if self._clock() >= self._ends:
                raise
            self._early = min(self._clock() + _PATIENCE, self._ends)

    def _renew(self, fetched: int) -> None:
        """Fetch, unless a fetch ended since the caller looked; the guard is held."""
        if self._refusal and (
            fetched != self._fetched or isinstance(self._refusal, AccessError | RequestError)
        ):
            raise copy.copy(self._refusal)
        if fetched != self._fetched:
            return
        try:
            text, life = self._fetch()
            self._text = _checked(text)
            self._refusal = None
        except ConnectorError as refusal:
            self._refusal = refusal
            raise
        finally:
            self._fetched += 1
        now = self._clock()
        self._ends = now + life if life is not None else float("inf")
        self._early = self._ends - min(life * _EARLY, _EARLIEST) if life is not None else float("inf")

    def __repr__(self) -> str:
        return "Token(...)"


def _checked(text: str) -> str:
    """Refuse what no header can carry: the error of the HTTP library would quote it."""
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise AccessError(
            "The token is empty or has blanks or characters that no token has: copy it again, all of it and nothing else."
        )
    return text
