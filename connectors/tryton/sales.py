"""What do sales, invoices and opportunities of Tryton mean as activity?

Without taxes and line by line. One of the three is the purchase (``purchases``), so that none counts twice; an
opportunity that is none is told as what it is. A sale counts from its confirmation, an invoice once it is posted;
what was cancelled is taken back, and a negative amount is a refund.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.search_read.activity import Activity, Happening, Line
from connectors.search_read.server import Row
from connectors.tryton.server import Tryton, plain
from connectors.values.home_amounts import Amounts

_LINES = ("lines.type", "lines.quantity", "lines.amount", "lines.description", "lines.product.rec_name")


class Sales(Activity):
    """Sales or invoices: rows with lines."""

    kind = "purchase"

    def __init__(
        self, server: Tryton, amounts: Amounts, name: str, model: str, date: str, states: tuple[str, ...]
    ) -> None:
        super().__init__(server.account, amounts)
        self.name, self.model, self._date, self._states = name, model, date, states
        self.domain = [["type", "=", "out"]] if name == "invoice" else []
        self.details = {f"{model.removesuffix('.sale')}.line": name}
        self.fields = ("party", "state", date, "currency.code", "untaxed_amount", *_LINES)

    def happening(self, row: Row) -> Happening | None:
        if row.get("state") not in self._states:
            return None
        sold = (line for line in row.get("lines.") or () if line.get("type") == "line")
        currency = str((row.get("currency.") or {}).get("code") or "")
        amount, party = plain(row.get("untaxed_amount")), (int(row["party"]),) if row.get("party") else ()
        lines = tuple(
            Line(_product(line), None, line.get("quantity"), plain(line.get("amount"))) for line in sold
        )
        return Happening(row["id"], plain(row.get(self._date)), party, None, amount, currency, lines)


class Opportunities(Activity):
    """Opportunities that were won: as purchases, or as what they are."""

    name, model, domain, details = "opportunity", "sale.opportunity", [], {}
    fields = ("party", "state", "start_date", "end_date", "amount", "currency")

    def __init__(self, server: Tryton, amounts: Amounts, kind: str) -> None:
        super().__init__(server.account, amounts)
        self.kind = kind

    def happening(self, row: Row) -> Happening | None:
        if row.get("state") not in ("converted", "won") or not row.get("party"):
            return None
        day = plain(row.get("end_date")) or plain(row.get("start_date"))
        return Happening(
            row["id"],
            day,
            (int(row["party"]),),
            None,
            plain(row.get("amount")),
            self.amounts.home,
            answer="won",
        )


def _product(line: Row) -> str | None:
    product = (line.get("product.") or {}).get("rec_name")
    return str(product or line.get("description") or "") or None


def sources(server: Tryton) -> Iterator[Activity]:
    """What activity is read from, as far as some segmentation uses it and the database has it."""
    used, chosen = server.account.activity_types, server.account.settings.purchases
    amounts = Amounts(server.account, str((server.company().get("currency.") or {}).get("code") or ""))
    buys = used is None or bool(used & {"purchase", "refund"})
    if chosen == "sales" and buys and server.fields_of("sale.sale"):
        yield Sales(server, amounts, "sale", "sale.sale", "sale_date", ("confirmed", "processing", "done"))
    if chosen == "invoices" and buys and server.fields_of("account.invoice"):
        yield Sales(server, amounts, "invoice", "account.invoice", "invoice_date", ("posted", "paid"))
    kind = "purchase" if chosen == "opportunities" else "opportunity"
    if (buys if kind == "purchase" else used is None or kind in used) and server.fields_of(
        "sale.opportunity"
    ):
        yield Opportunities(server, amounts, kind)
