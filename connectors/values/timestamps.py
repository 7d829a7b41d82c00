"""When did it happen, in UTC? Reads times as people write them, each by a format that is known before (none
is guessed by the cell).

A format is one of DuckDB's (``%d.%m.%Y %H:%M``, with ``%z`` at its end for an offset), or a word: ``iso``,
``unix`` and ``unix_ms`` (seconds or milliseconds since 1970), ``excel`` (days since 1899-12-30). Which of
them a column is written in is proven on all of its cells by ``connectors.values.timestamp_formats``.

What an API writes is read by ``api_instants`` and ``api_days``: its times tell their offset, or are counts of
milliseconds.

Dates are local midnights; local times that a clock change repeats are the earlier ones, those that it skips
lie as far behind the change as they were meant to (PEP 495, ``fold=0``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.values.digit_times import by_digits
from connectors.values.text import as_text, flat, letters_of, outside_of, trimmed, words_in

INSTANT = pa.timestamp("us", tz="UTC")
_NAIVE = pa.timestamp("us")
_QUARTER = 900_000_000  # microseconds: no zone of today changes its offset within a quarter of an hour
_EPOCH = datetime(1970, 1, 1)
# beyond these, Python cannot say the time in every zone
_EARLIEST = (datetime(1, 1, 3) - _EPOCH) // timedelta(microseconds=1)
_ARROW_ENDS = 2_114_380_800_000_000  # 2037: Arrow knows no summer time of later years
_LATEST = (datetime(9999, 12, 29) - _EPOCH) // timedelta(microseconds=1)
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_LOCAL = _DAY + r"([ T][0-9]{2}(:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?)?)?$"
_DAY_OF_TIME = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ].*$"
_OFFSET = (
    _DAY + r"[ T][0-9]{2}(:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?)? ?(Z|z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)$"
)
_DIGITS = r"^[0-9]{8}$"
ISO = "iso"
# word → microseconds of a unit, microseconds of its zero since 1970, least and greatest number that is taken
# for a time
COUNTS = {
    "unix": (1_000_000, 0, 500_000_000, 4_200_000_000),
    "unix_ms": (1_000, 0, 500_000_000_000, 4_200_000_000_000),
    "excel": (86_400_000_000, -25_569 * 86_400_000_000, 14_000, 75_000),
}
WORDS = (ISO, *COUNTS)
# Milliseconds since 1970 where an API says so: nobody has to guess, and people born before 1970 have a
# negative number.
_API_COUNT = r"^-?[0-9]{9,14}$"
_API_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_API_ISO = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2}))?$"
)
_TRIED = 64  # texts that tell whether Arrow's reader is worth asking
_NO_TEXT = pa.scalar(None, pa.string())
_COUNT = r"^[0-9]{1,15}([.,][0-9]+)?$"
_BLANKS = r"[\x{00a0}\x{2007}\x{2009}\x{202f}]|  +"
_ZONE = r" ?(Z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?)$"


def instants(
    column: pa.ChunkedArray | pa.Array, zone: str, formats: Sequence[str] = (ISO,)
) -> tuple[pa.Array, pa.Array | None]:
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
    moments, bad = _parsed(texts, zone, formats)
    return moments, pc.or_(
        bad, unsound
    ) if unsound is not None and bad is not None else unsound if bad is None else bad


def fault(format_: str) -> str:
    """What is wrong with a format, or "": asked before any cell is read."""
    if format_ in WORDS:
        return ""
    if "%" not in format_:
        return f'must be a format such as "%d.%m.%Y" or "%m/%d/%Y %H:%M", or one of {", ".join(WORDS)}'
    try:
        _asked("epoch_us(try_strptime(x, ?))", pa.array(["x"]), format_.removesuffix("%z").rstrip())
    except duckdb.Error as error:
        return f"is no format that can be read ({str(error).splitlines()[0].removeprefix('Invalid Input Error: ')[:120]})"
    return ""


def dates(
    column: pa.ChunkedArray | pa.Array, formats: Sequence[str] = (ISO,)
) -> tuple[pa.Array, pa.Array | None]:
    """A column as date32, local days as they are written."""
    array = flat(column)
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        array, bad = _held(array)
        return array.cast(pa.date32(), safe=False), bad
    texts, _unsound = as_text(array)
    bare = pc.replace_substring_regex(texts, _DAY_OF_TIME, r"\1") if ISO in formats else texts
    moments, bad = instants(bare, "UTC", [format_.removesuffix("%z").rstrip() for format_ in formats])
    return moments.cast(pa.date32(), safe=False), bad


def api_instants(texts: pa.Array) -> pa.Array:
    """Texts of an API as UTC instants; null where one is none.

    An ISO 8601 time with its offset (``Z``, ``+0000``, ``+02:00``), a day (its midnight in UTC), or
    milliseconds since 1970. A time without offset is none: whose clock it tells is not known.
    """
    moments = _tried(texts, INSTANT, _API_COUNT, _API_DAY)
    return _bounded(_api_forms(texts) if moments is None else moments)[0]


def _tried(texts: pa.Array, kind: pa.DataType, *unlike: str) -> pa.Array | None:
    """All texts as times by Arrow's own reader, None where it refuses one.

    A refusal costs as much as fifty readings, so it is not asked where the first texts are of a form
    (``unlike``) that it refuses.
    """
    first = texts.slice(0, _TRIED)
    if any(pc.any(_like(first, pattern)).as_py() for pattern in unlike):
        return None
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        return None


def _api_forms(texts: pa.Array) -> pa.Array:
    """As ``api_instants``, where cells are of several forms: each form by itself."""
    counts = pc.if_else(_like(texts, _API_COUNT), texts, _NO_TEXT)
    moments = counts.cast(pa.int64()).cast(pa.timestamp("ms")).cast(INSTANT)
    if moments.null_count == texts.null_count:
        return moments
    days, written = _like(texts, _API_DAY), pc.if_else(_like(texts, _API_ISO), texts, _NO_TEXT)
    try:
        timed = pc.if_else(days, _NO_TEXT, written).cast(INSTANT)
        dated = pc.if_else(days, written, _NO_TEXT).cast(_NAIVE).cast(INSTANT)
    except pa.ArrowInvalid:  # the 31st of a month that has none
        return pc.coalesce(moments, instants(written, "UTC")[0])
    return pc.coalesce(moments, timed, dated)


def api_days(texts: pa.Array, zone: str) -> pa.Array:
    """Texts of an API as date32: a day as it is written, a time as its day in a zone; null where one is
    neither.
    """
    dated = _like(texts, _API_DAY)
    moments = api_instants(pc.if_else(dated, _NO_TEXT, texts) if pc.any(dated).as_py() else texts)
    local = _local_days(moments, zone)
    return (
        pc.coalesce(dates(pc.if_else(dated, texts, _NO_TEXT))[0], local) if pc.any(dated).as_py() else local
    )


def _local_days(moments: pa.Array, zone: str) -> pa.Array:
    days = pc.local_timestamp(moments.cast(pa.timestamp("us", tz=zone))).cast(pa.date32(), safe=False)
    late = pc.fill_null(pc.greater(moments.cast(pa.int64()), _ARROW_ENDS), False)
    if not pc.any(late).as_py():
        return days
    exact = [moment.astimezone(ZoneInfo(zone)).date() for moment in moments.filter(late).to_pylist()]
    return pc.replace_with_mask(days, late, pa.array(exact, pa.date32()))


def api_milliseconds(texts: pa.Array) -> pa.Array:
    """Texts of an API as int64 milliseconds since 1970; null where one is no time."""
    counts = api_instants(texts).cast(pa.int64())
    whole = pa.array(
        np.floor_divide(pc.fill_null(counts, 0).to_numpy(zero_copy_only=False), 1_000), pa.int64()
    )
    return pc.if_else(counts.is_valid(), whole, pa.scalar(None, pa.int64()))


def api_midnights(texts: pa.Array, zone: str) -> pa.Array:
    """Days of an API (YYYY-MM-DD) as the instants at which they begin in a zone; null where a text is none."""
    return instants(pc.if_else(_like(texts, _API_DAY), texts, _NO_TEXT), zone)[0]


def _like(texts: pa.Array, pattern: str) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(texts, pattern), False)


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
    """Typed times and days without those that no calendar holds."""
    bad = outside_of(array, _EARLIEST, _LATEST)
    return (array, None) if bad is None else (pc.if_else(bad, pa.scalar(None, array.type), array), bad)


def _bounded(moments: pa.Array) -> tuple[pa.Array, pa.Array | None]:
    """Without times that no calendar holds."""
    if len(moments) and moments.null_count < len(moments):
        ends = pc.min_max(moments.cast(pa.int64())).as_py()
        if ends["min"] < _EARLIEST or ends["max"] > _LATEST:
            counts = moments.cast(pa.int64())
            bad = pc.fill_null(pc.or_(pc.less(counts, _EARLIEST), pc.greater(counts, _LATEST)), False)
            return pc.if_else(bad, pa.scalar(None, INSTANT), moments), bad
    return moments, None


def _parsed(texts: pa.Array, zone: str, formats: Sequence[str]) -> tuple[pa.Array, pa.Array | None]:
    if formats[0] == ISO:  # all cells local, or all with an offset: 30 times faster
        for kind, in_zone, unlike in ((_NAIVE, zone, _OFFSET), (INSTANT, "UTC", _LOCAL)):
            if (read := _tried(texts, kind, unlike)) is not None:
                return _bounded(to_utc(read.cast(_NAIVE), in_zone))
    texts = spaced(trimmed(texts))
    moments = pa.nulls(len(texts), INSTANT)
    for format_ in formats:
        left = pc.if_else(pc.is_null(moments), texts, _NO_TEXT)
        if left.null_count == len(left):
            break
        counts, zoned = _counts(left, format_)
        read = pc.if_else(zoned, counts.cast(_NAIVE).cast(INSTANT), to_utc(counts.cast(_NAIVE), zone))
        moments = pc.coalesce(moments, read)
    moments, _ = _bounded(moments)
    return moments, pc.and_(pc.is_valid(texts), pc.is_null(moments))


def spaced(texts: pa.Array) -> pa.Array:
    """Any blank of Unicode's as one space, and months in English."""
    letters = letters_of(texts)
    if len(letters) and letters.max() < 128:
        spaces = letters == 32
        if not (spaces[1:] & spaces[:-1]).any():
            return months_in_english(texts) if (letters | np.uint8(32) >= ord("a")).any() else texts
    plain = pc.replace_substring_regex(texts, _BLANKS, " ")
    return months_in_english(texts if plain.equals(texts) else plain)


# Months as people write them in other languages, and longer than the English three letters; what begins so is
# meant.
_MONTHS = {
    "Jan": "janv jan. janvier januar januari janeiro jän enero ene genn gen styczeń",
    "Feb": "février fevrier févr fevr fév fev feb. febr feb februar februari febrero febbraio fevereiro luty",
    "Mar": "mar. mars märz mär maerz mrt maart marzo março mrz",
    "Apr": "avril avr abril abr apr. april aprile",
    "May": "mai mei mayo may. maggio mag maio",
    "Jun": "juin juni jun. junio giugno giu junho",
    "Jul": "juillet juil juli jul. julio luglio lug julho",
    "Aug": "août aout agosto ago augustus aug.",
    "Sep": "sept sep. septiembre septembre settembre set setembro",
    "Oct": "oct. octobre octubre ottobre ott outubro out okt oktober",
    "Nov": "nov. novembre noviembre novembro",
    "Dec": "déc dec. décembre diciembre dicembre dic dezember dez dezembro december",
}
_ENGLISH = words_in("january february march april may june july august september october november december")
_MONTH_OF = {word.rstrip("."): month for month, words in _MONTHS.items() for word in words_in(words)}
_WORD = re.compile(r"(?:\bde )?([^\W\d_]{3,}\.?)(?: de\b)?")


def months_in_english(texts: pa.Array) -> pa.Array:
    """Texts with the names of months in other languages as the English ones: ``3 févr. 2026`` is ``3 Feb
    2026``.
    """
    if not pc.any(pc.match_substring_regex(texts, r"\pL{3}")).as_py():
        return texts
    codes = texts.dictionary_encode()
    meant = [None if text is None else _WORD.sub(_english, text) for text in codes.dictionary.to_pylist()]
    return pa.array(meant, pa.string()).take(codes.indices)


def _english(word: re.Match[str]) -> str:
    name = word[1].casefold().rstrip(".")
    return word[0] if name in _ENGLISH else _MONTH_OF.get(name, word[0])


def _counts(texts: pa.Array, format_: str) -> tuple[pa.Array, pa.Array]:
    """Microseconds of texts in a format (null where a text is not in it), and which of them are in UTC rather
    than local.
    """
    if format_ == ISO:
        return _iso(texts)
    if format_ in COUNTS:
        unit, zero, least, most = COUNTS[format_]
        numbers = pc.if_else(_like(texts, _COUNT), texts, _NO_TEXT)
        count = f"CASE WHEN x::DECIMAL(38, 9) BETWEEN {least} AND {most} THEN round(x::DECIMAL(38, 9) * {unit})::BIGINT + {zero} END"
        counts = _asked(count, pc.replace_substring(numbers, ",", "."))
        return _seconds_of_days(counts) if format_ == "excel" else counts, pa.scalar(format_ != "excel")
    if format_.endswith("%z"):
        bare = pc.replace_substring_regex(texts, _ZONE, "")
        counts = _local(bare, format_.removesuffix("%z").rstrip())
        return pc.subtract(counts, _offsets_of(texts)), pa.scalar(True)
    return _local(texts, format_), pa.scalar(False)


def _local(texts: pa.Array, format_: str) -> pa.Array:
    """Microseconds of texts in a format of DuckDB's; null where a text is not in it."""
    counts = by_digits(texts, format_)
    if counts is None:
        return _asked(STRPTIME, texts, format_)
    others = pc.and_(pc.is_null(counts), pc.is_valid(texts))
    if not pc.any(others).as_py():
        return counts
    return pc.coalesce(counts, _asked(STRPTIME, pc.if_else(others, texts, _NO_TEXT), format_))


# A year of fewer than four digits is none; what a two-digit year means is DuckDB's rule (1969 to 2068).
STRPTIME = "CASE WHEN try_strptime(x, ?) >= TIMESTAMP '1000-01-01' THEN epoch_us(try_strptime(x, ?)) END"


def _seconds_of_days(counts: pa.Array) -> pa.Array:
    """Days have so many decimals that their seconds are whole: 46056.591678 is 14:12:01."""
    return pc.multiply(
        pc.floor(pc.divide(pc.add(counts, 500_000).cast(pa.float64()), 1e6)).cast(pa.int64()), 1_000_000
    )


def _offsets_of(texts: pa.Array) -> pa.Array:
    """Microseconds by which the local time of a text is ahead of UTC; null where it tells none."""
    zone = pc.struct_field(
        pc.extract_regex(texts, r"(?P<zone>Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)$"), "zone"
    )
    codes = zone.dictionary_encode()
    return pa.array([_microseconds(text) for text in codes.dictionary.to_pylist()], pa.int64()).take(
        codes.indices
    )


def _microseconds(offset: str) -> int:
    if offset[0] not in "+-":
        return 0
    digits = offset[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return (-minutes if offset[0] == "-" else minutes) * 60_000_000


def _iso(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Microseconds of ISO-8601 texts (null where it is none), and which of them tell their offset from UTC."""
    zoned, local, digits = _like(texts, _OFFSET), _like(texts, _LOCAL), _like(texts, _DIGITS)
    counts = _asked("epoch_us(try_cast(x AS TIMESTAMP))", _seconds(pc.if_else(local, texts, _NO_TEXT)))
    if pc.any(zoned).as_py():
        meant = _asked(
            "epoch_us(try_cast(x AS TIMESTAMPTZ))", _seconds(_offsets(pc.if_else(zoned, texts, _NO_TEXT)))
        )
        counts = pc.coalesce(counts, meant)
    if pc.any(digits).as_py():
        counts = pc.coalesce(
            counts, _asked("epoch_us(try_strptime(x, '%Y%m%d'))", pc.if_else(digits, texts, _NO_TEXT))
        )
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
    parameters = list(values) * expression.count("?")
    counts = cursor.execute(f"SELECT {expression} AS y FROM texts", parameters).to_arrow_table()["y"]
    cursor.close()
    return flat(counts).cast(pa.int64())
