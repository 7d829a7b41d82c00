"""What our writing sets off in a portal: is nobody enrolled twice for one change, and never more in an hour
than the config says?
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.portal_shop import Shop, hasten, portal_of
from tests.servers.hubspot import Fault, Knobs

START = datetime.now(UTC)
PACE = 20
CONTACTS = 50


@pytest.fixture(params=["dynamic", "static"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A shop that is set up, with workflows on a property, on one value of it, and on a list."""
    hasten(monkeypatch, tmp_path)
    (tmp_path / "shop").mkdir()
    with portal_of(Knobs(), CONTACTS, CONTACTS * 3, START) as server:
        made = Shop(tmp_path / "shop", server, lists=request.param, day=START.date() - timedelta(days=2))
        made.more = f'[pace]\nwrites_per_hour = {PACE}\nsend_windows = ["00:00-24:00"]\n'
        assert made.code("setup") == 0
        flows = server.portal.flows
        flows.add("Any habit", property="seg_rfm")
        flows.add("Top value", property="seg_value", value="a", shape="event_property")
        for listed in list(server.portal.lists.all.values()):
            flows.add(f"Joined {listed.id}", list_id=listed.id)
        yield made


def on_any(shop: Shop) -> int:
    return next(flow.id for flow in shop.portal.flows.all.values() if flow.name == "Any habit")


def enrolled(shop: Shop) -> dict[int, int]:
    """How often each record entered the workflow on any habit."""
    shop.portal.settle(60)
    flow = on_any(shop)
    return {
        record: times for (workflow, record), times in shop.portal.flows.entered().items() if workflow == flow
    }


def to_the_end(shop: Shop, minutes: int = 25, code: int = 75) -> int:
    """Run every few minutes, as a scheduler does, until nothing waits."""
    for _ in range(40):
        if code != 75:
            return code
        code = shop.code()
        shop.portal.settle(minutes * 60)
    return code


def test_a_plan_names_every_workflow_that_it_would_set_off(shop: Shop) -> None:
    listeners = shop.do("plan")["plan"]["listeners"]
    names = {listener["name"] for listener in listeners["found"]}
    assert listeners["unknown"] == ""
    assert {"Any habit", "Top value"} <= names
    assert any(name.startswith("Joined") for name in names)


def test_a_first_run_enrols_each_record_once_and_no_more_in_an_hour_than_allowed(shop: Shop) -> None:
    assert to_the_end(shop) == 0, shop.said
    assert set(enrolled(shop).values()) == {1}
    assert len(enrolled(shop)) == CONTACTS
    assert set(shop.portal.flows.entered().values()) == {1}
    assert 0 < shop.portal.flows.busiest_hour() <= PACE


def test_a_canary_lost_replies_and_an_undo_enrol_nobody_twice(shop: Shop) -> None:
    planned = shop.do("plan")["plan"]["plan"]
    assert shop.code("apply", number=planned, first=5) == 0, shop.said
    assert sum(enrolled(shop).values()) == 5
    shop.strikes(
        Fault("lost", path="batch/update|memberships", probability=0.3),
        Fault("status_after", path="batch/update|memberships", probability=0.2, status=502),
    )
    assert to_the_end(shop) in (0, 75), shop.said
    shop.strikes()
    assert to_the_end(shop) == 0, shop.said
    assert set(shop.portal.flows.entered().values()) == {1}
    assert shop.portal.flows.busiest_hour() <= PACE
    once = len(shop.portal.flows.enrolments)
    full = _filled(shop)
    _undo(shop)
    assert _filled(shop) < full
    assert len(shop.portal.flows.enrolments) == once  # emptied fields and lists enrol nobody
    assert shop.portal.flows.busiest_hour() <= PACE


def _filled(shop: Shop) -> int:
    """How many of our fields and static lists' places are taken."""
    static = sum(len(each.members) for each in shop.portal.lists.all.values() if each.processing == "MANUAL")
    return static + sum(len(values) for values in shop.fields().values())


def _undo(shop: Shop) -> None:
    """Undo the last run that wrote, at the pace that the config allows."""
    runs = [row["run"] for row in shop.do("status")["runs"]]
    code = next(code for code in (shop.code("undo", number=run) for run in runs) if code != 1)
    assert code in (0, 75), shop.said
    while code == 75:
        shop.portal.settle(1800)
        code = shop.code("apply", number=shop.do("status")["plans"][-1]["plan"])


def test_killed_again_and_again_a_backfill_enrols_and_sends_nothing_twice(shop: Shop) -> None:
    dice = random.Random(11)
    shop.portal.knobs.latency = 0.03
    for _ in range(2):
        process = _start(shop)
        began, already = time.monotonic(), len(shop.portal.written)
        while (
            len(shop.portal.written) == already and process.poll() is None and time.monotonic() - began < 30
        ):
            time.sleep(0.002)
        time.sleep(dice.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        shop.portal.settle(3700)
    shop.portal.knobs.latency = 0.0
    assert to_the_end(shop) == 0, shop.said
    assert set(enrolled(shop).values()) == {1}
    assert len(enrolled(shop)) == CONTACTS
    assert set(shop.portal.flows.entered().values()) == {1}
    assert shop.portal.flows.busiest_hour() <= PACE
    assert set(shop.times_changed().values()) == {1}


def _start(shop: Shop) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-m", "tests.portal_shop", str(shop.config), shop.day.isoformat(), "run"]
    return subprocess.Popen(
        arguments, cwd=Path(__file__).parent.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
