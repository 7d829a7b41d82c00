"""What is wrong, since when, and who was told? One row for a cause from when it is seen first until it is over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sync.store.journal.database import Repository, now

State = Literal["open", "recovered"]
_COLUMNS = "alert, account, cause, subject, fields, times, opened_at, closed_at"


@dataclass(frozen=True)
class Alert:
    """A cause for alarm: ids and counts, and nothing about a person."""

    alert: int
    account: str  # "": it concerns them all
    cause: str
    subject: str  # what it is about within the account, such as a segmentation; "": the account
    fields: Mapping[str, Any]  # what a template may name
    times: int  # how often it was seen
    opened_at: str
    closed_at: str | None  # None: it lasts

    @property
    def state(self) -> State:
        """Whether it lasts or is over."""
        return "open" if self.closed_at is None else "recovered"


class Alerts(Repository):
    """Alerts by number, and what each channel was told of them."""

    def open(self) -> list[Alert]:
        """Those that last, the oldest first."""
        return self._where("closed_at IS NULL ORDER BY alert")

    def last(self, account: str, limit: int) -> list[Alert]:
        """Of an account, and those of all accounts, the newest first."""
        return self._where("account IN (?, '') ORDER BY alert DESC LIMIT ?", account, limit)

    def saw(self, account: str, cause: str, subject: str, fields: Mapping[str, Any]) -> None:
        """A cause is there: it opens an alert, or is counted in the one that is open."""
        place = (account, cause, subject)
        with self._database.transaction():
            seen = self._database.value(
                "SELECT alert FROM alerts WHERE account = ? AND cause = ? AND subject = ? AND closed_at IS NULL",
                *place,
            )
            if seen is None:
                sql = """INSERT INTO alerts (account, cause, subject, fields, times, opened_at, seen_at)
                         VALUES (?, ?, ?, ?, 1, ?, ?)"""
                self._database.execute(sql, *place, json.dumps(dict(fields)), now(), now())
            else:
                sql = "UPDATE alerts SET fields = ?, times = times + 1, seen_at = ? WHERE alert = ?"
                self._database.execute(sql, json.dumps(dict(fields)), now(), seen)

    def close(self, alert: int) -> None:
        """Its cause is over."""
        self._database.execute("UPDATE alerts SET closed_at = ? WHERE alert = ?", now(), alert)

    def untold(self, channel: str, since: str) -> list[Alert]:
        """What a channel has still to say: alerts that last and it told nobody of; those that are over and it
        told of, but not of the end. Of what began and ended without a word of any channel, the end, where it
        came after an instant (ISO).
        """
        return self._where(
            """NOT EXISTS (SELECT 1 FROM alert_messages AS m WHERE m.alert = a.alert AND channel = ? AND
                   state = CASE WHEN closed_at IS NULL THEN 'open' ELSE 'recovered' END)
               AND (closed_at IS NULL OR EXISTS (SELECT 1 FROM alert_messages AS m WHERE m.alert = a.alert AND channel = ?)
                    OR closed_at > ? AND NOT EXISTS (SELECT 1 FROM alert_messages AS m WHERE m.alert = a.alert))
               ORDER BY alert""",
            *(channel, channel, since),
        )

    def told(self, alert: int, channel: str, state: State) -> None:
        """A channel took a message."""
        sql = "INSERT OR REPLACE INTO alert_messages VALUES (?, ?, ?, ?)"
        self._database.execute(sql, alert, channel, state, now())

    def channels_told(self, alert: int) -> list[str]:
        """The channels that told of an alert."""
        sql = "SELECT DISTINCT channel FROM alert_messages WHERE alert = ? ORDER BY channel"
        return [row["channel"] for row in self._database.rows(sql, alert)]

    def drop_before(self, account: str, at: str) -> None:
        """Drop what was over before an instant (ISO)."""
        with self._database.transaction():
            self._database.execute(
                "DELETE FROM alerts WHERE account IN (?, '') AND closed_at < ?", account, at
            )
            self._database.execute("DELETE FROM alert_messages WHERE alert NOT IN (SELECT alert FROM alerts)")

    def _where(self, condition: str, *parameters: Any) -> list[Alert]:
        sql = f"SELECT {_COLUMNS} FROM alerts AS a WHERE {condition}"
        return [
            Alert(**{**row, "fields": json.loads(row["fields"])})
            for row in self._database.rows(sql, *parameters)
        ]
