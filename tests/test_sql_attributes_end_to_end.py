"""Does a column of a table in PostgreSQL steer the segments of a CRM's contacts, from the config to the CRM?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from connectors import open_source
from connectors.contract import Account, Source
from sync import commands
from sync.commands import Options
from sync.exit_codes import GuardTripped
from tests.database_shops import PostgresShop
from tests.memory_crm import MemoryCrm, Store
from tests.servers.databases import PASSWORD

CONFIG = """
state_dir = "state"
as_of = 2026-11-27

[accounts.crm]
crm = "files"
path = "unused: the CRM is in memory"
attributes_from = ["warehouse"]
MATCH
[accounts.crm.attributes]
customer = "customer_no"

[accounts.warehouse]
crm = "sql"
url = "env:WAREHOUSE_URL"
[accounts.warehouse.attributes]
plan = "city"
[accounts.warehouse.contacts]
table = "customers"
changed_at = "updated_at"
deleted = "deleted_at"
columns = { email = "email" }

[[segmentations]]
name = "plans"
kind = "rules"
field = "seg_plans"
segments = [
    { key = "pro", when = { attribute = "warehouse.plan", is = "pro" } },
    { key = "free", when = { attribute = "warehouse.plan", is_set = true } },
]

[guards]
max_change = { count = 100 }
max_leave = { count = 100 }
max_cleared = { count = 100 }
"""


@dataclass
class Company:
    """A CRM in memory, and customers in PostgreSQL."""

    folder: Path
    warehouse: PostgresShop
    match: str = ""
    crm: Store = field(default_factory=Store)
    now: datetime = datetime(2026, 11, 28, 12, tzinfo=UTC)

    def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        path = self.folder / "config.toml"
        path.write_text(CONFIG.replace("MATCH", self.match), encoding="utf-8")
        options = Options(account="crm", clock=lambda: self.now, open=self.opened)
        answer: dict[str, Any] = getattr(commands, command)(path, options, **arguments)
        return answer

    def opened(self, account: Account) -> Source:
        return MemoryCrm(account, self.crm) if account.name == "crm" else open_source(account)

    def segments(self) -> dict[str, str]:
        """Plan and carry it out; what the CRM holds then."""
        number = self.do("plan")["plan"]["plan"]
        if number is not None:
            self.do("apply", number=number)
        rows = self.crm.records.items()
        return {id: row["field.seg_plans"] for (_, id), row in rows if row.get("field.seg_plans")}


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    warehouse = PostgresShop(by_change=True)
    address = f"127.0.0.1:{warehouse.server.port}/{warehouse.database}"
    monkeypatch.setenv("WAREHOUSE_URL", f"postgresql://reader:{quote(PASSWORD, safe='')}@{address}")
    made = Company(tmp_path, warehouse)
    for number, plan in enumerate(("pro", "free", "Pro "), 1):
        made.crm.put(f"c{number}", email=f"Person{number}@example.org", customer_no=f"{number}")
        warehouse.put(str(number), email=f"person{number}@example.org", city=plan)
    yield made
    warehouse.close()


def test_a_plan_in_the_database_becomes_a_segment_in_the_crm_and_follows_it(company: Company) -> None:
    checked = company.do("check")
    assert checked["exit_code"] == 0 and not checked["problems"]
    company.do("setup")
    assert company.segments() == {"c1": "pro", "c2": "free", "c3": "pro"}
    company.warehouse.put("1", email="person1@example.org", city="free")
    company.warehouse.delete("3")
    assert company.segments() == {"c1": "free", "c2": "free"}
    before = company.crm.clock
    company.segments()
    assert company.crm.clock == before, "nothing changed, so nothing is written"


def test_a_person_whom_the_crm_forgets_is_not_read_from_the_database_again(company: Company) -> None:
    company.do("setup")
    company.segments()
    assert company.do("forget", id="person1@example.org")["forgotten"] == 2
    company.warehouse.put("1", email="person1@example.org", city="free")
    assert company.segments() == {"c2": "free", "c3": "pro"}
    assert b"person1@" not in (company.folder / "state" / "mirror.duckdb").read_bytes().lower()


def test_customers_are_found_by_their_number_where_the_config_says_so(company: Company) -> None:
    company.match = 'match = { own = "customer", other = "id" }'
    for number in range(1, 4):
        company.warehouse.put(str(number), email="of another system", city="pro")
    company.do("setup")
    assert company.segments() == dict.fromkeys(("c1", "c2", "c3"), "pro")


def test_a_column_that_was_emptied_of_its_keys_stops_the_plan(company: Company) -> None:
    company.do("setup")
    held = company.segments()
    company.warehouse.run(f"UPDATE customers SET email = 'x' || id, updated_at = {company.warehouse.now()}")
    with pytest.raises(GuardTripped, match="none of the 3 contacts of warehouse is found here by email"):
        company.segments()
    rows = company.crm.records.items()
    assert {id: row.get("field.seg_plans") for (_, id), row in rows} == held, "nothing was cleared"
