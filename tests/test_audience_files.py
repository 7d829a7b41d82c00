"""Does a file for an ad platform hold the identifiers of whom it may, and of nobody else?"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.audience_files.identifiers import hashed
from connectors.schemas import REACHABLE
from sync.cli import app
from sync.exit_codes import UsageError
from tests.world import World

YES: dict[str, Any] = {REACHABLE + "ads": True}
MAILED: dict[str, Any] = {REACHABLE + "email": True}
NO: dict[str, Any] = {REACHABLE + "ads": False}
AGED = """
[[segmentations]]
name = "young"
kind = "rules"
field = "seg_young"

[[segmentations.segments]]
key = "young"
when = { attribute = "age", below = 30 }

[[segmentations.segments]]
key = "others"
when = { attribute = "age", at_least = 30 }
"""


def shop(folder: Path, **settings: Any) -> World:
    """Twenty customers who have bought; of nobody is it known whether they may be reached by ads."""
    world = World(folder, **settings)
    world.customers(20)
    return world


def audience(
    world: World, segments: set[str] | None = None, **asked: Any
) -> tuple[list[dict[str, str]], dict[str, int]]:
    """The rows of the files of all segments of rfm, and why others are not in them."""
    rows: list[dict[str, str]] = []
    left_out: dict[str, int] = {}
    for segment in sorted(set(world.labels("rfm").values())):
        out = world.folder / f"{segment}.csv"
        answer = world.do("segment", name=f"rfm.{segment}", out=out, platform="google", **asked)
        with out.open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
        for why, count in answer["left_out"].items():
            left_out[why] = left_out.get(why, 0) + count
    return rows, left_out


def test_only_who_said_yes_to_ads_is_in_it(tmp_path: Path) -> None:
    world = shop(tmp_path, label='reachable_only = true\nchannel = "ads"\nunknown_reachable = true\n')
    world.store.put("1", email="one@example.org", **YES)
    world.store.put("2", email="two@example.org", **NO)
    world.store.put("3", email="three@example.org", **MAILED)
    world.do("label")
    rows, left_out = audience(world)
    assert [row["Email"] for row in rows] == [hashed("one@example.org")]
    assert left_out == {"may not be reached by ads": 19}


def test_no_identifier_of_somebody_who_said_no_goes_under_another_spelling(tmp_path: Path) -> None:
    world = shop(tmp_path)
    world.store.put("1", email="jane.doe@gmail.com", **YES)  # the mailbox of 2, to Google
    world.store.put("2", email="janedoe+shop@gmail.com", **NO)
    world.store.put("3", email="three@example.org", phones=["0170 1234567"], country="Germany", **YES)
    world.store.put("4", email="four@example.org", phones=["+49 (0)170 1234567"], **NO)
    world.do("label")
    rows, left_out = audience(world)
    assert [(row["Email"], row["Phone"]) for row in rows] == [(hashed("three@example.org"), "")]
    assert left_out["share an address or number with somebody who may not be reached by ads"] == 1


def test_who_has_nothing_that_the_platform_takes_and_who_comes_twice_are_counted(tmp_path: Path) -> None:
    world = shop(tmp_path)
    for number in range(1, 21):
        world.store.put(str(number), email="", phones=["0170 1234567"], **YES)
    for id in ("1", "2"):
        world.store.put(id, email=f"customer{id}@example.org", phones=["+491701234567"], **YES)
    world.do("label")
    rows, left_out = audience(world, plain=True)
    assert {row["Email"] for row in rows} == {"customer1@example.org", "customer2@example.org"}
    assert {row["Phone"] for row in rows} == {"+491701234567"}
    assert left_out == {"no address or number that Google takes": 18}


def test_who_is_forgotten_leaves_the_file_by_their_address_or_number(tmp_path: Path) -> None:
    world = shop(tmp_path)
    for number in range(1, 21):
        world.store.put(str(number), email=f"customer{number}@example.org", **YES)
    world.store.put("5", email="", phones=["0170 1234567"], country="DE", **YES)
    world.do("label")
    audience(world)
    before = "".join(path.read_text() for path in world.folder.glob("*.csv"))
    for id, cell in (("4", hashed("customer4@example.org")), ("5", hashed("+491701234567"))):
        assert cell in before
        world.do("forget", id=id)
        assert not any(cell in path.read_text() for path in world.folder.glob("*.csv"))
    assert any(hashed("customer6@example.org") in path.read_text() for path in world.folder.glob("*.csv"))


def test_a_segment_that_stands_on_a_sensitive_attribute_is_refused(tmp_path: Path) -> None:
    attributes = '[accounts.portal.attributes]\nage = { field = "Age", type = "number" }\n\n'
    world = shop(tmp_path, account=attributes, more=AGED)
    with pytest.raises(UsageError, match="young looks at age, which is sensitive"):
        world.do("segment", name="young.young", out=tmp_path / "young.csv", platform="meta")
    assert not (tmp_path / "young.csv").exists()


def test_the_command_says_what_is_missing_and_the_journal_who_had_it_written(tmp_path: Path) -> None:
    world = shop(tmp_path)
    for number in range(1, 21):
        world.store.put(str(number), email=f"customer{number}@example.org", phones=["0170 1234567"], **YES)
    world.do("label")
    segment = next(iter(world.labels("rfm").values()))
    answer = world.do("segment", name=f"rfm.{segment}", out=tmp_path / "them.csv", platform="linkedin")
    assert answer["columns"][0] == "email" and answer["hashed"] and answer["least"] == 300
    (file,) = world.do("status")["segment_files"]
    assert (file["channel"], file["reason"]) == ("ads", "for linkedin")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--for", "gogle"], "There is no platform 'gogle'; did you mean 'google'?"),
        (["--for", "google", "--columns", "id"], "leave --columns, --channel and --reason out"),
        (["--for", "google", "--channel", "email"], "leave --columns, --channel and --reason out"),
        (["--plain", "--channel", "ads"], "--plain is of files for an ad platform"),
    ],
)
def test_what_does_not_go_together_is_said(tmp_path: Path, words: list[str], said: str) -> None:
    world = shop(tmp_path)
    world.config()
    place = ["--out", str(tmp_path / "x.csv"), "--config", str(tmp_path / "config.toml")]
    result = CliRunner().invoke(app, ["segment", "rfm.loyal", *words, *place])
    assert result.exit_code == 2 and said in " ".join(result.output.split())
