"""How does a page of a table become activity of the contract?

A row without a time or a sound amount is refused, one that names nobody is counted as such, and one whose
status does not count is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from connectors.schemas import ACTIVITY_SCHEMA, RECORD_TYPES, VOID_SCHEMA
from connectors.tables import orders
from connectors.tables.column_mapping import AMOUNT, OWNERS
from connectors.tables.column_reader import (
    NO_TEXT,
    UNSOUND,
    ColumnReader,
    Columns,
    blank_cells,
    constant,
    quoted,
)
from connectors.tables.orders import OrderLines, RepeatedTotals, moment, within
from connectors.tables.rejects import Sieve
from connectors.values.currency import exponent, meant
from connectors.values.minor_units import minor_units, rates_of
from connectors.values.money import read_amounts
from connectors.values.text import as_text, flat, is_text, trimmed, words_in

_DEDUCTIONS = ("refunded", "outstanding", "gift_card")
_PIECES = words_in("X PC PCS ST STK STCK PZ UN UND UNIT EA")
_MONEY_KINDS = ("purchase", "refund")


@dataclass
class ActivityPage:
    rows: ColumnReader
    further: Columns
    lines: OrderLines | None = None
    watch: RepeatedTotals | None = None
    # rows of an order whose amount stands on its first row
    again: pa.Array | None = field(default=None, init=False)
    order_amount: pa.Array | None = field(default=None, init=False)  # that amount, on each row

    def page(self) -> pa.Table:
        contradicts = self._order_lines()
        rows, columns = self.rows, self.rows.columns
        types, owners, emails = self.owner()
        named = pc.is_valid(owners) if emails is None else pc.or_(pc.is_valid(owners), pc.is_valid(emails))
        moments, bad = rows.instants("occurred_at")
        sieve = rows.sieve(pc.coalesce(owners, NO_TEXT))
        blank = pc.is_null(moments) if bad is None else pc.and_not(pc.is_null(moments), bad)
        orders_ = {"order_id": rows.text("order_id")} if "order_id" in columns else {}
        nobody = pc.if_else(named, "somebody", NO_TEXT)
        days = pc.if_else(blank, NO_TEXT, "a day")
        sieve.leave_out(rows.header_again("occurred_at"), "repeated headers")
        if pc.any(blank).as_py():
            sieve.leave_out(orders.totals(orders_, nobody, days), "totals and blank rows")
            sieve.leave_out(orders.named_total(owners, days), "totals and blank rows")
        self._leave_out_blank_lines(sieve)
        if bad is not None:
            sieve.leave_out(
                orders.total_of_nobody(nobody, as_text(columns["occurred_at"])[0]), "totals and blank rows"
            )
        self._statuses(sieve)
        sieve.row(
            contradicts, "amount differs from that of the order's first row, which line_items says it repeats"
        )
        sieve.row(
            bad,
            f"occurred_at: {{}} is not {rows.expected('occurred_at')}",
            quoted(columns["occurred_at"], bad),
        )
        sieve.row(blank, "has no occurred_at")
        for name in ("record_id", *OWNERS, "contact_email"):
            if name in columns:
                sieve.row(as_text(columns[name])[1], f"{name} {UNSOUND}")
        sieve.ownerless(pc.invert(named))
        sieve.row(
            pc.invert(pc.is_in(types, pa.array(RECORD_TYPES))),
            f"record_type is none of {', '.join(RECORD_TYPES)}",
        )
        done = {
            "record_type": types,
            "record_id": owners,
            "occurred_at": moments,
            "line": rows.lines,
            "kind": self.kind(sieve),
        }
        if emails is not None:
            done["record_email"] = emails
        self._further_cells(done, sieve)
        if AMOUNT in columns or "price" in columns:
            units = self.money(moments, done["kind"], sieve)
            done["kind"], done["amount_minor"] = _signed(done["kind"], units, self._given_back())
            sieve.worth(done["amount_minor"])
        if self.lines is not None:
            sieve.leave_out(self.lines.follow(sieve.out(len(rows.lines))), "further rows of such orders")
        self._voids(done, named, sieve)
        return sieve.through(pa.table({name: done[name] for name in ACTIVITY_SCHEMA.names if name in done}))

    def _voids(self, cells: dict[str, pa.Array], named: pa.Array, sieve: Sieve) -> None:
        """Hand on the orders that do not count: an older export may still say that they do."""
        if (
            not sieve.has_voids
            or self.rows.dialect.orders.newest_wins == "never"
            or not cells.keys() & {"id", "order_id"}
        ):
            return
        count, sound = (
            len(self.rows.lines),
            pc.and_(named, pc.is_in(cells["record_type"], pa.array(RECORD_TYPES))),
        )
        columns = [flat(cells[f.name]) if f.name in cells else pa.nulls(count, f.type) for f in VOID_SCHEMA]
        sieve.keep_voids(pa.table(columns, names=VOID_SCHEMA.names).cast(VOID_SCHEMA), sound)

    def _given_back(self) -> pa.Array | None:
        """Rows of an order that has a negative amount, of which they hold none themselves."""
        if self.again is None or self.order_amount is None or not is_text(self.order_amount.type):
            return None
        amounts = read_amounts(self.order_amount, self.rows.way.habits.notation).plain
        return pc.and_(self.again, pc.fill_null(pc.starts_with(amounts, "-"), False))

    def _leave_out_blank_lines(self, sieve: Sieve) -> None:
        """A row that neither names an order's amount nor an article says nothing."""
        if self.lines is None or self.lines.shape != "blank" or self.again is None:
            return
        blank = self.again
        for name in orders.OWN_CELLS:
            if name in self.rows.columns:
                blank = pc.and_(blank, blank_cells(self.rows.columns[name]))
        sieve.leave_out(blank, "totals and blank rows")

    def _further_cells(self, done: dict[str, pa.Array], sieve: Sieve) -> None:
        for name in self.rows.columns:
            if name == "updated_at" and self.rows.dialect.orders.newest_wins == "file":
                continue
            if name in ACTIVITY_SCHEMA.names and name not in (*done, *OWNERS):
                done[name] = self.rows.cells(name, sieve)

    def _order_lines(self) -> pa.Array | None:
        """Make one column of day and time, and complete the rows of an order; rows that contradict the first
        of theirs.
        """
        columns = dict(self.rows.columns)
        if "date" in columns:
            columns["occurred_at"] = pa.chunked_array(
                [moment(columns.pop("date"), columns.pop("time", None))]
            )
        contradicts = None
        if self.lines is not None:
            texts = {
                name: trimmed(as_text(column)[0]) if is_text(column.type) else flat(column)
                for name, column in columns.items()
            }
            texts |= {
                f"status {header}": trimmed(as_text(column)[0]) for header, column in self.further.items()
            }
            self.again, contradicts = self.lines.further(texts, AMOUNT)
            self.order_amount = texts[orders.ORDER_AMOUNT]
            columns = {name: pa.chunked_array([texts[name]]) for name in columns}
            self.further = {header: pa.chunked_array([texts[f"status {header}"]]) for header in self.further}
        elif self.watch is not None:
            self.watch.see(columns["order_id"], columns[AMOUNT], columns.get("kind"))
        self.rows = replace(self.rows, columns=columns)
        return contradicts

    def _statuses(self, sieve: Sieve) -> None:
        """Leave out the rows that do not count, and refuse those of which the config does not say."""
        for header, statuses in self.rows.dialect.orders.status.items():
            column = self.further.get(header)
            if column is None:
                continue
            texts = as_text(column)[0]
            counts = orders.counted(texts, statuses)
            no = pc.fill_null(pc.invert(counts), False)
            if pc.any(no).as_py():
                words = pc.if_else(no, pc.fill_null(trimmed(texts), ""), NO_TEXT)
                for word in pc.unique(words.drop_null()).to_pylist():
                    shown = (
                        f"{header}: {word}"
                        if "*" not in statuses.left_out or not word
                        else f"{header}: any other"
                    )
                    same = pc.fill_null(pc.equal(words, word), False)
                    sieve.leave_out(same, shown if word else f"{header}: blank", void=True)
            setting = f"[accounts.{self.rows.account.name}.activities.status]"
            sieve.row(
                pc.is_null(counts),
                f"{header} {{}} is neither counted nor left out: name it in {setting}",
                texts,
            )

    def owner(self) -> tuple[pa.Array, pa.Array, pa.Array | None]:
        """Record type, id and address of each row: ``record_id``, else the first of contact, lead, company
        that is given.
        """
        rows, types, ids = self.rows, None, None
        count = len(rows.lines)
        if "record_id" in rows.columns:
            ids = rows.text("record_id")
            types = constant("contact", count)
            if "record_type" in rows.columns:
                types = pc.fill_null(pc.utf8_lower(rows.text("record_type")), "contact")
        for name in OWNERS:
            if name in rows.columns:
                further = rows.text(name)
                if ids is None or types is None:
                    types, ids = constant(OWNERS[name], count), further
                elif ids.null_count:
                    types = pc.if_else(pc.is_valid(ids), types, OWNERS[name])
                    ids = pc.coalesce(ids, further)
        emails = rows.text("contact_email") if "contact_email" in rows.columns else None
        if ids is None or types is None:
            types, ids = constant("contact", count), pa.nulls(count, pa.string())
        return types, ids, emails

    def kind(self, sieve: Sieve) -> pa.Array:
        if "kind" not in self.rows.columns:
            return constant("purchase", len(self.rows.lines))
        kinds = self.rows.text("kind", sieve)
        if ours := {
            word.strip().lower(): kind for word, kind in self.rows.dialect.orders.activity_types.items()
        }:
            words = orders.words_of(kinds)
            positions = pc.index_in(words, value_set=pa.array(list(ours), pa.string()))
            kinds = pc.coalesce(pa.array(list(ours.values()), pa.string()).take(positions), kinds)
        return pc.fill_null(kinds, "purchase") if kinds.null_count else kinds

    # -- money ---------------------------------------------------------------------------------------------

    def money(self, moments: pa.Array, kinds: pa.Array, sieve: Sieve) -> pa.Array:
        """Amounts in minor units of the account's currency, less what was given back, not paid or paid in for
        later.

        A row whose amount is none, or cannot be converted, is refused; one of which nothing was kept is left
        out.
        """
        rows = self.rows
        plain, marks, blank = self._total(sieve)
        rates = self._rates(moments, marks, blank, sieve)
        places = exponent(rows.account.currency)
        units, bad = minor_units(plain, places, rates)
        sieve.row(bad, "amount: {} is not a number", quoted(plain, bad))
        again = self.again
        if again is not None:
            units = pc.if_else(again, pa.scalar(None, pa.int64()), units)
        taken = self._deductions(places, rates, sieve)
        if taken is not None:
            remaining = pc.subtract(units, pc.fill_null(taken, 0))
            gone = pc.fill_null(pc.and_(pc.greater(taken, 0), pc.less_equal(remaining, 0)), False)
            sieve.leave_out(gone, "given back, not paid, or gift cards only", void=True)
            units = remaining
        empty = pc.and_(blank, pc.is_in(kinds, pa.array(_MONEY_KINDS)))
        empty = empty if again is None else pc.and_not(empty, again)
        if pc.any(empty).as_py():
            sieve.cell(empty, AMOUNT, "is empty: counted without an amount")
        return units

    def _total(self, sieve: Sieve) -> tuple[pa.Array, pa.Array | None, pa.Array]:
        """Amounts as plain decimals, the marks beside them, and which rows have none."""
        if AMOUNT in self.rows.columns:
            plain, marks = self._read(AMOUNT, sieve)
            return plain, marks, blank_cells(self.rows.columns[AMOUNT])
        price, marks = self._read("price", sieve)
        pieces, units = self._read("quantity", sieve)
        if units is not None:
            strange = pc.and_(pc.is_valid(units), pc.invert(pc.is_in(units, value_set=pa.array(_PIECES))))
            sieve.row(strange, "quantity is in {}, of which the price may not be", units)
        return (
            _product(price, pieces),
            marks,
            pc.or_(blank_cells(self.rows.columns["price"]), blank_cells(self.rows.columns["quantity"])),
        )

    def _read(self, name: str, sieve: Sieve) -> tuple[pa.Array, pa.Array | None]:
        """A column of money: plain decimals (text), and marks.

        What is no amount is refused, a dash is left out.
        """
        column = flat(self.rows.columns[name])
        if not is_text(column.type):
            return column, None
        texts, unsound = as_text(column)
        sieve.row(unsound, f"{name} {UNSOUND}")
        amounts = read_amounts(texts, self.rows.way.habits.notation)
        sieve.leave_out(amounts.dashes, f"{name} is a dash")
        sieve.row(amounts.bad, f"{name}: {{}} is not a number", quoted(texts, amounts.bad))
        return amounts.plain, amounts.marks

    def _rates(
        self, moments: pa.Array, marks: pa.Array | None, blank: pa.Array, sieve: Sieve
    ) -> pa.Array | None:
        """Worth of 1 of each row's currency, by its currency column or by the mark beside its amount."""
        account = self.rows.account
        stated = None
        if "currency" in self.rows.columns:
            texts = self.rows.text("currency")
            # no rate is found for what is no currency
            stated = pc.coalesce(_currencies(texts, account.currency), pc.utf8_upper(texts))
        marked = _currencies(marks, account.currency) if marks is not None else None
        if marked is not None and marks is not None:
            strange = pc.and_(pc.is_valid(marks), pc.is_null(marked))
            sieve.row(
                strange, "amount has {} next to it, which is not a currency, or is one of several", marks
            )
            if stated is not None:
                differ = pc.fill_null(pc.not_equal(marked, stated), False)
                sieve.row(differ, "amount has {} next to it, which is not the currency of its row", marks)
        currencies = stated if marked is None else marked if stated is None else pc.coalesce(stated, marked)
        if currencies is None or currencies.null_count == len(currencies):
            return None
        rates = rates_of(currencies, moments, account.currency, account.rates, account.time_zone)
        if rates is not None:
            unknown = pc.and_(pc.is_null(rates), pc.invert(blank))
            remedy = f"no rate for currency {{}} on its day: set [accounts.{account.name}.rates]"
            sieve.row(unknown, remedy, currencies)
        return rates

    def _deductions(self, places: int, rates: pa.Array | None, sieve: Sieve) -> pa.Array | None:
        """What is taken off each amount, in minor units; null where nothing is.

        Signs do not matter: it is never added.
        """
        taken = None
        for name in _DEDUCTIONS:
            if name not in self.rows.columns:
                continue
            pattern = self.rows.dialect.orders.refunded_pattern if name == "refunded" else None
            plain = self._within(name, pattern, sieve) if pattern else self._read_deduction(name, sieve)
            units, bad = minor_units(plain, places, rates)
            sieve.row(bad, f"{name}: {{}} is not a number", quoted(plain, bad))
            units = pc.abs(units)
            taken = units if taken is None else pc.coalesce(pc.add(taken, units), taken, units)
        if taken is not None and self.again is not None:
            taken = pc.if_else(self.again, pa.scalar(None, pa.int64()), taken)
        return taken

    def _read_deduction(self, name: str, sieve: Sieve) -> pa.Array:
        column = flat(self.rows.columns[name])
        if not is_text(column.type):
            return column
        amounts = read_amounts(as_text(column)[0], self.rows.way.habits.notation)
        sieve.row(amounts.bad, f"{name}: {{}} is not a number", quoted(column, amounts.bad))
        if amounts.marks is not None:
            strange = pc.and_(
                pc.is_valid(amounts.marks), pc.is_null(_currencies(amounts.marks, self.rows.account.currency))
            )
            sieve.row(
                strange,
                f"{name} has {{}} next to it, which is not a currency, or is one of several",
                amounts.marks,
            )
        return amounts.plain

    def _within(self, name: str, pattern: str, sieve: Sieve) -> pa.Array:
        """The sum of all amounts within a text, without their signs."""
        codes = as_text(self.rows.columns[name])[0].dictionary_encode()
        notation, sums = self.rows.way.habits.notation, []
        for text in codes.dictionary.to_pylist():
            parts = read_amounts(pa.array(within(text, pattern), pa.string()), notation).plain.to_pylist()
            sums.append(
                str(sum((abs(Decimal(part)) for part in parts if part), Decimal()))
                if parts and None not in parts
                else None
            )
        return pa.array(sums, pa.string()).take(codes.indices)


def _product(price: pa.Array, pieces: pa.Array) -> pa.Array:
    """Price times pieces, exactly."""
    try:
        factors = [as_text(array)[0].cast(pa.decimal128(18, 6)) for array in (price, pieces)]
        return pc.multiply(*factors)
    except pa.ArrowInvalid:
        pairs = zip(as_text(price)[0].to_pylist(), as_text(pieces)[0].to_pylist(), strict=True)
        return pa.array(
            [str(Decimal(cost) * Decimal(many)) if cost and many else None for cost, many in pairs],
            pa.string(),
        )


def _currencies(texts: pa.Array, own: str) -> pa.Array:
    """Codes of what a column or a mark says; null where it is no currency, or one of several."""
    codes = pc.utf8_upper(texts).dictionary_encode()
    return pa.array(
        [None if text is None else meant(text, own) for text in codes.dictionary.to_pylist()], pa.string()
    ).take(codes.indices)


def _signed(kinds: pa.Array, units: pa.Array, given_back: pa.Array | None) -> tuple[pa.Array, pa.Array]:
    """A purchase of a negative amount is a refund, with all of its rows, and a refund's amount is negative."""
    if given_back is not None and pc.any(given_back).as_py():
        kinds = pc.if_else(pc.and_(given_back, pc.equal(kinds, "purchase")), "refund", kinds)
    ends: dict[str, int | None] = pc.min_max(units).as_py()
    if (ends["min"] or 0) < 0:
        turned = pc.fill_null(pc.and_(pc.equal(kinds, "purchase"), pc.less(units, 0)), False)
        kinds = pc.if_else(turned, "refund", kinds)
    if (ends["max"] or 0) > 0:
        refunds = pc.equal(kinds, "refund")
        if pc.any(refunds).as_py():
            units = pc.if_else(
                pc.and_(refunds, pc.fill_null(pc.greater(units, 0), False)), pc.negate(units), units
            )
    return kinds, units
