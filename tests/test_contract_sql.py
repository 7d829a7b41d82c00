"""Does a database keep the contract, of a source and of a whole CRM: real servers and files?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract_suite import ContractSuite, SourceSuite
from tests.database_shops import KINDS, DatabaseShop, shop_of
from tests.segment_databases import database_of


class TestSql(SourceSuite):
    @pytest.fixture(params=[f"{kind}-{way}" for kind in KINDS for way in ("whole", "by_change")])
    def crm(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
        kind, way = request.param.split("-")
        shop: DatabaseShop = shop_of(kind, tmp_path, way == "by_change")
        yield shop
        shop.close()


class TestSqlAsCrm(ContractSuite):
    @pytest.fixture(params=KINDS)
    def crm(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
        database = database_of(request.param, tmp_path)
        yield database
        database.close()
