"""Is a clock that is wrong noticed before a day is labelled that has not come?"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sync import commands
from sync.commands import Options
from sync.exit_codes import CommandError
from tests import org_shop, portal_shop
from tests.world import ALLOWED, World


def test_runs_of_days_that_have_not_come_are_told_and_the_next_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    world.customers(10)
    world.first_run()
    assert not [note for note in world.do("run", allow=ALLOWED)["notes"] if "is in the future" in note]
    with monkeypatch.context() as ahead:
        ahead.setattr("sync.store.journal.runs.now", lambda: "2999-01-01T00:00:00.000000+00:00")
        world.buys("1")
        world.do("run", allow=ALLOWED)
    world.buys("2", amount=900_000)
    for command in ("run", "status", "plan"):
        [note] = [note for note in world.do(command, allow=ALLOWED)["notes"] if "is in the future" in note]
        assert "a run of 2999-01-01 00:00 UTC" in note
    assert world.held("seg_rfm") == world.labels("rfm")


def test_a_clock_that_is_days_ahead_of_hubspot_labels_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal_shop.hasten(monkeypatch, tmp_path)
    (tmp_path / "shop").mkdir()
    with portal_shop.portal_of() as server:
        shop = portal_shop.Shop(tmp_path / "shop", server)
        assert shop.code("setup") == 0, shop.said
        labels_nothing_ahead(shop.config, shop.now)
        assert shop.fields() == {} or not any(shop.fields().values())


def test_a_clock_that_is_days_ahead_of_salesforce_labels_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_shop.hasten(monkeypatch, tmp_path)
    with org_shop.shop_of(tmp_path / "shop", 60) as shop:
        labels_nothing_ahead(shop.config, shop.org.clock.now)


def labels_nothing_ahead(config: Any, now: Any) -> None:
    """A run on a clock that is three days ahead stops; one on a clock that is right goes on."""
    ahead = Options(allow=ALLOWED, clock=lambda: now() + timedelta(days=3))
    with pytest.raises(CommandError, match=r"this computer's clock says .* set the clock right"):
        commands.run(config, ahead)
    commands.plan(config, Options(allow=ALLOWED, clock=now))
