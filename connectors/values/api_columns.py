"""How do the texts of a CRM's API become typed columns?

HubSpot and Salesforce's Bulk API give every value as text: numbers, truths as "true" and "false", times in
ISO 8601 (milliseconds since 1970 in HubSpot's older ones), days as YYYY-MM-DD, several options joined by ";".
A value that is none becomes null.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Attribute
from connectors.values import timestamps
from connectors.values.rejects import Rejects
from connectors.values.spelling import found_in
from connectors.values.text import NUMBER

_BLANK = r"^\s*$"
_TRUE, _FALSE = pa.array(["true", "yes", "1"]), pa.array(["false", "no", "0"])
_NO_TEXT = pa.scalar(None, pa.string())


def texts(values: Iterable[Any]) -> pa.Array:
    """Values as text; null and blank ones are null."""
    rows = list(values)
    try:
        array = pa.array(rows, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        array = pa.array(
            [None if value is None else str(value).encode("utf-8", "replace").decode() for value in rows],
            pa.string(),
        )
    blank = pc.match_substring_regex(array, _BLANK)
    return pc.if_else(blank, _NO_TEXT, array) if pc.any(blank).as_py() else array


def lists_of(columns: Sequence[pa.Array], separator: str = "") -> pa.Array:
    """What several columns of texts hold of each row, as one list without repeats (but for case), in the
    order of the columns.

    ``separator`` stands between several values in one cell. Null where nothing is held.
    """
    if separator:
        return _lists_by_row(columns, separator)
    trimmed = [pc.utf8_trim_whitespace(column) for column in columns]
    filled = [pc.if_else(pc.equal(column, ""), _NO_TEXT, column) for column in trimmed]
    counts = np.sum([column.is_valid().to_numpy(zero_copy_only=False) for column in filled], axis=0)
    first = pc.coalesce(*filled)
    offsets = np.concatenate([[0], np.cumsum(counts > 0)]).astype(np.int32)
    single = pa.ListArray.from_arrays(pa.array(offsets), first.drop_null(), mask=pa.array(counts == 0))
    several = np.nonzero(counts > 1)[0]
    if not len(several):
        return single
    lists = _lists_by_row([column.take(pa.array(several)) for column in columns], "")
    order = np.arange(len(counts))
    order[several] = len(counts) + np.arange(len(several))
    return pa.concat_arrays([single, lists]).take(pa.array(order))


def _lists_by_row(columns: Sequence[pa.Array], separator: str) -> pa.Array:
    rows: list[list[str] | None] = []
    for cells in zip(*(column.to_pylist() for column in columns), strict=True):
        distinct: dict[str, str] = {}
        for cell in cells:
            for part in (cell or "").split(separator) if separator else (cell or "",):
                if value := part.strip():
                    distinct.setdefault(value.casefold(), value)
        rows.append(list(distinct.values()) or None)
    return pa.array(rows, pa.list_(pa.string()))


def instants(array: pa.Array) -> pa.Array:
    """Texts as UTC instants."""
    return timestamps.api_instants(array)


def numbers(array: pa.Array) -> pa.Array:
    """Texts as finite float64."""
    parsed = pc.if_else(_like(array, NUMBER), array, _NO_TEXT).cast(pa.float64())
    return pc.if_else(pc.fill_null(pc.is_finite(parsed), False), parsed, pa.scalar(None, pa.float64()))


def truths(array: pa.Array) -> pa.Array:
    """Texts as truths."""
    low = pc.utf8_lower(array)
    yes, no = pc.is_in(low, _TRUE), pc.is_in(low, _FALSE)
    return pc.if_else(pc.or_(yes, no), yes, pa.scalar(None, pa.bool_()))


def days(array: pa.Array, zone: str) -> pa.Array:
    """Texts as date32: a day as it is written, a time as its day in ``zone``."""
    return timestamps.api_days(array, zone)


def milliseconds(array: pa.Array) -> pa.Array:
    """Texts of times as int64 milliseconds since 1970."""
    return timestamps.api_milliseconds(array)


def _like(array: pa.Array, pattern: str) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(array, pattern), False)


def attribute(
    name: str, wanted: Attribute, array: pa.Array, zone: str, ids: Sequence[str], rejects: Rejects
) -> pa.Array:
    """An attribute in the type that the config gives it."""
    if wanted.missing:
        array = pc.if_else(
            found_in(array, [word.strip() for word in wanted.missing], wanted.exact).is_valid(),
            _NO_TEXT,
            array,
        )
    if wanted.type in ("text", "set"):
        return array
    if wanted.type == "ordered":
        ranked = found_in(array, wanted.order, wanted.exact)
        strange = pc.and_(array.is_valid(), ranked.is_null())
        rejects.cells(strange, ids, name, f"is not in its order ({', '.join(wanted.order)[:200]})")
        return ranked
    array = pc.utf8_trim_whitespace(array)
    if wanted.type == "number":
        typed, expected = numbers(array), "no number"
    elif wanted.type == "bool":
        typed, expected = truths(array), "neither true nor false"
    else:
        typed, expected = days(array, zone), "no date"
    if typed.null_count > array.null_count:
        rejects.cells(pc.and_(array.is_valid(), typed.is_null()), ids, name, f"is {expected}")
    return typed
