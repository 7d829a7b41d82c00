"""A company whose customers are in a real Tryton: forty parties that bought, a config, and what people see of the end."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sync import commands
from sync.commands import Options
from tests.servers.tryton import PASSWORD, TrytonServer
from tests.world import ALLOWED

DAY = date(2026, 11, 1)
CUSTOMERS = 40
VARIABLE = "TRYTON_PASSWORD_OF_A_TEST"
CONFIG = """
state_dir = "state"
as_of = 2026-11-01

[accounts.tryton]
crm = "tryton"
api_url = "{url}"
database = "crm"
user = "admin"
password = "env:TRYTON_PASSWORD_OF_A_TEST"
time_zone = "Europe/Berlin"
"""
SEGMENTATION = """
[[segmentations]]
name = "rfm"
title = "Buying habits"
kind = "rfm"
field = "seg_rfm"
lists = "{lists}"
"""


@dataclass
class TrytonShop:
    """A database, and a folder with the config and the state of our program."""

    folder: Path
    server: TrytonServer
    lists: str = "static"
    segmented: bool = True  # whether the config names the segmentation

    @property
    def config(self) -> Path:
        os.environ[VARIABLE] = PASSWORD
        path = self.folder / "config.toml"
        text = CONFIG + (SEGMENTATION if self.segmented else "")
        path.write_text(text.format(url=self.server.url, lists=self.lists), encoding="utf-8")
        return path

    def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Run a command as the library does."""
        options = Options(allow=ALLOWED, as_of=DAY, clock=lambda: datetime.now(UTC))
        answer: dict[str, Any] = getattr(commands, command)(self.config, options, **arguments)
        return answer

    def started(self, *words: str) -> subprocess.Popen[bytes]:
        """The program as a process of its own."""
        allowed = [word for guard in ALLOWED for word in ("--allow", guard, "--reason", "a test")][:-2]
        command = [
            sys.executable,
            "-m",
            "sync",
            *words,
            "--config",
            str(self.config),
            *allowed,
            "--reason",
            "a test",
        ]
        return subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def categories(self) -> dict[str, set[int]]:
        """Segment as people read it → the parties that a user finds by it."""
        people = self.server.people()
        below = people.find("party.category", [["parent.name", "=", "Buying habits"]], "name")
        found = {row["name"]: people.in_category("Buying habits", row["name"]) for row in below}
        return {name: ids for name, ids in found.items() if ids}

    def in_lists(self) -> dict[str, set[str]]:
        """Segment → the addresses in its list."""
        people = self.server.people()
        names = [row["name"] for row in people.find("marketing.email.list", [], "name")]
        lists = {
            name.partition(": ")[2]: people.members(name)
            for name in names
            if name.startswith("Buying habits: ")
        }
        return {name: addresses for name, addresses in lists.items() if addresses}

    def addresses(self, parties: set[int]) -> set[str]:
        rows = self.server.people().find("party.party", [["id", "in", sorted(parties)]], "email")
        return {row["email"] for row in rows}


def seed(server: TrytonServer) -> list[int]:
    """Parties that bought between none and four times."""
    people = server.people()
    values = (people.party(f"Customer {n}", f"customer{n}@example.org", "Ulm") for n in range(CUSTOMERS))
    parties = people.create("party.party", *values)
    people.sell(
        *(
            (party, DAY - timedelta(days=(n * 7 + sale * 31) % 300 + 1), str(10 + n))
            for n, party in enumerate(parties)
            for sale in range(n % 5)
        )
    )
    return parties
