"""Does an amount stand on every row of an order for that row, for the whole order again and again, or once?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.tables.distinct_ids import numbered
from connectors.tables.header_matching import plain
from connectors.tables.orders import TOTALS
from connectors.values.money import Notation, read_amounts
from connectors.values.text import floats

_Codes = npt.NDArray[np.integer[Any]]
_Numbers = npt.NDArray[np.float64]
_TOTAL = (
    "ordertotal",
    "grandtotal",
    "orderamount",
    "ordervalue",
    "bestellwert",
    "invoicetotal",
    "rechnungsbetrag",
    "totalpaid",
    "total",
)
_MOST = 0.95  # share of the orders of several rows that must be alike
_NEAR = 0.5  # of an order's total: shipping and taxes stand beside its articles


def line_shape(pages: Iterable[Mapping[str, pa.Array]], decimal: str, header: str) -> tuple[str | None, str]:
    """``own``, ``repeat`` or ``blank``; None where the rows tell nothing, with an example. ``pages``:
    order_id, amount, and where there are such, price and quantity, as text. An order has rows that follow
    each other or share its id.
    """
    orders, texts, worths = list[pa.Array](), list[pa.Array](), list[_Numbers]()
    for page in pages:
        page = _without_sums(page)
        orders.append(page["order_id"])
        texts.append(page["amount"])
        if {"price", "quantity"} <= page.keys():
            worths.append(np.multiply(*(_values(page[name], decimal) for name in ("price", "quantity"))))
    if not orders:
        return "own", ""
    codes = _codes(orders)
    blank = np.concatenate([text.is_null().to_numpy(zero_copy_only=False) for text in texts])
    rows = _rows_of_orders(codes, blank)
    codes, blank = codes[rows], blank[rows]
    nameless = codes < 0
    codes = _filled(codes)
    if not (codes >= 0).any():
        return "own", ""
    sizes = np.bincount(codes[codes >= 0])
    several = np.where(codes >= 0, sizes[np.maximum(codes, 0)] > 1, False)
    if not several.any():
        return "own", ""
    if _blank_behind(codes, blank, several):
        return "blank", ""
    if blank[several].any() or nameless[several].any():
        return "own", ""
    values = np.concatenate([_values(text, decimal) for text in texts])[rows]
    if _alike(codes, values, several) < _MOST:
        return "own", ""
    if worths:
        shape = _by_worth(codes, values, np.concatenate(worths)[rows], several)
        if shape:
            return shape, ""
    if plain(header) in _TOTAL[:-1]:
        return "repeat", ""
    position = int(np.flatnonzero(several)[0])
    row = int(np.flatnonzero(rows)[position])
    example, order = (pa.chunked_array(column)[row].as_py() for column in (texts, orders))
    return None, f"{example!r} on {int(sizes[codes[position]])} rows of {order!r}"


def _without_sums(page: Mapping[str, pa.Array]) -> Mapping[str, pa.Array]:
    """Without sums below the orders."""
    sums = pc.fill_null(pc.match_substring_regex(page["order_id"], TOTALS), False)
    return (
        {name: column.filter(pc.invert(sums)) for name, column in page.items()}
        if pc.any(sums).as_py()
        else page
    )


def _codes(orders: Sequence[pa.Array]) -> _Codes:
    """A number for the order of each row; -1 for none."""
    keyed = [numbered(page) if not page.null_count and len(page) else None for page in orders]
    keys = [each[1] for each in keyed if each is not None]
    if len(keys) == len(orders) and len({each[0] for each in keyed if each is not None}) == 1:
        return _codes_of_keys(np.concatenate(keys))
    pages = pa.chunked_array(orders, pa.string()).dictionary_encode().chunks
    return np.concatenate([pc.fill_null(page.indices, -1).to_numpy(zero_copy_only=False) for page in pages])


def _codes_of_keys(keys: _Codes) -> _Codes:
    starts = np.concatenate([[True], keys[1:] != keys[:-1]])
    firsts = np.sort(keys[starts])
    if (firsts[1:] == firsts[:-1]).any():
        return np.unique(keys, return_inverse=True)[1]
    return np.cumsum(starts) - 1  # the rows of an order follow each other, as they mostly do


def _filled(codes: _Codes) -> _Codes:
    """A row without order goes on with the order above."""
    if (codes >= 0).all():
        return codes
    above = np.maximum.accumulate(np.where(codes >= 0, np.arange(len(codes)), -1))
    return np.where(above >= 0, codes[above], -1)


def _values(texts: pa.Array, decimal: str) -> _Numbers:
    """Amounts as numbers, whatever stands beside them; NaN where there is none."""
    values: _Numbers = floats(read_amounts(texts, Notation(decimal)).plain)[0].to_numpy(zero_copy_only=False)
    return values


def _rows_of_orders(codes: _Codes, blank: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Rows without order and amount are blank lines where orders repeat their id on each row; else they go on
    with the order above.
    """
    nothing = (codes < 0) & blank
    named = np.count_nonzero(codes >= 0)
    if not nothing.any() or codes.max(initial=-1) + 1 == named:
        return np.ones(len(codes), np.bool_)
    return ~nothing


def _blank_behind(codes: _Codes, blank: npt.NDArray[np.bool_], several: npt.NDArray[np.bool_]) -> bool:
    """Whether the first row of an order has the amount, and the others none."""
    if not blank.any():
        return False
    first = np.zeros(len(codes), bool)
    first[np.unique(codes, return_index=True)[1]] = True
    behind = several & ~first
    return bool(
        behind.any() and blank[behind].mean() >= _MOST and not blank[several & first].mean() > 1 - _MOST
    )


def _alike(codes: _Codes, values: _Numbers, several: npt.NDArray[np.bool_]) -> float:
    """Share of the orders of several rows whose amounts are all the same."""
    chosen, amounts = codes[several], np.nan_to_num(values[several])
    least, most = np.full(chosen.max() + 1, np.inf), np.full(chosen.max() + 1, -np.inf)
    np.minimum.at(least, chosen, amounts)
    np.maximum.at(most, chosen, amounts)
    return float((least == most)[np.bincount(chosen) > 0].mean())


def _by_worth(codes: _Codes, values: _Numbers, worth: _Numbers, several: npt.NDArray[np.bool_]) -> str | None:
    """Prices times pieces tell: they make each row's amount, or add up to that of the order."""
    chosen = several & np.isfinite(values) & np.isfinite(worth)
    if not chosen.any():
        return None
    if (np.abs(worth[chosen] - values[chosen]) <= 0.02 * np.abs(values[chosen]) + 0.011).mean() >= _MOST:
        return "own"
    orders = codes[chosen]
    sums = np.bincount(orders, worth[chosen])
    totals = np.zeros(len(sums))
    totals[orders] = values[chosen]
    near = np.abs(sums - totals) <= _NEAR * np.abs(totals) + 0.011
    return "repeat" if near[np.bincount(orders) > 0].mean() >= 0.8 else None
