"""Who may come in? Whoever has the one-time token, from our own pages, on an address that is ours.

The token of the address that the terminal prints is exchanged for a session cookie, once. Everything else is
answered with 403, and every answer allows a browser nothing but our own styles and our one script.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp

from sync.store.journal.database import user

COOKIE = "crm_segments"
ENTRANCE = "/enter"
_LARGEST = 65_536  # bytes of a form
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass
class Keys:
    """What opens the door: the token until it is used, then the session's secret; ``form`` stands in every form."""

    token: str | None = field(default_factory=lambda: secrets.token_urlsafe(32))
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    form: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def exchanged(self, token: str) -> bool:
        """Whether this is the token; it is used up then."""
        right = self.token is not None and hmac.compare_digest(self.token.encode(), token.encode())
        if right:
            self.token = None
        return right


@dataclass(frozen=True)
class Door:
    """Under which names and from which origins the pages are asked for. ``user_header``: in which a proxy names
    whoever is logged in there.
    """

    keys: Keys
    hosts: Collection[str]
    origins: Collection[str]
    user_header: str | None = None

    @classmethod
    def on(cls, port: int, origin: str | None = None, user_header: str | None = None) -> Door:
        """The door of a server on loopback; ``origin``: of a proxy before it."""
        hosts = [f"127.0.0.1:{port}", f"localhost:{port}"]
        origins = [f"http://{host}" for host in hosts]
        if origin is not None:
            hosts, origins = [*hosts, origin.partition("//")[2]], [*origins, origin]
        return cls(Keys(), hosts, origins, user_header)

    def refuses(self, headers: Mapping[str, str], writes: bool) -> str:
        """Why a request may not come in, or nothing."""
        if headers.get("host", "") not in self.hosts:
            return "This address is not one of crm-segments."
        origin = headers.get("origin")
        foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if (origin not in self.origins) if writes or origin is not None else foreign:
            return "Another page sent this request."
        if self.user_header is not None and not headers.get(self.user_header, "").strip():
            return "The proxy names no user."
        return ""

    def user_of(self, headers: Mapping[str, str]) -> str:
        """Who asks: whoever the proxy names, or the system's user who started the server."""
        return user() if self.user_header is None else headers[self.user_header].strip()


class Guarded(BaseHTTPMiddleware):
    """Lets a request through the door, or refuses it. ``request.state`` then has ``user`` and ``form``."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        super().__init__(app)
        self._door = door

    async def dispatch(
        self, request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """The answer, with our headers on it."""
        response = await self._answer(request, call_next)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    async def _answer(
        self, request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        door, writes = self._door, request.method not in ("GET", "HEAD")
        if refusal := door.refuses(request.headers, writes):
            return _refused(refusal)
        if request.url.path == ENTRANCE and request.method == "GET":
            return self._enter(request)
        if not hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), door.keys.session.encode()):
            return _refused("Open the address that `crm-segments ui` printed; it can be used once.")
        request.state.user = door.user_of(request.headers)
        if writes:
            form = await _form(request)
            if not hmac.compare_digest(form.get("key", "").encode(), door.keys.form.encode()):
                return _refused("This form is not of this session. Open the page again.")
            request.state.form = form
        return await call_next(request)

    def _enter(self, request: Request) -> Response:
        if not self._door.keys.exchanged(request.query_params.get("token", "")):
            return _refused("This address was used before. Start `crm-segments ui` again for a new one.")
        response = RedirectResponse("/", 303)
        secure = f"https://{request.headers.get('host')}" in self._door.origins
        response.set_cookie(
            COOKIE, self._door.keys.session, httponly=True, samesite="strict", secure=secure, path="/"
        )
        return response


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; of one that is too long, none."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _refused(why: str) -> Response:
    return PlainTextResponse(why, 403)
