"""When may we write to a CRM?

A window is ``DAYS HH:MM-HH:MM`` in the account's time zone: ``Mon-Fri 02:00-05:00``, ``Sat,Sun 00:00-24:00``,
or ``22:00-04:00`` (every day). One that ends before it starts goes on into the next day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"(?:(?P<days>[A-Za-z,\- ]+?)\s+)?(?P<start>\d\d:\d\d)\s*-\s*(?P<end>\d\d:\d\d)")
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """A span of local time that starts on certain weekdays (0 = Monday); ``minutes`` long, at most a day."""

    days: frozenset[int]
    start: time
    minutes: int

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read ``Mon-Fri 02:00-05:00``; ValueError says what is not understood."""
        match = _WINDOW.fullmatch(text.strip())
        if not match:
            raise ValueError(f"{text!r} is not a window; write it like 'Mon-Fri 02:00-05:00'")
        start, end = _minute(match["start"]), _minute(match["end"])
        if start == 1440:
            raise ValueError(f"{text!r}: a window cannot start at 24:00")
        return cls(_weekdays(match["days"]), time(start // 60, start % 60), (end - start) % 1440 or 1440)

    def spans(self, around: datetime, days: int) -> list[tuple[datetime, datetime]]:
        """Start and end of each opening from the day before ``around`` to ``days`` after it; wall-clock
        times.
        """
        first = datetime.combine(around.date() - _DAY, self.start)
        starts = [first + _DAY * number for number in range(days + 2)]
        return [
            (start, start + timedelta(minutes=self.minutes))
            for start in starts
            if start.weekday() in self.days
        ]


@dataclass(frozen=True)
class Windows:
    """All windows of an account in its time zone. No window at all: always open."""

    windows: tuple[Window, ...]
    zone: ZoneInfo
    frozen: frozenset[date] = frozenset()  # days on which none is open

    def open_at(self, moment: datetime) -> bool:
        """Is ``moment`` (aware) inside a window? The end is outside."""
        return self._open(moment.astimezone(self.zone).replace(tzinfo=None))

    def _open(self, local: datetime) -> bool:
        return local.date() not in self.frozen and (
            not self.windows
            or any(start <= local < end for window in self.windows for start, end in window.spans(local, 0))
        )

    def next_opening(self, moment: datetime) -> datetime:
        """``moment`` itself where open, else the next time that a window opens; in the account's time zone."""
        here = moment.astimezone(self.zone)
        if self.open_at(moment):
            return here
        local = here.replace(tzinfo=None)
        ahead = 8 + len(self.frozen)
        midnight = datetime.combine(local.date(), time())
        starts = [start for window in self.windows for start, _ in window.spans(local, ahead)]
        starts += [midnight + _DAY * number for number in range(1, ahead)]  # a frozen day ends
        return min(start for start in starts if start > local and self._open(start)).replace(tzinfo=self.zone)


def _minute(text: str) -> int:
    hours, minutes = map(int, text.split(":"))
    if minutes > 59 or hours * 60 + minutes > 1440:
        raise ValueError(f"{text!r} is not a time of day; valid: 00:00 to 24:00")
    return hours * 60 + minutes


def _weekdays(text: str | None) -> frozenset[int]:
    if text is None:
        return frozenset(range(7))
    days: set[int] = set()
    for part in text.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        for name in (first, last or first):
            if name not in _DAYS:
                raise ValueError(
                    f"{name!r} is not a weekday; valid: {', '.join(day.title() for day in _DAYS)}"
                )
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        days.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return frozenset(days)
