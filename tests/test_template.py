"""Is a new connector made as CONTRIBUTING says: a copy of ``connectors/memory`` under another name, and one
line that registers it?

It goes through the commands of the product, in a copy of it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
TEMPLATE = ROOT / "connectors" / "memory"
MOST_LINES = 300

CONFIG = """
state_dir = "state"
as_of = 2024-06-30

[guards]
max_stale_days = 400

[accounts.{account}]
crm = "{crm}"
{settings}

[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"
lists = "{lists}"
"""
# Runs commands on a config and prints what came of them; the CRM in memory is that of this process.
LOOP = """
import json, sys
from datetime import UTC, datetime, timedelta
from connectors.toy.store import STORES, Store
from sync import commands
from sync.commands import Options

store = STORES.setdefault("store", Store())
for number in range(1, 41):
    store.put(str(number), email=f"customer{number}@example.org")
    for purchase in range(number % 5):
        day = datetime(2024, 6, 30, 10, tzinfo=UTC) - timedelta(days=(number * 7 + purchase * 31) % 300)
        store.act(str(number), day, amount_minor=1000 + number * 10)

guards = ("max_change", "max_enter", "max_leave", "min_size", "max_cleared", "max_overwrite", "max_writes", "max_calls", "max_enrolled")
options = Options(allow={guard: "the first" for guard in guards}, clock=lambda: datetime(2024, 7, 1, 12, tzinfo=UTC))
values = lambda: {id: row["field.seg_rfm"] for (_, id), row in store.records.items() if row.get("field.seg_rfm")}
made = commands.setup("config.toml", options)
planned = commands.plan("config.toml", options)
applied = commands.apply("config.toml", options, number=planned["plan"]["plan"])
labelled, members = values(), {key: len(ids) for key, ids in store.members.items()}
again = commands.run("config.toml", options)
undone = commands.undo("config.toml", options, number=applied["run"])
print(json.dumps({
    "made": made["made"], "planned": planned["plan"]["changes"], "done": applied["applied"]["done"], "labelled": len(labelled),
    "members": sum(members.values()), "again": [again["plan"]["plan"], again["calls"]["write"], again["exit_code"]],
    "undone": [undone["exit_code"], len(values()), sum(map(len, store.members.values()))],
}))
"""


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A copy of the product, to be changed."""
    for room in ("connectors", "segmentation", "sync"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def register(product: Path, name: str) -> None:
    """The one line."""
    path = product / "connectors" / "__init__.py"
    text, count = re.subn(
        r"^CRMS = \((.*)\)$", rf'CRMS = (\1, "{name}")', path.read_text("utf-8"), flags=re.M
    )
    assert count == 1
    path.write_text(text, encoding="utf-8")


def run(product: Path, script: str) -> dict[str, Any]:
    answer = subprocess.run(
        [sys.executable, "-c", script],
        cwd=product,
        env={**os.environ, "PYTHONPATH": str(product)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr
    printed: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return printed


def test_a_copy_of_the_template_goes_through_the_whole_loop(product: Path) -> None:
    toy = product / "connectors" / "toy"
    shutil.copytree(product / "connectors" / "memory", toy)
    for path in toy.glob("*.py"):
        renamed = path.read_text("utf-8").replace("memory", "toy").replace("Memory", "Toy")
        path.write_text(renamed, encoding="utf-8")
    register(product, "toy")
    config = CONFIG.format(account="portal", crm="toy", settings="", lists="static")
    (product / "config.toml").write_text(config, encoding="utf-8")
    answer = run(product, LOOP)
    assert answer["made"] > 1 and answer["labelled"] == 40 and answer["members"] > 0
    assert answer["done"] == answer["planned"] >= 40
    assert answer["again"] == [None, 0, 0], "an unchanged run writes nothing"
    assert answer["undone"] == [0, 0, 0]


def test_the_template_is_small_enough_to_be_read_at_once() -> None:
    lines = [len(path.read_text("utf-8").splitlines()) for path in TEMPLATE.glob("*.py")]
    assert sum(lines) <= MOST_LINES


def test_the_template_names_its_files_as_its_neighbours_do() -> None:
    names = {path.name for path in TEMPLATE.glob("*.py")} - {"store.py"}  # the CRM itself
    assert names <= {path.name for path in (ROOT / "connectors" / "hubspot").glob("*.py")}
