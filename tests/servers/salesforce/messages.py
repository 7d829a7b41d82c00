"""What is asked, and what is answered?

Requests and responses, free of sockets; and the table of who answers what.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from tests.servers.salesforce.refusals import Refusal, not_found

if TYPE_CHECKING:
    from tests.servers.salesforce.org import Org

JSON = "application/json;charset=UTF-8"


@dataclass
class Request:
    """One HTTP request: the path is decoded and has no query; names of headers are in lower case."""

    method: str
    path: str
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    host: str = ""
    target: str = ""  # path and query as they came

    def json(self) -> Any:
        """The body; JSON_PARSER_ERROR where it is none."""
        try:
            return orjson.loads(self.body or b"null")
        except orjson.JSONDecodeError as error:
            raise Refusal(
                400, "JSON_PARSER_ERROR", f"Unexpected character at [line:1, column:{error.colno}]"
            ) from None

    def table(self) -> dict[str, Any]:
        """The body as an object."""
        body = self.json()
        if not isinstance(body, dict):
            raise Refusal(
                400,
                "JSON_PARSER_ERROR",
                "The HTTP entity body is required, but this request has no entity body.",
            )
        return body


@dataclass
class Response:
    """One HTTP response. A body in parts is sent in chunks."""

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)
    type: str = JSON
    packed: bytes | None = None  # the same body, already in gzip


@dataclass
class Call:
    """A request whose sender is known."""

    org: Org
    request: Request
    user: str
    version: str
    faults: list[dict[str, Any]] = field(default_factory=list)

    @property
    def root(self) -> str:
        return f"/services/data/v{self.version}"

    @property
    def params(self) -> dict[str, str]:
        return self.request.params


Answering = Callable[..., Any]
_ROUTES: list[tuple[str, re.Pattern[str], Answering]] = []


def route(method: str, pattern: str) -> Callable[[Answering], Answering]:
    """The function answers this method of paths below /services/data/vNN.N/; groups of the pattern are its
    arguments.
    """

    def keep(function: Answering) -> Answering:
        _ROUTES.append((method, re.compile(pattern, re.IGNORECASE), function))
        return function

    return keep


def answered(call: Call, path: str) -> Response:
    """The answer of the function whose route fits."""
    others = set()
    for method, pattern, function in _ROUTES:
        match = pattern.fullmatch(path.strip("/"))
        if match and method == call.request.method:
            return response(function(call, *match.groups()))
        if match:
            others.add(method)
    if others:
        message = f"HTTP Method '{call.request.method}' not allowed. Allowed are {','.join(sorted(others))}"
        raise Refusal(405, "METHOD_NOT_ALLOWED", message)
    raise not_found()


def response(answer: Any) -> Response:
    """Whatever a route gives, as a response: nothing is 204, (status, value) as it says, a value is 200."""
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return Response(204)
    status, value = answer if isinstance(answer, tuple) else (200, answer)
    return Response(status, orjson.dumps(value))
