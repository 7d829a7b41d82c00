"""When did it happen, in UTC? Dates are local midnights; local times that a clock change repeats are the earlier ones,
those that it skips lie as far behind the change as they were meant to (PEP 495, ``fold=0``).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.files.text import as_text, flat, trimmed

INSTANT = pa.timestamp("us", tz="UTC")
_NAIVE = pa.timestamp("us")
_QUARTER = 900_000_000  # microseconds: no zone of today changes its offset within a quarter of an hour
_EPOCH = datetime(1970, 1, 1)
_EARLIEST = (datetime(1, 1, 3) - _EPOCH) // timedelta(microseconds=1)  # beyond these, Python cannot say the time in every zone
_LATEST = (datetime(9999, 12, 29) - _EPOCH) // timedelta(microseconds=1)
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_LOCAL = _DAY + r"([ T][0-9]{2}(:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?)?)?$"
_OFFSET = _DAY + r"[ T][0-9]{2}(:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?)? ?(Z|z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)$"
_DIGITS = r"^[0-9]{8}$"


def instants(column: pa.ChunkedArray | pa.Array, zone: str, date_format: str | None) -> tuple[pa.Array, pa.Array | None]:
    """A column as UTC instants, and which of its cells are no time (None: all are, or are empty)."""
    array = flat(column)
    kind = array.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        array, bad = _held(array)
        if pa.types.is_date(kind):
            return to_utc(array.cast(pa.date32()).cast(_NAIVE), zone), bad
        moments = array.cast(pa.timestamp("us", tz=kind.tz), safe=False)
        return moments.cast(INSTANT) if kind.tz else to_utc(moments, zone), bad
    texts, unsound = as_text(array)
    moments, bad = _parsed(texts, zone, date_format)
    return moments, pc.or_(bad, unsound) if unsound is not None and bad is not None else unsound if bad is None else bad


def dates(column: pa.ChunkedArray | pa.Array, date_format: str | None) -> tuple[pa.Array, pa.Array | None]:
    """A column as date32, local days as they are written."""
    array = flat(column)
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        array, bad = _held(array)
        return array.cast(pa.date32(), safe=False), bad
    moments, bad = instants(pc.utf8_slice_codeunits(as_text(array)[0], 0, 10) if not date_format else array, "UTC", date_format)
    return moments.cast(pa.date32(), safe=False), bad


def to_utc(local: pa.Array, zone: str) -> pa.Array:
    """Local times as instants."""
    if zone in ("UTC", "Etc/UTC") or not len(local) or local.null_count == len(local):
        return local.cast(INSTANT)
    counts = pc.fill_null(local.cast(pa.int64()), 0)
    quarters = pa.array(np.floor_divide(counts.to_numpy(zero_copy_only=False), _QUARTER)).dictionary_encode()
    offsets = pa.array([_offset(zone, quarter) for quarter in quarters.dictionary.to_pylist()], pa.int64())
    moments = pc.subtract(local.cast(pa.int64()), offsets.take(quarters.indices))
    return moments.cast(_NAIVE).cast(INSTANT)


@lru_cache(1 << 18)
def _offset(zone: str, quarter: int) -> int:
    """Offset of a zone from UTC in microseconds, at a local quarter of an hour since 1970."""
    try:
        local = (_EPOCH + timedelta(microseconds=quarter * _QUARTER)).replace(tzinfo=ZoneInfo(zone))
        return (local.utcoffset() or timedelta()) // timedelta(microseconds=1)
    except OverflowError:
        return 0


def local_midnight(day: str, zone: str) -> int:
    """Microseconds since 1970 (UTC) at which an ISO day begins in a zone."""
    local = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    return (local.astimezone(UTC).replace(tzinfo=None) - _EPOCH) // timedelta(microseconds=1)


def _held(array: pa.Array) -> tuple[pa.Array, pa.Array | None]:
    """Typed times and days without those that no calendar holds; told in their own unit, where nothing overflows yet."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        unit = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0}[kind.unit]
    else:
        unit = 86_400_000_000 if pa.types.is_date32(kind) else 1_000
    if not unit or array.null_count == len(array):  # nanoseconds reach from 1677 to 2262
        return array, None
    counts = (array.cast(pa.int32()) if pa.types.is_date32(kind) else array).cast(pa.int64())
    bad = pc.fill_null(pc.or_(pc.less(counts, _EARLIEST // unit), pc.greater(counts, _LATEST // unit)), False)
    if not pc.any(bad).as_py():
        return array, None
    return pc.if_else(bad, pa.scalar(None, kind), array), bad


def _bounded(moments: pa.Array) -> tuple[pa.Array, pa.Array | None]:
    """Without times that no calendar holds."""
    if len(moments) and moments.null_count < len(moments):
        ends = pc.min_max(moments.cast(pa.int64())).as_py()
        if ends["min"] < _EARLIEST or ends["max"] > _LATEST:
            counts = moments.cast(pa.int64())
            bad = pc.fill_null(pc.or_(pc.less(counts, _EARLIEST), pc.greater(counts, _LATEST)), False)
            return pc.if_else(bad, pa.scalar(None, INSTANT), moments), bad
    return moments, None


def _parsed(texts: pa.Array, zone: str, date_format: str | None) -> tuple[pa.Array, pa.Array | None]:
    if date_format is None:
        try:
            return _bounded(to_utc(texts.cast(_NAIVE), zone))
        except pa.ArrowInvalid:
            pass
    texts = trimmed(texts)
    if date_format is None:
        counts, zoned = _iso(texts)
    else:
        counts, zoned = _asked("epoch_us(try_strptime(x, ?))", texts, date_format), pa.scalar("%z" in date_format)
    moments = pc.if_else(zoned, counts.cast(_NAIVE).cast(INSTANT), to_utc(counts.cast(_NAIVE), zone))
    moments, _ = _bounded(moments)
    return moments, pc.and_(pc.is_valid(texts), pc.is_null(moments))


def _iso(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Microseconds of ISO-8601 texts (null where it is none), and which of them tell their offset from UTC."""
    nothing = pa.scalar(None, pa.string())
    zoned = pc.fill_null(pc.match_substring_regex(texts, _OFFSET), False)
    local = pc.fill_null(pc.match_substring_regex(texts, _LOCAL), False)
    digits = pc.fill_null(pc.match_substring_regex(texts, _DIGITS), False)
    counts = _asked("epoch_us(try_cast(x AS TIMESTAMP))", _seconds(pc.if_else(local, texts, nothing)))
    if pc.any(zoned).as_py():
        meant = _asked("epoch_us(try_cast(x AS TIMESTAMPTZ))", _seconds(_offsets(pc.if_else(zoned, texts, nothing))))
        counts = pc.coalesce(counts, meant)
    if pc.any(digits).as_py():
        counts = pc.coalesce(counts, _asked("epoch_us(try_strptime(x, '%Y%m%d'))", pc.if_else(digits, texts, nothing)))
    return counts, zoned


def _offsets(texts: pa.Array) -> pa.Array:
    """Offsets as DuckDB reads them: +02:00."""
    texts = pc.replace_substring_regex(texts, r" ?(Z|z|UTC)$", "+00:00")
    texts = pc.replace_substring_regex(texts, r" ?([+-][0-9]{2})$", r"\1:00")
    return pc.replace_substring_regex(texts, r" ?([+-][0-9]{2}):?([0-9]{2})$", r"\1:\2")


def _seconds(texts: pa.Array) -> pa.Array:
    """Times of day down to the second."""
    texts = pc.replace_substring(texts, ",", ".")
    texts = pc.replace_substring_regex(texts, r"([T ][0-9]{2})([+-].*)?$", r"\1:00\2")
    return pc.replace_substring_regex(texts, r"([T ][0-9]{2}:[0-9]{2})([+-].*)?$", r"\1:00\2")


@lru_cache(1)
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": "1"})


def _asked(expression: str, texts: pa.Array, *values: str) -> pa.Array:
    """What DuckDB makes of each text (called x)."""
    cursor = _engine().cursor()
    cursor.register("texts", pa.table({"x": texts}))
    counts = cursor.execute(f"SELECT {expression} AS y FROM texts", list(values)).to_arrow_table()["y"]
    cursor.close()
    return flat(counts).cast(pa.int64())
