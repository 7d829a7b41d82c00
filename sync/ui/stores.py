"""What is a page made of? The answers of the commands, one request at a time; nothing stays open between them, so
a scheduled run beside an open page works.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sync.config.config import Config, load
from sync.config.faults import ConfigError
from sync.per_account import Answer, Options, Work, each_account
from sync.store.journal.progress import Progress, progress


@dataclass
class Stores:
    """The state of one config. ``options``: what every command is asked with."""

    path: Path
    options: Options = field(default_factory=Options)
    going_on: Mapping[str, Any] | None = None  # the command that worked when something was read last
    time_zones: dict[str, str] = field(default_factory=dict)  # of the accounts that something was read of
    _config: tuple[object, Config] | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _kept: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        """As it stands in the file, or as it last was without a fault: what reads it anew tells of that one."""
        status = self.path.stat() if self.path.exists() else None
        written = status and (status.st_mtime_ns, status.st_size)
        if self._config is None or self._config[0] != written:
            try:
                self._config = (written, load(self.path))
            except ConfigError:
                if self._config is None:
                    raise
        return self._config[1]

    def answer(self, account: str, command: Callable[..., Answer], **arguments: Any) -> Answer:
        """What a command answers about an account. RetryLater: a run goes on."""
        with self._turn:
            return command(self.path, replace(self.options, account=account), **arguments)

    def read(self, account: str, work: Work, command: str = "show") -> Answer:
        """What stands in the stores of an account, without what every answer has. ``command``: the verb that reads
        the same. RetryLater: a run goes on.
        """
        with self._turn:
            options = replace(self.options, account=account)
            answer = each_account(self.path, options, command, work, journalled=False)
            self.going_on = answer.pop("going_on", None)
            self.time_zones[account] = answer["time_zone"]
        return {
            key: value for key, value in answer.items() if key not in ("account", "time_zone", "exit_code")
        }

    def kept(self, name: str, key: Any, made: Callable[[], Any]) -> Any:
        """What is costly, made again when its ``key`` moves."""
        if self._kept.get(name, (None, None))[0] != key:
            self._kept[name] = (key, made())
        return self._kept[name][1]

    def progress(self, plan: int) -> Progress | None:
        """How far a plan is written, also while a run goes on; None where that cannot be told."""
        try:
            return progress(self.config.state_dir / "journal.sqlite", plan)
        except sqlite3.Error:
            return None
