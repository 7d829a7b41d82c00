"""Real database servers on loopback: PostgreSQL and MariaDB, each as a user without rights, on a free port, with
its data in a folder of its own. With CI=true a machine without them fails; elsewhere the test is skipped.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from glob import glob
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.servers.certificates import Certificate

_PACKAGES = {"postgres": "postgresql", "mariadbd": "mariadb-server"}
_DRIVERS = {"postgres": "adbc_driver_postgresql", "mariadbd": "pymysql"}
_NUMBERS = count(1)
PASSWORD = "p@ss: 'w/ord%"


class DatabaseServer(ABC):
    """One server. ``start`` may be called again after ``kill``: it has the same port and data."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="crm-segments-db-", dir="/tmp"))
        self.port = _free_port()
        self._user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        shutil.chown(self.folder, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        self._further: tuple[str, ...] = ()

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def run(self, *statements: str, database: str = "") -> None:
        """Statements of the administrator, each committed."""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            [*self._command(), *self._further],
            stdout=log,
            stderr=log,
            start_new_session=True,
            **self._as_user(),
        )
        log.close()
        end = time.monotonic() + 60
        while True:
            try:
                self.run("SELECT 1")
                return
            except Exception:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.05)

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def restart(self, *options: str) -> None:
        """Crash, and start with further options of the command line, which hold until the next restart."""
        self.kill()
        self._further = options
        self.start()

    def restart_with_tls(self, certificate: Certificate) -> None:
        """Restart as a server that speaks TLS to whoever asks for it."""
        for name, content in (("server.crt", certificate.certificate), ("server.key", certificate.key)):
            (self.folder / name).write_bytes(content)
            (self.folder / name).chmod(0o600)
            shutil.chown(self.folder / name, self._user)
        self.restart(*self._tls_options(self.folder / "server.crt", self.folder / "server.key"))

    @abstractmethod
    def _tls_options(self, certificate: Path, key: Path) -> list[str]: ...

    def kill(self) -> None:
        """End it as a crash does, with its processes that have groups of their own."""
        children = _children_of(self._process.pid) if self._process is not None else []
        self._end(signal.SIGKILL, os.killpg)
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End it, and remove its data."""
        self._end(signal.SIGQUIT, os.kill)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, with_signal: signal.Signals, send: Callable[[int, int], None]) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                send(self._process.pid, with_signal)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def _as_user(self) -> dict[str, Any]:
        return {"user": self._user, "cwd": self.folder} if os.getuid() == 0 else {"cwd": self.folder}

    def _prepare(self, command: Sequence[str]) -> None:
        subprocess.run(command, check=True, capture_output=True, **self._as_user())

    def another(self) -> str:
        """The name of a database that is not there yet."""
        return f"db{os.getpid()}_{next(_NUMBERS)}"


class PostgresServer(DatabaseServer):
    def __init__(self) -> None:
        self._binaries = _folder_of("postgres", sorted(glob("/usr/lib/postgresql/*/bin"), reverse=True))
        super().__init__()
        options = ["-U", "admin", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._prepare([f"{self._binaries}/initdb", "-D", str(self.folder / "data"), *options])
        access = "host all admin 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (self.folder / "data" / "pg_hba.conf").write_text(access)

    def _command(self) -> list[str]:
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
            "shared_buffers": "16MB", "max_wal_size": "64MB", "autovacuum": "off",
        }  # fmt: skip
        options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        return [f"{self._binaries}/postgres", "-D", str(self.folder / "data"), *options]

    def _tls_options(self, certificate: Path, key: Path) -> list[str]:
        settings = {"ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": key}
        return [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]

    def run(self, *statements: str, database: str = "postgres") -> None:
        import adbc_driver_postgresql.dbapi as dbapi

        where = (
            f"host=127.0.0.1 port={self.port} user=admin dbname={database or 'postgres'} connect_timeout=5"
        )
        with dbapi.connect(where, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def copy_of(self, template: str) -> str:
        """A database like another one."""
        name = self.another()
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name


class MariaServer(DatabaseServer):
    def __init__(self) -> None:
        self._binary = f"{_folder_of('mariadbd', ['/usr/sbin', '/usr/libexec', '/usr/bin'])}/mariadbd"
        super().__init__()
        self._prepare(
            [
                "mariadb-install-db", "--no-defaults", f"--datadir={self.folder / 'data'}", "--skip-test-db",
                "--auth-root-authentication-method=normal", "--innodb-log-file-size=4M",
            ]
        )  # fmt: skip

    def _command(self) -> list[str]:
        return [
            self._binary, "--no-defaults", f"--datadir={self.folder / 'data'}", f"--port={self.port}",
            "--bind-address=127.0.0.1", f"--socket={self.folder / 'socket'}", f"--pid-file={self.folder / 'pid'}",
            "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0",
            "--skip-name-resolve", "--skip-log-bin", "--performance-schema=off",
        ]  # fmt: skip

    def _tls_options(self, certificate: Path, key: Path) -> list[str]:
        return [f"--ssl-cert={certificate}", f"--ssl-key={key}"]

    def run(self, *statements: str, database: str = "") -> None:
        import pymysql

        with pymysql.connect(
            unix_socket=str(self.folder / "socket"),
            user="root",
            database=database or None,
            autocommit=True,
            charset="utf8mb4",
        ) as connection:
            for statement in statements:
                with connection.cursor() as cursor:
                    cursor.execute(statement)


def _folder_of(program: str, folders: Sequence[str]) -> str:
    """The folder of a server's program. Without it, or without our driver, the test is skipped, or fails in CI."""
    if find_spec(_DRIVERS[program]) is None:
        _absent(f"{_DRIVERS[program]} is not installed: pip install '.[test]'")
    there = [folder for folder in folders if Path(folder, program).exists()]
    if not there:
        _absent(f"{program} is not installed: apt-get install {_PACKAGES[program]}")
    return there[0]


def _absent(what: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def _children_of(pid: int) -> list[int]:
    """Where /proc tells them: PostgreSQL's would live on until they see that their parent is gone."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(text) for text in listed.read_text().split()] if listed.exists() else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


_RUNNING: dict[type[DatabaseServer], DatabaseServer] = {}


def running(kind: Callable[[], DatabaseServer] | type[DatabaseServer]) -> Any:
    """The server of this process, started when it is first asked for; ``stop_all`` ends it."""
    assert isinstance(kind, type)
    if kind not in _RUNNING:
        _RUNNING[kind] = kind()
    if not _RUNNING[kind].running:  # a test may have left it dead
        _RUNNING[kind].start()
    return _RUNNING[kind]


def stop_all() -> None:
    """End the servers of this process."""
    while _RUNNING:
        _RUNNING.popitem()[1].stop()
