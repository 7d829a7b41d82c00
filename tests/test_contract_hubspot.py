"""Does the HubSpot connector keep the contract: on a plain portal, and on one that behaves as awkwardly as
the documentation allows?
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract_suite import ContractSuite
from tests.portal_store import OTHERWISE, PortalCrm
from tests.servers.hubspot import Knobs, Portal, serving

_PLAIN = Knobs(index_lag=0, list_lag=0, list_build=0)
_AWKWARD = Knobs(**OTHERWISE)
_ROUTES = [(_PLAIN, "2026-09"), (_PLAIN, "legacy"), (_AWKWARD, "2026-03")]


class TestHubspot(ContractSuite):
    @pytest.fixture(params=_ROUTES, ids=["plain", "legacy", "awkward"])
    def crm(
        self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[PortalCrm]:
        knobs, version = request.param
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        with serving(Portal(Knobs(**vars(knobs)))) as server:
            crm = PortalCrm(server, api_version=version)
            yield crm
            crm.close()
