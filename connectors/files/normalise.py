"""How do the columns of an export become those of the contract?

A record's broken cell becomes null and its row goes on; an activity without a time, an owner or a sound amount is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import ACTIVITY_SCHEMA, RECORD_SCHEMA, RECORD_TYPES, Account, Attribute
from connectors.files.instants import dates, instants
from connectors.files.money import minor_units, rates_of
from connectors.files.names import AMOUNT, CHANNEL_NAMES, OWNERS, attribute_column
from connectors.files.rejects import Rejects, Sieve
from connectors.files.session import Dialect
from connectors.files.text import as_text, flat, floats, is_text, trimmed, truths
from connectors.money import exponent

Columns = Mapping[str, pa.ChunkedArray]
_UNSOUND = "holds a NUL byte, more than 1 MiB, or bytes that are no UTF-8"
_TRIMMED = ("id", "record_type", "record_id", *OWNERS, "order_id", "kind", "currency", "company_id", "merged_into", "converted_to", "email")
_TRUTHS = ("deleted", "objects_to_profiling", *CHANNEL_NAMES)
_INSTANTS = ("changed_at", "created_at", "occurred_at", "recorded_at")


@dataclass(frozen=True)
class Normaliser:
    """Turns pages of one stream into the contract's form."""

    account: Account
    dialect: Dialect
    rejects: Rejects
    room: int  # rejects that may still be listed

    def page(self, columns: Columns, attributes: Columns, lines: pa.Array) -> pa.Table:
        """One page; columns under our names, attributes under theirs."""
        if self.dialect.stream == "activity":
            return _Activity(self.account, self.dialect, self.rejects, self.room, columns, lines).page()
        return _Record(self.account, self.dialect, self.rejects, self.room, columns, lines).page(attributes)


@dataclass(frozen=True)
class _Rows:
    account: Account
    dialect: Dialect
    rejects: Rejects
    room: int
    columns: Columns
    lines: pa.Array

    def sieve(self, ids: pa.Array | None) -> Sieve:
        return Sieve(self.rejects, self.lines, ids, self.room)

    def text(self, name: str, sieve: Sieve | None = None) -> pa.Array:
        """A column as text. A cell that is none becomes null, and the sieve lists it."""
        texts, unsound = as_text(self.columns[name])
        if sieve is not None:
            sieve.cell(unsound, name, _UNSOUND)
        return trimmed(texts) if name in _TRIMMED else texts

    def instants(self, name: str) -> tuple[pa.Array, pa.Array | None]:
        return instants(self.columns[name], self.account.time_zone, self.dialect.date_format)

    def expected(self) -> str:
        """How a time should be written."""
        return f"like {self.dialect.date_format}" if self.dialect.date_format else "an ISO date or time"

    def cells(self, name: str, sieve: Sieve) -> pa.Array:
        """Any column of which a broken cell becomes null."""
        if name in _INSTANTS:
            moments, bad = self.instants(name)
            sieve.cell(bad, name, f"{{}} is not {self.expected()}", _quoted(self.columns[name], bad))
            return moments
        if name in _TRUTHS:
            return self.truths(name, sieve)
        if name in ("share", "quantity"):
            numbers, wrong = floats(self.columns[name], self.dialect.decimal)
            sieve.cell(wrong, name, "{} is no number", _quoted(self.columns[name], wrong))
            return numbers
        return self.text(name, sieve)

    def truths(self, name: str, sieve: Sieve) -> pa.Array:
        array = flat(self.columns[name])
        if pa.types.is_boolean(array.type):
            return array
        values, bad = truths(self.text(name, sieve))
        sieve.cell(bad, name, "{} is neither true nor false", _quoted(array, bad))
        return values


class _Record(_Rows):
    def page(self, attributes: Columns) -> pa.Table:
        ids, unsound = as_text(self.columns["id"])
        ids = trimmed(ids)
        sieve = self.sieve(ids)
        sieve.row(unsound, f"id {_UNSOUND}")
        sieve.row(pc.is_null(ids), "has no id")
        done = {"record_type": pa.repeat(pa.scalar(self.dialect.stream, pa.string()), len(ids)), "id": ids}
        for name in self.columns:
            if name != "id":
                done[CHANNEL_NAMES.get(name, name)] = self.cells(name, sieve)
        for name, column in attributes.items():
            attribute = self.account.attributes.get(name, Attribute(name))
            done[attribute_column(name)] = self.attribute(name, column, attribute, sieve)
        done["line"] = self.lines
        order = [name for name in RECORD_SCHEMA.names if name in done] + [name for name in done if name not in RECORD_SCHEMA.names]
        return sieve.through(pa.table({name: done[name] for name in order}))

    def attribute(self, name: str, column: pa.ChunkedArray, attribute: Attribute, sieve: Sieve) -> pa.Array:
        """An attribute in the type that the config gives it."""
        column = self.known(column, attribute.missing)
        rows = replace(self, columns={name: column})
        if attribute.type == "number":
            numbers, bad = floats(column, self.dialect.decimal)
            sieve.cell(bad, name, "{} is no number", _quoted(column, bad))
            return numbers
        if attribute.type == "date":
            days, bad = dates(column, self.dialect.date_format)
            sieve.cell(bad, name, f"{{}} is not {self.expected()}", _quoted(column, bad))
            return days
        if attribute.type == "bool":
            return rows.truths(name, sieve)
        texts = rows.text(name, sieve)
        if attribute.type == "ordered":
            texts = trimmed(texts)
            strange = pc.and_(pc.is_valid(texts), pc.invert(pc.is_in(texts, pa.array(attribute.order, pa.string()))))
            sieve.cell(strange, name, f"{{}} is not in its order ({', '.join(attribute.order)[:200]})", _quoted(texts, strange))
            texts = pc.if_else(strange, pa.scalar(None, pa.string()), texts)
        return texts

    def known(self, column: pa.ChunkedArray, missing: tuple[str, ...]) -> pa.Array:
        """Without the values that mean "not known"."""
        array = flat(column)
        if missing:
            texts = trimmed(as_text(array)[0])
            unknown = pc.is_in(texts, pa.array([one.strip() for one in missing], pa.string()))
            array = pc.if_else(unknown, pa.scalar(None, array.type), array)
        return array


class _Activity(_Rows):
    def page(self) -> pa.Table:
        types, owners = self.owner()
        sieve = self.sieve(owners)
        sieve.row(pc.is_null(owners), "has no id of a record")
        sieve.row(pc.invert(pc.is_in(types, pa.array(RECORD_TYPES))), f"record_type is none of {', '.join(RECORD_TYPES)}")
        moments, bad = self.instants("occurred_at")
        sieve.row(bad, f"occurred_at: {{}} is not {self.expected()}", _quoted(self.columns["occurred_at"], bad))
        sieve.row(pc.is_null(moments), "has no occurred_at")
        done = {"record_type": types, "record_id": owners, "occurred_at": moments, "line": self.lines, "kind": self.kind(sieve)}
        for name in self.columns:
            if name not in (*done, *OWNERS, AMOUNT):
                done[name] = self.cells(name, sieve)
        if AMOUNT in self.columns:
            done["amount_minor"] = self.money(moments, done.get("currency"), done["kind"], sieve)
            done["kind"], done["amount_minor"] = _signed(done["kind"], done["amount_minor"])
        return sieve.through(pa.table({name: done[name] for name in ACTIVITY_SCHEMA.names if name in done}))

    def owner(self) -> tuple[pa.Array, pa.Array]:
        """Record type and id of each row: ``record_id``, else the first of contact, lead, company that is given."""
        types = ids = None
        count = len(self.lines)
        if "record_id" in self.columns:
            ids = self.text("record_id")
            types = _constant("contact", count)
            if "record_type" in self.columns:
                types = pc.fill_null(pc.utf8_lower(self.text("record_type")), "contact")
        for name in OWNERS:
            if name in self.columns:
                further = self.text(name)
                if ids is None or types is None:
                    types, ids = _constant(OWNERS[name], count), further
                elif ids.null_count:
                    types = pc.if_else(pc.is_valid(ids), types, OWNERS[name])
                    ids = pc.coalesce(ids, further)
        return types, ids

    def kind(self, sieve: Sieve) -> pa.Array:
        if "kind" not in self.columns:
            return _constant("purchase", len(self.lines))
        kinds = self.text("kind", sieve)
        return pc.fill_null(kinds, "purchase") if kinds.null_count else kinds

    def money(self, moments: pa.Array, currencies: pa.Array | None, kinds: pa.Array, sieve: Sieve) -> pa.Array:
        """Amounts in minor units of the account's currency; a row whose amount is none, or cannot be converted, is refused."""
        account, column = self.account, self.columns[AMOUNT]
        rates = None
        if currencies is not None and currencies.null_count < len(currencies):
            rates = rates_of(currencies, moments, account.currency, account.rates, account.time_zone)
        units, bad = minor_units(column, self.dialect.decimal, exponent(account.currency), rates)
        blank = _blank(column)
        if rates is not None:
            unknown = pc.and_(pc.is_null(rates), pc.invert(blank))
            remedy = f"no rate for currency {{}} on its day: set [accounts.{account.name}.rates]"
            sieve.row(unknown, remedy, currencies)
        sieve.row(bad, "amount: {} is no number", _quoted(column, bad))
        if pc.any(blank).as_py():
            sieve.cell(pc.and_(blank, pc.is_in(kinds, pa.array(["purchase", "refund"]))), AMOUNT, "is empty: counted without an amount")
        return units


def _constant(text: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), count)


def _blank(column: pa.ChunkedArray) -> pa.Array:
    """Cells that hold nothing. NaN is not nothing."""
    array = flat(column)
    return pc.is_null(as_text(array)[0]) if is_text(array.type) else array.is_null()


def _quoted(column: pa.ChunkedArray | pa.Array, bad: pa.Array | None) -> pa.Array | None:
    """The texts of a column that holds bad cells, for the reason to quote."""
    return as_text(column)[0] if bad is not None and pc.any(bad).as_py() else None


def _signed(kinds: pa.Array, units: pa.Array) -> tuple[pa.Array, pa.Array]:
    """A purchase of a negative amount is a refund, and a refund's amount is negative."""
    ends: dict[str, int | None] = pc.min_max(units).as_py()
    if (ends["min"] or 0) < 0:
        turned = pc.fill_null(pc.and_(pc.equal(kinds, "purchase"), pc.less(units, 0)), False)
        kinds = pc.if_else(turned, "refund", kinds)
    if (ends["max"] or 0) > 0:
        refunds = pc.equal(kinds, "refund")
        if pc.any(refunds).as_py():
            units = pc.if_else(pc.and_(refunds, pc.fill_null(pc.greater(units, 0), False)), pc.negate(units), units)
    return kinds, units
