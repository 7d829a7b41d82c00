"""Does a report card praise what is good, catch what is not, and propose without applying?"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from segmentation import quality
from segmentation.clusters import Clusters
from segmentation.quality import Held, Line, card, composition, falls, held, proposal
from segmentation.rfm import Rfm
from segmentation.value import Value
from tests.segmentation_frames import Played, cdnow, complete_journey

DAY = date(1997, 9, 30)


def of(lines: list[Line], measure: str) -> Line:
    return next(line for line in lines if line.measure == measure)


def labels(*segments: str, score: Any = None) -> pd.DataFrame:
    scores = np.linspace(0, 1, len(segments)) if score is None else np.asarray(score, float)
    return pd.DataFrame({"record": range(len(segments)), "segment": list(segments), "score": scores, "reason": "x"})


def outcomes(revenue: Any) -> pd.DataFrame:
    paid = np.asarray(revenue, np.int64)
    return pd.DataFrame({"record": range(len(paid)), "orders": (paid > 0).astype(int), "purchase_days": 0, "net_revenue": paid})


def test_on_cdnow_the_best_tier_brings_more_than_its_share_of_what_came_after() -> None:
    past = Played(cdnow(), Value(), date(1998, 6, 30))
    found = held(Value(), past, DAY, 273)
    lines = card(found, found.labels, {"figures": {}}, ranked=("a", "b", "c"))
    lift = of(lines, "lift")
    assert lift.passes and lift.interval is not None and 1.2 < lift.interval[0] < float(lift.value or 0) < lift.interval[1]
    assert of(lines, "bought again").passes
    assert of(lines, "coverage").value == 1 and of(lines, "efficiency").passes


def test_a_ranking_that_recency_alone_beats_does_not_pass() -> None:
    rng = np.random.default_rng(1)
    paid = rng.integers(0, 1000, 2000)
    chance = Held(labels(*["a", "b"] * 1000, score=rng.random(2000)), outcomes(paid), 30, {"recency": paid.astype(float)})
    lines = card(chance, chance.labels, {"figures": {}})
    assert of(lines, "against").passes is False
    assert "by recency alone" in falls(lines)[0]


def test_segments_by_chance_have_a_lift_whose_interval_holds_one() -> None:
    rng = np.random.default_rng(2)
    chance = Held(labels(*rng.choice(["a", "b"], 3000).tolist()), outcomes(rng.integers(0, 100, 3000)), 30, {})
    assert of(card(chance, chance.labels, {"figures": {}}, ranked=("a", "b")), "lift").passes is False


def test_small_and_unplayed_segments_are_named() -> None:
    line = of(card(None, labels(*["a"] * 500, *["b"] * 5), {"figures": {}}, playbooks=("a",)), "actionability")
    assert line.passes is False and "b has 5 records only" in line.words and "b has no playbook" in line.words


def test_unscored_records_count_against_coverage() -> None:
    line = of(card(None, labels(*["a"] * 30, *["unscored"] * 70), {"figures": {}}), "coverage")
    assert line.value == 0.3 and line.passes is False


def test_a_shift_of_the_score_is_drift_and_proposes_a_refit() -> None:
    then, now = labels(*["a"] * 1000), labels(*["a"] * 1000, score=np.linspace(0.8, 1, 1000))
    assert of(card(None, then, {"figures": {}}, baseline=then), "drift").passes
    lines = card(None, now, {"figures": {}}, baseline=then)
    assert of(lines, "drift").passes is False and any("PSI" in why for why in falls(lines))


def test_a_forecast_that_is_off_does_not_pass() -> None:
    figures = {"ece": 0.2, "brier": 0.3, "forecast_rate": 0.5, "base_rate": 0.1}
    assert of(card(None, labels("a"), {"figures": figures}), "coverage").passes
    found = Held(labels(*["a", "b"] * 200), outcomes([1, 0] * 200), 30, {})
    assert of(card(found, found.labels, {"figures": figures}), "calibration").passes is False


def test_empty_and_tiny_labellings_have_a_card_too() -> None:
    for frame in (labels(), labels("a")):
        assert card(Held(frame, outcomes([0] * len(frame)), 30, {}), frame, {"figures": {}}, baseline=frame)


def test_a_proposal_shows_cuts_figures_and_who_would_move() -> None:
    kind = Rfm()
    now, later = (Played(complete_journey(), kind, day).now() for day in (date(2017, 9, 30), date(2017, 12, 31)))
    old, new = kind.fit(now, date(2017, 9, 30)), kind.fit(later, date(2017, 12, 31))
    before, after = (kind.label(later, model, None, None, date(2017, 12, 31)) for model in (old, new))
    told = proposal(old, new, before, after)
    assert any(path.startswith("axes.frequency") for path in told["difference"])
    assert 0 < told["moved"] < 1 and sum(flow["records"] for flow in told["flows"]) <= told["records"]


def test_a_back_test_of_clusters_fits_on_what_was_known_then() -> None:
    kind = Clusters(4)
    found = held(kind, Played(cdnow(), kind, date(1998, 6, 30)), DAY, 90)
    assert len(found.labels) == len(found.outcomes) == 23_570
    lines = card(found, found.labels, kind.fit(Played(cdnow(), kind, DAY).now(), DAY))
    assert of(lines, "lift").value and of(lines, "separation").value


def test_composition_tells_who_is_in_a_segment_and_hides_rare_values() -> None:
    frame = labels(*["a"] * 50, *["b"] * 50)
    asked = pd.DataFrame({"record": range(100), "gender": ["f"] * 45 + ["m"] * 45 + ["x"] * 3 + [None] * 7})
    found = composition(frame, asked)["gender"]
    assert found["a"] == {"f": 0.9, "m": 0.1} and set(found["b"]) == {"m", "other"}


def test_lines_can_be_printed() -> None:
    told = quality.as_dicts(card(None, labels("a"), {"figures": {}}))
    assert all(set(line) == {"measure", "value", "passes", "words", "interval"} for line in told)
