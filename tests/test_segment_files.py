"""Does a file of a segment hold only who may be in it, and does the journal know of every such file?"""

from __future__ import annotations

import csv
import getpass
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from connectors.schemas import CHANNELS, REACHABLE
from sync.cli import app
from sync.exit_codes import CommandError, UsageError
from tests.world import World

LISTS = "reachable_only = true\ncontrol = 0.3\n"
ANSWERS = st.sampled_from([True, False, None])
PERSON = st.fixed_dictionaries(
    {REACHABLE + channel: ANSWERS for channel in CHANNELS}
    | {
        "objects_to_profiling": ANSWERS,
        "email": st.sampled_from(["a@example.org", "B@example.org", "c@example.org"]),
    }
)


def shop(folder: Path, **settings: Any) -> World:
    """Customers of whom all may be reached by everything, labelled."""
    world = World(folder, **settings)
    world.customers(20)
    everything: dict[str, Any] = {REACHABLE + channel: True for channel in CHANNELS}
    for number in range(1, 21):
        world.store.put(
            str(number),
            first_name=f"Name{number}",
            phones=["+49 30 123-45", "0170"],
            **everything,
        )
    world.do("label")
    return world


def may(channel: str, answer: bool) -> dict[str, Any]:
    """The column that says whether a channel may be used."""
    return {REACHABLE + channel: answer}


def everyone(world: World, segmentation: str) -> set[str]:
    """All ids that a segmentation labels."""
    return set(world.labels(segmentation))


def in_files(world: World, segmentation: str, **asked: Any) -> set[str]:
    """All ids in the files of all segments of a segmentation."""
    ids: set[str] = set()
    for segment in set(world.labels(segmentation).values()):
        ids |= {row["id"] for row in rows(world, f"{segmentation}.{segment}", **asked)}
    return ids


def rows(world: World, name: str, **asked: Any) -> list[dict[str, str]]:
    """The rows of a segment's file."""
    out = world.folder / "members.csv"
    world.do("segment", name=name, out=out, **asked)
    with out.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    people=st.lists(PERSON, min_size=1, max_size=8), channel=st.sampled_from(CHANNELS), unknown=st.booleans()
)
def test_nobody_who_may_not_be_contacted_is_ever_in_a_file(
    people: list[dict[str, Any]], channel: str, unknown: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    label = f'reachable_only = true\nchannel = "{channel}"\nunknown_reachable = {str(unknown).lower()}\n'
    world = World(tmp_path_factory.mktemp("shop"), label=label)
    for number, person in enumerate(people):
        world.store.put(str(number), **person)
        world.buys(str(number), number, 1000 * (number + 1))
    world.do("label")
    objecting = {str(n) for n, person in enumerate(people) if person["objects_to_profiling"]}
    assert in_files(world, "rfm", reason="for the board").isdisjoint(objecting)
    for name, unknown_counts in (("rfm", unknown), ("value", False)):
        refused = {
            str(n) for n, person in enumerate(people) if person[REACHABLE + channel] is False
        } | objecting
        addresses = {people[int(id)]["email"].lower() for id in refused}
        expected = {
            str(n)
            for n, person in enumerate(people)
            if person["email"].lower() not in addresses
            and (person[REACHABLE + channel] or (unknown_counts and person[REACHABLE + channel] is None))
        }
        assert in_files(world, name, channel=channel, columns=["id"]) == expected


def test_the_control_group_of_a_list_is_left_out_of_a_file_with_a_channel(tmp_path: Path) -> None:
    world = shop(tmp_path, label=LISTS)
    world.first_run()
    listed = {id for key, ids in world.members().items() if key.startswith("rfm.") for id in ids}
    for channel in ("email", "phone"):
        assert in_files(world, "rfm", channel=channel) == listed < everyone(world, "rfm")
    assert in_files(world, "rfm", reason="for the board") == everyone(world, "rfm")


def test_who_has_refused_since_the_last_labelling_is_in_no_file(tmp_path: Path) -> None:
    world = shop(tmp_path)
    world.store.put("4", **may("email", False))
    world.store.put("5", objects_to_profiling=True)
    world.store.delete("6")
    assert in_files(world, "value", channel="email") == everyone(world, "value") - {"4", "5", "6"}
    assert in_files(world, "value", reason="for the board") == everyone(world, "value") - {"5", "6"}


def test_a_file_has_the_columns_that_were_asked_for_in_their_order(tmp_path: Path) -> None:
    world = shop(tmp_path, account='[accounts.portal.attributes]\ncity = "city"\n\n')
    world.store.put("4", city="Köln")
    world.do("label")
    columns = ["net_revenue", "phone", "id", "first_name", "city", "segment", "last_purchase"]
    segment = world.labels("value")["4"]
    found = {row["id"]: row for row in rows(world, f"value.{segment}", channel="phone", columns=columns)}
    assert list(found["4"]) == columns
    assert found["4"] == {
        "net_revenue": "41.60",
        "phone": "+49 30 123-45",
        "id": "4",
        "first_name": "Name4",
        "city": "Köln",
        "segment": segment,
        "last_purchase": "2024-06-02",
    }


HOSTILE = ["=cmd|' /C calc'!A0", "+SUM(1)", "-2+3", "@x", "\t=1", '"a",b', "line\nbreak", "'=quoted"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_is_a_formula_and_every_cell_is_read_as_it_was(tmp_path: Path, text: str) -> None:
    world = shop(tmp_path)
    world.store.put("4", first_name=text, phones=[text])
    name = f"value.{world.labels('value')['4']}"
    row = next(
        r for r in rows(world, name, channel="phone", columns=["id", "first_name", "phone"]) if r["id"] == "4"
    )
    for cell in (row["first_name"], row["phone"]):
        assert not cell.startswith(("=", "+", "-", "@", "\t"))
        assert cell.removeprefix("'") == text or cell == text


def test_a_file_is_its_owner_s_alone_and_takes_the_place_of_another_at_once(tmp_path: Path) -> None:
    world = shop(tmp_path)
    out = tmp_path / "members.csv"
    out.write_text("older", encoding="utf-8")
    out.chmod(0o644)
    world.do("segment", name="value.a", out=out, channel="email")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert not list(tmp_path.glob(".*tmp"))
    kept = out.read_bytes()
    with pytest.raises(UsageError):
        world.do("segment", name="value.a", out=out, columns=["email"])
    assert out.read_bytes() == kept


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({}, "say what the file is for"),
        ({"reason": "  "}, "say what the file is for"),
        ({"reason": "board", "columns": ["id", "email"]}, "--channel email or --channel ads"),
        ({"reason": "board", "columns": ["id", "first_name"]}, "can be contacted by the column first_name"),
        ({"channel": "phone", "columns": ["id", "email"]}, "the file is for phone"),
        ({"channel": "email", "columns": ["id", "phone"]}, "--channel phone or --channel sms"),
        ({"channel": "fax"}, "there is no channel 'fax'; valid: email"),
        ({"channel": "email", "columns": ["id", "emial"]}, "no column 'emial'; did you mean 'email'?"),
        ({"channel": "phone", "columns": ["phone"]}, "add id or email"),
        ({"reason": "board", "name": "value.gold"}, "no segment 'value.gold'"),
        ({"reason": "board", "out": Path("members.xlsx")}, "written as .csv"),
        ({"reason": "board", "columns": ["id", "street"]}, "can be contacted by the column street"),
    ],
)
def test_what_is_not_allowed_or_not_known_is_refused_and_leaves_no_file(
    tmp_path: Path, asked: dict[str, Any], what: str
) -> None:
    world = shop(tmp_path, account='[accounts.portal.attributes]\nstreet = "street"\n\n')
    asked = {"name": "value.a", "out": tmp_path / "members.csv", **asked}
    with pytest.raises(UsageError) as refused:
        world.do("segment", **asked)
    assert what in str(refused.value)
    assert not asked["out"].exists()
    assert world.do("status")["segment_files"] == []


@pytest.mark.parametrize("cell", ["anna@example.org", "call +1 or anna@example.org now", "+49 170 1234567"])
def test_an_address_or_number_in_any_column_needs_a_channel(tmp_path: Path, cell: str) -> None:
    world = shop(tmp_path, account='[accounts.portal.attributes]\nremark = "remark"\n\n')
    world.store.put("4", remark=cell)
    world.do("label")
    name = f"value.{world.labels('value')['4']}"
    with pytest.raises(UsageError, match="column remark, and no channel is named"):
        rows(world, name, reason="board", columns=["id", "remark"])
    assert not (tmp_path / "members.csv").exists()


def test_ids_that_are_addresses_need_a_channel(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.store.put("anna@example.org", **may("email", True))
    world.buys("anna@example.org")
    world.do("label")
    with pytest.raises(UsageError, match="by the column id"):
        rows(world, "value.a", reason="board")
    assert [row["id"] for row in rows(world, "value.a", channel="email", columns=["id"])] == [
        "anna@example.org"
    ]


def test_a_column_that_nobody_has_is_refused_with_how_to_map_it(tmp_path: Path) -> None:
    world = shop(tmp_path)
    with pytest.raises(
        CommandError, match=r"last_name\. Name the columns .* \[accounts\.portal\.contacts\.columns\]"
    ):
        rows(world, "value.a", channel="email", columns=["id", "last_name"])


def test_before_the_first_labelling_there_is_nobody_to_write(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(5)
    with pytest.raises(CommandError, match="run `crm-segments label` first"):
        rows(world, "value.a", reason="board")


def test_the_journal_tells_of_every_file(tmp_path: Path) -> None:
    world = shop(tmp_path)
    written = rows(world, "value.a", channel="email", columns=["id", "email"])
    rows(world, "value.b", reason="for the board")
    newest, first = world.do("status")["segment_files"]
    assert (newest["segment"], newest["channel"], newest["reason"]) == ("value.b", "", "for the board")
    assert (first["segment"], first["channel"], first["reason"]) == ("value.a", "email", "")
    assert (first["columns"], first["records"]) == (["id", "email"], len(written))
    assert first["path"] == str(tmp_path / "members.csv")
    assert first["who"] == getpass.getuser()
    assert world.journal("SELECT command FROM runs WHERE run = ?", first["run"]) == [{"command": "segment"}]
    assert "example.org" not in json.dumps(world.journal("SELECT * FROM runs"))


def test_forget_takes_a_person_out_of_the_files_and_out_of_the_reasons(tmp_path: Path) -> None:
    world = shop(tmp_path)
    segment = world.labels("value")["4"]
    by_address = tmp_path / "addresses.csv"
    world.do(
        "segment", name=f"value.{segment}", out=by_address, channel="email", columns=["email", "first_name"]
    )
    rows(world, f"value.{segment}", reason="asked for by customer4@example.org")
    answer = world.do("forget", id="4")
    assert answer["files"] == 2
    assert "customer4@" not in by_address.read_text(encoding="utf-8")
    assert "customer8@" in by_address.read_text(encoding="utf-8")
    assert stat.S_IMODE(by_address.stat().st_mode) == 0o600
    reasons = [file["reason"] for file in world.do("status")["segment_files"]]
    assert reasons == ["asked for by ?", ""]


def test_the_command_line_writes_a_file_and_says_who_was_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "crm"
    folder.mkdir()
    (folder / "contacts.csv").write_text(
        "id,email,first_name,reachable_email\n1,a@example.org,Ada,yes\n2,b@example.org,Bob,no\n3,c@example.org,Cyd,\n",
        encoding="utf-8",
    )
    (folder / "activities.csv").write_text(
        "contact_id,kind,occurred_at,amount\n"
        + "".join(f"{n},purchase,2024-06-2{n},10\n" for n in (1, 2, 3)),
        encoding="utf-8",
    )
    config = tmp_path / "config.toml"
    config.write_text(
        'as_of = 2024-06-30\n[accounts.shop]\ncrm = "files"\npath = "crm"\n[[segmentations]]\nname = "value"\nkind = "abc"\n'
        'field = "seg_value"\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["label"]).exit_code == 0
    ids = {}
    for segment in ("a", "b", "c", "prospect"):
        words = [
            "segment",
            f"value.{segment}",
            "--out",
            "members.csv",
            "--channel",
            "email",
            "--columns",
            "id, first_name",
        ]
        told = CliRunner().invoke(app, words)
        assert told.exit_code == 0, told.output
        ids[segment] = (tmp_path / "members.csv").read_text(encoding="utf-8").splitlines()[1:]
        assert "may not be reached by email" in told.output or segment != "a"
    assert [row for written in ids.values() for row in written] == ["1,Ada"]
    assert "value.a" in CliRunner().invoke(app, ["status"]).output
