"""A few seeds of ``tests.salesforce_schedule``: random faults over scheduled runs end like a quiet run,
without a person.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.org_shop import hasten, shop_of
from tests.salesforce_schedule import STANDING, ended, quiet


@pytest.mark.parametrize(("way", "seeds"), [("rest", (1, 2, 3, 4)), ("bulk", (1, 2))])
def test_random_faults_over_scheduled_runs_end_like_a_quiet_run(
    way: str, seeds: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch, tmp_path, 500.0)
    wanted = quiet(tmp_path / "quiet", way)
    wrong = {
        seed: difference
        for seed in seeds
        if (difference := ended(tmp_path / f"shop-{seed}", way, seed, wanted))
    }
    assert not wrong


LOCKED = {"match": {"method": "PATCH", "path": "composite/sobjects$"}, "do": "item", "times": 10**6}


def test_a_plan_that_an_outage_cut_off_keeps_its_approval_though_somebody_new_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch, tmp_path, 500.0)
    with shop_of(tmp_path / "shop", 90) as shop:
        shop.strikes({**LOCKED, "ids": 0.5})
        assert shop.code() == 75, shop.said  # with what a person allowed
        shop.rests()
        new = shop.org.create("Contact", LastName="New", Email="new@example.org")
        shop.org.clock.advance(60)
        assert shop.code(allow=STANDING) == 0, shop.said
        assert (
            all(values["seg_rfm__c"] for values in shop.fields().values())
            and shop.fields()[new]["seg_rfm__c"]
        )


def test_records_that_stay_locked_cost_no_more_calls_than_the_batch_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch, tmp_path, 500.0)
    with shop_of(tmp_path / "shop", 300, settings={"lists": "none"}) as shop:
        shop.strikes({**LOCKED, "ids": 1.0})
        assert shop.code() == 75, shop.said
        assert shop.calls("PATCH", "composite/sobjects") <= 2 + 10
        shop.rests()
        assert shop.finish() == 0, shop.said
