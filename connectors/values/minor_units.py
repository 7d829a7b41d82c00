"""What is an amount in minor units of the account's currency? Exact, and rounded half to even."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation, localcontext

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.values.text import NUMBER, as_text, decimals, flat, plain_floats
from connectors.values.timestamps import local_midnight

_LIMIT = 1 << 62
# below it a float errs by less than 0.01, so that what is this near a whole number is rounded to it
_SURE, _NO_HALF = (2.0**45, 0.49)


def minor_units(
    column: pa.ChunkedArray | pa.Array, places: int, rates: pa.Array | None = None
) -> tuple[pa.Array, pa.Array | None]:
    """Major units (plain decimals as text, or numbers) as int64 minor units, and which cells are no amount.

    ``rates``: worth of 1 (float64), per row.
    """
    array = flat(column)
    if pa.types.is_integer(array.type):
        array = array.cast(pa.string())
    if pa.types.is_floating(array.type):
        return _from_floats(array.cast(pa.float64()), places, rates)
    texts, unsound = as_text(array)
    units = _near_enough(texts, places) if rates is None else None
    if units is not None:
        return units, unsound
    try:
        if rates is not None:
            raise pa.ArrowInvalid
        units = _rounded(decimals(texts), places)
        return units, unsound
    except pa.ArrowInvalid:
        units = _one_by_one(texts, places, rates)
    bad = pc.and_(pc.is_valid(texts), pc.is_null(units))
    return units, pc.or_(bad, unsound) if unsound is not None else bad


def _near_enough(texts: pa.Array, places: int) -> pa.Array | None:
    """Exact minor units by way of floats, whose error cannot matter: all are small, and none is near a half.

    None where that is not so.
    """
    values = plain_floats(texts)
    if values is None:
        return None
    scaled = pc.fill_null(values, 0).to_numpy(zero_copy_only=False) * 10.0**places
    units = np.rint(scaled)
    if (np.abs(scaled) >= _SURE).any() or (np.abs(scaled - units) > _NO_HALF).any():
        return None
    missing = texts.is_null().to_numpy(zero_copy_only=False) if texts.null_count else None
    return pa.array(units.astype(np.int64), mask=missing)


def _from_floats(amounts: pa.Array, places: int, rates: pa.Array | None) -> tuple[pa.Array, pa.Array | None]:
    """Floats are as exact as they came: scaled, then rounded half to even."""
    if rates is not None:
        amounts = pc.multiply(amounts, rates)
    values = amounts.to_numpy(zero_copy_only=False)
    with np.errstate(all="ignore"):
        values = np.rint(values * 10.0**places)
        wrong = ~(np.abs(values) < _LIMIT)
    nulls = amounts.is_null().to_numpy(zero_copy_only=False) if amounts.null_count else None
    if wrong.any():
        values = np.where(wrong, 0, values)
        unknown = wrong if nulls is None else wrong | nulls
        bad = wrong if nulls is None else wrong & ~nulls
        return pa.array(values.astype(np.int64), mask=unknown), pa.array(bad)
    return pa.array(values.astype(np.int64)), None


def _rounded(exact: pa.Array, places: int) -> pa.Array:
    units = pc.round(exact, ndigits=places, round_mode="half_to_even").cast(pa.decimal128(38, places))
    words = np.frombuffer(units.buffers()[1], np.int64).reshape(-1, 2)[
        units.offset : units.offset + len(units)
    ]
    low, high = words[:, 0], words[:, 1]
    valid = units.is_valid().to_numpy(zero_copy_only=False)
    if ((high != low >> 63) & valid).any():
        raise pa.ArrowInvalid
    return pa.array(low, mask=None if valid.all() else ~valid)


def _one_by_one(texts: pa.Array, places: int, rates: pa.Array | None) -> pa.Array:
    """Each different amount and rate once, in exact decimals; null where it is no amount."""
    good = pc.fill_null(pc.match_substring_regex(texts, NUMBER), False)
    texts = pc.if_else(good, texts, pa.scalar(None, pa.string()))
    codes = texts.dictionary_encode()
    factors = (rates if rates is not None else pa.array(np.ones(len(texts)))).dictionary_encode()
    amounts, values = codes.dictionary.to_pylist(), factors.dictionary.to_pylist()
    code = pc.fill_null(codes.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    factor = pc.fill_null(factors.indices, -1).to_numpy(zero_copy_only=False)
    different, which = np.unique(
        np.where((code < 0) | (factor < 0), -1, code * max(len(values), 1) + factor), return_inverse=True
    )
    units = [
        worth(amounts[pair // len(values)], values[pair % len(values)], places) if pair >= 0 else None
        for pair in different.tolist()
    ]
    return pa.array(units, pa.int64()).take(pa.array(which))


def worth(text: str, rate: float, places: int) -> int | None:
    """An amount in minor units at a rate, half to even; None where the text is no amount."""
    try:
        with localcontext(prec=100):
            units = (Decimal(text.strip()) * Decimal(repr(rate))).scaleb(places)
            if not units.is_finite():
                return None
            units = units.to_integral_value(rounding="ROUND_HALF_EVEN")
    except InvalidOperation:
        return None
    return int(units) if abs(units) < _LIMIT else None


def rates_of(
    currencies: pa.Array,
    moments: pa.Array,
    currency: str,
    rates: Mapping[str, Mapping[str, float]],
    zone: str,
) -> pa.Array | None:
    """Worth of 1 of each row's currency on its day, null where the config tells none; None where all is in
    ``currency``.
    """
    names = pc.fill_null(pc.utf8_upper(currencies), currency.upper())
    foreign = [name for name in pc.unique(names).to_pylist() if name != currency.upper()]
    if not foreign:
        return None
    worth = np.where(pc.equal(names, currency.upper()).to_numpy(zero_copy_only=False), 1.0, np.nan)
    times = pc.fill_null(moments.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    days_by_currency = {name.upper(): days for name, days in rates.items()}
    for name in foreign:
        days = sorted(days_by_currency.get(name, {}).items())
        if days:
            here = pc.equal(names, name).to_numpy(zero_copy_only=False)
            starts = np.array([local_midnight(day, zone) for day, _ in days])
            step = np.searchsorted(starts, times[here], side="right") - 1
            worth[here] = np.where(
                step >= 0, np.array([rate for _, rate in days])[np.maximum(step, 0)], np.nan
            )
    return pa.array(worth, mask=np.isnan(worth))
