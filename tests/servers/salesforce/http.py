"""How do requests come in and answers go out?

A threading HTTP server: one flush a reply, gzip where it is taken, faults of the wire.
"""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from tests.servers.garbling import Sent
from tests.servers.kit.serving import Handler, Served
from tests.servers.salesforce.admin import administered
from tests.servers.salesforce.foreign import before, spoilt
from tests.servers.salesforce.messages import Request, Response
from tests.servers.salesforce.org import Org
from tests.servers.salesforce.refusals import Refusal
from tests.servers.salesforce.service import serve

_BLOCK = 1 << 18
_HTML = (
    b"<html><head><title>Service Unavailable</title></head><body><h1>Down for maintenance</h1></body></html>"
)
_WIRE = {"reset", "truncate", "lost", "slow"}


class _Handler(Handler):
    def _request(self) -> Request:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        params = dict(parse_qsl(parts.query, keep_blank_values=True))
        host = f"http://{headers.get('host') or '{}:{}'.format(*self.server.server_address[:2])}"
        return Request(self.command, unquote(parts.path), params, headers, self.body(), host, self.path)

    def _do(self) -> None:
        org: Org = self.server.stand_in
        request = self._request()
        if request.path.startswith("/__admin"):
            self._send(request, administered(org, request), [])
            return
        if org.knobs.latency_seconds:
            time.sleep(org.knobs.latency_seconds)
        began = time.monotonic()
        faults = org.faults.of(request.method, self.path)
        response = _perhaps_garbled(org, request, faults, self.path)
        entry = {
            "method": request.method,
            "path": self.path,
            "status": response.status,
            "seconds": time.monotonic() - began,
        }
        org.log.append(
            {
                **entry,
                "faults": [fault["do"] for fault in faults],
                "headers": request.headers,
                "size": len(request.body),
            }
        )
        self._send(request, response, [fault for fault in faults if fault["do"] in _WIRE])

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = _do  # noqa: N815 - the names that http.server calls

    # Sending

    def _send(self, request: Request, response: Response, faults: list[dict[str, Any]]) -> None:
        for fault in faults:
            if fault["do"] == "slow":
                time.sleep(fault.get("seconds", 1.0))
            if fault["do"] == "lost":
                self.reset()
                return
        packed = "gzip" in request.headers.get("accept-encoding", "") and response.status != 204
        self._head(response, packed)
        limit = next((fault.get("bytes", 0) for fault in faults if fault["do"] == "reset"), None)
        cut = next((fault for fault in faults if fault["do"] == "truncate"), {})
        share = cut.get("share", 0.5) if cut else None
        if isinstance(response.body, bytes):
            body = gzip.compress(response.body, 1) if packed and len(response.body) > 500 else response.body
            body = response.packed if packed and response.packed is not None else body
            if body is not response.body:
                self.send_header("Content-Encoding", "gzip")
            if cut.get("framed", True) and share is not None:
                body, share = body[: int(len(body) * share)], None
            self._whole(body, limit, share)
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self._chunks(_zipped(response.body) if packed else response.body, packed, limit, share)

    def _head(self, response: Response, packed: bool) -> None:
        org = self.server.stand_in
        self.send_response_only(response.status)
        self.send_header(
            "Date",
            format_datetime(org.clock.now() + timedelta(seconds=org.knobs.date_skew_seconds), usegmt=True),
        )
        if response.body != b"":
            self.send_header("Content-Type", response.type)
        for name, value in response.headers.items():
            self.send_header(name, value)

    def _whole(self, body: bytes, limit: int | None, share: float | None) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = limit if limit is not None else int(len(body) * share) if share is not None else len(body)
        if self.command != "HEAD":
            self._paced(body[:cut])
        self.wfile.flush()
        if limit is not None:
            self.reset()
        elif share is not None:
            self.close_connection = True

    def _chunks(self, parts: Iterator[bytes], packed: bool, limit: int | None, share: float | None) -> None:
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if share is not None:
            whole = b"".join(parts)
            parts = iter([whole[: int(len(whole) * share)]])
        sent = 0
        for part in parts:
            if limit is not None and sent + len(part) > limit:
                self.wfile.write(b"%x\r\n%s" % (len(part), part[: limit - sent]))
                self.wfile.flush()
                self.reset()
                return
            sent += len(part)
            if part:
                self.wfile.write(b"%x\r\n" % len(part))
                self._paced(part)
                self.wfile.write(b"\r\n")
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _paced(self, body: bytes) -> None:
        rate = self.server.stand_in.knobs.bytes_per_second
        if rate:
            self.drip(body, max(1, int(rate / 20)), 0.05)
        else:
            self.wfile.write(body)


def _perhaps_garbled(org: Org, request: Request, faults: list[dict[str, Any]], target: str) -> Response:
    """What the org answers, and what random damage makes of it."""
    if org.garbler is None:
        return _answer(org, request, faults)
    headers: dict[str, str] = {}

    def ask() -> Sent:
        response = _answer(org, request, faults)
        headers.update(response.headers)
        body = response.body if isinstance(response.body, bytes) else b"".join(response.body)
        return Sent(response.status, body, response.type)

    sent = org.garbler.through(request.method, target, ask)
    return Response(sent.status, sent.body, headers, sent.type)


def _zipped(parts: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, wbits=31)
    for part in parts:
        for start in range(0, len(part), _BLOCK):
            yield packer.compress(part[start : start + _BLOCK])
    yield packer.flush()


def _answer(org: Org, request: Request, faults: list[dict[str, Any]]) -> Response:
    """The response, or what the faults make of it before the org is asked."""
    for fault in faults:
        if early := _before(org, fault):
            early.headers.setdefault("Sforce-Limit-Info", org.limits.header())
            return early
    try:
        number = org.limits.begin()
    except Refusal as refusal:
        return Response(
            refusal.status, orjson.dumps(refusal.body()), {"Sforce-Limit-Info": org.limits.header()}
        )
    try:
        for fault in faults:
            if fault["do"] == "stall":
                time.sleep(fault.get("seconds", 1.0))
        response = serve(org, request, faults)
        for fault in faults:
            response = spoilt(response, fault["body"]) if fault["do"] == "foreign" else response
        return response
    except Refusal as refusal:
        return Response(refusal.status, orjson.dumps(refusal.body()))
    except Exception as error:  # a fault of this server: the test shall see it
        org.errors.append(error)
        body = [{"errorCode": "UNKNOWN_EXCEPTION", "message": f"{type(error).__name__}: {error}"}]
        return Response(500, orjson.dumps(body))
    finally:
        org.limits.end(number)


def _before(org: Org, fault: dict[str, Any]) -> Response | None:
    from tests.servers.salesforce.admin import edit

    deed = fault["do"]
    if deed == "foreign":
        return before(fault["body"])
    if deed == "html":
        return Response(fault.get("status", 503), _HTML, dict(fault.get("headers", {})), "text/html")
    refusals = {
        "error": (
            fault.get("status", 500),
            fault.get("code", "UNKNOWN_EXCEPTION"),
            fault.get("message", "An unexpected error occurred."),
        ),
        "unauthorized": (401, "INVALID_SESSION_ID", "Session expired or invalid"),
        "daily": (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        "concurrent": (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."),
    }
    if deed in refusals:
        status, code, message = refusals[deed]
        return Response(
            status, orjson.dumps(Refusal(status, code, message).body()), dict(fault.get("headers", {}))
        )
    if deed == "expire":
        org.login.expire()
    elif deed == "usage":
        org.knobs.used_requests = fault["used"]
    elif deed == "admin":
        edit(org, fault["action"])
    return None


class Server(Served[Org]):
    """A running server: ``url`` is where, ``org`` what it serves."""

    handler = _Handler

    def __init__(self, org: Org, port: int = 0) -> None:
        self.org = org
        super().__init__(org, port)


@contextmanager
def serving(org: Org, port: int = 0) -> Iterator[Server]:
    """A server of this org in a thread, as long as the block runs."""
    server = Server(org, port)
    try:
        yield server
    finally:
        server.stop()
