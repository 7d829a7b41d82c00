"""May a plan move as many customers as usual, and is it stopped where it moves many more?"""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.config.settings import Limit
from sync.exit_codes import GuardTripped
from sync.plan.usual_change import UsualChange, change_limit
from tests.world import World

TIERS = """
[[segmentations]]
name = "tiers"
kind = "rules"
field = "seg_tiers"
segments = [
    {key = "gold", when = {attribute = "tier", is = "gold"}},
    {key = "silver", when = {attribute = "tier", is = "silver"}},
]
"""
SIDEWAYS = dict.fromkeys(("max_enter", "max_leave", "max_writes"), "only max_change is judged here")


def shop(folder: Path, customers: int = 200, guards: str = "") -> World:
    """Everybody is silver, and that is written."""
    account = '\n[accounts.portal.attributes]\ntier = "tier"\n\n'
    world = World(folder, account=account, lists="none", value=TIERS, more=f"[guards]\n{guards}")
    for number in range(1, customers + 1):
        world.store.put(str(number), "contact", tier="silver")
    world.first_run()
    return world


def moves(world: World, first: int, last: int) -> None:
    """These customers get the other tier."""
    for number in range(first, last + 1):
        key = ("contact", str(number))
        tier = "silver" if world.store.records[key]["tier"] == "gold" else "gold"
        world.store.put(str(number), "contact", tier=tier)


def stop(world: World) -> str:
    with pytest.raises(GuardTripped) as stopped:
        world.do("run", allow=SIDEWAYS)
    [trip] = stopped.value.trips
    assert trip.guard == "max_change"
    return trip.what


def test_one_in_twenty_may_move_and_no_plan_of_under_fifty_is_judged(tmp_path: Path) -> None:
    world = shop(tmp_path)
    moves(world, 1, 49)
    assert world.do("run", allow=SIDEWAYS)["applied"]["done"] == 49
    moves(world, 1, 50)
    assert stop(world) == (
        "50 of the 200 records labelled by tiers (25.0%) would change their segment (at most 5%, the default)"
    )


def test_three_times_the_usual_may_move_once_three_plans_tell_what_is_usual(tmp_path: Path) -> None:
    world = shop(tmp_path)
    for _plan in range(3):
        moves(world, 1, 52)
        assert "at most 5%, the default" in stop(world)
        world.do("run", allow={**SIDEWAYS, "max_change": "a sale"})
    moves(world, 1, 100)
    assert world.do("run", allow=SIDEWAYS)["applied"]["done"] == 100
    moves(world, 1, 160)
    assert stop(world).endswith(
        "(80.0%) would change their segment (at most 78%, 3 times the median of the last 4 plans that changed it)"
    )


def test_what_the_config_says_is_meant_as_it_says(tmp_path: Path) -> None:
    world = shop(tmp_path, 30, "max_change = 0.1")
    moves(world, 1, 3)
    assert world.do("run", allow=SIDEWAYS)["applied"]["done"] == 3
    moves(world, 1, 4)
    assert stop(world).endswith("(13.3%) would change their segment (at most 10%, set in [guards])")


def test_a_first_labelling_moves_nobody_and_tells_nothing_of_what_is_usual(tmp_path: Path) -> None:
    world = shop(tmp_path)
    [plan] = world.journal("SELECT summary FROM plans")
    assert '"moves": {"rfm": {"moved": 0, "of": 0}, "tiers": {"moved": 0, "of": 0}}' in plan["summary"]


@pytest.mark.parametrize(
    ("usual", "share", "why"),
    [
        (None, 0.05, "the default"),
        (UsualChange(0.0, 10), 0.05, "the default"),
        (UsualChange(0.016, 10), 0.05, "the default"),
        (UsualChange(0.02, 10), 0.06, "3 times the median of the last 10 plans that changed it"),
        (UsualChange(0.5, 3), 1.0, "3 times the median of the last 3 plans that changed it"),
    ],
)
def test_the_larger_of_both_holds(usual: UsualChange | None, share: float, why: str) -> None:
    limit, told = change_limit(Limit(share=0.05, floor=50), usual)
    assert (round(limit.share or 0, 6), limit.floor, told) == (share, 50, why)
