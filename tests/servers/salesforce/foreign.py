"""What may stand in an answer that is not Salesforce's, or only half of it? Bodies under 200 that no client
should believe.

Some come from something before the org, which then did nothing; the others are the org's own answer, spoilt
after it did what was asked.
"""

from __future__ import annotations

from typing import Any

import orjson

from tests.servers.salesforce.messages import JSON, Response

PAGE = b"<html><head><title>Sign in</title></head><body><h1>Welcome to the guest network</h1></body></html>"
# name → body and type; nothing was done
BEFORE = {
    "empty": (b"", JSON),
    "page": (PAGE, "text/html"),
    "page as json": (PAGE, JSON),
    "null": (b"null", JSON),
    "list": (b"[]", JSON),
    "object": (b"{}", JSON),
    "text": (b'"ok"', JSON),
    "number": (b"17", JSON),
    "lists": (b"[[1], 2, null]", JSON),
}
AFTER = ("hollow", "half", "keyless", "retyped")  # everything was done
KINDS = (*BEFORE, *AFTER)


def before(kind: str) -> Response | None:
    """The answer of something that stands before the org; None: the org is asked."""
    if kind not in BEFORE:
        return None
    body, type = BEFORE[kind]
    return Response(200, body, {}, type)


def spoilt(response: Response, kind: str) -> Response:
    """The org's answer as it arrives. A refusal stays one."""
    if response.status >= 400:
        return response
    body = response.body if isinstance(response.body, bytes) else b"".join(response.body)
    status = 200 if kind != "half" and not body else response.status
    headers = response.headers
    if kind == "hollow":
        return Response(200, b"", headers, response.type)
    if kind == "half":
        return Response(status, body[: len(body) // 2], headers, response.type)
    if "csv" in response.type:
        lines = body.split(b"\n", 1)
        rows = lines[1] if len(lines) > 1 else b""
        return Response(status, rows if kind == "keyless" else b'"A","B"\n' + rows, headers, response.type)
    tree = orjson.loads(body) if body else None
    return Response(
        status, orjson.dumps(_keyless(tree) if kind == "keyless" else _retyped(tree)), headers, response.type
    )


def _keyless(tree: Any, depth: int = 0) -> Any:
    """The same without keys in the objects of lists; without half of its own keys where it holds no such
    list.
    """
    if isinstance(tree, list):
        return [{} if isinstance(entry, dict) else entry for entry in tree]
    if not isinstance(tree, dict):
        return tree
    if any(isinstance(value, list) and value for value in tree.values()):
        return {
            name: _keyless(value, depth + 1) if isinstance(value, list) else value
            for name, value in tree.items()
        }
    return {name: value for position, (name, value) in enumerate(tree.items()) if position % 2}


def _retyped(tree: Any) -> Any:
    """The same with every value of another type."""
    if isinstance(tree, dict):
        return {name: _retyped(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_retyped(value) for value in tree]
    if isinstance(tree, bool) or tree is None:
        return "neither"
    return 7 if isinstance(tree, str) else ["x"]
