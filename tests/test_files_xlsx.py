"""Spreadsheets as exports: read as their CSV would be, or refused with what to install."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from connectors.errors import RequestError
from sync import commands
from tests.files_shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def save(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    book = Workbook()
    for row in rows:
        book.active.append(list(row))
    book.save(path)


def test_cells_of_every_type_are_read_as_people_see_them(shop: Shop) -> None:
    header = ["contact_id", "occurred_at", "amount", "order_id"]
    rows: list[list[Any]] = [
        [1001, datetime(2026, 2, 3, 14, 12, 1), 1095.5, "A"],
        ["01002", date(2026, 3, 11), "64.50", 7],
        ["Total", None, 1160, None],
    ]
    save(shop.folder / "activities.xlsx", [header, *rows])
    read = shop.read("activity")
    assert [
        (row["record_id"], row["occurred_at"], row["amount_minor"], row["order_id"]) for row in read.rows
    ] == [
        ("1001", datetime(2026, 2, 3, 14, 12, 1, tzinfo=UTC), 109550, "A"),
        ("01002", datetime(2026, 3, 11, tzinfo=UTC), 6450, "7"),
    ]
    assert read.left_out == {"totals and blank rows": 1}
    assert shop.read("activity", read.position).pages == []


def test_titles_above_the_header_are_found_and_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    save(folder / "Customers.xlsx", [["customer_id", "email"], [1, "a@example.org"], [2, "b@example.org"]])
    sold: list[list[Any]] = [
        ["Sales 2026", None, None],
        [],
        ["customer_id", "order_date", "total"],
        [1, date(2026, 2, 3), 10.5],
        [2, date(2026, 3, 3), 20],
    ]
    save(folder / "Orders.xlsx", sold)
    answer = commands.init(tmp_path / "config.toml", path=folder)
    assert (answer["preview"]["orders"], answer["preview"]["revenue"], answer["preview"]["buyers"]) == (
        2,
        3050,
        2,
    )
    assert commands.check(tmp_path / "config.toml")["problems"] == []


def test_without_the_reader_the_remedy_is_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    save(
        shop.folder / "activities.xlsx", [["contact_id", "occurred_at", "amount"], [1, date(2026, 2, 3), 10]]
    )
    original = builtins.__import__

    def absent(name: str, *others: Any) -> Any:
        if name == "python_calamine":
            raise ImportError(name)
        return original(name, *others)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(RequestError, match=r'pip install "crm-segments\[excel\]", or save it as CSV'):
        shop.read("activity")


def test_a_broken_workbook_is_named(shop: Shop) -> None:
    shop.put("activities.xlsx", b"PK\x03\x04 and then nothing of use")
    with pytest.raises(
        RequestError, match=r"activities\.xlsx cannot be read as a spreadsheet .*save it again"
    ):
        shop.read("activity")
