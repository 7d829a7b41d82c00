"""How do the texts of a CRM's API become typed columns?

HubSpot and Salesforce's Bulk API give every value as text: numbers, truths as "true" and "false", times in ISO 8601
(milliseconds since 1970 in HubSpot's older ones), days as YYYY-MM-DD, several options joined by ";". A value that is none
becomes null.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import REJECT_SCHEMA, Attribute

INSTANT = pa.timestamp("us", tz="UTC")
LISTED = 10_000  # rejects of one page
_BLANK = r"^\s*$"
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2}))?$"
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_MILLISECONDS = r"^-?[0-9]{9,14}$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_TRUE, _FALSE = pa.array(["true", "yes", "1"]), pa.array(["false", "no", "0"])
_NO_TEXT = pa.scalar(None, pa.string())


def texts(values: Iterable[Any]) -> pa.Array:
    """Values as text; null and blank ones are null."""
    rows = list(values)
    try:
        array = pa.array(rows, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        array = pa.array([None if one is None else str(one).encode("utf-8", "replace").decode() for one in rows], pa.string())
    blank = pc.match_substring_regex(array, _BLANK)
    return pc.if_else(blank, _NO_TEXT, array) if pc.any(blank).as_py() else array


def instants(array: pa.Array) -> pa.Array:
    """Texts as UTC instants."""
    try:
        moments = array.cast(INSTANT)
        return moments if _sound(moments) else _one_by_one(array)
    except pa.ArrowInvalid:
        return _one_by_one(array)


def _one_by_one(array: pa.Array) -> pa.Array:
    """As ``instants``, where some are of another form."""
    counts = pc.if_else(_like(array, _MILLISECONDS), array, _NO_TEXT).cast(pa.int64())
    written = pc.if_else(_like(array, _ISO), array, _NO_TEXT)
    days = _like(array, _DAY)
    try:
        zoned = pc.if_else(days, _NO_TEXT, written).cast(INSTANT)
        dated = pc.if_else(days, written, _NO_TEXT).cast(pa.timestamp("us")).cast(INSTANT)
    except pa.ArrowInvalid:  # the 31st of a month that has none
        zoned, dated = (pa.array([_tolerant(one, kind) for one in written.to_pylist()], INSTANT) for kind in (INSTANT, pa.timestamp("us")))
    moments = pc.coalesce(zoned, dated, counts.cast(pa.timestamp("ms")).cast(INSTANT))
    return pc.if_else(_within(moments), moments, pa.scalar(None, INSTANT))


def _tolerant(text: str | None, kind: pa.DataType) -> Any:
    try:
        return pa.scalar(text, pa.string()).cast(kind).cast(INSTANT).as_py()
    except (pa.ArrowInvalid, OverflowError, ValueError):
        return None


_FIRST, _LAST = pa.scalar(-62_000_000_000_000_000, pa.int64()), pa.scalar(253_300_000_000_000_000, pa.int64())


def _within(moments: pa.Array) -> pa.Array:
    """Which lie within the years that a calendar holds."""
    counts = moments.cast(pa.int64())
    return pc.fill_null(pc.and_(pc.greater(counts, _FIRST), pc.less(counts, _LAST)), False)


def _sound(moments: pa.Array) -> bool:
    return moments.null_count == len(moments) or bool(pc.all(pc.or_(_within(moments), moments.is_null())).as_py())


def numbers(array: pa.Array) -> pa.Array:
    """Texts as finite float64."""
    found = pc.if_else(_like(array, _NUMBER), array, _NO_TEXT).cast(pa.float64())
    return pc.if_else(pc.fill_null(pc.is_finite(found), False), found, pa.scalar(None, pa.float64()))


def truths(array: pa.Array) -> pa.Array:
    """Texts as truths."""
    low = pc.utf8_lower(array)
    yes, no = pc.is_in(low, _TRUE), pc.is_in(low, _FALSE)
    return pc.if_else(pc.or_(yes, no), yes, pa.scalar(None, pa.bool_()))


def days(array: pa.Array, zone: str) -> pa.Array:
    """Texts as date32: a day as it is written, a time as its day in ``zone``."""
    dated = _like(array, _DAY)
    if pc.all(pc.or_(dated, array.is_null())).as_py():
        return instants(array).cast(pa.date32(), safe=False)
    local = pc.local_timestamp(instants(array).cast(pa.timestamp("us", tz=zone)))
    written = instants(pc.if_else(dated, array, _NO_TEXT)).cast(pa.date32(), safe=False)
    return pc.coalesce(written, local.cast(pa.date32(), safe=False))


def milliseconds(array: pa.Array) -> pa.Array:
    """Texts of times as int64 milliseconds since 1970."""
    return pc.floor(pc.divide(instants(array).cast(pa.int64()).cast(pa.float64()), 1000.0)).cast(pa.int64())


def _like(array: pa.Array, pattern: str) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(array, pattern), False)


class Rejects:
    """Cells and rows of a page that are refused, with a reason that quotes nothing of a person."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.rows: list[dict[str, Any]] = []
        self.rejected = 0

    def cells(self, bad: pa.Array, ids: Sequence[str], column: str, reason: str) -> None:
        """Cells that become null while their row goes on."""
        self._list(bad, ids, column, reason)

    def refuse(self, bad: pa.Array, ids: Sequence[str], reason: str) -> None:
        """Rows that are refused whole."""
        self.rejected += self._list(bad, ids, None, reason)

    def table(self) -> pa.Table | None:
        """REJECT_SCHEMA, or None."""
        return pa.Table.from_pylist(self.rows, schema=REJECT_SCHEMA) if self.rows else None

    def _list(self, bad: pa.Array, ids: Sequence[str], column: str | None, reason: str) -> int:
        places: list[int] = pc.indices_nonzero(pc.fill_null(bad, False)).to_pylist()
        for place in places[: max(0, LISTED - len(self.rows))]:
            self.rows.append({"part": self.part, "line": None, "column": column, "id": ids[place], "reason": reason})
        return len(places)


def attribute(name: str, wanted: Attribute, array: pa.Array, zone: str, ids: Sequence[str], rejects: Rejects) -> pa.Array:
    """An attribute in the type that the config gives it."""
    if wanted.missing:
        unknown = pc.is_in(pc.utf8_trim_whitespace(array), pa.array([one.strip() for one in wanted.missing], pa.string()))
        array = pc.if_else(unknown, _NO_TEXT, array)
    if wanted.type in ("text", "set"):
        return array
    if wanted.type == "ordered":
        array = pc.utf8_trim_whitespace(array)
        strange = pc.and_(array.is_valid(), pc.invert(pc.is_in(array, pa.array(wanted.order, pa.string()))))
        rejects.cells(strange, ids, name, f"is not in its order ({', '.join(wanted.order)[:200]})")
        return pc.if_else(strange, _NO_TEXT, array)
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
