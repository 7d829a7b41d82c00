"""Are the names of an earlier version refused with the new ones, and does what they stored stay as it was?"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.files.cursor import fingerprint
from segmentation.kinds import kind_named
from sync.cli import app
from sync.config.config import ConfigError, load
from sync.config.renames import KEYS, KINDS, VERBS
from sync.store.journal import Journal
from sync.store.migrations import migrate, model_of_m006

# a value that the new key takes
VALUES = {
    "writable": "true",
    "quota_reserve": "0.5",
    "profiling_opt_out_property": '"no_profiling"',
    "email_subscription": '"71"',
    "full_sync_days": "3",
    "activity_types": '["visit"]',
    "title": '"Shown"',
    "extra_fields": '["reason"]',
    "reachable_only": "true",
    "dead_band": "0.2",
    "recency_patience": "2.0",
    "max_clusters": "7",
    "segment_by": '"stage"',
    "churn": "true",
    "campaign_pattern": '"Spring *"',
}
# the kind of segmentation that takes it, with what it needs beside; else rfm
TAKEN_BY = {
    "max_clusters": "clusters",
    "activity_types": "clusters",
    "churn": "response",
    "campaign_pattern": "response",
    "segment_by": "offers",
}
NEEDED = {
    "offers": 'categories = ["Wine"]\n',
    "response": "attributes = []\n",
}
EVERY = [(table, old, new) for table, names in KEYS.items() for old, new in names.items()]
STAGE = '[[segmentations]]\nname = "stage"\nkind = "lifecycle"\nfield = "seg_stage"\n'


def config_with(table: tuple[str, ...], key: str, new: str) -> str:
    """A right config but for one key, whose line ends with HERE."""
    value = VALUES[new] if table[-1] != "activities" else '{ "Return" = "refund" }'
    line = f"{key} = {value}"
    account, activities, segmentation, segments, groups = "", "", "", "", ""
    kind = TAKEN_BY.get(new, "rfm") if table == ("segmentations", "*") else "rfm"
    if table == ("accounts", "*"):
        account = f"{line} # HERE\n"
    elif table[-1] == "activities":
        activities = f"[accounts.shop.activities]\n{line} # HERE\n"
    elif table == ("segmentations", "*"):
        segmentation = f"{line} # HERE\n"
        segmentation += 'lists = "static"\n' if new == "reachable_only" else ""
        segmentation += 'target = "campaign_response"\n' if new == "campaign_pattern" else ""
    elif table[2] == "segments":
        segments = f'[[segmentations.segments]]\nkey = "champions"\n{line} # HERE\n'
    else:
        groups = f'groups = [\n  {{ key = "best", r = [3, 5] }},\n  {{ key = "rest", {line} }}, # HERE\n]\n'
    crm = 'crm = "files"\npath = "crm"\n'
    if new in ("profiling_opt_out_property", "email_subscription", "full_sync_days"):
        crm = 'crm = "hubspot"\ntoken = "env:TOKEN"\n'
    return (
        f"[accounts.shop]\n{crm}{account}{activities}\n{STAGE}\n"
        f'[[segmentations]]\nname = "one"\nkind = "{kind}"\nfield = "seg_one"\n'
        f"{NEEDED.get(kind, '')}{segmentation}{groups}{segments}"
    )


def faults(folder: Path, text: str) -> list[str]:
    """What ``load`` tells, without the path of the file."""
    path = folder / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load(path)
    return [line.removeprefix(f"{path}:") for line in str(raised.value).splitlines()]


def named(old: str, table: tuple[str, ...]) -> str:
    return ".".join((*table, old))


@pytest.mark.parametrize(("table", "old", "new"), EVERY, ids=[named(old, table) for table, old, _ in EVERY])
def test_an_old_key_is_refused_with_the_new_one_and_its_line(
    tmp_path: Path, table: tuple[str, ...], old: str, new: str
) -> None:
    text = config_with(table, old, new)
    (message,) = faults(tmp_path, text)
    line = 1 + [" # HERE" in line for line in text.splitlines()].index(True)
    assert message.startswith(f"{line}: ") and message.endswith(f".{old}: is now called {new}; rename it.")


@pytest.mark.parametrize(("table", "old", "new"), EVERY, ids=[named(old, table) for table, old, _ in EVERY])
def test_the_new_key_is_taken(tmp_path: Path, table: tuple[str, ...], old: str, new: str) -> None:
    (tmp_path / "config.toml").write_text(config_with(table, new, new))
    assert load(tmp_path / "config.toml").accounts["shop"].name == "shop"


def test_the_old_kind_is_refused_with_the_new_one_and_its_line(tmp_path: Path) -> None:
    text = STAGE.replace("lifecycle", "value")
    assert faults(tmp_path, '[accounts.shop]\ncrm = "files"\npath = "crm"\n' + text) == [
        "6: segmentations[0].kind: 'value' is now called 'abc'; write kind = \"abc\"."
    ]


def test_what_else_is_wrong_with_a_table_is_told_beside_its_old_names(tmp_path: Path) -> None:
    text = (
        '[accounts.shop]\ncrm = "files"\npath = "crm"\n'
        + STAGE
        + 'label = "Stage"\nband = 7\nlists = "some"\n'
    )
    messages = faults(tmp_path, text)
    assert [line.split(": ")[1] for line in messages if "now called" in line] == [
        "segmentations[0].label",
        "segmentations[0].band",
    ]
    assert [line.split(": ")[1] for line in messages if "now called" not in line] == [
        "segmentations[0].dead_band",
        "segmentations[0].lists",
    ]


def test_of_an_old_key_and_the_new_one_only_the_old_one_is_refused(tmp_path: Path) -> None:
    text = '[accounts.shop]\ncrm = "files"\npath = "crm"\n' + STAGE + 'label = "Old"\ntitle = "New"\n'
    assert faults(tmp_path, text) == ["8: segmentations[0].label: is now called title; rename it."]


def test_a_key_of_the_user_s_own_is_no_old_name(tmp_path: Path) -> None:
    text = (
        '[accounts.written]\ncrm = "files"\npath = "crm"\n[accounts.written.attributes]\nlabel = "Label"\nband = "Band"\n'
        + STAGE
        + 'population = { attribute = "label", is = "kinds" }\n'
    )
    (tmp_path / "config.toml").write_text(text)
    assert load(tmp_path / "config.toml").accounts["written"].attributes["band"].field == "Band"


@pytest.mark.parametrize(("old", "new"), VERBS.items())
@pytest.mark.parametrize("words", [[], ["--json"], ["rfm", "--composition", "age"]])
def test_an_old_verb_is_refused_with_the_new_one(old: str, new: str, words: list[str]) -> None:
    result = CliRunner().invoke(app, [old, *words])
    assert result.exit_code == 2 and f"{old!r} is now called {new!r}" in " ".join(result.output.split())


@pytest.mark.parametrize("new", KINDS.values())
def test_every_new_kind_is_one(new: str) -> None:
    assert kind_named(new)


# What decides whether stored models and labels still fit the config

EVERY_NEW_KEY = """
[accounts.hub]
crm = "hubspot"
token = "env:TOKEN"
quota_reserve = 0.5
profiling_opt_out_property = "no_profiling"
email_subscription = "71"
full_sync_days = 3
activity_from = ["shop"]

[accounts.shop]
crm = "files"
path = "crm"
writable = false

[accounts.shop.activities]
activity_types = { "Return" = "refund" }

[[segmentations]]
name = "rfm"
title = "Buying habits"
kind = "rfm"
field = "seg_rfm"
lists = "static"
reachable_only = true
extra_fields = ["reason"]
dead_band = 0.05
recency_patience = 2.0
groups = [{ key = "best", title = "Best", r = [3, 5] }, { key = "rest" }]

[[segmentations]]
name = "value"
kind = "abc"
field = "seg_value"

[[segmentations]]
name = "groups"
kind = "clusters"
field = "seg_groups"
max_clusters = 7
activity_types = ["visit"]

[[segmentations]]
name = "leaving"
kind = "response"
field = "seg_leaving"
churn = true

[[segmentations]]
name = "mailing"
kind = "response"
field = "seg_mailing"
target = "campaign_response"
campaign_pattern = "Spring *"

[[segmentations]]
name = "next"
kind = "offers"
field = "seg_next"
categories = ["Wine"]
segment_by = "rfm"
"""
# as the version that had the old names computed them of the same config
DIGESTS = {
    "rfm": "115f33af8dc892a1",
    "value": "16cd9fc6b0b3ab0c",
    "groups": "2f7bf2bdbec1d2a0",
    "leaving": "c09bfc1d10a53372",
    "mailing": "7156b87790c772d7",
    "next": "a943a5d3251a18c1",
}


def test_no_model_is_trained_and_no_file_read_again_because_of_a_new_name(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(EVERY_NEW_KEY)
    config = load(tmp_path / "config.toml")
    assert {settings.name: config.digest(settings) for settings in config.segmentations} == DIGESTS
    assert fingerprint(config.account("shop"), "activity") == "81d4117b42b9cb22f655bedd"


# Stored under the old names

OLD: list[dict[str, Any]] = [
    {
        "version": 1,
        "kind": "value",
        "settings": {"window_days": None, "a_share": 0.8},
        "figures": {"a": {"buyers": 3}},
    },
    {
        "version": 1,
        "kind": "response",
        "settings": {"target": "purchase", "absent": True, "campaign": None, "value": 3.0},
    },
    {"version": 1, "kind": "offers", "settings": {"categories": ["Wine"], "by": "rfm"}},
    {"version": 1, "kind": "rfm", "settings": {"window_days": 365}},
]
NEW: list[dict[str, Any]] = [
    {**OLD[0], "kind": "abc"},
    {**OLD[1], "settings": {"target": "purchase", "churn": True, "campaign_pattern": None, "value": 3.0}},
    {**OLD[2], "settings": {"categories": ["Wine"], "segment_by": "rfm"}},
    OLD[3],
]


@pytest.mark.parametrize(("old", "new"), zip(OLD, NEW, strict=True), ids=[str(old["kind"]) for old in OLD])
def test_a_stored_model_comes_up_under_the_new_names(
    tmp_path: Path, old: dict[str, Any], new: dict[str, Any]
) -> None:
    path = tmp_path / "journal.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, 5)
        row = ("shop", "one", 1, "2026-03-01", "digest", "then", json.dumps(old))
        connection.execute("INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    with closing(Journal(path)) as journal:
        stored = journal.models.latest("shop", "one")
        assert stored is not None and json.loads(stored.content) == model_of_m006(old) == new
    assert model_of_m006(new) == new, "twice is once"
