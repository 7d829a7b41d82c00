"""What time is it at the CRM? A clock that can be set off, wound forward and made to run fast."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


class VirtualTime:
    """Starts at ``start`` (default: now), runs at ``speed`` seconds a second."""

    def __init__(self, start: datetime | None = None, speed: float = 1.0) -> None:
        self._base = (start or datetime.now(UTC)).timestamp()
        self._mark = time.monotonic()
        self._speed = speed

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._base, self._mark, self._speed = self.seconds(), time.monotonic(), speed

    def seconds(self) -> float:
        """Since 1970, in UTC."""
        return self._base + (time.monotonic() - self._mark) * self._speed

    def advance(self, seconds: float) -> None:
        """Turn the clock on (or back)."""
        self._base += seconds

    def set(self, moment: datetime) -> None:
        """From now on it is ``moment``."""
        self._base, self._mark = moment.timestamp(), time.monotonic()

    def adjust(self, body: Mapping[str, Any]) -> float:
        """As the admin side asks: ``set`` (ISO) and ``speed``; the seconds to ``advance`` then."""
        if "set" in body:
            self.set(datetime.fromisoformat(body["set"]))
        if "speed" in body:
            self.speed = float(body["speed"])
        return float(body.get("advance", 0))
