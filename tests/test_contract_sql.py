"""Does a database keep the contract of a source: real servers and files, read whole and by change?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract_suite import SourceSuite
from tests.database_shops import KINDS, DatabaseShop, shop_of


class TestSql(SourceSuite):
    @pytest.fixture(params=[f"{kind}-{way}" for kind in KINDS for way in ("whole", "by_change")])
    def crm(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
        kind, way = request.param.split("-")
        shop: DatabaseShop = shop_of(kind, tmp_path, way == "by_change")
        yield shop
        shop.close()
