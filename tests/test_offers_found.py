"""Which categories are found where the config names none, and do they stay what they were from fit to fit?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation import model_file
from segmentation.kinds.offers import NOTHING, OTHER, Offers, plain
from segmentation.kinds.offers_ranks import steady

AS_OF, LATER = date(2025, 6, 30), date(2025, 9, 30)


def told(orders: Mapping[str, int]) -> str | None:
    return "\x1f".join(f"{name}\x1f{count}" for name, count in orders.items()) or None


def shop(*rows: Mapping[str, int], gone: tuple[str, ...] = ()) -> pd.DataFrame:
    """Records with their orders by category; what is ``gone`` nobody bought of late."""
    of_late = [told({name: 1 for name in row if name not in gone}) for row in rows]
    baskets = pd.Series([told(row) for row in rows], dtype=object)
    return pd.DataFrame(
        {"record": range(len(rows)), "baskets": baskets, "segment": "all", "sold": of_late, "recent": of_late}
    )


@dataclass
class Before:
    """A past that knows the model before and nothing else."""

    model: Any
    first: date | None = None


def fitted(kind: Offers, features: pd.DataFrame, before: Any = None) -> dict[str, Any]:
    model: Any = kind.in_account().fit(features, AS_OF, Before(before) if before else None)  # type: ignore[arg-type]
    return model_file.from_json(model_file.to_json(model))


def titles(kind: Offers, model: Mapping[str, Any]) -> dict[str, str]:
    return {segment.key: segment.title for segment in kind.named(model)}


WINE, BEER, TEA = {"Wine": 5, "Cheese": 2}, {"Beer": 4}, {"Tea": 9}


def test_categories_that_enough_buy_are_found_and_the_others_are_counted_by_the_reason() -> None:
    rows = (
        [WINE] * 40
        + [BEER] * 40
        + [{"Caviar": 3}] * 5
        + [{"Sexual health": 2}] * 40
        + [{"Gift card": 1}] * 40
    )
    model = fitted(Offers(exclude=("gift  CARD",)), shop(*rows, *[TEA] * 40, gone=("Tea",)))
    assert model["learned"]["names"] == ["Beer", "Cheese", "Wine"]
    assert model["figures"]["left_out"] == {"excluded": 1, "sensitive": 1, "rare": 1, "not_sold": 1}
    allowed = Offers(exclude=("gift card",), sensitive=("sexual health",), min_buyers=5)
    assert {"Caviar", "Sexual health"} <= set(fitted(allowed, shop(*rows))["learned"]["names"])


def test_the_first_categories_have_a_segment_and_who_wants_another_is_told_so() -> None:
    kind, rows = Offers(max_segments=2), shop(*[WINE] * 60, *[BEER] * 50, *[TEA] * 40, {})
    model = fitted(kind, rows)
    labels = kind.in_account().label(rows, model, None, None, AS_OF)
    assert titles(kind, model) == {
        "category_1": "Wine", "category_2": "Beer", OTHER: "Another category", NOTHING: "No offer",
    }  # fmt: skip
    assert [labels["segment"][at] for at in (0, 60, 110, 150)] == ["category_1", "category_2", OTHER, NOTHING]
    assert labels["reason"][110].startswith("Tea: in 9 orders")


def test_a_category_keeps_its_number_and_that_of_one_that_vanished_is_never_given_again() -> None:
    kind = Offers(max_segments=3)
    first = fitted(kind, shop(*[WINE] * 60, *[BEER] * 50, *[TEA] * 40))
    assert [number for _name, number in first["learned"]["numbers"]] == [1, 2, 3]
    second = fitted(kind, shop(*[{"WINE": 5}] * 40, *[{"Juice": 3}] * 90, *[TEA] * 95), before=first)
    assert second["learned"]["numbers"] == [["Wine", 1], ["Tea", 3], ["Juice", 4]]
    third = fitted(kind, shop(*[WINE] * 60, *[BEER] * 99), before=second)
    assert third["learned"]["numbers"] == [["Wine", 1], ["Beer", 5]]


def test_a_customer_stays_where_the_category_is_spelled_otherwise_and_a_rename_moves_only_who_buys_it() -> (
    None
):
    kind = Offers(max_segments=3)
    before, after = shop(*[WINE] * 60, *[BEER] * 50), shop(*[{" wine": 6}] * 60, *[BEER] * 50)
    model = fitted(kind, before)
    labels = kind.in_account().label(before, model, None, None, AS_OF)
    again = kind.in_account().label(after, fitted(kind, after, before=model), labels, AS_OF, LATER)
    assert (again["since"] == AS_OF).all()
    renamed = shop(*[{"Wine": 5, "Wines": 9}] * 60, *[BEER] * 50, gone=("Wine",))
    moved = kind.in_account().label(renamed, fitted(kind, renamed, before=model), labels, AS_OF, LATER)
    assert moved["segment"][:60].eq("category_3").all() and moved["segment"][60:].eq("category_2").all()


@pytest.mark.parametrize("goal", ["replenish", "discover"])
def test_a_business_without_a_category_has_no_offers_and_is_worth_a_new_fit(goal: Any) -> None:
    kind, rows = Offers(goal=goal), shop({}, {}, {"Rare": 2})
    model = fitted(kind, rows)
    labels = kind.in_account().label(rows, model, None, None, AS_OF)
    assert model_file.blank(model) and labels["segment"].eq(NOTHING).all()
    assert labels["reason"].str.contains("too few|nothing bought").all()


def test_discovering_found_categories_offers_what_goes_with_what_is_owned() -> None:
    kind = Offers(goal="discover", max_segments=4)
    pairs = [{"Wine": 5, "Cheese": 3}] * 60 + [{"Beer": 4, "Crisps": 2}] * 60
    model = fitted(kind, shop(*pairs))
    rows = shop({"Wine": 2}, {"Beer": 1}, {"Wine": 1, "Cheese": 9})
    lists: Any = kind.in_account()
    best = lists.lists(rows, model).groupby("record").first()["category"]
    assert best.to_dict() == {0: "Cheese", 1: "Crisps"}


def test_hostile_names_stay_text_of_one_line_and_titles_differ() -> None:
    names = ["=1+1", "A\nB; C", "x" * 300, "x" * 299, "\uff37ine", "Another category", "\u202egpj"]
    kind = Offers(max_segments=20)
    model = fitted(kind, shop(*[dict.fromkeys(names, 1)] * 40))
    shown = [segment.title for segment in kind.named(model)]
    assert len({title.casefold() for title in shown}) == len(shown) and all(
        len(title) < 90 for title in shown
    )
    assert all(title.isprintable() and ";" not in title for title in shown) and "=1+1" in shown
    assert plain("A\nB; C") == "A B, C"


def test_a_config_that_names_categories_has_the_digest_that_it_had() -> None:
    assert set(Offers(categories=("Wine",)).model_dump(mode="json")) == {
        "categories", "goal", "window_days", "segment_by", "dead_band",
    }  # fmt: skip


values = st.lists(
    st.lists(st.sampled_from([0.0, 1.0, 1.05, 1.2, 2.0, 3.0]), min_size=4, max_size=4), min_size=1
)


@given(values, st.permutations([1, 2, 3, 4]))
def test_one_of_three_leaves_only_when_another_is_clearly_ahead_or_it_is_worth_nothing(
    rows: list[list[float]], order: list[int]
) -> None:
    worth, former = np.array(rows), np.tile(np.array(order[:3]), (len(rows), 1))
    for value, was, now in zip(worth, former, steady(worth, former, 0.1), strict=True):
        held = [place for place in now if place]
        assert len(held) == len(set(held)) == min(3, int((value > 0).sum()))
        assert all(value[place - 1] > 0 for place in held)
        for left in set(was) - set(held):
            newcomers = [value[place - 1] for place in set(held) - set(was)]
            assert value[left - 1] == 0 or min(newcomers) > 1.1 * value[left - 1]


def test_three_that_are_nearly_worth_the_same_keep_their_places_and_the_clear_winner_moves_up() -> None:
    former = np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3], [3, 0, 0], [0, 0, 0]])
    worth = np.array(
        [[1.0, 1.05, 1.09, 1.05], [1, 1.05, 2, 0], [1, 1.05, 1.09, 2], [1, 3, 1, 1.05], [1, 3, 2, 4]]
    )
    now = steady(worth, former, 0.1)
    assert now.tolist() == [[1, 2, 3], [3, 1, 2], [4, 2, 3], [2, 4, 3], [4, 2, 3]]
