"""What time is it in the org? A clock that can be set off, wound forward and made to run fast."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Virtual time: starts at ``start`` (default: now), runs at ``speed`` seconds a second."""

    def __init__(self, start: datetime | None = None, speed: float = 1.0) -> None:
        self._base = start or datetime.now(UTC)
        self._mark = time.monotonic()
        self._speed = speed

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._base, self._mark, self._speed = self.now(), time.monotonic(), speed

    def now(self) -> datetime:
        return self._base + timedelta(seconds=(time.monotonic() - self._mark) * self._speed)

    def advance(self, seconds: float) -> None:
        self._base += timedelta(seconds=seconds)

    def set(self, moment: datetime) -> None:
        self._base, self._mark = moment, time.monotonic()

    def stamp(self) -> str:
        """Now as records keep it: whole seconds, which is all that Salesforce stores."""
        return stamp(self.now())


def stamp(moment: datetime) -> str:
    """An instant as it is stored here: text that sorts as time does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
