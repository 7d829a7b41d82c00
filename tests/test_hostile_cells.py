"""A cell that is no amount and no day costs its own row, which is told; a column that is written in two ways
is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sync.exit_codes import CommandError
from sync.start.init import init

GOOD = [(f"{number}", f"C{number % 3}", f"2026-03-{number + 1:02}", "10.50") for number in range(20)]


def started(
    folder: Path, rows: Sequence[tuple[str, ...]], header: str = "order_id,customer_id,order_date,total"
) -> dict[str, Any]:
    """What ``init`` says of a folder with these purchases."""
    folder.mkdir(exist_ok=True)
    (folder / "contacts.csv").write_text(
        "customer_id,email\nC0,a@example.com\nC1,b@example.com\nC2,c@example.com\n"
    )
    quoted = [",".join(f'"{cell}"' for cell in row) for row in rows]
    (folder / "orders.csv").write_text("\n".join([header, *quoted]) + "\n", encoding="utf-8")
    return init(folder.parent / "config.toml", "files", folder, "rfm", force=True)


@pytest.mark.parametrize(
    "cell",
    [
        "5k",
        "12 kg",
        "1.5M",
        "50%",
        "n/a",
        "NULL",
        "#N/A",
        "-",
        "—",
        "free",
        "1,2,3",
        "$12",
        "12 Stück",
        "10 GBP",
    ],
)
def test_a_cell_that_is_no_amount_of_ours_is_told_and_adds_nothing(tmp_path: Path, cell: str) -> None:
    preview = started(tmp_path / "exports", [*GOOD, ("20", "C1", "2026-03-21", cell)])["preview"]
    assert preview["revenue"] == 20 * 1050 and preview["orders"] == 20
    assert preview["refused"] or preview["left_out"]


@pytest.mark.parametrize("cell", ["0000-00-00", "31/02/2026", "yesterday", "2026-02-30", "n/a", "1e99"])
def test_a_cell_that_is_no_day_is_told_and_adds_nothing(tmp_path: Path, cell: str) -> None:
    preview = started(tmp_path / "exports", [*GOOD, ("20", "C1", cell, "99.00")])["preview"]
    assert preview["revenue"] == 20 * 1050 and sum(preview["refused"].values()) == 1


def test_days_in_two_orders_are_refused(tmp_path: Path) -> None:
    rows = [(str(n), "C1", f"{13 + n}/02/2026" if n < 6 else f"02/{13 + n}/2026", "5.25") for n in range(10)]
    with pytest.raises(CommandError, match="day first"):
        started(tmp_path / "exports", rows)


def test_a_second_currency_in_a_column_of_any_name_is_not_added_up(tmp_path: Path) -> None:
    rows = [(*row, "EUR") for row in GOOD] + [("20", "C1", "2026-03-21", "7.50", "JPY")]
    preview = started(tmp_path / "exports", rows, "order_id,customer_id,order_date,total,what it is in")[
        "preview"
    ]
    assert preview["revenue"] == 20 * 1050 and any("currency" in reason for reason in preview["refused"])


@pytest.mark.parametrize("header", ["Transaction Status", "Status", "Invoice status"])
@pytest.mark.parametrize("word", ["zu klären", "OK/KO"])
def test_a_status_that_nobody_knows_is_refused_by_its_word(tmp_path: Path, header: str, word: str) -> None:
    rows = [(*row, "paid") for row in GOOD] + [("20", "C1", "2026-03-21", "7.50", word)]
    result = started(tmp_path / "exports", rows, f"order_id,customer_id,order_date,total,{header}")
    assert result["preview"]["revenue"] == 20 * 1050
    assert any(word in note for note in result["notes"])


def test_a_column_of_yes_and_no_is_no_amount_that_was_given_back(tmp_path: Path) -> None:
    rows = [(*row, "1" if row[0] == "3" else "0") for row in GOOD]
    preview = started(tmp_path / "exports", rows, "order_id,customer_id,order_date,total,Refunded")["preview"]
    assert preview["revenue"] == 19 * 1050 and preview["orders"] == 19


def test_what_is_given_back_under_its_order_is_no_second_line_of_it(tmp_path: Path) -> None:
    rows = (
        [(*row, "Sale") for row in GOOD]
        + [(*row, "Refund") for row in GOOD[:8]]
        + [("99", "C1", "2026-03-21", "4.00", "Payout")]
    )
    result = started(tmp_path / "exports", rows, "order_id,customer_id,order_date,order_total,Buchung")
    assert result["preview"]["revenue"] == 12 * 1050
    assert any("Payout" in note for note in result["notes"])


def test_two_contacts_whose_ids_are_one_number_are_not_taken_for_one(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    started(folder, GOOD)
    (folder / "contacts.csv").write_text(
        "customer_id,email\n0012,a@example.com\n12,b@example.com\n13,c@example.com\n"
    )
    (folder / "orders.csv").write_text(
        "order_id,customer_id,order_date,total\n1,12,2026-03-15,1.00\n2,013,2026-03-16,2.00\n"
    )
    preview = init(tmp_path / "config.toml", "files", folder, "rfm", force=True)["preview"]
    assert preview["id_type"] == "text" and preview["unmatched"] == 1


def test_a_refund_of_several_lines_is_no_purchase(tmp_path: Path) -> None:
    rows = [("1", "C1", "2026-03-15", "20.00", "A"), ("1", "", "", "", "B")]
    rows += [("2", "C1", "2026-03-16", "-20.00", "A"), ("2", "", "", "", "B")]
    rows.append(("3", "C2", "2026-03-17", "5.00", "A"))
    preview = started(tmp_path / "exports", rows, "order_id,customer_id,order_date,total,sku")["preview"]
    assert (preview["orders"], preview["revenue"]) == (2, 500)
