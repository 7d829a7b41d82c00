"""What a command works with: one account, its connector, the mirror, the journal, and the lock that makes us
the only writer.
"""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors import open_source
from connectors.contract import Calls, Destination, RemoteList, Source
from connectors.errors import ConnectorError
from sync.account.connections import Connections, Open
from sync.account.lock import Busy, Holder, lock
from sync.config.config import Config
from sync.config.faults import ConfigError
from sync.context import Context, Progress
from sync.exit_codes import CommandError, RetryLater
from sync.local_time import local_time
from sync.store.integrity import JournalDamaged
from sync.store.journal import Journal
from sync.store.journal.database import backup_of

if TYPE_CHECKING:
    from sync.config.settings import AccountSettings, SegmentationSettings
    from sync.store.joined import Joined
    from sync.store.mirror import AccountMirror, Mirror

_SOUND_DISK = "Finished work is saved. Check its disk, then run again"


@dataclass(frozen=True)
class Session:
    """What the entry point of a stage works with: what the command is about, its stores and its CRMs.

    Everything is opened when first used, and closed by ``close``.
    """

    context: Context
    journal: Journal
    connections: Connections
    mirrors: Mirrors
    seconds: dict[str, float] = field(default_factory=dict)  # that each stage took

    @classmethod
    def begin(
        cls, context: Context, journal: Journal, open: Open = open_source, beside: Holder | None = None
    ) -> Session:
        """A session with nothing opened yet but the journal; ``beside``: it only reads while that one works."""
        mirrors = Mirrors(context.config, journal, beside)
        return cls(context, journal, Connections(journal, open), mirrors)

    def about(self, **changes: Any) -> Session:
        """The same stores and CRMs, about something else: another day, another config."""
        return replace(self, context=replace(self.context, **changes))

    @property
    def config(self) -> Config:
        """The config."""
        return self.context.config

    @property
    def account(self) -> str:
        """The account's name."""
        return self.context.account

    @property
    def run(self) -> int:
        """The journal's number of this command."""
        return self.context.run

    @property
    def as_of(self) -> date:
        """The last local day that counts."""
        return self.context.as_of

    @property
    def allow(self) -> Mapping[str, str]:
        """Guard → reason."""
        return self.context.allow

    @property
    def progress(self) -> Progress:
        """Where progress is told."""
        return self.context.progress

    @property
    def clock(self) -> Callable[[], datetime]:
        """The present instant."""
        return self.context.clock

    @property
    def settings(self) -> AccountSettings:
        """The account's settings."""
        return self.context.settings

    @property
    def segmentations(self) -> Sequence[SegmentationSettings]:
        """What this account is labelled with."""
        return self.context.segmentations

    def sources(self) -> list[str]:
        """Accounts whose activity or attributes this one uses, itself first."""
        return self.context.accounts

    def source(self, account: str | None = None) -> Source:
        """What this account is read from, or one that it draws from."""
        return self.connections.source(self.config, account or self.account)

    @property
    def writes(self) -> bool:
        """Whether this account can be written to at all: a shop or a database may only be read."""
        return isinstance(self.source(), Destination)

    def destination(self) -> Destination:
        """What this account's segments are written to. CommandError: it can only be read."""
        opened = self.source()
        if not isinstance(opened, Destination):
            raise CommandError(
                f"account {self.account} is read-only, so there is nothing to set up, plan or write. `crm-segments label "
                f'--account {self.account} --out FILE` labels it; activity_from = ["{self.account}"] of another account uses its activity'
            )
        return opened

    @property
    def calls(self) -> Calls:
        """How often the CRMs were asked so far."""
        return self.connections.calls

    @property
    def cost(self) -> dict[str, Any]:
        """What a command cost so far: calls, what is left of the day's, and seconds by stage."""
        quotas = self.connections.quotas(self.config)
        seconds = {name: round(spent, 3) for name, spent in self.seconds.items()}
        return {"calls": asdict(self.calls), **({"quota": quotas} if quotas else {}), "seconds": seconds}

    @property
    def diagnostics(self) -> list[str]:
        """What the CRMs said of their limits and sources."""
        return self.connections.diagnostics

    @cached_property
    def lists(self) -> dict[str, RemoteList]:
        """The lists that the CRM has, by id, as they were when first asked for: a command asks once."""
        return {remote.id: remote for remote in self.destination().lists()}

    def all_mirrors(self) -> list[AccountMirror]:
        """The mirror of this account, and after it those of accounts that it draws from."""
        return [self.mirror(name) for name in self.sources()]

    def joined(self) -> list[Joined]:
        """The accounts whose activity or attributes this one uses, and by what their contacts are found here."""
        return [self._joined(name) for name in self.settings.joined]

    def _joined(self, name: str) -> Joined:
        from sync.store.joined import Joined

        settings, match = self.settings, self.settings.match_with(name)
        attributes = self.config.accounts[name].attributes if name in settings.attributes_from else {}
        types = {attribute: theirs.type for attribute, theirs in attributes.items()}
        return Joined(self.mirror(name), match.own, match.other, name in settings.activity_from, types)

    def mirror(self, account: str | None = None) -> AccountMirror:
        """The mirror of this account, or of one that it draws from."""
        return self.mirrors.of(account or self.account)

    def close(self) -> None:
        """Let go of the CRM and the mirror."""
        self.connections.close()
        self.mirrors.close()


@dataclass
class Mirrors:
    """The mirror of the state directory, opened when it is first used; ``healed``: what was wrong with it, and was set right.

    ``beside``: the command that works with it, where we only read. RetryLater: it cannot be read just now.
    """

    config: Config
    journal: Journal
    beside: Holder | None = None
    healed: list[str] = field(default_factory=list)
    _accounts: dict[str, AccountMirror] = field(default_factory=dict)

    @cached_property
    def file(self) -> Mirror:
        """The file of all accounts."""
        from sync.store.mirror import Memory, Mirror, MirrorBeside

        path, memory_limit = self.config.state_dir / "mirror.duckdb", self.config.memory_limit
        if self.beside is not None:
            try:
                return MirrorBeside(path, memory_limit)
            except RetryLater as error:
                raise RetryLater(
                    f"{error}: {self.beside} works with it. Try again when it has finished"
                ) from None
        mirror = Mirror(path, memory_limit, Memory(self.journal.identity(), self.journal.sequence()))
        self.healed.extend(mirror.healed)
        return mirror

    @property
    def moment(self) -> datetime | None:
        """Of when the mirror is that was read beside a command; None where none was."""
        from sync.store.mirror import MirrorBeside

        file = self.__dict__.get("file")
        return file.moment if isinstance(file, MirrorBeside) else None

    def before_a_change(self) -> None:
        """Let others read the mirror as it is now until the next stage has ended."""
        self.file.publisher.before_a_change()

    def stage_ended(self) -> None:
        """Let others read what the stages so far came to."""
        self.file.publisher.stage_ended(self.file.connection)

    def of(self, account: str) -> AccountMirror:
        """The tables of one account."""
        if account not in self._accounts:
            self._accounts[account] = self.file.account(account)
        return self._accounts[account]

    def close(self) -> None:
        """Write everything to the file and let go of it."""
        if "file" in self.__dict__:
            self.file.close()


@dataclass(frozen=True)
class Readable:
    """What can be read now: the journal, and by ``Session.begin(..., beside=...)`` the mirror.

    ``beside``: who works with them; None: nobody else does as long as this is open.
    """

    journal: Journal
    beside: Holder | None = None


@contextmanager
def readable(config: Config, command: str = "show") -> Iterator[Readable]:
    """What a command that changes nothing reads, also while another one works.

    Beside one that works, the journal is read as it is, and the mirror as it was before that one changed it, or as its
    last finished stage left it: ``Mirrors.moment`` tells of when that is.
    """
    with ExitStack() as stack:
        holder = None
        try:
            journal = stack.enter_context(locked(config, command=command))
        except Busy as busy:
            holder, journal = busy.holder, stack.enter_context(beside(config))
        yield Readable(journal, holder)


@contextmanager
def locked(config: Config, back_up: bool = False, command: str = "") -> Iterator[Journal]:
    """The journal of the state directory, held by this process alone; ``back_up``: copied in the end."""
    with lock(config.state_dir, command):
        journal = _journal(config.state_dir / "journal.sqlite")
        try:
            with _damage_noticed(journal):
                yield journal
        finally:
            if back_up:
                journal.back_up()
            journal.close()


@contextmanager
def beside(config: Config) -> Iterator[Journal]:
    """The journal while another command works with it, which alone looks after the file."""
    path = config.state_dir / "journal.sqlite"
    if not path.exists():
        raise RetryLater(f"the journal {path} is just being created; try again later")
    try:
        journal = Journal(path, beside=True)
    except (sqlite3.Error, ValueError, JournalDamaged) as error:
        raise RetryLater(f"the journal {path} is in use ({error}); try again later") from error
    try:
        yield journal
    finally:
        journal.close()


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
        day = local_time(datetime.fromtimestamp(copy.stat().st_mtime, UTC))
        back = f"rm -f {' '.join(names)} && cp {shlex.quote(str(copy))} {shlex.quote(str(path))}"
        return (
            f"There is a copy of {day}: `{back}` restores it; what was written after it then counts as somebody "
            "else's, and stays. Or restore a "
            f"newer backup of your own. `crm-segments status --salvage` saves what can still be read."
        )
    return (
        "Restore a backup of it; `crm-segments status --salvage` saves what can still be read. Without either, move the file away and run "
        "`crm-segments plan --adopt`."
    )
