"""What a command works with: one account, its connector, the mirror, the journal, and the lock that makes us
the only writer.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from connectors import open_source
from connectors.contract import Account, Calls, Destination, Option, RemoteList, Source
from connectors.errors import ConnectorError
from sync.config.config import Config
from sync.config.faults import ConfigError
from sync.exit_codes import CommandError, RetryLater
from sync.store.integrity import JournalDamaged
from sync.store.journal import Journal, backup_of

if TYPE_CHECKING:
    from sync.config.settings import AccountSettings, SegmentationSettings
    from sync.store.mirror import AccountMirror, Mirror

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much (0: not known)
Open = Callable[[Account], Source]


_SOUND_DISK = "What was done is saved; see that its disk is sound, and run again"


def silent(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody sees."""


def options_of(config: Config, journal: Journal, account: str) -> dict[str, list[Option]]:
    """The options of each segmentation's field: stored key and shown title."""
    from sync.account.segment_catalog import named_segments

    every = {
        entry.name: named_segments(config, journal, entry, account)
        for entry in config.segmentations_of(account)
    }
    return {name: [Option(entry.key, entry.title) for entry in segments] for name, segments in every.items()}


@dataclass
class Session:
    """One account during one command. Everything is opened when first used and closed by ``opened``."""

    config: Config
    account: str
    journal: Journal
    allow: Mapping[str, str] = field(default_factory=dict)  # guard → reason
    progress: Progress = silent
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    open: Open = open_source
    as_of_override: date | None = None
    run: int = 0
    healed: list[str] = field(default_factory=list)  # what was wrong with the mirror, and was set right
    _sources: dict[str, Source] = field(default_factory=dict)

    @property
    def settings(self) -> AccountSettings:
        """The account's settings."""
        return self.config.accounts[self.account]

    @property
    def segmentations(self) -> Sequence[SegmentationSettings]:
        """What this account is labelled with."""
        return self.config.segmentations_of(self.account)

    def source(self, account: str | None = None) -> Source:
        """What this account is read from, or one whose activity it uses."""
        name = account or self.account
        if name not in self._sources:
            self._sources[name] = self.open(self._account(name))
        return self._sources[name]

    @property
    def writes(self) -> bool:
        """Whether this account can be written to at all: a shop or a database may only be read."""
        return isinstance(self.source(), Destination)

    def destination(self) -> Destination:
        """What this account's segments are written to. CommandError: it can only be read."""
        opened = self.source()
        if not isinstance(opened, Destination):
            raise CommandError(
                f"account {self.account} can only be read, so there is nothing to set up, plan or write. `crm-segments label "
                f'--account {self.account} --out FILE` labels it; activity_from = ["{self.account}"] of another account uses its activity'
            )
        return opened

    def _account(self, name: str) -> Account:
        from sync.account.left import left_fields
        from sync.config.uses import activity_types_used

        ours = {
            row["remote"]: row["key"]
            for row in self.journal.made(name)
            if row["kind"] == "list" and row["remote"]
        }
        account = self.config.account(name, options_of(self.config, self.journal, name))
        # In an order that does not move when a segmentation leaves the config: what was read is then not read
        # again.
        fields = sorted(
            (*account.fields, *left_fields(self.config, self.journal, name)),
            key=lambda spec: (spec.record_type, spec.name),
        )
        return replace(
            account, fields=tuple(fields), lists=ours, activity_types=activity_types_used(self.config, name)
        )

    @property
    def calls(self) -> Calls:
        """How often the CRMs were asked so far, by the connectors' own count."""
        counted = [source.calls for source in self._sources.values()]
        return Calls(sum(count.read for count in counted), sum(count.write for count in counted))

    @property
    def diagnostics(self) -> list[str]:
        """What the CRMs said of their limits and sources, by account where there are several."""
        several = len(self._sources) > 1
        return [
            f"{name}: {note}" if several else note
            for name, source in self._sources.items()
            for note in source.diagnostics()
        ]

    @cached_property
    def lists(self) -> dict[str, RemoteList]:
        """The lists that the CRM has, by id, as they were when first asked for: a command asks once."""
        return {remote.id: remote for remote in self.destination().lists()}

    @cached_property
    def mirror_file(self) -> Mirror:
        """The mirror of the state directory."""
        from sync.store.mirror import Memory, Mirror

        memory = Memory(self.journal.identity(), self.journal.sequence())
        mirror = Mirror(self.config.state_dir / "mirror.duckdb", self.config.memory_limit, memory)
        self.healed.extend(mirror.healed)
        return mirror

    def mirror(self, account: str | None = None) -> AccountMirror:
        """The mirror of this account, or of one whose activity it uses."""
        name = account or self.account
        return self._mirrors.setdefault(name, None) or self._remember(name)

    @cached_property
    def _mirrors(self) -> dict[str, AccountMirror | None]:
        return {}

    def _remember(self, name: str) -> AccountMirror:
        mirror = self._mirrors[name] = self.mirror_file.account(name)
        return mirror

    @property
    def as_of(self) -> date:
        """The last local day that counts."""
        if self.as_of_override:
            return self.as_of_override
        if isinstance(self.config.as_of, date):
            return self.config.as_of
        return (self.clock().astimezone(ZoneInfo(self.settings.time_zone)) - timedelta(days=1)).date()

    def sources(self) -> list[str]:
        """Accounts whose activity this one uses, itself first."""
        return [self.account, *self.settings.activity_from]

    def close(self) -> None:
        """Let go of the CRM and the mirror."""
        for source in self._sources.values():
            with suppress(ConnectorError):  # what a command did or failed at was told before
                source.close()
        if "mirror_file" in self.__dict__:
            self.mirror_file.close()


@contextmanager
def locked(config: Config, back_up: bool = False) -> Iterator[Journal]:
    """The journal of the state directory, held by this process alone; ``back_up``: copied in the end."""
    with lock(config):
        journal = _journal(config.state_dir / "journal.sqlite")
        try:
            with _damage_noticed(journal):
                yield journal
        finally:
            if back_up:
                journal.back_up()
            journal.close()


@contextmanager
def lock(config: Config) -> Iterator[None]:
    """Nobody else works in the state directory: RetryLater where somebody does.

    The lock belongs to the open file: the kernel lets go of it when the process ends, however it ends.
    """
    config.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = config.state_dir / "lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 20).decode(errors="replace").strip() or "unknown"
            raise RetryLater(
                f"another crm-segments command (process {holder}) works in {config.state_dir}; try again when it has ended"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _journal(path: Path) -> Journal:
    try:
        return Journal(path)
    except (sqlite3.Error, ValueError, JournalDamaged) as error:
        raise CommandError(f"the journal {path} cannot be used: {error}. {_remedy(path)}") from error


@contextmanager
def _damage_noticed(journal: Journal) -> Iterator[None]:
    """A journal that looks untouched is not read through when it is opened.

    Where a command ends as nobody predicted, it is: what is damaged in it is the reason, and the next command
    shall not trust it either.
    """
    try:
        yield
    except (ConnectorError, ConfigError):
        raise
    except Exception as error:
        cause = error.__cause__ if isinstance(error, JournalDamaged) else error
        if isinstance(cause, CommandError):
            raise
        try:
            journal.look_through()
        except (sqlite3.Error, ValueError, JournalDamaged) as damage:
            raise CommandError(
                f"the journal {journal.path} cannot be used: {damage}. {_remedy(journal.path)}"
            ) from error
        if isinstance(cause, sqlite3.Error):
            raise CommandError(
                f"the journal {journal.path} cannot be used: {cause}. {_SOUND_DISK}"
            ) from error
        raise


def _remedy(path: Path) -> str:
    """How to go on without a journal that can be used."""
    copy, names = backup_of(path), [shlex.quote(f"{path}{end}") for end in ("-wal", "-shm")]
    if copy.is_file():
        day = f"{datetime.fromtimestamp(copy.stat().st_mtime).astimezone():%Y-%m-%d %H:%M %Z}"
        back = f"rm -f {' '.join(names)} && cp {shlex.quote(str(copy))} {shlex.quote(str(path))}"
        return (
            f"A copy of {day} is there: `{back}` brings it back; what was written after it then counts as other people's, and stays. Or a "
            f"newer backup of yours. `crm-segments status --salvage` saves what can still be read."
        )
    return (
        "Bring back a backup of it; `crm-segments status --salvage` saves what can still be read. Without either, move it away and run "
        "`crm-segments plan --adopt`."
    )
