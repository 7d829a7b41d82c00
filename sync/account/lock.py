"""Who works in a state directory? One command at a time, which holds the lock; others see what it is called and since
when it has worked.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sync.exit_codes import RetryLater
from sync.local_time import local_time
from sync.store import copies

# Commands that change neither mirror nor CRM: whoever comes to change something waits for them.
READING = frozenset({"status", "show", "show_plan", "report", "history", "rejects", "watch"})
_PATIENCE = 30.0  # seconds


@dataclass(frozen=True)
class Holder:
    """The command that holds the lock; ``began``: not known where it has only just taken it."""

    process: str
    command: str = ""
    began: datetime | None = None

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.command in READING

    def __str__(self) -> str:
        named = f"crm-segments {self.command}" if self.command else "another crm-segments command"
        since = f", since {local_time(self.began)}" if self.began else ""
        return f"{named} (process {self.process}{since})"


class Busy(RetryLater):
    """Somebody else holds the lock."""

    def __init__(self, holder: Holder, state_dir: Path) -> None:
        super().__init__(f"{holder} works in {state_dir}; try again when it has finished")
        self.holder = holder


@contextmanager
def lock(state_dir: Path, command: str = "") -> Iterator[None]:
    """Nobody else works in the state directory: Busy where somebody does. Who only reads is waited for.

    The lock belongs to the open file: the kernel lets go of it when the process ends, however it ends.
    """
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(handle, state_dir, patience=0.0 if command in READING else _PATIENCE)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n{command}\n{datetime.now(UTC).isoformat()}\n".encode(), 0)
        copies.remove(state_dir / "mirror.duckdb")  # of a command that was killed
        yield
    finally:
        os.close(handle)


def _take(handle: int, state_dir: Path, patience: float) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(handle)
            if not holder.reads or time.monotonic() >= until:
                raise Busy(holder, state_dir) from None
        time.sleep(0.05)


def _holder(handle: int) -> Holder:
    process, command, began, *_ = [*os.pread(handle, 200, 0).decode(errors="replace").split("\n"), "", "", ""]
    try:
        return Holder(process or "unknown", command, datetime.fromisoformat(began))
    except ValueError:
        return Holder(process or "unknown", command)
