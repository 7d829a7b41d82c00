"""Every endpoint answers something that is no answer: is it an error with a sentence, and nothing believed
that was not said?

Each endpoint gets a third of the kinds. ``python -m tests.salesforce_foreign`` does the same to whole runs,
with all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors import open_connector, settings_model
from connectors.contract import Account, Attribute, Connector, FieldSpec, ListSpec, Option
from connectors.errors import ConnectorError
from connectors.http.transport import Transport
from connectors.rest import session
from connectors.schemas import CHANGE_SCHEMA, MEMBER
from tests.org_shop import START, hasten
from tests.org_store import RIGHTS
from tests.salesforce_foreign import Endpoint, endpoint
from tests.servers.salesforce import Org, Server, seed, serving
from tests.servers.salesforce.clock import Clock
from tests.servers.salesforce.foreign import KINDS

TIER = FieldSpec("seg_tier", label="Tier", options=(Option("a", "A"), Option("b", "B")))
NOTE = FieldSpec("seg_note", type="text", label="Note")
STATIC = ListSpec("tier.a", "Tier A", "static")
SPARE = FieldSpec("seg_spare", type="number", label="Spare")
NUMBER = itertools.count(1)


class Ticket:
    """Remembers the job of one batch."""

    job: str | None = None

    def save(self, job: str) -> None:
        self.job = job


class World:
    """An org with a few customers, our fields and a list of ours."""

    def __init__(self, server: Server) -> None:
        self.server, self.org = server, server.org
        connector = self.connect()
        for spec in (TIER, NOTE):
            connector.ensure_field(spec)
        self.list = connector.ensure_list(STATIC)
        connector.close()
        self.ids = sorted(row["Id"] for row in self.org.rows("Contact", "IsDeleted = 0"))[:6]

    def connect(self, bulk: bool = False) -> Connector:
        login = self.org.login
        settings = settings_model("salesforce")(
            api_url=self.server.url, client_id=login.client_id, client_secret=login.client_secret, campaigns=True,
            activity=("opportunities", "tasks", "events", "campaigns", "orders"),
        )  # fmt: skip
        if bulk:
            for name in ("bulk_reads_above", "bulk_writes_above"):
                object.__setattr__(settings, name, 2)
        lists = {self.list.id: STATIC.key} if hasattr(self, "list") else {}
        city = {"city": Attribute("MailingCity"), "trade": Attribute("Account.Industry")}
        account = Account(
            "org",
            "salesforce",
            settings,
            time_zone="Europe/Berlin",
            attributes=city,
            fields=(TIER, NOTE),
            lists=lists,
        )
        return open_connector(account)

    def notes(self) -> dict[str, Any]:
        return {row["Id"]: row["seg_note__c"] for row in self.org.rows("Contact")}

    def members(self) -> set[str]:
        campaign = self.list.id.split(":")[1]
        return {
            row["ContactId"]
            for row in self.org.rows("CampaignMember", "CampaignId = ? AND IsDeleted = 0", campaign)
        }


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    hasten(monkeypatch, tmp_path, 2_000.0)
    monkeypatch.setattr(session, "Transport", partial(Transport, attempts=2))
    org = Org(7, rights=RIGHTS, clock=Clock(START))
    seed(org, 12, opportunities=20, campaigns=1, days=500)
    with serving(org) as server:
        yield World(server)


def _pages(connector: Connector, stream: str) -> list[Any]:
    return [
        page.records.sort_by("id").to_pylist()
        for page in connector.read(stream, None)
        if page.records.num_rows
    ]


def _written(world: World, connector: Connector) -> str:
    """Every note gets a value that it never had; "" where nothing is called done that is not there."""
    value = f"note {next(NUMBER)}"
    rows = [
        {"record_type": "contact", "id": id, "target": "seg_note", "before": None, "after": value}
        for id in world.ids
    ]
    changes = pa.Table.from_pylist(rows, schema=CHANGE_SCHEMA)
    outcomes = connector.write_fields(changes, Ticket()).to_pylist()
    notes = world.notes()
    wrong = [
        id
        for id, outcome in zip(world.ids, outcomes, strict=True)
        if outcome["status"] == "done" and notes[id] != value
    ]
    return f"called done, and not there: {wrong}" if wrong else ""


def _joined(world: World, connector: Connector) -> str:
    """Who is a member leaves, the others join; "" where nothing is called done that is not so."""
    before = world.members()
    rows = [
        {
            "record_type": "contact",
            "id": id,
            "target": STATIC.key,
            "before": None,
            "after": None if id in before else MEMBER,
        }
        for id in world.ids
    ]
    changes = pa.Table.from_pylist(rows, schema=CHANGE_SCHEMA)
    outcomes = connector.write_members(world.list, changes, Ticket()).to_pylist()
    now = world.members()
    wrong = [
        row["id"] for row, outcome in zip(rows, outcomes, strict=True)
        if outcome["status"] == "done" and (row["id"] in now) != (row["after"] == MEMBER)
    ]  # fmt: skip
    return f"called done, and not so: {wrong}" if wrong else ""


def _current(world: World, connector: Connector) -> Any:
    rows = [{"record_type": "contact", "id": id, "target": name, "before": None, "after": None}
            for id in world.ids for name in ("seg_tier", "seg_note")]  # fmt: skip
    values = connector.current_values(pa.Table.from_pylist(rows, schema=CHANGE_SCHEMA)).to_pylist()
    wanted = {row["Id"]: row for row in world.org.rows("Contact")}
    return [
        value == wanted[row["id"]][f"{row['target']}__c"] for value, row in zip(values, rows, strict=True)
    ]


DEEDS: dict[str, Callable[[World, Connector], Any]] = {
    "check": lambda world, connector: [problem.what for problem in connector.check_reading()],
    "home": lambda world, connector: connector.account_defaults(),
    "count": lambda world, connector: [connector.count(stream) for stream in ("contact", "lead")],
    "contacts": lambda world, connector: _pages(connector, "contact"),
    "leads": lambda world, connector: _pages(connector, "lead"),
    "accounts": lambda world, connector: _pages(connector, "company"),
    "activity": lambda world, connector: _pages(connector, "activity"),
    "fields": lambda world, connector: sorted(connector.fields()),
    "lists": lambda world, connector: sorted(remote.id for remote in connector.lists()),
    "members": lambda world, connector: sorted(
        row["id"] for page in connector.members(world.list, None) for row in page.records.to_pylist()
    ) == sorted(world.members()),
    "write": _written,
    "join": _joined,
    "current": _current,
    "new field": lambda world, connector: connector.ensure_field(
        FieldSpec(f"seg_{next(NUMBER)}n", options=(Option("a", "A"),))
    ).existed,
    "new option": lambda world, connector: connector.ensure_field(
        FieldSpec("seg_tier", label="Tier", options=(*TIER.options, Option(f"o{next(NUMBER)}", "O")))
    ),
    "new list": lambda world, connector: connector.ensure_list(ListSpec(f"tier.n{next(NUMBER)}", "New list", "static")).kind,
    "automations": lambda world, connector: connector.automations((TIER,), ()),
}  # fmt: skip
BULK = ("contacts", "activity", "write")


def _asked(world: World, name: str, bulk: bool) -> tuple[Any, list[Endpoint]]:
    """What a deed answers where all is well, and the endpoints that it asks."""
    world.org.log.clear()
    connector = world.connect(bulk)
    answer = DEEDS[name](world, connector)
    connector.close()
    return answer, list(dict.fromkeys(endpoint("", name, entry) for entry in world.org.log))


@pytest.mark.parametrize(
    ("name", "bulk"), [(name, False) for name in DEEDS] + [(name, True) for name in BULK]
)
def test_nothing_is_believed_that_is_no_answer(name: str, bulk: bool, world: World) -> None:
    quiet, asked = _asked(world, name, bulk)
    wrong = []
    for call, kind in [
        (call, kind) for position, call in enumerate(asked) for kind in KINDS[position % 3 :: 3]
    ]:
        world.org.faults.clear()
        world.org.faults.add(
            {
                "match": {"method": call.method, "path": call.pattern},
                "do": "foreign",
                "body": kind,
                "times": 10**6,
            }
        )
        connector = world.connect(bulk)
        try:
            answer = DEEDS[name](world, connector)
            if answer != quiet and not (name == "check" and answer):  # a problem is a sentence too
                wrong.append(f"{call.method} {call.pattern} {kind}: {str(answer)[:160]}")
        except ConnectorError as error:
            assert str(error)
        except Exception as error:  # a traceback, which must not be
            position: Any = error.__traceback__
            while position.tb_next is not None:
                position = position.tb_next
            wrong.append(
                f"{call.method} {call.pattern} {kind}: {error!r} {position.tb_frame.f_code.co_filename[-30:]}:{position.tb_lineno}"
            )
        finally:
            connector.close()
    world.org.faults.clear()
    assert not wrong, "\n".join(wrong)
    assert _asked(world, name, bulk)[0] == quiet
