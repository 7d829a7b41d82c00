"""Does a new model move all whom it sees otherwise at once, and is that told before any of it begins?"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from segmentation.kinds.clusters import Clusters
from segmentation.kinds.rfm import Rfm
from segmentation.takeover import first_labels
from tests.segmentation_frames import Played, cdnow
from tests.world import ALLOWED, DAY, World

FITTED, REFITTED = date(1997, 9, 30), date(1997, 12, 30)
NEXT = REFITTED + timedelta(days=1)


def moved(before: pd.DataFrame, after: pd.DataFrame) -> float:
    return float((before["segment"].to_numpy() != after["segment"].to_numpy()).mean())


@pytest.mark.parametrize("kind", [Rfm(), Clusters(k=4)], ids=["rfm", "clusters"])
def test_under_a_new_model_all_move_on_the_first_day_and_nobody_on_the_next(kind: Any) -> None:
    segmentation = kind.in_account()
    past = Played(cdnow(), segmentation, NEXT)
    then, now, later = (past.features(day) for day in (FITTED, REFITTED, NEXT))
    old, new = segmentation.fit(then, FITTED), segmentation.fit(now, REFITTED)
    before = segmentation.label(then, old, None, None, FITTED)
    first = first_labels(segmentation, now, new, before, FITTED, REFITTED)
    rest = now.iloc[::2]
    again = first_labels(segmentation, rest, new, before, FITTED, REFITTED)
    assert moved(first.iloc[::2], again) == 0, "record by record, so in any chunks"
    assert moved(before, first) > 0.05
    assert moved(first, segmentation.label(later, new, first, REFITTED, NEXT)) < 0.002
    kept = (first["segment"] == before["segment"]).to_numpy()
    assert (first["since"][kept] == FITTED).all() and (first["since"][~kept] == REFITTED).all()
    assert first["previous"][kept].isna().all()
    assert first["previous"][~kept].tolist() == before["segment"][~kept].tolist(), "nothing stands between"
    assert first["reason"][kept].tolist() == before["reason"][kept].tolist()


def test_a_plan_after_a_training_tells_the_whole_move_until_it_was_carried_out(tmp_path: Path) -> None:
    world = World(tmp_path, value="")
    world.customers(40)
    world.first_run()
    for number in range(25, 40):
        world.buys(str(number), amount=90_000)
    later = DAY + timedelta(days=60)
    world.do("run", as_of=later - timedelta(days=1), allow=ALLOWED)
    assert not any("new model" in note for note in world.do("plan", as_of=later)["notes"])
    world.do("train", as_of=later, names=("rfm",))
    before = world.held("seg_rfm")
    (note,) = [note for note in world.do("plan", as_of=later)["notes"] if "new model" in note]
    after = world.labels("rfm")
    number = sum(before[id] != after[id] for id in before)
    assert number and f"{number} of 40 records" in note and " from " in note
    world.do("run", as_of=later, allow=ALLOWED)
    tomorrow = world.do("plan", as_of=later + timedelta(days=1))
    assert world.labels("rfm") == after and not any("new model" in note for note in tomorrow["notes"])
