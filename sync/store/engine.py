"""What does an error of DuckDB mean: is the mirror's file no longer sound, or is there no room, no memory,
another program?

An error that a new file may heal is raised as ``MirrorFault``: the mirror is set aside, read again, and the
command begins again.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sync.exit_codes import CommandError, RetryLater
from sync.store import probe

_TIMEOUT = 600  # seconds: a file that takes longer to open is as bad as a damaged one
_QUOTABLE = {
    "IOException",
    "FatalException",
    "InternalException",
    "SerializationException",
    "BinderException",
    "CatalogException",
}
_IN_USE = ("could not set lock", "conflicting lock")
_NO_ROOM = ("no space left", "disk quota", "out of disk", "too many open files", "max_temp_directory_size")


class MirrorFault(Exception):
    """The mirror's file cannot be used, and a new one may: says why, without a word of what is in it."""


def is_engine_error(error: BaseException) -> bool:
    """Is it an error of DuckDB?

    Asked without importing it, because most commands that end early do not need it.
    """
    return any(kind.__module__ == "_duckdb" and kind.__name__ == "Error" for kind in type(error).__mro__)


def is_interrupt(error: BaseException) -> bool:
    """Is it a Ctrl-C that came while DuckDB was at work?

    DuckDB wraps it in an error of its own, or in a RuntimeError.
    """
    return isinstance(error.__cause__, KeyboardInterrupt) or type(error).__name__ == "InterruptException"


def judge(error: BaseException, path: Path) -> MirrorFault:
    """What an error of DuckDB is in our words. RetryLater and CommandError where a new file would not help."""
    return judge_text(type(error).__name__, str(error), path)


def judge_text(kind: str, text: str, path: Path) -> MirrorFault:
    """The same by the error's name and words."""
    lowered = text.lower()
    if any(word in lowered for word in _IN_USE):
        raise RetryLater(f"another program has {path} open; run again when it has closed it")
    if kind == "OutOfMemoryException":
        raise CommandError(
            "DuckDB needs more memory than it may have: raise memory_limit in the config. Finished work is saved."
        )
    if any(word in lowered for word in _NO_ROOM):
        raise CommandError(
            f"there is no room to work in {path.parent}: {_first_line(text)}. Make room, then run again; finished work is saved."
        )
    return MirrorFault(_first_line(text) if kind in _QUOTABLE else f"DuckDB ended with {kind}")


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0][:300].rstrip(".")


def look_at(path: Path, memory_limit: str) -> tuple[str, str]:
    """("", "") where a mirror of ours can be opened; else what it is, ``damaged`` or ``foreign``, and why."""
    if not path.exists():
        return "damaged", "only its log is left"
    if not path.is_file():
        return "damaged", "it is not a file"
    code, answer = asked(path, memory_limit)
    if code is None:
        return "damaged", "it cannot be opened in reasonable time"
    if code == 0:
        return "", ""
    if code == probe.FOREIGN:
        return "foreign", "it is another program's"
    kind, _, text = answer.partition("\n")
    if code == probe.REFUSED:
        return "damaged", str(judge_text(kind, text, path))
    return "damaged", "DuckDB breaks down when it opens it"


def asked(path: Path, memory_limit: str) -> tuple[int | None, str]:
    """Exit code and answer of ``sync.store.probe`` in a process of its own; None where it takes too long."""
    words = [sys.executable, "-P", str(Path(probe.__file__)), str(path), memory_limit]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            process.wait(_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            return None, ""
        answer = process.stdout.read().decode(errors="replace") if process.stdout else ""
    return process.returncode, answer
