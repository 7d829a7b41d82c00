"""Are people shown times by their own clock, and programs the instant?"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from sync.account.lock import Holder
from sync.local_time import local_time
from sync.store.journal import Journal
from sync.store.journal.alerts import Alert
from sync.watch.watch import judge, shown
from tests.test_cli import answer, cli, first, folder
from tests.ui_server import serving
from tests.world import World

INSTANT, SHOWN = "2024-07-01T01:30:00+00:00", "2024-06-30 21:30 EDT"
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "UTC")


@given(st.datetimes(datetime(1980, 1, 1), datetime(2030, 1, 1)), st.sampled_from(ZONES))
def test_a_local_time_is_the_minute_of_its_instant(naive: datetime, zone: str) -> None:
    moment = naive.replace(tzinfo=UTC)
    day, minute, name = local_time(moment.isoformat(), zone).split()
    local = moment.astimezone(ZoneInfo(zone))
    assert (f"{day} {minute}", name) == (f"{local:%Y-%m-%d %H:%M}", local.tzname())


def test_the_same_hour_twice_is_told_apart_by_its_zone() -> None:
    hours = ("2024-10-27T00:30:00+00:00", "2024-10-27T01:30:00+00:00")
    assert [local_time(hour, "Europe/Berlin") for hour in hours] == [
        "2024-10-27 02:30 CEST",
        "2024-10-27 02:30 CET",
    ]


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock is Tokyo's."""
    with monkeypatch.context() as machine:
        machine.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("tokyo")
def test_what_belongs_to_no_account_is_told_by_the_clock_of_the_machine() -> None:
    assert local_time(INSTANT) == "2024-07-01 10:30 JST"
    assert "since 2024-07-01 10:30 JST" in str(Holder("7", "run", datetime.fromisoformat(INSTANT)))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A shop in New York, all of whose runs and plans are of one instant."""
    world = folder(tmp_path, account='time_zone = "America/New_York"\n')
    first(world)
    world.buys("3", amount=900_000)
    world.store.save()  # type: ignore[attr-defined]
    answer(world, "plan")
    world.journal("UPDATE runs SET started_at = ?, finished_at = ?", INSTANT, INSTANT)
    world.journal("UPDATE plans SET created_at = ?", INSTANT)
    world.journal("UPDATE batches SET opened_at = ?, closed_at = ?", INSTANT, INSTANT)
    return world


@pytest.mark.usefixtures("tokyo")
def test_every_console_shows_the_time_of_the_account_and_json_the_instant(world: World) -> None:
    for words in (["status"], ["history"], ["show", "3"], ["plan", "show", "1"]):
        text = cli(world, *words).stdout
        assert SHOWN in text and INSTANT[:10] not in text.replace("as of 2024-07-01", ""), (words, text)
        told = cli(world, *words, "--json").stdout
        assert f'"{INSTANT}"' in told and '"time_zone": "America/New_York"' in told and "EDT" not in told


@pytest.mark.usefixtures("tokyo")
def test_the_report_tells_when_it_was_made_and_what_was_written_by_the_clock_of_the_account(
    world: World,
) -> None:
    for reader in ("people", "analyst"):
        page = Path(answer(world, "report", "--for", reader)[1]["report"]).read_text(encoding="utf-8")
        assert re.search(r"Made \d{4}-\d\d-\d\d \d\d:\d\d E[DS]T by crm-segments", page)
        assert f"of {SHOWN} wrote" in page and "UTC" not in page


@pytest.mark.usefixtures("tokyo")
def test_the_web_interface_tells_of_runs_and_plans_by_the_clock_of_the_account(world: World) -> None:
    with serving(world.folder / "config.toml") as address, requests.Session() as browser:
        assert browser.get(address, timeout=60).ok
        for page in ("runs", "plans", "plans/1", "customer?search=3"):
            text = browser.get(f"{address.partition('/enter')[0]}/portal/{page}", timeout=60).text
            assert SHOWN in text and "UTC" not in text, page


@pytest.mark.usefixtures("tokyo")
def test_an_alert_tells_the_time_of_its_account_and_a_program_the_instant(world: World) -> None:
    config = world.config()
    journal = Journal(world.folder / "state" / "journal.sqlite")
    judge(config, journal, datetime(2024, 7, 20, tzinfo=UTC))
    [alert] = journal.alerts.open()
    assert alert.fields["last_good_run"] == INSTANT
    assert f"the last good run ended at {SHOWN}, longer ago" in shown(alert, config, journal)["text"]
    older = Alert(**{**alert.__dict__, "fields": {**alert.fields, "last_good_run": "2024-07-01 01:30 UTC"}})
    assert "ended at 2024-07-01 01:30 UTC," in shown(older, config, journal)["text"], "as it was kept before"
    journal.close()
