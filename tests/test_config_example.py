"""Is the example of a config at hand wherever the program is?"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sync.cli import app
from sync.commands import example

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "config.example.toml"


def test_the_example_is_printed_letter_by_letter() -> None:
    shown = CliRunner().invoke(app, ["config", "example"])
    assert (shown.exit_code, shown.stdout) == (0, EXAMPLE.read_text(encoding="utf-8"))


def test_it_is_json_where_json_is_asked_for() -> None:
    shown = json.loads(CliRunner().invoke(app, ["config", "example", "--json"]).stdout)
    assert shown == example() == {"exit_code": 0, "example": EXAMPLE.read_text(encoding="utf-8")}


@pytest.mark.parametrize("word", ["exmple", ""])
def test_another_word_is_told_the_right_one(word: str) -> None:
    shown = CliRunner().invoke(app, ["config", word])
    assert shown.exit_code == 2 and "crm-segments config example" in shown.output


def test_an_installed_program_prints_it_without_the_repository(tmp_path: Path) -> None:
    """What a wheel holds: the packages, and the files that pyproject puts into them."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for package in wheel["packages"]:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for source, place in wheel["force-include"].items():
        shutil.copy(ROOT / source, tmp_path / place)
    shown = subprocess.run(
        [sys.executable, "-m", "sync", "config", "example"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (shown.returncode, shown.stdout) == (0, EXAMPLE.read_text(encoding="utf-8")), shown.stderr


def test_an_installation_that_lacks_it_says_so(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "sync", tmp_path / "sync", ignore=shutil.ignore_patterns("__pycache__"))
    for package in ("connectors", "segmentation"):
        (tmp_path / package).symlink_to(ROOT / package)
    shown = subprocess.run(
        [sys.executable, "-m", "sync", "config", "example"], cwd=tmp_path, capture_output=True, text=True
    )
    assert shown.returncode == 1 and "Install crm-segments again" in shown.stderr
