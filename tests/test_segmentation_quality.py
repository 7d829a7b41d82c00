"""Does a scorecard praise what is good, catch what is not, and propose without applying?"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from segmentation.evaluation import scorecard
from segmentation.evaluation.backtest import Backtest, run_backtest
from segmentation.evaluation.judgement import Line
from segmentation.evaluation.migration import Migration, migration
from segmentation.evaluation.scorecard import Today, composition, proposal, retrain_reasons
from segmentation.kinds import KINDS
from segmentation.kinds.abc import Abc
from segmentation.kinds.base import Kind
from segmentation.kinds.clusters import Clusters
from segmentation.kinds.offers import Offers
from segmentation.kinds.rfm import Rfm
from tests.segmentation_frames import Played, cdnow, complete_journey

DAY = date(1997, 9, 30)


class Plain(Kind):
    """A kind that declares nothing but the order of its segments."""

    name = "plain"
    segmentation_class = ""
    order: tuple[str, ...] = ()

    @property
    def ranked(self) -> tuple[str, ...]:
        return self.order


def card(
    backtest: Backtest | None, today: Today, model: dict[str, Any], ranked: tuple[str, ...] = ()
) -> list[Line]:
    """The card of a model by the kind that it is of; by a plain one where it does not say."""
    kinds = {"": Plain(order=ranked), "offers": Offers(categories=("Wine",))}
    name = model.get("kind", "")
    return scorecard.card(kinds[name] if name in kinds else KINDS[name](), backtest, today, model)


def of(lines: list[Line], measure: str) -> Line:
    return next(line for line in lines if line.measure == measure)


def labels(*segments: str, score: Any = None) -> pd.DataFrame:
    scores = np.linspace(0, 1, len(segments)) if score is None else np.asarray(score, float)
    return pd.DataFrame(
        {"record": range(len(segments)), "segment": list(segments), "score": scores, "reason": "x"}
    )


def outcomes(revenue: Any) -> pd.DataFrame:
    paid = np.asarray(revenue, np.int64)
    return pd.DataFrame(
        {
            "record": range(len(paid)),
            "orders": (paid > 0).astype(int),
            "purchase_days": 0,
            "net_revenue": paid,
        }
    )


def test_on_cdnow_the_best_tier_brings_more_than_its_share_of_what_came_after() -> None:
    past = Played(cdnow(), Abc().in_account(), date(1998, 6, 30))
    backtest = run_backtest(Abc().in_account(), past, DAY, 273)
    lines = card(backtest, Today(backtest.labels), {"kind": "abc", "figures": {}})
    lift = of(lines, "lift")
    assert (
        lift.passes
        and lift.interval is not None
        and 1.2 < lift.interval[0] < float(lift.value or 0) < lift.interval[1]
    )
    assert of(lines, "bought again").passes
    assert of(lines, "coverage").value == 1 and (of(lines, "efficiency").value or 0) > 0.2


def test_a_ranking_that_recency_alone_beats_does_not_pass() -> None:
    rng = np.random.default_rng(1)
    paid = rng.integers(0, 1000, 2000)
    chance = Backtest(
        labels(*["a", "b"] * 1000, score=rng.random(2000)),
        outcomes(paid),
        30,
        {"recency": paid.astype(float)},
    )
    lines = card(chance, Today(chance.labels), {"kind": "potential", "figures": {}})
    assert of(lines, "against").passes is False
    assert "by recency alone" in retrain_reasons(lines)[0]


def test_segments_by_chance_have_a_lift_whose_interval_holds_one() -> None:
    rng = np.random.default_rng(2)
    chance = Backtest(
        labels(*rng.choice(["a", "b"], 3000).tolist()), outcomes(rng.integers(0, 100, 3000)), 30, {}
    )
    assert of(card(chance, Today(chance.labels), {"figures": {}}, ranked=("a", "b")), "lift").passes is False


def test_small_and_unplayed_segments_are_named() -> None:
    line = of(
        card(None, Today(labels(*["a"] * 500, *["b"] * 5), playbooks=("a",)), {"figures": {}}),
        "actionability",
    )
    assert line.passes is False and "b has 5 records only" in line.words and "b has no playbook" in line.words


def test_unscored_records_count_against_coverage() -> None:
    line = of(card(None, Today(labels(*["a"] * 30, *["unscored"] * 70)), {"figures": {}}), "coverage")
    assert line.value == 0.3 and line.passes is False


def test_a_shift_of_the_score_is_drift_and_proposes_a_refit() -> None:
    now = labels(*["a"] * 1000)
    assert of(card(None, Today(now, shift=(0.1, 900)), {"figures": {}}), "drift").passes
    lines = card(None, Today(now, shift=(0.4, 900)), {"figures": {}})
    assert of(lines, "drift").passes is False and any("PSI" in why for why in retrain_reasons(lines))
    assert not retrain_reasons(card(None, Today(now, shift=(0.4, 90)), {"figures": {}})), (
        "ninety tremble by themselves"
    )


def test_for_as_long_as_nobody_could_move_there_is_no_verdict_and_no_proposal() -> None:
    now, then = labels(*["a"] * 1000, score=np.linspace(0.8, 1, 1000)), labels(*["a"] * 1000)
    for age, verdict in ((2, None), (27, None), (28, False)):
        lines = card(None, Today(now, shift=(0.4, 900), newcomers=(then, now), age=age), {"figures": {}})
        assert [of(lines, name).passes for name in ("drift", "newcomers")] == [verdict, verdict]
        assert bool(retrain_reasons(lines, age)) == (verdict is False)
    young = card(None, Today(now, shift=(0.4, 900), age=2), {"figures": {}})
    assert "the model is 2 days old, 28 are needed" in of(young, "drift").words


def test_newcomers_are_held_against_newcomers() -> None:
    then, now = labels(*["a"] * 400), labels(*["a"] * 400, score=np.linspace(0.8, 1, 400))
    assert of(card(None, Today(now, newcomers=(then, then)), {"figures": {}}), "newcomers").passes
    assert retrain_reasons(card(None, Today(now, newcomers=(then, now)), {"figures": {}}))
    assert not retrain_reasons(card(None, Today(now, newcomers=(then[:50], now)), {"figures": {}})), (
        "fifty tremble by themselves"
    )


def test_a_kind_is_judged_by_what_it_promises_alone() -> None:
    rng = np.random.default_rng(3)
    paid = rng.integers(0, 1000, 2000)
    chance = Backtest(
        labels(*["cluster_1", "cluster_2"] * 1000, score=rng.random(2000)),
        outcomes(paid),
        30,
        {"recency": paid.astype(float)},
    )
    today = Today(chance.labels)
    for kind in ("clusters", "rules", "response", "offers"):
        lines = card(chance, today, {"kind": kind, "figures": {}})
        assert not retrain_reasons(lines) and not {"lift", "against", "efficiency"} & {
            line.measure for line in lines
        }, kind
    assert retrain_reasons(card(chance, today, {"kind": "potential", "figures": {}}))


def clustered(jaccard: float, k: int | None = None) -> dict[str, Any]:
    stability = [{"k": 3, "jaccard": jaccard, "ari": 0.9, "smallest": 0.1}]
    return {
        "kind": "clusters",
        "settings": {"k": k},
        "figures": {"stability": stability},
        "learned": {"clusters": [{}] * 3},
    }


def test_clusters_that_do_not_come_back_propose_a_refit_unless_their_number_is_given() -> None:
    today = Today(labels(*["cluster_1"] * 500))
    assert of(card(None, today, clustered(0.9)), "stability").passes and not retrain_reasons(
        card(None, today, clustered(0.9))
    )
    assert retrain_reasons(card(None, today, clustered(0.5)))
    assert of(card(None, today, clustered(0.5, 3)), "stability of the given k").passes is False
    assert not retrain_reasons(card(None, today, clustered(0.5, 3))), (
        "a refit keeps the number, so it would mend nothing"
    )


def test_responses_are_judged_on_the_event_and_offers_on_what_was_bought() -> None:
    today = Today(labels(*["likely"] * 500))
    figures = {
        "auc": 0.55,
        "capture_20": 0.25,
        "lift_10": 1.4,
        "ece": 0.01,
        "brier": 0.1,
        "forecast_rate": 0.1,
        "base_rate": 0.1,
    }
    lines = card(None, today, {"kind": "response", "figures": figures})
    assert (
        of(lines, "lift on the event").passes
        and of(lines, "auc").passes is False
        and "AUC" in retrain_reasons(lines)[0]
    )
    tried = {"bought": [0.2, 0.1], "popular": [0.3, 0.2], "records": 900, "days": 30}
    lines = card(None, today, {"kind": "offers", "figures": {"tried": tried}})
    assert of(lines, "hits").passes is False and "30.0% what is bought most" in retrain_reasons(lines)[0]


def test_a_forecast_that_is_off_does_not_pass() -> None:
    figures = {"ece": 0.2, "brier": 0.3, "forecast_rate": 0.5, "base_rate": 0.1}
    backtest = Backtest(labels(*["a", "b"] * 200), outcomes([1, 0] * 200), 30, {})
    assert (
        of(
            card(backtest, Today(backtest.labels), {"kind": "potential", "figures": figures}), "calibration"
        ).passes
        is False
    )


def test_empty_and_tiny_labellings_have_a_card_too() -> None:
    for frame in (labels(), labels("a")):
        assert card(
            Backtest(frame, outcomes([0] * len(frame)), 30, {}),
            Today(frame, baseline=frame, shift=(0.0, 9)),
            {"figures": {}},
        )


def test_a_proposal_shows_cuts_figures_and_who_would_move() -> None:
    kind = Rfm().in_account()
    now, later = (
        Played(complete_journey(), kind, day).now() for day in (date(2017, 9, 30), date(2017, 12, 31))
    )
    old, new = kind.fit(now, date(2017, 9, 30)), kind.fit(later, date(2017, 12, 31))
    before, after = (kind.label(later, model, None, None, date(2017, 12, 31)) for model in (old, new))
    proposed = proposal(old, new, before, after)
    assert any(path.startswith("axes.frequency") for path in proposed["difference"])
    assert (
        0 < proposed["moved"] < 1
        and sum(flow["records"] for flow in proposed["flows"]) <= proposed["records"]
    )


def test_a_back_test_of_clusters_fits_on_what_was_known_then() -> None:
    kind = Clusters(k=4).in_account()
    backtest = run_backtest(kind, Played(cdnow(), kind, date(1998, 6, 30)), DAY, 90)
    assert len(backtest.labels) == len(backtest.outcomes) == 23_570
    lines = card(backtest, Today(backtest.labels), kind.fit(Played(cdnow(), kind, DAY).now(), DAY))
    assert of(lines, "stability of the given k").value and of(lines, "separation").value


def test_composition_tells_who_is_in_a_segment_and_hides_rare_values() -> None:
    frame = labels(*["a"] * 50, *["b"] * 50)
    asked = pd.DataFrame({"record": range(100), "gender": ["f"] * 45 + ["m"] * 45 + ["x"] * 3 + [None] * 7})
    shares = composition(frame, asked)["gender"]
    assert shares["a"] == {"f": 0.9, "m": 0.1} and set(shares["b"]) == {"m", "other"}


def test_lines_can_be_printed() -> None:
    lines = scorecard.as_dicts(card(None, Today(labels("a")), {"figures": {}}))
    assert all(set(line) == {"measure", "value", "passes", "words", "interval"} for line in lines)


def test_counts_and_labels_give_the_same_migration() -> None:
    before, after = labels(*"aaabb"), labels(*"aabbb")
    counts = [("a", "a", 2), ("a", "b", 1), ("b", "b", 2), (None, "b", 7)]
    from_labels, other = migration(before, after, ("a", "b")), Migration.of_counts(counts, ("c", "a"))
    assert other.to_dict() == from_labels.to_dict() and other.keys == ("a", "b", "")
    assert from_labels.to_dict()["probabilities"]["a"] == {"a": 0.6667, "b": 0.3333} and from_labels.stay == {
        "a": 3.0,
        "b": None,
    }
