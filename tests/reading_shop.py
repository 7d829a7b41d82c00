"""A shop whose exports a test writes line by line, and the commands that read them: real files, a fixed
clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sync import commands
from sync.commands import Options

DAY = date(2026, 11, 27)  # the last day that counts
HEADER = "contact_id,occurred_at,amount,order_id"

CONFIG = """
state_dir = "state"
as_of = {as_of}

[accounts.shop]
crm = "files"
path = "exports"
{account}
[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"

[guards]
{guards}
"""


def day(days_ago: int) -> str:
    """A day so many days before the last one that counts."""
    return (DAY - timedelta(days=days_ago)).isoformat()


@dataclass
class ReadingShop:
    """A folder of exports and its config."""

    folder: Path
    as_of: str = DAY.isoformat()
    account: str = ""
    guards: str = ""
    today: datetime = datetime(2026, 11, 28, 12, tzinfo=UTC)

    @property
    def config(self) -> Path:
        path = self.folder / "config.toml"
        path.write_text(
            CONFIG.format(as_of=self.as_of, account=self.account, guards=self.guards), encoding="utf-8"
        )
        return path

    def contacts(self, ids: Iterable[object], folder: str = "exports") -> None:
        """The export of contacts, each with an address."""
        self.write("contacts.csv", "id,email", (f"{id},c{id}@example.org" for id in ids), folder)

    def orders(self, lines: Iterable[str], name: str = "activities.csv", folder: str = "exports") -> None:
        """An export of purchases."""
        self.write(name, HEADER, lines, folder)

    def write(self, name: str, header: str, lines: Iterable[str], folder: str = "exports") -> None:
        (self.folder / folder).mkdir(exist_ok=True)
        (self.folder / folder / name).write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")

    def append(self, lines: Iterable[str], name: str = "activities.csv") -> None:
        """The export grows."""
        with (self.folder / "exports" / name).open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)

    def do(
        self, command: str, *, allow: Iterable[str] = (), as_of: date | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """Run a command as the library does."""
        options = Options(allow=dict.fromkeys(allow, "a test says so"), as_of=as_of, clock=lambda: self.today)
        answer: dict[str, Any] = getattr(commands, command)(self.config, options, **arguments)
        return answer

    def trips(self, **arguments: Any) -> dict[str, dict[str, Any]]:
        """The guards on what was read that a plan trips, by name."""
        from sync.plan.reading_guards import GUARDS

        self.do("setup")
        planned = self.do("plan", **arguments)["plan"]
        return {trip["guard"]: trip for trip in planned["trips"] if trip["guard"] in GUARDS}

    def lose_mirror(self) -> None:
        for path in (self.folder / "state").glob("mirror.duckdb*"):
            path.unlink()

    def written(self) -> bool:
        """Whether anything stands in the CRM's segments."""
        path = self.folder / "exports" / "segments.csv"
        return path.exists() and any(
            line.partition(",")[2].strip('",\n') for line in path.read_text().splitlines()[1:]
        )


def purchases(number: int, contacts: int = 20, since: int = 300, start: int = 0) -> list[str]:
    """That many orders, spread over the contacts and the days up to the last one."""
    return [f"{1 + n % contacts},{day(n * 7 % since)},{10 + n % 90}.50,o{start + n}" for n in range(number)]


def streams(reading: Mapping[str, Any], account: str = "shop") -> dict[str, dict[str, Any]]:
    """The streams of an account in a summary."""
    streams_by_name: dict[str, dict[str, Any]] = reading["accounts"][account]["streams"]
    return streams_by_name
