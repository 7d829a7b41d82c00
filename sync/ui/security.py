"""Who may come in? Whoever has the one-time token, from our own pages, on an address that is ours.

The token of the address that the terminal prints is exchanged for a session cookie, once; behind a proxy that names who
is logged in, once or more by each of them, and the session is theirs alone. Everything else is answered with 403, and
every answer allows a browser nothing but our own styles and our one script.
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
    """What opens the door: the token, then the secret of a session, and what stands in its forms. Each session has its
    own (``of``: whose it is).
    """

    token: str | None = field(default_factory=lambda: secrets.token_urlsafe(32))
    _sessions: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _forms: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def exchanged(self, token: str, once: bool = True) -> bool:
        """Whether this is the token; it is used up then, if it works ``once``."""
        right = self.token is not None and hmac.compare_digest(self.token.encode(), token.encode())
        if right and once:
            self.token = None
        return right

    def session_of(self, of: str) -> str:
        """The secret in a session's cookie."""
        return hmac.digest(self._sessions, of.encode(), "sha256").hex()

    def form_of(self, of: str) -> str:
        """What stands in every form of a session."""
        return hmac.digest(self._forms, of.encode(), "sha256").hex()


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

    def session_of(self, who: str) -> str:
        """Whose session somebody has: their own behind a proxy, else the only one."""
        return "" if self.user_header is None else who


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
        if door.user_header is not None and len(request.headers.getlist(door.user_header)) > 1:
            return _refused(
                "This request names several users: the proxy has to remove the header of browsers."
            )
        request.state.user = door.user_of(request.headers)
        session = door.session_of(request.state.user)
        if request.url.path == ENTRANCE and request.method == "GET":
            return self._enter(request, session)
        if not _same(request.cookies.get(COOKIE, ""), door.keys.session_of(session)):
            return _refused(
                "Open the address that `crm-segments ui` printed; it can be used once."
                if door.user_header is None
                else f"{request.state.user} has no session here: open the address that `crm-segments ui` printed."
            )
        if writes:
            form = await _form(request)
            if not _same(form.get("key", ""), door.keys.form_of(session)):
                return _refused("This form is not of this session. Open the page again.")
            request.state.form = form
        return await call_next(request)

    def _enter(self, request: Request, session: str) -> Response:
        once = self._door.user_header is None
        if not self._door.keys.exchanged(request.query_params.get("token", ""), once):
            return _refused(
                "This address was used before. Start `crm-segments ui` again for a new one."
                if once
                else "This is not the address that `crm-segments ui` printed."
            )
        response = RedirectResponse("/", 303)
        secure = f"https://{request.headers.get('host')}" in self._door.origins
        response.set_cookie(
            COOKIE,
            self._door.keys.session_of(session),
            httponly=True,
            samesite="strict",
            secure=secure,
            path="/",
        )
        return response


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())


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
