"""A company whose customers are in a HubSpot portal: a config, commands, and a portal whose time runs fifty
times as fast.

The connector's own waiting runs as fast as the portal's clock, so that limits, pauses and lags keep their
proportions.
"""

from __future__ import annotations

import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.errors import ConnectorError
from connectors.http.rate_limit import RateLimit
from connectors.http.transport import Transport
from connectors.rest import session
from sync import commands
from sync.commands import Options
from sync.config.faults import ConfigError
from sync.exit_codes import CommandError
from tests.servers.hubspot import TOKEN, Clock, Fault, Knobs, Portal, Running, seed, serving
from tests.world import ALLOWED

SPEED = 50.0
KEY = "HUBSPOT_KEY_OF_A_TEST"
STAMPS = {"lastmodifieddate", "hs_lastmodifieddate", "hs_calculated_merged_vids"}
CONFIG = """
state_dir = "state"

[accounts.portal]
crm = "hubspot"
api_url = "{url}"
api_version = "{version}"
{login}
time_zone = "Europe/Berlin"
activity = ["deals"]
products = false
{account}

[accounts.portal.attributes]
city = "city"

{pace}[[segmentations]]
name = "rfm"
title = "Buying habits"
kind = "rfm"
field = "seg_rfm"
extra_fields = ["since"]

[[segmentations]]
name = "value"
title = "Customer value"
kind = "abc"
field = "seg_value"
lists = "{lists}"

{more}
"""
# the portal's clock starts now: what starts a workflow is written whenever the tests run
AT_ANY_HOUR = '[pace]\nsend_windows = ["00:00-24:00"]\n\n'


@dataclass
class Shop:
    """A portal, and a folder with the config and the state of our program."""

    folder: Path
    server: Running
    version: str = "2026-09"
    login: str = f'token = "env:{KEY}"'
    account: str = ""  # further lines of the account
    lists: str = "dynamic"
    more: str = ""  # further tables
    day: date = field(default_factory=lambda: datetime.now(UTC).date() - timedelta(days=2))

    @property
    def portal(self) -> Portal:
        return self.server.portal

    @property
    def config(self) -> Path:
        """The config's path; the file is written anew as it stands."""
        path = self.folder / "config.toml"
        names = ("version", "login", "account", "lists", "more")
        pace = "" if "[pace]" in self.more else AT_ANY_HOUR
        texts = {name: getattr(self, name) for name in names}
        path.write_text(CONFIG.format(url=self.server.url, pace=pace, **texts), encoding="utf-8")
        return path

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.portal.clock.now() / 1000, UTC)

    def do(self, command: str, *, allow: Mapping[str, str] = ALLOWED, **arguments: Any) -> dict[str, Any]:
        """Run a command as the library does."""
        options = Options(allow=allow, as_of=self.day, clock=self.now)
        answer: dict[str, Any] = getattr(commands, command)(self.config, options, **arguments)
        return answer

    def code(self, command: str = "run", **arguments: Any) -> int:
        """The exit code of a command; anything that would be a traceback is raised."""
        self.said: Any = None
        try:
            self.said = self.do(command, **arguments)
        except (CommandError, ConnectorError, ConfigError) as error:
            self.said = error
            return commands.exit_code(error)
        return int(self.said["exit_code"])

    def finish(self, tries: int = 12) -> int:
        """Run until a run has nothing left that waits, as a scheduler does; the last exit code."""
        code = 75
        while code == 75 and tries:
            code, tries = self.code(), tries - 1
            self.portal.settle(1800)
        return code

    def strikes(self, *faults: Fault) -> None:
        self.portal.script.rules = list(faults)

    def fields(self, *names: str) -> dict[str, dict[str, str]]:
        """What our fields hold, by record."""
        wanted = names or ("seg_rfm", "seg_rfm_since", "seg_value")
        return {
            id: {n: values[n] for n in wanted if n in values} for id, values in self.portal.dump().items()
        }

    def foreign(self) -> dict[str, dict[str, str]]:
        """Everything else that contacts hold, but the stamps of what happened to them."""
        return {
            id: {n: v for n, v in values.items() if not _is_ours(n)}
            for id, values in self.portal.dump().items()
        }

    def lists_by_name(self) -> dict[str, list[int]]:
        self.portal.settle(10)
        return {
            each.name: sorted(each.members) for each in self.portal.lists.all.values() if not each.deleted
        }

    def end(self) -> tuple[Any, Any, Any]:
        """All that a run could have changed."""
        return self.fields(), self.foreign(), self.lists_by_name()

    def times_changed(self) -> dict[tuple[int, str], int]:
        """How often each field of ours took on another value."""
        shelf = self.portal.store.shelves["contacts"]
        return {
            (id, name): len(versions)
            for id, record in shelf.records.items()
            for name, versions in (record.history or {}).items()
            if name.startswith("seg_")
        }


def _is_ours(name: str) -> bool:
    return name.startswith("seg_") or name in STAMPS


@contextmanager
def portal_of(
    knobs: Knobs | None = None, contacts: int = 60, deals: int = 150, start: datetime | None = None
) -> Iterator[Running]:
    """A served portal with customers; equal arguments make equal portals."""
    portal = Portal(knobs or Knobs(), Clock(SPEED, start))
    seed(portal, contacts, deals)
    with serving(portal) as server:
        yield server


def hasten(monkeypatch: pytest.MonkeyPatch, folder: Path, speed: float = SPEED) -> None:
    """Let the connector wait as fast as the portal's clock runs."""
    plain: Callable[[Transport, float], None] = Transport._sleep
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv(KEY, TOKEN)
    monkeypatch.setattr(session, "RateLimit", partial(RateLimit, clock=lambda: time.monotonic() * speed))
    monkeypatch.setattr(Transport, "_sleep", lambda self, seconds: plain(self, seconds / speed))


def main() -> int:
    """A run of a process of its own, on the clock of the portal that the config names: CONFIG DAY COMMAND;
    its exit code.
    """
    config, day, command = Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), sys.argv[3]
    url = tomllib.loads(config.read_text(encoding="utf-8"))["accounts"]["portal"]["api_url"]
    answer = requests.get(f"{url}/__admin/clock", timeout=20).json()
    clock = Clock(answer["speed"], datetime.fromisoformat(answer["now"]))
    with pytest.MonkeyPatch.context() as patch:
        hasten(patch, config.parent.parent, answer["speed"])
        options = Options(
            allow=ALLOWED, as_of=day, clock=lambda: datetime.fromtimestamp(clock.now() / 1000, UTC)
        )
        try:
            return int(getattr(commands, command)(config, options)["exit_code"])
        except (CommandError, ConnectorError, ConfigError) as error:
            return commands.exit_code(error)


if __name__ == "__main__":
    sys.exit(main())
