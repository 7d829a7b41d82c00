"""A company whose customers are in HubSpot or Salesforce, before and behind its set-up; commands while an
answer of the stand-in server is damaged; and what of it belongs to people.

Each trial is a copy of the process that serves: records, state and clock are there as they were left.
"""

from __future__ import annotations

import copy
import io
import os
import pickle
import random
import re
import shutil
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from connectors import open_connector
from connectors.contract import Account, Connector
from sync import commands
from sync.commands import Options
from sync.terminal.printers import print_answer
from tests import org_shop, portal_shop
from tests.benchmarks.forking import CODES, Verdict, forked, misbehaved
from tests.org_store import RIGHTS
from tests.salesforce_foreign import endpoint
from tests.servers import hubspot, salesforce
from tests.servers.garbling import PLAUSIBLE, Garbler, garbler, listener
from tests.servers.salesforce.clock import Clock
from tests.world import ALLOWED

SPEED = 2_000.0
_TYPED = "c"  # what a person typed into a field of ours
# What a command does that changes the CRM, and how often it is tried.
NEW: dict[str, int] = {"setup": 3, "check": 1}
LIVED: dict[str, int] = {
    "run": 6, "plan": 2, "apply": 2, "backfill": 2, "undo": 2, "retire": 2, "check": 2, "setup": 1, "pull": 2,
}  # fmt: skip


@dataclass
class Quiet:
    """How a command ends where no answer is damaged: its code, the CRM then and after further runs, and what
    was asked.
    """

    code: int
    end: Any
    settled: Any
    asked: list[tuple[str, str]]  # method and pattern, a pair for each call


@dataclass
class Company:
    """One CRM, one way to read it, one stage of its life."""

    name: str
    shop: Any
    past: Path
    commands: dict[str, int]
    garble: Callable[[Garbler | None], None]
    foreign: Callable[[], Any]
    pattern: Callable[[str, str], str]  # which calls are of the same endpoint as this one
    quiet: dict[str, Quiet] = field(default_factory=dict)

    def begin(self, folder: Path) -> None:
        """In a copy of the process: a copy of the state, and a thread that serves."""
        shutil.copytree(self.past, folder)
        self.shop.folder = folder
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        server = self.shop.server._http
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def do(self, command: str) -> int:
        """The exit code of a command, whose answer or error is printed; what nobody foresaw is raised."""
        arguments: dict[str, Any] = {}
        if command == "undo":
            arguments["number"] = 2
        if command == "retire":
            arguments["target"] = "seg_value"
            self.shop.more = "# without a segmentation"
        code: int = self.shop.code(command, **arguments)
        self.shop.more = ""
        if isinstance(self.shop.said, Exception):
            print(f"crm-segments: {self.shop.said}")
        else:
            print_answer(command, self.shop.said)
        return code

    def quietly(self, command: str, folder: Path) -> Quiet:
        """The command, and runs until nothing is left to do, where all is well."""
        self.begin(folder)
        ear = listener()
        self.garble(ear)
        code, end = self.do(command), self.shop.end()
        self.garble(None)
        asked = [(method, self.pattern(method, target)) for method, target in ear.calls]
        self._on(command)
        return Quiet(code, end, self.shop.end(), asked)

    def _on(self, command: str) -> int:
        """What a scheduler does afterwards."""
        if command in NEW:
            self.do("setup")
        return int(self.shop.finish())

    def damaged(self, command: str, folder: Path, spoiler: Garbler, settles: bool) -> tuple[str, int]:
        """What is wrong with how the command ended under damage, and its exit code."""
        self.begin(folder)
        foreign, before, quiet = self.foreign(), self.shop.end(), self.quiet[command]
        self.garble(spoiler)
        code = self.do(command)
        if self.foreign() != foreign:
            return "a foreign value was touched", code
        if code not in CODES:
            return "exit code", code
        if spoiler.how not in PLAUSIBLE and not between(self.shop.end(), before, quiet.end):
            return "a value that neither was there nor was wanted", code
        if settles and spoiler.how not in PLAUSIBLE and command not in ("undo", "retire"):
            self.garble(None)
            code_of_end = self._on(command)
            if code_of_end not in (0, 4, 5) or self.foreign() != foreign:
                return f"the runs afterwards end with {code_of_end}: {self.shop.said}", code
            if code_of_end == 0 and self.shop.end()[0] != quiet.settled[0]:
                return "another end afterwards", code
        return "", code


def between(now: Any, before: Any, wanted: Any) -> bool:
    """Whether each value of ours is the one before, or the one that a quiet command leaves."""
    return all(
        value in (before[0].get(id, {}).get(name), wanted[0].get(id, {}).get(name))
        for id, values in now[0].items()
        for name, value in values.items()
    )


@dataclass
class OfCrm:
    """All companies, ready to be copied."""

    companies: list[Company]
    what: str = "answers"

    def trial(self, folder: Path, chance: random.Random) -> Verdict:
        """Choose a company, a command and one of its calls; damage the answer; look at what came of it."""
        company = chance.choice(self.companies)
        command = chance.choices(list(company.commands), list(company.commands.values()))[0]
        asked = company.quiet[command].asked
        method, pattern = chance.choice((chance.choice(asked), chance.choice(sorted(set(asked)))))
        spoiler = garbler(method, pattern, asked.count((method, pattern)), chance)
        settles = chance.random() < 0.3
        answer_file = folder.with_suffix(".told")
        answer_file.unlink(missing_ok=True)

        def work() -> int:
            wrong, code = company.damaged(command, folder, spoiler, settles)
            answer_file.write_text(wrong)
            return code

        code, printed = forked(work, folder.with_suffix(".printed"))
        wrong = misbehaved(code, printed) or (
            answer_file.read_text() if answer_file.exists() else "it broke down"
        )
        where = (
            f"{company.name}, {command}, {method} {pattern} {spoiler.how}, {spoiler.lasting} from {spoiler.nth}"
            f"{', early' * spoiler.early}: exit {code}"
        )
        shutil.rmtree(folder, ignore_errors=True)
        problem = f"{wrong}: {where}\n{printed[-1800:]}" if wrong else ""
        return Verdict(problem, [f"answers of {company.name}: {command} {code}"])


def of_crm(folder: Path, small: bool) -> OfCrm:
    """Every company in its stages, and how each command ends there where all is well; ``small``: of each CRM
    the first one that has lived, and its most important commands.
    """
    patch = pytest.MonkeyPatch()
    companies = []
    for make in (_portal, _org):
        companies += make(folder, patch, small)
    for company in companies:
        for command in company.commands:
            answer_file = folder / "quiet.pickle"

            def work(
                company: Company = company, command: str = command, answer_file: Path = answer_file
            ) -> int:
                answer_file.write_bytes(pickle.dumps(company.quietly(command, folder / "life")))
                return 0

            code, printed = forked(work, folder / "quiet.txt")
            assert code == 0 and "Traceback" not in printed, printed
            company.quiet[command] = pickle.loads(answer_file.read_bytes())
            assert company.quiet[command].code in (0, 1) and company.quiet[command].asked, (
                company.name,
                command,
                printed,
            )
            shutil.rmtree(folder / "life")
    return OfCrm(companies)


def _stages(
    name: str,
    opened: Callable[[Path], Any],
    folder: Path,
    wrapped: Callable[..., Company],
    live: Callable[[Any], None],
    small: bool,
) -> list[Company]:
    """A company before its set-up, and one that has lived for a while and has a plan that waits."""
    stages = {"lived": {"run": 2, "undo": 1, "check": 1}} if small else {"new": NEW, "lived": LIVED}
    companies = []
    for stage, choice in stages.items():
        past = folder / f"{name}-{stage}"
        past.mkdir(parents=True)
        shop = opened(past)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        with redirect_stdout(io.StringIO()):
            if stage == "lived":
                for command in ("setup", "run"):
                    assert shop.code(command) == 0, shop.said
                live(shop)
                assert shop.code("plan") == 0, shop.said
            else:
                shop.code("check")
        companies.append(wrapped(f"{name} {stage}", shop, past, choice))
        _rest(shop)
    return companies


def _rest(shop: Any) -> None:
    """The thread that serves ends; the socket stays, for the copies of this process."""
    server = shop.server._http
    server.shutdown()


# -- HubSpot -------------------------------------------------------------------------------------------------

_WIDE = 'activity = ["deals", "orders", "calls"]\nproducts = true'


class PortalShop(portal_shop.Shop):
    """Reads more than deals."""

    opened: Any = None  # what serves, for as long as this lives

    @property
    def config(self) -> Path:
        path = super().config
        text = path.read_text(encoding="utf-8").replace('activity = ["deals"]\nproducts = false', _WIDE)
        if self.more:
            text = _without(text, "value")
        path.write_text(text, encoding="utf-8")
        return path


def _without(text: str, segmentation: str) -> str:
    """A config without one of its segmentations."""
    head, *tables = text.split("[[segmentations]]")
    return head + "".join(
        "[[segmentations]]" + table for table in tables if f'name = "{segmentation}"' not in table
    )


def _portal(folder: Path, patch: pytest.MonkeyPatch, small: bool) -> list[Company]:
    portal_shop.hasten(patch, folder, SPEED)
    companies = []
    for name, lists in (("hubspot", "static"), ("hubspot views", "dynamic"))[: 1 if small else None]:
        opened = partial(_opened_portal, lists)
        companies += _stages(name, opened, folder, _portal_company, _portal_lives, small)
    return companies


def _opened_portal(lists: str, past: Path) -> PortalShop:
    portal = hubspot.Portal(hubspot.Knobs(), hubspot.Clock(50.0, datetime.now(UTC)))
    hubspot.seed(portal, 12, 30)
    ids = sorted(portal.dump(), key=int)
    portal.put("companies", {"name": "Firm"})
    order = portal.put("orders", {"hs_total_price": "5", "hs_external_created_date": "2024-02-05T12:00:00Z"})
    portal.associate("orders", order, "contacts", int(ids[0]))
    call = portal.put("calls", {"hs_timestamp": "2024-02-05T12:00:00Z"})
    portal.associate("calls", call, "contacts", int(ids[1]))
    deal = next(iter(portal.dump("deals")))
    portal.associate(
        "deals", int(deal), "line_items", portal.put("line_items", {"name": "Tea", "amount": "2"})
    )
    with portal.lock:
        body = {"name": "Partners", "objectTypeId": "0-1", "processingType": "MANUAL"}
        portal.lists.edit(portal.lists.create(body), ids[:3], [])
    portal.settle(60)
    opened = hubspot.serving(portal)
    server = opened.__enter__()
    shop = PortalShop(past, server, lists=lists, day=datetime.now(UTC).date() - timedelta(days=2))
    shop.opened = opened
    return shop


def _portal_lives(shop: PortalShop) -> None:
    """A person types into a field of ours, and some buy."""
    portal = shop.portal
    ids = sorted(portal.dump(), key=int)
    portal.flows.add("Welcome", property="seg_rfm")
    portal.put("contacts", {"seg_value": _TYPED}, int(ids[-1]))
    for id in ids[:4]:
        moment = f"{shop.day - timedelta(days=3)}T12:00:00Z"
        deal = portal.put("deals", {"dealstage": "closedwon", "amount": "90000", "closedate": moment})
        portal.associate("deals", deal, "contacts", int(id))
    portal.settle(600)


def _portal_company(name: str, shop: PortalShop, past: Path, choice: dict[str, int]) -> Company:
    portal = shop.portal

    def foreign() -> Any:
        others = {kind: portal.dump(kind) for kind in ("companies", "deals", "orders", "calls", "line_items")}
        partners = next(each for each in portal.lists.all.values() if each.name == "Partners")
        typed = shop.fields("seg_value")[max(portal.dump(), key=int)] if "lived" in name else None
        return copy.deepcopy((shop.foreign(), others, sorted(partners.members), partners.deleted, typed))

    return Company(name, shop, past, choice, partial(setattr, portal, "garbler"), foreign, _of_portal)


def _of_portal(_method: str, target: str) -> str:
    return "^" + re.sub(r"(?<=/)\d+(?=/|$)", "[0-9]+", target.partition("?")[0]) + r"(\?|$)"


# -- Salesforce ----------------------------------------------------------------------------------------------


class OrgShop(org_shop.Shop):
    """Reads more than opportunities; ``bulk``: by jobs, however little there is."""

    bulk = False

    @property
    def config(self) -> Path:
        path = super().config
        text = path.read_text(encoding="utf-8")
        path.write_text(_without(text, "value") if self.more else text, encoding="utf-8")
        return path

    def do(self, command: str, *, allow: Any = ALLOWED, **arguments: Any) -> dict[str, Any]:
        self.org.clock.advance(2)
        options = Options(allow=allow, as_of=org_shop.DAY, clock=self.org.clock.now, open=self._open)
        answer: dict[str, Any] = getattr(commands, command)(self.config, options, **arguments)
        return answer

    def _open(self, account: Account) -> Connector:
        settings = account.settings
        if self.bulk:
            settings = copy.copy(settings)
            for name in ("bulk_reads_above", "bulk_writes_above"):
                object.__setattr__(settings, name, 2)
        return open_connector(replace(account, settings=settings))


def _org(folder: Path, patch: pytest.MonkeyPatch, small: bool) -> list[Company]:
    org_shop.hasten(patch, folder, SPEED)
    companies = []
    for name in ("salesforce", "salesforce views", "salesforce bulk")[: 1 if small else None]:
        companies += _stages(name, partial(_opened_org, name), folder, _org_company, _org_lives, small)
    return companies


def _opened_org(name: str, past: Path) -> OrgShop:
    org = salesforce.Org(7, rights=RIGHTS, clock=Clock(org_shop.START))
    salesforce.seed(org, 12, opportunities=24, campaigns=1, days=500, odd=True)
    lists = {"salesforce": "static", "salesforce views": "dynamic", "salesforce bulk": "none"}[name]
    activity = 'activity = ["opportunities", "tasks", "events", "campaigns", "orders"]'
    shop = OrgShop(past, salesforce.Server(org), lists=lists, account=activity)
    shop.bulk = "bulk" in name
    return shop


def _org_lives(shop: OrgShop) -> None:
    """A person types into a field of ours, and some buy."""
    org = shop.org
    org.clock.advance(3600)
    rows = sorted(org.rows("Contact"), key=lambda row: row["Id"])
    org.edit("Contact", rows[-1]["Id"], seg_value__c=_TYPED)
    for row in org.rows("Opportunity", "IsDeleted = 0 AND IsWon = 1")[:4]:
        org.edit("Opportunity", row["Id"], Amount=90_000)
    org.clock.advance(3600)


def _org_company(name: str, shop: OrgShop, past: Path, choice: dict[str, int]) -> Company:
    org = shop.org
    stamps = {"SystemModstamp", "LastModifiedDate", "LastModifiedById", "LastActivityDate"}
    theirs = sorted(row["Id"] for row in org.rows("Campaign")) if "lived" not in name else None
    first = [
        row["Id"]
        for row in org.rows("Campaign")
        if row["Name"] and not row["Name"].startswith(("Buying", "Customer"))
    ]

    def foreign() -> Any:
        others = {
            entity: [
                {name: value for name, value in row.items() if name not in stamps}
                for row in org.rows(entity)
                if not entity.startswith("Campaign")
                or (row.get("CampaignId") or row["Id"]) in (theirs or first)
            ]
            for entity in ("Account", "Opportunity", "Lead", "Task", "Event", "Campaign", "CampaignMember")
        }
        typed = max(shop.fields().items())[1]["seg_value__c"] if "lived" in name else None
        return shop.foreign(), others, typed

    return Company(name, shop, past, choice, partial(setattr, org, "garbler"), foreign, _of_org)


def _of_org(method: str, target: str) -> str:
    return endpoint("", "", {"method": method, "path": target}).pattern
