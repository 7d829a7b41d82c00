"""Is every SOQL statement of ours one? Judged by a grammar that we did not write: npm's
@jetstreamapp/soql-parser-js.

Install it with ``npm install --no-save @jetstreamapp/soql-parser-js`` in the checkout, or name its folder in
NODE_PATH. Without it these tests are skipped; in CI (CI=true) its absence is a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from connectors.salesforce import soql
from tests.org_shop import hasten, shop_of

PARSER = "@jetstreamapp/soql-parser-js"
ROOT = Path(__file__).parent.parent
_JUDGE = f"""
const {{ isQueryValid }} = require('{PARSER}');
const asked = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(asked.filter(one => !isQueryValid(one))));
"""


def wrong(statements: list[str]) -> list[str]:
    """Those that the foreign parser refuses."""
    answer = _node(_JUDGE, json.dumps(statements))
    refused: list[str] = json.loads(answer)
    return refused


def _node(script: str, text: str = "") -> str:
    return subprocess.run(
        ["node", "-e", script], input=text, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    ).stdout


@pytest.fixture(autouse=True)
def parser() -> None:
    try:
        if not shutil.which("node"):
            raise OSError("node is not installed")
        _node(f"require.resolve('{PARSER}')")
    except (OSError, subprocess.CalledProcessError):
        needed = f"npm install --no-save {PARSER}"
        if os.environ.get("CI"):
            pytest.fail(f"the foreign SOQL parser is missing: {needed}")
        pytest.skip(f"needs a foreign SOQL parser: {needed}")


def test_the_foreign_parser_tells_right_from_wrong() -> None:
    good, bad = (
        "SELECT Id FROM Contact WHERE Id IN ('a')",
        ["SELECT Id, FROM Contact", "SELECT Id FROM Contact WHERE Id IN ()"],
    )
    assert wrong([good, *bad]) == bad


def test_every_statement_of_a_whole_life_parses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch, tmp_path)
    every = 'activity = ["opportunities", "orders", "tasks", "events", "campaigns"]'
    settings = {"reads": 2_000, "writes": 200, "account": every}
    with shop_of(
        tmp_path / "shop", 2_300, set_up=False, settings=settings, person_accounts=True, multi_currency=True
    ) as shop:
        for command in ("check", "setup", "run"):
            assert shop.code(command) in (0, 1), shop.said
        people = [row["Id"] for row in shop.org.rows("Contact")]
        shop.org.edit(
            "Contact",
            people[0],
            IndividualId=shop.org.create("Individual", LastName="O'Hara", HasOptedOutProfiling=True),
        )
        shop.org.merge("Contact", people[1], people[2])
        shop.org.create(
            "Opportunity",
            Name="Won",
            StageName="Closed Won",
            CloseDate="2026-03-01",
            Amount=5,
            ContactId=people[3],
        )
        shop.org.clock.advance(3600)
        assert shop.code() in (0, 4), shop.said
        shop.org.clock.advance(86_400 * 8)
        assert shop.code() in (0, 4), shop.said
        shop.lists = "dynamic"
        assert shop.code("setup") == 0, shop.said
        asked = sorted(shop.org.queries.asked)
        assert len(asked) > 20
        assert any("IN (SELECT" in statement for statement in asked)
        assert wrong(asked) == []


@pytest.mark.parametrize(
    "text",
    ["O'Hara", "back\\slash", 'quote"', "line\nbreak", "%_", "ünïcode ☃", "'; DELETE", "\\' OR Name != '"],
)
def test_any_text_is_quoted_so_that_it_stays_a_text(text: str) -> None:
    assert wrong([str(soql.Select(["Id"], "Contact", [soql.among("LastName", [text])]))]) == []
