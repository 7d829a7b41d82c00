"""How are times that are written in digits alone read fast, without asking DuckDB cell by cell?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.values.text import bytes_of

_DIGITS_OF = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_MICROSECONDS = {"H": 3_600_000_000, "M": 60_000_000, "S": 1_000_000}


def by_digits(texts: pa.Array, format_: str) -> pa.Array | None:
    """As DuckDB would, microseconds of the texts that have all digits of a format of numbers (07.02.2026
    09:05), from 1000 on.

    Null for all other texts: those may still be in the format. None where a format is of other parts.
    """
    pieces = re.findall(r"%(.)|([^%])", format_)
    names = [name for name, _ in pieces if name]
    if (
        not {"Y", "m", "d"} <= set(names) <= _DIGITS_OF.keys()
        or len(set(names)) < len(names)
        or not format_.isascii()
    ):
        return None
    width = sum(_DIGITS_OF[name] if name else 1 for name, _ in pieces)
    offsets, letters = bytes_of(texts)
    starts = offsets[:-1] - offsets[0]
    rows = np.flatnonzero(np.diff(offsets) == width)
    if len(rows) * width == len(letters):
        cells = letters.reshape(-1, width)
    else:
        cells = letters[starts[rows, None] + np.arange(width, dtype=np.int32)]
    good, parts, at = np.ones(len(rows), np.bool_), {}, 0
    for name, literal in pieces:
        if not name:
            good &= cells[:, at] == ord(literal)
            at += 1
            continue
        number = np.zeros(len(rows), np.int16)
        for column in range(at, at + _DIGITS_OF[name]):
            digit = cells[:, column] - np.uint8(48)
            good &= digit < 10
            number = number * np.int16(10) + digit
        parts[name], at = number, at + _DIGITS_OF[name]
    counts, sound = _since_1970(parts)
    moments = np.zeros(len(texts), np.int64)
    missing = np.ones(len(texts), np.bool_)
    moments[rows], missing[rows] = counts, ~(good & sound)
    if texts.null_count:
        missing |= texts.is_null().to_numpy(zero_copy_only=False)
    return pa.array(moments, mask=missing)


def _since_1970(parts: Mapping[str, Any]) -> tuple[Any, Any]:
    """Microseconds since 1970 of years, months, days and times of day (int16 each); and which of them a
    calendar and a clock hold.
    """
    year, month, day = (parts[name] for name in "Ymd")
    sound = (year >= 1000) & (year <= 9999) & (month >= 1) & (month <= 12) & (day >= 1)
    months = np.where(sound, (year.astype(np.int64) - 1970) * 12 + month - 1, 0)
    starts = (
        np.arange(-970 * 12, (9999 - 1970 + 1) * 12 + 1)
        .astype("datetime64[M]")
        .astype("datetime64[D]")
        .astype(np.int64)
    )
    begin = starts[months + 970 * 12]
    sound &= day <= starts[months + 970 * 12 + 1] - begin
    counts = (begin + day - 1) * 86_400_000_000
    for name, unit in _MICROSECONDS.items():
        if name in parts:
            sound &= parts[name] < (24 if name == "H" else 60)
            counts += parts[name] * np.int64(unit)
    return counts, sound
