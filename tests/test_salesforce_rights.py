"""What a user may not see: is it named before anybody is labelled from half of the truth, and is no more
refused than that?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.org_shop import Shop, hasten, shop_of

Opened = Callable[..., AbstractContextManager[Shop]]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    hasten(monkeypatch, tmp_path)

    @contextmanager
    def shop(contacts: int = 60, set_up: bool = True, settings: Any = None, **knobs: Any) -> Iterator[Shop]:
        with shop_of(tmp_path / "shop", contacts, set_up, settings, **knobs) as made:
            yield made

    return shop


def _refused(shop: Shop, *words: str) -> None:
    """Neither check nor run goes on, both name what is missing, and nobody is labelled."""
    for command in ("check", "run"):
        assert shop.code(command) in (1, 2), (command, shop.said)
        output = str(shop.said)
        assert all(word in output for word in words), output
    assert not any(values["seg_rfm__c"] for values in shop.fields().values())


@pytest.mark.parametrize("table", ["Opportunity", "OpportunityContactRole"])
def test_a_hidden_object_of_purchases_is_named(table: str, opened: Opened) -> None:
    with opened() as shop:
        shop.org.access.deny(table, "read")
        _refused(shop, table, "read access")


@pytest.mark.parametrize(
    "field",
    ["Opportunity.IsWon", "Opportunity.CloseDate", "Opportunity.Amount", "OpportunityContactRole.IsPrimary"],
)
def test_a_hidden_field_of_purchases_is_named(field: str, opened: Opened) -> None:
    with opened() as shop:
        shop.org.access.hide(field)
        _refused(shop, field.partition(".")[2], field.partition(".")[0], "field-level security")


def test_stages_that_mean_a_purchase_want_the_stage_and_not_is_won(opened: Opened) -> None:
    with opened(settings={"account": 'won_stages = ["Closed Won"]'}) as shop:
        shop.org.access.hide("Opportunity.IsWon")
        assert shop.code("check") == 0, shop.said
        shop.org.access.hide("Opportunity.StageName")
        _refused(shop, "StageName")


def test_opportunities_that_are_not_shared_are_counted(opened: Opened) -> None:
    with opened(300) as shop:
        shop.org.revoke("ViewAllData")
        shop.org.knobs.visible["Opportunity"] = 0.01
        _refused(shop, "records of Opportunity", "View All")


def test_what_no_segmentation_feeds_on_may_be_hidden(opened: Opened) -> None:
    with opened(settings={"lists": "none"}) as shop:  # rfm and value look at purchases alone
        for table in ("Task", "Event", "Order"):
            shop.org.access.deny(table, "read")
        assert (shop.code("check"), shop.code()) == (0, 0), shop.said


def test_an_org_that_is_too_large_to_count_is_read_and_that_is_said(opened: Opened) -> None:
    with opened() as shop:
        slow = {"do": "error", "status": 400, "code": "QUERY_TIMEOUT", "times": 10**6}
        shop.strikes({"match": {"path": r"COUNT.*FROM\+Opportunity"}, **slow})
        assert shop.code() == 0, shop.said
        assert "took too long to count the records of Opportunity" in str(shop.said)


@pytest.mark.parametrize("table", ["Task", "Event", "Order"])
def test_a_source_that_the_account_names_is_looked_at(table: str, opened: Opened) -> None:
    name = {"Task": "tasks", "Event": "events", "Order": "orders"}[table]
    with opened(settings={"account": f'activity = ["opportunities", "{name}"]'}) as shop:
        assert shop.code("check") == 0, shop.said
        shop.org.access.deny(table, "read")
        _refused(shop, table)


def test_without_the_right_to_see_the_set_up_limits_are_unknown_and_named_once(opened: Opened) -> None:
    with opened() as shop:
        shop.strikes(
            {
                "match": {"path": "/limits"},
                "do": "error",
                "status": 403,
                "code": "INSUFFICIENT_ACCESS",
                "times": 10**6,
            }
        )
        assert shop.code("check") == 0, shop.said
        notes = [note for note in shop.said["notes"] if "View Setup and Configuration" in note]
        assert len(notes) == len(set(notes)) == 2, shop.said
        assert shop.code() == 0, shop.said
        assert str(shop.said).count("the number of records in the org is unknown") == 1
        assert all(values["seg_rfm__c"] for values in shop.fields().values())


def test_a_production_org_can_be_read_and_planned_and_is_not_written_without_a_yes(opened: Opened) -> None:
    with opened(sandbox=False, settings={"account": "production = true"}) as shop:
        shop.account = ""
        assert shop.code("check") == 1 or "production" in str(shop.said)
        assert shop.code("pull") == 0, shop.said
        assert shop.code("label") == 0, shop.said
        assert shop.code("plan") in (0, 3), shop.said
        number = shop.said["plan"]["plan"]
        before = shop.written()
        assert shop.code() == 1, shop.said
        assert "production = true" in str(shop.said)
        assert shop.written() == before and not any(values["seg_rfm__c"] for values in shop.fields().values())
        shop.account = "production = true"
        assert shop.code("apply", number=number) in (0, 5), shop.said
        assert shop.code() == 0, shop.said
        assert all(values["seg_rfm__c"] for values in shop.fields().values())


def test_a_field_of_a_parent_can_be_an_attribute(opened: Opened) -> None:
    rules = """
[[segmentations]]
name = "trade"
title = "Trade"
kind = "rules"
field = "seg_trade"
[[segmentations.segments]]
key = "named"
title = "Named"
when = { attribute = "trade", is_set = true }
"""
    account = '[accounts.org.attributes.trade]\nfield = "Account.Industry"'
    with opened(set_up=False, settings={"more": rules + account}) as shop:
        parent = next(row["AccountId"] for row in shop.org.rows("Contact") if row["AccountId"])
        shop.org.edit("Account", parent, Industry="Energy")
        assert shop.code("check") in (0, 2), shop.said
        assert "Account.Industry" not in str(shop.said)
        assert (shop.code("setup"), shop.code()) == (0, 0), shop.said
        trades = {row["Id"]: row["seg_trade__c"] for row in shop.org.rows("Contact", "AccountId = ?", parent)}
        assert trades and set(trades.values()) == {"named"}
        shop.org.clock.advance(3600)
        shop.org.edit("Account", parent, Industry=None)  # which moves no stamp of its contacts
        shop.org.clock.advance(60)
        assert shop.code() == 0, shop.said
        assert all(row["seg_trade__c"] is None for row in shop.org.rows("Contact", "AccountId = ?", parent))


def test_fields_that_were_only_hidden_stay_ours_after_setup(opened: Opened) -> None:
    with opened() as shop:
        assert shop.code() == 0, shop.said
        (given,) = [row["Id"] for row in shop.org.rows("PermissionSet", "Name = 'CRM_Segments'")]
        shop.org.store.run("DELETE FROM PermissionSetAssignment WHERE PermissionSetId = ?", (given,))
        shop.org.access.changed()
        assert shop.code() == 2 and "setup" in str(shop.said), shop.said
        assert shop.code("setup") == 0, shop.said
        deals = [row["Id"] for row in shop.org.rows("Opportunity", "IsWon = 1")]
        for id in deals[: len(deals) // 2]:
            shop.org.delete("Opportunity", id)
        shop.org.clock.advance(60)
        before = shop.fields()
        assert shop.code() == 0, shop.said
        assert shop.said["plan"]["kept"] == 0 and shop.fields() != before


def test_a_hidden_field_of_somebody_else_is_not_taken_for_ours(opened: Opened) -> None:
    with opened(set_up=False) as shop:
        shop.org.add_field("Contact", "seg_value__c", "string")
        shop.org.access.hide("Contact.seg_value__c")
        ids = [row["Id"] for row in shop.org.rows("Contact")]
        shop.org.edit("Contact", ids[0], seg_value__c="theirs")
        assert shop.code("setup") == 0, shop.said
        assert shop.code() in (0, 4), shop.said
        assert shop.fields()[ids[0]]["seg_value__c"] == "theirs"


def test_what_a_person_changes_between_the_pull_and_the_write_is_kept_with_all_that_goes_with_it(
    opened: Opened,
) -> None:
    with opened() as shop:
        assert shop.code() == 0, shop.said
        deals = {row["Id"] for row in shop.org.rows("Opportunity", "IsWon = 1")}
        for id in sorted(deals):
            shop.org.delete("Opportunity", id)  # everybody's segment moves
        shop.org.clock.advance(60)
        before = shop.fields()
        edited = next(id for id, values in before.items() if values["seg_rfm__c"] not in (None, "prospect"))
        edit = {"do": "edit", "object": "Contact", "id": edited, "values": {"seg_rfm__c": "vip"}}
        shop.strikes(
            {
                "match": {"method": "POST", "path": "composite/sobjects/Contact"},
                "do": "admin",
                "action": edit,
                "nth": 1,
            }
        )
        assert shop.code() == 4, shop.said
        values = shop.fields()[edited]
        assert (
            values["seg_rfm__c"] == "vip" and values["seg_rfm_since__c"] == before[edited]["seg_rfm_since__c"]
        )
        assert "somebody changed it" in str(shop.said)
        shop.rests()
        assert shop.code() == 0, shop.said
        assert shop.fields()[edited]["seg_rfm__c"] == "vip" and shop.said["plan"]["kept"] >= 1
