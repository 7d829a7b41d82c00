"""Do labels stand still where nothing happens, is that told beforehand, and is its price published?"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from segmentation.evaluation import label_stability
from segmentation.evaluation.label_stability import Replay, cost, least_sensitive, replay
from segmentation.evaluation.scorecard import steadiness
from segmentation.feature_request import Needs
from segmentation.kinds.lifecycle import Lifecycle
from sync import commands
from sync.commands import Options
from tests.segmentation_frames import Played, cdnow, frame
from tests.test_forecasts import laid_out

DAY = date(1997, 12, 31)
WEEK = timedelta(weeks=1)


def told(*segments: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"record": range(len(segments)), "segment": list(segments), "score": np.linspace(0, 1, len(segments))}
    )


def test_moves_and_returns_are_counted_at_any_distance_and_newcomers_do_not_move() -> None:
    weeks = [told("a", "a", "b"), told("b", "a", "b"), told("c", "a", "b", "a"), told("a", "a", "b", "a")]
    replayed = Replay(weeks, weeks[-1])
    assert replayed.moved == pytest.approx(3 / 10) and replayed.returned == pytest.approx(1 / 3)
    assert not replayed.meets_target and Replay(weeks[:1] * 3, weeks[0]).meets_target


def test_without_a_past_the_liveliest_band_is_taken() -> None:
    assert (
        least_sensitive(
            [Lifecycle(dead_band=0.35).in_account(), Lifecycle(dead_band=0.7).in_account()], {}, None, DAY
        )
        == 0
    )


def test_a_business_that_would_not_keep_the_promise_gets_a_wider_band() -> None:
    early, kind = date(1997, 9, 30), Lifecycle().in_account()  # most customers were new in the weeks before
    past = Played(cdnow(), kind, early)
    assert kind.fit(past.now(), early, past)["figures"]["band"] > 0.35
    assert kind.fit(past.now(), early)["figures"]["band"] == 0.35


def test_what_steadiness_costs_is_told_beside_what_it_gives() -> None:
    kind: Any = Lifecycle().in_account()
    past = Played(cdnow(), kind, date(1998, 6, 30))
    model = kind.fit(past.features(DAY - 12 * WEEK), DAY - 12 * WEEK)
    replayed = replay(kind, model, past, DAY)
    assert (
        replayed is not None
        and replayed.moved <= label_stability.MOVED
        and replayed.returned <= label_stability.RETURNED
    )
    outcomes = past.outcomes(DAY, 125)
    price = cost(replayed, outcomes, ranked=False)
    assert set(price) == {"score", "raw", "steady"} and abs(price["raw"] - price["steady"]) < 0.02
    assert price["score"] > cost(replayed, outcomes, ranked=True)["score"], (
        "an AUC, and a share of the revenue"
    )
    lines = steadiness(kind.kind.judgement, replayed, price)
    assert [line.measure for line in lines] == ["moved a week", "returned", "cost of steadiness"]
    assert all(line.passes is not False for line in lines) and f"{price['steady']:.4f}" in lines[-1].words


def test_a_purchase_that_is_taken_back_does_not_undo_a_return() -> None:
    life, needs, start = Lifecycle(horizon_days=60).in_account(), Needs(horizon=True), date(2025, 1, 1)
    model = {"version": 1, "kind": "lifecycle", "settings": {"horizon_days": 60}, "axes": {}}
    model["figures"] = {"driver": "silence", "horizon": 60.0, "usual": 60.0}
    once = (1, 1, "purchase", start, 1000, None)
    again, back = (
        (1, 2, "purchase", date(2025, 9, 3), 1000, None),
        (1, 2, "refund", date(2025, 9, 12), -1000, None),
    )
    days = [date(2025, 9, 1), date(2025, 9, 8), date(2025, 9, 15), date(2025, 11, 20)]
    labels: Any = None
    stages = []
    for position, day in enumerate(days):
        labels = life.label(
            frame([once, again, back], day, (1,), needs),
            model,
            labels,
            days[position - 1] if position else None,
            day,
        )
        stages.append(labels["segment"][0])
    assert stages == ["lost", "won_back", "won_back", "lost"], "it is kept for the horizon, as any other"


# -- files of labels -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return laid_out(tmp_path_factory.mktemp("steady"), 60)


def read(config: Path, day: date) -> dict[str, dict[str, str]]:
    out = config.parent / "labels.csv"
    commands.label(config, Options(as_of=day), out=out, horizon=90)
    with out.open(newline="") as file:
        return {
            row["id"]: {name: row[name] for name in ("lifecycle", "value_tier", "cluster")}
            for row in csv.DictReader(file)
        }


def test_files_of_kinds_that_the_config_does_not_have_remember_those_before(shop: Path) -> None:
    first = date(1997, 10, 31)
    weeks = [read(shop, first + week * WEEK) for week in (0, 1, 2)]
    assert read(shop, first + 2 * WEEK) == weeks[-1], "a day that is told twice starts from the same"
    assert "won_back" in {row["lifecycle"] for row in weeks[-1].values()}, (
        "who was lost before the last purchase is known to have been"
    )
    for name in ("lifecycle", "value_tier", "cluster"):
        moved = [
            sum(earlier[id][name] != other[id][name] for id in earlier) / len(earlier)
            for earlier, other in pairwise(weeks)
        ]
        assert sum(moved) / len(moved) <= 0.03, name
    assert read(shop, first) == weeks[0], "a day before has no memory of those after"
