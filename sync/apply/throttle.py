"""How many records may be written now, and when may the rest be?

The hour of ``writes_per_hour`` is any sixty minutes. A batch counts whole from before its call until its
answer, and for an hour after the answer with the records that it may have moved; so whatever was cut off, no
hour holds more than the config says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sync.config.windows import Windows
from sync.exit_codes import RetryLater
from sync.local_time import local_time
from sync.store.journal.batches import Batches

_HOUR = timedelta(hours=1)


def stamp(moment: datetime) -> str:
    """An instant as the journal writes it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class Throttle:
    """The writing windows and the pace of an account."""

    batches: Batches
    account: str
    clock: Callable[[], datetime]
    windows: Windows
    send_windows: Windows  # for what starts something in the CRM
    pace: int | None  # records in an hour; None: as many as you like
    time_zone: str

    def wait_for_window(self) -> None:
        """RetryLater where the windows are closed now."""
        moment = self.clock()
        if not self.windows.open_at(moment):
            opening = self.windows.next_opening(moment)
            raise RetryLater(
                f"writing windows are closed until {local_time(opening, self.time_zone)}; the plan waits, and `crm-segments run` "
                "continues then",
                opening,
            )

    def may_send(self) -> bool:
        """Whether something may be started in the CRM now."""
        return self.send_windows.open_at(self.clock())

    def not_to_be_sent(self, plan: int, records: int) -> RetryLater:
        """Says that the changes of a plan wait that start something in the CRM."""
        opening = self.send_windows.next_opening(self.clock())
        return RetryLater(
            f"changes of {records:,} records in plan {plan} start workflows or flows, or it cannot be told whether they do: they wait "
            f"until {local_time(opening, self.time_zone)} (send_windows, freeze). All others are written; run again then",
            opening,
        )

    def room(self) -> int | None:
        """Records that may be written now; None: as many as you like."""
        if self.pace is None:
            return None
        return max(0, self.pace - self.batches.counted_since(self.account, self._hour_ago()))

    def used_up(self, plan: int) -> RetryLater:
        """Says that the rest of a plan waits until the first of what was written in the last hour does not count
        any more.
        """
        oldest = self.batches.first_counted_since(self.account, self._hour_ago())
        room_at = (datetime.fromisoformat(oldest) if oldest else self.clock().astimezone(UTC)) + _HOUR
        return RetryLater(
            f"the pace of {self.pace:,} records an hour is reached; the rest of plan {plan} waits until "
            f"{local_time(room_at, self.time_zone)}, then run again",
            room_at,
        )

    def _hour_ago(self) -> str:
        return stamp(self.clock() - _HOUR)
