"""The money reader: what people write is read exactly, or is no amount; no sign is named under which a column
says something else.
"""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.values.money import Evidence, Notation, read_amounts
from tests.layouts import _groups

NEGATIVES = {
    "minus": "-{}",
    "true minus": "\u2212{}",
    "trailing": "{}-",
    "parentheses": "({})",
    "spaced": "- {}",
}
MARKS = ("{}", "{} €", "€{}", "€ {}", "EUR {}", "{}\u00a0EUR", "US${}", "{} kr.", "CHF {}", "£{}", "{}€")
SIGNS = [
    (".", ""),
    (".", ","),
    (".", "'"),
    (".", " "),
    (",", ""),
    (",", "."),
    (",", "\u00a0"),
    (",", "\u202f"),
    (",", "\u2019"),
]


def read(text: str, decimal: str = ".", **more: str) -> Decimal | None:
    """One cell; None where it is no amount."""
    plain = read_amounts(pa.array([text], pa.string()), Notation(decimal, **more)).plain[0].as_py()
    return None if plain is None else Decimal(plain)


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1.095,50", ",", "1095.50"), ("1.095,50 €", ",", "1095.50"), ("1'095.50", ".", "1095.50"), ("1\u202f095,50", ",", "1095.50"),
        ("(20.00)", ".", "-20.00"), ("20.00-", ".", "-20.00"), ("\u221220.00", ".", "-20.00"), ("USD 1,095.50", ".", "1095.50"),
        ("$1,095.50", ".", "1095.50"), ("-$5.00", ".", "-5"), ("$-5.00", ".", "-5"), ("12,34,567.00", ".", "1234567.00"),
        ("0,-", ",", "0"),
        ("100,-", ",", "100"), ("100.-", ".", "100"),
        (".5", ".", "0.5"), (",5", ",", "0.5"), ("1e3", ".", "1000"),
        ("10.960", ".", "10.960"),
        ("10.960", ",", "10960"), ("+7", ".", "7"),
    ],
)  # fmt: skip
def test_amounts_as_people_write_them(text: str, decimal: str, value: str) -> None:
    assert read(text, decimal) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    ["12 kg net", "50%", "n/a", "NULL", "#N/A", "free", "10,95", "1,2,3", "1.095.50", "--5", "(-5)", "5-)", "€5€", "1,0955.00",
     "0,960",
     "1 2", "inf",
     "nan", "0x10", "\u00bd", "\uff15", "1..5", ",", "."],
)  # fmt: skip
def test_what_is_no_amount_under_a_decimal_point(text: str) -> None:
    amounts = read_amounts(pa.array([text, "1.00"], pa.string()), Notation("."))
    assert amounts.plain[0].as_py() is None
    assert amounts.bad is not None and amounts.bad[0].as_py()


@pytest.mark.parametrize("text", ["5k", "1.5M", "12 kg", "3 pcs"])
def test_a_word_beside_a_number_is_shown_as_its_mark(text: str) -> None:
    marks = read_amounts(pa.array([text], pa.string()), Notation(".")).marks
    assert marks is not None and marks[0].as_py() == text.lstrip("0123456789. ").upper()


@pytest.mark.parametrize("text", ["-", "\u2014", "--", "€ -", "- €"])
def test_a_dash_is_nothing_rather_than_zero(text: str) -> None:
    amounts = read_amounts(pa.array([text], pa.string()), Notation("."))
    assert amounts.plain[0].as_py() is None and amounts.bad is None
    assert amounts.dashes is not None and amounts.dashes[0].as_py()


@st.composite
def columns(draw: st.DrawFn) -> tuple[list[Decimal], list[str], str]:
    """Amounts, as one person writes them all, and their decimal sign."""
    decimal, thousands = draw(st.sampled_from(SIGNS))
    places = draw(st.sampled_from([0, 2, 2, 3, 4]))
    grouping = draw(st.sampled_from(["thousands", "thousands", "lakhs"])) if thousands == "," else "thousands"
    mark, negative = draw(st.sampled_from(MARKS)), draw(st.sampled_from(list(NEGATIVES.values())))
    amounts = draw(
        st.lists(st.decimals(Decimal(-9_999_999), Decimal(9_999_999), places=places), min_size=1, max_size=12)
    )
    return (
        amounts,
        [_written(amount, places, decimal, thousands, grouping, mark, negative) for amount in amounts],
        decimal,
    )


def _written(
    amount: Decimal, places: int, decimal: str, thousands: str, grouping: str, mark: str, negative: str
) -> str:
    whole, _, part = f"{abs(amount):.{places}f}".partition(".")
    groups = _groups(whole, grouping).replace(",", thousands) if thousands else whole
    text = mark.format(f"{groups}{decimal}{part}" if places else groups)
    return negative.format(text) if amount < 0 else text


@settings(max_examples=400, deadline=None)
@given(columns())
def test_every_way_of_writing_reads_back_exactly(column: tuple[list[Decimal], list[str], str]) -> None:
    amounts, texts, decimal = column
    plain = read_amounts(pa.array(texts, pa.string()), Notation(decimal)).plain.to_pylist()
    assert [Decimal(text) for text in plain] == amounts


@settings(max_examples=400, deadline=None)
@given(columns())
def test_no_sign_is_named_under_which_a_column_reads_otherwise(
    column: tuple[list[Decimal], list[str], str],
) -> None:
    amounts, texts, _decimal = column
    evidence = Evidence()
    evidence.add(pa.array(texts, pa.string()))
    if evidence.decimal is None:
        assert evidence.doubt()
        return
    plain = read_amounts(pa.array(texts, pa.string()), Notation(evidence.decimal)).plain.to_pylist()
    assert [None if text is None else Decimal(text) for text in plain] == amounts


@settings(max_examples=200, deadline=None)
@given(columns(), st.randoms(use_true_random=False), st.integers(1, 5))
def test_neither_order_nor_pages_matter(
    column: tuple[list[Decimal], list[str], str], random: object, size: int
) -> None:
    texts = [*column[1], "", None]
    whole, parts = Evidence(), Evidence()
    whole.add(pa.array(texts, pa.string()))
    random.shuffle(texts)  # type: ignore[attr-defined]
    for start in range(0, len(texts), size):
        parts.add(pa.array(texts, pa.string()).slice(start, size))
    assert (whole.cells, whole.numbers, whole.point, whole.comma, whole.both, whole.marks, whole.decimal) == (
        parts.cells, parts.numbers, parts.point, parts.comma, parts.both, parts.marks, parts.decimal
    )  # fmt: skip


def test_the_sign_is_proven_by_a_cell_wherever_it_stands() -> None:
    evidence = Evidence()
    evidence.add(pa.array(["10.960"] * 3000, pa.string()))
    assert evidence.decimal is None and "10.960" in evidence.doubt() and "10960" in evidence.doubt()
    evidence.add(pa.array(["1.500,00"], pa.string()))
    assert evidence.decimal == ","


def test_a_column_of_both_signs_proves_none() -> None:
    evidence = Evidence()
    evidence.add(pa.array(["10.95"] * 6 + ["10,95"] * 4, pa.string()))
    assert evidence.decimal is None and "6" in evidence.doubt() and "4" in evidence.doubt()


@given(
    st.lists(
        st.sampled_from(["1.50", "1.095", "1.095.500", "12", "1,50", "x", "-3.10 €", "1'000.50", ""]),
        max_size=4,
    ),
    st.booleans(),
)
def test_cells_that_tell_no_more_of_the_sign_leave_it_as_it_is(cells: list[str], plain: bool) -> None:
    brief, whole = Evidence(), Evidence()
    for evidence in (brief, whole):
        evidence.add(pa.array(["7.25" if plain else "1.095"], pa.string()))
    page = pa.array(cells, pa.string())
    if brief.tells_no_more(page):
        whole.add(page)
        assert (whole.decimal, whole.comma) == (brief.decimal, 0)
