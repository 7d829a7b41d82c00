"""What an org does that is no fault, and that a reader or writer must know of: quotas of Bulk, stuck jobs,
erased and restored people, formulas, restricted picklists, person accounts, rotated tokens, fields that
nobody confirmed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.salesforce import bulk
from tests.org_shop import Shop, hasten, shop_of

Opened = Callable[..., AbstractContextManager[Shop]]
BULK = {"reads": 2_000, "writes": 200, "lists": "none"}
LARGE = 2_100


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    hasten(monkeypatch, tmp_path)

    @contextmanager
    def shop(
        name: str = "shop", contacts: int = 60, set_up: bool = True, settings: Any = None, **knobs: Any
    ) -> Iterator[Shop]:
        with shop_of(tmp_path / name, contacts, set_up, settings, **knobs) as made:
            yield made

    return shop


def _same_twice(shop: Shop) -> None:
    before = shop.written()
    assert shop.code() == 0, shop.said
    assert shop.written() == before


# Quotas and jobs


def test_without_bulk_query_jobs_left_rest_reads_all(opened: Opened) -> None:
    with opened(contacts=LARGE, settings=BULK, bulk_query_jobs=0) as shop:
        assert shop.code() == 0, shop.said
        assert all(values["seg_rfm__c"] for values in shop.fields().values())


def test_without_bulk_batches_left_the_run_waits_or_goes_by_collections(opened: Opened) -> None:
    with opened(contacts=LARGE, settings=BULK, bulk_batches=0) as shop:
        assert shop.code() in (0, 75), shop.said
        shop.org.knobs.bulk_batches = 15_000
        shop.rests()
        assert shop.finish() == 0, shop.said
        assert all(values["seg_rfm__c"] for values in shop.fields().values())
        _same_twice(shop)


def test_a_job_that_does_not_end_is_left_alone_and_found_by_the_next_run(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_PATIENCE", 3.0)
    with opened(contacts=LARGE, settings=BULK) as shop:
        shop.strikes(
            {"match": {"method": "PATCH", "path": "jobs/ingest"}, "do": "job", "state": "InProgress"}
        )
        assert shop.code() == 75, shop.said
        (job,) = shop.org.ingest_jobs.jobs.values()
        job.frozen = False
        shop.rests()
        assert shop.finish() == 0, shop.said
        assert shop.org.ingest_jobs.uploads == 1
        assert len(shop.flow.runs) == LARGE


def test_a_forgotten_query_cursor_is_no_loss(opened: Opened) -> None:
    with opened(contacts=LARGE, settings={"lists": "none"}) as shop:
        gone = {"match": {"method": "GET", "path": "query(All)?/01g"}, "nth": 1, "do": "error", "status": 400}
        shop.strikes({**gone, "code": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"})
        assert shop.code() in (0, 75), shop.said
        assert shop.finish() == 0, shop.said
        assert all(values["seg_rfm__c"] for values in shop.fields().values())


def test_the_budget_that_others_need_is_left_to_them(opened: Opened) -> None:
    with opened(settings={"account": "quota_reserve = 0.3"}) as shop:
        shop.org.knobs.daily_requests = 1000
        shop.org.knobs.used_requests = 690 - shop.org.limits.used("requests")
        assert shop.code() == 75, shop.said
        assert shop.org.limits.requests() <= 710
        shop.org.knobs.used_requests = 0
        shop.org.knobs.daily_requests = 100_000
        shop.rests()
        assert shop.finish() == 0, shop.said


# People


def test_who_is_erased_is_found_by_the_weekly_look_at_all_ids(opened: Opened) -> None:
    with opened() as shop:
        assert shop.code() == 0
        erased = next(iter(shop.fields()))
        shop.org.purge("Contact", erased)
        shop.org.clock.advance(86_400 * 8)
        assert shop.code() == 0, shop.said
        assert erased not in {row["id"] for row in shop.do("history").get("current", [])}
        shown = shop.code("show", id=erased)
        assert shown != 0 or "deleted" in str(shop.said) or erased not in str(shop.said.get("segments", ""))


def test_who_comes_back_out_of_the_bin_has_a_segment_again(opened: Opened) -> None:
    with opened() as shop:
        assert shop.code() == 0
        wanted = shop.end()
        id = next(iter(shop.fields()))
        shop.org.clock.advance(3600)
        members = [row for row in shop.org.rows("CampaignMember") if row["ContactId"] == id]
        roles = [row for row in shop.org.rows("OpportunityContactRole") if row["ContactId"] == id]
        shop.org.delete("Contact", id)
        shop.org.clock.advance(60)
        assert shop.code() == 0, shop.said
        shop.org.clock.advance(3600)
        for name, rows in (
            ("Contact", [{"Id": id}]),
            ("CampaignMember", members),
            ("OpportunityContactRole", roles),
        ):
            for row in rows:
                shop.org.undelete(name, row["Id"])
        shop.org.clock.advance(60)
        assert shop.code() == 0, shop.said
        assert shop.end() == wanted


def test_a_formula_that_changed_without_a_stamp_is_seen_within_a_week(opened: Opened) -> None:
    rules = """
[[segmentations]]
name = "town"
title = "Town"
kind = "rules"
field = "seg_town"
[[segmentations.segments]]
key = "ulm"
title = "Ulm"
when = { attribute = "town", is = "Ulm" }
"""
    account = '[accounts.org.attributes.town]\nfield = "Town__c"'
    with opened(set_up=False, settings={"more": rules + account}) as shop:
        formula = '(SELECT a."BillingCity" FROM "Account" a WHERE a."Id" = {t}."AccountId")'
        shop.org.add_field("Contact", "Town__c", "string", formula=formula)
        assert (shop.code("setup"), shop.code()) == (0, 0), shop.said
        account_id = next(row["Id"] for row in shop.org.rows("Account") if row["BillingCity"] != "Ulm")
        people = [
            row["Id"] for row in shop.org.rows("Contact", "AccountId = ? AND IsDeleted = 0", account_id)
        ]
        shop.org.overwrite("Account", account_id, BillingCity="Ulm")
        shop.org.clock.advance(86_400 * 8)
        assert shop.code() == 0, shop.said
        towns = {row["Id"]: row["seg_town__c"] for row in shop.org.rows("Contact")}
        assert people and all(towns[id] == "ulm" for id in people)


def test_a_person_account_is_one_customer(opened: Opened) -> None:
    with opened(person_accounts=True) as shop:
        account = shop.org.create(
            "Account", LastName="Person", FirstName="Pia", PersonEmail="pia@example.org"
        )
        contact = shop.org.row("Account", account)["PersonContactId"]
        shop.org.create(
            "Opportunity",
            Name="Won",
            StageName="Closed Won",
            CloseDate="2026-03-01",
            Amount=500,
            AccountId=account,
        )
        shop.org.clock.advance(60)
        assert shop.code() == 0, shop.said
        assert shop.fields()[contact]["seg_rfm__c"] not in (None, "prospect")
        _same_twice(shop)


# Writing


def test_a_restricted_picklist_refuses_by_name_and_the_rest_is_written(opened: Opened) -> None:
    with opened() as shop:
        field = shop.org.schema["Contact"].field("seg_value__c")
        assert field is not None
        field.restricted, field.values = True, tuple(value for value in field.values if value != "a")
        assert shop.code() == 4, shop.said
        assert "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST" in str(shop.do("rejects"))
        assert not any(values["seg_value__c"] == "a" for values in shop.fields().values())


REFRESH = 'client_id = "{client_id}"\nclient_secret = "env:SALESFORCE_SECRET_OF_A_TEST"\nrefresh_token = "env:SALESFORCE_REFRESH"\n'
KEPT = REFRESH + 'refresh_token_file = "kept/refresh.json"'


def test_a_refresh_token_that_stays_is_used_again_and_again(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESFORCE_REFRESH", "refresh-1")
    with opened(settings={"login": REFRESH}) as shop:
        assert shop.code() == 0, shop.said
        shop.strikes({"match": {"path": "query"}, "nth": 3, "do": "expire"})
        assert shop.code() == 0, shop.said
        shop.org.login.refresh_tokens.clear()
        assert shop.code() == 1
        assert "refresh" in str(shop.said)


def test_a_refresh_token_that_rotates_is_kept_in_the_file_that_the_config_names(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESFORCE_REFRESH", "refresh-1")
    with opened(settings={"login": KEPT}, rotate_refresh_tokens=True) as shop:  # its set-up logged in once
        assert shop.code() == 0, shop.said
        shop.strikes({"match": {"path": "query"}, "nth": 3, "do": "expire"})
        assert shop.code() == 0, shop.said
        (file,) = (shop.folder / "kept").iterdir()
        assert file.stat().st_mode & 0o077 == 0
        assert not shop.org.login.dead_refresh_tokens & {file.read_text(encoding="utf-8")}
        shop.org.login.refresh_tokens = {"refresh-anew"}  # a person authorised the app once more
        monkeypatch.setenv("SALESFORCE_REFRESH", "refresh-anew")
        assert shop.code() == 0, shop.said


def test_a_refresh_token_that_rotates_and_is_not_kept_is_refused_at_set_up(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESFORCE_REFRESH", "refresh-1")
    with opened(set_up=False, settings={"login": REFRESH}, rotate_refresh_tokens=True) as shop:
        assert shop.code("setup") == 1, shop.said
        assert "refresh_token_file" in str(shop.said) and "refresh-" not in str(shop.said).replace(
            "refresh-token.json", ""
        )
        assert shop.written() == 0


def test_a_refresh_token_is_not_spent_where_its_successor_could_not_be_kept(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESFORCE_REFRESH", "refresh-1")
    with opened(set_up=False, settings={"login": KEPT}, rotate_refresh_tokens=True) as shop:
        (shop.folder / "kept").write_text("a file where the folder should be", encoding="utf-8")
        assert shop.code("setup") == 1, shop.said
        assert "refresh_token_file" in str(shop.said)
        assert shop.org.login.refresh_tokens == {"refresh-1"}


@pytest.mark.parametrize("right", ["CustomizeApplication", "ManagePublicListViews"])
def test_set_up_without_the_right_names_it_and_changes_no_record(right: str, opened: Opened) -> None:
    with opened(set_up=False, settings={"lists": "dynamic"}) as shop:
        shop.org.revoke(right)
        assert shop.code("setup") == 1, shop.said
        assert not any("T" in str(row.get("seg_rfm__c") or "") for row in shop.org.rows("Contact"))


def test_list_views_hold_who_stands_in_the_segment(opened: Opened) -> None:
    with opened(settings={"lists": "dynamic"}) as shop:
        assert shop.code() == 0, shop.said
        entity = shop.org.schema["Contact"]
        fields_by_id = shop.fields()
        for id, view in shop.org.list_views.views.items():
            (test,) = view["filteredByInfo"]
            records = shop.org.list_views.results(id, entity, shop.org.user, 2000, 0)["records"]
            ids = {record["columns"][0]["value"] for record in records}
            assert ids == {
                record_id
                for record_id, values in fields_by_id.items()
                if values["seg_rfm__c"] == test["operandLabels"][-1]
            }
        assert len(shop.org.list_views.views) >= 5
        _same_twice(shop)


def test_a_production_org_is_not_written_without_an_explicit_yes(opened: Opened) -> None:
    with opened(set_up=False, sandbox=False) as shop:
        assert shop.code("setup") in (1, 2), shop.said
        assert "production" in str(shop.said)
        assert shop.written() == 0
        shop.account = "production = true"
        assert (shop.code("setup"), shop.code()) == (0, 0), shop.said


@pytest.mark.parametrize(
    "knobs",
    [{"unknown_field_is_item_error": True}, {"lock_status": 500}, {"field_delay_seconds": 0.7}, {"delete_moves_stamp": False},
     {"per_app_usage": True}, {"www_authenticate": False}, {"cache_counts_seconds": 3600.0}, {"short_pages": True}],
    ids=str,
)  # fmt: skip
def test_facts_that_nobody_confirmed_may_be_either_way(knobs: dict[str, Any], opened: Opened) -> None:
    with opened(**knobs) as shop:
        if "field_delay_seconds" in knobs:
            shop.org.clock.advance(10)
        assert shop.code() == 0, shop.said
        assert all(values["seg_rfm__c"] for values in shop.fields().values())
        _same_twice(shop)
