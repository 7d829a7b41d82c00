"""How does an alert become a message?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sync.config.alerting import WORDINGS, Alerts
from sync.local_time import local_time
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


def message(alert: Alert, alerts: Alerts, identity: str, time_zone: str = "") -> Message:
    """The message about an alert as it is now. ``identity``: of the journal; ``time_zone``: of the account."""
    thread = f"{alert.alert}.{identity}"
    wording = WORDINGS[alert.cause]
    text = text_of(alert, alerts, time_zone)
    title = wording.title + (f": {alert.account}" if alert.account else "")
    if alert.state == "recovered":
        closed = local_time(alert.closed_at, time_zone) if alert.closed_at else ""
        text = alerts.recovered.format(**_fields(alert, time_zone), text=text, closed_at=closed)
        title = f"Over: {title}"
    return Message(f"{thread}.{alert.state}", thread, alert.state, title, text, alert)


def text_of(alert: Alert, alerts: Alerts, time_zone: str = "") -> str:
    """What is wrong, in the words of the config; times are those of an account's ``time_zone``."""
    known = dict.fromkeys(WORDINGS[alert.cause].fields, "?")  # of an alert that an earlier version opened
    return alerts.template(alert.cause).format(**{**known, **alert.fields, **_fields(alert, time_zone)})


def _fields(alert: Alert, time_zone: str) -> dict[str, Any]:
    times = {"opened_at": alert.opened_at, "last_good_run": alert.fields.get("last_good_run")}
    return {
        "account": alert.account or "all accounts",
        "cause": alert.cause,
        **{name: _shown(instant, time_zone) for name, instant in times.items() if instant},
    }


def _shown(instant: str, time_zone: str) -> str:
    """An instant, or words in its place."""
    try:
        return local_time(instant, time_zone)
    except ValueError:
        return instant
