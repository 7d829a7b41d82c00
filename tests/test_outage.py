"""An outage, a spent quota or a lost right at any question to the CRM: what is saved, how does the command
end, and does it go on?
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import AccessError, ConnectorError, QuotaError, RequestError, TemporaryError
from sync.commands import exit_code
from sync.exit_codes import RetryLater
from tests.world import ALLOWED, World

RESET = datetime(2024, 7, 2, 0, 0, tzinfo=UTC)
QUESTIONS = ("check", "fields", "lists", "ensure_field", "read", "write")
COMMANDS: dict[str, dict[str, Any]] = {
    "setup": {}, "run": {"allow": ALLOWED}, "undo": {"number": 4, "allow": ALLOWED},
}  # fmt: skip


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world with a past, and something to do for every command; only ever copied."""
    world = World(
        tmp_path_factory.mktemp("past"), account='time_zone = "Europe/Berlin"\n', batch_size=7, value=""
    )
    world.customers(15)
    world.first_run()
    for number in range(1, 9):
        world.buys(str(number), 2, 400_000)
    world.do("run", allow=ALLOWED)
    for number in range(9, 15):
        world.buys(str(number), 1, 700_000)
    world.label = 'title = "Habits"\n'
    return world


@pytest.fixture(scope="module")
def quiet(past: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """How that world goes on where nothing fails."""
    world = past.copy(tmp_path_factory.mktemp("quiet"))
    world.do("run", allow=ALLOWED)
    return world


def failing(world: World, question: str, error: ConnectorError) -> list[str]:
    """From now on the CRM answers one question with an error; the list holds how often it was asked."""
    asked: list[str] = []

    def ask(verb: str) -> None:
        if verb.removeprefix("before ") == question:
            asked.append(verb)
            raise error

    world.faults.asked = world.faults.hook = ask
    return asked


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_spent_quota_ends_every_command_alike_and_the_next_run_goes_on(
    past: World, quiet: World, tmp_path: Path, question: str
) -> None:
    for name, arguments in COMMANDS.items():
        world = past.copy(tmp_path / name)
        asked = failing(world, question, QuotaError("650,000 calls of today are spent", RESET))
        try:
            world.do(name, **arguments)
        except RetryLater as later:
            assert (
                (later.exit_code, later.at) == (75, RESET) and "2024-07-02 02:00 CEST" in str(later) and asked
            )
        else:
            assert not asked, name
        world.faults.asked = world.faults.hook = lambda verb: None
        if name == "run":
            world.do("run", allow=ALLOWED)
            assert world.state() == quiet.state(), name


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (TemporaryError("the CRM is down", retry_after=600), 75, "14:10 CEST"),
        (TemporaryError("the CRM is down"), 75, "run again later"),
        (QuotaError("spent"), 75, "when the quota is renewed"),
        (
            AccessError("the token has expired: make a new one and set it as PORTAL_TOKEN"),
            1,
            "make a new one",
        ),
        (RequestError("the CRM refused the search: unknown property x"), 1, "unknown property"),
    ],
)
def test_each_error_has_its_exit_code_and_says_what_to_do(
    past: World, tmp_path: Path, error: ConnectorError, code: int, message: str
) -> None:
    world = past.copy(tmp_path)
    failing(world, "read", error)
    with pytest.raises((RetryLater, ConnectorError)) as caught:
        world.do("run", allow=ALLOWED)
    assert exit_code(caught.value) == code and message in str(caught.value)
    last = world.journal("SELECT exit_code, finished_at FROM runs ORDER BY run DESC LIMIT 1")[0]
    assert last["exit_code"] == code and last["finished_at"]


def test_an_outage_in_pages_keeps_the_pages_before_it(tmp_path: Path) -> None:
    world = World(tmp_path, page_size=10)
    world.customers(40)
    left = [3]

    def hook(moment: str) -> None:
        left[0] -= moment == "before read"
        if left[0] == 0:
            raise TemporaryError("down")

    world.faults.hook = hook
    with pytest.raises(RetryLater):
        world.do("pull")
    assert world.do("pull")["pulled"]["rows"]["contact"] == 20


def test_what_was_just_read_is_not_read_again_however_long_the_writing_takes(tmp_path: Path) -> None:
    world = World(tmp_path, lists="none", batch_size=5, now=datetime(2024, 7, 1, 2, tzinfo=UTC))
    world.customers(40)
    world.do("setup")
    asked: list[str] = []
    world.faults.asked = asked.append
    world.faults.hook = lambda moment: setattr(
        world, "now", world.now + timedelta(minutes=10 * (moment == "before write"))
    )
    world.do("run", allow=ALLOWED)
    assert len(world.held("seg_rfm")) == 40 and "current" not in asked, "80 minutes of writing"


def test_an_old_plan_reads_every_batch_again_and_a_young_one_none(tmp_path: Path) -> None:
    world = World(tmp_path, lists="none", batch_size=10, now=datetime(2024, 7, 1, 2, tzinfo=UTC))
    world.customers(40)
    world.do("setup")
    planned = world.do("plan")["plan"]["plan"]
    asked: list[str] = []
    world.faults.asked = asked.append
    world.now += timedelta(minutes=14)
    world.do("apply", number=planned, first=10)
    assert asked.count("current") == 0
    world.now += timedelta(minutes=2)
    world.do("apply", number=planned)
    assert asked.count("current") == 4, "the trial took some of each batch"
