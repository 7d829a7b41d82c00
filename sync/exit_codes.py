"""What does each exit code mean, and why does a command end early?

0 done · 1 failed · 2 usage or config · 3 ``plan --exit-code`` found changes · 4 done with rejects or skips, or
months that differ · 5 a guard, a hold, a missing approval or a superseded plan stopped it · 75 try again later · 130 Ctrl-C · 143
SIGTERM. A further code gets its class here, and its rank in ``_FROM_THE_WORST``.

CommandError
├─ ConfigError   2   (``sync.config.faults``) the config is wrong, or set-up is missing
├─ UsageError    2   what was asked for is not known
├─ SetupNeeded   2   a field or list does not exist yet
├─ GuardTripped  5   a guard, a hold or a superseded plan
│  └─ ApprovalNeeded  a plan that nobody approved
└─ RetryLater    75  another run holds the lock, a window is closed, a quota is used up, the CRM is away
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.errors import QuotaError, TemporaryError
from sync.config.faults import ConfigError
from sync.local_time import local_time
from sync.sentence import sentence


class CommandError(Exception):
    """Ends a command; the message says what happened and what to do next."""

    exit_code = 1
    waits: Mapping[str, Any] | None = None  # a plan that waits for an approval, and why


class UsageError(CommandError):
    """A command was asked for something that it does not know."""

    exit_code = 2


class SetupNeeded(CommandError):
    """Something that ``setup`` makes is not there."""

    exit_code = 2


@dataclass(frozen=True)
class Trip:
    """A guard that stopped something: its name, what it counted, and what it allows."""

    guard: str
    what: str  # one sentence, with the figures
    first: bool = False  # only because this is a first labelling, which a review settles

    def __str__(self) -> str:
        return f"{self.guard}: {self.what}"


class GuardTripped(CommandError):
    """A guard, a hold or a superseded plan: nothing was written."""

    exit_code = 5

    def __init__(self, message: str, trips: Sequence[Trip] = (), plan: int | None = None) -> None:
        super().__init__(message)
        self.trips = tuple(trips)
        self.plan = plan


class ApprovalNeeded(GuardTripped):
    """A plan waits for somebody's approval, or somebody refused it: nothing was written."""

    def __init__(self, message: str, plan: int | None = None, why: str = "") -> None:
        super().__init__(message, (), plan)
        self.waits = {"plan": plan, "why": why}


class RetryLater(CommandError):
    """Try again later; everything so far is saved."""

    exit_code = 75

    def __init__(self, message: str, at: datetime | None = None) -> None:
        super().__init__(message)
        self.at = at  # when to try again, where that is known


def later(error: TemporaryError | QuotaError, moment: datetime, time_zone: str) -> RetryLater:
    """What an outage or a spent quota means for a command: everything so far is saved, and when to come
    again.
    """
    if isinstance(error, QuotaError):
        at, what = error.resets_at, "the CRM's API quota is used up"
    else:
        at, what = (
            moment + timedelta(seconds=error.retry_after) if error.retry_after else None,
            "the CRM cannot be reached",
        )
    unknown = "when the quota is renewed" if isinstance(error, QuotaError) else "later"
    when = f"after {local_time(at, time_zone)}" if at else unknown
    return RetryLater(f"{sentence(f'{what}: {error}')} Finished work is saved; run again {when}.", at)


def exit_code(error: BaseException) -> int:
    """The exit code that an error stands for."""
    if isinstance(error, ConfigError):
        return 2
    if isinstance(error, (TemporaryError, QuotaError)):
        return RetryLater.exit_code
    return error.exit_code if isinstance(error, CommandError) else 1


def stopped(error: BaseException) -> dict[str, Any]:
    """What ended a command, or the work for one account, as ``--json`` prints it."""
    again = {"again_at": error.at.isoformat()} if isinstance(error, RetryLater) and error.at else {}
    guards = (
        [{"guard": trip.guard, "what": trip.what} for trip in error.trips]
        if isinstance(error, GuardTripped)
        else []
    )
    return {"exit_code": exit_code(error), "error": sentence(str(error)), "guards": guards, **again}


# From the worst: broken (1, 2) before what waits for a person (5), before what the next run heals by itself
# (75), before what was done, with rejects (4) or something to show (3).
_FROM_THE_WORST = (1, 2, GuardTripped.exit_code, RetryLater.exit_code, 4, 3, 0)


def combined_exit_code(codes: Sequence[int]) -> int:
    """The exit code of a command about several accounts."""
    return min(codes, key=_FROM_THE_WORST.index, default=0)


def declined(sentence: str) -> dict[str, Any]:
    """What the answer of a command holds where nobody said yes: why it ends with 1, for readers of the JSON."""
    return {"declined": sentence, "exit_code": 1}
