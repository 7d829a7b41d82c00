"""How is each column of a page of a table read?

Every kind of column by its own rule, bad cells and rows listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Account
from connectors.tables import orders
from connectors.tables.column_mapping import CHANNEL_NAMES, OPTED_OUT, OWNERS
from connectors.tables.dialect import Dialect, Way
from connectors.tables.rejects import Sieve, TableRejects
from connectors.values.money import numbers
from connectors.values.text import as_text, flat, is_text, trimmed, truths, words_in
from connectors.values.timestamps import ISO, instants

Columns = Mapping[str, pa.ChunkedArray]
UNSOUND = "has a NUL byte, more than 1 MiB, bytes that are not UTF-8, or an impossible time"
_TRIMMED = words_in("""id record_type record_id lead_id contact_id company_id contact_email order_id kind currency merged_into converted_to
    email name first_name last_name country consent_source""")
_IDS = ("id", "record_id", *OWNERS, "company_id", "merged_into", "converted_to", "order_id", "phones")
_TRUTHS = ("deleted", "objects_to_profiling", *CHANNEL_NAMES, *OPTED_OUT)
_INSTANTS = ("changed_at", "created_at", "consented_at", "occurred_at", "recorded_at", "updated_at")
_LISTS = {"emails": r"[;,\s]+", "phones": r"[;,]+"}
NO_TEXT = pa.scalar(None, pa.string())


@dataclass(frozen=True)
class ColumnReader:
    """Columns of one page, and how to read each kind of them."""

    way: Way
    rejects: TableRejects
    room: int
    columns: Columns
    lines: pa.Array

    @property
    def account(self) -> Account:
        return self.way.account

    @property
    def dialect(self) -> Dialect:
        return self.way.dialect

    def sieve(self, ids: pa.Array | None) -> Sieve:
        return Sieve(self.rejects, self.lines, ids, self.room)

    def text(self, name: str, sieve: Sieve | None = None) -> pa.Array:
        """A column as text. A cell that is none becomes null, and the sieve lists it."""
        texts, unsound = as_text(self.columns[name])
        if sieve is not None:
            sieve.cell(unsound, name, UNSOUND)
        texts = trimmed(texts) if name in _TRIMMED else texts
        return unmarked(texts) if name in _IDS else texts

    def header_again(self, name: str) -> pa.Array | None:
        """Rows in which a column holds its own header: exports that were put behind each other."""
        header = self.dialect.columns.get(name, name)
        column = flat(self.columns[name])
        return pc.fill_null(pc.equal(column, header), False) if pa.types.is_string(column.type) else None

    def instants(self, name: str) -> tuple[pa.Array, pa.Array | None]:
        return instants(self.columns[name], self.account.time_zone, self.way.habits.of(name))

    def expected(self, name: str) -> str:
        """How a time should be written."""
        formats = self.way.habits.of(name)
        return "an ISO date or time" if formats == (ISO,) else f"like {' or '.join(formats)}"

    def cells(self, name: str, sieve: Sieve) -> pa.Array:
        """Any column of which a broken cell becomes null."""
        if name in _INSTANTS:
            moments, bad = self.instants(name)
            sieve.cell(bad, name, f"{{}} is not {self.expected(name)}", quoted(self.columns[name], bad))
            return moments
        if name in _TRUTHS:
            return self.truths(name, sieve)
        if name in ("share", "quantity"):
            return self.numbers(name, self.columns[name], sieve)
        if name in _LISTS:
            return _lists(self.text(name, sieve), _LISTS[name])
        return self.text(name, sieve)

    def numbers(self, name: str, column: pa.ChunkedArray | pa.Array, sieve: Sieve) -> pa.Array:
        values, wrong = numbers(column, self.way.habits.notation)
        sieve.cell(wrong, name, "{} is not a number", quoted(column, wrong))
        return values

    def truths(self, name: str, sieve: Sieve) -> pa.Array:
        """A column of yes and no, in the words that the config gives it or in the usual ones."""
        array = flat(self.columns[name])
        words = getattr(self.dialect.table, "words", {}).get(name)
        if words is None:
            if pa.types.is_boolean(array.type):
                return array
            values, bad = truths(self.text(name, sieve))
        else:
            texts = orders.words_of(as_text(array)[0])
            values = orders.meaning(texts, words.yes, words.no)
            silent = pa.array(["", *(word.strip().lower() for word in words.unknown)])
            bad = pc.and_not(pc.is_null(values), pc.is_in(texts, value_set=silent))
        sieve.cell(
            bad,
            name,
            "{} is neither true nor false" if words is None else "{} is in neither list of its words",
            quoted(array, bad),
        )
        return values


def constant(text: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), count)


def blank_cells(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Cells that hold nothing. NaN is not nothing."""
    array = flat(column)
    return pc.is_null(as_text(array)[0]) if is_text(array.type) else array.is_null()


def unmarked(texts: pa.Array) -> pa.Array:
    """Without the apostrophe by which spreadsheets are told that digits are text: '00123, '+4930."""
    if not pc.any(pc.starts_with(texts, "'")).as_py():
        return texts
    marked = pc.match_substring_regex(texts, r"^'[0-9+]")
    return pc.if_else(marked, pc.utf8_slice_codeunits(texts, 1), texts) if pc.any(marked).as_py() else texts


def _lists(texts: pa.Array, between: str) -> pa.Array:
    """Texts of several values as lists; null where there is none."""
    parts = pc.split_pattern_regex(pc.utf8_trim(texts, " ;,\t\n\r"), between)
    return pc.if_else(pc.is_null(texts), pa.scalar(None, pa.list_(pa.string())), parts)


def quoted(column: pa.ChunkedArray | pa.Array, bad: pa.Array | None) -> pa.Array | None:
    """The texts of a column that holds bad cells, for the reason to quote."""
    return as_text(column)[0] if bad is not None and pc.any(bad).as_py() else None
