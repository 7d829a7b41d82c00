"""Is this computer's clock right? Which day is labelled, and what counts as new, hangs on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sync.exit_codes import CommandError
from sync.local_time import local_time
from sync.store.journal import Journal

_DAY = timedelta(days=1)
_SLACK = timedelta(minutes=5)  # by which clocks of two computers on one state directory may differ


def require_clock(now: datetime, servers: Mapping[str, datetime | None]) -> None:
    """Refuses where the clock is more than a day ahead of the server of an account, by its last answer: the day
    that would be labelled has not come.
    """
    for name, server in servers.items():
        if server is not None and now - server > _DAY:
            raise CommandError(
                f"this computer's clock says {local_time(now)}, the server of account {name} says "
                f"{local_time(server)}: set the clock right and run again. Nothing was written"
            )


def clock_notes(journal: Journal, account: str, run: int, time_zone: str) -> list[str]:
    """A sentence where the journal holds runs that are dated after now."""
    began = journal.runs.latest_start(account, without=run)
    if began is None or datetime.fromisoformat(began) <= datetime.now(UTC) + _SLACK:
        return []
    return [
        f"the journal holds a run of {local_time(began, time_zone)}, which is in the future: this computer's clock went back, or was "
        f"ahead then. Check the clock; labels for days in the future are ignored"
    ]
