"""Is the next category what a record buys anyway, or what people like it buy; and is there support behind
what is told?
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from segmentation import model_file
from segmentation.feature_request import Needs
from segmentation.kinds.offers import NOTHING, Offers
from segmentation.models.category_features import Baskets
from segmentation.protocol import Segmentation
from segmentation.slugs import slugs
from tests.segmentation_frames import Row, complete_journey_campaigns, frame, segmentation

AS_OF = date(2025, 6, 30)


def told(**orders: int) -> str:
    return "\x1f".join(f"{name}\x1f{count}" for name, count in orders.items())


def shop(*rows: str | None, segment: str = "all") -> pd.DataFrame:
    return pd.DataFrame(
        {"record": range(len(rows)), "baskets": pd.Series(rows, dtype=object), "segment": segment}
    )


BUYERS = [told(Wine=5, Cheese=3)] * 60 + [told(Beer=4, Crisps=2)] * 60


def given_to(kind: Segmentation, features: pd.DataFrame, taught: pd.DataFrame | None = None) -> list[str]:
    model = model_file.from_json(
        model_file.to_json(kind.fit(shop(*BUYERS) if taught is None else taught, AS_OF))
    )
    return [str(segment) for segment in kind.label(features, model, None, None, AS_OF)["segment"]]


def test_replenishing_offers_what_the_record_buys_most() -> None:
    kind = Offers(categories=["Wine", "Beer"]).in_account()
    assert given_to(kind, shop(told(Wine=1, Beer=6), told(Wine=6, Beer=1), None)) == ["beer", "wine", NOTHING]


def test_discovering_offers_what_those_buy_who_buy_alike_and_never_what_is_owned() -> None:
    kind = Offers(categories=["Cheese", "Crisps"], goal="discover").in_account()
    assert given_to(kind, shop(told(Wine=2), told(Beer=1), told(Wine=1, Cheese=9))) == [
        "cheese",
        "crisps",
        NOTHING,
    ]


def test_what_few_buy_together_is_not_offered() -> None:
    taught = shop(*BUYERS, *[told(Wine=1, Caviar=9)] * 10)
    assert given_to(
        Offers(categories=["Caviar"], goal="discover").in_account(), shop(told(Wine=3)), taught
    ) == [NOTHING]


def test_the_habits_of_a_segment_decide_where_the_record_has_none() -> None:
    taught = pd.concat([shop(*BUYERS[:60], segment="a"), shop(*BUYERS[60:], segment="b")], ignore_index=True)
    taught["record"] = range(len(taught))
    kind = Offers(categories=["Wine", "Beer"], segment_by="rfm").in_account()
    features = pd.concat(
        [shop(told(Bread=1), segment="a"), shop(told(Bread=1), segment="b").assign(record=1)],
        ignore_index=True,
    )
    assert given_to(kind, features, taught) == ["wine", "beer"]
    described = kind.fit(taught, AS_OF)["figures"]["segments"]
    assert (
        described["a"]["distinct"][0]["category"] in ("Wine", "Cheese")
        and described["a"]["distinct"][0]["buyers"] == 60
    )


def test_lists_tell_rank_and_support_and_reasons_the_orders() -> None:
    kind: Any = Offers(categories=["Wine", "Beer", "Cheese"]).in_account()
    model = kind.fit(shop(*BUYERS), AS_OF)
    ranked = kind.lists(shop(told(Wine=3, Cheese=1)), model)
    assert ranked["category"].tolist()[:2] == ["Wine", "Cheese"] and ranked["support"].tolist()[0] == 60
    labels = kind.label(shop(told(Wine=3, Cheese=1)), model, None, None, AS_OF)
    assert labels["reason"].tolist() == ["Wine: in 3 orders within 365 days"]


def test_an_offer_changes_when_another_was_clearly_better_on_two_days() -> None:
    kind = Offers(categories=["Wine", "Beer"]).in_account()
    model = kind.fit(shop(*BUYERS), AS_OF)
    labels, seen = kind.label(shop(told(Wine=4, Beer=1)), model, None, None, AS_OF), []
    for day, now in enumerate(
        [told(Wine=4, Beer=9), told(Wine=9, Beer=9), told(Wine=4, Beer=9), told(Wine=4, Beer=9)], start=1
    ):
        labels = kind.label(
            shop(now), model, labels, AS_OF + timedelta(days=day - 1), AS_OF + timedelta(days=day)
        )
        seen.append(labels["segment"].iloc[0])
    assert seen == ["wine", "wine", "wine", "beer"]


class Tastes:
    """A past of shoppers who have one of two tastes, or of such that only want what most have; each day they
    know more of theirs.
    """

    model = None
    first = date(2024, 1, 1)
    tastes = (("Wine", "Cheese", "Olives", "Figs"), ("Beer", "Crisps", "Nuts", "Dips"))

    def __init__(self, count: int, taste: bool) -> None:
        rng = np.random.default_rng(5)
        self.taste = taste
        self.side = rng.integers(0, 2, count)
        self.known = rng.permuted(np.tile(np.arange(4), (count, 1)), axis=1)

    def bought(self, row: int, number: int) -> list[str]:
        if self.taste:
            return [self.tastes[self.side[row]][index] for index in self.known[row, :number]]
        popular = ["Bread", "Milk", "Eggs"] if number > 2 else ["Bread", "Milk"][: row % 3]
        return [*popular, self.tastes[self.side[row]][self.known[row, 0]]]

    def features(self, day: date, campaigns: Any = ()) -> pd.DataFrame:
        number = 3 if day >= AS_OF else 2
        return shop(*(told(**dict.fromkeys(self.bought(row, number), 2)) for row in range(len(self.side))))

    def undated(self, day: date) -> tuple[int, int]:
        return 0, len(self.side)

    def outcomes(self, day: date, days: int, kinds: Any = (), campaigns: Any = ()) -> pd.DataFrame:
        return pd.DataFrame({"record": range(len(self.side)), "orders": 1})

    def until(self, day: date) -> Any:
        return self

    def few(self, most: int) -> Any:
        return self

    def campaigns(self) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("taste", [True, False])
def test_discovering_is_tried_out_and_never_finds_less_than_what_is_popular(taste: bool) -> None:
    past = Tastes(400, taste)
    kind = Offers(
        categories=[*Tastes.tastes[0], *Tastes.tastes[1], "Bread", "Milk", "Eggs"], goal="discover"
    ).in_account()
    now = past.features(AS_OF)
    model = model_file.from_json(model_file.to_json(kind.fit(now, AS_OF, past)))
    tried = model["figures"]["tried"]
    assert tried["days"] == 30 and tried["records"] > 300
    assert tried["bought"][1] >= max(tried["popular"][1], *(hits[1] for hits in tried["by_weight"].values()))
    assert tried["weight"] == (1.0 if taste else tried["weight"])
    labels = kind.label(now, model, None, None, AS_OF)
    assert (tried["weight"] == 1.0) == labels["reason"].str.contains("of what it buys").any()


def test_replenishing_tells_how_often_it_was_bought_beside_what_is_popular() -> None:
    past = Tastes(400, True)
    kind = Offers(categories=[*Tastes.tastes[0], *Tastes.tastes[1]]).in_account()
    now = past.features(AS_OF).assign(recent=[told(**{past.bought(row, 1)[0]: 1}) for row in range(400)])
    tried = kind.fit(now, AS_OF, past)["figures"]["tried"]
    assert tried["bought"][0] > 1.5 * tried["popular"][0] > 0


def test_without_a_past_nothing_is_tried_and_likeness_alone_decides() -> None:
    model = Offers(categories=["Wine", "Beer"], goal="discover").in_account().fit(shop(*BUYERS), AS_OF)
    assert "tried" not in model["figures"] and model["learned"]["weight"] == 1.0


def test_baskets_count_orders_per_category_in_the_window_and_no_refund() -> None:
    day, old = date(2025, 6, 1), date(2024, 1, 1)
    rows: list[Row] = [
        (1, 7, "purchase", day, 100, "Wine"),
        (1, 7, "purchase", day, 100, "Wine"),
        (1, 8, "purchase", day, 100, "Wine"),
        (1, None, "purchase", day, 100, "Beer"),
        (1, 7, "refund", day, -100, "Beer"),
        (1, 9, "purchase", old, 100, "Old"),
        (2, 5, "purchase", day, 100, None),
    ]
    baskets = frame(rows, AS_OF, needs=Needs(baskets=(365,)))["baskets_365"]
    table = Baskets.read(baskets)
    assert dict(zip([table.names[p] for p in table.places], table.orders.tolist(), strict=True)) == {
        "Wine": 2,
        "Beer": 1,
    }
    assert baskets.isna().tolist() == [False, True, True]


@given(
    st.lists(
        st.none()
        | st.dictionaries(
            st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), min_size=1),
            st.integers(1, 9),
        )
    )
)
def test_baskets_are_read_as_they_were_told(rows: list[dict[str, int] | None]) -> None:
    texts = [
        None if not row else "\x1f".join(f"{name}\x1f{count}" for name, count in row.items()) for row in rows
    ]
    baskets = Baskets.read(pd.Series(texts, dtype=object))
    again: list[dict[str, int]] = [{} for _ in rows]
    for row, position, orders in zip(baskets.rows, baskets.places, baskets.orders, strict=True):
        again[row][baskets.names[position]] = int(orders)
    assert again == [row or {} for row in rows]


@given(st.lists(st.text(min_size=1), max_size=20))
def test_keys_are_valid_and_differ(names: list[str]) -> None:
    keys = slugs(names)
    assert len(set(keys)) == len(names) and all(
        key[0].isalpha() and key.isascii() and key == key.lower() for key in keys
    )


def test_categories_must_be_named_once() -> None:
    wrong: list[dict[str, Any]] = [
        {"categories": []},
        {"categories": ["Wine", "Wine "]},
        {"categories": ["Wine"], "min_buyers": 9},
    ]
    for options in wrong:
        with pytest.raises(ValidationError):
            segmentation("offers", options, "EUR", 2)


def test_on_complete_journey_replenishing_beats_popularity_and_discovering_finds_what_comes_next() -> None:
    con, day = complete_journey_campaigns(), date(2017, 9, 30)
    told_by = "string_agg(category || chr(31) || orders, chr(31)) AS baskets, 'all' AS segment"
    sql = f"SELECT record, {told_by} FROM ({{}}) GROUP BY record ORDER BY record"
    counts = """SELECT record, category, count(DISTINCT "order") AS orders FROM activity
                WHERE kind = 'purchase' AND category NOT IN ('GROCERY') AND day <= '2017-09-30' GROUP BY ALL"""
    features = con.con.execute(sql.format(counts)).df()
    names = [
        name
        for (name,) in con.con.execute(
            f"SELECT category FROM ({counts}) GROUP BY 1 ORDER BY count(*) DESC LIMIT 15"
        ).fetchall()
    ]
    came = con.con.execute(
        "SELECT DISTINCT record, category FROM activity WHERE kind = 'purchase' AND day BETWEEN '2017-10-01' AND '2017-10-30'"
    ).df()
    bought = set(zip(came["record"], came["category"], strict=True))
    hits: dict[str, float] = {}
    for goal in ("replenish", "discover"):
        kind: Any = Offers(categories=names, goal=goal).in_account()
        labels = kind.label(features, kind.fit(features, day), None, None, day)
        offered = labels[(labels["segment"] != NOTHING) & labels["record"].isin(came["record"])]
        of: dict[Any, str] = dict(zip(slugs(names), names, strict=True))
        hits[goal] = float(
            np.mean(
                [(r, of[s]) in bought for r, s in zip(offered["record"], offered["segment"], strict=True)]
            )
        )
    popular = float(np.mean([(record, names[0]) in bought for record in set(came["record"])]))
    assert hits["replenish"] > popular and hits["discover"] > 0.05
