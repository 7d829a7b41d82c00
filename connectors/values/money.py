"""How much was it? Reads money as people write it, as plain decimals.

A reader is strict: it knows the decimal sign (``Notation.decimal``), and a cell in which another sign stands
where this one would have to stand is no amount. Grouping marks must group: ``1,095.50`` and ``12,34,567.00``
do, ``10,95`` does not. Which sign a column uses is proven on all of its cells (``Evidence``). ``10.960``
alone proves nothing: it is ten or ten thousand, and nobody but the person who exported it knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.values.text import (
    EXACT,
    as_text,
    bytes_of,
    decimals,
    flat,
    floats,
    is_text,
    plain_floats,
    trimmed,
)

_FIRST = 1000  # cells that are tried before all others
_ZERO = 48  # the letter 0
_NO_TEXT = pa.scalar(None, pa.string())

_BLANKS = " \u00a0\u2007\u2009\u202f"  # all of them group digits somewhere
_QUOTES = "'\u2019"
_MINUS = "\u2212\u2013-"  # last: in a set of letters a hyphen elsewhere means a range
# a word of up to four letters, or a currency sign
_MARK = r"(?:[^\W\d_]{1,4}\.?|[^\W\d_]{0,3}[\u0024\u00a2-\u00a5\u20a0-\u20cf\ufdfc])"
_CELL = re.compile(
    rf"""(?P<open>\()?[{_BLANKS}]*
    (?P<before>[+{_MINUS}])?[{_BLANKS}]*(?P<mark>{_MARK})?[{_BLANKS}]*(?P<within>[+{_MINUS}])?[{_BLANKS}]*
    (?P<number>[0-9]+(?:[.,_{_QUOTES}{_BLANKS}]+[0-9]+)*[.,]?|[.,][0-9]+)(?P<power>[eE][+-]?[0-9]{{1,3}})?
    [{_BLANKS}]*(?P<behind>[{_MINUS}])?[{_BLANKS}]*(?P<mark_behind>{_MARK})?[{_BLANKS}]*(?P<last>[{_MINUS}])?[{_BLANKS}]*(?P<close>\))?""",
    re.VERBOSE,
)
_DASH = re.compile(rf"(?:{_MARK})?[{_BLANKS}]*[\u2014{_MINUS}]{{1,2}}[{_BLANKS}]*(?:{_MARK})?")
# by thousands, or by lakhs
_GROUPS = r"[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}})+|[1-9][0-9]?(?:{mark}[0-9]{{2}})+{mark}[0-9]{{3}}"


@dataclass(frozen=True)
class Notation:
    """How numbers are written.

    ``thousands`` None: any mark that is not the decimal sign; "none": no mark at all.
    """

    decimal: str = "."
    thousands: str | None = None  # . , ' _ "none", or " " for every blank
    negative: str | None = None  # minus | trailing | parentheses; None: each of them


@dataclass(frozen=True)
class Amounts:
    """A column of money: plain decimals as text, what stood beside the number, and which cells are no amount."""

    plain: pa.Array  # string; null where the cell is empty, a dash or no amount
    marks: pa.Array | None  # string, in capital letters; None: no cell has one
    bad: pa.Array | None  # bool; None: all cells are amounts, dashes or empty
    dashes: pa.Array | None = None  # bool: cells that say "nothing" by a dash, as accountants do


def read_amounts(texts: pa.Array, notation: Notation) -> Amounts:
    """The amounts of a column of text.

    The usual ways of writing cost one look at the column; all others are read cell by cell.
    """
    texts = trimmed(texts)
    plain = _grouped(texts, notation)
    unread = pc.and_(pc.is_valid(texts), pc.is_null(plain))
    if not pc.any(unread).as_py():
        return Amounts(plain, None, None)
    codes = pc.if_else(unread, texts, _NO_TEXT).dictionary_encode()
    cells = [_cell(text, notation) for text in codes.dictionary.to_pylist()]
    numbers = pa.array([cell[0] for cell in cells], pa.string()).take(codes.indices)
    marks = pa.array([cell[1] for cell in cells], pa.string()).take(codes.indices)
    dashes = pc.fill_null(pa.array([cell[2] for cell in cells], pa.bool_()).take(codes.indices), False)
    plain = pc.coalesce(plain, numbers)
    bad = pc.and_(pc.and_(pc.is_valid(texts), pc.is_null(plain)), pc.invert(dashes))
    return Amounts(
        plain,
        marks if marks.null_count < len(marks) else None,
        bad if pc.any(bad).as_py() else None,
        dashes if pc.any(dashes).as_py() else None,
    )


def _grouped(texts: pa.Array, notation: Notation) -> pa.Array:
    """Numbers with a leading minus at most, written plainly or in thousands; null for all others."""
    sign, other = notation.decimal, "," if notation.decimal == "." else "."
    if sign == "." and _all_plain(texts):
        return texts
    point, mark = re.escape(sign), re.escape(other)
    power = "([eE][+-]?[0-9]{1,3})?"
    codes = _shapes(texts).dictionary_encode()  # a column has few shapes
    shapes = codes.dictionary
    readable = pc.match_substring_regex(shapes, rf"^[+-]?([0-9]+{point}?[0-9]*|{point}[0-9]+){power}$")
    if notation.thousands in (None, other):
        in_groups = pc.match_substring_regex(
            shapes, rf"^[+-]?[1-9][0-9]{{0,2}}({mark}[0-9]{{3}})+({point}[0-9]*)?$"
        )
        readable = pc.or_(readable, in_groups)
    return _pointed(texts, pc.fill_null(readable.take(codes.indices), False), sign, other)


def _all_plain(texts: pa.Array) -> bool:
    """Whether all texts are digits with a decimal point at most, as in most columns: one look tells."""
    try:
        texts.slice(0, _FIRST).cast(EXACT)  # mostly tells that they are not
        if plain_floats(texts) is None:
            decimals(texts)
    except pa.ArrowInvalid:
        return False
    return True


def _pointed(texts: pa.Array, chosen: pa.Array, sign: str, other: str) -> pa.Array:
    """Texts that are chosen (bool, no nulls) with a decimal point for ``sign`` and without the marks
    ``other``; null for the others.
    """
    offsets, letters = bytes_of(texts)
    if not len(letters):
        return pc.if_else(chosen, texts, _NO_TEXT)
    offsets = offsets - offsets[0]
    marks = np.flatnonzero(letters == ord(other))
    if len(marks):
        letters = np.delete(letters, marks)
        offsets = offsets - np.searchsorted(marks, offsets).astype(np.int32)
    if sign != ".":
        letters = np.where(letters == ord(sign), np.uint8(ord(".")), letters)
    valid = None if pc.all(chosen).as_py() else chosen.buffers()[1]
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(letters), valid)


def _cell(text: str | None, notation: Notation) -> tuple[str | None, str | None, bool]:
    """A plain number, the mark beside it, and whether the cell is a dash."""
    if text is None:
        return None, None, False
    match = _CELL.fullmatch(text)
    if match is None:
        return None, None, bool(_DASH.fullmatch(text))
    negative = _negative(match, notation)
    number = _number(match["number"].rstrip(".,") if _no_cents(match) else match["number"], notation)
    mark = match["mark"] or match["mark_behind"]
    if number is None or negative is None or (match["mark"] and match["mark_behind"]):
        return None, None, False
    return (
        ("-" if negative else "") + number + (match["power"] or ""),
        mark.upper().rstrip(".") if mark else None,
        False,
    )


def _negative(match: re.Match[str], notation: Notation) -> bool | None:
    """Whether the sign of a cell is a minus; None where it is written in a way that is not meant, or twice."""
    parentheses = bool(match["open"]) and bool(match["close"])
    if bool(match["open"]) != bool(match["close"]):
        return None
    leading = [sign for sign in (match["before"], match["within"]) if sign]
    trailing = [sign for sign in (match["behind"], match["last"]) if sign] if not _no_cents(match) else []
    if len(leading) + len(trailing) + parentheses > 1:
        return None
    form = "parentheses" if parentheses else "trailing" if trailing else "minus" if leading else None
    if form in ("parentheses", "trailing") and notation.negative not in (None, form):
        return None
    return form is not None and leading != ["+"]


def _no_cents(match: re.Match[str]) -> bool:
    """``100,-`` and ``100.-``: the dash stands where the cents would."""
    return (
        match["number"][-1] in ".,"
        and match["behind"] is not None
        and match.end("number") == match.start("behind")
    )


def _number(text: str, notation: Notation) -> str | None:
    """Digits with a decimal point, or None where the marks between them do not fit the notation."""
    whole, sign, fraction = text.rpartition(notation.decimal)
    if not sign:
        whole, fraction = text, ""
    if fraction and not fraction.isdigit():
        return None
    if not whole or whole.isdigit():
        return f"{whole or '0'}.{fraction}" if fraction else whole or None
    marks = {_kind(letter) for letter in whole if not letter.isdigit()}
    if len(marks) != 1 or (mark := marks.pop()) == notation.decimal or notation.thousands not in (None, mark):
        return None
    if not re.fullmatch(_GROUPS.format(mark=f"[{re.escape(_same(mark))}]"), whole):
        return None
    digits = re.sub(r"[^0-9]", "", whole)
    return f"{digits}.{fraction}" if fraction else digits


def _kind(letter: str) -> str:
    return " " if letter in _BLANKS else "'" if letter in _QUOTES else letter


def _same(mark: str) -> str:
    return _BLANKS if mark == " " else _QUOTES if mark == "'" else mark


# -- which decimal sign? -----------------------------------------------------------------------------------

RARE = 0.01  # share of cells up to which those that prove the other sign are taken for slips, and refused


@dataclass
class Evidence:
    """What the cells of a column say about its decimal sign. Add up several columns, files and pages."""

    cells: int = 0  # that are not empty
    numbers: int = 0  # cells that some notation reads
    point: int = 0  # cells that only a decimal point explains
    comma: int = 0  # cells that only a decimal comma explains
    both: int = 0  # cells that are an amount either way, another one each
    example: str | None = None  # of those
    marks: frozenset[str] = frozenset()
    marked: int = 0  # cells that have one

    def add(self, texts: pa.Array) -> None:
        """Take the cells of a column of text into account."""
        texts = trimmed(texts).drop_null()
        if self._add_plain(texts):
            return
        shapes = _shapes(texts)
        counts = shapes.value_counts()
        for shape, number in zip(
            counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True
        ):
            self.cells += number
            signs, mark = _signs(shape)
            self.numbers += number if signs else 0
            if mark:
                self.marks |= {mark}
                self.marked += number
            if signs == {"."}:
                self.point += number
            elif signs == {","}:
                self.comma += number
            elif signs == {".", ",", "!"}:
                self.both += number
                self.example = self.example or texts[pc.index(shapes, shape).as_py()].as_py()

    def tells_no_more(self, texts: pa.Array) -> bool:
        """Whether the cells change nothing of ``decimal``: a point is proven, and no cell has a comma or two
        points.

        Costs a glance.
        """
        if not self.point or self.comma or texts.type != pa.string() or texts.buffers()[2] is None:
            return False
        offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
        letters = np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
        if (letters == ord(",")).any():
            return False
        cells = np.searchsorted(offsets - offsets[0], np.flatnonzero(letters == ord(".")), side="right")
        return not bool((cells[1:] == cells[:-1]).any())

    def _add_plain(self, texts: pa.Array) -> bool:
        """Whether all cells are digits with a decimal point at most, as they usually are: then one look
        counts them.
        """
        if not _all_plain(texts):
            return False
        number = len(texts)
        with_point = pc.sum(pc.match_substring(texts, ".")).as_py() or 0
        either = pc.match_substring_regex(texts, r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$") if with_point else None
        both = (pc.sum(either).as_py() or 0) if either is not None else 0
        self.cells, self.numbers = self.cells + number, self.numbers + number
        self.point, self.both = self.point + with_point - both, self.both + both
        if both and self.example is None and either is not None:
            self.example = texts[pc.index(either, True).as_py()].as_py()
        return True

    @property
    def decimal(self) -> str | None:
        """The decimal sign that the column proves; "." where no cell needs one; None where it cannot be told."""
        if self.point and self.comma:
            rare = min(self.point, self.comma) <= RARE * (self.point + self.comma)
            return ("." if self.point > self.comma else ",") if rare and not self.both else None
        if self.point or self.comma:
            return "." if self.point else ","
        return None if self.both else "."

    def doubt(self) -> str:
        """Why ``decimal`` is None, with both readings."""
        if self.example is not None and not (self.point and self.comma):
            readings = [str(_cell(self.example, Notation(sign))[0]) for sign in ".,"]
            return f"{self.example!r} may be {readings[0]} (decimal point) or {readings[1]} (decimal comma), and no other cell tells which"
        return f"{self.point:,} of its amounts have a decimal point and {self.comma:,} a decimal comma"


def _shapes(texts: pa.Array) -> pa.Array:
    """Texts with a 1 for every digit, and a 0 for a zero that no digit stands before: all that tells under
    which signs they are amounts.
    """
    if not len(texts) or texts.buffers()[2] is None:
        return texts
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    letters = np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    digits = letters - np.uint8(_ZERO) < 10  # what lies below the digits wraps around
    shapes = np.where(digits, np.uint8(_ZERO + 1), letters)
    zeros = np.flatnonzero(letters == _ZERO)
    begins = np.zeros(len(letters) + 1, np.bool_)
    begins[offsets - offsets[0]] = True
    shapes[zeros[begins[zeros] | ~digits[zeros - 1]]] = _ZERO
    valid = texts.is_valid().buffers()[1] if texts.null_count else None
    return pa.StringArray.from_buffers(
        len(texts), pa.py_buffer(offsets - offsets[0]), pa.py_buffer(shapes), valid
    )


def _signs(text: str) -> tuple[set[str], str | None]:
    """The decimal signs under which a cell is an amount ("!" where they give different ones), and its mark."""
    readings = {sign: _cell(text, Notation(sign)) for sign in ".,"}
    numbers = {sign: cell[0] for sign, cell in readings.items() if cell[0] is not None}
    mark = next((cell[1] for cell in readings.values() if cell[1]), None)
    if len(numbers) == 2 and Decimal(numbers["."]) != Decimal(numbers[","]):
        return {".", ",", "!"}, mark
    return set(numbers), mark


def numbers(column: pa.ChunkedArray | pa.Array, notation: Notation) -> tuple[pa.Array, pa.Array]:
    """A column of plain numbers as finite float64, and which of its cells are none.

    Nothing may stand beside the digits.
    """
    array = flat(column)
    if not is_text(array.type):
        return floats(array)
    texts, unsound = as_text(array)
    amounts = read_amounts(texts, notation)
    plain = (
        amounts.plain
        if amounts.marks is None
        else pc.if_else(pc.is_valid(amounts.marks), _NO_TEXT, amounts.plain)
    )
    values, _bad = floats(plain)
    bad = pc.and_(pc.is_valid(texts), pc.is_null(values))
    return values, pc.or_(bad, unsound) if unsound is not None else bad
