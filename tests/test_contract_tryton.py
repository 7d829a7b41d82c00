"""Does the Tryton connector keep the contract, on a real server?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.search_read import reader
from connectors.search_read.server import Server
from tests.contract_suite import ContractSuite
from tests.servers.tryton import TrytonServer, installed
from tests.tryton_account import TrytonCrm


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonServer]:
    made = installed()
    with TrytonServer(made, tmp_path_factory.mktemp("tryton"), made.with_module) as started:
        yield started


class TestTryton(ContractSuite):
    @pytest.fixture
    def crm(self, server: TrytonServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrytonCrm]:
        monkeypatch.setattr(Server, "page_size", 7)  # a few contacts fill several pages
        monkeypatch.setattr(reader, "_ROWS", 10)
        server.begin_again(server.made.with_module)
        crm = TrytonCrm(server)
        yield crm
        crm.close()
