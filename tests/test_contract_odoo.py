"""Does the Odoo connector keep the contract, on a stand-in that answers as Odoo 17 does?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.contract import FieldSpec
from connectors.errors import AccessError
from connectors.search_read import reader
from connectors.search_read import server as search_read
from tests import contract_suite
from tests.contract_suite import SEGMENT, ContractSuite, Paper, Reader, changes, statuses
from tests.odoo_account import OdooCrm
from tests.servers.odoo import Database, serving


@pytest.fixture
def crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OdooCrm]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(search_read.Server, "page_size", 7)  # a few contacts fill several pages
    monkeypatch.setattr(reader, "_ROWS", 10)
    with serving(Database()) as server:
        account = OdooCrm(server)
        yield account
        account.close()


class TestOdoo(ContractSuite):
    @pytest.fixture
    def crm(self, crm: OdooCrm) -> OdooCrm:
        return crm


def test_a_user_of_one_company_reads_and_writes_its_partners_alone(crm: OdooCrm) -> None:
    crm.put("ours")
    crm.put("theirs")
    for name, company in (("ours", 1), ("theirs", 2)):
        crm.database.edit("res.partner", int(crm.names[name]), company_id=company)
    crm.connect().ensure_field(SEGMENT)
    crm.database.company, crm.database.administrator = 1, False
    contacts = Reader(crm, "contact")
    contacts.pull()
    assert list(contacts.rows) == ["ours"]
    batch = changes(("ours", SEGMENT.name, None, "loyal"), ("theirs", SEGMENT.name, None, "loyal"))
    assert statuses(crm.connect().write_fields(batch, Paper())) == ["done", "rejected"]
    assert crm.database.rows["res.partner"][int(crm.names["theirs"])]["x_" + SEGMENT.name] is False
    with pytest.raises(AccessError, match="may not create field x_more"):
        crm.connect().ensure_field(FieldSpec("more"))


def test_values_are_written_by_one_call_for_each_value(crm: OdooCrm) -> None:
    for number in range(6):
        crm.put(str(number))
    ready = crm.connect()
    ready.ensure_field(SEGMENT)
    rows = [(str(number), SEGMENT.name, None, "loyal" if number % 2 else "lost") for number in range(6)]
    crm.database.calls.clear()
    ready.write_fields(changes(*rows), Paper())
    assert crm.database.calls.count(("res.partner", "write")) == 2


def test_a_dynamic_list_is_a_filter_that_everybody_sees_and_one_of_a_person_is_left_alone(
    crm: OdooCrm,
) -> None:
    spec = replace(contract_suite.LIST, kind="dynamic", field=SEGMENT.name, value="loyal")
    crm.database.make("ir.filters", name=spec.label, model_id="res.partner", domain="[]", user_id=False)
    with pytest.raises(Exception, match="did not create"):
        crm.connect().ensure_list(spec)
    assert [row["domain"] for row in crm.database.rows["ir.filters"].values()] == ["[]"]
    crm.database.edit("ir.filters", 1, name="Theirs")
    crm.connect().ensure_list(spec)
    made = crm.database.rows["ir.filters"][2]
    assert (made["domain"], made["user_id"]) == (f"[('x_{SEGMENT.name}', '=', 'loyal')]", False)


def test_an_archived_partner_is_read_and_never_mailed(crm: OdooCrm) -> None:
    crm.put("1", email="ada@example.org")
    crm.database.edit("res.partner", int(crm.names["1"]), active=False)
    contacts = Reader(crm, "contact")
    contacts.pull()
    assert contacts.rows["1"]["reachable.email"] is False
