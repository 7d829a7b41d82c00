"""One Tryton server: on a free port of loopback, with its database in a folder of its own, ended by its pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from tests.servers.tryton.installed import PASSWORD, Installed
from tests.servers.tryton.people import People

DATABASE = "crm"


class TrytonServer:
    """``start`` may be called again after ``kill``: it has the same port and data."""

    def __init__(self, made: Installed, folder: Path, template: Path | None = None) -> None:
        self.made, self.folder = made, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / f"{DATABASE}.sqlite"
        shutil.copy(template or made.template, self.file)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._config = folder / "trytond.conf"
        self._config.write_text(
            f"[database]\nuri = sqlite://\npath = {folder}\n[web]\nlisten = 127.0.0.1:{self.port}\n"
            "[session]\nmax_age = 86400\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> TrytonServer:
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.kill()

    @property
    def settings(self) -> dict[str, Any]:
        """What an account of it says in the config."""
        return {"api_url": self.url, "database": DATABASE, "user": "admin", "password": PASSWORD}

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [self.made.program("trytond"), "-c", str(self._config), "-d", DATABASE]
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env=kept
            )
        end = time.monotonic() + 60
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def people(self) -> People:
        """Those who work in it."""
        return People(self.url, DATABASE, "admin", PASSWORD)

    def begin_again(self, template: Path) -> None:
        """All that the database holds is what the template holds, while the server runs."""
        with (
            closing(sqlite3.connect(template)) as source,
            closing(sqlite3.connect(self.file, timeout=30)) as target,
        ):
            source.backup(target)

    def save(self, file: Path) -> None:
        """A copy of the database."""
        with closing(sqlite3.connect(self.file)) as source, closing(sqlite3.connect(file)) as target:
            source.backup(target)
