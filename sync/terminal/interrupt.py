"""What happens when a person presses Ctrl-C, or a scheduler stops us: one sentence, and the process ends at
once.

Every step of ours may be cut off at any moment (``kill -9`` leaves a sound state, and the next run goes on
from there), so there is nothing to wait for: no query of DuckDB, no thread, no call. Exit codes: 130 after
Ctrl-C, 143 after SIGTERM.
"""

from __future__ import annotations

# Few and light: until this is imported, Ctrl-C is a traceback of Python's.
import _thread
import os
import signal
import sys
from time import sleep

_WHY = {signal.SIGINT: "Stopped.", signal.SIGTERM: "Stopped by a signal of the system."}
_AFTER = "Finished work is saved; run again to continue."
SENTENCE = f"{_WHY[signal.SIGINT]} {_AFTER}"
_SHOW_CURSOR = b"\x1b[?25h"  # a progress bar may have hidden it


def nothing() -> None:
    """Nothing is to be put back before the end."""


before_end = nothing  # puts a terminal back that hides what is typed
after = _AFTER  # what is true afterwards
as_json = False  # whether the command was asked for JSON
_ending = _thread.allocate_lock()


def listen() -> None:
    """End the process at once from now on, whatever it does.

    A signal that is ignored (``nohup``) stays ignored.
    """
    heard = [
        number for number in _WHY if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)
    ]
    if not heard:
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    except ValueError:  # not the main thread: signals are not ours to hear
        os.close(reading)
        os.close(writing)
        return
    _thread.start_new_thread(_wait, (reading,))
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


def _heard(number: int, _frame: object) -> None:
    end(number)


def end(number: int) -> None:
    """Say why, and be gone."""
    if not _ending.acquire(blocking=False):  # the other thread is about to
        sleep(60)
    code = 128 + number
    sentence = f"{_WHY[signal.Signals(number)]} {after}"
    try:
        before_end()
        if sys.stderr is not None and os.isatty(2):
            os.write(2, _SHOW_CURSOR + b"\n")
        if as_json:
            os.write(1, f'{{"exit_code": {code}, "error": "{sentence}", "guards": []}}\n'.encode())
        else:
            os.write(2, f"{sentence}\n".encode())
    except Exception:  # whatever it is, the end comes now
        pass
    finally:
        os._exit(code)


def is_program() -> bool:
    """Whether this process is the command, and not a program that uses the library."""
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    return name in ("crm-segments", "crm-segments.exe", "__main__.py") or sys.orig_argv[1:3] == ["-m", "sync"]


if is_program():  # before all that takes time to import
    listen()
