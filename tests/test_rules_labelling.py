"""Do rules label real exports: windows in the account's time zone, segments of segments, nobody where no rule
holds?
"""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sync import commands
from sync.cli import app
from sync.commands import Options

CONFIG = """
as_of = 2025-06-30
[accounts.shop]
crm = "files"
path = "crm"
time_zone = "America/New_York"
[accounts.shop.attributes]
age = { field = "age", type = "number" }
lat = { field = "lat", type = "number" }
lon = { field = "lon", type = "number" }
[[segmentations]]
name = "audience"
kind = "rules"
field = "seg_audience"
lists = "static"
extra_fields = ["reason", "since", "previous", "score"]
[[segmentations.segments]]
key = "answered"
when = { all = [ { answered = "nps", at_least = 9 }, { segment = "life", is_not = "lost" } ] }
[[segmentations.segments]]
key = "lately"
title = "Bought lately"
when = { did = "purchase", within_days = 10 }
[[segmentations.segments]]
key = "joined"
when = { attribute = "created_at", at_least = 2025-06-01 }
[[segmentations.segments]]
key = "near"
when = { within_km = 20, of = [40.7, -74.0], latitude = "lat", longitude = "lon" }
[[segmentations.segments]]
key = "ancient"
when = { all = [ { attribute = "age", above = 120 }, { attribute = "lat", is_set = true } ] }
[[segmentations]]
name = "life"
kind = "lifecycle"
field = "seg_life"
"""
CONTACTS = """id,created_at,age,lat,lon
edge_in,2020-01-01T00:00:00Z,,,
edge_out,2020-01-01T00:00:00Z,,,
happy,2020-01-01T00:00:00Z,,,
just_joined,2025-06-01T04:00:00Z,,,
not_yet,2025-06-01T03:59:59Z,,,
neighbour,2020-01-01T00:00:00Z,,40.75,-73.95
nobody,2020-01-01T00:00:00Z,40,,
"""
# New York is four hours behind UTC in June. As of the 30th, ten days begin at local midnight of the 21st.
ACTIVITIES = """contact_id,occurred_at,kind,amount,campaign,answer
edge_in,2025-06-21T04:00:00Z,purchase,5.00,,
edge_out,2025-06-21T03:59:59Z,purchase,5.00,,
happy,2025-06-02T12:00:00Z,survey,,nps,3
happy,2025-06-03T12:00:00Z,survey,,nps,10
happy,2025-07-01T03:59:59Z,purchase,7.50,,
nobody,2025-07-01T04:00:00Z,purchase,7.50,,
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "crm").mkdir()
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "crm" / "contacts.csv").write_text(CONTACTS)
    (tmp_path / "crm" / "activities.csv").write_text(ACTIVITIES)
    return tmp_path / "config.toml"


def labels(config: Path, as_of: date | None = None) -> dict[str, dict[str, str]]:
    out = config.parent / "labels.csv"
    commands.label(config, Options(as_of=as_of), out)
    return {row["id"]: row for row in csv.DictReader(out.open())}


def audience(config: Path) -> dict[str, str]:
    return {id: row["audience"] for id, row in labels(config).items() if row["audience"]}


def test_windows_and_days_are_those_of_the_account(config: Path) -> None:
    assert audience(config) == {
        "edge_in": "lately",
        "happy": "answered",  # the purchase is of the last minute of as_of, the first rule wins
        "just_joined": "joined",
        "neighbour": "near",
    }


def test_the_day_after_a_window_has_moved_on(config: Path) -> None:
    labels(config)
    assert {
        row["audience"] for id, row in labels(config, date(2025, 7, 1)).items() if id in ("edge_in", "nobody")
    } == {"", "lately"}


def test_who_no_rule_holds_is_not_written_and_who_leaves_every_rule_is_cleared(config: Path) -> None:
    commands.setup(config)
    options = Options(allow=dict.fromkeys(("max_change", "max_enter", "max_leave", "max_cleared"), "a test"))
    commands.run(config, options)

    def written() -> dict[str, Any]:
        with (config.parent / "crm" / "segments.csv").open() as file:
            return {
                row["id"]: (row["seg_audience"], row["seg_audience_reason"], row["seg_audience_score"])
                for row in csv.DictReader(file)
            }

    assert written()["edge_in"] == ("lately", "lately: purchases in 10 days: 1", "")
    assert written().get("nobody", ("",))[0] == ""
    config.write_text(CONFIG.replace("as_of = 2025-06-30", "as_of = 2025-07-01"))
    commands.run(config, options)
    assert written()["edge_in"] == ("", "", "") and written()["nobody"][0] == "lately"
    assert commands.run(config, options)["plan"]["changes"] == 0


def test_show_tells_the_rule_with_its_values(config: Path) -> None:
    labels(config)
    story = commands.show(config, id="happy")["segmentations"]["audience"]
    assert story["reason"] == "answered: answer to nps: 10; life new"
    assert commands.show(config, id="edge_in")["segmentations"]["audience"]["label"] == "Bought lately"


def test_explain_counts_coverage_firing_overlap_and_who_has_no_rule(config: Path) -> None:
    explained = commands.label(config, explain=True)["explain"]
    assert list(explained) == ["life", "audience"]
    assert explained["audience"]["coverage"] == {"age": 1 / 7, "lat": 1 / 7, "lon": 1 / 7}
    rules = {
        rule["key"]: (rule["holds"], rule["fires"], rule["overlaps"])
        for rule in explained["audience"]["rules"]
    }
    assert rules == {
        "answered": (1, 1, None),
        "lately": (2, 1, None),
        "joined": (1, 1, None),
        "near": (1, 1, None),
        "ancient": (0, 0, None),
    }
    assert explained["audience"]["no_rule"] == 3
    assert explained["life"] == {
        "records": 7,
        "coverage": explained["audience"]["coverage"],
        "rules": [],
        "no_rule": 0,
    }


def test_a_rule_that_an_earlier_one_always_covers_is_named(config: Path) -> None:
    config.write_text(
        CONFIG.replace("below = 30", "below = 30").replace(
            'attribute = "age", above = 120', 'attribute = "lon", below = 0'
        )
    )
    rules = {
        rule["key"]: rule for rule in commands.label(config, explain=True)["explain"]["audience"]["rules"]
    }
    assert (rules["ancient"]["holds"], rules["ancient"]["fires"], rules["ancient"]["overlaps"]) == (
        1,
        0,
        "near",
    )


def test_explain_is_a_table_on_the_terminal_and_keys_in_json(config: Path) -> None:
    shown = CliRunner().invoke(app, ["label", "--explain", "--config", str(config)])
    assert shown.exit_code == 0 and "never matches" in shown.output and "no rule" in shown.output
    answer = json.loads(
        CliRunner().invoke(app, ["label", "--explain", "--json", "--config", str(config)]).stdout
    )
    assert answer["explain"]["audience"]["records"] == 7


def test_a_population_speaks_of_behaviour_too(config: Path) -> None:
    text = CONFIG.replace(
        'kind = "lifecycle"', 'kind = "lifecycle"\npopulation = { did = "purchase", within_days = 10 }'
    )
    config.write_text(text.replace(', { segment = "life", is_not = "lost" }', ""))
    assert {id for id, row in labels(config).items() if row["life"]} == {"edge_in", "happy"}


def test_history_before_the_day_is_found_again_when_the_mirror_is_lost(config: Path) -> None:
    first = labels(config)
    for file in (config.parent / "state").glob("mirror*"):
        file.unlink()
    assert labels(config) == first
