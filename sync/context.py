"""What is a command about: which account, by which config, as of which day, in which run?

Nothing changes it on the way: who looks at another day makes another context (``dataclasses.replace``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from sync.config.config import Config
    from sync.config.settings import AccountSettings, SegmentationSettings

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much (0: not known)


def silent(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody sees."""


def utc_now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Context:
    """One account during one command, without the stores and the CRM that stand in addition to it."""

    config: Config
    account: str
    run: int = 0  # the journal's number of this command; 0: it is not journalled
    day: date | None = None  # the last local day that counts, where the command line or a view names it
    allow: Mapping[str, str] = field(default_factory=dict)  # guard → reason
    progress: Progress = silent
    clock: Callable[[], datetime] = utc_now
    as_of: date = field(init=False)  # the last local day that counts

    def __post_init__(self) -> None:
        object.__setattr__(self, "as_of", self._named_day() or self._yesterday())

    @property
    def settings(self) -> AccountSettings:
        """The account's settings."""
        return self.config.accounts[self.account]

    @property
    def segmentations(self) -> Sequence[SegmentationSettings]:
        """What this account is labelled with."""
        return self.config.segmentations_of(self.account)

    @property
    def accounts(self) -> list[str]:
        """Accounts whose activity or attributes this one uses, itself first."""
        return [self.account, *self.settings.joined]

    @property
    def follows_clock(self) -> bool:
        """Whether the day is the clock's: nobody named one."""
        return self._named_day() is None

    def _named_day(self) -> date | None:
        return self.day or (self.config.as_of if isinstance(self.config.as_of, date) else None)

    def _yesterday(self) -> date:
        return (self.clock().astimezone(ZoneInfo(self.settings.time_zone)) - timedelta(days=1)).date()
