"""When was that, by the clock of whoever reads it? Answers in JSON keep the instant itself, with its offset."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo


def local_time(instant: str | datetime, time_zone: str = "") -> str:
    """``2024-07-01 14:03 CEST``: an instant (text: ISO with offset) in the time zone of an account; without one, for
    what belongs to no account, in that of this machine.
    """
    moment = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    return f"{moment.astimezone(ZoneInfo(time_zone) if time_zone else None):%Y-%m-%d %H:%M %Z}"
