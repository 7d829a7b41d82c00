"""What can others read of the mirror while a command works on it? DuckDB lets no second process open a file beside
one that writes.

Until the command changes its first row, the file itself is as it was: a reader takes a copy of its own. Before it
does, and again when it has labelled, the command publishes a copy beside the file; readers open that. Copies share
their blocks with the file where the file system can do that. One that is published is gone when the command is over,
when a person is forgotten, and, after a crash, before the next command begins; a reader's own is gone from the folder
before it is read.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from sync.store.soundness import unchanged

_FICLONE = 0x40049409  # Linux: share the blocks of another file
_PART, _SMALL_PART = 1 << 30, 1 << 20  # bytes of one call that copies


class Publisher:
    """The side of the command that works on a mirror: ``path`` is its file, open in DuckDB."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Kept open as long as DuckDB has the file: to close any handle on a file lets go of DuckDB's lock on it.
        self._handle = os.open(path, os.O_RDONLY)
        self._changing = False

    def before_a_change(self) -> None:
        """Publish the file as it was left: from now on it changes."""
        if not self._changing:
            self._changing = True
            self._publish()

    def stage_ended(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Publish what the command has come to, where it has changed something."""
        if not self._changing:
            return
        try:
            connection.execute("CHECKPOINT")
        except duckdb.Error:  # somebody reads a result still: the older copy stays true of its time
            return
        self._publish()

    def _publish(self) -> None:
        """Where there is no room for a copy, readers have to wait."""
        new = self._path.with_name(f"{_of(self._path).name}.new")
        try:
            _copy(self._handle, new)
            moment = os.fstat(self._handle).st_mtime_ns
            os.utime(new, ns=(moment, moment))
            os.replace(new, _of(self._path))
        except OSError:
            new.unlink(missing_ok=True)

    def close(self) -> None:
        """The mirror is closed: whoever reads next reads that."""
        remove(self._path)
        os.close(self._handle)


def remove(path: Path) -> None:
    """Delete every copy of a mirror that is or was for readers."""
    for copy in path.parent.glob(f"{_of(path).name}*"):
        with suppress(FileNotFoundError):
            shutil.rmtree(copy) if copy.is_dir() else copy.unlink()


def connect(path: Path, memory_limit: str) -> tuple[duckdb.DuckDBPyConnection, datetime] | None:
    """What can be read of a mirror that a command works on, and of when it is; None: nothing yet."""
    published = _of(path)
    with suppress(duckdb.IOException, FileNotFoundError):
        moment = published.stat().st_mtime
        return _read_only(published, memory_limit), datetime.fromtimestamp(moment, UTC)
    own = published.with_name(f"{published.name}.of-{os.getpid()}")
    try:
        if not unchanged(path):
            return None
        moment, handle = path.stat().st_mtime, os.open(path, os.O_RDONLY)
        try:
            _copy(handle, own)
        finally:
            os.close(handle)
        return (
            (_read_only(own, memory_limit), datetime.fromtimestamp(moment, UTC)) if unchanged(path) else None
        )
    except (OSError, duckdb.IOException):  # no room, or it is gone already
        return None
    finally:
        own.unlink(missing_ok=True)


def _of(path: Path) -> Path:
    return path.with_name("mirror.snapshot.duckdb")


def _read_only(copy: Path, memory_limit: str) -> duckdb.DuckDBPyConnection:
    spilled = copy.with_name(f"{_of(copy).name}.tmp-{os.getpid()}")
    return duckdb.connect(
        str(copy),
        read_only=True,
        config={
            "memory_limit": memory_limit,
            "autoinstall_known_extensions": "false",
            "temp_directory": str(spilled),
        },
    )


def _copy(source: int, target: Path) -> None:
    """Copy an open file; where the file system can, its blocks are shared until one of the two changes."""
    copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with suppress(OSError):
            fcntl.ioctl(copy, _FICLONE, source)
            return
        _copy_bytes(source, copy)
    except OSError:
        target.unlink(missing_ok=True)
        raise
    finally:
        os.close(copy)


def _copy_bytes(source: int, copy: int) -> None:
    size, done = os.fstat(source).st_size, 0
    while done < size:
        copied = _copy_part(source, copy, done)
        if not copied:
            raise OSError("the file became shorter while it was copied")
        done += copied


def _copy_part(source: int, copy: int, done: int) -> int:
    if hasattr(os, "copy_file_range"):
        with suppress(OSError):  # not on every file system
            return os.copy_file_range(source, copy, _PART, done, done)
    return os.pwrite(copy, os.pread(source, _SMALL_PART, done), done)
