"""People who keep their CRM in Tryton: the contract suite's account on a real server.

Segments stand in categories; the texts of the suite's reasons stand in a field, by the module in the documentation.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors import open_connector, settings_model
from connectors.contract import Account, Attribute, Connector
from tests.contract_suite import LIST, REASON, SEGMENT, Crm
from tests.org_store import ZONE, Names, Remembering, Renamed
from tests.servers.tryton import TrytonServer


class TrytonCrm(Crm):
    """A database that a server serves."""

    def __init__(self, server: TrytonServer, **settings: Any) -> None:
        self.server, self.people = server, server.people()
        self.settings = {**server.settings, **settings}
        self.names = Names()
        self.lists: dict[str, str] = {}
        self._opened: list[Connector] = []

    def account(self) -> Account:
        return Account(
            "tryton",
            "tryton",
            settings_model("tryton")(**self.settings),
            time_zone=ZONE,
            attributes={"city": Attribute("city")},
            fields=(SEGMENT, REASON),
            lists={id: key for key, id in self.lists.items()},
        )

    def connect(self) -> Connector:
        opened = Renamed(Remembering(open_connector(self.account()), self.lists), self.names)
        self._opened.append(opened)
        return opened

    def put(
        self, id: str, *, email: str | None = None, city: str | None = None, merged_into: str | None = None
    ) -> None:
        if merged_into is not None:
            self.people.replace(int(self.names[id]), int(self.names[merged_into]))
        elif id in self.names:
            (row,) = self.people.find("party.party", [["id", "=", int(self.names[id])]], "addresses")
            self.people.call("party.address", "write", row["addresses"], {"city": city})
        else:
            (made,) = self.people.create("party.party", self.people.party("Somebody", email, city))
            self.names[id] = str(made)

    def delete(self, id: str) -> None:
        self.people.call("party.party", "delete", [int(self.names[id])])

    def buy(self, id: str, moment: datetime, amount: str, order: str) -> None:
        self.people.sell((int(self.names[id]), (moment + timedelta(hours=12)).date(), str(Decimal(amount))))

    def set_field(self, id: str, name: str, value: str | None) -> None:
        below = self.people.find("party.category", [["parent.name", "=", SEGMENT.label]], "name")
        labels = {option.key: option.label for option in SEGMENT.options}
        orders: list[Any] = [["remove", [row["id"] for row in below]]]
        orders += [["add", [row["id"]]] for row in below if row["name"] == labels.get(value or "")]
        self.people.call("party.party", "write", [int(self.names[id])], {"categories": orders})

    def set_member(self, key: str, id: str, member: bool) -> None:
        assert key == LIST.key
        (row,) = self.people.find("party.party", [["id", "=", int(self.names[id])]], "email")
        (listed,) = self.people.find("marketing.email.list", [["name", "=", LIST.label]], "name")
        if member:
            self.people.create("marketing.email", {"email": row["email"], "list_": listed["id"]})
            return
        domain = [["email", "=", row["email"]], ["list_", "=", listed["id"]]]
        self.people.call(
            "marketing.email", "delete", [row["id"] for row in self.people.find("marketing.email", domain)]
        )

    def close(self) -> None:
        for connector in self._opened:
            connector.close()
