"""Do clusters come back, keep their numbers over refits, and say what they are?"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation import model_file
from segmentation.evaluation import cluster_stability
from segmentation.kinds.base import Account
from segmentation.kinds.clusters import Clusters
from segmentation.models.encoder import MISSING, OTHER, Encoder, Trait
from segmentation.rules.comparison import AttributeType
from tests.segmentation_frames import Played, cdnow, complete_journey, segmentation

AS_OF = date(2025, 6, 30)


class Before:
    """A past that knows only the model that a fit replaces."""

    first = None

    def __init__(self, model: Any) -> None:
        self.model = model

    def features(self, day: date) -> Any:
        raise AssertionError("clusters do not look back")

    outcomes = until = campaigns = features


def shoppers(groups: int = 4, each: int = 100, shift: int = 0, seed: int = 1) -> pd.DataFrame:
    """``groups`` kinds of buyers, far apart in how lately and how often they buy."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), each)
    days = np.round(4.0**group * rng.uniform(0.9, 1.1, len(group))).astype(int)
    silent = np.round(300 / 4.0 ** ((group + shift) % groups) * rng.uniform(0.9, 1.1, len(group))).astype(int)
    return pd.DataFrame(
        {
            "record": np.arange(len(group)),
            "orders": days,
            "purchase_days": days,
            "net_revenue": days * 2000,
            "first_purchase": [AS_OF - timedelta(days=int(d)) for d in silent],  # no rhythm
            "last_purchase": [AS_OF - timedelta(days=int(d)) for d in silent],
        }
    )


def keys(labels: pd.DataFrame) -> list[str]:
    return [str(segment) for segment in labels["segment"]]


def test_buyers_of_a_kind_share_a_cluster() -> None:
    frame, kind = shoppers(), Clusters(k=4).in_account()
    labels = keys(kind.label(frame, kind.fit(frame, AS_OF), None, None, AS_OF))
    assert [len(set(labels[start : start + 100])) for start in range(0, 400, 100)] == [1, 1, 1, 1]
    assert len(set(labels)) == 4


def test_the_number_of_clusters_is_one_that_comes_back_and_never_mixes_kinds_of_buyers() -> None:
    frame, kind = shoppers(), Clusters().in_account()
    model = kind.fit(frame, AS_OF)
    labels = keys(kind.label(frame, model, None, None, AS_OF))
    assert not set(labels[:100]) & set(labels[300:])
    assert any(
        trial["k"] == len(set(labels)) and trial["jaccard"] >= cluster_stability.JACCARD
        for trial in model["figures"]["stability"]
    )


def test_names_say_what_sets_a_cluster_apart_and_differ() -> None:
    kind = Clusters(k=4).in_account()
    model = kind.fit(shoppers(), AS_OF)
    names = [cluster["name"] for cluster in model["learned"]["clusters"]]
    assert len(set(names)) == 4
    best = max(model["learned"]["clusters"], key=lambda cluster: cluster["centre"][1])
    assert "frequent" in best["name"].casefold() and "recent" in best["name"].casefold()
    assert {segment.title for segment in kind.named(model)} >= set(names)
    assert {segment.key for segment in kind.named(model)} < {segment.key for segment in kind.segments}


def test_a_silence_that_is_usual_for_a_record_moves_it_nowhere_and_says_so_to_models_of_now_alone() -> None:
    kind, frame = Clusters(k=4).in_account(), shoppers()
    frame["first_purchase"] = [AS_OF - timedelta(days=400)] * len(frame)
    model = kind.fit(frame, AS_OF)
    later = frame.assign(last_purchase=[day - timedelta(days=9) for day in frame["last_purchase"]])
    later.loc[later["purchase_days"] < 10, "last_purchase"] = AS_OF  # a purchase each half a year
    first = keys(kind.label(frame, model, None, None, AS_OF))
    assert keys(kind.label(later, model, None, None, AS_OF))[100:200] == first[100:200]
    old = {**model, "figures": {**model["figures"], "scoring": 1}}
    assert Clusters().outdated(old) and not Clusters().outdated(model)
    assert keys(kind.label(later, old, None, None, AS_OF))[100:200] != first[100:200]


def test_a_refit_keeps_numbers_and_names() -> None:
    kind = Clusters(k=4).in_account()
    first = kind.fit(shoppers(), AS_OF)
    again = kind.fit(shoppers(seed=2), AS_OF + timedelta(days=30), Before(first))  # type: ignore[arg-type]
    names = [
        {cluster["number"]: cluster["name"] for cluster in model["learned"]["clusters"]}
        for model in (first, again)
    ]
    assert names[0] == names[1]
    assert again["figures"]["same_after_refit"] > 0.95


def test_a_cluster_that_dissolves_is_retired_and_its_number_never_used_again() -> None:
    kind = Clusters().in_account()
    first = kind.fit(shoppers(4), AS_OF)
    fewer = kind.fit(shoppers(3).assign(net_revenue=lambda f: f["net_revenue"] % 977), AS_OF, Before(first))  # type: ignore[arg-type]
    third = kind.fit(shoppers(4, seed=3), AS_OF, Before(fewer))  # type: ignore[arg-type]
    numbers = [
        {cluster["number"] for cluster in model["learned"]["clusters"]} for model in (first, fewer, third)
    ]
    retired = set(fewer["learned"]["retired"])
    assert numbers[0] - numbers[1] == retired and retired
    assert not numbers[2] & retired
    assert third["learned"]["next"] > max(numbers[0] | numbers[1])


def test_when_numbers_are_used_up_the_old_clusters_stay_and_the_model_says_so() -> None:
    kind = Clusters(max_clusters=4).in_account()
    first = kind.fit(shoppers(4), AS_OF)
    other = shoppers(4, shift=2).assign(net_revenue=lambda f: f["net_revenue"] % 977)
    again = kind.fit(other, AS_OF, Before(first))  # type: ignore[arg-type]
    if again["figures"]["refused"]:
        assert "used up" in again["figures"]["refused"]
        centres = [
            [cluster["centre"] for cluster in model["learned"]["clusters"]] for model in (first, again)
        ]
        assert np.allclose(centres[0], centres[1])
    assert set(keys(kind.label(other, again, None, None, AS_OF))) <= {
        segment.key for segment in kind.segments
    }


def test_a_record_changes_its_cluster_on_the_second_day_that_another_is_clearly_nearer() -> None:
    frame, kind = shoppers(), Clusters(k=4).in_account()
    model = kind.fit(frame, AS_OF)
    labels, seen = kind.label(frame, model, None, None, AS_OF), []
    changed = frame.copy()
    changed.loc[0, ["purchase_days", "net_revenue", "last_purchase"]] = changed.loc[
        399, ["purchase_days", "net_revenue", "last_purchase"]
    ]
    for week in range(1, 4):
        day = AS_OF + timedelta(days=week)
        labels = kind.label(changed, model, labels, day - timedelta(days=1), day)
        seen.append(keys(labels)[0])
    assert seen[0] == keys(kind.label(frame, model, None, None, AS_OF))[0]
    assert seen[1] == seen[2] == keys(labels)[399]


def test_labelling_in_pieces_gives_the_same_labels() -> None:
    frame, kind = shoppers(), Clusters(k=4).in_account()
    model = kind.fit(frame, AS_OF)
    whole = kind.label(frame, model, None, None, AS_OF)
    pieces = [
        kind.label(frame.iloc[part].reset_index(drop=True), model, None, None, AS_OF)
        for part in (slice(0, 150), slice(150, 400))
    ]
    pd.testing.assert_frame_equal(whole, pd.concat(pieces, ignore_index=True))


def test_who_never_bought_is_a_prospect_unless_attributes_tell_more() -> None:
    frame = shoppers().astype({"last_purchase": object})
    frame.loc[:9, "last_purchase"] = None
    frame.loc[:9, ["purchase_days", "net_revenue", "orders"]] = 0
    kind = Clusters(k=4).in_account()
    assert set(keys(kind.label(frame, kind.fit(frame, AS_OF), None, None, AS_OF))[:10]) == {"prospect"}
    with_city = Clusters(k=4, attributes=("city",)).in_account(Account(attributes={"city": AttributeType()}))
    frame["attribute.city"] = np.where(np.arange(len(frame)) % 2, "Oslo", "Rome")
    assert "prospect" not in keys(with_city.label(frame, with_city.fit(frame, AS_OF), None, None, AS_OF))


def test_too_few_records_are_not_clustered_and_the_reason_says_so() -> None:
    frame, kind = shoppers(2, 10), Clusters().in_account()
    labels = kind.label(frame, kind.fit(frame, AS_OF), None, None, AS_OF)
    assert set(labels["segment"]) == {"unscored"}
    assert "fewer than 100 records" in labels["reason"].iloc[0]


def test_sensitive_attributes_are_used_only_when_switched_on_by_name() -> None:
    with pytest.raises(ValueError, match="'gender' is sensitive"):
        segmentation("clusters", {"attributes": ["gender"]}, "EUR", 2, attributes={"gender": AttributeType()})
    chosen = segmentation(
        "clusters", {"sensitive": ["gender"]}, "EUR", 2, attributes={"gender": AttributeType()}
    )
    assert any(trait.column == "attribute.gender" for trait in chosen.traits)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("day", "later"), [(date(1997, 9, 30), date(1997, 10, 31)), (date(1998, 5, 31), date(1998, 6, 30))]
)
def test_on_cdnow_84_percent_keep_their_label_over_a_refit_a_month_later(day: date, later: date) -> None:
    kind = Clusters(k=5).in_account()
    now, then = Played(cdnow(), kind, day), Played(cdnow(), kind, later)
    model = model_file.from_json(model_file.to_json(kind.fit(now.now(), day)))
    refit = kind.fit(then.now(), later, Played(cdnow(), kind, later, model))
    before = kind.label(now.now(), model, None, None, day)
    after, plain = (
        kind.label(then.now(), refit, previous, day if previous is not None else None, later)
        for previous in (before, None)
    )
    both = before.merge(after, on="record").merge(plain, on="record", suffixes=("", "_plain"))
    both = both[both["segment_x"] != "prospect"]
    assert (both["segment_x"] == both["segment"]).mean() >= 0.84  # without any hysteresis
    assert (both["segment_x"] == both["segment_y"]).mean() >= 0.95


def test_complete_journey_gets_a_number_of_clusters_that_comes_back() -> None:
    day = date(2017, 9, 30)
    kind = Clusters().in_account()
    model = kind.fit(Played(complete_journey(), kind, day).now(), day)
    chosen = next(
        trial for trial in model["figures"]["stability"] if trial["k"] == len(model["learned"]["clusters"])
    )
    assert (
        chosen["jaccard"] >= cluster_stability.JACCARD
        and chosen["ari"] >= cluster_stability.ARI
        and chosen["smallest"] >= cluster_stability.SMALLEST
    )


# -- matching and traits
# ---------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=60))
def test_a_match_is_one_to_one_and_each_pair_shares_half(pairs: list[tuple[int, int]]) -> None:
    old, new = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    shared = cluster_stability.contingency(old, new, 5, 4)
    matches = cluster_stability.matched(shared)
    assert len(set(matches.values())) == len(matches)
    assert all(cluster_stability.jaccard(shared)[o, n] >= cluster_stability.SAME for n, o in matches.items())


@given(st.lists(st.integers(0, 3), min_size=2, max_size=50), st.permutations(range(4)))
def test_renumbered_clusters_agree_wholly_and_match(labels: list[int], names: list[int]) -> None:
    numbers = np.array(labels, np.int64)
    shared = cluster_stability.contingency(numbers, np.array(names, np.int64)[numbers], 4, 4)
    assert cluster_stability.rand_index(shared) == pytest.approx(1.0)
    assert all(
        names[old] == new for new, old in cluster_stability.matched(shared).items() if shared[old].sum()
    )


CELL = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(2**60), 2**60)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            CELL, st.none() | st.sampled_from(["a", "b", "", "other", "not known"]) | st.text(max_size=3)
        ),
        max_size=80,
    )
)
def test_any_column_becomes_finite_numbers_or_is_left_out_with_a_reason(rows: list[tuple[Any, Any]]) -> None:
    frame = pd.DataFrame(
        {
            "n": pd.Series([n for n, _ in rows], dtype=object),
            "c": pd.Series([c for _, c in rows], dtype=object),
        }
    )
    traits = [
        Trait("n", "number", "n"),
        Trait("n", "money", "m"),
        Trait("c", "category", "c"),
        Trait("c", "rank", "r", order=("a", "b")),
    ]
    encoder = Encoder.fit(frame, traits, AS_OF)
    points = Encoder.from_dict(encoder.to_dict()).matrix(frame, AS_OF)
    assert points.shape == (len(rows), len(encoder.names())) and np.isfinite(points).all()
    assert len(encoder.columns) + len(encoder.dropped) == 4


def test_ten_thousand_categories_become_the_common_ones_and_the_others() -> None:
    texts = [f"c{i}" for i in range(10_000)] + ["Oslo"] * 5_000
    encoder = Encoder.fit(pd.DataFrame({"c": texts}), [Trait("c", "category", "c")], AS_OF)
    assert encoder.columns[0].levels == ("Oslo", OTHER)
    alone = Encoder.fit(pd.DataFrame({"c": texts[:10_000]}), [Trait("c", "category", "city")], AS_OF)
    assert "none of its 10000 values" in alone.dropped["city"]
    gaps = Encoder.fit(pd.DataFrame({"c": ["a"] * 70 + [None] * 30}), [Trait("c", "category", "c")], AS_OF)
    assert gaps.columns[0].levels == ("a", MISSING)
