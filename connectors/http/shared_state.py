"""What do all processes of this machine know together of one account? A few numbers in a small file, one
change at a time.

The file holds one line of JSON. It is changed under ``flock``, which the kernel releases when a process dies,
and is written in one piece, so that no death leaves half of it. Its instants are those of the machine's
monotonic clock: the boot is kept with them, and what an earlier boot wrote is void. Where the folder cannot
be written, its disk is full, or a process that somebody stopped holds the lock, the numbers are kept for this
process alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

_LARGEST = 1 << 20  # bytes; a ledger of a thousand calls has about 20,000
# of waiting for the lock, which is held for some 50 microseconds; seconds between them
_TRIES, _PATIENCE = (2_000, 0.001)


class SharedState:
    """The numbers known under ``key`` (an account), in a file in ``folder``; without a folder, in this
    process alone.
    """

    def __init__(self, key: str, folder: Path | None) -> None:
        name = hashlib.sha256(f"{platform.node()}\n{key}".encode()).hexdigest()[:32]
        self._path = folder / f"{name}.json" if folder is not None else None
        self._guard = threading.Lock()  # flock tells open files apart, not threads
        self._file = -1
        self._process = 0
        self._boot = _boot()
        self._known: dict[str, Any] = {"boot": self._boot}

    @property
    def shared(self) -> bool:
        """Whether other processes know of it too, as far as this one can tell."""
        return self._path is not None

    @contextmanager
    def change(self) -> Iterator[dict[str, Any]]:
        """The numbers, to be read and changed in place; nobody else does so meanwhile.

        Costs tens of microseconds.
        """
        with self._guard:
            is_locked = self._lock()
            try:
                if is_locked:
                    self._read()
                yield self._known
                if is_locked:
                    self._write()
            finally:
                if is_locked:
                    fcntl.flock(self._file, fcntl.LOCK_UN)

    def _lock(self) -> bool:
        if self._path is None:
            return False
        for _ in range(_TRIES):
            try:
                if self._process != os.getpid():  # a forked child would share its parent's lock
                    self._file = self._open(self._path)
                    self._process = os.getpid()
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(self._file).st_nlink:
                    return True
                os.close(self._file)  # somebody removed the file: the others use a new one
                self._process = 0
            except BlockingIOError:
                time.sleep(_PATIENCE)
            except OSError:
                break
        self._path = None
        return False

    @staticmethod
    def _open(path: Path) -> int:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _read(self) -> None:
        line = b""
        with suppress(OSError):
            line = os.pread(self._file, _LARGEST, 0).partition(b"\n")[0]
        try:
            stored = orjson.loads(line)
        except orjson.JSONDecodeError:
            stored = None
        self._known = (
            stored if isinstance(stored, dict) and stored.get("boot") == self._boot else {"boot": self._boot}
        )

    def _write(self) -> None:
        line = orjson.dumps(self._known) + b"\n"
        try:
            whole = os.pwrite(self._file, line, 0) == len(line)
        except OSError:
            whole = False
        if not whole:
            self._path = None

    def close(self) -> None:
        """Let go of the file."""
        with self._guard:
            if self._process == os.getpid():
                os.close(self._file)
            self._process = 0


def _boot() -> str:
    """What tells this boot of the machine from others; where the system does not say, all are one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
