"""What time is it in the org?"""

from __future__ import annotations

from datetime import UTC, datetime

from tests.servers.kit.clock import VirtualTime


class Clock(VirtualTime):
    """Virtual time, as instants in UTC."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)

    def stamp(self) -> str:
        """Now as records keep it: whole seconds, which is all that Salesforce stores."""
        return stamp(self.now())


def stamp(moment: datetime) -> str:
    """An instant as it is stored here: text that sorts as time does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
