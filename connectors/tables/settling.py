"""Which column is the amount, and how are amounts and times of a table written? What stays open is a question."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from connectors.tables.guess import Guess, Question
from connectors.tables.header_matching import plain
from connectors.tables.line_item_layout import line_shape
from connectors.tables.stream_inference import money_columns
from connectors.values.currency import currency_of
from connectors.values.money import Evidence
from connectors.values.timestamp_formats import TimeEvidence


def settle_amount(guess: Guess) -> None:
    """A price is no total: with a quantity the two are multiplied, alone it stands for the amount, and that
    is said.
    """
    columns = guess.columns
    if "amount" in columns:
        columns.pop("price", None) if "quantity" not in columns else None
    elif "price" in columns and "quantity" not in columns:
        columns["amount"] = columns.pop("price")
        guess.notes.append(
            f"{guess.sample.name}: {columns['amount']!r} is taken for the amount of a row, since there is no quantity"
        )
    guess.currency = _header_currency(columns.get("amount") or columns.get("price") or "")
    if not {"occurred_at", "date"} & columns.keys():
        return
    clock = next(
        (
            header
            for header in guess.sample.headers
            if plain(header) in ("time", "uhrzeit", "ordertime", "heure", "hora", "ora")
        ),
        None,
    )
    day = guess.sample.columns[columns["occurred_at"]]
    if (
        clock
        and not any(":" in cell for cell in day)
        and any(re.match(r"\d{1,2}:\d\d", cell) for cell in guess.sample.columns[clock])
    ):
        columns["date"], columns["time"] = columns.pop("occurred_at"), clock


def adjusted_column(guess: Guess) -> str | None:
    """A header of what was left of an order's amount after refunds, where nothing else tells what was given
    back.
    """
    if "refunded" in guess.columns:
        return None
    used = guess.columns.values()
    return next(
        (
            header
            for header in money_columns(guess.sample, used)
            if plain(header).startswith(("adjustedtotal", "adjustedorder"))
        ),
        None,
    )


def _header_currency(header: str) -> str:
    """``Total (USD)``, ``amount_eur``: the currency that a header names."""
    marks = re.findall(r"[$€£¥]|(?<![A-Za-z])[A-Za-z]{3}(?![A-Za-z])", header)
    return next((code for mark in reversed(marks) if (code := currency_of([mark.upper()]))), "")


def settle_decimal(guess: Guess, numbers: Evidence) -> list[Question]:
    if numbers.decimal == ",":
        guess.settings["decimal"] = ","
    if numbers.decimal is not None:
        return []

    def take(answer: str) -> None:
        guess.settings["decimal"] = answer

    text = f"{guess.sample.name}: {numbers.doubt()}. Which sign stands before the decimals ('.' or ',')?"
    remedy = f'{guess.sample.name}: {numbers.doubt()}: say which with --decimal "." or --decimal ","'
    return [Question(text, [".", ","], take, remedy)]


def settle_times(guess: Guess, moments: Mapping[str, TimeEvidence]) -> list[Question]:
    questions: list[Question] = []
    formats: dict[str, list[str]] = {}
    for name, evidence in moments.items():
        if not evidence.cells:
            continue
        chosen = evidence.formats()
        if chosen is None and evidence.readings():
            header = guess.columns.get(name) or guess.columns.get("date", name)
            text = f"{guess.sample.name}, column {header!r}: {evidence.doubt()}"
            readings = evidence.readings()

            def take(answer: str, readings: Sequence[str] = readings) -> None:
                guess.settings["date_format"] = [answer if answer in readings else readings[0]]

            remedy = f"{text}: say which with --date-format " + " or --date-format ".join(
                f'"{reading}"' for reading in readings
            )
            questions.append(
                Question(f"{text}. Which format ({', '.join(readings)})?", readings, take, remedy)
            )
        elif chosen is not None:
            formats[name] = chosen
    different = {tuple(chosen) for chosen in formats.values()}
    if len(different) == 1 and different != {("iso",)}:
        guess.settings["date_format"] = list(next(iter(different)))
    return questions


def _of_sales(page: dict[str, pa.Array], guess: Guess) -> dict[str, pa.Array]:
    """Rows that are no refunds: what is given back is no second line of its order."""
    kinds = page.pop("kind", None)
    if kinds is None:
        return page
    refunds = pa.array(
        [word for word, kind in guess.settings["activity_types"].items() if kind == "refund"], pa.string()
    )
    sales = pc.invert(pc.fill_null(pc.is_in(kinds, value_set=refunds), False))
    return {name: column.filter(sales) for name, column in page.items()}


def settle_lines(
    guess: Guess, pages_of: Callable[[Sequence[str]], Iterable[Sequence[pa.Array]]], single: bool
) -> list[Question]:
    """Say whose amount stands on the rows of an order; what the rows leave open.

    ``pages_of`` gives columns of all rows, as text; ``single``: no two rows share an order, so each amount is that
    of its row.
    """
    columns = guess.columns
    if not {"order_id", "amount"} <= columns.keys() or "line_items" in guess.settings:
        return []
    if single:
        columns.pop("price", None) if {"price", "quantity"} <= columns.keys() else None
        return []
    named: list[str] = [name for name in ("order_id", "amount", "price", "quantity") if name in columns]
    if "price" in named and "quantity" not in named:
        named.remove("price")
    named += ["kind"] if guess.settings.get("activity_types") else []
    pages = pages_of([columns[name] for name in named])
    shape, example = line_shape(
        (_of_sales(dict(zip(named, page, strict=True)), guess) for page in pages),
        guess.settings.get("decimal", "."),
        columns["amount"],
    )
    if shape in ("repeat", "blank"):
        guess.settings["line_items"] = shape
        columns.pop("price", None)
    elif shape == "own" and {"price", "quantity"} <= columns.keys():
        columns.pop("price")
    if shape is not None:
        return []

    def take(answer: str) -> None:
        guess.settings["line_items"] = answer

    text = f"{guess.sample.name}: every order of several rows has the same {columns['amount']!r} on each of them (such as {example})"
    question = f"{text}. Is it the order's total, repeated (repeat), or each row's own amount (own)?"
    return [
        Question(
            question,
            ["repeat", "own"],
            take,
            f"{text}: say which with --line-items repeat or --line-items own",
        )
    ]
