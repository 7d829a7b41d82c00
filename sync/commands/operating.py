"""What do watch, backup and restore do, which keep a daily run going?"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from sync.account.lock import lock
from sync.account.session import beside, locked
from sync.config.config import Config
from sync.exit_codes import RetryLater
from sync.per_account import Answer, Options, config_of
from sync.store import archive
from sync.store.journal import Journal
from sync.watch import watch as watching
from sync.watch.metrics import write_metrics


def watch(config: Config | Path | str, options: Options | None = None, trial: bool = False) -> Answer:
    """Look whether anything is wrong, and tell each channel what it has not told yet.

    Exit code 1 where something lasts that no channel told of, or where a channel is down. It works while
    another command does. ``trial``: send a message to every channel that says that it is one.
    """
    config, options = config_of(config), options or Options()
    moment = options.clock()
    try:
        with locked(config, command="watch") as journal:
            return _watched(config, journal, moment, trial, working=False)
    except RetryLater:  # whoever works may be stuck: silence counts all the same
        with beside(config) as journal:
            return _watched(config, journal, moment, trial, working=True)


def backup(config: Config | Path | str, out: Path) -> Answer:
    """Write the memory of the state directory into one file, also while another command works."""
    journal = config_of(config).state_dir / "journal.sqlite"
    manifest = archive.back_up(journal, out)
    return {"exit_code": 0, "backup": {"out": str(out), **asdict(manifest)}}


def restore(config: Config | Path | str, file: Path, replace: bool = False) -> Answer:
    """Put the memory in such a file into the state directory, once its digest proved that it is whole.

    A journal that is there is refused, or with ``replace`` set aside. The next run says what of the CRM the
    restored one does not know.
    """
    config = config_of(config)
    with lock(config.state_dir, "restore"):
        manifest, aside = archive.restore(file, config.state_dir / "journal.sqlite", replace)
    told = {"file": str(file), "set_aside": None if aside is None else str(aside), **asdict(manifest)}
    return {"exit_code": 0, "restored": told}


def _watched(config: Config, journal: Journal, moment: datetime, trial: bool, working: bool) -> Answer:
    if trial:
        deliveries = watching.try_out(config, journal)
    else:
        watching.judge(config, journal, moment, working)
        deliveries = watching.tell(config, journal, moment)
        write_metrics(config, journal)
    return watching.answer_of(config, journal, deliveries)
