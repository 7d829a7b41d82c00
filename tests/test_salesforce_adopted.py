"""Fields that a person made, and ids that no record can have: nobody's words change, and one unsound change
costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import open_connector, settings_model
from connectors.contract import Account, Connector, FieldSpec, ListSpec, Option
from connectors.schemas import MEMBER
from tests.contract_suite import Paper, changes, statuses
from tests.org_shop import hasten, shop_of
from tests.org_store import RIGHTS
from tests.salesforce_client import asked
from tests.servers.salesforce import Org, Server, serving

CLASS = FieldSpec("class", "contact", "enum", "Our class", "Ours", (Option("a", "Best"), Option("d", "New")))
VIP = FieldSpec("vip", "contact", "bool", "VIP")
MALFORMED = "no-such-id"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    org = Org(7, rights=RIGHTS)
    with serving(org) as made:
        yield made
    assert org.errors == []


def connected(server: Server, *fields: FieldSpec, **settings: object) -> Connector:
    login = server.org.login
    credentials = {"client_id": login.client_id, "client_secret": login.client_secret}
    chosen = settings_model("salesforce")(api_url=server.url, campaigns=True, **credentials, **settings)
    return open_connector(Account("org", "salesforce", chosen, fields=fields))


def contacts(server: Server, count: int) -> list[str]:
    return [server.org.create("Contact", LastName=f"Contact {number}") for number in range(count)]


def gold(name: str) -> dict[str, Any]:
    """A picklist that a person made: the body that makes it."""
    values = [{"valueName": key, "label": label, "default": False, "color": "#0a0", "isActive": key != "c"}
              for key, label in (("a", "Gold customers"), ("b", "Silver customers"), ("c", "Former"))]  # fmt: skip
    value_set = {"restricted": True, "valueSetDefinition": {"sorted": False, "value": values}}
    texts = {"label": "Customer class", "inlineHelpText": "Filled in by sales"}
    return {"FullName": f"Contact.{name}", "Metadata": {"type": "Picklist", "valueSet": value_set, **texts}}


@pytest.mark.parametrize("count", [3, 201], ids=["collections", "a job"])
def test_a_check_box_is_ticked_and_its_tick_is_taken_away(server: Server, count: int) -> None:
    ids = contacts(server, count)
    connector = connected(server, VIP, bulk_writes_above=200)
    connector.ensure_field(VIP)

    def write(before: str, *after: str | None) -> None:
        rows = [(id, "vip", before, after[position % len(after)]) for position, id in enumerate(ids)]
        assert statuses(connector.write_fields(changes(*rows), Paper())) == ["done"] * count

    def ticked() -> list[int]:
        return [server.org.rows("Contact", "Id = ?", id)[0]["vip__c"] for id in ids[:3]]

    write("false", "true")
    assert ticked() == [1, 1, 1]
    write("true", "false", None, "true")
    assert ticked() == [0, 0, 1]


def test_a_text_that_says_true_stays_a_text(server: Server) -> None:
    (id,) = contacts(server, 1)
    word = FieldSpec("word", "contact", "text", "Word")
    connector = connected(server, word)
    connector.ensure_field(word)
    assert statuses(connector.write_fields(changes((id, "word", None, "true")), Paper())) == ["done"]
    assert [row["word__c"] for row in server.org.rows("Contact")] == ["true"]


def test_an_adopted_picklist_gets_the_values_that_it_lacks_and_keeps_its_owners_words(server: Server) -> None:
    body = gold("class__c")
    described = body["Metadata"]
    made = asked(server, "POST", "tooling/sobjects/CustomField", json=body).json()["id"]
    server.org.access.hidden.discard(("contact", "class__c"))
    connected(server, CLASS).ensure_field(
        FieldSpec(CLASS.name, CLASS.record_type, CLASS.type, CLASS.label, "Ours", CLASS.options, adopted=True)
    )
    now = asked(server, "GET", f"tooling/sobjects/CustomField/{made}").json()["Metadata"]
    added = now["valueSet"]["valueSetDefinition"]["value"].pop()
    assert now == described
    assert (added["valueName"], added["label"]) == ("d", "New")


def test_one_record_id_that_cannot_be_costs_the_other_members_nothing(server: Server) -> None:
    ids = contacts(server, 5)
    connector = connected(server)
    campaign = connector.ensure_list(ListSpec("s.a", "S: A"))
    named = [*ids[:3], MALFORMED, *ids[3:]]
    outcomes = connector.write_members(
        campaign, changes(*((id, "s.a", None, MEMBER) for id in named)), Paper()
    )
    assert statuses(outcomes) == ["done"] * 3 + ["rejected"] + ["done"] * 2
    assert outcomes["kind"].to_pylist()[3] == "gone"
    assert {row["ContactId"] for row in server.org.rows("CampaignMember")} == set(ids)
    leaving = changes((ids[0], "s.a", MEMBER, None), (MALFORMED, "s.a", MEMBER, None))
    assert statuses(connector.write_members(campaign, leaving, Paper())) == ["done"] * 2
    assert connector.current_members(campaign, changes((ids[1], "s.a", None, None), (MALFORMED, "s.a", None, None))).to_pylist() == [
        MEMBER,
        None,
    ]  # fmt: skip


def test_setup_tells_whose_picklist_it_extends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch, tmp_path)
    with shop_of(tmp_path / "shop", 20, set_up=False) as shop:
        made = asked(shop.server, "POST", "tooling/sobjects/CustomField", json=gold("seg_value__c")).json()
        shop.org.access.hidden.discard(("contact", "seg_value__c"))
        assert shop.code("setup") != 0
        assert shop.code("setup", adopt=["seg_value"]) == 0, shop.said
        assert (shop.code("setup"), shop.code()) == (0, 0), shop.said
        now = asked(shop.server, "GET", f"tooling/sobjects/CustomField/{made['id']}").json()["Metadata"]
        labels = {
            value["valueName"]: value["label"] for value in now["valueSet"]["valueSetDefinition"]["value"]
        }
        assert (now["label"], labels["a"]) == ("Customer class", "Gold customers")
        assert labels.keys() >= {"a", "b", "c"}
