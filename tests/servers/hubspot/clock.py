"""What time is it in the portal? Milliseconds since 1970 in UTC, as fast as a test wants, and movable."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Virtual time: runs ``speed`` times as fast as real time, from ``start`` (default: now)."""

    def __init__(self, speed: float = 1.0, start: datetime | None = None) -> None:
        self.speed = speed
        self._began = time.monotonic()
        self._start = (start or datetime.now(UTC)).timestamp() * 1000
        self.start = int(self._start)

    def now(self) -> int:
        return int(self._start + (time.monotonic() - self._began) * 1000 * self.speed)

    def advance(self, seconds: float) -> None:
        """Turn the clock on (or back)."""
        self._start += seconds * 1000

    def set(self, moment: datetime) -> None:
        """From now on it is ``moment``."""
        self._start = moment.timestamp() * 1000
        self._began = time.monotonic()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(milliseconds: int) -> str:
    """An instant as HubSpot writes it: 2024-01-17T19:55:04.281Z."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def instant(text: str) -> int:
    """Milliseconds of an ISO text or of a text of milliseconds; ValueError for anything else."""
    if text.lstrip("-").isdigit():
        return int(text)
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    difference = moment - _EPOCH
    return (difference.days * 86_400 + difference.seconds) * 1000 + difference.microseconds // 1000
