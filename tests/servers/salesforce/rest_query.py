"""Queries, limits and describe by REST."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson

from tests.servers.salesforce.messages import Call, Response, route
from tests.servers.salesforce.refusals import Refusal, not_found
from tests.servers.salesforce.schema import Entity


def batch_size(call: Call) -> int:
    match = re.search(r"batchSize\s*=\s*(\d+)", call.request.headers.get("sforce-query-options", ""))
    return int(match[1]) if match else 2000


def _ask(call: Call, word: str, everything: bool, tooling: bool = False) -> dict[str, Any]:
    if "q" not in call.params:
        raise Refusal(400, "MALFORMED_QUERY", "no query was given")
    path = f"{call.root}/{'tooling/' if tooling else ''}{word}"
    text = call.params["q"]
    return call.org.queries.ask(
        text, call.user, everything=everything, tooling=tooling, batch=batch_size(call), path=path
    )


@route("GET", "query")
def query(call: Call) -> Any:
    return _ask(call, "query", False)


@route("GET", "queryAll")
def query_all(call: Call) -> Any:
    return _ask(call, "queryAll", True)


@route("GET", "tooling/query")
def tooling_query(call: Call) -> Any:
    if not call.org.access.may(call.user, "PermissionsViewSetup"):
        raise Refusal(
            403,
            "INSUFFICIENT_ACCESS",
            "insufficient access rights to the Tooling API: View Setup and Configuration",
        )
    return _ask(call, "query", False, tooling=True)


@route("GET", r"(?:tooling/)?query(?:All)?/(\w+-\d+)")
def more(call: Call, locator: str) -> Any:
    return call.org.queries.more(locator, call.user, batch_size(call))


@route("GET", "limits")
def limits(call: Call) -> Any:
    return call.org.limits.told()


@route("GET", "limits/recordCount")
def record_count(call: Call) -> Any:
    names = [name for name in call.params.get("sObjects", "").split(",") if name]
    entities = (
        [call.org.schema.get(name) for name in names]
        if names
        else [listed for listed in call.org.schema if not listed.plain]
    )
    counts = [(entity.name, call.org.queries.counted(entity)) for entity in entities if entity]
    return {"sObjects": [{"count": count, "name": name} for name, count in counts if count]}


@route("GET", "sobjects")
def describe_global(call: Call) -> Any:
    entities = [visible for visible in call.org.schema if call.org.access.entity(call.user, visible.name)]
    return {
        "encoding": "UTF-8",
        "maxBatchSize": 200,
        "sobjects": [entity.summary(call.version) for entity in entities],
    }


def known(call: Call, name: str, tooling: bool = False) -> Entity:
    """The object, or 404."""
    entity = call.org.access.entity(call.user, name, tooling)
    if entity is None:
        raise not_found()
    return entity


@route("GET", r"sobjects/(\w+)")
def basic(call: Call, name: str) -> Any:
    entity = known(call, name)
    return {"objectDescribe": entity.summary(call.version), "recentItems": []}


def described(call: Call, entity: Entity) -> dict[str, Any]:
    """An object as this user sees it."""
    seen, editable = call.org.access.fields(call.user, entity), call.org.access.editable(call.user, entity)
    fields = [
        field.describe(field.name.lower() in editable) for field in entity if field.name.lower() in seen
    ]
    denied = call.org.access.denied.get(entity.name.lower(), set())
    description = entity.summary(call.version) | {
        "fields": fields,
        "childRelationships": [],
        "recordTypeInfos": [],
        "supportedScopes": [],
    }
    for right, key in (("create", "createable"), ("edit", "updateable"), ("delete", "deletable")):
        description[key] = description[key] and right not in denied
    return description


@route("GET", r"(tooling/)?sobjects/(\w+)/describe")
def describe(call: Call, tooling: str | None, name: str) -> Any:
    body = orjson.dumps(described(call, known(call, name, bool(tooling))))
    tag = hashlib.md5(body, usedforsecurity=False).hexdigest()[:12]
    known_tag = call.request.headers.get("if-none-match", "").strip('"').removesuffix("--gzip")
    schema_moved = call.org.schema_moved.strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"ETag": f'"{tag}"', "Last-Modified": schema_moved}
    since = call.request.headers.get("if-modified-since")
    if known_tag == tag or (since and since == schema_moved):
        return Response(304, b"", headers)
    return Response(200, body, headers)
