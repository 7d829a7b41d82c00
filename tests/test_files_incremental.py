"""What does a second reading deliver? Only what is new, and never less than that."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.errors import RequestError
from connectors.files import csv_reader, parquet_reader, reading
from tests.files_shop import HEAD, Read, Shop

ROWS = "1,2024-01-01,10\n2,2024-01-02,20\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.put("activities.csv", HEAD + ROWS)
    return shop


def flags(read: Read) -> list[tuple[bool, bool, bool]]:
    return [(page.whole, page.first, page.last) for page in read.pages]


def test_a_file_read_twice_adds_nothing(shop: Shop) -> None:
    read = shop.read("activity")
    assert flags(read) == [(True, True, True)]
    assert shop.read("activity", read.position).pages == []


def test_a_file_that_was_touched_but_not_changed_adds_nothing(shop: Shop) -> None:
    read = shop.read("activity")
    os.utime(shop.folder / "activities.csv", (1, 1))
    assert shop.read("activity", read.position).pages == []


def test_appended_activities_are_read_alone_and_keep_their_lines(shop: Shop) -> None:
    read = shop.read("activity")
    shop.put("activities.csv", HEAD + ROWS + "3,2024-01-03,30\n")
    further = shop.read("activity", read.position)
    assert (further.ids(), flags(further), further.rows[0]["line"]) == (["3"], [(False, False, True)], 4)
    assert shop.read("activity", further.position).pages == []


def test_a_file_that_grew_but_whose_beginning_changed_is_read_whole(shop: Shop) -> None:
    read = shop.read("activity")
    shop.put("activities.csv", HEAD + ROWS.replace("10", "11") + "3,2024-01-03,30\n")
    further = shop.read("activity", read.position)
    assert (further.ids(), flags(further)) == (["1", "2", "3"], [(True, True, True)])


def test_a_last_line_that_is_continued_later_is_read_anew_with_its_file(shop: Shop) -> None:
    shop.put("activities.csv", HEAD + "1,2024-01-01,10")
    read = shop.read("activity")
    assert read.rows[0]["amount_minor"] == 1000
    shop.put("activities.csv", HEAD + "1,2024-01-01,100\n")
    further = shop.read("activity", read.position)
    assert ([row["amount_minor"] for row in further.rows], flags(further)) == ([10000], [(True, True, True)])


def test_a_shorter_file_is_read_whole(shop: Shop) -> None:
    read = shop.read("activity")
    shop.put("activities.csv", HEAD)
    further = shop.read("activity", read.position)
    assert (further.rows, flags(further)) == ([], [(True, True, True)])


def test_contacts_that_grew_are_read_whole(shop: Shop) -> None:
    shop.put("contacts.csv", "id\n1\n")
    read = shop.read("contact")
    shop.put("contacts.csv", "id\n1\n2\n")
    assert shop.read("contact", read.position).ids() == ["1", "2"]


def test_only_a_new_file_is_read(shop: Shop) -> None:
    read = shop.read("activity")
    shop.put("activities-2.csv", HEAD + "3,2024-01-03,30\n")
    further = shop.read("activity", read.position)
    assert [(page.part, page.records.num_rows) for page in further.pages] == [("activities-2.csv", 1)]


def test_a_file_that_vanished_is_an_empty_whole_page(shop: Shop) -> None:
    shop.put("activities-2.csv", HEAD + "3,2024-01-03,30\n")
    read = shop.read("activity")
    (shop.folder / "activities-2.csv").unlink()
    further = shop.read("activity", read.position)
    assert [(page.part, page.records.num_rows) for page in further.pages] == [("activities-2.csv", 0)]
    assert flags(further) == [(True, True, True)]
    assert shop.read("activity", further.position).pages == []


def test_other_settings_void_the_position(shop: Shop) -> None:
    read = shop.read("activity")
    shop.settings = {"decimal": ","}
    assert shop.read("activity", read.position).ids() == ["1", "2"]
    shop.settings, shop.account = {}, {"time_zone": "Europe/Berlin"}
    assert shop.read("activity", read.position).ids() == ["1", "2"]


@pytest.mark.parametrize(
    "position", ["", "{}", "nonsense", "[]", '{"files": {"activities.csv": 1}}', '{"files": 3}']
)
def test_a_position_that_nobody_understands_reads_anew(shop: Shop, position: str) -> None:
    assert shop.read("activity", position).ids() == ["1", "2"]


def test_a_change_within_the_same_instant_and_size_is_seen(shop: Shop) -> None:
    path = shop.put("activities.csv", HEAD + ROWS, old=False)
    now = time.time_ns()
    os.utime(path, ns=(now, now))
    read = shop.read("activity")
    path.write_text(HEAD + ROWS.replace("10", "99"))
    os.utime(path, ns=(now, now))
    assert shop.read("activity", read.position).rows[0]["amount_minor"] == 9900


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_reading_can_go_on_behind_any_page(
    shop: Shop, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 200)
    monkeypatch.setattr(csv_reader, "BLOCK", 64)
    shop.settings = {"encoding": encoding}
    lines = [f'{n},2024-01-01,"{n}"\n' if n % 7 else f"{n},never,1\n" for n in range(60)]
    shop.put("activities.csv", (HEAD + "".join(lines)).encode(encoding))
    whole = shop.read("activity")
    assert len(whole.pages) > 3
    for number in range(1, len(whole.pages)):
        position = whole.pages[number - 1].position
        tail = shop.read("activity", position)
        assert Read(whole.pages[:number]).ids() + tail.ids() == whole.ids()
        assert [row["line"] for row in tail.rows] == [row["line"] for row in Read(whole.pages[number:]).rows]
        assert [(page.first, page.last) for page in tail.pages][-1] == (False, True)
    shop.put("activities.csv", (HEAD + "".join(reversed(lines))).encode(encoding))
    assert shop.read("activity", whole.pages[0].position).pages[0].first


def test_the_tail_of_a_grown_file_can_be_resumed_too(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK", 100)
    monkeypatch.setattr(csv_reader, "BLOCK", 64)
    read = shop.read("activity")
    shop.put("activities.csv", HEAD + ROWS + "".join(f"{n},2024-01-03,30\n" for n in range(3, 40)))
    further = shop.read("activity", read.position)
    tail = shop.read("activity", further.pages[1].position)
    assert Read(further.pages[:2]).ids() + tail.ids() == [str(n) for n in range(3, 40)]
    assert not any(page.whole for page in tail.pages)


def test_parquet_pages_resume_at_their_row(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_reader, "PAGE_ROWS", 300)
    (shop.folder / "activities.csv").unlink()
    ids = [str(n) for n in range(1000)]
    table = pa.table(
        {
            "contact_id": ids,
            "occurred_at": pa.array(np.arange(1000), pa.timestamp("s")),
            "amount": np.ones(1000),
        }
    )
    pq.write_table(table, shop.folder / "activities.parquet", row_group_size=170)
    os.utime(shop.folder / "activities.parquet", (1, 1))
    whole = shop.read("activity")
    assert whole.ids() == ids
    for number in range(1, len(whole.pages)):
        tail = shop.read("activity", whole.pages[number - 1].position)
        assert Read(whole.pages[:number]).ids() + tail.ids() == ids
        assert tail.rows[0]["line"] == len(Read(whole.pages[:number]).rows) + 1
    assert shop.read("activity", whole.position).pages == []
    pq.write_table(table.slice(1), shop.folder / "activities.parquet")
    assert shop.read("activity", whole.position).ids() == ids[1:]


def test_a_fresh_parquet_file_is_known_by_its_content(shop: Shop) -> None:
    (shop.folder / "activities.csv").unlink()
    table = pa.table({"contact_id": ["1"], "occurred_at": pa.array([0], pa.timestamp("s")), "amount": [1.0]})
    pq.write_table(table, shop.folder / "activities.parquet")
    read = shop.read("activity")
    assert not json.loads(read.position)["files"]["activities.parquet"]["settled"]
    assert shop.read("activity", read.position).pages == []


def test_the_count_is_the_number_of_lines(shop: Shop) -> None:
    assert shop.open().count("activity") == 2
    assert shop.open().count("lead") is None
    shop.put("activities-2.csv", HEAD + "x\ny")
    assert shop.open().count("activity") == 4


def test_a_file_that_is_gone_between_listing_and_reading_is_named(shop: Shop) -> None:
    with pytest.raises(RequestError, match="activities"):
        (shop.folder / "activities.csv").unlink()
        shop.read("activity")
