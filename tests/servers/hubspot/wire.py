"""How do bytes come and go? A threading HTTP server before a portal, which also plays the faults of delivery."""

from __future__ import annotations

import contextlib
import gzip
import json
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

from tests.servers.garbling import Sent
from tests.servers.hubspot import admin
from tests.servers.hubspot.breakage import broken
from tests.servers.hubspot.faults import Fault
from tests.servers.hubspot.portal import Portal
from tests.servers.hubspot.routing import Reply
from tests.servers.kit.serving import Handler, Served


class _Cut(Exception):
    """The connection ends here, without an answer."""


class _Handler(Handler):
    def _do(self) -> None:
        portal: Portal = self.server.stand_in
        body = self.body()
        if self.path.startswith("/__admin"):
            self._send(admin.answer(portal, self.command, self.path, body), [])
            return
        began = time.monotonic()
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply, faults = self._answer(portal, headers, body)
        rows = (
            len(reply.body.get("results", ()))
            if isinstance(reply.body, dict) and isinstance(reply.body.get("results"), list)
            else 0
        )
        pause = portal.knobs.latency + portal.knobs.rows_ms * rows / 100_000 - (time.monotonic() - began)
        if pause > 0:
            time.sleep(pause)
        try:
            self._send(reply, faults)
        except _Cut:
            self.reset()

    def _answer(self, portal: Portal, headers: dict[str, str], body: bytes) -> tuple[Reply, list[Fault]]:
        """What the portal answers, and what random damage makes of it."""
        if portal.garbler is None:
            return portal.answer(self.command, self.path, headers, body)
        reply, faults, own = Reply(200), list[Fault](), None

        def ask() -> Sent:
            nonlocal reply, faults, own
            reply, faults = portal.answer(self.command, self.path, headers, body)
            own = Sent(reply.status, _bytes(reply), reply.content_type)
            return own

        sent = portal.garbler.through(self.command, self.path, ask)
        spoilt = Reply(sent.status, sent.body, reply.headers, sent.type)
        return reply if sent is own else spoilt, faults

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _do  # noqa: N815

    def _send(self, reply: Reply, faults: list[Fault]) -> None:
        fault = next((each for each in faults if each.do != "meanwhile"), None)
        if fault is not None:
            reply = self._spoilt(reply, fault)
        content = _bytes(reply)
        compress = fault is not None and fault.do == "gzip"
        accepted = (
            self.server.stand_in.knobs.gzip
            and "gzip" in self.headers.get("Accept-Encoding", "")
            and len(content) > 500
        )
        if compress or accepted:
            content = gzip.compress(content, 1)
            reply.headers = {**reply.headers, "Content-Encoding": "gzip"}
        sent = content
        if fault is not None and fault.do == "truncated":
            sent = content[: len(content) // 2]
        self._head(reply, len(sent) if fault is not None and fault.honest else len(content))
        if fault is not None and fault.do == "slow":
            self.drip(sent, len(sent) // 10 + 1, fault.seconds / 10)
        else:
            self.wfile.write(sent)
            self.wfile.flush()
        if len(sent) < len(content) and not (fault is not None and fault.honest):
            self.close_connection = True  # the rest of what was promised never comes

    def _spoilt(self, reply: Reply, fault: Fault) -> Reply:
        portal = self.server.stand_in
        match fault.do:
            case "reset" | "lost":
                raise _Cut
            case "silent":
                time.sleep(fault.seconds)
                raise _Cut
            case "status_after":
                return broken(fault, portal)
            case "answer_as":
                return Reply(fault.status, reply.body, reply.headers)
            case "html":
                return Reply(200, b"<html><body>A gateway's page</body></html>", content_type="text/html")
            case "spoil":
                return _strange(reply, fault)
            case "duplicate" | "number_ids" | "null_ids":
                return Reply(reply.status, _odd(reply.body, fault.do), reply.headers)
        return reply

    def _head(self, reply: Reply, length: int) -> None:
        self.send_response_only(reply.status)
        self.send_header("Date", formatdate(self.server.stand_in.clock.now() / 1000, usegmt=True))
        self.send_header("Date", formatdate(self.server.stand_in.clock.now() / 1000, usegmt=True))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(length))
        self.end_headers()


def _bytes(reply: Reply) -> bytes:
    if reply.body is None:
        return b""
    return (
        reply.body
        if isinstance(reply.body, bytes)
        else json.dumps(reply.body, separators=(",", ":")).encode()
    )


def _odd(body: Any, how: str) -> Any:
    """An answer with a row twice, or with ids of another type."""
    if not isinstance(body, dict) or not body.get("results"):
        return body
    rows = list(body["results"])
    if how == "duplicate":
        return {**body, "results": [*rows, rows[0]]}
    odd: list[Any] = []
    for row in rows:
        to = [{**each, "toObjectId": int(each["toObjectId"])} for each in row.get("to", [])]
        if how == "null_ids" and not odd and to:
            to[0]["toObjectId"] = None
        odd.append({**row, "to": to} if "to" in row else row)
    return {**body, "results": odd}


def _strange(reply: Reply, fault: Fault) -> Reply:
    """A good answer that something on the way replaced, or took a part of."""
    if not 200 <= reply.status < 300:
        return reply
    if fault.keys:
        return Reply(reply.status, _without(reply.body, fault), reply.headers)
    if fault.body == "html":
        return Reply(reply.status, b"<html><body>A gateway's page</body></html>", reply.headers, "text/html")
    return Reply(200, b"" if fault.body == "empty" else fault.body.encode(), reply.headers)


def _without(body: Any, fault: Fault) -> Any:
    """The answer without some keys, or with something else under them, wherever they stand."""
    if isinstance(body, list):
        return [_without(each, fault) for each in body]
    if not isinstance(body, dict):
        return body
    other = json.loads(fault.body) if fault.body else None
    changed = {name: other if name in fault.keys else _without(value, fault) for name, value in body.items()}
    return (
        changed if fault.body else {name: value for name, value in changed.items() if name not in fault.keys}
    )


class Running(Served[Portal]):
    """A server that answers."""

    handler = _Handler

    def __init__(self, portal: Portal, port: int = 0) -> None:
        self.portal = portal
        super().__init__(portal, port)


@contextlib.contextmanager
def serving(portal: Portal, port: int = 0) -> Iterator[Running]:
    """Serve a portal from a thread, at ``url``."""
    running = Running(portal, port)
    try:
        yield running
    finally:
        running.stop()
