"""A server on loopback that does as it is told: it counts calls on its own clock, and misbehaves by script."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Fault = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Answers every request with JSON, in ``latency`` seconds; refuses by 429 what is more than ``limit`` in
    any ``window`` seconds.

    The next requests meet the faults in ``script``, one each; a None among them goes well.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, latency: float = 0.0, limit: int | None = None, window: float = 1.0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.latency, self.limit, self.window = latency, limit, window
        self.script: deque[Fault | None] = deque()
        self.guard = threading.Lock()
        # when, path, headers, body: of every request
        self.seen: list[tuple[float, str, dict[str, str], bytes]] = []
        self.done: list[bytes] = []  # bodies of the requests that had an effect
        self.refused = 0
        self.tokens: dict[str, float] | None = None  # text → until when it works; None: any
        self.logins = 0
        self._window: deque[float] = deque()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def arrive(self, path: str, headers: dict[str, str], body: bytes) -> tuple[bool, Fault | None]:
        """Whether the limit has room, and the fault that this request is to meet."""
        with self.guard:
            now = time.monotonic()
            self.seen.append((now, path, headers, body))
            while self._window and self._window[0] <= now - self.window:
                self._window.popleft()
            fault = self.script.popleft() if self.script else None
            if self.limit is not None and len(self._window) >= self.limit:
                self.refused += 1
                return False, fault
            self._window.append(now)
            return True, fault

    def new_token(self, life: float) -> str:
        with self.guard:
            self.logins += 1
            text = f"token-{self.logins}"
            self.tokens = {**(self.tokens or {}), text: time.monotonic() + life}
            return text

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that went away are no news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        room, fault = self.server.arrive(self.path, dict(self.headers), self.body)
        time.sleep(self.server.latency)
        tokens = self.server.tokens
        if (
            tokens is not None
            and tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "), 0)
            < time.monotonic()
        ):
            self.answer(401, b'{"message": "expired"}')
        elif not room:
            self.answer(429, b'{"policyName": "TEN_SECONDLY_ROLLING"}')
        elif fault is not None:
            fault(self)
        else:
            self.take_effect()
            self.answer(200, json.dumps({"path": self.path}).encode())

    do_POST = do_GET  # noqa: N815

    def take_effect(self) -> None:
        with self.server.guard:
            self.server.done.append(self.body)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(body)),
            "Content-Type": "application/json",
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def reset(self) -> None:
        """Cut the connection as a crashing proxy does."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


def status(code: int, body: bytes = b"{}", **headers: str) -> Fault:
    return lambda handler: handler.answer(
        code, body, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def reset_before(handler: Handler) -> None:
    handler.reset()


def reset_after(handler: Handler) -> None:
    """The write took place; its answer is lost."""
    handler.take_effect()
    handler.reset()


def late(seconds: float, taking_effect: bool = False) -> Fault:
    """Headers at once, half the body after so many seconds."""

    def fault(handler: Handler) -> None:
        if taking_effect:
            handler.take_effect()
        handler.send_response(200)
        handler.send_header("Content-Length", "20")
        handler.end_headers()
        handler.wfile.write(b'{"slow": ')
        handler.wfile.flush()
        time.sleep(seconds)
        handler.reset()

    return fault


def dripping(handler: Handler) -> None:
    """A byte now and then, so that no single wait is long."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def cut(handler: Handler) -> None:
    """Fewer bytes than promised."""
    handler.answer(200, b'{"results": [1, 2', {"Content-Length": "400"})
    handler.reset()


def cut_gzip(handler: Handler) -> None:
    """All bytes that were promised, but the compressed text has no end: urllib3 takes it for whole."""
    whole = gzip.compress(b"id,name\n" + b"1,a\n" * 5000)
    handler.answer(200, whole[:-12], {"Content-Encoding": "gzip"})


def page_of_a_proxy(handler: Handler) -> None:
    """HTML in a code of its own, as gateways send it."""
    handler.answer(
        502,
        "<html>Zeitüberschreitung ü é</html>".encode("latin-1"),
        {"Content-Type": "text/html; charset=iso-8859-1"},
    )
