"""What do records look like to a model that compares them by distance or weight? Columns of any type become
numbers.

    number                signed log1p, winsorised at 0.1%, centred on the median and scaled by the winsorised
                          standard deviation
    money                 the same in units of its 10th percentile above zero, so that the currency does not
                          matter
    day                   a date, as the days from it to ``as_of``, then like a number
    rank                  an ordered text, as its place in the order, then like a number without the logarithm
    flag                  0 or 1
    category              a column per level that 1% of the records have (at most ``LEVELS``), one for the
                          others, one for missing

Missing numbers (infinite ones are missing) take the median, and a column of their own says so where more than
1% are missing. A column that holds one value alone, or is missing in more than half of the records, or has no
level that 1% share, is left out, and the reason is told. Everything is frozen at the fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from segmentation import frames
from segmentation.ecdf import Fractions
from segmentation.rules.comparison import ATTRIBUTE, AttributeType

if TYPE_CHECKING:
    import ibis

Matrix = npt.NDArray[np.float64]

LEVELS = 20
RARE = 0.01  # share of the records
MISSING, OTHER = "not known", "other"
WINSOR = 0.001
FEWEST_KNOWN = 0.5

_SORTS = {"text": "category", "number": "number", "date": "day", "bool": "flag", "ordered": "rank"}


@dataclass(frozen=True)
class Trait:
    """A column that a model may look at, and how people say that it is high or low."""

    column: str
    sort: str
    name: str
    high: str = ""
    low: str = ""
    order: tuple[str, ...] = ()


def columns_of(facts: ibis.Table, traits: Iterable[Trait]) -> dict[str, Any]:
    """The columns of traits in a facts frame, by name; an attribute that no record ever had is null."""
    import ibis

    return {
        trait.column: facts[trait.column]
        if trait.column in facts.columns or not trait.column.startswith(ATTRIBUTE)
        else ibis.null().cast("string")
        for trait in traits
    }


def traits_of(
    categories: Sequence[str], attributes: Sequence[str], types: Mapping[str, AttributeType]
) -> list[Trait]:
    """What a model looks at of categories (net revenue in them) and of attributes, which have ``types``.

    ValueError where an attribute cannot be learned from.
    """
    spent = [
        Trait(f"net_revenue.{name}", "money", name, f"high spend on {name}", f"low spend on {name}")
        for name in categories
    ]
    return [*spent, *attribute_traits(attributes, types)]


@dataclass(frozen=True)
class Encoded:
    """How one trait becomes columns: of a category its ``levels``; of others the bounds, centre and scale."""

    trait: Trait
    low: float = 0.0
    high: float = 0.0
    centre: float = 0.0
    scale: float = 1.0
    unit: float = 1.0  # of money
    gaps: bool = False  # a second column says where it is missing
    levels: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.levels) or 1 + self.gaps

    def weights(self, category: float) -> Fractions:
        """Of each column: 1 of numbers, ``category`` of levels and gaps."""
        return np.full(self.width, category) if self.levels else np.array([1.0, category])[: self.width]

    def matrix(self, frame: pd.DataFrame, as_of: date) -> Matrix:
        """(records, width)."""
        if self.levels:
            return self._one_hot(frame[self.trait.column])
        values = plain(self.trait, frame, as_of, self.unit)
        finite = np.isfinite(values)
        scaled = (
            np.clip(np.where(finite, values, self.centre), self.low, self.high) - self.centre
        ) / self.scale
        return np.column_stack([scaled, ~finite]) if self.gaps else scaled[:, None]

    def _one_hot(self, series: pd.Series) -> Matrix:
        codes, texts = _texts(series)
        places = {level: position for position, level in enumerate(self.levels)}
        other = places.get(OTHER, -1)
        spot = np.array([places.get(text, other) for text in texts] + [places.get(MISSING, other)], np.int64)[
            codes
        ]
        one_hot = np.zeros((len(codes), len(self.levels)))
        rows = np.flatnonzero(spot >= 0)
        one_hot[rows, spot[rows]] = 1.0
        return one_hot


@dataclass(frozen=True)
class Encoder:
    """All traits that tell records apart, and why others (by name) are left out."""

    columns: tuple[Encoded, ...]
    dropped: Mapping[str, str]

    @classmethod
    def fit(
        cls, frame: pd.DataFrame, traits: Sequence[Trait], as_of: date, known_share: float = FEWEST_KNOWN
    ) -> Encoder:
        """Learn how ``traits`` of ``frame`` become numbers. ``known_share``: share of records that must have one.

        ValueError names a column that the frame lacks.
        """
        columns, dropped = [], {}
        for trait in traits:
            if trait.column not in frame:
                raise ValueError(f"the features frame has no column {trait.column!r}")
            made = (
                _category(trait, frame, known_share)
                if trait.sort == "category"
                else _number(trait, frame, as_of, known_share)
            )
            if isinstance(made, Encoded):
                columns.append(made)
            else:
                dropped[trait.name] = made
        return cls(tuple(columns), dropped)

    def matrix(self, frame: pd.DataFrame, as_of: date, category: float = 1.0) -> Matrix:
        """(records, columns); columns of categories and gaps times ``category``."""
        if not self.columns:
            return np.zeros((len(frame), 0))
        return np.hstack([column.matrix(frame, as_of) for column in self.columns]) * self.weights(category)

    def weights(self, category: float) -> Fractions:
        """Of each column of the matrix."""
        return np.concatenate([column.weights(category) for column in self.columns])

    def names(self) -> list[tuple[Trait, str]]:
        """Per column of the matrix: its trait, and its level ("" for a number, ``MISSING`` for a gap)."""
        return [
            (column.trait, level)
            for column in self.columns
            for level in (column.levels or (("", MISSING) if column.gaps else ("",)))
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"columns": [asdict(column) for column in self.columns], "dropped": dict(self.dropped)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Encoder:
        """What ``to_dict`` gave."""
        columns = []
        for column in stored["columns"]:
            trait = Trait(**{**column["trait"], "order": tuple(column["trait"]["order"])})
            columns.append(Encoded(**{**column, "trait": trait, "levels": tuple(column["levels"])}))
        return cls(tuple(columns), dict(stored["dropped"]))


def attribute_traits(names: Sequence[str], kinds: Mapping[str, AttributeType]) -> list[Trait]:
    """The traits of attributes. ValueError where one is not configured or cannot be learned from."""
    traits = []
    for name in names:
        if name not in kinds:
            raise ValueError(
                f"there is no attribute {name!r}; configured are {', '.join(sorted(kinds)) or 'none'}"
            )
        kind = kinds[name]
        if kind.type not in _SORTS:
            raise ValueError(f"attribute {name!r} is a {kind.type}; learn from {', '.join(_SORTS)}")
        words = name.replace("_", " ")
        traits.append(
            Trait(
                ATTRIBUTE + name,
                _SORTS[kind.type],
                words,
                f"high {words}",
                f"low {words}",
                tuple(kind.values),
            )
        )
    return traits


def plain(trait: Trait, frame: pd.DataFrame, as_of: date, unit: float = 1.0) -> Fractions:
    """The trait as numbers before scaling; NaN where it is missing or infinite."""
    series = frame[trait.column]
    if trait.sort == "day":
        days = frames.as_days(series)
        values = np.where(np.isnat(days), np.nan, (np.datetime64(as_of, "D") - days).astype(np.float64))
    elif trait.sort == "rank":
        codes, texts = _texts(series)
        ranks = {text: float(position) for position, text in enumerate(trait.order)}
        return np.array([ranks.get(text, np.nan) for text in texts] + [np.nan])[codes]
    else:
        numbers = pd.to_numeric(series, errors="coerce")
        with np.errstate(over="ignore"):  # what is infinite is missing
            values = numbers.astype("float64").to_numpy(np.float64, na_value=np.nan) / unit
    values = np.where(np.isfinite(values), values, np.nan)
    return values if trait.sort == "flag" else np.sign(values) * np.log1p(np.abs(values))


def _texts(series: pd.Series) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Places in the list of different texts; -1: missing."""
    codes, values = pd.factorize(series)
    return codes.astype(np.int64), [str(value).strip() for value in values]


def _number(trait: Trait, frame: pd.DataFrame, as_of: date, least: float) -> Encoded | str:
    unit = _unit(frame[trait.column]) if trait.sort == "money" else 1.0
    values = plain(trait, frame, as_of, unit)
    finite = values[np.isfinite(values)]
    if len(finite) < max(1, least * len(values)):
        return f"known of {len(finite)} of {len(values)} records only"
    low, high = (float(bound) for bound in np.quantile(finite, (WINSOR, 1 - WINSOR)))
    if not low < high:  # of a rare flag the bounds meet, but it may tell apart all the same
        low, high = float(finite.min()), float(finite.max())
    if not low < high:
        return "the same in every record"
    clipped = np.clip(finite, low, high)
    if not clipped.std() > 0:  # they differ by less than arithmetic tells apart
        return "the same in every record"
    gaps = len(finite) < (1 - RARE) * len(values)
    return Encoded(trait, low, high, float(np.median(clipped)), float(clipped.std()), unit, gaps)


def _unit(money: pd.Series) -> float:
    """What money counts in: its 10th percentile above zero."""
    paid = pd.to_numeric(money, errors="coerce").astype("float64").to_numpy(np.float64, na_value=np.nan)
    paid = paid[np.isfinite(paid) & (paid > 0)]
    return float(np.quantile(paid, 0.1)) if len(paid) else 1.0


def _category(trait: Trait, frame: pd.DataFrame, least: float) -> Encoded | str:
    codes, texts = _texts(frame[trait.column])
    known_count = int((codes >= 0).sum())
    if known_count < max(1, least * len(codes)):
        return f"known of {known_count} of {len(codes)} records only"
    counts = (
        pd.Series(np.bincount(codes[codes >= 0], minlength=len(texts)), index=texts).groupby(level=0).sum()
    )
    common = (
        counts[counts >= max(1.0, RARE * len(codes))]
        .sort_values(ascending=False, kind="stable")
        .index[:LEVELS]
    )
    levels = [str(level) for level in common]
    if not levels:
        return f"none of its {len(counts)} values is shared by 1% of the records"
    if len(counts) > len(levels):
        levels.append(OTHER)
    if known_count < len(codes):
        levels.append(MISSING)
    return (
        Encoded(trait, levels=tuple(dict.fromkeys(levels))) if len(levels) > 1 else "the same in every record"
    )
