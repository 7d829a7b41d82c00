"""What happens when a person presses Ctrl-C, or a scheduler stops us: one sentence, and the process ends at
once.

Every step of ours may be cut off at any moment (``kill -9`` leaves a sound state, and the next run goes on
from there), so there is nothing to wait for: no query of DuckDB, no thread, no call. Exit codes: 130 after
Ctrl-C, 143 after SIGTERM.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

_WHY = {signal.SIGINT: "interrupted", signal.SIGTERM: "stopped by a signal of the system"}
_AFTER = "what was done is saved, and the next run goes on from there"
_SHOW_CURSOR = b"\x1b[?25h"  # a progress bar may have hidden it

as_json = False  # whether the command was asked for JSON
_ending = threading.Lock()


def listen() -> None:
    """End the process at once from now on, whatever it does.

    A signal that is ignored (``nohup``) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    heard = [
        number for number in _WHY if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)
    ]
    if not heard:
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_wait, args=(reading,), daemon=True).start()
    for number in heard:
        signal.signal(number, _heard)


def stop_listening() -> None:
    """The command is done, and its exit code stands: what comes while Python tidies up changes neither."""
    for number in _WHY:
        if signal.getsignal(number) is _heard:
            signal.signal(number, signal.SIG_IGN)


def _wait(reading: int) -> None:
    """The main thread handles signals between two steps of Python only: long steps are ended from here."""
    while True:
        for number in os.read(reading, 64):
            if number in _WHY:
                end(number)


def _heard(number: int, _frame: Any) -> None:
    end(number)


def end(number: int) -> None:
    """Say why, and be gone."""
    if not _ending.acquire(blocking=False):  # the other thread is about to
        threading.Event().wait()
    code = 128 + number
    sentence = f"{_WHY[signal.Signals(number)]}; {_AFTER}"
    try:
        if sys.stderr is not None and os.isatty(2):
            os.write(2, _SHOW_CURSOR + b"\n")
        if as_json:
            os.write(1, json.dumps({"exit_code": code, "error": sentence, "guards": []}).encode() + b"\n")
        else:
            os.write(2, f"crm-segments: {sentence}\n".encode())
    except OSError:
        pass
    finally:
        os._exit(code)


def is_program() -> bool:
    """Whether this process is the command, and not a program that uses the library."""
    name = Path(sys.argv[0]).name if sys.argv else ""
    return name in ("crm-segments", "crm-segments.exe", "__main__.py") or sys.orig_argv[1:3] == ["-m", "sync"]


if is_program():  # before all that takes time to import
    listen()
