"""A company whose customers are in a Salesforce org: a config, commands, and what the end looks like.

The connector's own waiting runs fifty times as fast, so that pauses cost a test little.
"""

from __future__ import annotations

import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.errors import ConnectorError
from connectors.http.rate_limit import RateLimit
from connectors.http.transport import Transport
from connectors.rest import session
from connectors.salesforce import bulk, fields, writing
from sync import commands
from sync.commands import Options
from sync.config.faults import ConfigError
from sync.exit_codes import CommandError, exit_code
from tests.org_store import RIGHTS
from tests.servers.salesforce import Org, Server, seed, serving
from tests.servers.salesforce.clock import Clock
from tests.servers.salesforce.rules import Automation
from tests.world import ALLOWED

SPEED = 50.0
START = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
DAY = date(2026, 3, 8)
SECRET = "SALESFORCE_SECRET_OF_A_TEST"
LOGIN = 'client_id = "{client_id}"\nclient_secret = "env:SALESFORCE_SECRET_OF_A_TEST"'
CONFIG = """
state_dir = "state"

[accounts.org]
crm = "salesforce"
api_url = "{url}"
{login}
time_zone = "Europe/Berlin"
campaigns = true
bulk_reads_above = {reads}
bulk_writes_above = {writes}
{account}

[accounts.org.attributes]
city = "MailingCity"

[[segmentations]]
name = "rfm"
title = "Buying habits"
kind = "rfm"
field = "seg_rfm"
extra_fields = ["since"]
lists = "{lists}"

[[segmentations]]
name = "value"
title = "Customer value"
kind = "abc"
field = "seg_value"

{more}
"""
OURS = ("seg_rfm__c", "seg_rfm_since__c", "seg_value__c")
_STAMPS = {"SystemModstamp", "LastModifiedDate", "LastModifiedById", "LastActivityDate"}


@dataclass
class Shop:
    """An org, and a folder with the config and the state of our program."""

    folder: Path
    server: Server
    lists: str = "static"
    login: str = LOGIN
    account: str = ""  # further lines of the account
    more: str = ""  # further tables
    reads: int = 50_000  # rows from which on a query is a bulk job
    writes: int = 2_000
    said: Any = None
    flow: Automation = attribute(
        default_factory=lambda: Automation("Contact", "Welcome", column="seg_rfm__c")
    )

    def __post_init__(self) -> None:
        self.org.rules.automations.append(self.flow)

    @property
    def org(self) -> Org:
        return self.server.org

    @property
    def config(self) -> Path:
        """The config's path; the file is written anew as it stands."""
        path = self.folder / "config.toml"
        login = self.login.format(client_id=self.org.login.client_id)
        names = {name: getattr(self, name) for name in ("lists", "account", "more", "reads", "writes")}
        path.write_text(CONFIG.format(url=self.server.url, login=login, **names), encoding="utf-8")
        return path

    def do(self, command: str, *, allow: Mapping[str, str] = ALLOWED, **arguments: Any) -> dict[str, Any]:
        """Run a command as the library does."""
        self.org.clock.advance(2)
        options = Options(allow=allow, as_of=DAY, clock=self.org.clock.now)
        answer: dict[str, Any] = getattr(commands, command)(self.config, options, **arguments)
        return answer

    def code(self, command: str = "run", **arguments: Any) -> int:
        """The exit code of a command; anything that would be a traceback is raised."""
        try:
            self.said = self.do(command, **arguments)
        except (CommandError, ConnectorError, ConfigError) as error:
            self.said = error
            return exit_code(error)
        return int(self.said["exit_code"])

    def finish(self, tries: int = 12) -> int:
        """Run until a run has nothing left that waits, as a scheduler does; the last exit code."""
        code = 75
        while code == 75 and tries:
            code, tries = self.code(), tries - 1
            self.org.clock.advance(1800)
        return code

    def strikes(self, *faults: dict[str, Any]) -> None:
        """From now on this goes wrong."""
        self.org.faults.clear()
        self.org.faults.add(*faults)

    def rests(self) -> None:
        """Everything is well again, and a day has passed."""
        self.org.faults.clear()
        self.org.clock.advance(86_400)
        for file in (self.folder.parent / "cache").rglob("*"):
            if file.is_file():
                file.unlink()

    def fields(self, entity: str = "Contact") -> dict[str, dict[str, Any]]:
        """What our fields hold, by record."""
        return {row["Id"]: {name: row.get(name) for name in OURS} for row in self.org.rows(entity)}

    def foreign(self) -> dict[str, dict[str, Any]]:
        """Everything else that contacts hold, but their stamps."""
        skipped = {*OURS, *_STAMPS}
        return {
            row["Id"]: {name: value for name, value in row.items() if name not in skipped}
            for row in self.org.rows("Contact")
        }

    def members(self) -> dict[str, list[str]]:
        """Members of each of our campaigns, twice where they are in it twice."""
        names = {row["Id"]: row["Name"] for row in self.org.rows("Campaign")}
        members: dict[str, list[str]] = {}
        for row in self.org.rows("CampaignMember"):
            members.setdefault(names[row["CampaignId"]], []).append(row["ContactId"] or row["LeadId"])
        return {name: sorted(ids) for name, ids in members.items()}

    def end(self) -> tuple[Any, Any, Any]:
        """All that a run could have changed."""
        return self.fields(), self.foreign(), self.members()

    def written(self) -> int:
        """How many calls changed something so far."""
        return sum(call["method"] != "GET" and not call["path"].startswith(READING) for call in self.org.log)

    def calls(self, method: str, path: str) -> int:
        """How many calls of a method came to paths that hold a text."""
        return sum(call["method"] == method and path in call["path"] for call in self.org.log)


# Calls by POST or DELETE that change no record.
READING = ("/services/oauth2", "/services/data/v66.0/composite/sobjects/", "/services/data/v66.0/jobs/query")


@contextmanager
def org_of(contacts: int = 300, **knobs: Any) -> Iterator[Server]:
    """A served org with customers; equal arguments make equal orgs."""
    org = Org(7, rights=RIGHTS, clock=Clock(START), **knobs)
    seed(
        org,
        contacts,
        opportunities=contacts * 2 if contacts < 1_000 else contacts // 2,
        campaigns=1,
        days=500,
        odd=True,
    )
    with serving(org) as server:
        yield server
    assert org.errors == [], org.errors


@contextmanager
def shop_of(
    folder: Path,
    contacts: int = 300,
    set_up: bool = True,
    settings: Mapping[str, Any] | None = None,
    **knobs: Any,
) -> Iterator[Shop]:
    """A shop whose set-up is done, unless said otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    with org_of(contacts, **knobs) as server:
        made = Shop(folder, server, **(settings or {}))
        if set_up:
            assert made.code("setup") == 0, made.said
        server.org.log.clear()
        yield made


def hasten(monkeypatch: pytest.MonkeyPatch, folder: Path, speed: float = SPEED) -> None:
    """Let the connector wait little."""
    plain: Callable[[Transport, float], None] = Transport._sleep
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv(SECRET, "local-secret")
    monkeypatch.setattr(session, "RateLimit", partial(RateLimit, clock=lambda: time.monotonic() * speed))
    monkeypatch.setattr(Transport, "_sleep", lambda self, seconds: plain(self, seconds / speed))
    for waiting in (bulk.Bulk, fields.Fields, writing.Writing):
        defaults = waiting.__init__.__defaults__ or ()
        brief = tuple(
            (lambda seconds: time.sleep(seconds / speed)) if default is time.sleep else default
            for default in defaults
        )
        monkeypatch.setattr(waiting.__init__, "__defaults__", brief)


def command_of(shop: Shop, command: str = "run") -> list[str]:
    """A command as a process of its own."""
    return [sys.executable, "-m", "tests.org_shop", str(shop.config), command]


def main() -> int:
    """A command on the clock of the org that the config names: CONFIG COMMAND; its exit code."""
    config, command = Path(sys.argv[1]), sys.argv[2]
    url = tomllib.loads(config.read_text(encoding="utf-8"))["accounts"]["org"]["api_url"]
    clock = Clock(datetime.fromisoformat(requests.get(f"{url}/__admin/clock", timeout=20).json()["now"]))
    with pytest.MonkeyPatch.context() as patch:
        hasten(patch, config.parent.parent)
        try:
            return int(
                getattr(commands, command)(config, Options(allow=ALLOWED, as_of=DAY, clock=clock.now))[
                    "exit_code"
                ]
            )
        except (CommandError, ConnectorError, ConfigError) as error:
            return exit_code(error)


if __name__ == "__main__":
    sys.exit(main())
