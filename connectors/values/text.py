"""How does a column of any type become text, and a text become a number, a truth or nothing?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

TRUE, FALSE = ("true", "yes", "1", "y"), ("false", "no", "0", "n")
CELL_LIMIT = 1 << 20
# a number as machines write it: the one pattern of all readers
EXACT = pa.decimal128(38, 12)  # in which decimals are read
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_DAY = 86_400_000_000  # microseconds
# what ISO 8601 writes with four digits: from 0001-01-01 to the end of 9999-12-31, in microseconds since 1970
_YEARS = (-719_162 * _DAY, 2_932_897 * _DAY - 1)


def words_in(text: str) -> tuple[str, ...]:
    """The words of a text: a list that reads as one."""
    return tuple(text.split())


def flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """One array, without dictionary."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # of no chunk, or too long for one
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array


def is_text(kind: pa.DataType) -> bool:
    """Whether values of an Arrow type are text."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


def readable(kind: pa.DataType) -> bool:
    """Whether ``as_text`` knows the type."""
    if pa.types.is_dictionary(kind):
        return readable(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return is_text(kind.value_type)
    return is_text(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or _plain(kind)


def _plain(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
        or (types.is_temporal(kind) and not types.is_interval(kind))
    )


def as_text(column: pa.ChunkedArray | pa.Array) -> tuple[pa.Array, pa.Array | None]:
    """A column as text, blank cells null, and which cells cannot be text (None: all can).

    Whole numbers that came as floats (a column of ids with gaps) lose their ``.0``; lists are joined by
    ``;``. A time outside of the years 1 to 9999 is none: databases write "for ever" so.
    """
    array = flat(column)
    kind = array.type
    outside = outside_of(array, *_YEARS)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        array = _joined(array.cast(pa.list_(pa.string())))
    elif pa.types.is_floating(kind):
        array = _float_text(array)
    elif not (is_text(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        array = array.cast(pa.string())
    if not pa.types.is_string(array.type):
        array = (
            array.cast(pa.binary()).view(pa.string())
            if not pa.types.is_null(kind)
            else array.cast(pa.string())
        )
    bad = _unsound(array) if outside is None else outside
    if bad is not None:
        array = pc.if_else(bad, pa.scalar(None, pa.string()), array)
    return _without_blanks(array), bad


def outside_of(array: pa.Array, earliest: int, latest: int) -> pa.Array | None:
    """Which times or days lie outside of two ends (microseconds since 1970), told in their own unit, where nothing
    overflows yet; None: no cell does, or the type holds no such times.
    """
    kind = array.type
    if pa.types.is_timestamp(kind):
        unit = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0}[kind.unit]
    else:
        unit = _DAY if pa.types.is_date32(kind) else 1_000 if pa.types.is_date64(kind) else 0
    if not unit or array.null_count == len(array):  # nanoseconds reach from 1677 to 2262
        return None
    counts = (array.cast(pa.int32()) if pa.types.is_date32(kind) else array).cast(pa.int64())
    outside = pc.or_(pc.less(counts, earliest // unit), pc.greater(counts, latest // unit))
    outside = pc.fill_null(outside, False)
    return outside if pc.any(outside).as_py() else None


def decimals(texts: pa.Array) -> pa.Array:
    """Plain decimals as ``EXACT``. ArrowInvalid where one is not, or has more digits: Arrow's own reader takes some
    of those for another number.
    """
    offsets, _ = bytes_of(texts)
    if int(np.diff(offsets).max(initial=0)) > EXACT.precision:
        raise pa.ArrowInvalid("more digits than a decimal has")
    return texts.cast(EXACT)


def _joined(lists: pa.Array) -> pa.Array:
    """The texts of each list, joined; items without a value are left out."""
    if not lists.values.null_count:
        return pc.binary_join(lists, ";")
    filled = [None if items is None else list(filter(None, items)) for items in lists.to_pylist()]
    return pc.binary_join(pa.array(filled, lists.type), ";")


def _float_text(array: pa.Array) -> pa.Array:
    finite = pc.fill_null(pc.is_finite(array), False)
    whole = pc.and_(finite, pc.and_(pc.equal(pc.floor(array), array), pc.less(pc.abs(array), 1e15)))
    # how tools write "nothing" into numbers
    array = pc.if_else(pc.fill_null(pc.is_nan(array), False), pa.scalar(None, array.type), array)
    whole = pc.fill_null(whole, False)
    integers = pc.if_else(whole, array, pa.scalar(0, array.type)).cast(pa.int64()).cast(pa.string())
    return pc.if_else(whole, integers, array.cast(pa.string()))


def bytes_of(array: pa.Array) -> tuple[Any, Any]:
    """Offsets and bytes of a string array."""
    if not len(array):
        return np.zeros(1, np.int32), np.zeros(0, np.uint8)
    offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
    raw = array.buffers()[2]
    return offsets, np.frombuffer(raw, np.uint8)[offsets[0] : offsets[-1]] if raw is not None else np.zeros(
        0, np.uint8
    )


def _unsound(array: pa.Array) -> pa.Array | None:
    """Cells that are no UTF-8, hold a NUL or are over 1 MiB; None where all are sound."""
    offsets, content = bytes_of(array)
    sound = bool(content.min(initial=1)) and (
        len(content) <= CELL_LIMIT or int(np.diff(offsets).max()) <= CELL_LIMIT
    )
    if sound and (len(content) == 0 or content.max() < 128):
        return None
    try:
        array.validate(full=True)
        if sound:
            return None
    except pa.ArrowInvalid:
        pass
    return pa.array(
        [cell is not None and not _sound(cell) for cell in array.view(pa.binary()).to_pylist()], pa.bool_()
    )


def _sound(cell: bytes) -> bool:
    try:
        return len(cell) <= CELL_LIMIT and b"\0" not in cell and cell.decode() is not None
    except UnicodeDecodeError:
        return False


def _without_blanks(array: pa.Array) -> pa.Array:
    """Blank cells become null."""
    if not len(array) or array.null_count == len(array):
        return array
    offsets, content = bytes_of(array)
    blanks = int((np.diff(offsets) == 0).sum())
    if blanks <= array.null_count and not _edged(offsets, content):
        return array
    if blanks > array.null_count or pc.any(pc.match_substring_regex(array, r"^\s+$")).as_py():
        return pc.if_else(pc.equal(pc.utf8_trim_whitespace(array), ""), pa.scalar(None, pa.string()), array)
    return array


def letters_of(array: pa.Array) -> Any:
    """The bytes of all texts of an array, one behind the other."""
    return bytes_of(array)[1]


def plain_floats(texts: pa.Array) -> pa.Array | None:
    """Texts of digits, points and minus signs alone as the nearest float64 each; None where one of them is no
    such number.
    """
    letters = letters_of(texts)
    if len(letters) and (
        letters.min() < 45 or letters.max() > 57 or (letters == 47).any()
    ):  # - . / and the digits follow each other
        return None
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return None


def trimmed(array: pa.Array) -> pa.Array:
    """Without blanks around; the same array where there are none."""
    return pc.utf8_trim_whitespace(array) if _edged(*bytes_of(array)) else array


def _edged(offsets: Any, letters: Any) -> bool:
    """Whether a text may begin or end with a blank: by its first and last byte."""
    if not len(letters) or (letters.min() > 32 and letters.max() < 128):
        return False
    starts, ends = offsets[:-1] - offsets[0], offsets[1:] - offsets[0] - 1
    filled = ends >= starts
    if not filled.all():
        starts, ends = starts[filled], ends[filled]
    return any(((edges <= 32) | (edges >= 128)).any() for edges in (letters.take(starts), letters.take(ends)))


def truths(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Texts as truths, and which of them are none."""
    low = pc.utf8_lower(trimmed(texts))
    yes, no = (pc.is_in(low, pa.array(words)) for words in (TRUE, FALSE))
    clear = pc.or_(yes, no)
    return pc.if_else(clear, yes, pa.scalar(None, pa.bool_())), pc.and_(pc.is_valid(texts), pc.invert(clear))


def floats(column: pa.ChunkedArray | pa.Array) -> tuple[pa.Array, pa.Array]:
    """Numbers, or texts with a decimal point, as finite float64, and which of the cells are no number."""
    array = flat(column)
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
        numbers = array.cast(pa.float64(), safe=False)
        numbers = pc.if_else(pc.fill_null(pc.is_nan(numbers), False), pa.scalar(None, pa.float64()), numbers)
        bad = pc.fill_null(pc.is_inf(numbers), False)
        return pc.if_else(bad, pa.scalar(None, pa.float64()), numbers), bad
    texts, unsound = as_text(array)
    texts = trimmed(texts)
    good = pc.fill_null(pc.match_substring_regex(texts, NUMBER), False)
    numbers = pc.if_else(good, texts, pa.scalar(None, pa.string())).cast(pa.float64())
    good = pc.and_(good, pc.fill_null(pc.is_finite(numbers), False))
    bad = pc.and_(pc.is_valid(texts), pc.invert(good))
    return pc.if_else(good, numbers, pa.scalar(None, pa.float64())), pc.or_(
        bad, unsound
    ) if unsound is not None else bad
