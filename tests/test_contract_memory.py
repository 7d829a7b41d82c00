"""Does the CRM in memory keep the contract: the template, and the one with faults that tests use?"""

from __future__ import annotations

from datetime import datetime

import pytest

from connectors.contract import Account, Attribute, Connector
from connectors.memory import MemoryConnector
from tests.contract_suite import REASON, SEGMENT, ContractSuite, Crm
from tests.memory_crm import MemoryCrm, Store


class MemoryAccount(Crm):
    def __init__(self) -> None:
        self.store = Store()
        self.settings = Account(
            "memory", "memory", None, attributes={"city": Attribute("city")}, fields=(SEGMENT, REASON)
        )

    def connect(self) -> Connector:
        return MemoryCrm(self.settings, self.store, page_size=5)

    def put(
        self, id: str, *, email: str | None = None, city: str | None = None, merged_into: str | None = None
    ) -> None:
        if merged_into is not None:
            self.store.merge(id, merged_into)
        else:
            self.store.put(id, email=email, city=city)

    def delete(self, id: str) -> None:
        self.store.delete(id)

    def buy(self, id: str, moment: datetime, amount: str, order: str) -> None:
        self.store.act(id, moment, amount_minor=round(float(amount) * 100), order_id=order)

    def set_field(self, id: str, name: str, value: str | None) -> None:
        self.store.set_field(id, name, value)

    def set_member(self, key: str, id: str, member: bool) -> None:
        self.store.set_member(key, id, member)


class ProductAccount(MemoryAccount):
    """An account of the product's own CRM in memory, which is the template for a connector."""

    def connect(self) -> Connector:
        opened = MemoryConnector(self.settings, self.store)
        opened.page_size = 5
        return opened


class TestMemory(ContractSuite):
    @pytest.fixture(params=[ProductAccount, MemoryAccount], ids=["product", "tests"])
    def crm(self, request: pytest.FixtureRequest) -> Crm:
        account: Crm = request.param()
        return account
