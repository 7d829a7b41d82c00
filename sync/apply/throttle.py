"""How many records may be written now, and when may the rest be?

The hour of ``writes_per_hour`` is any sixty minutes. A batch counts whole from before its call until its
answer, and for an hour after the answer with the records that it may have moved; so whatever was cut off, no
hour holds more than the config says.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sync.account.session import Session
from sync.exit_codes import RetryLater


def stamp(session: Session) -> str:
    """The present instant of the session's clock, as the journal writes it."""
    return session.clock().astimezone(UTC).isoformat(timespec="microseconds")


def wait_for_window(session: Session) -> None:
    """RetryLater where the config's windows are closed now."""
    windows = session.config.windows(session.account)
    moment = session.clock()
    if not windows.open_at(moment):
        opening = windows.next_opening(moment)
        raise RetryLater(
            f"writing windows are closed until {opening:%Y-%m-%d %H:%M %Z}; the plan waits, `crm-segments run` goes on then",
            opening,
        )


def room(session: Session) -> int | None:
    """Records that may be written now; None: as many as you like."""
    pace = session.config.pace.writes_per_hour
    if pace is None:
        return None
    counted = session.journal.batches.counted_since(session.account, _hour_ago(session))
    return max(0, pace - counted)


def room_at(session: Session) -> datetime:
    """When the first of what was written in the last hour does not count any more."""
    oldest = session.journal.batches.first_counted_since(session.account, _hour_ago(session))
    return (datetime.fromisoformat(oldest) if oldest else session.clock().astimezone(UTC)) + timedelta(
        hours=1
    )


def used_up(session: Session, plan: int) -> str:
    """The sentence that says so."""
    return (
        f"the pace of {session.config.pace.writes_per_hour:,} records an hour is used up; the rest of plan {plan} waits until "
        f"{room_at(session).astimezone(ZoneInfo(session.settings.time_zone)):%H:%M %Z}, then run again"
    )


def _hour_ago(session: Session) -> str:
    return (session.clock().astimezone(UTC) - timedelta(hours=1)).isoformat(timespec="microseconds")
