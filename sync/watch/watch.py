"""Is all well? Judge, remember what is open and what is over, and tell each channel what it has not told yet.

A channel that is down keeps its messages for the next time. Nothing here may fail a run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sync.account.defaults import with_remembered
from sync.config.alerting import Channel
from sync.config.config import Config
from sync.store.journal import Journal
from sync.store.journal.alerts import Alert
from sync.watch.causes import RUNS, Facts, Findings, of_account, of_secrets
from sync.watch.channels import ChannelError, send
from sync.watch.messages import Message, message, text_of
from sync.watch.metrics import write_metrics

_MENTIONED = timedelta(days=1)  # for so long the end is told of what nobody heard the begin of
_EVERY_ACCOUNT = ""
_logger = logging.getLogger("crm_segments")


@dataclass
class Delivery:
    """What became of the messages of a channel."""

    channel: str
    sent: int = 0
    waiting: int = 0
    error: str | None = None


def judge(config: Config, journal: Journal, moment: datetime, working: bool = False) -> None:
    """Open alerts for what is wrong now, and close those whose cause is over.

    ``working``: another command is at work in the state directory.
    """
    for account in config.writable:
        facts = Facts(
            account,
            journal.runs.last(account, RUNS),
            journal.runs.last_good(account),
            journal.runs.first_start(account),
            journal.rejects.count(account),
            working,
        )
        _note(journal, account, of_account(facts, config.alerts, moment))
    _note(journal, _EVERY_ACCOUNT, of_secrets(config.alerts, moment))
    for alert in journal.alerts.open():
        if alert.account not in (*config.writable, _EVERY_ACCOUNT):  # nobody runs it any more
            journal.alerts.close(alert.alert)


def _note(journal: Journal, account: str, findings: Findings) -> None:
    for (cause, subject), fields in findings.there.items():
        journal.alerts.saw(account, cause, subject, fields)
    for alert in journal.alerts.open():
        place = (alert.cause, alert.subject)
        if alert.account == account and place not in findings.there and alert.cause not in findings.unknown:
            journal.alerts.close(alert.alert)


def tell(config: Config, journal: Journal, moment: datetime) -> list[Delivery]:
    """Send what each channel has not told yet."""
    return [_deliver(config, journal, channel, moment) for channel in config.alerts.channels]


def _deliver(config: Config, journal: Journal, channel: Channel, moment: datetime) -> Delivery:
    since = (moment - _MENTIONED).isoformat(timespec="microseconds")
    due = [alert for alert in journal.alerts.untold(channel.name, since) if alert.cause in channel.causes]
    delivery = Delivery(channel.name, waiting=len(due))
    try:
        for alert in due:
            send(
                channel,
                message(alert, config.alerts, journal.identity(), _zone(config, journal, alert)),
                config.folder,
            )
            journal.alerts.told(alert.alert, channel.name, alert.state)
            delivery.sent += 1
            delivery.waiting -= 1
    except ChannelError as error:
        delivery.error = str(error)
        _logger.warning("alert channel %s: %s; the next watch tries again", channel.name, error)
    return delivery


@contextmanager
def telling(config: Config, journal: Journal, clock: Callable[[], datetime]) -> Iterator[None]:
    """Whatever ends in here, its alerts are told. A failure to do so changes nothing about it."""
    try:
        yield
    except Exception:
        _tell_quietly(config, journal, clock)
        raise
    _tell_quietly(config, journal, clock)


def _tell_quietly(config: Config, journal: Journal, clock: Callable[[], datetime]) -> None:
    try:
        judge(config, journal, clock())
        tell(config, journal, clock())
        write_metrics(config, journal)
    except Exception as error:  # what was done is done: the next watch tells it
        _logger.warning("alerts could not be told (%s); the next watch tries again", type(error).__name__)


def answer_of(config: Config, journal: Journal, deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """What ``watch`` answers: exit code 1 where something lasts that no channel told of, or a channel is down."""
    alerts = journal.alerts.open()
    unheard = [alert for alert in alerts if not journal.alerts.channels_told(alert.alert)]
    down = [delivery for delivery in deliveries if delivery.error is not None]
    return {
        "exit_code": 1 if unheard or down else 0,
        "alerts": [shown(alert, config, journal) for alert in alerts],
        "channels": [delivery.__dict__ for delivery in deliveries],
    }


def shown(alert: Alert, config: Config, journal: Journal) -> dict[str, Any]:
    """An alert as answers show it."""
    return {
        "alert": alert.alert,
        "account": alert.account,
        "cause": alert.cause,
        "subject": alert.subject,
        "state": alert.state,
        "text": text_of(alert, config.alerts, _zone(config, journal, alert)),
        "opened_at": alert.opened_at,
        "closed_at": alert.closed_at,
        "told": journal.alerts.channels_told(alert.alert),
    }


def _zone(config: Config, journal: Journal, alert: Alert) -> str:
    """The time zone of the account that an alert is about; none where it is about all."""
    account = config.accounts.get(alert.account)
    return with_remembered(account, journal.defaults.of(alert.account)).time_zone if account else ""


def try_out(config: Config, journal: Journal) -> list[Delivery]:
    """Send a message that says that it is a trial to every channel."""
    trial = Alert(0, "", "silence", "", {}, 1, "", None)
    words = Message(
        f"trial.{journal.identity()}",
        f"trial.{journal.identity()}",
        "open",
        "Trial of crm-segments",
        "This is a trial of an alert channel: nothing is wrong.",
        trial,
    )
    deliveries = []
    for channel in config.alerts.channels:
        delivery = Delivery(channel.name, waiting=1)
        try:
            send(channel, words, config.folder)
            delivery.sent, delivery.waiting = 1, 0
        except ChannelError as error:
            delivery.error = str(error)
        deliveries.append(delivery)
    return deliveries
