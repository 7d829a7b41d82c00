"""Rules end to end: exact cases by hand, and the compiled expression against a plain reading of the records
row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from math import acos, cos, radians, sin
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segmentation.features import features
from segmentation.frames import Segment
from segmentation.kinds.base import Account
from segmentation.kinds.rules import Rules
from segmentation.protocol import Segmentation
from segmentation.rules.logic import Rule
from segmentation.rules.parser import RuleError, parse

AS_OF = date(2025, 6, 30)
INCOME = ("Under 15K", "15-24K", "25-34K", "35K+")
ATTRIBUTES: dict[str, tuple[str, tuple[str, ...]]] = {
    "city": ("text", ()),
    "age": ("number", ()),
    "income": ("ordered", INCOME),
    "latitude": ("number", ()),
    "longitude": ("number", ()),
}
OTHERS = {"rfm": lambda: ["champions", "lost"]}
ACTIVITY = pa.schema(
    [
        *(
            ("record", pa.int64()),
            ("order", pa.int64()),
            ("kind", pa.string()),
            ("day", pa.date32()),
            ("amount", pa.int64()),
        ),
        *(
            ("category", pa.string()),
            ("campaign", pa.string()),
            ("answer", pa.string()),
            ("occurred_at", pa.timestamp("us")),
        ),
    ]
)
RECORDS = pa.schema(
    [
        *(("record", pa.int64()), ("record_type", pa.string()), ("created_at", pa.timestamp("us"))),
        *(
            (f"attribute.{name}", pa.float64() if kind == "number" else pa.string())
            for name, (kind, _) in ATTRIBUTES.items()
        ),
        ("segment.rfm", pa.string()),
    ]
)
CON = ibis.duckdb.connect()


def ago(days: int) -> date:
    return AS_OF - timedelta(days=days)


def deed(
    kind: str, days_ago: int, amount: int | None = None, order: int | None = None, **more: Any
) -> dict[str, Any]:
    at = datetime.combine(ago(days_ago), datetime.min.time()) + timedelta(hours=more.pop("hour", 12))
    return {
        "record": 1,
        "order": order,
        "kind": kind,
        "day": ago(days_ago),
        "amount": amount,
        "occurred_at": at,
        **more,
    }


def facts(
    rule: Rule, records: Sequence[Mapping[str, Any]], activity: Sequence[Mapping[str, Any]]
) -> ibis.Table:
    """The facts frame as the product makes it: records beside the features that the rule needs."""
    people = ibis.memtable(
        pa.Table.from_pylist([{**dict.fromkeys(RECORDS.names), **row} for row in records], schema=RECORDS)
    )
    deeds = ibis.memtable(
        pa.Table.from_pylist([{**dict.fromkeys(ACTIVITY.names), **row} for row in activity], schema=ACTIVITY)
    )
    return people.join(features(people, deeds, AS_OF, rule.needs()), "record")


def compiled(
    tree: Any, records: Sequence[Mapping[str, Any]], activity: Sequence[Mapping[str, Any]]
) -> list[bool | None]:
    rule = parse(tree, ATTRIBUTES, OTHERS)
    table = facts(rule, records, activity)
    answer = CON.to_pyarrow(table.select("record", answer=rule.expression(table)).order_by("record"))
    return list(answer["answer"].to_pylist())


LOYAL = [
    deed("purchase", 0, 1000, 1),
    deed("purchase", 29, 500, 2),
    deed("purchase", 30, 700, 3),
    deed("purchase", 90, 100, 4),
]
BASKET = [
    deed("purchase", 5, 300, 9, category="Dairy"),
    deed("purchase", 5, 700, 9, category="Wine"),
    deed("refund", 4, -700, 9, category="Wine"),
]
ACROSS = {"attribute.latitude": 0.0, "attribute.longitude": -179.9}
NEAR_MUNICH = {"attribute.latitude": 48.2, "attribute.longitude": 11.6}
SURVEYS = [
    deed("survey", 20, campaign="nps", answer="3"),
    deed("survey", 10, campaign="nps", answer="9", hour=8),
    deed("survey", 10, campaign="nps", answer="10", hour=20),
    deed("survey", 1, campaign="colour", answer="dark red"),
]
CASES: list[tuple[str, Any, dict[str, Any], list[dict[str, Any]], bool | None]] = [
    ("today is in every window", {"did": "purchase", "within_days": 1}, {}, LOYAL, True),
    ("29 days ago is within 30", {"did": "purchase", "times": 2, "within_days": 30}, {}, LOYAL, True),
    ("30 days ago is not within 30", {"did": "purchase", "times": 3, "within_days": 30}, {}, LOYAL, False),
    ("30 days ago is within 31", {"did": "purchase", "times": 3, "within_days": 31}, {}, LOYAL, True),
    ("without a window all history counts", {"did": "purchase", "times": 4}, {}, LOYAL, True),
    ("tomorrow is not known", {"did": "visit"}, {}, [deed("visit", -1)], False),
    ("at most bounds from above", {"did": "purchase", "at_most": 3}, {}, LOYAL, False),
    ("times and at most are both held", {"did": "purchase", "times": 4, "at_most": 4}, {}, LOYAL, True),
    ("lines of one order are one purchase", {"did": "purchase", "times": 2}, {}, BASKET, False),
    (
        "a refunded order is no purchase",
        {"did": "purchase"},
        {},
        [deed("purchase", 3, 100, 1), deed("refund", 1, -100, 1)],
        False,
    ),
    (
        "visits are counted one by one",
        {"did": "visit", "times": 2},
        {},
        [deed("visit", 3), deed("visit", 3)],
        True,
    ),
    ("who did nothing did it 0 times", {"did_not": "purchase"}, {}, [], True),
    ("did_not looks at its window only", {"did_not": "purchase", "within_days": 3}, {}, BASKET, True),
    ("did_not fails inside of its window", {"did_not": "purchase", "within_days": 6}, {}, BASKET, False),
    ("not did is did not", {"not": {"did": "visit"}}, {}, [], True),
    ("last: as_of is 0 days ago", {"last": "purchase", "at_most_days_ago": 0}, {}, LOYAL, True),
    (
        "last: exactly so many days ago",
        {"last": "survey", "at_least_days_ago": 1, "at_most_days_ago": 1},
        {},
        SURVEYS,
        True,
    ),
    ("last: one day more than that", {"last": "survey", "at_least_days_ago": 2}, {}, SURVEYS, False),
    ("first purchase long ago", {"first": "purchase", "at_least_days_ago": 90}, {}, LOYAL, True),
    ("first purchase not so long ago", {"first": "purchase", "at_least_days_ago": 91}, {}, LOYAL, False),
    ("who never did it has no last time", {"last": "visit", "at_most_days_ago": 9}, {}, [], None),
    ("and not does not take it", {"not": {"last": "visit", "at_most_days_ago": 9}}, {}, [], None),
    ("unknown age is not above 30", {"attribute": "age", "above": 30}, {}, [], None),
    ("nor is it not above 30", {"not": {"attribute": "age", "above": 30}}, {}, [], None),
    (
        "any needs one known yes",
        {"any": [{"attribute": "age", "above": 30}, {"did_not": "visit"}]},
        {},
        [],
        True,
    ),
    (
        "all fails on one known no",
        {"all": [{"attribute": "age", "above": 30}, {"did": "visit"}]},
        {},
        [],
        False,
    ),
    (
        "all with an unknown is unknown",
        {"all": [{"attribute": "age", "above": 30}, {"did_not": "visit"}]},
        {},
        [],
        None,
    ),
    (
        "bands are ordered, not spelled",
        {"attribute": "income", "at_least": "15-24K"},
        {"attribute.income": "25-34K"},
        [],
        True,
    ),
    (
        "the lowest band is below the next",
        {"attribute": "income", "below": "15-24K"},
        {"attribute.income": "Under 15K"},
        [],
        True,
    ),
    (
        "between holds both bands",
        {"attribute": "income", "between": ["15-24K", "35K+"]},
        {"attribute.income": "35K+"},
        [],
        True,
    ),
    (
        "a band that the order lacks is unknown",
        {"attribute": "income", "at_least": "15-24K"},
        {"attribute.income": "?"},
        [],
        None,
    ),
    ("but it is set", {"attribute": "income", "is_set": True}, {"attribute.income": "?"}, [], True),
    ("10 km off is within 20", {"within_km": 20, "of": [48.137, 11.575]}, NEAR_MUNICH, [], True),
    ("and not within 5", {"within_km": 5, "of": [48.137, 11.575]}, NEAR_MUNICH, [], False),
    (
        "half a place is none",
        {"within_km": 5, "of": [48.137, 11.575]},
        {"attribute.latitude": 48.2},
        [],
        None,
    ),
    (
        "no such latitude",
        {"not": {"within_km": 5, "of": [0, 0]}},
        {"attribute.latitude": 95.0, "attribute.longitude": 0.0},
        [],
        None,
    ),
    ("across the date line is near", {"within_km": 25, "of": [0, 179.9]}, ACROSS, [], True),
    ("share of what is left after refunds", {"share_of": "Dairy", "at_least": 1}, {}, BASKET, True),
    ("the share in a window", {"share_of": "Dairy", "at_least": 0.5, "within_days": 5}, {}, BASKET, None),
    ("no revenue, no share", {"share_of": "Dairy", "below": 0.5}, {}, [], None),
    ("the latest answer counts, to the hour", {"answered": "nps", "is": "10"}, {}, SURVEYS, True),
    ("an answer as a number", {"answered": "nps", "at_least": 10}, {}, SURVEYS, True),
    ("an answer as a text", {"answered": "colour", "contains": "red"}, {}, SURVEYS, True),
    ("a text is no number", {"answered": "colour", "at_least": 1}, {}, SURVEYS, None),
    ("who was not asked did not answer", {"answered": "size", "is_set": False}, {}, SURVEYS, True),
    ("money is in major units", {"feature": "net_revenue", "at_least": 23.0}, {}, LOYAL, True),
    ("to the last cent", {"feature": "net_revenue", "above": 22.99, "below": 23.01}, {}, LOYAL, True),
    ("money in a window", {"feature": "net_revenue_30", "is": 15}, {}, LOYAL, True),
    ("days without a purchase, by name", {"feature": "days_since_last_purchase", "is": 0}, {}, LOYAL, True),
    ("a first day is a date", {"feature": "first_purchase", "is": "2025-04-01"}, {}, LOYAL, True),
    (
        "a segment of another segmentation",
        {"segment": "rfm", "in": ["champions"]},
        {"segment.rfm": "champions"},
        [],
        True,
    ),
    ("who has none is unknown to it", {"not": {"segment": "rfm", "is": "lost"}}, {}, [], None),
]


@pytest.mark.parametrize(
    ("tree", "record", "activity", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_rule_says(
    tree: Any, record: dict[str, Any], activity: list[dict[str, Any]], wanted: bool | None
) -> None:
    assert compiled(tree, [{"record": 1, "record_type": "contact", **record}], activity) == [wanted]


# -- a plain reading of records and activity, which knows nothing of columns and features --------------------


def naive(
    tree: Mapping[str, Any], record: Mapping[str, Any], activity: Sequence[Mapping[str, Any]]
) -> bool | None:
    """The words of ``segmentation.rules.parser``, read aloud."""
    head = next(iter(tree))
    mine = [row for row in activity if row["record"] == record["record"] and row["day"] <= AS_OF]
    if head in ("all", "any"):
        some = [naive(part, record, activity) for part in tree[head]]
        decided = head == "any"
        return decided if decided in some else None if None in some else not decided
    if head == "not":
        part = naive(tree["not"], record, activity)
        return None if part is None else not part
    within = [row for row in mine if "within_days" not in tree or row["day"] > ago(tree["within_days"])]
    if head == "did":
        times = done(within, tree["did"])
        return bool(tree.get("times", 1) <= times <= tree.get("at_most", times))
    if head == "did_not":
        return done(within, tree["did_not"]) == 0
    if head in ("first", "last"):
        days = sorted((AS_OF - row["day"]).days for row in mine if row["kind"] == tree[head])
        far = days[-1 if head == "first" else 0] if days else None
        return (
            None
            if far is None
            else tree.get("at_least_days_ago", 0) <= far <= tree.get("at_most_days_ago", far)
        )
    if head == "share_of":
        net = sum(row["amount"] or 0 for row in within if row["kind"] == "purchase")
        spent = sum(
            row["amount"] or 0
            for row in within
            if row["kind"] == "purchase" and row["category"] == tree["share_of"]
        )
        return None if net <= 0 else bool(spent / net >= tree["at_least"])
    if head == "answered":
        answers = [
            (row["occurred_at"], row["answer"])
            for row in mine
            if row["kind"] == "survey" and row["campaign"] == tree["answered"]
        ]
        return None if not answers else bool(max(answers)[1] == tree["is"])
    if head == "within_km":
        here = record["attribute.latitude"], record["attribute.longitude"]
        return None if None in here else far_apart(here, tree["of"]) <= tree["within_km"]
    actual = record.get("segment.rfm" if head == "segment" else f"attribute.{tree[head]}")
    ranks = INCOME.index if tree[head] == "income" else lambda value: value
    return (
        None
        if actual is None
        else ranks(actual) >= ranks(tree["at_least"])
        if "at_least" in tree
        else actual == tree["is"]
    )


def done(activity: Sequence[Mapping[str, Any]], kind: str) -> int:
    some = [row for row in activity if row["kind"] == kind]
    return len({row["order"] for row in some}) if kind == "purchase" else len(some)


def far_apart(here: Sequence[float], there: Sequence[float]) -> float:
    a, b = [radians(part) for part in here], [radians(part) for part in there]
    return 6371.0088 * acos(min(1.0, sin(a[0]) * sin(b[0]) + cos(a[0]) * cos(b[0]) * cos(a[1] - b[1])))


DAYS_AGO = st.sampled_from([-1, 0, 1, 6, 7, 29, 30, 31])
KINDS = st.sampled_from(["purchase", "visit", "survey"])
ENDS = st.sampled_from(["first", "last"])
WINDOW = st.sampled_from([{}, {"within_days": 7}, {"within_days": 30}])
PREDICATES = st.one_of(
    st.builds(
        lambda kind, times, window: {"did": kind, "times": times, **window}, KINDS, st.integers(1, 3), WINDOW
    ),
    st.builds(
        lambda kind, most, window: {"did": kind, "at_most": most, **window}, KINDS, st.integers(1, 3), WINDOW
    ),
    st.builds(lambda kind, window: {"did_not": kind, **window}, KINDS, WINDOW),
    st.builds(
        lambda end, kind, days: {end: kind, "at_least_days_ago": days},
        ENDS,
        KINDS,
        st.sampled_from([0, 7, 30]),
    ),
    st.builds(
        lambda end, kind, days: {end: kind, "at_most_days_ago": days},
        ENDS,
        KINDS,
        st.sampled_from([0, 7, 30]),
    ),
    st.builds(
        lambda part, window: {"share_of": "Dairy", "at_least": part, **window},
        st.sampled_from([0.25, 0.5, 1]),
        WINDOW,
    ),
    st.builds(lambda answer: {"answered": "nps", "is": answer}, st.sampled_from(["1", "2"])),
    st.builds(lambda km: {"within_km": km, "of": [48.0, 11.0]}, st.sampled_from([5, 60, 120])),
    st.builds(lambda band: {"attribute": "income", "at_least": band}, st.sampled_from(INCOME)),
    st.builds(lambda key: {"segment": "rfm", "is": key}, st.sampled_from(["champions", "lost"])),
)
TREES = st.recursive(
    PREDICATES,
    lambda part: st.one_of(
        st.lists(part, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(part, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        part.map(lambda negated: {"not": negated}),
    ),
    max_leaves=5,
)
NUMBERS = st.integers(1, 3)
DEEDS = st.lists(
    st.builds(
        lambda record, kind, days, hour, order, amount, category, answer: {
            **deed(kind, days, hour=hour),
            "record": record,
            "campaign": "nps",
            "answer": answer,
            **({"order": record * 100 + days * 10 + order, "amount": amount, "category": category} if kind == "purchase" else {}),
        },
        NUMBERS, KINDS, DAYS_AGO, st.integers(0, 23), NUMBERS, st.sampled_from([0, 100, 300]), st.sampled_from([None, "Dairy", "Wine"]),
        st.sampled_from(["1", "2"]),
    ),
    max_size=10,
)  # fmt: skip
PEOPLE = st.tuples(
    *(
        st.fixed_dictionaries(
            {
                "record": st.just(number),
                "record_type": st.just("contact"),
                "attribute.income": st.none() | st.sampled_from(INCOME),
                "attribute.latitude": st.none() | st.sampled_from([48.0, 48.5, 47.5]),
                "attribute.longitude": st.none() | st.sampled_from([11.0, 12.0]),
                "segment.rfm": st.none() | st.sampled_from(["champions", "lost"]),
            }
        )
        for number in (1, 2, 3)
    )
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES, PEOPLE, DEEDS)
def test_a_compiled_rule_says_of_every_record_what_a_plain_reading_says(
    tree: Any, people: Any, activity: Any
) -> None:
    assert compiled(tree, people, activity) == [naive(tree, record, activity) for record in people]


# -- segments ------------------------------------------------------------------------------------------------


def ruled(*trees: tuple[str, Any]) -> Segmentation:
    rules = [(Segment(key, key), parse(tree, ATTRIBUTES, OTHERS)) for key, tree in trees]
    return Rules().in_account(Account(rules=rules))


YOUNG, LOYALS = (
    ("young", {"attribute": "age", "below": 30}),
    ("loyal", {"did": "purchase", "times": 2, "within_days": 90}),
)


def labelled(
    chosen: Segmentation,
    people: Sequence[Mapping[str, Any]],
    activity: Any,
    previous: Any = None,
    day: date = AS_OF,
) -> Any:
    everything = parse({"any": [YOUNG[1], LOYALS[1]]}, ATTRIBUTES)
    frame = CON.to_pyarrow(chosen.reads(facts(everything, people, activity)).order_by("record")).to_pandas()
    return chosen.label(
        frame, chosen.fit(frame, AS_OF), previous, AS_OF if previous is not None else None, day
    ).set_index("record")


def test_the_first_rule_that_holds_wins_and_its_values_are_the_reason() -> None:
    people: list[dict[str, Any]] = [
        {"record": 1, "attribute.age": 25.0},
        {"record": 2, "attribute.age": 40.0},
        {"record": 3},
    ]
    activity = [*LOYAL, *({**row, "record": 2} for row in LOYAL)]
    labels = labelled(ruled(YOUNG, LOYALS), people, activity)
    assert labels["segment"].to_dict() == {1: "young", 2: "loyal"}
    assert labels["reason"].to_dict() == {1: "young: age 25", 2: "loyal: purchases in 90 days: 3"}
    assert labels["score"].isna().all()


def test_who_moves_keeps_the_segment_before_and_who_stays_keeps_since_and_reason() -> None:
    people = [{"record": 1, "attribute.age": 25.0}, {"record": 2, "attribute.age": 25.0}]
    chosen = ruled(YOUNG, ("older", {"attribute": "age", "at_least": 30}))
    first = labelled(chosen, people, []).reset_index()
    later = AS_OF + timedelta(days=1)
    second = labelled(
        chosen, [{"record": 1, "attribute.age": 30.0}, {"record": 2, "attribute.age": 26.0}], [], first, later
    )
    assert second.loc[1, ["segment", "previous", "reason"]].to_list() == ["older", "young", "older: age 30"]
    assert (second.loc[1, "since"], second.loc[2, "since"]) == (later, AS_OF)
    assert second.loc[2, "reason"] == "young: age 25"


def test_the_reason_names_the_branch_that_holds_and_what_fails_under_not() -> None:
    tree = {
        "any": [
            {"attribute": "city", "is": "Bonn"},
            {"all": [{"not": {"did": "visit"}}, {"feature": "net_revenue", "at_least": 5}]},
        ]
    }
    chosen, rule = ruled(("x", tree)), parse(tree, ATTRIBUTES)
    people = [{"record": 1, "attribute.city": "Bonn"}, {"record": 2, "attribute.city": "Ulm"}]
    activity = [{**row, "record": 2} for row in LOYAL]
    table = facts(rule, people, activity)
    frame = CON.to_pyarrow(chosen.reads(table).order_by("record"))
    assert frame["reason"].to_pylist() == ["x: city Bonn", "x: visits so far: 0; net_revenue 23.00"]


FAULTY: list[tuple[Any, str, str]] = [
    ({"did": "purchse"}, "did", "did you mean 'purchase'"),
    ({"did": "purchase", "times": 0}, "times", "1 or more"),
    ({"did": "purchase", "times": 5, "at_most": 2}, "at_most", "say did_not"),
    ({"did": "purchase", "within_days": -3}, "within_days", "1 or more"),
    ({"did": "purchase", "within": 3}, "within", "within_days"),
    ({"did_not": 7}, "did_not", "kind of activity"),
    ({"last": "purchase"}, "", "at_most_days_ago"),
    ({"first": "visit", "at_least_days_ago": 9, "at_most_days_ago": 2}, "at_most_days_ago", "exchange"),
    ({"share_of": "Dairy", "at_least": 30}, "at_least", "0.3 for 30%"),
    ({"share_of": "", "at_least": 0.3}, "share_of", "a category"),
    ({"answered": "nps"}, "", "does not say which answer"),
    ({"answered": "nps", "at_least": "ten"}, "at_least", "takes a number"),
    ({"within_km": 20}, "of", "[latitude, longitude]"),
    ({"within_km": 20, "of": [11.5, 480]}, "of", "in degrees"),
    ({"within_km": -1, "of": [48, 11]}, "within_km", "above 0"),
    ({"within_km": 1, "of": [48, 11], "latitude": "latitud"}, "latitude", "did you mean 'latitude'"),
    ({"within_km": 1, "of": [48, 11], "longitude": "city"}, "longitude", "is a text"),
    ({"feature": "net_revenu", "above": 1}, "feature", "did you mean 'net_revenue'"),
    ({"feature": "net_revenue_0", "above": 1}, "feature", "there is no feature"),
    ({"feature": "orders", "contains": "x"}, "contains", "at_least"),
    ({"segment": "rmf", "is": "lost"}, "segment", "did you mean 'rfm'"),
    ({"segment": "rfm", "is": "champion"}, "is", "'champions'"),
    ({"segment": "rfm", "contains": "champ"}, "contains", "choose one of"),
]


@pytest.mark.parametrize(("tree", "location", "remedy"), FAULTY)
def test_a_predicate_that_cannot_be_is_refused_with_its_place_and_the_remedy(
    tree: Any, location: str, remedy: str
) -> None:
    with pytest.raises(RuleError) as raised:
        parse(tree, ATTRIBUTES, OTHERS)
    assert (location, True) in [(where, remedy in what) for where, what in raised.value.faults], (
        raised.value.faults
    )
