"""How does the org answer a request? Log-in and its versions here, everything else by the routes; no sockets."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

import orjson

from tests.servers.salesforce import rest_composite, rest_jobs, rest_query, rest_records, rest_setup  # noqa: F401 - they add routes
from tests.servers.salesforce.login import Denied
from tests.servers.salesforce.messages import Call, Request, Response, answered, response
from tests.servers.salesforce.org import Org
from tests.servers.salesforce.refusals import Refusal, not_found

NEWEST = 67
_DATA = re.compile(r"/services/data/v(\d+)\.(\d+)(/.*)?", re.IGNORECASE)
_SOAP = re.compile(r"/services/Soap/u/(\d+\.\d)/?(?:\w+)?", re.IGNORECASE)
_IDENTITY = re.compile(r"/id/\w+/\w+|/services/oauth2/userinfo")


def serve(org: Org, request: Request, faults: list[dict[str, Any]]) -> Response:
    """The response to any request outside /__admin."""
    org.commit_late()
    path = request.path.rstrip("/") or "/"
    if path == "/services/oauth2/token":
        return _token(org, request)
    if path == "/services/oauth2/revoke":
        org.login.revoke(_form(request).get("token", ""))
        return Response(200)
    if soap := _SOAP.fullmatch(path):
        status, body = org.login.soap(soap[1], request.body.decode(), request.host)
        return Response(status, body.encode(), type="text/xml;charset=UTF-8")
    if path == "/services/data":
        versions = [
            {"label": f"Version {n}", "url": f"/services/data/v{n}.0", "version": f"{n}.0"}
            for n in range(31, NEWEST + 1)
        ]
        return response(versions)
    try:
        return _rest(org, request, path, faults)
    except Refusal as refusal:
        answer = Response(
            refusal.status, orjson.dumps(refusal.body()), {"Sforce-Limit-Info": org.limits.header()}
        )
        if refusal.status == 401 and org.knobs.www_authenticate:
            answer.headers["WWW-Authenticate"] = "Token"
        return answer


def _rest(org: Org, request: Request, path: str, faults: list[dict[str, Any]]) -> Response:
    data = _DATA.fullmatch(path)
    identity = _IDENTITY.fullmatch(path)
    if not data and not identity:
        raise not_found()
    if data and int(data[1]) < 31:
        old = Refusal(410, "UNSUPPORTED_API_VERSION", "The requested API version is retired")
        raise old if int(data[1]) > 20 else not_found()
    if data and (int(data[1]) > NEWEST or data[2] != "0"):
        raise not_found()
    if (
        len(request.target) + sum(len(name) + len(value) for name, value in request.headers.items())
        > org.knobs.uri_bytes
    ):
        raise Refusal(
            414 if len(request.target) > org.knobs.uri_bytes // 2 else 431,
            "URI_TOO_LONG",
            "the URI and headers are too long",
        )
    user = org.login.user_of(request.headers.get("authorization", "").partition(" ")[2])
    if identity:
        return response(_identity(org, user))
    assert data
    if not org.access.may(user, "PermissionsApiEnabled"):
        raise Refusal(403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner")
    call = Call(org, request, user, f"{int(data[1])}.0", faults)
    resource = (data[3] or "").strip("/")
    if not resource:
        return response(
            {
                name: f"{call.root}/{name}"
                for name in ("sobjects", "query", "queryAll", "limits", "composite", "jobs", "tooling")
            }
        )
    if resource.lower() != "composite/batch":
        org.limits.take_request()
    answer = answered(call, resource)
    answer.headers["Sforce-Limit-Info"] = org.limits.header()
    return answer


def _identity(org: Org, user: str) -> dict[str, Any]:
    row = org.row("User", user)
    profile = {
        "user_id": user,
        "organization_id": org.organization,
        "preferred_username": row["Username"],
        "active": True,
    }
    return profile | {"username": row["Username"], "zoneinfo": row["TimeZoneSidKey"], "user_type": "STANDARD"}


def _form(request: Request) -> dict[str, str]:
    return {
        **request.params,
        **dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)),
    }


def _token(org: Org, request: Request) -> Response:
    if request.method != "POST":
        return Response(405, b"")
    try:
        return response(
            org.login.grant(_form(request), request.headers.get("authorization", ""), request.host)
        )
    except Denied as denied:
        body = {"error": denied.error, "error_description": denied.description}
        return Response(400, orjson.dumps(body))
