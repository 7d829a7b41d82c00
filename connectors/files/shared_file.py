"""How is a file that we share with people read, watched and replaced?"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from connectors.errors import AccessError, TemporaryError
from connectors.files.csv_editor import Sheet, parsed
from connectors.files.utf8_file import Stamp, stamp_of

_TRIES = 3
_GLIMPSE = 1 << 16
T = TypeVar("T")


def temporary(path: Path) -> Path:
    """Where the next version of a file is written before it takes its place."""
    return path.with_name(f".{path.name}.crm-segments.tmp")


def load(path: Path, delimiter: str) -> tuple[Sheet | None, Stamp]:
    """The sheet in a file and its stamp; no sheet where there is no file, or nothing in it."""
    if not path.exists():
        return None, ()
    stamp = stamp_of(path)
    try:
        text = path.read_bytes()
    except OSError as error:
        raise AccessError(f"{path} cannot be read: {error.strerror}") from error
    return (parsed(path.name, text, delimiter) if text.strip() else None), stamp


def glimpse(path: Path, delimiter: str) -> Sheet | None:
    """The header of a file and some rows, however long it is; None where there is no file, or nothing in it."""
    if not path.exists():
        return None
    try:
        with path.open("rb") as file:
            text = file.read(_GLIMPSE)
    except OSError as error:
        raise AccessError(f"{path} cannot be read: {error.strerror}") from error
    if len(text) == _GLIMPSE:
        text = text[: text.rfind(b"\n") + 1] or path.read_bytes()
    return parsed(path.name, text, delimiter) if text.strip() else None


class Trail:
    """Stamps of each file before our first and behind our last write, where nobody else wrote in between."""

    def __init__(self) -> None:
        self._ends: dict[Path, tuple[Stamp | None, Stamp]] = {}

    def wrote(self, path: Path, before: Stamp) -> None:
        """Note a write of ours to a file that had the stamp ``before``."""
        first, last = self._ends.get(path, (before, before))
        self._ends[path] = (first if tuple(last) == tuple(before) else None, stamp_of(path))

    def end(self, path: Path, begin: Stamp) -> Stamp | None:
        """The stamp of a file that only we have changed since it had the stamp ``begin``; None otherwise."""
        first, last = self._ends.get(path, (None, ()))
        return (
            last
            if first is not None and tuple(first) == tuple(begin) and tuple(stamp_of(path)) == tuple(last)
            else None
        )


def change(
    path: Path,
    delimiter: str,
    edit: Callable[[Sheet | None], tuple[bytes | None, T]],
    trail: Trail | None = None,
) -> T:
    """Read a file, edit it and put it back at once; tried again where a person saves it meanwhile.

    ``edit`` answers with the new bytes, or None to leave the file alone.
    """
    clean(path)
    for _ in range(_TRIES):
        sheet, stamp = load(path, delimiter)
        text, answer = edit(sheet)
        if text is None or (sheet is not None and text == sheet.text):
            return answer
        if replace(path, text, stamp):
            if trail is not None:
                trail.wrote(path, stamp)
            return answer
    raise TemporaryError(
        f"{path} was saved by somebody else at the same time, {_TRIES} times: close it and run again", 10
    )


def replace(path: Path, text: bytes, stamp: Stamp) -> bool:
    """Put a new version in the place of a file that still has the stamp; False where it has another.

    Durable once it returns.
    """
    path = Path(os.path.realpath(path))
    draft = temporary(path)
    try:
        # a new version of a file that only its owner may read is at no moment for others
        mode = 0o600 if path.exists() else 0o666
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            draft.chmod(path.stat().st_mode & 0o777)
        if (tuple(stamp_of(path)) if path.exists() else ()) != tuple(stamp):
            draft.unlink()
            return False
        os.replace(draft, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise AccessError(
            f"{path} cannot be written: {error.strerror}: allow this user to write it, or make room"
        ) from error
    return True


def make_private(path: Path) -> None:
    """From now on only its owner reads it."""
    try:
        if path.exists():
            path.chmod(0o600)
    except OSError as error:
        raise AccessError(f"{path} cannot be made private: {error.strerror}: make us its owner") from error


def clean(path: Path) -> None:
    """Remove what a process that was killed while writing left behind."""
    with suppress(OSError):
        temporary(Path(os.path.realpath(path))).unlink()


def rows_of(sheet: Sheet) -> pa.Array:
    """Line numbers of a sheet's rows."""
    import numpy as np

    breaks = np.flatnonzero(np.frombuffer(sheet.text, np.uint8) == 10)
    return pa.array(np.searchsorted(breaks, sheet.starts[:, 0]) + 1)
