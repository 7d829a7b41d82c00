"""People who keep their CRM in Odoo: the contract suite's account on our stand-in for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from connectors import open_connector, settings_model
from connectors.contract import Account, Attribute, Connector
from tests.contract_suite import LIST, REASON, SEGMENT, Crm
from tests.org_store import Names, Remembering, Renamed
from tests.servers.odoo import Server


class OdooCrm(Crm):
    """A database that a server serves."""

    def __init__(self, server: Server, **settings: Any) -> None:
        self.server, self.database = server, server.database
        self.settings = {**server.settings, **settings}
        self.names = Names()
        self.lists: dict[str, str] = {}
        self._opened: list[Connector] = []

    def connect(self) -> Connector:
        account = Account(
            "odoo",
            "odoo",
            settings_model("odoo")(**self.settings),
            attributes={"city": Attribute("city")},
            fields=(SEGMENT, REASON),
            lists={id: key for key, id in self.lists.items()},
        )
        opened = Renamed(Remembering(open_connector(account), self.lists), self.names)
        self._opened.append(opened)
        return opened

    def put(
        self, id: str, *, email: str | None = None, city: str | None = None, merged_into: str | None = None
    ) -> None:
        values = {"name": "Somebody", "email": email or False, "city": city or False}
        if id in self.names:
            self.database.edit("res.partner", int(self.names[id]), **values)
        else:
            self.names[id] = str(self.database.make("res.partner", **values))

    def delete(self, id: str) -> None:
        self.database.delete("res.partner", int(self.names[id]))

    def buy(self, id: str, moment: datetime, amount: str, order: str) -> None:
        day = moment.strftime("%Y-%m-%d %H:%M:%S")
        sale = {
            "name": order,
            "state": "sale",
            "date_order": day,
            "amount_untaxed": float(amount),
            "currency_id": 1,
        }
        made = self.database.make("sale.order", partner_id=int(self.names[id]), **sale)
        self.database.make(
            "sale.order.line", order_id=made, name="Hat", product_uom_qty=1, price_subtotal=float(amount)
        )

    def set_field(self, id: str, name: str, value: str | None) -> None:
        self.database.edit("res.partner", int(self.names[id]), **{f"x_{name}": value or False})

    def set_member(self, key: str, id: str, member: bool) -> None:
        assert key == LIST.key
        email = self.database.rows["res.partner"][int(self.names[id])]["email"]
        contacts = self.database.rows["mailing.contact"]
        there = [contact for contact, row in contacts.items() if row["email"] == email]
        contact = there[0] if there else self.database.make("mailing.contact", name=email, email=email)
        (listed,) = (
            id for id, row in self.database.rows["mailing.list"].items() if row["name"] == LIST.label
        )
        self.database.edit("mailing.contact", contact, list_ids=[[4 if member else 3, listed]])

    def close(self) -> None:
        for connector in self._opened:
            connector.close()
