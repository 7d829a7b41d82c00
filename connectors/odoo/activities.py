"""What do orders, invoices, leads, mailings and meetings of Odoo mean as activity?

Purchases are without taxes and line by line; one of orders, invoices and leads tells them (``purchases``), so that
none counts twice. Times are UTC without a zone, days are days.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from connectors.odoo.server import Odoo, named
from connectors.search_read.activity import Activity, Happening, Line
from connectors.search_read.server import Domain, Row
from connectors.values.home_amounts import Amounts
from connectors.values.rejects import Rejects


@dataclass(frozen=True)
class _Terms:
    """What a model calls what is read of it."""

    model: str
    domain: Domain
    moment: str
    amount: str = ""
    lines: tuple[str, str, str] | None = (
        None  # model of the lines, their field for the row, and for the quantity
    )
    owner: str = "partner_id"
    campaign: str = ""


_PURCHASES = {
    "orders": ("order", _Terms(
        "sale.order", [["state", "in", ["sale", "done"]]], "date_order", "amount_untaxed",
        ("sale.order.line", "order_id", "product_uom_qty"))),
    "invoices": ("invoice", _Terms(
        "account.move", [["state", "=", "posted"], ["move_type", "in", ["out_invoice", "out_refund"]]], "invoice_date",
        "amount_untaxed_signed", ("account.move.line", "move_id", "quantity"))),
    "leads": ("lead", _Terms(
        "crm.lead", [["type", "=", "opportunity"], ["stage_id.is_won", "=", True], ["active", "=", True]], "date_closed",
        "expected_revenue")),
}  # fmt: skip
_OTHERS = {
    "opportunity": replace(_PURCHASES["leads"][1], amount=""),
    "email_open": _Terms(
        "mailing.trace",
        [["open_datetime", "!=", False]],
        "open_datetime",
        owner="",
        campaign="mass_mailing_id",
    ),
    "email_click": _Terms(
        "mailing.trace",
        [["links_click_datetime", "!=", False]],
        "links_click_datetime",
        owner="",
        campaign="mass_mailing_id",
    ),
    "meeting": _Terms("calendar.event", [], "start", owner="partner_ids"),
}


class Rows(Activity):
    """The rows of one model."""

    def __init__(self, server: Odoo, amounts: Amounts, name: str, kind: str, terms: _Terms) -> None:
        super().__init__(server.account, amounts)
        self._server, self._terms, self.name, self.kind, self.model = server, terms, name, kind, terms.model
        there = server.fields_of(self.model)
        company = server.company() and "company_id" in there
        self.domain = [*terms.domain, *([["company_id", "=", server.company()]] if company else [])]
        currency = "" if terms.amount in ("amount_untaxed_signed", "expected_revenue") else "currency_id"
        wanted = (
            terms.moment,
            terms.amount,
            terms.owner,
            terms.campaign,
            currency,
            "email",
            "model",
            "res_id",
        )
        self.fields = tuple(name for name in wanted if name and (name in there))
        self.details = {terms.lines[0]: terms.lines[1]} if terms.lines else {}

    def table(self, rows: Sequence[Row], rejects: Rejects, whole: bool) -> pa.Table:
        lines: dict[int, list[Line]] = {}
        if self._terms.lines and rows:
            model, owner, quantity = self._terms.lines
            kinds = ["product", False] if model == "account.move.line" else [False]
            domain = [[owner, "in", [row["id"] for row in rows]], ["display_type", "in", kinds]]
            for page in self._server.paged(
                model, domain, [owner, "product_id", "name", quantity, "price_subtotal"]
            ):
                for line in page:
                    lines.setdefault(self._server.reference(line[owner]), []).append(_line(line, quantity))
        return super().table([row | {"lines": lines.get(row["id"], [])} for row in rows], rejects, whole)

    def happening(self, row: Row) -> Happening | None:
        moment, owner = row.get(self._terms.moment), row.get(self._terms.owner)
        direct = row.get("model") == "res.partner" and row.get("res_id")
        records = (int(direct),) if direct else _owners(owner)
        email = None if records or self._terms.owner else row.get("email") or None
        if not records and not email and self.kind != "purchase":
            return None
        return Happening(
            row["id"],
            str(moment or "") if len(str(moment or "")) <= 10 else f"{moment}Z".replace(" ", "T"),
            records,
            email,
            str(row[self._terms.amount])
            if self._terms.amount and row.get(self._terms.amount) is not None
            else "",
            named(row.get("currency_id")) or self.amounts.home,
            tuple(row.get("lines") or ()),
            named(row.get(self._terms.campaign)) or None if self._terms.campaign else None,
        )


def _owners(value: Any) -> tuple[int, ...]:
    """Of a many2one ([id, name]) or many2many (ids)."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], str):
        return (int(value[0]),)
    return tuple(int(id) for id in value) if isinstance(value, list) else ()


def _line(line: Row, quantity: str) -> Line:
    product = named(line.get("product_id")) or str(line.get("name") or "")
    return Line(product or None, None, float(line.get(quantity) or 0), str(line.get("price_subtotal") or 0))


def sources(server: Odoo) -> Iterator[Activity]:
    """What activity is read from, as far as some segmentation uses it and the database has it."""
    used, home = server.account.activity_types, home_currency(server)
    name, terms = _PURCHASES[server.account.settings.purchases]
    amounts = Amounts(server.account, home)
    if (used is None or used & {"purchase", "refund"}) and server.fields_of(terms.model):
        yield Rows(server, amounts, name, "purchase", terms)
    for kind, others in _OTHERS.items():
        twice = others.model == terms.model
        if (used is None or kind in used) and not twice and server.fields_of(others.model):
            yield Rows(server, amounts, kind, kind, others)


def home_currency(server: Odoo) -> str:
    """The currency of the company."""
    domain = [["id", "=", server.company()]] if server.company() else []
    rows = server.search_read("res.company", domain, ["currency_id"], 1)
    return named(rows[0]["currency_id"]) if rows else ""
