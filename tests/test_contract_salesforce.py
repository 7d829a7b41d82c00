"""Does the Salesforce connector keep the contract?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract_suite import ContractSuite
from tests.org_store import RIGHTS, OrgCrm
from tests.servers.salesforce import Org, serving


class TestSalesforce(ContractSuite):
    @pytest.fixture
    def crm(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OrgCrm]:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        org = Org(7, rights=RIGHTS)
        with serving(org) as server:
            crm = OrgCrm(server)
            yield crm
            crm.close()
        assert org.errors == []
