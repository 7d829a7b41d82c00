"""Does the Tryton connector keep the contract, on a real server?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.schemas import MEMBER
from connectors.search_read import reader
from connectors.search_read.server import Server
from tests.contract_suite import LIST, SEGMENT, ContractSuite, Paper, changes, statuses
from tests.servers.tryton import TrytonServer, installed
from tests.tryton_account import TrytonCrm


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonServer]:
    made = installed()
    with TrytonServer(made, tmp_path_factory.mktemp("tryton"), made.with_module) as started:
        yield started


@pytest.fixture
def crm(server: TrytonServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrytonCrm]:
    monkeypatch.setattr(Server, "page_size", 7)  # a few contacts fill several pages
    monkeypatch.setattr(reader, "_ROWS", 10)
    server.begin_again(server.made.with_module)
    account = TrytonCrm(server)
    yield account
    account.close()


class TestTryton(ContractSuite):
    @pytest.fixture
    def crm(self, crm: TrytonCrm) -> TrytonCrm:
        return crm


def test_a_party_that_is_gone_or_has_no_address_holds_up_nobody(crm: TrytonCrm) -> None:
    crm.put("1", email="ada@example.org")
    crm.put("2")
    ready = crm.connect()
    ready.ensure_field(SEGMENT)
    rows = changes(("1", SEGMENT.name, None, "loyal"), ("99999", SEGMENT.name, None, "loyal"))
    assert ready.write_fields(rows, Paper())["kind"].to_pylist() == [None, "gone"]
    members = changes(*((id, LIST.key, None, MEMBER) for id in ("1", "2")))
    outcomes = ready.write_members(ready.ensure_list(LIST), members, Paper())
    assert outcomes["kind"].to_pylist() == [None, "data"]


def test_who_shares_an_address_leaves_a_list_together_or_not_at_all(crm: TrytonCrm) -> None:
    for id in ("1", "2"):
        crm.put(id, email="family@example.org")
    ready = crm.connect()
    listed = ready.ensure_list(LIST)
    ready.write_members(listed, changes(("1", LIST.key, None, MEMBER)), Paper())
    alone = ready.write_members(listed, changes(("1", LIST.key, MEMBER, None)), Paper())
    assert statuses(alone) == ["rejected"]
    both = changes(("1", LIST.key, MEMBER, None), ("2", LIST.key, MEMBER, None))
    assert statuses(ready.write_members(listed, both, Paper())) == ["done", "done"]
    assert crm.people.members(LIST.label) == set()


def test_a_wrong_password_or_database_is_told_by_the_check(crm: TrytonCrm) -> None:
    crm.settings["password"] = "wrong"
    (problem,) = crm.connect().check()
    assert "refuses the log-in of user admin" in problem.what and "wrong" not in problem.what
