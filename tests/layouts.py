"""One truth about a shop, written in the layouts that shops and people write: the reader must give it back,
or refuse.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

TODAY = date(2026, 11, 27)
CUSTOMERS = range(1001, 1013)


@dataclass(frozen=True)
class Order:
    """What happened: a status that does not count means that it did not.

    ``refund`` is given back two days later.
    """

    id: str
    customer: int
    moment: datetime
    lines: tuple[Decimal, ...]
    counted: bool = True
    refund: Decimal = Decimal()
    strange: bool = False  # in the layouts that have such: of another currency, of a status that nobody knows

    @property
    def total(self) -> Decimal:
        return sum(self.lines, Decimal())


@dataclass(frozen=True)
class Customer:
    """The right answer about one customer."""

    orders: int = 0
    revenue: Decimal = Decimal()
    last: date | None = None


MARKS = {"": "{}", "behind": "{} €", "before": "€{}", "code before": "EUR {}", "code behind": "{}\u00a0EUR"}
IDS = {
    "plain": "{}",
    "float": "{}.0",
    "zeros": "{:07}",
    "letter": "C{}",
    "email": "Kunde{}@Example.com",
    "apostrophe": "'00{}",
}
ORDER_IDS = {"plain": "{}", "hash": "#{}", "coded": "ORD-{:06}"}
NEGATIVES = {"minus": "-{}", "trailing": "{}-", "parentheses": "({})", "true minus": "\u2212{}"}
HEADERS: dict[str, dict[str, str]] = {
    "ours": {"order": "order_id", "customer": "customer_id", "day": "order_date", "clock": "order_time", "total": "total",
             "status": "status", "price": "unit price", "pieces": "quantity", "item": "sku", "own": "line total", "email": "email",
             "name": "first_name", "refunded": "refunded_amount", "kind": "type", "currency": "currency"},
    "German": {"order": "Bestellnummer", "customer": "Kundennummer", "day": "Bestelldatum", "clock": "Uhrzeit", "total": "Gesamtbetrag",
               "status": "Bestellstatus", "price": "Einzelpreis", "pieces": "Menge", "item": "Artikelnummer", "own": "Betrag",
               "email": "E-Mail", "name": "Vorname", "refunded": "Erstattungsbetrag", "kind": "Belegart", "currency": "Währung"},
    "English": {"order": "Order Number", "customer": "Customer ID", "day": "Order Date", "clock": "Time", "total": "Order Total",
                "status": "Order Status", "price": "Item Price", "pieces": "Qty", "item": "SKU", "own": "Amount", "email": "Email",
                "name": "First Name", "refunded": "Amount Refunded", "kind": "Transaction type", "currency": "Currency code"},
    "French": {"order": "Numéro commande", "customer": "ID client", "day": "Date commande", "clock": "Heure", "total": "Montant total",
               "status": "Statut", "price": "Prix unitaire", "pieces": "Quantité", "item": "SKU", "own": "Montant",
               "email": "Courriel", "name": "Prénom", "refunded": "Montant remboursé", "kind": "Type", "currency": "Devise"},
    "short": {"order": "Order no.", "customer": "Cust. no", "day": "Date", "clock": "Time", "total": "Amount", "status": "State",
              "price": "Price", "pieces": "Units", "item": "Article", "own": "Amount", "email": "Mail", "name": "Given name",
              "refunded": "Refunded", "kind": "Typ", "currency": "cur"},
}  # fmt: skip
DAYS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%m/%d/%Y", "%m/%d/%Y %I:%M %p", "%d/%m/%Y",
    "%d/%m/%Y %H:%M", "%d-%b-%Y", "%b %d, %Y", "%b %d, %Y %I:%M:%S %p", "%d %B %Y", "%d.%m.%y", "%m/%d/%y", "%Y/%m/%d %H:%M", "%Y%m%d",
    "unix", "unix_ms", "excel", "%Y-%m-%d %H:%M:%S UTC", "%d-%m-%Y", "%a, %d %b %Y %H:%M:%S +0000", "%d/%m/%y", "%y/%m/%d",
)  # fmt: skip
CLOCKS = ("%H:%M", "%I:%M %p", "%H:%M:%S")
STATUSES = (
    ("paid", "cancelled"),
    ("Completed", "Refunded"),
    ("wc-completed", "wc-failed"),
    ("bezahlt", "storniert"),
    ("payée", "annulée"),
)
KINDS = (("Sale", "Refund"), ("Verkauf", "Gutschrift"), ("charge", "refund"), ("Invoice", "Credit note"))
DECOYS = ("Ship date", "Delivery date", "Subtotal", "Tax", "Shipping", "Discount", "Invoice No", "Shop id", "Postal code", "Note",
          "Payment method", "Due date", "Customer name", "Country", "Refund reason", "Fulfillment status", "Balance")  # fmt: skip


@dataclass
class Layout:
    """How the truth is written. Everything is a word or a number, so that a failure shows the layout."""

    decimal: str = "."
    thousands: str = ""
    grouping: str = "thousands"  # or lakhs
    mark: str = ""
    delimiter: str = ","
    encoding: str = "utf-8"
    suffix: str = ".csv"
    newline: str = "\r\n"
    quoted: bool = False
    sep_line: bool = False
    day: str = "%Y-%m-%d"
    clock: str = ""
    ids: str = "plain"
    contact_ids: str = "plain"
    order_ids: str = "plain"
    lines: str = "total"  # total | own | repeat | blank | pieces
    status: tuple[str, str] | None = None  # words that count, and that do not
    strange: str = ""  # currency | status | blank status: what is odd about an order that is strange
    refunds: str = ""  # "", column, kind, or one of NEGATIVES
    refund_ids: str = "same"  # or own
    kinds: tuple[str, str] = KINDS[0]
    currency: bool = False
    totals: str = ""  # "", bottom, top, between
    repeated_header: bool = False
    trailing: bool = False
    titles: int = 0
    blanks: bool = False
    odd_contacts: bool = False  # blank ids, duplicates, repeated headers
    files: int = 1
    decoys: tuple[str, ...] = ()
    order: int = 0  # of the columns: a seed; 0: as usual
    headers: str = "ours"

    @property
    def names(self) -> dict[str, str]:
        return HEADERS[self.headers]

    def money(self, amount: Decimal) -> str:
        whole, _, cents = f"{abs(amount):.2f}".partition(".")
        groups = _groups(whole, self.grouping).replace(",", self.thousands) if self.thousands else whole
        text = MARKS[self.mark].format(f"{groups}{self.decimal}{cents}")
        return (
            text
            if amount >= 0
            else NEGATIVES[self.refunds if self.refunds in NEGATIVES else "minus"].format(text)
        )

    def changed(self) -> dict[str, Any]:
        """What differs from a plain layout."""
        return {name: value for name, value in self.__dict__.items() if value != getattr(Layout, name)}


def _groups(whole: str, grouping: str) -> str:
    if grouping == "thousands" or len(whole) < 4:
        return f"{int(whole):,}"
    head, tail = whole[:-3], whole[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
    return ",".join([*pairs, tail])


def _often(draw: st.DrawFn, usual: Any, *others: Any, one_in: int = 4) -> Any:
    """The usual value mostly: a layout with everything odd at once is refused, and tells nothing."""
    return draw(st.sampled_from(others)) if draw(st.integers(1, one_in)) == 1 else usual


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Layouts as they occur, and combinations that may."""
    decimal, thousands = draw(
        st.sampled_from(
            [
                (".", ""),
                (".", ","),
                (",", ""),
                (",", "."),
                (",", "\u00a0"),
                (",", "\u202f"),
                (".", "'"),
                (",", " "),
            ]
        )
    )
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "cp1252", "utf-16"]))
    refunds = _often(draw, "", "column", "kind", *NEGATIVES, one_in=3)
    strange = _often(draw, "", "currency", "status", "blank status", one_in=8)
    lines = draw(st.sampled_from(["total", "total", "own", "repeat", "blank", "pieces"]))
    ids = draw(st.sampled_from(list(IDS)))
    day = draw(st.sampled_from(DAYS))
    headers = draw(st.sampled_from(list(HEADERS)))
    if encoding == "cp1252":
        thousands = "\u00a0" if thousands == "\u202f" else thousands
        refunds = "minus" if refunds == "true minus" else refunds
    dated = not any(part in day for part in ("%H", "%I", "unix", "excel"))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    return Layout(
        decimal, thousands, "lakhs" if thousands == "," and draw(st.integers(0, 3)) == 0 else "thousands",
        draw(st.sampled_from(["", "", *MARKS])), delimiter, encoding,
        _often(draw, ".csv", ".CSV", ".txt", ".tsv", ".xlsx", ".parquet"),
        _often(draw, "\r\n", "\n", one_in=2), _often(draw, False, True), _often(draw, False, True, one_in=8),
        day, draw(st.sampled_from(CLOCKS)) if dated and draw(st.integers(0, 2)) == 0 else "",
        ids, ids if ids in ("letter", "email") else draw(st.sampled_from(["plain", "plain", "zeros", "float"])),
        draw(st.sampled_from(list(ORDER_IDS))), lines,
        draw(st.sampled_from(STATUSES)) if strange.endswith("status") or draw(st.integers(0, 1)) else None, strange,
        refunds if (refunds == "column") != (lines in ("own", "pieces")) or lines == "total" else "",
        draw(st.sampled_from(["same", "own"])), draw(st.sampled_from(KINDS)),
        strange == "currency" or draw(st.integers(0, 4)) == 0,
        _often(draw, "", "bottom", "top", "between", one_in=3), _often(draw, False, True, one_in=6), _often(draw, False, True, one_in=8),
        _often(draw, 0, 1, 2, one_in=5), _often(draw, False, True), _often(draw, False, True), _often(draw, 1, 2, 3, one_in=6),
        tuple(draw(st.lists(st.sampled_from(DECOYS), max_size=4, unique=True))), draw(st.integers(0, 20)), headers,
    )  # fmt: skip


@st.composite
def truths(draw: st.DrawFn) -> list[Order]:
    """Orders of a year and a half: enough for days beyond the twelfth and amounts with cents, or so few that
    nothing is proven.
    """
    count = draw(st.integers(3, 40))
    amounts = st.decimals(Decimal("0.01"), Decimal("250000"), places=2, allow_nan=False, allow_infinity=False)
    amounts = st.one_of(
        amounts, st.decimals(Decimal("0.01"), Decimal("1500"), places=2), st.just(Decimal("0.00"))
    )
    orders = []
    for number in range(count):
        days = draw(st.integers(3, 540))
        moment = datetime(
            TODAY.year, TODAY.month, TODAY.day, draw(st.integers(0, 23)), draw(st.integers(0, 59)), 5
        ) - timedelta(days=days)
        lines = tuple(draw(st.lists(amounts, min_size=1, max_size=3)))
        part = draw(st.sampled_from([0, 0, 0, 1, 2]))
        refund = (sum(lines, Decimal()) * part / 2).quantize(Decimal("0.01"), rounding="ROUND_DOWN")
        # few: what most are in is the shop's own
        counted, strange = (draw(st.integers(0, 4)) > 0, number % 7 == 3)
        orders.append(
            Order(str(number), draw(st.sampled_from(CUSTOMERS)), moment, lines, counted, refund, strange)
        )
    return orders


def written(orders: Sequence[Order], layout: Layout) -> list[Order]:
    """The orders that a layout can write: some write an order's first line alone."""
    several = layout.lines in ("own", "repeat", "blank", "pieces")
    kept = []
    for order in orders:
        lines = order.lines if several else order.lines[:1]
        refund = min(order.refund, sum(lines, Decimal())) if layout.refunds else Decimal()
        kept.append(
            Order(
                order.id,
                order.customer,
                order.moment,
                lines,
                order.counted,
                refund,
                order.strange and bool(layout.strange),
            )
        )
    return kept


def answers(orders: Sequence[Order], layout: Layout) -> dict[int, Customer]:
    """What is right, by customer. Orders that are strange are refused, and so are not in it."""
    buyers = {customer: Customer() for customer in CUSTOMERS}
    for order in written(orders, layout):
        if order.strange or (layout.status is not None and not order.counted):
            continue
        if layout.refunds == "column" and order.refund > 0 and order.refund >= order.total:
            continue
        buyer = buyers[order.customer]
        last = max(filter(None, (buyer.last, order.moment.date())))
        buyers[order.customer] = Customer(buyer.orders + 1, buyer.revenue + order.total - order.refund, last)
    return buyers


def write(folder: Path, orders: Sequence[Order], layout: Layout) -> None:
    """The folder of exports. Contacts write their ids plainly, purchases as the layout says."""
    folder.mkdir(parents=True, exist_ok=True)
    names = layout.names
    email = layout.ids == "email"
    people = [
        [
            names["customer"],
            names["name"],
            *([] if email else [names["email"]]),
            "Total spent",
            "Orders count",
        ]
    ]
    for customer in CUSTOMERS:
        id_ = f"kunde{customer}@example.com" if email else IDS[layout.contact_ids].format(customer)
        people.append(
            [
                id_,
                "Zoë",
                *([] if email else [f"kunde{customer}@example.com"]),
                layout.money(Decimal(customer)),
                "3",
            ]
        )
    if layout.odd_contacts:
        people += [people[3], ["", "Nobody", *people[3][2:]], people[0], people[5]]
    _save(folder / f"contacts{layout.suffix}", people, layout, titles=0)
    size = -(-len(orders) // layout.files)
    for number in range(layout.files):
        part = written(orders, layout)[number * size : (number + 1) * size]
        name = f"orders{number + 1}" if layout.files > 1 else "orders"
        if part:
            _save(folder / f"{name}{layout.suffix}", _rows(part, layout), layout, titles=layout.titles)


def _rows(orders: Sequence[Order], layout: Layout) -> list[list[str]]:
    rows: list[dict[str, str] | None] = []
    for order in orders:
        several = layout.lines in ("own", "repeat", "blank", "pieces")
        for number, line in enumerate(order.lines):
            amount = line if layout.lines in ("own", "pieces") else order.total
            row = _row(order, layout, order.id, order.moment, amount, 0)
            row |= {"item": f"SKU{number}"} if several else {}
            if layout.lines == "blank" and number > 0:
                row = {"order": row["order"], "item": row["item"]}
            rows.append(row)
        if layout.refunds not in ("", "column") and order.refund:
            back = order.id if layout.refund_ids == "same" else str(int(order.id) + 5000)
            rows.append(_row(order, layout, back, order.moment + timedelta(days=2), -order.refund, 1))
        if layout.totals == "between" and int(order.id) % 7 == 3:
            rows.append({"order": "Subtotal", "amount": layout.money(order.total)})
        if layout.blanks and order.id == "1":
            rows.append({})
        if layout.repeated_header and int(order.id) % 9 == 4:
            rows.append(None)
    total = {"order": "Total", "amount": layout.money(sum((order.total for order in orders), Decimal()))}
    rows = [total, *rows] if layout.totals == "top" else [*rows, total] if layout.totals == "bottom" else rows
    header = _header(layout)
    table = [list(header.values())]
    for cells in rows:
        table.append(list(header.values()) if cells is None else [cells.get(name, "") for name in header])
    return [[*row, ""] for row in table] if layout.trailing else table


def _header(layout: Layout) -> dict[str, str]:
    """Which cell of a row → header, in the layout's order."""
    names = layout.names
    header = {"order": names["order"], "customer": names["customer"], "day": names["day"]}
    header |= {"clock": names["clock"]} if layout.clock else {}
    header |= {
        "amount": names["price" if layout.lines == "pieces" else "own" if layout.lines == "own" else "total"]
    }
    header |= {"pieces": names["pieces"]} if layout.lines == "pieces" else {}
    header |= {"status": names["status"]} if layout.status else {}
    header |= {"item": names["item"]} if layout.lines != "total" else {}
    header |= {"refunded": names["refunded"]} if layout.refunds == "column" else {}
    header |= {"kind": names["kind"]} if layout.refunds == "kind" else {}
    header |= {"currency": names["currency"]} if layout.currency else {}
    header |= {decoy: decoy for decoy in layout.decoys}
    order = list(header)
    if layout.order:
        random.Random(layout.order).shuffle(order)
    return {name: header[name] for name in order}


def _row(
    order: Order, layout: Layout, id_: str, moment: datetime, amount: Decimal, kind: int
) -> dict[str, str]:
    strange = layout.strange if order.strange else ""
    unknown = {"status": "zu klären", "blank status": ""}.get(strange)
    status = unknown if unknown is not None else layout.status[not order.counted] if layout.status else ""
    positive = layout.refunds == "kind"
    pieces = "-1" if amount < 0 and layout.refunds == "minus" else "1"
    if layout.lines == "pieces" and pieces == "-1":
        amount = -amount
    row = {
        "order": ORDER_IDS[layout.order_ids].format(int(id_)), "customer": IDS[layout.ids].format(order.customer),
        "day": _day(moment, layout.day), "clock": moment.strftime(layout.clock) if layout.clock else "",
        "amount": layout.money(abs(amount) if positive else amount), "pieces": pieces, "status": status, "kind": layout.kinds[kind],
        "refunded": layout.money(order.refund) if order.refund or int(order.id) % 2 else "",
        "currency": "USD" if strange == "currency" else "EUR",
    }  # fmt: skip
    return row | _decoys(order, layout, moment, amount)


def _decoys(order: Order, layout: Layout, moment: datetime, amount: Decimal) -> dict[str, str]:
    later = _day(moment + timedelta(days=40), layout.day)
    share = layout.money((abs(amount) * Decimal("0.19")).quantize(Decimal("0.01")))
    return {
        "Ship date": later, "Delivery date": later, "Due date": later, "Subtotal": share, "Tax": share, "Shipping": share,
        "Discount": share, "Balance": share, "Invoice No": f"R{order.id}{moment:%d}", "Shop id": "7", "Postal code": "01067",
        "Note": "gift", "Payment method": "card", "Customer name": "Zoë", "Country": "DE",
        "Refund reason": "damaged" if order.refund else "",
        "Fulfillment status": "unfulfilled",
    }  # fmt: skip


def _day(moment: datetime, form: str) -> str:
    seconds = (moment - datetime(1970, 1, 1)).total_seconds()
    if form == "unix":
        return str(int(seconds))
    if form == "unix_ms":
        return str(int(seconds * 1000))
    if form == "excel":
        return f"{seconds / 86400 + 25569:.6f}"
    return moment.strftime(form)


def _save(path: Path, rows: Sequence[Sequence[str]], layout: Layout, titles: int) -> None:
    if layout.suffix == ".xlsx":
        _save_sheet(path, rows, layout, titles)
        return
    if layout.suffix == ".parquet":
        _save_parquet(path, rows)
        return
    text = io.StringIO()
    if layout.sep_line:
        text.write(f"sep={layout.delimiter}{layout.newline}")
    quoting: Any = csv.QUOTE_ALL if layout.quoted else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=layout.delimiter, lineterminator=layout.newline, quoting=quoting)
    for number in range(titles):
        writer.writerow([f"Report {number}", *[""] * (len(rows[0]) - 1)])
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(layout.encoding))


def _save_sheet(path: Path, rows: Sequence[Sequence[str]], layout: Layout, titles: int) -> None:
    """A workbook whose amounts are numbers and whose times are times, where they would be in a shop's."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    for number in range(titles):
        sheet.append([f"Report {number}"])
    for row in rows:
        sheet.append([_typed(cell, layout) for cell in row])
    book.save(path)


def _typed(cell: str, layout: Layout) -> Any:
    if layout.quoted or not cell:  # texts all the way
        return cell or None
    if "%" in layout.day and "%y" not in layout.day and layout.day != "%Y%m%d":
        try:
            return datetime.strptime(cell, layout.day)
        except ValueError:
            pass
    plain = layout.thousands == "" and layout.decimal == "." and cell.count(".") == 1
    try:
        return float(cell) if plain else cell
    except ValueError:
        return cell


def _save_parquet(path: Path, rows: Sequence[Sequence[str]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = list(zip(*rows[1:], strict=True)) if len(rows) > 1 else [()] * len(rows[0])
    width = len(rows[0]) - (rows[0][-1] == "")
    arrays = [pa.array([cell or None for cell in column], pa.string()) for column in columns[:width]]
    pq.write_table(pa.table(arrays, list(rows[0][:width])), path)
