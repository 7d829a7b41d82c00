"""Does a run work whose purchases stand in PostgreSQL, from the config to the segments in the CRM?"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sync import commands
from sync.commands import Options
from sync.exit_codes import CommandError
from tests.database_shops import PostgresShop
from tests.servers.databases import PASSWORD

OPTIONS = Options(clock=lambda: datetime(2026, 11, 28, 12, tzinfo=UTC))

CONFIG = """
state_dir = "state"
as_of = 2026-11-27

[accounts.warehouse]
crm = "sql"
url = "env:WAREHOUSE_URL"
[accounts.warehouse.contacts]
table = "customers"
changed_at = "updated_at"
deleted = "deleted_at"
columns = { email = "email" }
[accounts.warehouse.activities]
table = "orders"
changed_at = "updated_at"
columns = { id = "id", contact_id = "customer", occurred_at = "bought_at", amount = "total" }

[accounts.crm]
crm = "files"
path = "exports"
activity_from = ["warehouse"]

[[segmentations]]
name = "spender"
kind = "rules"
field = "seg_spender"
accounts = ["ACCOUNT"]
segments = [
    {key = "big", when = {feature = "net_revenue", above = 50}},
    {key = "small", when = {feature = "orders", at_least = 1}},
]
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresShop]:
    opened = PostgresShop()
    url = f"postgresql://reader:{quote(PASSWORD, safe='')}@127.0.0.1:{opened.server.port}/{opened.database}"
    monkeypatch.setenv("WAREHOUSE_URL", url)
    opened.put("1", email="ann@example.org")
    opened.put("2", email="bob@example.org")
    opened.buy("1", datetime(2026, 11, 26, 12, tzinfo=UTC), "80.00", "a")
    opened.buy("2", datetime(2026, 1, 2, 12, tzinfo=UTC), "5.00", "b")
    (tmp_path / "exports").mkdir()
    lines = ["id,email", "c1,Ann@Example.org", "c2,bob@example.org", "c3,nobody@example.org"]
    (tmp_path / "exports" / "contacts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "exports" / "activities.csv").write_text("contact_id,occurred_at\n", encoding="utf-8")
    yield opened
    opened.close()


def config(tmp_path: Path, account: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.replace("ACCOUNT", account), encoding="utf-8")
    return path


def segments(folder: Path) -> dict[str, str]:
    with (folder / "exports" / "segments.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["seg_spender"] for row in csv.DictReader(file) if row["seg_spender"]}


def planned_and_applied(path: Path) -> None:
    plan: Any = commands.plan(path, OPTIONS)["plan"]["plan"]
    commands.apply(path, OPTIONS, number=plan)


def test_orders_in_a_database_become_segments_in_the_crm(shop: PostgresShop, tmp_path: Path) -> None:
    path = config(tmp_path, "crm")
    checked = commands.check(path, OPTIONS)
    assert checked["exit_code"] == 0 and not checked["problems"]
    commands.setup(path, OPTIONS, confirm=lambda _steps: True)
    planned_and_applied(path)
    assert segments(tmp_path) == {"c1": "big", "c2": "small"}
    shop.buy("2", datetime(2026, 11, 2, 12, tzinfo=UTC), "95.10", "c")
    shop.run(f"UPDATE orders SET total = 5, updated_at = {shop.now()} WHERE id = 'a'")
    planned_and_applied(path)
    assert segments(tmp_path) == {"c1": "small", "c2": "big"}
    for file in (tmp_path / "state").rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file


def test_a_database_is_labelled_and_what_would_write_to_it_is_refused(
    shop: PostgresShop, tmp_path: Path
) -> None:
    path = config(tmp_path, "warehouse")
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace('crm = "sql"', 'crm = "sql"\nwritable = true').replace(
            'activity_from = ["warehouse"]', "writable = false"
        )
    )
    out = tmp_path / "labels.csv"
    commands.label(path, OPTIONS, out=out)
    with out.open(encoding="utf-8", newline="") as file:
        assert {row["id"]: row["spender"] for row in csv.DictReader(file)} == {"1": "big", "2": "small"}
    with pytest.raises(CommandError, match="account warehouse is read-only"):
        commands.plan(path, OPTIONS)
