"""How are figures worded in a reason, for a million rows at once?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from segmentation.ecdf import Flags, Fractions, Integers
from segmentation.frames import REASON_LENGTH


def number(values: Integers) -> pa.Array:
    return pa.array(values).cast(pa.string())


def percent(shares: Fractions) -> pa.Array:
    """``12%``; below one percent ``0.4%`` and ``<0.1%``, above 99 percent ``99.6%`` and ``>99.9%``: nothing is certain."""
    tenths = np.round(1000 * shares).astype(np.int64)
    fine = joined(number(tenths // 10), ".", number(tenths % 10), "%")
    words = pc.if_else(
        pa.array((shares < 0.01) | (shares > 0.99)),
        fine,
        joined(number(np.round(100 * shares).astype(np.int64)), "%"),
    )
    return pc.if_else(
        pa.array(shares < 0.001), "<0.1%", pc.if_else(pa.array(shares > 0.999), ">99.9%", words)
    )


def counted(values: Integers, singular: str, many: str) -> pa.Array:
    """``1 day``, ``3 days``."""
    return joined(number(values), " ", chosen(values == 1, singular, many))


def chosen(flags: Flags, yes: str, no: str) -> pa.Array:
    return pc.if_else(pa.array(flags), yes, no)


def money(values: Integers, currency: str, exponent: int) -> pa.Array:
    """Minor units as ``-1,204.50 EUR``."""
    whole, minor = np.divmod(np.abs(values), 10**exponent)
    texts = number(whole % 1000)
    power, width = 1000, 3
    while (whole >= power).any():  # once per group of three digits
        longer = joined(number(whole // power % 1000), ",", pc.utf8_lpad(texts, width, "0"))
        texts = pc.if_else(pa.array(whole >= power), longer, texts)
        power, width = power * 1000, width + 4
    if exponent:
        texts = joined(texts, ".", pc.utf8_lpad(number(minor), exponent, "0"))
    return joined(chosen(values < 0, "-", ""), texts, " ", currency)


def joined(*parts: Any) -> pa.Array:
    """Texts side by side: arrays and constants."""
    return pc.binary_join_element_wise(*parts, "")


def reasons(*parts: Any) -> pa.Array:
    """``joined``, cut to the length of a reason."""
    return pc.utf8_slice_codeunits(joined(*parts), 0, REASON_LENGTH)


def ago(days: Integers) -> pa.Array:
    """``today``, ``1 day ago``, ``3 days ago``."""
    return pc.if_else(pa.array(days == 0), "today", joined(counted(days, "day", "days"), " ago"))
