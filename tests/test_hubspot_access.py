"""Who may do what in a portal, and what does a person have to mend?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.contract import Attribute
from connectors.errors import AccessError, QuotaError, RequestError, TemporaryError
from connectors.hubspot.session import Settings
from tests.contract_suite import Paper, changes
from tests.hubspot_account import SEGMENT, TIER, Shop, shop
from tests.servers.hubspot import ALL_SCOPES, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, Fault

OAUTH: dict[str, Any] = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}


@pytest.fixture(autouse=True)
def _own_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def portal() -> Iterator[Shop]:
    with shop(3) as opened:
        yield opened


def test_a_sound_portal_has_no_problems_and_names_its_limits(portal: Shop) -> None:
    connector = portal.connect()
    assert connector.notes() == []
    assert connector.check() == []
    assert "calls in 10 s" in connector.notes()[0]
    assert "650,000 a day" in connector.notes()[0]


def test_checking_changes_nothing(portal: Shop) -> None:
    before, lists = portal.portal.dump(), len(portal.portal.lists.all)
    connector = portal.connect()
    connector.check()
    assert (portal.portal.dump(), len(portal.portal.lists.all), connector.calls.write) == (before, lists, 0)


def test_what_is_checked_before_each_pull_calls_nothing_that_writes(portal: Shop) -> None:
    portal.portal.log.clear()
    assert portal.connect().check_reading() == []
    assert portal.calls("PUT") == portal.calls("PATCH") == 0
    assert portal.calls("POST") == portal.calls("POST", "lists/search")


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
    said = " ".join(problem.what for problem in portal.connect(token="pat-none").check())
    for scope in (
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
        "crm.schemas.contacts.write",
        "crm.objects.deals.read",
        "crm.lists.read",
    ):
        assert scope in said


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
    assert connector.write_fields(changes((portal.ids[0], SEGMENT.name, None, "lost")), Paper())["status"].to_pylist() == ["done"]


def test_a_withdrawn_refresh_token_is_asked_for_once(portal: Shop) -> None:
    connector = portal.connect(**{**OAUTH, "refresh_token": "withdrawn-secret"})
    (problem,) = connector.check()
    assert "BAD_REFRESH_TOKEN" in problem.what
    assert "withdrawn-secret" not in problem.what
    assert portal.calls("POST", "/oauth/") == 1


def test_a_log_in_is_either_a_token_or_an_app() -> None:
    for wrong in ({}, {"token": "env:T", "client_id": "x"}, {"client_id": "x", "client_secret": "env:S"}):
        with pytest.raises(ValidationError):
            Settings(**wrong)


def test_settings_that_contradict_the_portal_are_named(portal: Shop) -> None:
    account = {"time_zone": "America/New_York", "currency": "USD", "attributes": {"size": Attribute("company_size")}}
    connector = portal.connect(account, objection="no_profiling")
    said = [problem.what for problem in connector.check()]
    assert [note for note in connector.notes() if "Europe/Berlin" in note]  # that may be meant so
    assert [text for text in said if "currency is EUR" in text]
    assert [text for text in said if "company_size" in text]
    assert [text for text in said if "no_profiling" in text]


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
        connector = opened.connect({"reserve": 0.3})
        with pytest.raises(QuotaError) as stopped:
            for _ in range(100):
                connector.fields()
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
