"""Is every message a sentence, in words that people use?"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sync.cli import app
from sync.sentence import sentence
from tests.documentation.raised import Message, messages


@given(st.text(alphabet="ab .:!?\n_='", max_size=40))
def test_a_sentence_stays_as_it_is(text: str) -> None:
    once = sentence(text)
    assert sentence(once) == once


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("there is no plan 3; create one", "There is no plan 3; create one."),
        ("the CRM is away: no answer..", "The CRM is away: no answer."),
        ("api_url is not an address", "api_url is not an address."),
        ("shop: export is not there", "shop: export is not there."),
        ("cost = 3 is above value = 2", "cost = 3 is above value = 2."),
        ("'xyz' is unknown", "'xyz' is unknown."),
        ("crm-segments setup creates it", "crm-segments setup creates it."),
        ("run `crm-segments setup`", "Run `crm-segments setup`."),
        (
            "read it, then: crm-segments check --config a.toml",
            "Read it, then: crm-segments check --config a.toml",
        ),
        ("created 3 fields. Next: crm-segments plan", "Created 3 fields. Next: crm-segments plan"),
        ("name the folder ../exports", "Name the folder ../exports."),
        (
            "guards stopped it:\n  max_enter: 3 records\nif so, go on",
            "Guards stopped it:\n  max_enter: 3 records.\nIf so, go on.",
        ),
    ],
)
def test_a_sentence_has_a_capital_unless_a_name_begins_it_and_one_full_stop(text: str, shown: str) -> None:
    assert sentence(text) == shown


@pytest.mark.parametrize("message", messages(), ids=lambda message: f"{message.module}: {message.text[:40]}")
def test_each_sentence_of_a_message_begins_with_a_capital_and_ends_once(message: Message) -> None:
    text = sentence(message.text)
    assert not re.search(r"(?<![.\w/…\"])\.\.(?!\.)|\.\s+\.|[:;,]\.", text), text
    assert not re.search(r"[a-z)…]\. [a-z]+ (?!=)", text), text


@pytest.mark.parametrize(
    "words",
    [
        ["status", "--config", "nowhere.toml"],
        ["plan", "show"],
        ["status", "--account", "nobody"],
        ["check"],
    ],
)
def test_what_ends_a_command_is_a_sentence_on_a_terminal_and_in_json(
    words: list[str], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[accounts.shop]\ncrm = "files"\npath = "exports"\ncurrency = 3\n', encoding="utf-8")
    if "--config" not in words:
        words = [*words, "--config", str(config)]
    shown = CliRunner().invoke(app, words)
    told = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)["error"]
    assert " ".join(told.split()) in " ".join(shown.stderr.split())
    assert all(
        re.match(r"[A-Z]|\S*[/_.:]", line) and re.search(r"[^.]\.$", line) for line in told.splitlines()
    )
