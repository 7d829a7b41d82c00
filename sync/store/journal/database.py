"""How is the journal's file opened, checked, written and closed? It is one SQLite file, seen by ``sync.store``
alone; everybody else goes through the repositories of ``Journal``.
"""

from __future__ import annotations

import os
import pwd
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sync.store import integrity, migrations
from sync.store.soundness import as_closed, note_closed

_BIG = 64_000_000  # bytes: the copying of so much is felt


def backup_of(path: Path) -> Path:
    """Where the copy of a journal is kept."""
    return path.with_name("journal.backup.sqlite")


class Database:
    """The SQLite file of a state directory. Every method that writes has committed when it returns.

    ``beside``: another process works with the file, and looks after it.
    """

    def __init__(self, path: Path, beside: bool = False) -> None:
        self.path = path
        self._sound = True  # nothing that was read of it says otherwise
        self._beside = beside
        new, touched = not path.exists(), not beside and not as_closed(path)
        if not new and not (path.is_file() and path.stat().st_size):
            raise integrity.JournalDamaged("it is empty" if path.is_file() else "it is not a file")
        self.connection = sqlite3.connect(path, isolation_level=None)
        try:
            self._begin(new, touched)
        except BaseException:
            self.connection.close()
            raise

    def _begin(self, new: bool, touched: bool) -> None:
        self.connection.row_factory = sqlite3.Row
        version = migrations.version_of(self.connection)
        if not new and integrity.shape_of(self.connection) != migrations.shape_of_version(version):
            raise integrity.JournalDamaged("it is damaged, or not a journal of crm-segments")
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "secure_delete = ON",
            "busy_timeout = 10000",
        ):
            self.connection.execute(f"PRAGMA {pragma}")
        if new:
            os.chmod(self.path, 0o600)
        if self._beside:
            if version < len(migrations.MIGRATIONS):
                raise integrity.JournalDamaged("it is just being brought up to this version")
            return
        if touched and version >= migrations.SIGNED:
            self.look_through()  # before a migration, which would vouch for what it rewrites
        if version < len(migrations.MIGRATIONS):
            with self.transaction():
                migrations.migrate(self.connection)
        if touched and 0 < version < migrations.SIGNED:
            self.look_through()

    def look_through(self) -> None:
        """JournalDamaged or an error of SQLite where something in it is not what was written.

        Until it has been read to its end once, it does not count as sound.
        """
        self._sound = False
        integrity.check(
            self.connection,
            [name for name, kind, _ in integrity.shape_of(self.connection) if kind == "table"],
        )
        self._sound = True

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; nests by joining the outer one."""
        if self.connection.in_transaction:
            yield self.connection
            return
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            with suppress(
                sqlite3.Error
            ):  # the first error tells; an open transaction ends with the connection
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows as dictionaries."""
        return [dict(row) for row in self.connection.execute(sql, parameters)]

    def value(self, sql: str, *parameters: Any) -> Any:
        """First column of the first row, or None."""
        row = self.connection.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    def execute(self, sql: str, *parameters: Any) -> int:
        """Write; returns the last row number."""
        with self.transaction() as connection:
            return int(connection.execute(sql, parameters).lastrowid or 0)

    def close(self) -> None:
        """Seal what was written, and let go of the file.

        Where that fails, the next one to open it looks at all of it.
        """
        with suppress(sqlite3.Error, integrity.JournalDamaged):
            if self._sound and not self._beside and not self.connection.in_transaction:
                with self.transaction():
                    integrity.seal(self.connection)
                self.connection.close()
                note_closed(self.path)
        self.connection.close()

    def back_up(self, at_once: bool = False) -> None:
        """Keep a copy beside the journal: of a big one once a day, unless ``at_once``.

        The older one stays where there is no room, and where the journal is damaged.
        """
        copy = backup_of(self.path)
        if not self._sound or (
            not at_once
            and copy.exists()
            and self.path.stat().st_size > _BIG
            and time.time() - copy.stat().st_mtime < 86_400
        ):
            return
        with suppress(sqlite3.Error, OSError, integrity.JournalDamaged):
            with self.transaction():
                integrity.seal(self.connection)
            integrity.copy_soundly(self.connection, copy)

    def rewrite(self) -> None:
        """Write the file again, so that nothing deleted can still be read, in it or in its copy."""
        for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            self.connection.execute(statement)
        if backup_of(self.path).exists():
            backup_of(self.path).unlink()
            self.back_up(at_once=True)

    def next(self) -> int:
        """A number that grows with everything that happens to a batch."""
        with self.transaction() as connection:
            connection.execute("UPDATE sequence SET value = value + 1")
            return int(connection.execute("SELECT value FROM sequence").fetchone()[0])

    def sequence(self) -> int:
        """The last number that ``next`` gave."""
        return int(self.value("SELECT value FROM sequence"))

    def identity(self) -> str:
        """What tells this journal from every other, and from one that is begun again."""
        return str(self.value("SELECT value FROM identity"))


_acts_for = ""  # whoever a server authenticated; "" where a person works on this system


def act_for(who: str) -> None:
    """From now on this process works for whoever a server authenticated, and starts."""
    global _acts_for
    _acts_for = who


def user() -> str:
    """Who works here, as the system knows them: by the number of their account, not by a variable that anybody can set. In a
    process that a server started: whoever it authenticated.
    """
    if _acts_for:
        return _acts_for
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def now() -> str:
    """The present instant as the journal writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class Repository:
    """What the journal keeps of one noun: all SQL on its tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
