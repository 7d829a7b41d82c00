"""How is a command carried out for each account that it is about: under the lock, noted in the journal, and
healed where it can be?
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from connectors import open_source
from connectors.errors import ConnectorError, QuotaError, TemporaryError
from sync import pipeline
from sync.account.connections import Open
from sync.account.lock import READING, Holder
from sync.account.session import Readable, Session, locked, readable
from sync.config.config import Config, load
from sync.config.faults import ConfigError
from sync.context import Context, Progress, silent, utc_now
from sync.exit_codes import (
    CommandError,
    GuardTripped,
    RetryLater,
    UsageError,
    combined_exit_code,
    exit_code,
    later,
    stopped,
)
from sync.log import command_ended
from sync.sentence import sentences
from sync.store import engine
from sync.store.engine import MirrorFault
from sync.store.integrity import JournalDamaged
from sync.store.journal import Journal
from sync.store.soundness import begin_anew

Answer = pipeline.Answer
Work = Callable[[Session], Answer]  # what a command does for one account

# commands that write to the CRM
_WRITING = frozenset({"run", "apply", "backfill", "undo", "retire", "setup"})


@dataclass(frozen=True)
class Options:
    """What all commands share."""

    account: str | None = None
    allow: Mapping[str, str] = field(default_factory=dict)  # guard → reason
    as_of: date | None = None
    progress: Progress = silent
    clock: Callable[[], datetime] = utc_now
    open: Open = open_source


def config_of(config: Config | Path | str) -> Config:
    return config if isinstance(config, Config) else load(Path(config))


def _accounts(config: Config, options: Options) -> list[str]:
    if options.account is None:
        return list(config.writable)
    if options.account not in config.accounts:
        raise CommandError(
            f"there is no account {options.account!r} in the config. Accounts: {', '.join(config.accounts)}"
        )
    return [options.account]


def each_account(
    config: Config | Path | str,
    options: Options | None,
    command: str,
    work: Work,
    journalled: bool = True,
    owner: Callable[[Journal], str | None] | None = None,
) -> Answer:
    """Do the work for each account under the lock; note begin and end of it in the journal.

    What ends the work for one of several accounts stands in its answer, and does not stop the others; the
    exit code is the worst of theirs, in the order 1, 2, 5, 75, 4, 3, 0 (``sync.exit_codes``). A command that
    changes nothing does not wait for the lock. ``owner``: SQL of
    the account that the command is about, where what it was given tells.
    """
    config, options = config_of(config), options or Options()
    answers: list[Answer] = []
    with _stores(config, command) as stores, _told(config, options, stores.journal, command):
        journal = stores.journal
        accounts = _accounts(config, options)
        named = owner(journal) if owner and options.account is None else None
        if named in accounts:
            accounts = [named]
        for account in accounts:
            attempt = Attempt(config, options, account, journal, command, journalled, stores.beside)
            try:
                answers.append(attempt.healing(work))
            except (CommandError, ConnectorError, ConfigError) as error:
                if len(accounts) == 1 or isinstance(error, JournalDamaged):
                    raise
                answers.append({"account": account, "run": attempt.run or None, **stopped(error)})
    if len(answers) == 1:
        return answers[0]
    return {"exit_code": combined_exit_code([answer["exit_code"] for answer in answers]), "accounts": answers}


def _told(config: Config, options: Options, journal: Journal, command: str) -> AbstractContextManager[None]:
    """What watches a command: one that writes to the CRM tells its alerts and figures when it ends."""
    if command not in _WRITING or not (config.alerts.channels or config.metrics.path):
        return nullcontext()
    from sync.watch.watch import telling

    return telling(config, journal, options.clock)


@contextmanager
def _stores(config: Config, command: str) -> Iterator[Readable]:
    if command in READING:
        with readable(config, command) as stores:
            yield stores
    else:
        with locked(config, back_up=command in _WRITING, command=command) as journal:
            yield Readable(journal)


@dataclass
class Attempt:
    """A command about one account.

    Where the mirror turns out to be damaged, it is set aside, and the command begins again.
    """

    config: Config
    options: Options
    account: str
    journal: Journal
    command: str
    journalled: bool
    beside: Holder | None = None  # who works at the same time
    run: int = 0
    healed: list[str] = field(default_factory=list)

    def healing(self, work: Work) -> Answer:
        """The answer of the work. A second fault of the engine is none of the file: CommandError."""
        mirror_file = self.config.state_dir / "mirror.duckdb"
        try:
            return self._once(work)
        except MirrorFault as fault:
            if self.beside is not None:
                raise RetryLater(
                    f"this cannot be read while {self.beside} works; try again when it has finished"
                ) from fault
            self.healed.append(begin_anew(mirror_file, str(fault)))
        try:
            return self._once(work)
        except MirrorFault as fault:
            raise CommandError(
                f"DuckDB fails even with a new mirror: {fault}. Finished work is saved. This is a bug in crm-segments or a problem in the "
                f"config: undo your last change to the config, or report this"
            ) from fault

    def _once(self, work: Work) -> Answer:
        options = self.options
        if self.journalled:
            self.run = self.journal.runs.begin(self.account, self.command, options.allow)
        context = Context(
            self.config,
            self.account,
            self.run,
            options.as_of,
            options.allow,
            options.progress,
            options.clock,
        )
        session = Session.begin(context, self.journal, options.open, self.beside)
        session.mirrors.healed = self.healed
        return _finished(session, self.command, work, self.journalled)


def _refuse_future(as_of: date, moment: datetime, time_zone: str) -> None:
    """Nobody knows yet what a day brings that has not come: what is labelled as of it would be wrong."""
    if as_of > moment.astimezone(ZoneInfo(time_zone)).date():
        raise UsageError(f"{as_of} is in the future: as_of is the last day that counts, today at the latest")


def _finished(session: Session, command: str, work: Work, journalled: bool) -> Answer:
    from sync.account.clock import clock_notes
    from sync.account.defaults import with_defaults

    began, code = time.perf_counter(), 1
    try:
        session = with_defaults(session, command, connected=journalled or command == "check")
        _refuse_future(
            session.as_of, session.clock(), session.settings.time_zone
        )  # by the day of the account, whose time zone may be the CRM's
        time_zone = session.settings.time_zone
        answer = {"account": session.account, "time_zone": time_zone, "exit_code": 0, **work(session)}
        code = answer["exit_code"]
    except Exception as error:
        if engine.is_interrupt(error):
            raise KeyboardInterrupt from error
        mirror_file = session.config.state_dir / "mirror.duckdb"
        meaning = _meaning(error, session.clock, session.settings.time_zone, mirror_file)
        if isinstance(meaning, (CommandError, ConnectorError)) and session.mirrors.healed:  # why all is gone
            meaning.args = (sentences(*session.mirrors.healed, str(meaning)), *meaning.args[1:])
        code = exit_code(meaning) if meaning is not None else 1
        if journalled and meaning is not None:
            summary = {"stopped": str(meaning), **_guards(meaning), **_waits(meaning), **session.cost}
            session.journal.runs.end(session.run, exit_code(meaning), summary)
        if meaning is None or meaning is error:
            raise
        raise meaning from error
    finally:
        session.close()
        command_ended(command, session.account, session.run, code, session.calls, began)
    if wrong := clock_notes(session.journal, session.account, session.run, session.settings.time_zone):
        answer["notes"] = list(dict.fromkeys([*wrong, *answer.get("notes", [])]))
    if session.mirrors.healed:
        answer["healed"] = session.mirrors.healed
    if (working := session.mirrors.beside) and not working.reads:
        moment = session.mirrors.moment
        answer["going_on"] = {
            "command": working.command,
            "since": working.began and working.began.isoformat(timespec="seconds"),
            "read_as_of": moment and moment.isoformat(timespec="seconds"),
        }
    if journalled:
        answer = {
            "run": session.run,
            **answer,
            **session.cost,
            "notes": [*answer.get("notes", []), *session.diagnostics],
        }
        session.journal.runs.end(session.run, answer["exit_code"], answer)
    return answer


def _guards(error: Exception) -> Answer:
    """The guards that stopped a command."""
    return {"guards": stopped(error)["guards"]} if isinstance(error, GuardTripped) else {}


def _waits(error: Exception) -> Answer:
    """The plan that waits for an approval."""
    waits = error.waits if isinstance(error, CommandError) else None
    return {"waiting": {"plan": {"plan": waits["plan"]}, "why": waits["why"]}} if waits else {}


def _meaning(
    error: Exception, clock: Callable[[], datetime], time_zone: str, mirror_file: Path
) -> Exception | None:
    """What ends the work, in words for people; None for what nobody predicted."""
    if isinstance(error, (TemporaryError, QuotaError)):
        return later(error, clock(), time_zone)
    if isinstance(error, (CommandError, ConnectorError, ConfigError)):
        return error
    if engine.is_engine_error(error):
        try:
            return engine.judge(error, mirror_file)
        except CommandError as stop:
            return stop
    if isinstance(error, sqlite3.Error):
        return JournalDamaged(str(error))
    return None
