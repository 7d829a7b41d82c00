"""Is a source really added in one folder and one line, as CONTRIBUTING says?"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import connectors
from connectors.contract import Destination, Source
from sync import commands
from sync.commands import Options
from sync.exit_codes import CommandError
from tests.toys.corner_shop import CornerShop

OPTIONS = Options(clock=lambda: datetime(2026, 11, 28, 12, tzinfo=UTC))

SHOP = """
state_dir = "state"
as_of = 2026-11-27

[accounts.shop]
crm = "corner_shop"
customers = {"1" = "ann@example.org", "2" = "bob@example.org"}
purchases = [["1", "2026-11-20", 80.0], ["1", "2026-11-26", 20.5], ["2", "2025-01-02", 5.0]]
"""

LABELLED = """
[[segmentations]]
name = "spender"
kind = "rules"
field = "seg_spender"
segments = [
    {key = "big", when = {feature = "net_revenue", above = 50}},
    {key = "small", when = {feature = "orders", at_least = 1}},
]
"""

FOLDER = """
[accounts.crm]
crm = "files"
path = "exports"
activity_from = ["shop"]
"""


@pytest.fixture(autouse=True)
def one_folder_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    toys = Path(__file__).parent / "toys"
    monkeypatch.setattr(connectors, "__path__", [*connectors.__path__, str(toys)])
    monkeypatch.setattr(connectors, "CRMS", (*connectors.CRMS, "corner_shop"))


def test_the_toy_source_has_at_most_four_methods() -> None:
    written = [
        name for name in vars(CornerShop) if callable(getattr(CornerShop, name)) and name != "__init__"
    ]
    assert len(written) <= 4 and issubclass(CornerShop, Source) and not issubclass(CornerShop, Destination)


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def labels(path: Path, **arguments: Any) -> dict[str, str]:
    out = path.parent / "labels.csv"
    commands.label(path, OPTIONS, out=out, **arguments)
    with out.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["spender"] for row in csv.DictReader(file)}


def test_a_source_is_checked_pulled_and_labelled(tmp_path: Path) -> None:
    path = config(tmp_path, SHOP + LABELLED)
    checked = commands.check(path, OPTIONS)
    assert checked["exit_code"] == 0 and not checked["problems"]
    assert labels(path) == {"1": "big", "2": "small"}


def test_a_source_feeds_a_crm_by_the_address_of_its_customers(tmp_path: Path) -> None:
    (tmp_path / "exports").mkdir()
    lines = ["id,email", "c1,Ann@Example.org", "c2,bob@example.org", "c3,nobody@example.org"]
    (tmp_path / "exports" / "contacts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "exports" / "activities.csv").write_text("contact_id,occurred_at\n", encoding="utf-8")
    segmentation = LABELLED.replace('kind = "rules"', 'kind = "rules"\naccounts = ["crm"]')
    path = config(tmp_path, SHOP + FOLDER + segmentation)
    commands.setup(path, OPTIONS, confirm=lambda _steps: True)
    plan = commands.plan(path, OPTIONS)["plan"]["plan"]
    commands.apply(path, OPTIONS, number=plan)
    with (tmp_path / "exports" / "segments.csv").open(encoding="utf-8", newline="") as file:
        assert {row["id"]: row["seg_spender"] for row in csv.DictReader(file)} == {"c1": "big", "c2": "small"}


@pytest.mark.parametrize("command", ["setup", "plan", "run"])
def test_what_would_write_to_a_source_is_refused_with_what_to_do_instead(
    tmp_path: Path, command: str
) -> None:
    path = config(tmp_path, SHOP + LABELLED)
    with pytest.raises(CommandError, match=r"account shop is read-only.*label --account shop --out FILE"):
        getattr(commands, command)(path, OPTIONS)
