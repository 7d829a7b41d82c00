"""Lists of the files CRM that hold addresses and names: of whom, who reads them, and what takes them out again?"""

from __future__ import annotations

import csv
import json
import sqlite3
import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sync import commands
from sync.commands import Options
from sync.config.config import load
from sync.config.export_columns import PERSON
from sync.config.faults import ConfigError
from sync.store.segment_members import OF_PERSON
from tests.world import ALLOWED

DAY = date(2026, 1, 31)
NAMES = ("id", "email", "first_name", "phone", "reachable_email", "city")
CONFIG = """
state_dir = "state"
as_of = 2026-01-31
[accounts.shop]
crm = "files"
path = "shop"
{account}
[accounts.shop.attributes]
city = "city"
[[segmentations]]
name = "value"
kind = "abc"
field = "seg_value"
lists = "static"
{lists}
"""
EMAIL = 'reachable_only = true\nchannel = "email"\n'
COLUMNS = 'export_columns = ["email", "first_name"]'


class Folder:
    """A shop of 30 customers in CSV files."""

    def __init__(self, folder: Path, account: str = COLUMNS, lists: str = EMAIL) -> None:
        self.folder, self.shop, self.config = folder, folder / "shop", folder / "config.toml"
        self.shop.mkdir()
        self.people = [
            {"id": f"c{n}", "email": f"person{n}@example.org", "first_name": f"Name {n}", "phone": f"+49 30 {n}",
             "reachable_email": "yes", "city": "Bonn"}
            for n in range(30)
        ]  # fmt: skip
        rows = [
            f"c{n},{DAY - timedelta(days=n + m * 40)},{(n + 1) * 10}.00" for n in range(30) for m in range(3)
        ]
        (self.shop / "activities.csv").write_text("\n".join(["contact_id,occurred_at,amount", *rows]))
        self.configure(account, lists)
        self.save()

    def configure(self, account: str = COLUMNS, lists: str = EMAIL) -> None:
        self.config.write_text(CONFIG.format(account=account, lists=lists))

    def save(self) -> None:
        """Export the customers again."""
        with (self.shop / "contacts.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, NAMES)
            writer.writeheader()
            writer.writerows(self.people)

    def do(self, verb: str, **asked: Any) -> dict[str, Any]:
        options = Options(allow=ALLOWED, clock=lambda: datetime(2026, 2, 1, 9, tzinfo=UTC))
        done: dict[str, Any] = getattr(commands, verb)(self.config, options, **asked)
        return done

    def run(self) -> dict[str, Any]:
        self.do("setup")
        return self.do("run")

    def files(self) -> dict[str, list[dict[str, str]]]:
        """The rows of each list."""
        found = {}
        for path in sorted((self.shop / "lists").glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                found[path.stem] = list(csv.DictReader(file))
        return found

    def rows(self) -> dict[str, dict[str, str]]:
        """The rows of all lists, by id."""
        return {row["id"]: row for rows in self.files().values() for row in rows}

    def stories(self) -> list[dict[str, Any]]:
        return list(self.do("status")["segment_files"])


def test_members_stand_with_their_address_and_name_and_nobody_else_reads_the_file(tmp_path: Path) -> None:
    shop = Folder(tmp_path)
    shop.run()
    rows = shop.rows()
    assert len(rows) == 30
    assert rows["c7"] == {"id": "c7", "email": "person7@example.org", "first_name": "Name 7"}
    for path in (shop.shop / "lists").glob("*.csv"):
        if shop.files()[path.stem]:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_the_journal_keeps_each_file_and_no_address(tmp_path: Path) -> None:
    shop = Folder(tmp_path)
    planned = shop.do("setup") | shop.do("plan")
    assert "@example.org" not in json.dumps(planned, default=str)
    shop.do("run")
    stories = {story["segment"]: story for story in shop.stories()}
    assert set(stories) == set(shop.files())
    story = stories["value.a"]
    assert (story["columns"], story["channel"]) == (["id", "email", "first_name"], "email")
    assert story["records"] == len(shop.files()["value.a"]) and story["who"] and story["at"]
    with sqlite3.connect(tmp_path / "state/journal.sqlite") as journal:
        assert "example.org" not in "\n".join(journal.iterdump())


def test_a_run_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    shop = Folder(tmp_path)
    shop.run()
    before = {path: path.stat().st_mtime_ns for path in (shop.shop / "lists").glob("*.csv")}
    count = len(shop.stories())
    done = shop.do("run")
    assert done["plan"]["changes"] == 0 and done["calls"]["write"] == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before and len(shop.stories()) == count


def test_another_address_stands_there_after_the_next_run(tmp_path: Path) -> None:
    shop = Folder(tmp_path)
    shop.run()
    shop.people[7]["email"] = "new@example.org"
    shop.save()
    shop.do("run")
    assert shop.rows()["c7"]["email"] == "new@example.org"


def test_who_takes_consent_back_is_gone_with_address_and_name(tmp_path: Path) -> None:
    shop = Folder(tmp_path)
    shop.run()
    shop.people[7]["reachable_email"] = "no"
    shop.save()
    shop.do("run")
    assert "c7" not in shop.rows()
    assert all("person7@" not in path.read_text() for path in (shop.shop / "lists").glob("*.csv"))


def test_a_member_whom_somebody_added_and_who_may_not_be_reached_has_empty_cells(tmp_path: Path) -> None:
    shop = Folder(tmp_path)
    shop.people[7]["reachable_email"] = "no"
    shop.save()
    shop.run()
    shop.people[8]["email"] = shop.people[7]["email"]  # of somebody who said no
    shop.save()
    shop.do("run")
    assert shop.rows()["c8"]["email"] == shop.rows()["c8"]["first_name"] == ""
    assert "c7" not in shop.rows() and shop.rows()["c9"]["email"]


def test_a_control_group_is_in_no_list_and_its_addresses_are_in_no_file(tmp_path: Path) -> None:
    shop = Folder(tmp_path, lists=EMAIL + "control = 0.5\n")
    shop.run()
    text = "".join(path.read_text() for path in (shop.shop / "lists").glob("*.csv"))
    held_out = [person for person in shop.people if person["id"] not in shop.rows()]
    assert len(held_out) > 3
    assert not any(person["email"] in text for person in held_out)


@pytest.mark.parametrize(
    ("account", "lists", "columns"),
    [
        (COLUMNS, "", {"id"}),
        ('export_columns = ["phone", "city"]', EMAIL, {"id", "city"}),
        (
            'export_columns = ["phone", "email"]',
            EMAIL.replace('"email"', '"sms"') + "unknown_reachable = true",
            {"id", "phone"},
        ),
    ],
    ids=["no channel", "not of this channel", "sms"],
)
def test_a_list_holds_only_columns_that_serve_its_channel(
    tmp_path: Path, account: str, lists: str, columns: set[str]
) -> None:
    shop = Folder(tmp_path, account, lists)
    shop.run()
    assert {name for row in shop.rows().values() for name in row} == columns


def test_columns_that_leave_the_config_leave_the_files(tmp_path: Path) -> None:
    shop = Folder(tmp_path)
    shop.run()
    shop.configure('export_columns = ["first_name"]')
    shop.do("run")
    assert {name for row in shop.rows().values() for name in row} == {"id", "first_name"}
    shop.configure("")
    shop.do("run")
    assert {name for row in shop.rows().values() for name in row} == {"id"}
    assert "example.org" not in "".join(path.read_text() for path in (shop.shop / "lists").glob("*.csv"))


def test_undo_takes_members_out_with_all_that_stands_of_them(tmp_path: Path) -> None:
    shop = Folder(tmp_path)
    done = shop.run()
    shop.do("undo", number=done["run"])
    assert shop.rows() == {}
    assert "example.org" not in "".join(path.read_text() for path in (shop.shop / "lists").glob("*.csv"))


def test_whoever_is_forgotten_is_in_no_list(tmp_path: Path) -> None:
    shop = Folder(tmp_path)
    shop.run()
    shop.do("forget", id="c7")
    text = "".join(path.read_text() for path in (shop.shop / "lists").glob("*.csv"))
    assert "c7," not in text and "person7@" not in text and "person8@" in text


def test_what_a_person_adds_to_a_list_stays(tmp_path: Path) -> None:
    shop = Folder(tmp_path)
    shop.run()
    path = shop.shop / "lists/value.a.csv"
    lines = path.read_text().splitlines()
    path.write_text(
        "\r\n".join([lines[0] + ",remark", *(f"{line},called {n}" for n, line in enumerate(lines[1:]))])
    )
    shop.people[0]["first_name"] = "Other"
    shop.save()
    shop.do("run")
    rows = shop.files()["value.a"]
    assert [row["remark"] for row in rows] == [f"called {n}" for n in range(len(rows))]


HOSTILE = [
    '=HYPERLINK("http://x";"y")',
    "+cmd|' /C calc'!A0",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    'a"b,c;d',
    "two\nlines",
    "Ünï\u202e",
]


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_hostile_name_is_a_text_in_one_cell(tmp_path: Path, delimiter: str) -> None:
    shop = Folder(tmp_path, f'{COLUMNS}\ndelimiter = "{delimiter}"')
    activities = shop.shop / "activities.csv"
    activities.write_text(activities.read_text().replace(",", delimiter))
    for number, name in enumerate(HOSTILE):
        shop.people[number]["first_name"] = name
    with (shop.shop / "contacts.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, NAMES, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(shop.people)
    shop.run()
    shop.do("run")  # the lists are read again, with those cells in them
    cells: dict[str, dict[str, str]] = {}
    for path in (shop.shop / "lists").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            cells |= {row["id"]: row for row in csv.DictReader(file, delimiter=delimiter)}
    assert len(cells) == 30
    for number, name in enumerate(HOSTILE):
        shown = cells[f"c{number}"]["first_name"]
        assert shown[:1] not in ("=", "+", "-", "@", "\t")
        assert shown.removeprefix("'").strip() == name.strip()
    assert cells["c20"]["first_name"] == "Name 20"


def test_a_column_that_no_member_has_is_a_fault_of_the_config(tmp_path: Path) -> None:
    shop = Folder(tmp_path, 'export_columns = ["email", "fist_name"]')
    with pytest.raises(ConfigError, match=r"export_columns.*'fist_name'.*first_name"):
        load(shop.config)


def test_the_config_knows_the_columns_that_the_store_has() -> None:
    assert tuple(OF_PERSON) == PERSON


def test_another_choice_of_columns_moves_no_segment(tmp_path: Path) -> None:
    shop = Folder(tmp_path)
    before = load(shop.config)
    shop.configure("")
    after = load(shop.config)
    assert before.digest(before.segmentations[0]) == after.digest(after.segmentations[0])
