"""How do bytes come and go? A threading HTTP server in a thread, and a handler that can break off."""

from __future__ import annotations

import gzip
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, TypeVar

StandIn = TypeVar("StandIn")  # what is served: a portal, an org


class Handler(BaseHTTPRequestHandler):
    """One connection. A stand-in adds what is done with a call."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 18
    disable_nagle_algorithm = True
    server: _Http

    def handle_one_request(self) -> None:
        with suppress(ConnectionError):
            super().handle_one_request()

    def body(self) -> bytes:
        """The body of the call, in one piece and unpacked."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(parts)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def drip(self, content: bytes, size: int, pause: float) -> None:
        """Send so many bytes at a time."""
        for start in range(0, len(content), size):
            self.wfile.write(content[start : start + size])
            self.wfile.flush()
            time.sleep(pause)

    def reset(self) -> None:
        """Close with a reset, not with an orderly end."""
        self.close_connection = True
        with suppress(OSError):
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: a stand-in keeps a log of its own."""


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[Handler], stand_in: Any) -> None:
        self.stand_in = stand_in
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may go away; anything else is a fault of ours and is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Served(Generic[StandIn]):
    """A running server: ``url`` is where."""

    handler: type[Handler]

    def __init__(self, stand_in: StandIn, port: int = 0) -> None:
        self._http = _Http(("127.0.0.1", port), self.handler, stand_in)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def wait(self) -> None:
        """Until the process is told to end."""
        self._thread.join()
