"""What time is it in the portal? Milliseconds since 1970 in UTC, as fast as a test wants, and movable."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.servers.kit.clock import VirtualTime


class Clock(VirtualTime):
    """Virtual time in milliseconds."""

    def __init__(self, speed: float = 1.0, start: datetime | None = None) -> None:
        start = start or datetime.now(UTC)
        super().__init__(start, speed)
        self.start = int(start.timestamp() * 1000)

    def now(self) -> int:
        return int(self.seconds() * 1000)


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
