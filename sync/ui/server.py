"""How is the web interface served? On loopback, on a free port unless one is named, until Ctrl-C."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from sync.config.config import load
from sync.ui.app import application
from sync.ui.security import ENTRANCE, Door


def serve(config: Path, port: int, ready: Callable[[str, str], None]) -> None:
    """Serve until somebody ends it. ``ready`` is told the address with its token, and for whom it works."""
    settings = load(config).ui
    with socket.create_server(("127.0.0.1", port)) as listener:
        own = listener.getsockname()[1]
        door = Door.on(own, settings.origin, settings.user_header)
        address = settings.origin or f"http://127.0.0.1:{own}"
        server = uvicorn.Server(
            uvicorn.Config(
                application(config, door),
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
            )
        )
        works = (
            "The address works once"
            if settings.user_header is None
            else "Each person whom the proxy names comes in by this address, and has a session of their own"
        )
        ready(f"{address}{ENTRANCE}?token={door.keys.token}", works)
        server.run(sockets=[listener])
