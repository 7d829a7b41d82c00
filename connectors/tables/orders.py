"""Which rows of a table are orders, and which of its rows belong together?

Shops write an order of several articles as several rows: with an amount on each, with the order's total
repeated on each, or with the order's cells on its first row alone. They write cancelled orders and drafts
among the paid ones, and totals below them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import RequestError
from connectors.tables.column_mapping import AMOUNT, Place, column_with, missing
from connectors.tables.settings import ActivityColumns, Statuses
from connectors.values.text import as_text, flat, is_text, trimmed

TOTALS = (
    r"(?i)^((grand|sub)[ -]?)?(total|totals|sum|summe|gesamt|gesamtsumme|zwischensumme|insgesamt|totale|totaal|итого|razem|suma|totalt|"
    r"summa)($|[ :.(])"
)
_ENOUGH, _MOST = 5, 0.95  # orders of several rows, and share of them, that make a suspicion
ORDER_AMOUNT = "amount of the order"  # on each of its rows
OWN_CELLS = ("id", "product", "category", "quantity", "price", "line")  # of a row rather than of its order
_NO_TEXT = pa.scalar(None, pa.string())
Columns = dict[str, pa.Array]


def further_columns(part: str, layout: Place, orders: ActivityColumns, setting: str) -> dict[str, int]:
    """Status columns; and what line items, and prices in place of amounts, need."""
    indexes_by_header = {}
    for header in orders.status:
        hits = column_with(layout.headers, header)
        if not hits:
            shown = ", ".join(repr(label) for label in layout.headers[:30] if label)
            raise RequestError(
                f"{part}: status column {header!r} is missing; its headers are {shown}. Correct [{setting}.status]"
            )
        indexes_by_header[header] = hits[0]
    if orders.line_items in ("repeat", "blank"):
        for name in ("order_id", AMOUNT):
            if name not in layout.columns:
                raise missing(
                    part,
                    layout,
                    name,
                    setting,
                    orders.columns,
                    f", which line_items = {orders.line_items!r} needs",
                )
    if "price" in layout.columns and AMOUNT not in layout.columns and "quantity" not in layout.columns:
        raise missing(
            part,
            layout,
            "quantity",
            setting,
            orders.columns,
            ", which price needs where there is no amount",
        )
    return indexes_by_header


def totals(columns: Mapping[str, pa.Array], owners: pa.Array, times: pa.Array) -> pa.Array:
    """Rows that are no order: they name neither anybody nor a day, and no order either, or call themselves a
    total.
    """
    nameless = pc.and_(pc.is_null(owners), pc.is_null(times))
    orders = columns.get("order_id")
    if orders is None:
        return nameless
    called = pc.fill_null(pc.match_substring_regex(orders, TOTALS), False)
    return pc.or_(pc.and_(nameless, pc.or_(pc.is_null(orders), called)), pc.and_(pc.is_null(times), called))


def total_of_nobody(owners: pa.Array, texts: pa.Array) -> pa.Array:
    """Rows of nobody that have the word "total" where a day should be."""
    return pc.and_(pc.is_null(owners), pc.fill_null(pc.match_substring_regex(texts, TOTALS), False))


def named_total(owners: pa.Array, times: pa.Array) -> pa.Array:
    """Rows without a day whose owner is the word "total" in some language."""
    return pc.and_(pc.is_null(times), pc.fill_null(pc.match_substring_regex(owners, TOTALS), False))


@dataclass
class OrderLines:
    """What was seen of a file's orders so far, page by page. ``shape``: blank or repeat."""

    shape: str
    # cells of the order that the last page ended in
    _head: dict[str, str | None] = field(default_factory=dict)
    _seen: dict[str, str | None] = field(default_factory=dict)  # order → its total
    # of each row of the page: the first row of its order
    _heads: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros(0, np.int64))
    _keys: list[str | None] = field(default_factory=list)  # orders of the page, where totals repeat
    _codes: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros(0, np.int64))
    _earlier: list[bool] = field(default_factory=list)  # whether those began on an earlier page
    # orders whose first row does not count, so that their others do not either
    _out: set[str | None] = field(default_factory=set)

    def further(self, columns: Columns, amount: str) -> tuple[pa.Array, pa.Array | None]:
        """Rows after the first of their order, whose ``amount`` does not count again; and those whose amount
        contradicts the first.

        ``columns`` (text, under our names) are changed: of blank rows the order's cells are filled in.
        """
        return self._blank(columns, amount) if self.shape == "blank" else self._repeat(columns, amount)

    def _blank(self, columns: Columns, amount: str) -> tuple[pa.Array, pa.Array | None]:
        columns[ORDER_AMOUNT] = columns[amount]
        orders, amounts = columns["order_id"], columns[amount]
        count = len(orders)
        same = pc.equal(orders, _shifted(orders, self._head.get("order_id")))
        continues = pc.and_(pc.is_null(amounts), pc.or_(pc.is_null(orders), pc.fill_null(same, False)))
        heads = np.where(continues.to_numpy(zero_copy_only=False), -1, np.arange(count))
        heads = np.maximum.accumulate(heads) if count else heads
        for name, column in columns.items():
            if name in OWN_CELLS or name == amount or not pa.types.is_string(column.type):
                continue
            head = pa.array([self._head.get(name)], pa.string())
            filled = pa.concat_arrays([head, column]).take(pa.array(heads + 1))
            columns[name] = pc.if_else(continues, pc.coalesce(column, filled), column)
        self._heads = heads
        if count:
            last = int(heads[-1])
            if last >= 0:
                self._head = {
                    name: column[last].as_py()
                    for name, column in columns.items()
                    if pa.types.is_string(column.type)
                }
        return continues, None

    def _repeat(self, columns: Columns, amount: str) -> tuple[pa.Array, pa.Array | None]:
        columns[ORDER_AMOUNT] = columns[amount]
        keys = columns["order_id"]
        if "kind" in columns:  # what is given back of an order is not its total once more
            keys = pc.binary_join_element_wise(keys, pc.fill_null(columns["kind"], ""), "\x1f")
        codes = keys.dictionary_encode()
        orders, amounts = codes.dictionary.to_pylist(), columns[amount]
        code = pc.fill_null(codes.indices, -1).to_numpy(zero_copy_only=False)
        different, first = np.unique(code, return_index=True)
        here = dict(zip(different.tolist(), first.tolist(), strict=True))
        totals_here = amounts.take(
            pa.array([here[number] for number in range(len(orders))], pa.int64())
        ).to_pylist()
        sums = [self._seen.get(order, total) for order, total in zip(orders, totals_here, strict=True)]
        # the last one: rows without an order
        seen = np.array([order in self._seen for order in orders] + [False], bool)
        starts = np.array([here[number] for number in range(len(orders))] + [len(code)])
        further = pa.array(seen[code] | (np.arange(len(code)) > starts[code]))
        if "id" in columns:  # of the order rather than of its row
            columns["id"] = pc.if_else(further, pa.scalar(None, columns["id"].type), columns["id"])
        expected = pa.array([*sums, None], amounts.type).take(pa.array(np.where(code < 0, len(orders), code)))
        self._keys, self._codes, self._heads = orders, code, starts[code]
        self._earlier = [order in self._seen for order in orders]
        contradicts = pc.and_(further, pc.fill_null(pc.not_equal(amounts, expected), False))
        self._seen.update(zip(orders, sums, strict=True))
        return further, contradicts if pc.any(contradicts).as_py() else None

    def follow(self, out: np.ndarray[Any, Any]) -> pa.Array:
        """Rows of the page whose order's first row does not count. ``out``: rows of the page that do not."""
        if self.shape == "blank":
            outs = np.concatenate([[None in self._out], out])
            following = outs[self._heads + 1]
            self._out = {None} if len(following) and following[-1] else set()
            return pa.array(following)
        # the last one: rows without an order
        first_out = np.array([*(order in self._out for order in self._keys), False], bool)
        starts = np.zeros(len(self._keys) + 1, np.int64)
        starts[self._codes] = self._heads
        starts[-1] = 0
        fresh = ~np.array([*self._earlier, True], bool)
        first_out |= fresh & (out[np.minimum(starts, len(out) - 1)] if len(out) else False)
        self._out.update(
            order for order, gone in zip(self._keys, first_out[:-1].tolist(), strict=True) if gone
        )
        return pa.array(first_out[self._codes])


@dataclass
class RepeatedTotals:
    """Watches a file whose config does not say what an order's amounts are: do all of its rows have the same
    one?
    """

    alike: int = 0  # orders of several rows with one amount
    different: int = 0

    def see(
        self, orders: pa.ChunkedArray, amounts: pa.ChunkedArray, kinds: pa.ChunkedArray | None = None
    ) -> None:
        """Take a page into account: rows of one order, and of one kind, that follow each other."""
        ids, texts = as_text(orders)[0], as_text(amounts)[0]
        if kinds is not None:
            ids = pc.binary_join_element_wise(ids, pc.fill_null(as_text(kinds)[0], ""), "\x1f")
        count = len(ids)
        if count < 2:
            return
        again = pc.fill_null(pc.equal(ids.slice(1), ids.slice(0, count - 1)), False).to_numpy(
            zero_copy_only=False
        )
        if not again.any():
            return
        alike = pc.fill_null(pc.equal(texts.slice(1), texts.slice(0, count - 1)), False).to_numpy(
            zero_copy_only=False
        )
        # the second row of each order of several rows
        starts = np.flatnonzero(again & ~np.concatenate([[False], again[:-1]]))
        differs = np.concatenate([[0], np.cumsum(again & ~alike)])
        ends = np.flatnonzero(again & ~np.concatenate([again[1:], [False]])) + 1
        same = differs[ends] == differs[starts]
        self.alike += int(same.sum())
        self.different += int((~same).sum())

    @property
    def suspicious(self) -> bool:
        """Whether the amounts look like totals that are repeated: added up, they would count several times."""
        return self.alike >= _ENOUGH and self.alike >= _MOST * (self.alike + self.different)

    def refuse_suspicious(self, part: str, header: str, setting: str) -> None:
        """RequestError where what was read would count several times. ``header``: their name of the amount."""
        if self.suspicious:
            what = f"{part}: {self.alike:,} of its orders of several rows have the same {header!r} on each of them"
            remedy = 'set line_items = "repeat" if it is the order\'s total, or line_items = "own" if each row has its own amount, in'
            raise RequestError(f"{what}, which would be added up: {remedy} [{setting}]")


def _shifted(array: pa.Array, first: str | None) -> pa.Array:
    """Each row's cell of the row before; blank cells take over what stood above them."""
    filled = pc.fill_null_forward(pa.concat_arrays([pa.array([first], pa.string()), array]))
    return filled.slice(0, len(array))


def moment(day: pa.ChunkedArray | pa.Array, clock: pa.ChunkedArray | pa.Array | None) -> pa.Array:
    """A day and a time of day from two columns, as one text; the day alone where no time is given."""
    days = flat(day)
    if clock is None or not is_text(days.type):
        return days
    texts, clocks = trimmed(as_text(days)[0]), trimmed(as_text(clock)[0])
    return pc.if_else(pc.is_null(clocks), texts, pc.binary_join_element_wise(texts, clocks, " "))


def within(text: str, pattern: str) -> list[str]:
    """The amounts in a text, by a pattern with one group."""
    return re.findall(pattern, text)


def words_of(column: pa.Array) -> pa.Array:
    """Texts as words are compared: without case and blanks around; "" for an empty cell."""
    return pc.utf8_lower(pc.fill_null(trimmed(column), ""))


def meaning(words: pa.Array, yes: list[str], no: list[str]) -> pa.Array:
    """True, false or null (in neither list) for each word; "*" in a list stands for all words but the empty
    one.
    """
    sure = _among(words, yes)
    never = _among(words, no)
    answer = pc.if_else(
        sure, pa.scalar(True), pc.if_else(never, pa.scalar(False), pa.scalar(None, pa.bool_()))
    )
    other = pc.and_(pc.is_null(answer), pc.not_equal(words, ""))
    if "*" in yes or "*" in no:
        answer = pc.if_else(other, pa.scalar("*" in yes), answer)
    return answer


def _among(words: pa.Array, listed: list[str]) -> pa.Array:
    return pc.is_in(words, value_set=pa.array([word.strip().lower() for word in listed], pa.string()))


def counted(column: pa.Array, statuses: Statuses) -> pa.Array:
    """Whether a row counts by its status: true, false, or null where the config does not say."""
    return meaning(words_of(column), statuses.counted, statuses.left_out)
