"""Does the CRM in memory keep the contract?"""

from __future__ import annotations

from datetime import datetime

import pytest

from connectors.contract import Account, Attribute, Connector
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
        self.store.put(id, email=email, city=city, merged_into=merged_into)

    def delete(self, id: str) -> None:
        self.store.delete(id)

    def buy(self, id: str, moment: datetime, amount: str, order: str) -> None:
        self.store.act(id, moment, amount_minor=round(float(amount) * 100), order_id=order)

    def set_field(self, id: str, name: str, value: str | None) -> None:
        self.store.set_field(id, name, value)

    def set_member(self, key: str, id: str, member: bool) -> None:
        self.store.set_member(key, id, member)


class TestMemory(ContractSuite):
    @pytest.fixture
    def crm(self) -> Crm:
        return MemoryAccount()
