"""Is a file of the state directory as we left it? Whoever closes one notes its size and times: what still
fits was touched by nobody.

A file that does not fit was damaged, restored, edited, or left by a process that was killed: it is looked at
before it is trusted.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

_LOGS = (".wal", "-wal")  # of DuckDB and of SQLite: where one is left, the file was not closed


def note_closed(path: Path) -> None:
    """Say that the file holds all that was written, and that we let go of it."""
    note, temporary = _note(path), _note(path).with_name(_note(path).name + ".new")
    with suppress(OSError):  # without the note the file is looked at next time
        temporary.write_text(json.dumps(_shape(path)), encoding="utf-8")
        os.replace(temporary, note)


def note_opened(path: Path) -> None:
    """Say that the file is in use: where the process ends before ``note_closed``, it is looked at next time."""
    try:
        os.replace(_note(path), _note_before(path))
    except FileNotFoundError:
        _note_before(path).unlink(missing_ok=True)


def unchanged(path: Path) -> bool:
    """Whether the file is still as it was when it was closed last, though somebody may have it open."""
    return _fits(path, _note_before(path)) or _fits(path, _note(path))


def as_closed(path: Path) -> bool:
    """Whether nobody has touched the file since ``note_closed``.

    The time of the last change of a file cannot be set by anybody.
    """
    if any(path.with_name(path.name + log).exists() for log in _LOGS) or not path.is_file():
        return False
    return _fits(path, _note(path))


def _fits(path: Path, note: Path) -> bool:
    try:
        return bool(json.loads(note.read_text(encoding="utf-8")) == _shape(path))
    except (OSError, ValueError):
        return False


def set_aside(path: Path, kind: str, beside: tuple[str, ...]) -> Path:
    """Rename a file (or whatever stands in its place), and with it those of the same name and these ends;
    returns the new name.
    """
    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    new = next(
        free
        for number in range(1000)
        if not os.path.lexists(
            free := path.with_name(f"{path.name}.{kind}-{moment}" + (f"-{number}" if number else ""))
        )
    )
    for end in ("", *beside):
        with suppress(FileNotFoundError):
            os.rename(path.with_name(path.name + end), new.with_name(new.name + end))
    _note(path).unlink(missing_ok=True)
    return new


def begin_anew(path: Path, why: str, kind: str = "damaged") -> str:
    """Set a mirror aside that cannot be used; returns what a person should know.

    Of ours the last is kept, of other programs all.
    """
    if kind != "foreign":
        remove_set_aside(path, kind)
    new = set_aside(path, kind, (".wal", ".tmp"))
    return f"{path} could not be used ({why}). It is only a cache: it was set aside as {new.name}, and everything is read again"


def remove_set_aside(path: Path, kind: str) -> None:
    """Delete what ``set_aside`` made of this file."""
    for older in path.parent.glob(f"{path.name}.{kind}-*"):
        shutil.rmtree(older) if older.is_dir() and not older.is_symlink() else older.unlink()


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".closed")


def _note_before(path: Path) -> Path:
    return path.with_name(path.name + ".opened")


def _shape(path: Path) -> list[int]:
    state = path.stat()
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]


def stamp_in(path: Path, account: str, name: str) -> str | None:
    """A remembered text of an account in a mirror that nobody has open; None also where it was not left as we
    closed it: whoever reads it next looks at it first. ``name``: a name of ours, which needs no quoting.
    """
    if not as_closed(path):
        return None
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            # without parameters: before it binds the first one, DuckDB imports pandas
            row = connection.execute(
                f"SELECT value FROM \"{account}\".stamps WHERE name = '{name}'"
            ).fetchone()
    except duckdb.Error:
        return None
    return row[0] if row else None
