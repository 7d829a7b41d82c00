"""Who may do what in a portal, and what does a person have to mend?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.contract import Attribute, Option
from connectors.errors import AccessError, QuotaError, RequestError, TemporaryError
from connectors.hubspot.settings import Settings
from sync.exit_codes import later
from tests.contract_suite import Paper, changes
from tests.hubspot_account import SEGMENT, TIER, Shop, shop
from tests.servers.hubspot import ALL_SCOPES, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, Fault

OAUTH: dict[str, Any] = {
    "client_id": CLIENT_ID,
    "client_secret": CLIENT_SECRET,
    "refresh_token": REFRESH_TOKEN,
}


@pytest.fixture(autouse=True)
def _own_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def portal() -> Iterator[Shop]:
    with shop(3) as opened:
        yield opened


def test_a_sound_portal_has_no_problems_and_names_its_limits(portal: Shop) -> None:
    connector = portal.connect()
    assert connector.diagnostics() == []
    assert connector.check() == []
    assert "calls per 10 s" in connector.diagnostics()[0]
    assert "650,000 a day" in connector.diagnostics()[0]


def test_checking_changes_nothing(portal: Shop) -> None:
    before, lists = portal.portal.dump(), len(portal.portal.lists.all)
    connector = portal.connect()
    connector.check()
    assert (portal.portal.dump(), len(portal.portal.lists.all), connector.calls.write) == (before, lists, 0)


def test_what_is_checked_before_each_pull_calls_nothing_that_writes(portal: Shop) -> None:
    portal.portal.log.clear()
    assert portal.connect().check_reading() == []
    assert portal.calls("PUT") == portal.calls("PATCH") == 0
    assert portal.calls("POST") == portal.calls("POST", "/search")


@pytest.mark.parametrize(
    "scope",
    [
        "crm.objects.contacts.write",
        "crm.objects.companies.read",
        "crm.objects.companies.write",
        "crm.schemas.contacts.write",
        "crm.schemas.companies.write",
        "crm.objects.deals.read",
        "crm.lists.read",
        "crm.lists.write",
    ],
)
def test_the_scope_that_is_missing_is_named(portal: Shop, scope: str) -> None:
    portal.portal.grant("pat-narrow", ALL_SCOPES - {scope})
    problems = portal.connect({"fields": (SEGMENT, TIER)}, token="pat-narrow").check()
    assert [scope in problem.what for problem in problems] == [True]


def test_all_missing_scopes_are_named_at_once(portal: Shop) -> None:
    portal.portal.grant("pat-none", {"oauth"})
    text = " ".join(problem.what for problem in portal.connect(token="pat-none").check())
    for scope in (
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
        "crm.schemas.contacts.write",
        "crm.objects.deals.read",
        "crm.lists.read",
    ):
        assert scope in text


def test_a_token_that_never_was_one_is_called_wrong(portal: Shop) -> None:
    connector = portal.connect(token="pat-eu1-wrongly-copied")
    (problem,) = connector.check()
    assert "does not know this token" in problem.what
    with pytest.raises(AccessError, match="does not know this token"):
        connector.fields()
    assert "wrongly-copied" not in problem.what


def test_a_token_that_expired_is_called_expired(portal: Shop) -> None:
    portal.portal.grant("pat-old", ALL_SCOPES)
    portal.portal.access.grants["pat-old"].expires = portal.portal.clock.now() - 5000
    with pytest.raises(AccessError, match="expired"):
        portal.connect(token="pat-old").fields()


def test_an_oauth_app_logs_in_once_for_all_threads_and_again_when_the_token_ends(portal: Shop) -> None:
    connector = portal.connect(**OAUTH)
    connector.write_fields(changes(*[(id, SEGMENT.name, None, "loyal") for id in portal.ids]), Paper())
    assert portal.portal.access.refreshed == 1
    portal.portal.settle(1900)
    assert len(connector.fields()) > 0
    assert portal.portal.access.refreshed == 2


@pytest.mark.parametrize("version", ["legacy", "2026-03", "2026-09"])
def test_every_version_of_the_api_is_spoken(portal: Shop, version: str) -> None:
    connector = portal.connect(api_version=version, **OAUTH)
    assert connector.check() == []
    assert connector.write_fields(changes((portal.ids[0], SEGMENT.name, None, "lost")), Paper())[
        "status"
    ].to_pylist() == ["done"]


def test_a_withdrawn_refresh_token_is_asked_for_once(portal: Shop) -> None:
    connector = portal.connect(**{**OAUTH, "refresh_token": "withdrawn-secret"})
    (problem,) = connector.check()
    assert "BAD_REFRESH_TOKEN" in problem.what
    assert "withdrawn-secret" not in problem.what
    assert portal.calls("POST", "/oauth/") == 1


def test_a_refused_renewal_is_told_in_hubspots_words_without_our_secrets(portal: Shop) -> None:
    secret = "a-secret-of-ours"
    body = f'{{"status": "BAD_CLIENT_ID", "message": "unknown client id or secret {secret}", "correlationId": "c"}}'
    portal.fail(Fault("status", path="/oauth/", status=400, body=body))
    (problem,) = portal.connect(**{**OAUTH, "client_secret": secret}).check()
    assert "BAD_CLIENT_ID unknown client id or secret …" in problem.what and secret not in problem.what
    assert portal.calls("POST", "/oauth/") == 1


@pytest.mark.parametrize(("status", "words"), [(401, "Authentication credentials"), (403, "HubSpot says")])
def test_a_refused_key_asks_once_and_says_what_hubspot_says(portal: Shop, status: int, words: str) -> None:
    text = {401: "Authentication credentials not found.", 403: "This account may not do that."}[status]
    connector = portal.connect()
    portal.portal.log.clear()
    portal.fail(
        Fault("status", path="/properties", status=status, body=f'{{"status": "error", "message": "{text}"}}')
    )
    with pytest.raises(AccessError, match=words) as caught:
        connector.fields()
    assert text.rstrip(".") in str(caught.value)
    assert portal.calls("GET", "/properties/contacts") == 1


@pytest.mark.parametrize("answer", ["html", "json"])
def test_a_version_of_the_api_that_hubspot_does_not_know_is_named(portal: Shop, answer: Any) -> None:
    portal.portal.knobs.versions, portal.portal.knobs.unknown_route = ("2026-03",), answer
    connector = portal.connect()
    (problem,) = connector.check()
    assert "version 2026-09" in problem.what and 'api_version = "2026-03"' in problem.remedy
    with pytest.raises(RequestError, match="2026-03"):
        next(iter(connector.read("contact", None)))


def test_what_is_missing_in_a_known_version_is_no_matter_of_versions(portal: Shop) -> None:
    connector = portal.connect()
    portal.fail(Fault("status", path="/lists", status=404, body="html"))
    with pytest.raises(RequestError, match="HubSpot refuses with 404"):
        connector.lists()


def test_a_log_in_is_either_a_token_or_an_app() -> None:
    for wrong in ({}, {"token": "env:T", "client_id": "x"}, {"client_id": "x", "client_secret": "env:S"}):
        with pytest.raises(ValidationError):
            Settings(**wrong)


def test_settings_that_contradict_the_portal_are_named(portal: Shop) -> None:
    account = {
        "time_zone": "America/New_York",
        "currency": "USD",
        "attributes": {"size": Attribute("company_size")},
    }
    connector = portal.connect(account, profiling_opt_out_property="no_profiling")
    problems = [problem.what for problem in connector.check()]
    assert [note for note in connector.diagnostics() if "Europe/Berlin" in note]  # that may be meant so
    assert [text for text in problems if "currency is EUR" in text]
    assert [text for text in problems if "company_size" in text]
    assert [text for text in problems if "no_profiling" in text]


def test_a_portal_in_another_time_zone_is_read_all_the_same(portal: Shop) -> None:
    account = {"time_zone": "America/New_York", "attributes": {"size": Attribute("company_size")}}
    (problem,) = portal.connect(account).check_reading()
    assert "company_size" in problem.what


def test_a_read_only_property_and_one_of_another_type_are_named(portal: Shop) -> None:
    score = portal.portal.schema.properties["contacts"]["seg_rfm_score"]
    score.type = "string"
    (problem,) = portal.connect().check()
    assert "of type string" in problem.what


def test_no_room_for_our_properties_is_named() -> None:
    with shop(fields=False, custom_properties=1) as opened:
        (problem,) = opened.connect().check()
    assert "room for 1 more" in problem.what


def test_a_key_that_may_not_read_the_account_is_no_problem() -> None:
    with shop(account_info=False) as opened:
        assert opened.connect().check() == []


def test_the_share_of_the_day_that_belongs_to_others_is_left_alone() -> None:
    with shop(3, daily=1000, used_today=690) as opened:
        connector = opened.connect({"quota_reserve": 0.3})
        with pytest.raises(QuotaError) as stopped:
            for _ in range(100):
                list(connector.read("contact", None))
        assert stopped.value.resets_at is not None
        assert stopped.value.resets_at > datetime.now(UTC)


def test_a_day_that_is_used_up_says_until_when(portal: Shop) -> None:
    portal.fail(Fault("status", path="properties", status=429, policy="DAILY"))
    with pytest.raises(QuotaError, match="used up") as stopped:
        portal.connect().fields()
    assert stopped.value.resets_at is not None
    assert stopped.value.resets_at.utcoffset() is not None


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=429, policy="TEN_SECONDLY_ROLLING", retry_after=1, nth=1, path="properties"),
        Fault("status", status=429, policy="SECONDLY", nth=1, path="properties"),
        Fault("status", status=423, nth=1, path="properties"),
        Fault("status", status=477, retry_after=1, nth=1, path="properties"),
        Fault("status", status=502, body="html", nth=1, path="properties"),
        Fault("status", status=524, nth=1, path="properties"),
        Fault("reset", nth=1, path="properties"),
        Fault("truncated", nth=1, path="properties"),
        Fault("truncated", nth=1, path="properties", honest=True),
        Fault("html", nth=1, path="properties"),
    ],
    ids=lambda fault: f"{fault.do}-{fault.status}-{fault.honest}",
)
def test_what_passes_is_tried_again(portal: Shop, fault: Fault) -> None:
    portal.fail(fault)
    assert ("contact", "email") in portal.connect().fields()


def test_a_long_migration_is_told_and_not_waited_for(portal: Shop) -> None:
    portal.fail(Fault("status", status=477, retry_after=7200, path="properties"))
    with pytest.raises(TemporaryError) as stopped:
        portal.connect().fields()
    assert stopped.value.retry_after == 7200


def test_another_host_than_hubspots_is_named(portal: Shop) -> None:
    portal.fail(Fault("status", status=530, path="properties"))
    with pytest.raises(RequestError, match="api_url"):
        portal.connect().fields()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("deals", "amount"),
        ("deals", "closedate"),
        ("deals", "hs_is_closed_won"),
        ("orders", "hs_total_price"),
        ("calls", "hs_timestamp"),
    ],
)
def test_a_property_of_activity_that_the_key_may_not_see_is_named_and_ends_a_pull(
    kind: str, name: str
) -> None:
    with shop(2) as opened:
        deal = {"dealstage": "closedwon", "amount": "5", "closedate": "2024-01-05T12:00:00Z"}
        values = {
            "deals": deal,
            "orders": {"hs_total_price": "5", "hs_external_created_date": "2024-01-05T12:00:00Z"},
        }
        opened.portal.put(kind, values.get(kind, {"hs_timestamp": "2024-01-05T12:00:00Z"}))
        for further in (
            "amount_in_home_currency",
            "hs_total_price_in_home_currency",
            "hs_home_currency_amount",
        ):
            opened.portal.schema.properties[kind].pop(further, None)
        del opened.portal.schema.properties[kind][name]
        connector = opened.connect({"activity_types": frozenset({"purchase", "call"})}, activity=(kind,))
        (problem,) = connector.check()
        assert (name in problem.what, kind in problem.what) == (True, True)
        with pytest.raises(AccessError, match=name):
            list(connector.read("activity", None))


def test_every_object_that_is_read_is_counted_for_people() -> None:
    with shop(3) as opened:
        opened.portal.put("deals", {"dealstage": "closedwon"})
        connector = opened.connect({"activity_types": frozenset({"purchase", "call"})})
        connector.check()
        (counts,) = [note for note in connector.diagnostics() if "counts" in note]
        assert counts == "HubSpot counts 0 calls, 3 contacts, 1 deals, 0 orders"


def test_deals_without_any_contact_are_told() -> None:
    with shop(3) as opened:
        deals = [opened.portal.put("deals", {"dealstage": "closedwon", "amount": "5"}) for _ in range(20)]
        (problem,) = opened.connect().check()
        assert "20 deals" in problem.what
        opened.portal.associate("deals", deals[0], "contacts", int(opened.ids[0]))
        assert opened.connect().check() == []


def test_notes_ask_nothing_also_when_the_account_is_closed(portal: Shop) -> None:
    connector = portal.connect()
    connector.check()
    connector.ensure_field(replace(SEGMENT, options=(*SEGMENT.options, Option("new", "New"))))
    connector.close()
    portal.portal.log.clear()
    assert connector.diagnostics()
    assert portal.calls() == 0


def test_the_hour_of_a_daily_limit_is_told_once_and_in_one_zone(portal: Shop) -> None:
    portal.fail(Fault("status", path="properties", status=429, policy="DAILY"))
    with pytest.raises(QuotaError) as stopped:
        portal.connect().fields()
    message = str(later(stopped.value, datetime.now(UTC), "America/New_York"))
    assert len(re.findall(r"\d\d:\d\d", message)) == 1, message
    assert re.search(r"\d\d:\d\d E[SD]T", message), message
