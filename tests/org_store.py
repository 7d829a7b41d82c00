"""People who keep their CRM in a Salesforce org: the contract suite's account over our stand-in for it.

The suite calls its contacts "1" and "2"; Salesforce gives ids of its own. ``Renamed`` stands between:
whatever leaves the connector bears the suite's names, whatever comes in bears Salesforce's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from connectors import open_connector, settings_model
from connectors.contract import (
    Account,
    Attribute,
    Automations,
    Connector,
    FieldReference,
    FieldSpec,
    ListSpec,
    Page,
    Problem,
    RemoteList,
    Ticket,
)
from tests.contract_suite import LIST, REASON, SEGMENT, Crm
from tests.servers.salesforce import Server

# A purchase has a date, which begins at midnight of the account's zone: here, at noon of UTC.
ZONE = "Etc/GMT-12"
_IDS = ("id", "record_id", "merged_into", "converted_to")
RIGHTS = (
    "ApiEnabled",
    "ViewSetup",
    "CustomizeApplication",
    "ManageUsers",
    "ManagePublicListViews",
    "ViewAllData",
)


class Names(dict[str, str]):
    """What the suite calls a record → its id in Salesforce."""

    def translated(self, table: pa.Table, outward: bool) -> pa.Table:
        """A table with the other names; unknown ones stay."""
        words = {id: name for name, id in self.items()} if outward else dict(self)
        for column in table.column_names:
            if column in _IDS and pa.types.is_string(table.schema.field(column).type):
                values = [words.get(value, value) for value in table[column].to_pylist()]
                position = table.schema.get_field_index(column)
                table = table.set_column(position, table.schema.field(column), pa.array(values, pa.string()))
        return table


class Renamed(Connector):
    """A connector whose records are called as the suite calls them."""

    def __init__(self, inner: Connector, names: Names) -> None:
        self.inner, self.names = inner, names
        self.capabilities, self.calls = inner.capabilities, inner.calls

    def check(self) -> list[Problem]:
        return self.inner.check()

    def count(self, stream: str) -> int | None:
        return self.inner.count(stream)

    def read(self, stream: str, position: str | None) -> Iterator[Page]:
        yield from map(self._out, self.inner.read(stream, position))

    def _out(self, page: Page) -> Page:
        return replace(page, records=self.names.translated(page.records, outward=True))

    def fields(self) -> dict[tuple[str, str], FieldSpec]:
        return self.inner.fields()

    def ensure_field(self, spec: FieldSpec) -> FieldReference:
        return self.inner.ensure_field(spec)

    def normal(self, spec: FieldSpec, value: str | None) -> str | None:
        return self.inner.normal(spec, value)

    def lists(self) -> list[RemoteList]:
        return self.inner.lists()

    def ensure_list(self, spec: ListSpec) -> RemoteList:
        return self.inner.ensure_list(spec)

    def changed_lists(self, specs: Sequence[ListSpec]) -> dict[str, str]:
        return self.inner.changed_lists(specs)

    def members(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        yield from map(self._out, self.inner.members(remote, position))

    def write_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return self.inner.write_fields(self._in(changes), ticket)

    def write_members(self, remote: RemoteList, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return self.inner.write_members(remote, self._in(changes), ticket)

    def current_values(self, changes: pa.Table) -> pa.Array:
        return self.inner.current_values(self._in(changes))

    def current_members(self, remote: RemoteList, changes: pa.Table) -> pa.Array:
        return self.inner.current_members(remote, self._in(changes))

    def settle_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return self.inner.settle_fields(self._in(changes), ticket)

    def settle_members(self, remote: RemoteList, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return self.inner.settle_members(remote, self._in(changes), ticket)

    def _in(self, changes: pa.Table) -> pa.Table:
        return self.names.translated(changes, outward=False)

    def caught_up(self, stream: str | RemoteList, position: str) -> str | None:
        return self.inner.caught_up(stream, position)

    def automations(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> Automations:
        return self.inner.automations(fields, lists)

    def close(self) -> None:
        self.inner.close()


class OrgCrm(Crm):
    """An org that a server serves.

    Two seconds pass before a connector is opened: stamps have whole seconds, windows are half open.
    """

    def __init__(self, server: Server, **settings: Any) -> None:
        self.server, self.org = server, server.org
        login = self.org.login
        credentials = {"client_id": login.client_id, "client_secret": login.client_secret}
        self.settings = {"api_url": server.url, "campaigns": True, **credentials, **settings}
        self.names = Names()
        self.lists: dict[str, str] = {}
        self._opened: list[Connector] = []

    def connect(self) -> Connector:
        self.org.clock.advance(2)
        settings = settings_model("salesforce")(**self.settings)
        city = {"city": Attribute("MailingCity")}
        account = Account(
            "org",
            "salesforce",
            settings,
            time_zone=ZONE,
            attributes=city,
            fields=(SEGMENT, REASON),
            lists={id: key for key, id in self.lists.items()},
        )
        opened = Renamed(Remembering(open_connector(account), self.lists), self.names)
        self._opened.append(opened)
        return opened

    def put(
        self, id: str, *, email: str | None = None, city: str | None = None, merged_into: str | None = None
    ) -> None:
        if merged_into is not None:
            self.org.merge("Contact", self.names[merged_into], self.names[id])
            return
        values = {"Email": email, "MailingCity": city}
        if id in self.names:
            self.org.edit("Contact", self.names[id], **values)
        else:
            self.names[id] = self.org.create("Contact", LastName=f"Contact {id}", **values)

    def delete(self, id: str) -> None:
        self.org.delete("Contact", self.names[id])

    def buy(self, id: str, moment: datetime, amount: str, order: str) -> None:
        day = (moment + timedelta(hours=12)).date().isoformat()
        values = {"Name": order, "Amount": amount, "StageName": "Closed Won", "CloseDate": day}
        self.org.create("Opportunity", ContactId=self.names[id], **values)

    def set_field(self, id: str, name: str, value: str | None) -> None:
        self.org.edit("Contact", self.names[id], **{f"{name}__c": value})

    def set_member(self, key: str, id: str, member: bool) -> None:
        assert key == LIST.key
        (campaign,) = self.org.rows("Campaign", "Name = ? AND IsDeleted = 0", LIST.label)
        if member:
            self.org.create("CampaignMember", CampaignId=campaign["Id"], ContactId=self.names[id])
            return
        test = "CampaignId = ? AND ContactId = ? AND IsDeleted = 0"
        for row in self.org.rows("CampaignMember", test, campaign["Id"], self.names[id]):
            self.org.delete("CampaignMember", row["Id"])

    def close(self) -> None:
        for connector in self._opened:
            connector.close()


class Remembering(Renamed):
    """Keeps the ids of the lists that were made, and gives them back, as the journal does."""

    def __init__(self, inner: Connector, made: dict[str, str]) -> None:
        super().__init__(inner, Names())
        self.made = made  # key → id

    def ensure_list(self, spec: ListSpec) -> RemoteList:
        remote = self.inner.ensure_list(replace(spec, id=self.made.get(spec.key, "")))
        self.made[spec.key] = remote.id
        return remote
