"""Does the whole loop work on a database: setup, plan, apply, conflicts, undo and retire, beside the orders themselves?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConnectorError
from connectors.sql.address import address_of
from connectors.sql.engines.base import engine_of
from sync import commands
from sync.commands import Options
from sync.exit_codes import CommandError, GuardTripped
from tests.database_shops import KINDS, text
from tests.segment_databases import SegmentDatabase, database_of

GUARDS = (
    "max_change",
    "max_enter",
    "max_leave",
    "min_size",
    "max_cleared",
    "max_overwrite",
    "max_writes",
    "max_calls",
)
OPTIONS = Options(
    allow=dict.fromkeys(GUARDS, "the first"), clock=lambda: datetime(2026, 11, 28, 12, tzinfo=UTC)
)
CONFIG = """
state_dir = "state"
as_of = 2026-11-27

[accounts.shop]
crm = "sql"
segments_schema = "SCHEMA"
WHERE
[accounts.shop.contacts]
table = "customers"
columns = { email = "email" }
[accounts.shop.activities]
table = "orders"
columns = { id = "id", contact_id = "customer", occurred_at = "bought_at", amount = "total" }
"""
SPENDER = """
[[segmentations]]
name = "spender"
kind = "rules"
field = "seg_spender"
lists = "static"
extra_fields = ["reason", "since"]
segments = [
    {key = "big", title = "Spends much", when = {feature = "net_revenue", above = 50}},
    {key = "small", title = "Spends little", when = {feature = "orders", at_least = 1}},
]
"""
OTHER = """
[[segmentations]]
name = "buyer"
kind = "rules"
field = "seg_buyer"
segments = [{key = "yes", when = {feature = "orders", at_least = 1}}]
"""


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SegmentDatabase]:
    opened = database_of(request.param, tmp_path)
    for number in range(1, 31):
        opened.put(str(number), email=f"customer{number}@example.org")
        amount = "80.00" if number % 3 == 0 else "5.00"
        opened.buy(str(number), datetime(2026, 11, 26, 12, tzinfo=UTC), amount, f"order-{number}")
    yield opened
    opened.close()


def config(database: SegmentDatabase, folder: Path, segmentations: str) -> Path:
    """The config; secrets come from the environment."""
    where = {
        name: "env:SECRET" if name in ("url", "password") else value
        for name, value in database.shop.where.items()
    }
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in where.items())
    path = folder / "config.toml"
    settings = CONFIG.replace("SCHEMA", database.schema).replace("WHERE", lines)
    path.write_text(settings + segmentations, encoding="utf-8")
    return path


@pytest.fixture
def path(database: SegmentDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    where = database.shop.where
    monkeypatch.setenv("SECRET", str(where.get("url") or where.get("password")))
    return config(database, tmp_path, SPENDER)


def values_in(database: SegmentDatabase, name: str) -> dict[str, str]:
    """What people find in a field of ours."""
    rows = read(
        database,
        f"SELECT record_id, value FROM {database.table('segment_values')} WHERE field = {text(name)}",
    )
    return dict(rows)


def members(database: SegmentDatabase) -> set[tuple[str, str]]:
    return set(read(database, f"SELECT list_key, record_id FROM {database.table('list_members')}"))


def read(database: SegmentDatabase, query: str) -> list[Any]:
    engine = engine_of(address_of(database.shop.account()), 1)
    engine.begin()
    try:
        return [
            row
            for batch in engine.batches(query)
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
        ]
    finally:
        engine.end()


BIG = {str(number) for number in range(3, 31, 3)}


def planned_and_applied(path: Path) -> dict[str, Any]:
    plan: Any = commands.plan(path, OPTIONS)["plan"]["plan"]
    applied: dict[str, Any] = commands.apply(path, OPTIONS, number=plan)
    return applied


def test_segments_come_into_the_database_and_are_taken_back(
    database: SegmentDatabase, path: Path, tmp_path: Path
) -> None:
    checked = commands.check(path, OPTIONS)
    assert checked["exit_code"] == 0 and not checked["problems"]
    commands.setup(path, OPTIONS, confirm=lambda _steps: True)
    first = planned_and_applied(path)
    expected = {str(number): "big" if str(number) in BIG else "small" for number in range(1, 31)}
    assert values_in(database, "seg_spender") == expected
    assert {id for key, id in members(database) if key == "spender.big"} == BIG
    view = f"SELECT id, segment, title FROM {database.table('contact_seg_spender')} WHERE id = '3'"
    assert read(database, view) == [("3", "big", "Spends much")]
    assert set(values_in(database, "seg_spender_since").values()) == {"2026-11-27"}

    again = commands.run(path, OPTIONS)
    assert (again["exit_code"], again["calls"]["write"]) == (0, 0), "an unchanged world is not written to"

    database.buy("1", datetime(2026, 11, 20, 12, tzinfo=UTC), "95.00", "order-x")
    database.set_field("2", "seg_spender", "vip")
    second = planned_and_applied(path)
    now = values_in(database, "seg_spender")
    assert now["1"] == "big" and now["2"] == "vip", "what a person wrote stands"
    assert ("spender.big", "1") in members(database) and ("spender.small", "1") not in members(database)

    commands.undo(path, OPTIONS, number=second["run"])
    assert (
        values_in(database, "seg_spender")["1"] == "small"
        and values_in(database, "seg_spender")["2"] == "vip"
    )
    assert ("spender.small", "1") in members(database)

    config(database, tmp_path, OTHER)
    commands.setup(path, OPTIONS, confirm=lambda _steps: True)
    for target in ("seg_spender", "seg_spender_reason", "seg_spender_since", "spender.big", "spender.small"):
        commands.retire(path, OPTIONS, target=target)
    assert values_in(database, "seg_spender") == {"2": "vip"} and not members(database)
    assert first["applied"]["done"] > 60


# -- tables that are not what they were ----------------------------------------------------------------------


def everything(database: SegmentDatabase) -> tuple[dict[str, str], set[tuple[str, str]]]:
    return values_in(database, "seg_spender"), members(database)


@pytest.mark.parametrize("table", ["customers", "orders"])
def test_a_table_that_was_emptied_empties_no_segment_before_somebody_allows_it(
    database: SegmentDatabase, path: Path, table: str
) -> None:
    commands.setup(path, OPTIONS, confirm=lambda _steps: True)
    planned_and_applied(path)
    before = everything(database)
    database.run(f"CREATE TABLE kept AS SELECT * FROM {table}", f"DELETE FROM {table}")
    with pytest.raises(GuardTripped):
        commands.run(path, Options(clock=OPTIONS.clock))
    assert everything(database) == before
    database.run(f"INSERT INTO {table} SELECT * FROM kept")
    again = commands.run(path, Options(clock=OPTIONS.clock))
    assert (again["exit_code"], again["calls"]["write"]) == (0, 0) and everything(database) == before


@pytest.mark.parametrize(("table", "column"), [("customers", "email"), ("orders", "total")])
def test_a_column_that_was_renamed_stops_the_run_with_its_mapping_and_changes_nothing(
    database: SegmentDatabase, path: Path, table: str, column: str
) -> None:
    commands.setup(path, OPTIONS, confirm=lambda _steps: True)
    planned_and_applied(path)
    before = everything(database)
    database.run(f"ALTER TABLE {table} RENAME COLUMN {column} TO renamed")
    with pytest.raises((ConnectorError, CommandError), match=rf"'{column}' .*is missing.*\.columns\]"):
        commands.run(path, OPTIONS)
    assert everything(database) == before
    database.run(f"ALTER TABLE {table} RENAME COLUMN renamed TO {column}")
    again = commands.run(path, OPTIONS)
    assert (again["exit_code"], again["calls"]["write"]) == (0, 0) and everything(database) == before
