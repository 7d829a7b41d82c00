"""When does a number of a contact change, and how is it written?

A number stays while the forecast stays within a factor of ``BAND`` of it (probabilities: of their odds). When one of a
record's numbers leaves its band, all of them are given anew, so that a record is written once. After a silence the
forecast is on its way down: it is then given in the middle of the band that it is going to fall through, so that
numbers are neither too high nor too low on the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segmentation.ecdf import Flags, Fractions, Integers
from segmentation.kinds.numbers import CHURN, NEXT_ORDER, NUMBERS, PROBABILITY
from segmentation.previous_labels import Before

BAND = {
    "money": 1.8,
    "percent": 3.0,
}  # factor by which a forecast (its odds) may move from the number that stands
GLIDING = 1.5  # bands: who moved farther at once did not glide there, and its forecast is taken as it is
DIGITS = 2  # significant ones of an amount
SURE = {PROBABILITY: (0.01, 0.95), CHURN: (0.05, 0.95)}  # a probability beyond these moves no more
LEAST = 0.02  # of what a purchase brings on average: expected money below it counts as none
OVERDUE = 42  # days: so long a date stands after it has passed with no order
SOON = 60  # days: a date up to here is a Monday, a later one the first of a month


@dataclass(frozen=True)
class Forecasts:
    """What is forecast of each record today, by number; NaN (NaT): nothing. Money in the currency."""

    of: Mapping[str, npt.NDArray[np.float64]]  # of dates: days from today
    bought: Flags  # since the labelling before
    purchase: float = 1.0  # what one brings on average, in the currency


def given(
    forecasts: Forecasts, before: Before, today: np.datetime64, decimals: int, glides: bool = True
) -> dict[str, pa.Array]:
    """Texts of the numbers, row by row; null: none. ``before``: labels of the day before. ``glides``: silence alone
    moves forecasts, slowly and one way.
    """
    standing = {name: _standing(name, before, today) for name in forecasts.of}
    moved = np.zeros(len(forecasts.bought), np.bool_)
    for name, forecast in forecasts.of.items():
        moved |= _left(name, forecast, standing[name], forecasts)
    texts = {}
    for name, forecast in forecasts.of.items():
        if name == NEXT_ORDER:
            keeps = ~moved & ~np.isnan(standing[name])
            texts[name] = _kept(keeps, before, name, _days(forecast, today))
            continue
        scale = _Scale.of(name, forecasts.purchase)
        value = scale.glided(forecast, standing[name], forecasts.bought) if glides else forecast
        keeps = ~moved & ~np.isnan(standing[name])
        texts[name] = _kept(keeps, before, name, scale.texts(value, decimals))
    return texts


@dataclass(frozen=True)
class _Scale:
    """Numbers on which a band is as wide everywhere. Beyond ``least`` and ``most`` nothing moves."""

    odds: bool
    least: float
    most: float
    band: float  # how far a forecast may move on it

    @classmethod
    def of(cls, name: str, purchase: float) -> _Scale:
        unit = NUMBERS[name][2]
        ends = SURE.get(name, (max(LEAST * purchase, 1e-9), np.inf))
        return cls(unit == "percent", *ends, float(np.log(BAND[unit])))

    def at(self, value: Fractions) -> Fractions:
        """The place of numbers on it."""
        if self.odds:
            share = np.clip(value, self.least, self.most)
            return np.asarray(np.log(share) - np.log1p(-share), np.float64)
        return np.asarray(np.log(np.maximum(value, self.least)), np.float64)

    def back(self, place: Fractions) -> Fractions:
        """The numbers at places."""
        return np.asarray(1 / (1 + np.exp(-place)) if self.odds else np.exp(place), np.float64)

    def glided(self, forecast: Fractions, standing: Fractions, bought: Flags) -> Fractions:
        """Forecasts, those that silence moves as far beyond as they came."""
        way = self.at(forecast) - self.at(standing)
        with np.errstate(invalid="ignore"):
            gliding = ~bought & (np.abs(way) <= GLIDING * self.band) & (np.abs(way) > 0)
        return np.where(gliding, self.back(self.at(forecast) + np.nan_to_num(way)), forecast)

    def texts(self, value: Fractions, decimals: int) -> pa.Array:
        """As they are written."""
        if self.odds:
            return _texts(np.round(100 * value), 0)
        none = value < self.least
        size = np.floor(np.log10(np.maximum(np.abs(np.nan_to_num(value)), self.least)))
        unit = 10.0 ** (size - DIGITS + 1)
        shown = np.where(none, 0.0, np.round(value / unit) * unit)
        return _texts(np.asarray(np.round(shown, decimals), np.float64), decimals)


def _left(name: str, forecast: Fractions, standing: Fractions, forecasts: Forecasts) -> Flags:
    """Whether a forecast is no longer what stands. A date stands until it is over, or something was bought."""
    differs: Flags = np.isnan(forecast) != np.isnan(standing)
    if name == NEXT_ORDER:
        over = (standing < -OVERDUE) | forecasts.bought
        left: Flags = (np.isnan(standing) & ~np.isnan(forecast)) | (~np.isnan(standing) & over)
        return left
    scale = _Scale.of(name, forecasts.purchase)
    with np.errstate(invalid="ignore"):
        far: Flags = np.abs(scale.at(forecast) - scale.at(standing)) > scale.band
    return differs | far


def _standing(name: str, before: Before, today: np.datetime64) -> Fractions:
    """What was given last, as forecasts are: shares, money, days from today; NaN: nothing."""
    texts = before.text(f"value.{name}")
    if name == NEXT_ORDER:
        days = texts.cast(pa.date32()).to_numpy(zero_copy_only=False).astype("datetime64[D]")
        ahead = (days - today).astype(np.float64)
        return np.asarray(np.where(np.isnat(days), np.nan, ahead), np.float64)
    numbers = texts.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    return np.asarray(numbers / (100 if NUMBERS[name][2] == "percent" else 1), np.float64)


def _kept(keeps: Flags, before: Before, name: str, fresh: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.if_else(pa.array(keeps), before.text(f"value.{name}"), fresh)


def _texts(values: Fractions, decimals: int) -> pa.Array:
    """Plain decimals without zeros at their end; NaN is null. Of the many records few differ."""
    distinct, place = np.unique(values, return_inverse=True)
    words = [None if np.isnan(value) else _plain(f"{value:.{decimals}f}") for value in distinct.tolist()]
    return pa.array(words, pa.string()).take(pa.array(place))


def _plain(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _days(ahead: Fractions, today: np.datetime64) -> pa.Array:
    """Dates: the nearest Monday of soon ones, the nearest first of a month of others, never today or earlier."""
    known = ~np.isnan(ahead)
    day = today + np.where(known, np.round(ahead), 0).astype(np.int64)
    week = np.datetime64("1970-01-05", "D")
    monday = week + 7 * np.round((day - week).astype(np.int64) / 7).astype(np.int64)
    first = (day + 15).astype("datetime64[M]").astype("datetime64[D]")
    rounded = np.where(ahead <= SOON, monday, first)
    rounded = np.where(rounded <= today, monday + 7, rounded)
    return pa.array(np.where(known, rounded, np.datetime64("NaT", "D"))).cast(pa.string())


def place_of(rows: Integers, count: int, values: Fractions) -> Fractions:
    """Values of some of the records, among all; NaN for the others."""
    column = np.full(count, np.nan)
    column[rows] = values
    return column
