"""What does a command cost? CPU seconds of all its processes, wall time, and the peak of their summed memory."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Cost:
    """Of one command: seconds, and bytes of resident memory summed over its processes (sampled every 50 ms)."""

    cpu: float
    wall: float
    peak: int
    code: int
    output: str

    def __str__(self) -> str:
        return f"{self.cpu:8.1f} CPU-s {self.wall:8.1f} s {self.peak / 1e9:6.2f} GB   exit {self.code}"


def ours(*arguments: str) -> list[str]:
    """The command line of a verb of crm-segments, of this checkout."""
    return [sys.executable, "-m", "sync", *arguments]


def start(command: Sequence[str], stdout: int | None = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start a command as the leader of its own session, so that all its processes can be found and killed."""
    return subprocess.Popen(
        command, cwd=ROOT, stdout=stdout, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def measure(command: Sequence[str]) -> Cost:
    """Run a command to its end."""
    begun = time.monotonic()
    process = start(command)
    peaks = [0]
    sampler = threading.Thread(target=_sample, args=(process.pid, peaks), daemon=True)
    sampler.start()
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    sampler.join()
    return Cost(
        usage.ru_utime + usage.ru_stime, time.monotonic() - begun, peaks[0], process.returncode, output
    )


def _sample(session: int, peaks: list[int]) -> None:
    while pages := _resident(session):
        peaks[0] = max(peaks[0], pages * _PAGE)
        time.sleep(0.05)


def _resident(session: int) -> int:
    """Resident pages of all live processes of a session."""
    pages = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if int(fields[3]) == session and fields[0] != "Z":
                    pages += int(fields[21])
    return pages
