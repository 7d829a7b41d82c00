"""Do rules hold what they say, in three values, the same for one record and for a million?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.rules.parser import RuleError, parse, record_types

ORDER = ("0", "1", "2", "3+")
ATTRIBUTES: dict[str, tuple[str, tuple[str, ...]]] = {
    "city": ("text", ()),
    "age": ("number", ()),
    "born": ("date", ()),
    "vip": ("bool", ()),
    "kids": ("ordered", ORDER),
    "tags": ("set", ()),
}
SCHEMA = pa.schema(
    [
        ("record", pa.int64()),
        ("record_type", pa.string()),
        ("email", pa.string()),
        ("created_at", pa.timestamp("us")),
        ("attribute.city", pa.string()),
        ("attribute.age", pa.float64()),
        ("attribute.born", pa.date32()),
        ("attribute.vip", pa.bool_()),
        ("attribute.kids", pa.string()),
        ("attribute.tags", pa.string()),
    ]
)
DAYS = [date(2024, 1, 1), date(2024, 6, 30), date(2025, 1, 1)]
TEXTS = ["", "Bonn", "Berlin", "bonn", "%", "50%_"]
VALUES: dict[str, list[Any]] = {
    "text": TEXTS,
    "number": [-1, 0, 2.5, 30],
    "date": DAYS,
    "ordered": list(ORDER),
    "set": ["a", "b", "ab"],
}


def row(**given: Any) -> dict[str, Any]:
    return {name: given.get(name.removeprefix("attribute.")) for name in SCHEMA.names}


def leaf() -> st.SearchStrategy[dict[str, Any]]:
    def compare(name: str, kind: str) -> st.SearchStrategy[dict[str, Any]]:
        if kind == "bool":
            return st.fixed_dictionaries({"attribute": st.just(name), "is": st.booleans()})
        values = st.sampled_from(VALUES[kind])
        operators = {
            "set": ["contains"],
            "text": ["is", "is_not", "contains", "starts_with", "ends_with"],
        }.get(kind, ["is", "is_not", "at_least", "at_most", "above", "below"])
        many = [] if kind == "set" else ["in", "not_in"]
        ranked = [] if kind in ("set", "text") else ["between"]
        pair = st.tuples(values, values).map(lambda p: sorted(p, key=VALUES[kind].index))
        return st.one_of(
            *[values.map(lambda v, o=o: {"attribute": name, o: v}) for o in operators],  # type: ignore[misc]
            *[
                st.lists(values, min_size=1, max_size=2).map(lambda v, o=o: {"attribute": name, o: v})  # type: ignore[misc]
                for o in many
            ],
            *[pair.map(lambda v, o=o: {"attribute": name, o: v}) for o in ranked],  # type: ignore[misc]
            st.booleans().map(lambda v: {"attribute": name, "is_set": v}),
        )

    typed = {**{name: kind for name, (kind, _) in ATTRIBUTES.items()}, "email": "text", "created_at": "date"}
    kinds = st.sampled_from(["contact", "lead", "company"])
    return st.one_of(
        *[compare(name, kind) for name, kind in typed.items()],
        kinds.map(lambda v: {"attribute": "record_type", "is": v}),
    )


TREES = st.recursive(
    leaf(),
    lambda part: st.one_of(
        st.lists(part, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(part, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        part.map(lambda negated: {"not": negated}),
    ),
    max_leaves=5,
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "record": st.just(1),
            "record_type": st.sampled_from(["contact", "lead", "company"]),
            "email": st.none() | st.sampled_from(TEXTS),
            "created_at": st.none() | st.sampled_from([datetime(d.year, d.month, d.day, 13) for d in DAYS]),
            "attribute.city": st.none() | st.sampled_from(TEXTS),
            "attribute.age": st.none() | st.sampled_from([-1.0, 0.0, 2.5, 30.0, 31.0]),
            "attribute.born": st.none() | st.sampled_from(DAYS),
            "attribute.vip": st.none() | st.booleans(),
            "attribute.kids": st.none() | st.sampled_from([*ORDER, "many"]),
            "attribute.tags": st.none() | st.sampled_from(["", "a", "a;b", "ab;c"]),
        }
    ),
    min_size=1,
    max_size=8,
)
CON = ibis.duckdb.connect()


@settings(max_examples=120)
@given(TREES, ROWS)
def test_a_rule_over_columns_and_over_one_record_says_the_same(
    tree: Mapping[str, Any], rows: list[dict[str, Any]]
) -> None:
    rule = parse(tree, ATTRIBUTES)
    table = ibis.memtable(pa.Table.from_pylist(rows, schema=SCHEMA))
    got = CON.to_pyarrow(table.select(answer=rule.expression(table)))["answer"].to_pylist()
    assert got == [rule.evaluate(record) for record in rows]


@given(TREES, ROWS)
def test_no_record_of_another_type_is_held(tree: Mapping[str, Any], rows: list[dict[str, Any]]) -> None:
    rule = parse(tree, ATTRIBUTES)
    if "record_type" in rule.attributes():
        assert {record["record_type"] for record in rows if rule.evaluate(record)} <= set(record_types(rule))


def test_not_takes_nobody_whose_value_is_unknown() -> None:
    rule = parse({"not": {"attribute": "age", "above": 30}}, ATTRIBUTES)
    assert [rule.evaluate(row(age=age)) for age in (20.0, 40.0, None)] == [True, False, None]


def test_only_is_set_sees_missing() -> None:
    assert parse({"attribute": "age", "is_set": False}, ATTRIBUTES).evaluate(row()) is True
    assert parse({"attribute": "age", "is_not": 3}, ATTRIBUTES).evaluate(row()) is None


def test_an_ordered_value_is_compared_by_its_order() -> None:
    rule = parse({"attribute": "kids", "at_least": "2"}, ATTRIBUTES)
    assert [rule.evaluate(row(kids=kids)) for kids in ("0", "2", "3+", "many")] == [False, True, True, None]


def test_several_operators_must_all_hold() -> None:
    rule = parse({"attribute": "age", "at_least": 18, "below": 65}, ATTRIBUTES)
    assert [rule.evaluate(row(age=age)) for age in (17.0, 18.0, 64.0, 65.0)] == [False, True, True, False]


def test_a_rule_that_never_mentions_the_record_type_is_about_contacts() -> None:
    assert record_types(parse({"attribute": "city", "is": "Bonn"}, ATTRIBUTES)) == ("contact",)


@pytest.mark.parametrize(
    ("tree", "types"),
    [
        ({"attribute": "record_type", "in": ["lead", "company"]}, ("lead", "company")),
        ({"not": {"attribute": "record_type", "is": "lead"}}, ("contact", "company")),
        (
            {"any": [{"attribute": "record_type", "is": "lead"}, {"attribute": "city", "is": "Bonn"}]},
            ("contact", "lead", "company"),
        ),
        (
            {
                "all": [
                    {"attribute": "record_type", "is": "lead"},
                    {"attribute": "record_type", "is": "company"},
                ]
            },
            (),
        ),
    ],
)
def test_record_types_are_those_for_which_the_rule_may_hold(
    tree: dict[str, Any], types: tuple[str, ...]
) -> None:
    assert record_types(parse(tree, ATTRIBUTES)) == types


def test_every_fault_is_told_at_once_with_its_place() -> None:
    tree = {
        "all": [
            {"attribute": "citty", "is": "x"},
            {"attribute": "kids", "at_least": "5"},
            {"attribute": "age", "contains": "x", "at_most": "3"},
            {"does": "purchase"},
            {"any": []},
            {"attribute": "born", "between": ["2025-01-01", "2024-01-01"]},
            {"attribute": "tags", "contains": "a;b"},
            {"attribute": "city"},
            {"attribute": "city", "is_set": "yes"},
            7,
        ],
        "not": {"attribute": "city", "is": "x"},
    }
    with pytest.raises(RuleError) as raised:
        parse({"not": {"all": tree["all"]}}, ATTRIBUTES)
    faults = dict(raised.value.faults)
    inside = [f"not.all[{n}]" for n in range(10)]
    assert set(faults) == {
        *(
            inside[0] + ".attribute",
            inside[1] + ".at_least",
            inside[2] + ".contains",
            inside[2] + ".at_most",
            inside[3],
        ),
        *(
            inside[4] + ".any",
            inside[5] + ".between",
            inside[6] + ".contains",
            inside[7],
            inside[8] + ".is_set",
            inside[9],
        ),
    }
    assert "did you mean 'city'" in faults[inside[0] + ".attribute"]
    assert "'0', '1', '2', '3+'" in faults[inside[1] + ".at_least"]
    with pytest.raises(RuleError, match="not all and not at once"):
        parse(tree, ATTRIBUTES)


WORDS = ["all", "any", "not", "attribute", "is", "in", "between"]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just({"attribute": "age"}),
    lambda part: st.lists(part, max_size=2) | st.dictionaries(st.sampled_from(WORDS), part),
    max_leaves=6,
)


@given(JUNK)
def test_whatever_stands_in_the_config_is_read_or_refused_with_a_place(tree: Any) -> None:
    try:
        rule = parse(tree, ATTRIBUTES)
    except RuleError as error:
        assert error.faults
    else:
        assert rule.attributes()
