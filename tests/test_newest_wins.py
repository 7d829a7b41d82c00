"""Of an order that two exports hold, does the newer count, whole and once, however the exports came in?"""

from __future__ import annotations

import itertools
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.store.repeats import natural
from tests.reading import NOON, Reading, Row, bought, everybody, void
from tests.test_laws import law

LATER = NOON + timedelta(days=20)
EDITED = datetime(2024, 7, 2, tzinfo=UTC)


@contextmanager
def reading(**settings: Any) -> Iterator[Reading]:
    with tempfile.TemporaryDirectory() as folder:
        made = Reading(Path(folder), newest_wins=True, **settings)
        try:
            yield made
        finally:
            made.close()


def counted(parts: Mapping[str, Sequence[Row]], order: Sequence[str] | None = None) -> list[tuple[str, int]]:
    """What counts of these parts, loaded in this order, each in a pull of its own."""
    with reading() as made:
        made.pull(everybody(["1", "2"]))
        for name in order or list(parts):
            made.pull(parts={name: parts[name]})
        return made.counted()


def either_way(parts: Mapping[str, Sequence[Row]]) -> list[tuple[str, int]]:
    """The same, after seeing that no order of loading makes a difference."""
    answers = [counted(parts, order) for order in itertools.permutations(parts)]
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


def test_an_order_edited_between_two_exports_counts_as_the_later_file_has_it() -> None:
    old = [bought("1", 100, order_id="A"), bought("1", 50, order_id="A"), bought("1", 7, order_id="B")]
    new = [bought("1", 120, order_id="A")]
    assert either_way({"orders-9.csv": old, "orders-10.csv": new}) == [
        ("orders-10.csv", 1),
        ("orders-9.csv", 3),
    ]


def test_the_latest_edit_wins_over_the_name_where_both_files_tell_it() -> None:
    first = [
        bought("1", 100, order_id="A", updated_at=EDITED),
        bought("1", 30, order_id="A", updated_at=EDITED - timedelta(days=1)),
    ]
    second = [bought("1", 80, order_id="A", updated_at=EDITED - timedelta(hours=1))]
    assert either_way({"a.csv": first, "b.csv": second}) == [("a.csv", 1), ("a.csv", 2)]
    assert either_way({"a.csv": first, "b.csv": [bought("1", 80, order_id="A")]}) == [("b.csv", 1)]


def test_three_files_of_which_one_tells_no_edit_never_lose_the_order() -> None:
    parts = {
        "a.csv": [bought("1", 1, order_id="A", updated_at=EDITED)],
        "b.csv": [bought("1", 2, order_id="A")],
        "c.csv": [bought("1", 3, order_id="A", updated_at=EDITED - timedelta(days=1))],
    }
    assert either_way(parts) == [("c.csv", 1)]


def test_a_refund_weeks_later_in_another_file_stays() -> None:
    parts = {"a.csv": [bought("1", 100, order_id="A")], "b.csv": [bought("1", -40, LATER, order_id="A")]}
    assert either_way(parts) == [("a.csv", 1), ("b.csv", 1)]


def test_an_overlapping_export_that_holds_the_refund_alone_keeps_the_purchase() -> None:
    refund = bought("1", -40, LATER, order_id="A")
    parts = {"a.csv": [bought("1", 100, order_id="A"), refund], "b.csv": [refund]}
    assert either_way(parts) == [("a.csv", 1), ("b.csv", 1)]


def test_a_file_of_refunds_that_carry_the_day_of_their_order_replaces_no_purchase() -> None:
    parts = {
        "orders.csv": [bought("1", 100, order_id="A")],
        "refunds.csv": [bought("1", -40, order_id="A", kind="refund")],
    }
    assert either_way(parts) == [("orders.csv", 1), ("refunds.csv", 1)]


def test_a_discount_that_an_edit_took_off_the_order_goes_with_the_old_export() -> None:
    old = [bought("1", 100, order_id="A"), bought("1", -5, order_id="A", kind="refund")]
    assert either_way({"a.csv": old, "b.csv": [bought("1", 95, order_id="A")]}) == [("b.csv", 1)]


def test_orders_of_two_people_that_share_a_number_are_two_orders() -> None:
    parts = {"berlin.csv": [bought("1", 100, order_id="7")], "hamburg.csv": [bought("2", 50, order_id="7")]}
    assert either_way(parts) == [("berlin.csv", 1), ("hamburg.csv", 1)]


def test_identical_rows_without_an_order_count_once_and_twice_where_one_file_has_them_twice() -> None:
    row = bought("1", 100)
    assert either_way({"a.csv": [row, row], "b.csv": [row], "c.csv": [row]}) == [("a.csv", 1), ("a.csv", 2)]


def test_a_row_that_left_the_newest_file_leaves_one_copy_where_two_older_files_hold_it() -> None:
    row, other = bought("1", 100), bought("1", 5)
    with reading() as made:
        made.pull(everybody(["1"]), {"a.csv": [row, other], "b.csv": [row], "c.csv": [row]})
        made.pull(parts={"a.csv": [other]})
        assert made.counted() == [("a.csv", 1), ("b.csv", 1)]


def test_a_newer_file_that_is_taken_away_gives_the_older_one_back() -> None:
    with reading() as made:
        made.pull(
            everybody(["1"]),
            {"a.csv": [bought("1", 100, order_id="A")], "b.csv": [bought("1", 80, order_id="A")]},
        )
        assert made.counted() == [("b.csv", 1)]
        made.pull(parts={"b.csv": []})
        assert made.counted() == [("a.csv", 1)]


def test_an_order_whose_buyer_was_merged_is_still_one_order() -> None:
    people = everybody(["1", "2"])
    parts = {"a.csv": [bought("1", 100, order_id="A")], "b.csv": [bought("2", 80, order_id="A")]}
    merged = [{**people[0], "merged_into": "2"}, people[1]]
    with reading() as made:
        made.pull(people, parts)
        assert made.owned() == {"1": 100, "2": 80}
        made.pull(merged)
        assert made.owned() == {"2": 80}
        made.pull(people)
    with reading() as made:
        made.pull(merged, parts)
        assert made.owned() == {"2": 80}


def test_an_order_that_a_later_export_calls_cancelled_counts_no_more_and_neither_do_its_refunds() -> None:
    old = [bought("1", 100, order_id="A"), bought("1", 7, order_id="B")]
    refund = bought("1", -100, LATER, order_id="A", kind="refund")
    assert either_way({"o-1.csv": old, "o-2.csv": [void("1", order_id="A")]}) == [("o-1.csv", 2)]
    assert either_way({"o-1.csv": old, "o-2.csv": [void("1", order_id="A")], "refunds.csv": [refund]}) == [
        ("o-1.csv", 2)
    ]
    assert counted({"o-1.csv": [void("1", order_id="A"), old[1]], "refunds.csv": [refund]}) == [
        ("o-1.csv", 2)
    ]


def test_an_order_that_was_open_and_is_paid_in_a_later_export_counts() -> None:
    paid = bought("1", 100, order_id="A")
    assert either_way({"o-1.csv": [void("1", order_id="A")], "o-2.csv": [paid]}) == [("o-2.csv", 1)]
    assert either_way({"o-1.csv": [paid], "o-2.csv": [void("1", order_id="A")], "o-3.csv": [paid]}) == [
        ("o-3.csv", 1)
    ]
    late, early = EDITED, EDITED - timedelta(days=1)
    parts = {"a.csv": [{**paid, "updated_at": late}], "b.csv": [void("1", order_id="A", updated_at=early)]}
    assert either_way(parts) == [("a.csv", 1)]


def test_a_cancelled_line_beside_lines_that_count_takes_nothing_back() -> None:
    assert counted({"o-1.csv": [bought("1", 100, order_id="A"), void("1", order_id="A")]}) == [("o-1.csv", 1)]


def test_what_has_an_id_alone_and_is_cancelled_later_counts_no_more() -> None:
    parts = {
        "a.csv": [bought("1", 100, id="ch_1"), bought("1", 5, id="ch_2")],
        "b.csv": [void("1", id="ch_1")],
    }
    assert either_way(parts) == [("a.csv", 2)]


def test_a_cancellation_of_another_persons_order_of_that_number_takes_nothing_back() -> None:
    parts = {"berlin.csv": [bought("1", 100, order_id="7")], "hamburg.csv": [void("2", order_id="7")]}
    assert either_way(parts) == [("berlin.csv", 1)]


@pytest.mark.parametrize(
    "names",
    [
        ["orders-9.csv", "orders-10.csv"],
        ["orders.csv", "orders (1).csv", "orders (2).csv", "orders (10).csv"],
        ["2023/orders.csv", "2024/orders.csv"],
        ["orders_2024-01-31.csv", "orders_2024-02-01.csv"],
        ["orders.v9.csv", "orders.v10.csv"],
        ["Orders-1.csv", "orders-2.csv"],
    ],
)
def test_names_are_ordered_as_people_number_their_files(names: list[str]) -> None:
    assert sorted(sorted(names), key=natural) == names


# -- the law -------------------------------------------------------------------------------------------------

VOIDS = st.builds(
    void,
    st.sampled_from(["1", "2", "9"]),
    order_id=st.sampled_from([None, "A", "A", "B"]),
    updated_at=st.sampled_from([None, EDITED, EDITED + timedelta(days=1)]),
    id=st.sampled_from([None, None, "r1"]),
)
ROWS = VOIDS | st.builds(
    bought,
    st.sampled_from(["1", "2", "9"]),
    st.integers(1, 3),
    st.sampled_from([NOON, LATER]),
    order_id=st.sampled_from([None, "A", "A", "B"]),
    kind=st.sampled_from(["purchase", "purchase", "purchase", "refund"]),
    updated_at=st.sampled_from([None, EDITED, EDITED + timedelta(days=1)]),
    id=st.sampled_from([None, None, None, "r1", "r2"]),
)
NAMES = st.sampled_from(["o-2", "o-9", "o-10"])
PULLS = st.lists(
    st.tuples(st.booleans(), st.dictionaries(NAMES, st.lists(ROWS, max_size=5), max_size=3)),
    min_size=1,
    max_size=4,
)


def model(parts: Mapping[str, Sequence[Row]]) -> list[tuple[str, int]]:
    """The law as it is written, row by row: (part, line) of what counts."""
    rank = {name: position for position, name in enumerate(sorted(parts, key=natural))}
    rows = [(name, line, row) for name, part in parts.items() for line, row in enumerate(part, 1)]
    last = {(name, row["id"]): line for name, line, row in rows if row["id"]}
    rows = [(name, line, row) for name, line, row in rows if not row["id"] or last[name, row["id"]] == line]
    rows = _void_orders(rows, rank)
    rows = _orders(rows, rank)
    rows = _ids(rows, rank)
    kept: list[tuple[str, int, Row]] = []
    seen: dict[Any, set[int]] = defaultdict(set)
    nth: dict[Any, int] = defaultdict(int)
    for name, line, row in sorted(rows, key=lambda entry: (rank[entry[0]], entry[1])):
        if not row["id"] and not row["order_id"]:
            content = tuple(str(value) for key, value in row.items() if key not in ("updated_at", "id"))
            nth[name, content] += 1
            if nth[name, content] in seen[content]:
                continue
            seen[content].add(nth[name, content])
        kept.append((name, line, row))
    return sorted((name, line) for name, line, _ in kept)


def _newness(rows_by_part: Mapping[str, list[Row]], rank: Mapping[str, int]) -> dict[str, tuple[Any, int]]:
    dates = {
        name: [row["updated_at"] for row in rows if row["updated_at"]] for name, rows in rows_by_part.items()
    }
    dated = all(dates.values())
    return {name: (max(dates[name]) if dated else EDITED, rank[name]) for name in rows_by_part}


def _void_orders(rows: list[tuple[str, int, Row]], rank: Mapping[str, int]) -> list[tuple[str, int, Row]]:
    orders: dict[Any, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    ids: dict[Any, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for name, _line, row in rows:
        if row["order_id"] and (row.get("void") or row["kind"] == "purchase"):
            orders[row["order_id"], row["record_id"]][name].append(row)
        if row["id"]:
            ids[row["id"]][name].append(row)

    def void_at_last(parts: Mapping[str, list[Row]]) -> bool:
        new = _newness(parts, rank)
        return bool(new) and all(row.get("void") for row in parts[max(new, key=lambda name: new[name])])

    return [
        (name, line, row)
        for name, line, row in rows
        if not row.get("void")
        and not void_at_last(orders.get((row["order_id"], row["record_id"]), {}))
        and not (row["id"] and void_at_last(ids[row["id"]]))
    ]


def _orders(rows: list[tuple[str, int, Row]], rank: Mapping[str, int]) -> list[tuple[str, int, Row]]:
    whole: dict[Any, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    then: dict[Any, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, _line, row in rows:
        whole[row["order_id"], row["record_id"]][name].append(row)
        then[row["order_id"], row["record_id"], row["occurred_at"]][name].add(row["kind"])

    def outdated(name: str, row: Row) -> bool:
        if not row["order_id"]:
            return False
        order = row["order_id"], row["record_id"]
        kinds = then[(*order, row["occurred_at"])]
        new = _newness({part: whole[order][part] for part in kinds}, rank)
        return any(new[other] > new[name] and kinds[other] & kinds[name] for other in kinds)

    return [(name, line, row) for name, line, row in rows if not outdated(name, row)]


def _ids(rows: list[tuple[str, int, Row]], rank: Mapping[str, int]) -> list[tuple[str, int, Row]]:
    parts_by_id: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for name, _line, row in rows:
        if row["id"]:
            parts_by_id[row["id"]][name].append(row)
    newest = {
        id: max(_newness(parts, rank).items(), key=lambda pair: pair[1])[0]
        for id, parts in parts_by_id.items()
    }
    return [(name, line, row) for name, line, row in rows if not row["id"] or newest[row["id"]] == name]


@law(40)
@given(pulls=PULLS)
def test_what_counts_follows_from_the_files_alone(pulls: list[tuple[bool, dict[str, list[Row]]]]) -> None:
    files: dict[str, list[Row]] = {}
    with reading() as made:
        for everyone, parts in pulls:
            made.pull(everybody(["1", "2", "9"] if everyone else ["1", "2"]), parts)
            files |= parts
        made.pull(everybody(["1", "2", "9"]))
        incremental = made.counted()
    with reading() as made:
        made.pull(everybody(["1", "2", "9"]), files)
        assert made.counted() == incremental
    assert incremental == model(files)
