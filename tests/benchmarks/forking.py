"""A command in a copy of this process: how it ended, and what it printed."""

from __future__ import annotations

import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

CODES = (0, 1, 2, 4, 5, 75)  # what the manual says that these commands end with
_PATIENCE = 300  # seconds of a command: what takes longer hangs


@dataclass
class Verdict:
    """What came of a trial: ``problem`` is empty where all is well; ``ends`` counts command and exit code."""

    problem: str = ""
    ends: list[str] = field(default_factory=list)


def forked(work: Callable[[], int], printed: Path) -> tuple[int, str]:
    """Exit code (negative: a signal) and everything that was printed, in a copy of this process."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.alarm(_PATIENCE)
            with unheard(printed):
                try:
                    code = work()
                except BaseException:
                    traceback.print_exc()
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    text = printed.read_text(encoding="utf-8", errors="replace") if printed.exists() else ""
    return os.waitstatus_to_exitcode(status), text


@contextmanager
def unheard(printed: Path) -> Iterator[None]:
    """Standard output and errors go to a file; nobody sits at the keyboard."""
    kept = [os.dup(number) for number in (0, 1, 2)]
    with printed.open("wb", buffering=0) as file, open(os.devnull, "rb") as nothing:
        for number, target in ((0, nothing), (1, file), (2, file)):
            os.dup2(target.fileno(), number)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in enumerate(kept):
                os.dup2(copy, number)
                os.close(copy)


def misbehaved(code: int, printed: str) -> str:
    """Whether a command ended as none may."""
    if code < 0:
        return "hung" if code == -signal.SIGALRM else f"signal {-code}"
    if "Traceback (most recent" in printed:
        return "traceback"
    return "" if code in CODES else "exit code"
