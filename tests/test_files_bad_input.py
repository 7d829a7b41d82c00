"""What becomes of rows that cannot be read?

They are counted and shown with file and line, and the rest goes through.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.contract import Attribute
from connectors.errors import ConnectorError, RequestError
from connectors.files import csv_reader
from tests.files_shop import HEAD, Shop

GOOD = "1,2024-01-01,10\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


BAD_ROWS = {
    "broken date": b"2,2024-02-30,10\n",
    "no date": b"2,,10\n",
    "non-numeric amount": b"2,2024-01-01,ten\n",
    "not a number": b"2,2024-01-01,nan\n",
    "infinity": b"2,2024-01-01,inf\n",
    "overflow": b"2,2024-01-01,1e30\n",
    "too few cells": b"2,2024-01-01\n",
    "too many cells": b"2,2024-01-01,10,11\n",
    "wrong encoding": b"2\xff,2024-01-01,10\n",
    "NUL byte": b"2\0,2024-01-01,10\n",
    "10 MB cell": b"2" * 10_000_000 + b",2024-01-01,10\n",
    "unclosed quote": b'"2,2024-01-01,10\n',
    "text behind a quote": b'"2"x,2024-01-01,10\n',
}


@pytest.mark.parametrize("bad", BAD_ROWS.values(), ids=list(BAD_ROWS))
def test_a_bad_row_is_shown_with_file_and_line_and_the_rest_goes_through(shop: Shop, bad: bytes) -> None:
    shop.put("activities.csv", HEAD.encode() + GOOD.encode() + bad + b"3,2024-01-01,30\n\n4,2024-01-01,40\n")
    read = shop.read("activity")
    assert read.ids() == ["1", "3", "4"]
    assert [row["line"] for row in read.rows] == [2, 4, 6]
    assert (read.rejected, read.lines(), read.rejects[0]["part"]) == (1, [(3, None)], "activities.csv")


@pytest.mark.parametrize("bad", BAD_ROWS.values(), ids=list(BAD_ROWS))
def test_a_bad_last_row_without_a_line_end_is_refused_alone(shop: Shop, bad: bytes) -> None:
    shop.put("activities.csv", HEAD.encode() + GOOD.encode() + bad[:-1])
    read = shop.read("activity")
    assert (read.ids(), read.rejected, read.lines()) == (["1"], 1, [(3, None)])


def test_a_quoted_cell_of_10_mb_with_line_breaks_costs_one_row_and_lines_stay_exact(shop: Shop) -> None:
    huge = "2" + "x" * 99 + "\n"
    shop.put("activities.csv", HEAD + GOOD + f'"{huge * 100_000}",2024-01-01,10\n' + "3,2024-01-01,30\n")
    read = shop.read("activity")
    assert (read.ids(), read.rejected) == (["1", "3"], 1)
    assert [row["line"] for row in read.rows] == [2, 100_004]


def test_an_endless_line_is_passed_over(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "ROW_LIMIT", 1 << 20)
    monkeypatch.setattr(csv_reader, "BLOCK", 1 << 18)
    shop.put("activities.csv", HEAD + GOOD + "2" * (3 << 20) + ",2024-01-01,10\n" + "3,2024-01-01,30\n")
    read = shop.read("activity")
    assert (read.ids(), read.rejected, read.lines()) == (["1", "3"], 1, [(3, None)])
    assert [row["line"] for row in read.rows] == [2, 4]


def test_an_unclosed_quote_in_a_large_file_costs_one_line(shop: Shop) -> None:
    rows = [f'{n},2024-01-01,"{n}"\n' for n in range(50_000)]
    rows[25_000] = '"25000,2024-01-01,5\n'
    shop.put("activities.csv", HEAD + "".join(rows))
    read = shop.read("activity")
    assert (len(read.rows), read.rejected, read.lines()) == (49_999, 1, [(25_002, None)])


def test_line_breaks_commas_and_quotes_within_quotes_are_part_of_the_cell(shop: Shop) -> None:
    shop.put("contacts.csv", 'id,note\n1,"a\nb, ""c"""\n2,plain\n3,5" screen\n4,back\\slash\n')
    read = shop.read("contact")
    notes = {2: 'a\nb, "c"', 4: "plain", 5: '5" screen', 6: "back\\slash"}
    assert {row["line"]: row["attribute.note"] for row in read.rows} == notes
    assert read.rejected == 0


def test_a_broken_cell_of_a_record_becomes_empty_and_the_record_goes_on(shop: Shop) -> None:
    types = {
        "age": Attribute("age", "number"), "born": Attribute("born", "date"), "vip": Attribute("vip", "bool"),
        "kids": Attribute("kids", "ordered", ("0", "1", "2+"), ("?",)),
    }  # fmt: skip
    shop.account = {"attributes": types}
    header = "id,age,born,vip,kids,deleted,created_at\n"
    shop.put(
        "contacts.csv", header + "1,40,1984-01-01,Yes,2+,0,2024-01-01\n2,x,1984-13-01,maybe,9,?,x\n3,,,,?,,\n"
    )
    read = shop.read("contact")
    first, second, third = read.rows
    assert (
        first["attribute.age"],
        str(first["attribute.born"]),
        first["attribute.vip"],
        first["attribute.kids"],
    ) == (
        40.0,
        "1984-01-01",
        True,
        "2+",
    )
    assert {second[name] for name in second if name not in ("record_type", "id", "line")} == {None}
    assert {third[name] for name in third if name not in ("record_type", "id", "line")} == {None}
    assert read.rejected == 0
    assert sorted(str(column) for _, column in read.lines()) == [
        "age",
        "born",
        "created_at",
        "deleted",
        "kids",
        "vip",
    ]


def test_a_broken_quantity_costs_the_cell_and_an_empty_amount_is_noted(shop: Shop) -> None:
    header = "contact_id,occurred_at,amount,quantity,kind\n"
    shop.put(
        "activities.csv", header + "1,2024-01-01,5,many,\n1,2024-01-01,,1,purchase\n1,2024-01-01,,,visit\n"
    )
    read = shop.read("activity")
    assert [(row["amount_minor"], row["quantity"], row["kind"]) for row in read.rows] == [
        (500, None, "purchase"), (None, 1.0, "purchase"), (None, None, "visit"),
    ]  # fmt: skip
    assert (read.rejected, read.lines()) == (0, [(2, "quantity"), (3, "amount")])


def test_reasons_never_quote_an_address(shop: Shop) -> None:
    shop.put("activities.csv", HEAD + "1,ada@example.org,10\n1,2024-01-01,Ada_Lovelace\n1,soon,1\n")
    reasons = [row["reason"] for row in shop.read("activity").rejects]
    assert not any("ada" in reason.lower() for reason in reasons)
    assert any("'soon'" in reason for reason in reasons)


def test_at_most_ten_thousand_rejects_are_listed_and_all_are_counted(shop: Shop) -> None:
    shop.put("activities.csv", HEAD + "1,never,1\n" * 12_000)
    read = shop.read("activity")
    assert (len(read.rejects), read.rejected) == (10_000, 12_000)


def test_parquet_rows_that_are_wrong_are_refused_alike(shop: Shop) -> None:
    table = pa.table(
        {
            "contact_id": pa.array(["1", None, "3", "4\0", "5", "6", "7"]),
            "occurred_at": pa.array([0, 0, None, 0, 0, 0, 1 << 60], pa.timestamp("us")),
            "amount": pa.array([1.005, 1.0, 1.0, 1.0, np.nan, np.inf, 1.0], from_pandas=False),
        }
    )
    pq.write_table(table, shop.folder / "activities.parquet")
    read = shop.read("activity")
    assert (read.ids(), read.rejected, read.ownerless) == (["1"], 5, 1)
    assert sorted(line for line, _ in read.lines()) == [3, 4, 5, 6, 7]


def test_rows_that_name_nobody_are_counted_and_no_fault(shop: Shop) -> None:
    shop.put("activities.csv", HEAD + "1,2024-01-01,10\n,2024-01-01,10\n  ,2024-01-02,5\n")
    read = shop.read("activity")
    assert (read.ids(), read.rejected, read.ownerless) == (["1"], 0, 2)


def test_totals_titles_and_the_foot_of_a_report_are_no_purchases(shop: Shop) -> None:
    shop.put(
        "activities.csv",
        HEAD + '1,2024-01-01,10\nTotal,,"1,010.00"\n,,\n2,2024-01-01,"1,000.00"\n,,1010\nGenerated by: Ada\n',
    )
    read = shop.read("activity")
    assert (read.ids(), read.rejected) == (["1", "2"], 0)
    assert read.left_out == {"totals and blank rows": 3, "lines below the table": 1}


def test_parquet_columns_of_other_types_are_understood(shop: Shop) -> None:
    table = pa.table(
        {
            "ID": pa.array([1.0, 2.0, None]),
            "City": pa.array(["Ulm", None, "Bonn"]).dictionary_encode(),
            "email": pa.array(["a", "b", "c"], pa.large_string()),
            "born": pa.array([0, 1, 2], pa.date32()),
            "tags": [["a", "b"], None, []],
            "odd": [{"x": 1}] * 3,
        }
    )
    pq.write_table(table, shop.folder / "contacts.parquet")
    read = shop.read("contact")
    assert [(row["id"], row["attribute.City"], row["attribute.tags"]) for row in read.rows] == [
        ("1", "Ulm", "a;b"),
        ("2", None, None),
    ]
    assert (read.rejected, "attribute.odd" in read.rows[0]) == (1, False)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("contacts.csv", b"", ["empty"]),
        ("contacts.csv", b"\n\n", ["empty"]),
        ("contacts.csv", b"name,email\n", ["id", "'name'", "[accounts.shop.contacts.columns] id"]),
        (
            "activities.csv",
            b"contact_id,day\n",
            ["occurred_at", "'day'", "[accounts.shop.activities.columns] occurred_at"],
        ),
        ("activities.csv", b"who,occurred_at\n", ["contact_id", "[accounts.shop.activities.columns]"]),
        ("contacts.csv", "id\n".encode("utf-16"), ["encoding"]),
        ("contacts.parquet", b"PAR1 but not really", ["Parquet"]),
        ("contacts.csv", b"\x1f\x8b\x08\x00", ["compressed"]),
        ("contacts.csv", b'"id,email\n', ["quote"]),
        ("somewhere.csv", b"id\n", ["contacts.csv", "[accounts.shop.contacts] files"]),
    ],
)
def test_a_file_that_cannot_be_used_stops_with_what_to_set(
    shop: Shop, name: str, content: bytes, words: list[str]
) -> None:
    shop.put(name, content)
    with pytest.raises(RequestError) as error:
        shop.read("activity" if name.startswith("act") else "contact")
    assert all(word in str(error.value) for word in words), str(error.value)
    assert shop.open().check()


def test_a_missing_activity_file_names_the_pattern_and_the_setting(shop: Shop) -> None:
    shop.put("contacts.csv", "id\n1\n")
    with pytest.raises(RequestError, match=r"activities\*\.csv.*\[accounts\.shop\.activities\] files"):
        shop.read("activity")
    assert shop.read("lead").pages == []


def test_a_folder_in_the_place_of_a_file_and_a_missing_folder_are_named(shop: Shop) -> None:
    (shop.folder / "contacts.csv").mkdir()
    with pytest.raises(ConnectorError, match="folder"):
        shop.read("contact")
    with pytest.raises(RequestError, match="not found"):
        Shop(shop.folder / "nowhere").read("contact")


def test_headers_are_forgiving(shop: Shop) -> None:
    shop.put("contacts.csv", b"\xef\xbb\xbf Id ,Email,city,,City,city\n1,a@b,Ulm,x,y,z\n")
    (row,) = shop.read("contact").rows
    assert {name: value for name, value in row.items() if name != "line"} == {
        "record_type": "contact", "id": "1", "email": "a@b", "attribute.city": "Ulm",
    }  # fmt: skip


def test_a_mapped_header_that_stands_twice_is_refused(shop: Shop) -> None:
    shop.settings = {"contacts": {"columns": {"id": "no"}}}
    shop.put("contacts.csv", "no,no\n1,2\n")
    with pytest.raises(RequestError, match=r"'no'.*2 times"):
        shop.read("contact")


def test_a_mapped_header_is_no_longer_available_under_its_own_name(shop: Shop) -> None:
    shop.settings = {"contacts": {"columns": {"company_id": "email"}}}
    shop.put("contacts.csv", "id,email\n1,x\n")
    (row,) = shop.read("contact").rows
    assert (row["company_id"], "email" in row, "attribute.email" in row) == ("x", False, False)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "latin-1"])
def test_other_encodings_are_read_and_resumed(shop: Shop, encoding: str) -> None:
    shop.settings = {"encoding": encoding}
    shop.put("contacts.csv", "id,city\n1,Köln\n2,Zürich\n".encode(encoding))
    assert [row["attribute.city"] for row in shop.read("contact").rows] == ["Köln", "Zürich"]


def test_columns_aligned_with_blanks_are_read_as_the_cdnow_file_is(shop: Shop) -> None:
    columns = {
        "contact_id": "customer_id",
        "occurred_at": "date",
        "amount": "dollar_value",
        "quantity": "number_of_cds",
    }
    shop.settings = {"delimiter": "whitespace", "activities": {"columns": columns}}
    header = " customer_id  date number_of_cds  dollar_value\r\n"
    shop.put(
        "activities.csv", header + " 00001 19970101  1   11.77\r\n 00002 19970112  5   77.00\r\n 00002 x\r\n"
    )
    read = shop.read("activity")
    assert [(row["record_id"], row["amount_minor"], row["quantity"], row["line"]) for row in read.rows] == [
        ("00001", 1177, 1.0, 2), ("00002", 7700, 5.0, 3),
    ]  # fmt: skip
    assert read.lines() == [(4, None)]


def test_check_names_everything_that_is_wrong_at_once(shop: Shop) -> None:
    shop.account = {
        "time_zone": "Mars/Base",
        "attributes": {"kids": Attribute("kids_count")},
        "rates": {"USD": {"soon": 1.0}},
    }
    shop.settings = {"contacts": {"columns": {"email": "mail"}}}
    shop.put("contacts.csv", "id\n1\n")
    shop.put("leads.csv", "name\n1\n")
    text = " ".join(problem.what + problem.remedy for problem in shop.open().check())
    for word in ("Mars/Base", "kids_count", "'soon'", "'mail'", "leads.csv", "activities*"):
        assert word in text, word
