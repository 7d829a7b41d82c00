"""Weeks of a business whose CRM fails at random: does each week end as one on which nothing went wrong, with
nothing sent twice?

A week is a spree of edits by people and then a few runs under faults — refused records, calls that the CRM
cannot read, outages and lost answers in the middle of a batch of several calls, spent quotas, ``kill -9``, a
deleted mirror — until the faults end and one more run goes through. A twin that lives through the same weeks
in peace says how each must end. Then the last week is undone.

``SOAK=1000 pytest tests/test_soak.py`` soaks so many seeds; ``SOAK_FROM`` is the first of them.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import QuotaError, RequestError, TemporaryError
from sync.exit_codes import GuardTripped, RetryLater
from tests.test_companies import TIERS
from tests.test_laws import CUSTOMERS, Killed, cells, edit, objectors
from tests.world import ALLOWED, DAY, VALUE, World

FIRMS = 6
FIRST = int(os.environ.get("SOAK_FROM", 1))
SEEDS = range(FIRST, FIRST + int(os.environ.get("SOAK", 2)))
BATCH, CALL = 9, 4
ATTRIBUTES = 'time_zone = "Europe/Berlin"\n[accounts.portal.attributes]\nemployees = { field = "staff", type = "number" }\n'


def business(folder: Path, seed: int) -> World:
    """People and companies, set up; every second one has lists that the CRM fills by itself, as far as it has
    room.
    """
    folder.mkdir()
    dynamic = seed % 2 == 0
    lists = "dynamic" if dynamic else "static"
    world = World(
        folder, lists=lists, extra_fields='["reason", "since", "previous"]', account=ATTRIBUTES, batch_size=BATCH,
        value=VALUE + 'extra_fields = ["score"]\n\n' + TIERS.format(lists=lists),
    )  # fmt: skip
    world.store.dynamic_lists, world.store.room, world.store.call_size = dynamic, 9, CALL
    world.customers(CUSTOMERS)
    for number in range(1, FIRMS + 1):
        world.store.put(f"f{number}", "company", staff=50.0 * number)
        world.store.put(str(number), company_id=f"f{number}")
    world.do("setup")
    return world


def week(world: World, chance: random.Random) -> None:
    """What people do."""
    for _ in range(chance.randint(3, 15)):
        customer, other = (str(chance.randint(1, CUSTOMERS + 3)) for _ in range(2))
        key = chance.choice(sorted(world.store.lists))
        static = key not in world.store.filters and world.store.lists[key].record_type == "contact"
        edits: list[tuple[Any, ...]] = [
            ("buy", customer, chance.randint(0, 300), chance.choice([500, 20_000, 900_000])),
            ("buy", customer, chance.randint(0, 30), 300_000),
            ("edit", customer),
            ("field", customer, "seg_rfm", chance.choice(["champions", "lost", "new", None])),
            ("field", customer, "seg_value", chance.choice(["a", "c", None])),
            ("member", key, customer, chance.random() < 0.5) if static else ("edit", customer),
            ("delete", customer) if chance.random() < 0.3 else ("edit", customer),
            ("merge", customer, other) if chance.random() < 0.5 else ("edit", other),
            ("objects", customer, True) if chance.random() < 0.3 else ("edit", customer),
        ]
        edit(world, chance.choice(edits))
        if chance.random() < 0.3:
            firm = f"f{chance.randint(1, FIRMS)}"
            world.store.put(firm, "company", staff=chance.choice([10.0, 500.0]))


class Trouble:
    """Faults of one run, from the same seed the same."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.left = chance.randint(1, 25)
        self.kind = chance.choice(["kill", "lost", "outage", "quota", "refused", "none"])
        ids = [id for _type, id in world.store.records]
        faults = world.faults
        faults.hook = self.strike
        world.progress = lambda *_: self.strike("progress")
        if chance.random() < 0.5:
            faults.poison = set(chance.sample(ids, 2))
        if chance.random() < 0.5:
            faults.reject = {
                id: chance.choice(["data", "transient", "conflict", "permission"])
                for id in chance.sample(ids, 3)
            }

    def strike(self, moment: str) -> None:
        """Ends the run, when its moment has come, as the kind of trouble does."""
        writing = {"lost": "after write", "outage": "before write"}.get(self.kind)
        if (writing and moment != writing) or (moment == "progress" and self.kind != "kill"):
            return
        self.left -= 1
        if self.left == 0 and self.kind == "kill":
            raise Killed
        if self.left == 0 and self.kind in ("lost", "outage"):
            raise TemporaryError("the CRM went away")
        if self.left == 0 and self.kind == "quota":
            raise QuotaError("spent", datetime.fromisoformat("2024-12-01T00:00:00+00:00"))
        if self.left == 0 and self.kind == "refused" and moment == "before write":
            raise RequestError("the CRM cannot read this call")

    @staticmethod
    def end(world: World) -> None:
        world.faults.hook, world.progress = (lambda moment: None), (lambda what, done, total: None)
        world.faults.poison, world.faults.reject = set(), {}


def troubled(world: World, chance: random.Random, day: Any) -> None:
    """Up to four runs under faults, and then one in peace when the faults have been mended."""
    for _ in range(chance.randint(1, 4)):
        Trouble(world, chance)
        with suppress(Killed, RetryLater, RequestError):
            world.do("run", as_of=day, allow=ALLOWED)
        Trouble.end(world)
        if chance.random() < 0.2:
            world.lose_mirror()
    world.now += timedelta(days=40)
    assert world.do("run", as_of=day, allow=ALLOWED)["exit_code"] == 0


def sent_twice(world: World, since: int) -> dict[Any, int]:
    """Changes that were sent more than once, or moved a value more than once."""
    times = Counter((write.id, write.target, write.after) for write in world.store.sent[since:])
    return {change: number for change, number in times.items() if number > 1}


@pytest.mark.parametrize("seed", SEEDS)
def test_weeks_of_random_faults_end_like_quiet_ones_and_can_be_undone(seed: int, tmp_path: Path) -> None:
    chance, day = random.Random(seed), DAY
    world = business(tmp_path / "troubled", seed)
    quiet = world.copy(tmp_path / "quiet")
    for _ in range(2):
        day += timedelta(days=chance.randint(1, 40))
        edits = chance.random()
        for each_world in (world, quiet):
            week(each_world, random.Random(edits))
        before, sent = cells(world), len(world.store.sent)
        last = world.journal("SELECT max(run) AS run FROM runs")[0]["run"]
        troubled(world, chance, day)
        quiet.now = world.now
        assert quiet.do("run", as_of=day, allow=ALLOWED)["exit_code"] == 0
        assert cells(world) == cells(quiet)
        assert sent_twice(world, sent) == {}
        again = world.do("run", as_of=day, allow=ALLOWED)
        assert (again["plan"]["plan"], again["calls"]["write"]) == (None, 0)
    wrote = "SELECT DISTINCT run FROM batches WHERE run > ? AND plan IN (SELECT plan FROM plans WHERE kind = 'forward') ORDER BY run DESC"
    for row in world.journal(wrote, last):
        world.do("undo", number=row["run"], as_of=day, allow=ALLOWED)
    gone = objectors(world)
    assert {c: v for c, v in cells(world).items() if c[0] not in gone} == {
        c: v for c, v in before.items() if c[0] not in gone
    }
    rerun = world.do("run", as_of=day, allow=ALLOWED)
    assert rerun["plan"]["changes"] == 0 and rerun["exit_code"] in (0, GuardTripped.exit_code)
