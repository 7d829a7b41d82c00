"""Does the HubSpot connector keep the contract: on a plain portal, and on one that behaves as awkwardly as the documentation allows?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract_suite import ContractSuite
from tests.portal_store import PortalCrm
from tests.servers.hubspot import Knobs, Portal, serving

_PLAIN = Knobs(index_lag=0, list_lag=0, list_build=0)
_AWKWARD = Knobs(
    index_lag=20,
    list_lag=1,
    list_build=3,
    member_lag=0.2,
    option_lag=1,
    page_limit="clamp",
    cursor="last",
    batch_refusal="whole",
    association_ids="number",
    lonely="omit",
    known_members_missing=True,
    reads_merged=False,
    duplicate_property=400,
    account_info=False,
    refused_count=True,
    rate_category=True,
    unknown_route="json",
    number_form="as_written",
    trims=True,
)
_ROUTES = [(_PLAIN, "2026-09"), (_PLAIN, "legacy"), (_AWKWARD, "2026-03")]


class TestHubspot(ContractSuite):
    @pytest.fixture(params=_ROUTES, ids=["plain", "legacy", "awkward"])
    def crm(self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PortalCrm]:
        knobs, version = request.param
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        with serving(Portal(Knobs(**vars(knobs)))) as server:
            crm = PortalCrm(server, api_version=version)
            yield crm
            crm.close()
