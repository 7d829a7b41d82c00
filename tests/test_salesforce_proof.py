"""Does the whole loop keep its promises on an org: people who are hidden, leads that opted out, campaigns of
ours, and ``kill -9``?
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.org_shop import Shop, command_of, hasten, shop_of

Opened = Callable[..., AbstractContextManager[Shop]]
NOT_OPTED_OUT = 'consent_basis = "not_opted_out"\n'
CAMPAIGN = """
[[segmentations]]
name = "mailing"
title = "Mailing"
kind = "rules"
field = "seg_mailing"
lists = "static"
reachable_only = true
channel = "email"
[[segmentations.segments]]
key = "all"
title = "All"
when = { attribute = "record_type", is = "contact" }
"""


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    hasten(monkeypatch, tmp_path)

    @contextmanager
    def shop(
        name: str = "shop", contacts: int = 120, set_up: bool = True, settings: Any = None, **knobs: Any
    ) -> Iterator[Shop]:
        with shop_of(tmp_path / name, contacts, set_up, settings, **knobs) as made:
            yield made

    return shop


def test_a_user_who_sees_60_percent_is_told_before_anything_is_written(opened: Opened) -> None:
    with opened() as shop:
        shop.org.revoke("ViewAllData")
        shop.org.knobs.visible = {"Contact": 0.6}
        assert shop.code("check") == 1
        assert any(
            "120" in problem["what"] and "Contact" in problem["what"] for problem in shop.said["problems"]
        )
        before = shop.written()
        assert shop.code(allow={}) not in (0, 4)
        assert shop.written() == before
        assert not any(values["seg_rfm__c"] for values in shop.fields().values())


def test_a_user_who_loses_sight_of_contacts_later_writes_nothing_off(opened: Opened) -> None:
    with opened() as shop:
        assert shop.code() == 0
        end = shop.end()
        shop.org.revoke("ViewAllData")
        shop.org.knobs.visible = {"Contact": 0.6}
        shop.org.clock.advance(86_400 * 8)
        assert shop.code(allow={}) != 0
        assert shop.end() == end


def test_a_lead_that_opted_out_and_became_an_existing_contact_is_in_no_campaign(opened: Opened) -> None:
    with opened(settings={"more": CAMPAIGN, "account": NOT_OPTED_OUT}) as shop:
        org = shop.org
        contact = next(row["Id"] for row in org.rows("Contact") if not row["HasOptedOutOfEmail"])
        lead = org.create(
            "Lead", LastName="Lea", Company="Self", Email="lea@example.org", HasOptedOutOfEmail=True
        )
        assert shop.code() == 0, shop.said
        assert contact in shop.members()["Mailing: All"]
        org.convert(lead, contact)
        assert shop.code() == 0, shop.said
        assert contact not in shop.members()["Mailing: All"]
        assert not org.row("Contact", contact)["HasOptedOutOfEmail"]


def test_who_objects_to_profiling_loses_what_we_wrote(opened: Opened) -> None:
    with opened() as shop:
        org = shop.org
        contact = org.rows("Contact")[0]["Id"]
        individual = org.create("Individual", LastName="Ada")
        org.edit("Contact", contact, IndividualId=individual)
        assert shop.code() == 0, shop.said
        assert shop.fields()[contact]["seg_rfm__c"]
        org.clock.advance(3600)
        org.edit("Individual", individual, HasOptedOutProfiling=True)
        org.clock.advance(60)
        assert shop.code() == 0, shop.said
        assert set(shop.fields()[contact].values()) == {None}
        assert not any(
            contact in ids for name, ids in shop.members().items() if not name.startswith("Mailing")
        )


def test_a_second_run_after_a_campaign_was_filled_gives_the_same_labels(opened: Opened) -> None:
    activity = 'activity = ["opportunities", "campaigns", "tasks", "events"]'
    with opened(settings={"more": CAMPAIGN, "account": NOT_OPTED_OUT + activity}) as shop:
        assert shop.code() == 0, shop.said
        end = shop.end()
        for _ in range(2):
            shop.org.clock.advance(3600)
            before, runs = shop.written(), len(shop.flow.runs)
            assert shop.code() == 0, shop.said
            assert (shop.written(), len(shop.flow.runs)) == (before, runs)
        shop.org.clock.advance(86_400 * 8)
        assert shop.code() == 0, shop.said
        assert shop.end() == end


def test_an_incremental_pull_costs_few_calls(opened: Opened) -> None:
    with opened(contacts=2_600, settings={"lists": "none"}) as shop:
        assert shop.code() == 0, shop.said
        shop.org.clock.advance(3600)
        for row in shop.org.rows("Contact")[:2_500]:
            shop.org.overwrite("Contact", row["Id"], MailingCity="Moved", SystemModstamp=shop.org.stamp(60))
        shop.org.log.clear()
        assert shop.code("pull") == 0, shop.said
        assert shop.calls("GET", "queryAll") <= 2_500 / 2_000 + 3 * 4


def test_a_large_apply_is_one_job_and_a_small_one_a_few_calls(opened: Opened) -> None:
    with opened(contacts=2_600, settings={"lists": "none"}) as shop:
        assert shop.code("pull") == shop.code("label") == 0
        shop.org.log.clear()
        assert shop.code("plan") in (0, 3)
        shop.org.log.clear()
        assert shop.code("apply") == 0, shop.said
        assert (len(shop.org.log), shop.org.ingest_jobs.uploads) < (30, 2)
        assert shop.calls("PUT", "batches") == 1


# Moments of a bulk backfill at which the process dies: after the server answered this call.
MOMENTS = {
    "job made": ("POST", "jobs/ingest"),
    "uploaded": ("PUT", "batches"),
    "started": ("PATCH", "jobs/ingest"),
    "looked at": ("GET", "jobs/ingest/750"),
    "results fetched": ("GET", "Results"),
    "reading": ("GET", "jobs/query"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_bulk_backfill_killed_at_any_moment_is_found_again(
    moment: str, opened: Opened, tmp_path: Path
) -> None:
    settings = {"reads": 2_000, "writes": 200, "lists": "none"}
    with opened("quiet", 2_100, settings=settings) as shop:
        assert shop.code() == 0, shop.said
        wanted = shop.end()
    with opened(contacts=2_100, settings=settings, job_seconds=0.6) as shop:
        process = subprocess.Popen(
            command_of(shop), start_new_session=True, env={**os.environ, "PYTHONPATH": os.getcwd()}
        )
        assert _seen(shop, *MOMENTS[moment])
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shop.org.clock.advance(2)
        assert shop.finish() == 0, shop.said
        assert shop.end() == wanted
        started = [job for job in shop.org.ingest_jobs.jobs.values() if job.state not in ("Open", "Aborted")]
        assert len(started) == 1
        assert len(shop.flow.runs) == 2_100


def _seen(shop: Shop, method: str, path: str) -> bool:
    """Wait until a call came."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if shop.calls(method, path):
            return True
        time.sleep(0.002)
    return False
