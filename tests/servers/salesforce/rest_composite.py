"""Several requests in one, by REST."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from tests.servers.salesforce.messages import Call, Request, Response, answered, route
from tests.servers.salesforce.refusals import Refusal

_MOST = 25
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")


def _ask(call: Call, method: str, url: str, body: Any, headers: dict[str, str]) -> Response:
    """The answer to one request within another."""
    parts = urlsplit(url if url.startswith("/") else f"/services/data/{url}")
    match = re.fullmatch(r"/services/data/v(\d+\.\d)/(.*)", unquote(parts.path))
    if not match:
        return _refused(Refusal(404, "NOT_FOUND", "The requested resource does not exist"))
    params = dict(parse_qsl(parts.query, keep_blank_values=True))
    given = {**call.request.headers, **{name.lower(): value for name, value in headers.items()}}
    request = Request(
        method,
        unquote(parts.path),
        params,
        given,
        orjson.dumps(body) if body is not None else b"",
        call.request.host,
        url,
    )
    try:
        return answered(replace(call, request=request, version=match[1]), match[2])
    except Refusal as refusal:
        return _refused(refusal)


def _refused(refusal: Refusal) -> Response:
    return Response(refusal.status, orjson.dumps(refusal.body()))


def _body(response: Response) -> Any:
    return orjson.loads(response.body) if isinstance(response.body, bytes) and response.body else None


@route("POST", "composite")
def composite(call: Call) -> Any:
    body = call.request.table()
    parts = body.get("compositeRequest", [])
    _check(parts)
    heavy = [
        part
        for part in parts
        if "query" in part["url"].lower() or "composite/sobjects" in part["url"].lower()
    ]
    if len(heavy) > 5:
        raise Refusal(
            400, "LIMIT_EXCEEDED", "at most 5 queries and collections may be in one composite request"
        )
    bodies: dict[str, Any] = {}  # name of a request → what it was answered
    answers: list[dict[str, Any]] = []
    failed = False
    for part in parts:
        if failed and body.get("allOrNone"):
            stop = {
                "errorCode": "PROCESSING_HALTED",
                "message": "The transaction was rolled back since another operation in it failed.",
            }
            answers.append(
                {"body": [stop], "httpHeaders": {}, "httpStatusCode": 400, "referenceId": part["referenceId"]}
            )
            continue
        url, inner = _filled(part["url"], bodies), _filled(part.get("body"), bodies)
        response = _ask(call, part["method"], url, inner, part.get("httpHeaders", {}))
        bodies[part["referenceId"]] = _body(response)
        failed = failed or response.status >= 400
        answer = {
            "body": bodies[part["referenceId"]],
            "httpHeaders": response.headers,
            "httpStatusCode": response.status,
        }
        answers.append({**answer, "referenceId": part["referenceId"]})
    return {"compositeResponse": answers}


def _filled(value: Any, bodies: dict[str, Any]) -> Any:
    """A text, or all texts of a body, with what earlier answers said in place of references."""
    if isinstance(value, dict):
        return {key: _filled(part, bodies) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, bodies) for part in value]
    return (
        _REFERENCE.sub(lambda match: str(_found(match, bodies)), value) if isinstance(value, str) else value
    )


def _found(match: re.Match[str], bodies: dict[str, Any]) -> Any:
    value = bodies.get(match[1])
    for step in re.findall(r"\w+", match[2]):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]  # type: ignore[index]
        except (KeyError, IndexError, TypeError, ValueError):
            raise Refusal(
                400, "PROCESSING_HALTED", f"Invalid reference specified. No value for {match[0]} found"
            ) from None
    return value


@route("POST", "composite/batch")
def batch(call: Call) -> Any:
    body = call.request.table()
    parts = body.get("batchRequests", [])
    _check(parts)
    results: list[dict[str, Any]] = []
    for part in parts:
        if results and results[-1]["statusCode"] >= 400 and body.get("haltOnError"):
            stop = {"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}
            results.append({"statusCode": 412, "result": [stop]})
            continue
        call.org.limits.take_request()
        response = _ask(call, part["method"], part["url"], part.get("richInput"), {})
        results.append({"statusCode": response.status, "result": _body(response)})
    return {"hasErrors": any(result["statusCode"] >= 400 for result in results), "results": results}


def _check(parts: Any) -> None:
    if not isinstance(parts, list) or not parts:
        raise Refusal(400, "JSON_PARSER_ERROR", "there are no requests in the request")
    if len(parts) > _MOST:
        raise Refusal(400, "LIMIT_EXCEEDED", f"at most {_MOST} requests may be in one")
