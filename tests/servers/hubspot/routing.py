"""Which function answers a path? Legacy and dated paths lead to the same place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.servers.hubspot.access import Grant
from tests.servers.hubspot.errors import Refused, invalid

if TYPE_CHECKING:
    from tests.servers.hubspot.portal import Portal

DATES = ("2026-03", "2026-09")
_BETA = "2026-09-beta"  # of workflows, which are published under no other date
_WORKFLOWS = (re.compile(rf"^/automation/(?P<version>{_BETA})(?=/flows(/|$))"), "/automation/v4")
_DATED = [
    _WORKFLOWS,
    *(
        (re.compile(rf"^/{area}/(?P<version>\d{{4}}-\d\d)(?=/|$)"), f"/{legacy}")
        for area, legacy in (
            ("crm/objects", "crm/v3/objects"),
            ("crm/properties", "crm/v3/properties"),
            ("crm/lists", "crm/v3/lists"),
            ("crm/imports", "crm/v3/imports"),
            ("crm/exports", "crm/v3/exports"),
            ("crm/pipelines", "crm/v3/pipelines"),
            ("crm/owners", "crm/v3/owners"),
            ("crm/limits", "crm/v3/limits"),
            ("crm/associations", "crm/v4/associations"),
            ("events/event-occurrences", "events/v3/events"),
            ("account-info", "account-info/v3"),
            ("communication-preferences", "communication-preferences/v4"),
            ("settings/users", "settings/v3/users"),
            ("settings/currencies", "settings/v3/currencies"),
            ("oauth", "oauth/v3"),
        )
    ),
]


@dataclass
class Request:
    """A call as a handler sees it; ``path`` is the legacy one."""

    method: str
    path: str
    params: dict[str, list[str]]
    body: bytes
    headers: dict[str, str]
    version: str = ""  # the dated version that was asked for
    grant: Grant = field(default_factory=lambda: Grant("nobody", frozenset()))

    def one(self, name: str, default: str = "") -> str:
        return self.params.get(name, [default])[-1]

    def many(self, name: str) -> list[str]:
        """All values of a parameter, repeated or separated by commas."""
        return [part for text in self.params.get(name, []) for part in text.split(",") if part]

    def true(self, name: str) -> bool:
        return self.one(name).lower() == "true"

    def json(self) -> Any:
        try:
            return json.loads(self.body or b"{}")
        except ValueError:
            raise invalid("Invalid input JSON") from None

    def object(self) -> dict[str, Any]:
        content = self.json()
        if not isinstance(content, dict):
            raise invalid("Invalid input JSON: an object is expected")
        return content

    def strings(self) -> list[str]:
        """A body that is a list of record ids."""
        content = self.json()
        if not isinstance(content, list) or not all(isinstance(each, str | int) for each in content):
            raise invalid("Invalid input JSON: a list of record ids is expected")
        return [str(each) for each in content]


@dataclass
class Reply:
    """A status and what is sent with it: JSON, or bytes as they are, or nothing."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json;charset=utf-8"


Handler = Callable[..., "Reply | dict[str, Any]"]


@dataclass(frozen=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    handler: Handler
    search: bool  # has the limit of search, and no headers that tell limits
    public: bool  # needs no token
    name: str


ROUTES: list[Route] = []


def route(
    method: str, path: str, *, search: bool = False, public: bool = False
) -> Callable[[Handler], Handler]:
    """Register a handler: handler(portal, request, **parts of the path)."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + r"/?")

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method, pattern, handler, search, public, path))
        return handler

    return register


def parse(
    method: str, target: str, headers: dict[str, str], body: bytes, versions: Collection[str] = DATES
) -> Request:
    split = urlsplit(target)
    path, version = split.path, ""
    for pattern, legacy in _DATED:
        match = pattern.match(path)
        if match and (match["version"] in versions or match["version"] == _BETA):
            path, version = legacy + path[match.end() :], match["version"]
            break
    return Request(method, path, parse_qs(split.query, keep_blank_values=True), body, headers, version)


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a path and its parts; Refused with 405 where only the method is wrong."""
    elsewhere = False
    for candidate in ROUTES:
        match = candidate.pattern.fullmatch(path)
        if match and candidate.method == method:
            return candidate, {name: unquote(part) for name, part in match.groupdict().items()}
        elsewhere = elsewhere or bool(match)
    if elsewhere:
        raise Refused(405, "METHOD_NOT_ALLOWED", f"HTTP method {method} is not allowed here")
    return None


def answer(portal: Portal, handler: Handler, request: Request, parts: dict[str, str]) -> Reply:
    reply = handler(portal, request, **parts)
    return reply if isinstance(reply, Reply) else Reply(body=reply)
