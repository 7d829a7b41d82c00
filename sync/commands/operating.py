"""What does watch do, with which a daily run is kept going?"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sync.account.session import beside, locked
from sync.config.config import Config
from sync.exit_codes import RetryLater
from sync.per_account import Answer, Options, config_of
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


def _watched(config: Config, journal: Journal, moment: datetime, trial: bool, working: bool) -> Answer:
    if trial:
        deliveries = watching.try_out(config, journal)
    else:
        watching.judge(config, journal, moment, working)
        deliveries = watching.tell(config, journal, moment)
        write_metrics(config, journal)
    return watching.answer_of(config, journal, deliveries)
