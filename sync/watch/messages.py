"""How does an alert become a message?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sync.config.alerting import WORDINGS, Alerts
from sync.store.journal.alerts import Alert, State


@dataclass(frozen=True)
class Message:
    """What a channel sends: ``key`` tells it from every other message, ``thread`` is the same while a cause lasts."""

    key: str
    thread: str
    state: State
    title: str
    text: str
    alert: Alert


def message(alert: Alert, alerts: Alerts, identity: str) -> Message:
    """The message about an alert as it is now. ``identity``: of the journal."""
    thread = f"{alert.alert}.{identity}"
    wording = WORDINGS[alert.cause]
    text = text_of(alert, alerts)
    title = wording.title + (f": {alert.account}" if alert.account else "")
    if alert.state == "recovered":
        text = alerts.recovered.format(**_fields(alert), text=text, closed_at=_minute(alert.closed_at or ""))
        title = f"Over: {title}"
    return Message(f"{thread}.{alert.state}", thread, alert.state, title, text, alert)


def text_of(alert: Alert, alerts: Alerts) -> str:
    """What is wrong, in the words of the config."""
    known = dict.fromkeys(WORDINGS[alert.cause].fields, "?")  # of an alert that an earlier version opened
    return alerts.template(alert.cause).format(**{**known, **alert.fields, **_fields(alert)})


def _fields(alert: Alert) -> dict[str, Any]:
    return {
        "account": alert.account or "all accounts",
        "cause": alert.cause,
        "opened_at": _minute(alert.opened_at),
    }


def _minute(at: str) -> str:
    return at[:16].replace("T", " ") + " UTC"
