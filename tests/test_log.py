"""Can a run be watched from outside: one line for each account and stage, in text or JSON, that names nobody?"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from sync.account.session import Session
from sync.cli import app
from sync.log import logger, stage
from tests.folder_store import FolderStore
from tests.world import World

STAGES = ["settle", "pull", "label", "withdraw", "plan", "apply", "run"]


@pytest.fixture
def shop(tmp_path: Path) -> World:
    world = World.of_files(tmp_path)
    world.customers(40)
    assert isinstance(world.store, FolderStore)
    world.store.save()
    world.config()
    return world


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before, level = list(logger.handlers), logger.level
    yield
    logger.handlers, logger.level = before, level


def config_file(world: World) -> Path:
    return world.folder / "config.toml"


def lines_of(world: World, *words: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and log lines of a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "sync", *words, "--config", str(config_file(world))],
        capture_output=True,
        text=True,
    )
    return done.returncode, [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]


def test_a_run_logs_one_line_for_each_stage_and_one_for_the_command(shop: World) -> None:
    assert lines_of(shop, "setup", "--yes")[0] == 0
    code, lines = lines_of(
        shop, "run", "--json", "--log-format", "json", "--allow", "max_enter", "--reason", "first"
    )
    assert code == 0 and [line["stage"] for line in lines] == STAGES
    assert {(line["account"], line["level"]) for line in lines} == {("portal", "INFO")}
    assert all(line["seconds"] >= 0 and line["run"] == lines[0]["run"] for line in lines)
    pull, applied = lines[1], lines[5]
    assert pull["rows.contact"] == 40 and applied["done"] > 0 and lines[-1]["exit_code"] == 0


def test_a_stage_that_is_stopped_says_so_with_a_warning(shop: World) -> None:
    assert lines_of(shop, "setup", "--yes")[0] == 0
    code, lines = lines_of(shop, "--log-format", "json", "run")
    assert code == 5, "a first labelling is looked at by a person"
    assert [(line["stage"], line["outcome"]) for line in lines[-2:]] == [
        ("apply", "GuardTripped"),
        ("run", "ended"),
    ]
    assert {line["level"] for line in lines[-2:]} == {"WARNING"} and lines[-1]["exit_code"] == 5


def test_no_line_names_a_person(shop: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="crm_segments")
    for words in (["setup", "--yes"], ["run"], ["show", "7"], ["forget", "9", "--yes"]):
        CliRunner().invoke(app, [*words, "--config", str(config_file(shop))])
    assert len(caplog.records) > 5
    assert "@" not in caplog.text and "example.org" not in caplog.text


def test_without_the_option_nothing_is_logged_and_with_it_text_goes_to_standard_error(shop: World) -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["status", "--json", "--config", str(config_file(shop))]).stderr == ""
    shown = runner.invoke(app, ["status", "--json", "--verbose", "--config", str(config_file(shop))])
    assert json.loads(shown.stdout)["exit_code"] == 0
    assert "INFO account=portal" in shown.stderr and "stage=status" in shown.stderr


@pytest.mark.parametrize("room", ["connectors", "segmentation", "sync"])
def test_types_ship_with_the_packages(room: str) -> None:
    assert (Path(__file__).parents[1] / room / "py.typed").exists()


def test_a_table_whose_keys_are_sentences_is_told_by_its_sum(
    caplog: pytest.LogCaptureFixture, shop: World
) -> None:
    @stage("apply")
    def refused(_session: Any) -> dict[str, Any]:
        return {"reasons": {("the list of Ada was deleted", 30): 2, ("no such option", 1): 3}, "done": 4}

    caplog.set_level(logging.INFO, logger="crm_segments")
    refused(cast(Session, SimpleNamespace(account="portal", run=3, seconds={})))
    assert "reasons=5 done=4" in caplog.text and "Ada" not in caplog.text
