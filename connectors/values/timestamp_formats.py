"""In which format is a column of times written? Proven on all of its cells, or left open with both readings."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.values.text import trimmed
from connectors.values.timestamps import COUNTS, ISO, STRPTIME, instants, spaced

_DAYS = {  # format → the order in which it tells day, month and year
    "%d.%m.%Y": "day first",
    "%d.%m.%y": "day first",
    "%d/%m/%Y": "day first",
    "%m/%d/%Y": "month first",
    "%d/%m/%y": "day first",
    "%m/%d/%y": "month first",
    "%d-%m-%Y": "day first",
    "%m-%d-%Y": "month first",
    "%d-%m-%y": "day first",
    "%m-%d-%y": "month first",
    "%Y/%m/%d": "year first",
    "%Y.%m.%d": "year first",
    "%y/%m/%d": "year first",
    "%Y%m%d": "year first",
    "%Y-%m-%d": "year first",
    "%d-%b-%Y": "named",
    "%d-%b-%y": "named",
    "%b-%d-%Y": "named",
    "%b-%d-%y": "named",
    "%d %b %Y": "named",
    "%d %B %Y": "named",
    "%b %d, %Y": "named",
    "%B %d, %Y": "named",
    "%b %d %Y": "named",
    "%d %b, %Y": "named",
    "%a, %d %b %Y": "named",
    "%a %b %d %Y": "named",
    "%d. %b %Y": "named",
    "%d. %B %Y": "named",
}
_CLOCKS = (
    *("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p", " %I:%M:%S%p"),
    *(
        ", %H:%M",
        ", %H:%M:%S",
        ", %I:%M %p",
        ", %I:%M:%S %p",
        " at %I:%M %p",
        "T%H:%M",
        "T%H:%M:%S",
        " %H.%M",
        " %H.%M.%S",
    ),
)
_CANDIDATES = {day + clock: order for day, order in _DAYS.items() for clock in _CLOCKS}
_ORDERS = {ISO: "year first", **{word: word for word in COUNTS}, **_CANDIDATES}
_ZONED = r"[0-9mM] ?(Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{2})$"
_ZONE = r" ?(Z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?)$"
_ISO_ALONE = frozenset({ISO})
_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SAMPLE = 500  # different cells that every candidate is tried on
# different parts of dates, and how many times fewer the others must be, to be days and years
_MANY, _FACTOR = (10, 4)
_LEAST = 0.5  # share of the cells that must be times, or the column is none


@dataclass
class TimeEvidence:
    """What the cells of a column say about their format. Add up several files and pages."""

    cells: int = 0
    fits: Counter[frozenset[str]] = field(default_factory=Counter)  # formats that read a cell → cells
    example: dict[frozenset[str], str] = field(default_factory=dict)
    _alive: set[str] = field(default_factory=set)
    # first and last parts of dates like 26/02/03
    _ends: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))

    def add(self, texts: pa.Array) -> None:
        """Take the cells of a column of text into account."""
        if self.fits.keys() == {_ISO_ALONE} and _like(texts := texts.drop_null(), self.example[_ISO_ALONE]):
            self.cells += len(texts)
            self._take(_ISO_ALONE, len(texts), self.example[_ISO_ALONE])
            return
        texts = spaced(trimmed(texts).drop_null())
        self.cells += len(texts)
        left = pc.invert(self._count_fast(texts))
        # Minutes tell nothing of the format: without them a long column has few different cells.
        cells = _without_minutes(texts.filter(left)).value_counts()
        values, counts = cells.field("values"), cells.field("counts")
        if len(values):
            self._count(values, counts)

    def _count_fast(self, texts: pa.Array) -> pa.Array:
        """ISO times are the usual case: one look tells."""
        if not pc.any(
            pc.match_substring_regex(texts.slice(0, _SAMPLE), r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}$)")
        ).as_py():
            return pa.array(np.zeros(len(texts), bool))
        moments, bad = instants(texts, "UTC", (ISO,))
        read = moments.is_valid() if bad is None else pc.and_(moments.is_valid(), pc.invert(bad))
        number = pc.sum(read).as_py() or 0
        if number:
            self._take(_ISO_ALONE, number, texts[pc.index(read, True).as_py()].as_py())
        return read

    def _count(self, values: pa.Array, counts: pa.Array) -> None:
        ends = pc.extract_regex(
            values, r"^(?P<first>[0-9]{2})/[0-9]{2}/(?P<last>[0-9]{2})(?:[^0-9].*)?$"
        ).drop_null()
        for parts, name in zip(self._ends, ("first", "last"), strict=True):
            parts.update(pc.unique(pc.struct_field(ends, name)).to_pylist())
        self._alive |= _read_by(values.slice(0, _SAMPLE), list(_ORDERS))
        masks = _masks(values, sorted(self._alive))
        nothing = pc.equal(masks, "")
        if pc.any(nothing).as_py():  # a cell that none of them reads may be of another format
            further = _read_by(
                values.filter(nothing).slice(0, _SAMPLE),
                [format_ for format_ in _ORDERS if format_ not in self._alive],
            )
            if further:
                self._alive |= further
                masks = _masks(values, sorted(self._alive))
        groups = (
            pa.table({"mask": masks, "cells": counts, "value": values})
            .group_by("mask")
            .aggregate([("cells", "sum"), ("value", "min")])
        )
        for mask, number, value in zip(
            *(groups[name].to_pylist() for name in ("mask", "cells_sum", "value_min")), strict=True
        ):
            self._take(frozenset(mask.split("\n")) if mask else frozenset(), number, value)

    def _take(self, formats: frozenset[str], number: int, example: str) -> None:
        self.fits[formats] += number
        self.example.setdefault(formats, example)

    def _doubtful(self) -> Counter[frozenset[str]]:
        """``fits`` without readings of a two-digit year that a glance disproves: years are fewer than days."""
        first, last = (len(parts) for parts in self._ends)
        if max(first, last) < _MANY or max(first, last) < _FACTOR * min(first, last):
            return self.fits
        kept: Counter[frozenset[str]] = Counter()
        for formats, number in self.fits.items():
            kept[
                frozenset(
                    format_
                    for format_ in formats
                    if not ("%y" in format_ and format_.startswith("%y/") == (first > last))
                )
            ] += number
        return kept

    @property
    def _coverage(self) -> dict[str, int]:
        """Cells that each order of day, month and year reads."""
        coverage: Counter[str] = Counter()
        for formats, number in self._doubtful().items():
            for order in {_ORDERS[format_.removesuffix(" %z")] for format_ in formats}:
                coverage[order] += number
        return dict(coverage)

    @property
    def read(self) -> int:
        """Cells that are times in some format."""
        return sum(number for formats, number in self._doubtful().items() if formats)

    @property
    def is_time(self) -> bool:
        """Whether most cells are times."""
        return self.read > 0 and self.read >= _LEAST * self.cells

    def formats(self) -> list[str] | None:
        """The formats that the column proves, the usual one first; None where no cell is a time, or two
        orders fit.
        """
        if not self.read or self._rival() is not None:
            return None
        order = self._best()
        chosen: list[str] = []
        left = {
            formats: number
            for formats, number in self._doubtful().items()
            if any(_ORDERS[format_.removesuffix(" %z")] == order for format_ in formats)
        }
        while left:
            counts: Counter[str] = Counter()
            for formats, number in left.items():
                counts.update(
                    {format_: number for format_ in formats if _ORDERS[format_.removesuffix(" %z")] == order}
                )
            best = max(sorted(counts), key=lambda format_: counts[format_])
            chosen.append(best)
            left = {formats: number for formats, number in left.items() if best not in formats}
        return chosen

    def _best(self) -> str:
        coverage = self._coverage
        return max(sorted(coverage), key=lambda order: coverage[order])

    def _rival(self) -> tuple[str, frozenset[str]] | None:
        """Another order of day, month and year that reads the cells as well, or cells that only it reads; and
        an example of those.
        """
        coverage = self._coverage
        best = self._best()
        for order in sorted(set(coverage) - {best}):
            alone = [formats for formats in self._doubtful() if formats and _orders(formats) == {order}]
            if alone or coverage[order] == coverage[best]:
                shared = next(
                    (formats for formats in self._doubtful() if {order, best} <= _orders(formats)),
                    frozenset(),
                )
                return order, alone[0] if alone else shared
        return None

    def doubt(self) -> str:
        """Why ``formats`` is None, with both readings."""
        if not self.read:
            return (
                f"{self.cells - self.read:,} of its {self.cells:,} cells are no time in a format that we know"
            )
        rival = self._rival()
        assert rival is not None
        example = next(self.example[formats] for formats in self.fits if formats >= rival[1])
        if len(_orders(rival[1])) == 1:
            return (
                f"some of its cells, such as {example!r}, are written {rival[0]}, the others {self._best()}"
            )
        readings = sorted(rival[1], key=lambda format_: (len(format_), format_))
        days = {
            _ORDERS[format_.removesuffix(" %z")]: str(
                instants(pa.array([example]), "UTC", (format_,))[0][0].as_py().date()
            )
            for format_ in readings
        }
        return (
            f"{example!r} may be "
            + " or ".join(f"{day} ({order})" for order, day in days.items())
            + ", and no other cell tells which"
        )

    def readings(self) -> list[str]:
        """The formats among which a person must choose, where ``formats`` is None: one for each order of day,
        month and year.
        """
        if not self.read or (rival := self._rival()) is None:
            return []
        orders: dict[str, str] = {}
        for format_ in sorted(rival[1], key=lambda format_: (len(format_), format_)):
            orders.setdefault(_ORDERS[format_.removesuffix(" %z")], format_)
        return list(orders.values())


def _like(texts: pa.Array, example: str) -> bool:
    """Whether all texts have digits where an ISO time has them, the same marks between, and a month that
    there is.

    Costs a glance.
    """
    wide, count = len(example), len(texts)
    if not count or texts.type != pa.string() or not _WRITTEN.match(example):
        return False
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + count + 1]
    if offsets[-1] - offsets[0] != wide * count or not (np.diff(offsets) == wide).all():
        return False
    letters = np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].reshape(count, wide)
    model = np.frombuffer(example.encode(), np.uint8)
    digits = (model >= ord("0")) & (model <= ord("9"))
    if len(model) != wide or (letters.min(axis=0) < np.where(digits, ord("0"), model)).any():
        return False
    if (letters.max(axis=0) > np.where(digits, ord("9"), model)).any():
        return False
    months = (letters[:, 5] - ord("0")) * 10 + letters[:, 6] - ord("0")
    return bool(months.min() >= 1 and months.max() <= 12)


def _without_minutes(texts: pa.Array) -> pa.Array:
    """Texts whose times of day say 1:01 for every last digit of the hour, minute and second: what those are
    tells nothing of the format.
    """
    if not len(texts) or texts.buffers()[2] is None:
        return texts
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    letters = np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].copy()
    begins = np.zeros(len(letters) + 1, np.bool_)
    begins[offsets - offsets[0]] = True
    colons = np.flatnonzero(letters == ord(":"))
    colons = colons[(colons > 0) & (colons < len(letters) - 2)]
    digit = (letters >= ord("0")) & (letters <= ord("9"))
    clock = digit[colons - 1] & digit[colons + 1] & digit[colons + 2] & (letters[colons + 1] <= ord("5"))
    clock &= ~(begins[colons] | begins[colons + 1] | begins[colons + 2])
    colons = colons[clock]
    letters[colons - 1], letters[colons + 1] = ord("1"), ord("0")
    letters[colons + 2] = ord("1")
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets - offsets[0]), pa.py_buffer(letters))


def _orders(formats: frozenset[str]) -> set[str]:
    return {_ORDERS[format_.removesuffix(" %z")] for format_ in formats}


def _read_by(values: pa.Array, formats: list[str]) -> set[str]:
    """The formats, of those named, that read a value at least."""
    texts = {
        re.sub(r"\d", "1", re.sub(_ZONE, "", text) if ":" in text else text) for text in values.to_pylist()
    }
    alike = [
        format_
        for format_ in formats
        if format_ in (ISO, *COUNTS) or any(_shape(format_).fullmatch(text) for text in texts)
    ]
    masks = _masks(values, alike)
    return {format_ for mask in pc.unique(masks).to_pylist() for format_ in mask.split("\n") if format_}


_PARTS = {
    "%Y": r"\d{4}",
    "%b": r"[A-Za-z]{3}",
    "%B": "[A-Za-z]{3,9}",
    "%a": "[A-Za-z]{3}",
    "%p": "[AaPp][Mm]",
    "%f": r"\d{1,6}",
}


@lru_cache(1024)
def _shape(format_: str) -> re.Pattern[str]:
    """What a text in a format looks like: spares most of the readings."""
    parts = re.split(r"(%[A-Za-z])", format_.removesuffix(" %z"))
    return re.compile(
        "".join(_PARTS.get(part, r"\d{1,2}") if part.startswith("%") else re.escape(part) for part in parts)
    )


@lru_cache(1)
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": "1"})


def _masks(values: pa.Array, formats: list[str]) -> pa.Array:
    """For each value the formats that read it, a line each.

    A two-digit year does not lie more than a year ahead.
    """
    bare = pc.replace_substring_regex(values, _ZONE, "")
    zoned = pc.fill_null(pc.match_substring_regex(values, _ZONED), False)
    zoned = pc.and_(zoned, pc.match_substring(values, ":"))
    parts = []
    for format_ in formats:
        plain = format_.removesuffix(" %z")
        if plain in (ISO, *COUNTS):
            parts.append(pc.if_else(instants(values, "UTC", (plain,))[0].is_valid(), plain, ""))
            continue
        texts = pc.if_else(zoned, bare, values)
        read = _read(texts, plain)
        named = pc.if_else(zoned, plain + " %z", plain)
        parts.append(pc.if_else(read, named, ""))
    if not parts:
        return pa.array([""] * len(values))
    joined = pc.binary_join_element_wise(*parts, "\n")
    return pc.utf8_trim(pc.replace_substring_regex(joined, r"\n+", "\n"), "\n")


def _read(texts: pa.Array, format_: str) -> pa.Array:
    cursor = _engine().cursor()
    cursor.register("texts", pa.table({"x": texts}))
    near = " AND try_strptime(x, ?) < now()::TIMESTAMP + INTERVAL 366 DAY" if "%y" in format_ else ""
    sql = f"SELECT coalesce(({STRPTIME}) IS NOT NULL{near}, false) AS y FROM texts"
    answer = cursor.execute(sql, [format_] * sql.count("?")).to_arrow_table()["y"].combine_chunks()
    cursor.close()
    return answer
