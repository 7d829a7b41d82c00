"""Are features what their definitions say, whatever the shape of the activity?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import ibis
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.feature_request import Needs, Shape
from segmentation.features import features
from tests.segmentation_frames import Row, cdnow, frame

AS_OF = date(2025, 6, 30)
NEEDS = Needs(windows=(30, 365), kinds=("visit",), categories=("Dairy",), median_gap=True)


def buy(
    record: int,
    day: date,
    amount: int | None,
    order: int | None = None,
    kind: str = "purchase",
    category: str | None = None,
) -> Row:
    return (record, order, kind, day, amount, category)


def of(table: pd.DataFrame, record: int) -> dict[str, Any]:
    return {str(name): value for name, value in table.set_index("record").loc[record].items()}


def naive(rows: Sequence[Row], record: int) -> dict[str, Any]:
    """The definitions, read aloud."""
    past = [row for row in rows if row[0] == record and row[3] <= AS_OF]
    orders: dict[Any, list[Row]] = defaultdict(list)
    for position, row in enumerate(past):
        if row[2] in ("purchase", "refund"):
            orders[("alone", position) if row[1] is None else row[1]].append(row)
    purchases, booked, dairy = [], [], [0, 0]
    for lines in orders.values():
        refunds = [row for row in lines if row[2] == "refund" or (row[4] or 0) < 0]
        bought = [row for row in lines if row not in refunds]
        net = sum(row[4] or 0 for row in lines)
        day = min(row[3] for row in bought or lines)
        alive = bool(bought) and (not refunds or net > 0)
        booked.append((day, net))
        purchases += [day] if alive else []
        dairy[0] += alive and any(row[5] == "Dairy" for row in bought)
        dairy[1] += sum(row[4] or 0 for row in lines if row[5] == "Dairy")
    days = sorted(set(purchases))
    gaps = [(b - a).days for a, b in pairwise(days)]
    visits = [row[3] for row in past if row[2] == "visit"]
    expected: dict[str, Any] = {
        "orders": len(purchases),
        "purchase_days": len(days),
        "net_revenue": sum(net for _, net in booked),
        "first_purchase": days[0] if days else None,
        "last_purchase": days[-1] if days else None,
        "mean_gap_days": (days[-1] - days[0]).days / (len(days) - 1) if gaps else None,
        "median_gap_days": median(gaps) if gaps else None,
        "count_visit": len(visits),
        "first_visit": min(visits, default=None),
        "last_visit": max(visits, default=None),
        "orders.Dairy": dairy[0],
        "net_revenue.Dairy": dairy[1],
    }
    for n in NEEDS.windows:
        after = AS_OF - timedelta(days=n)
        expected |= {
            f"orders_{n}": sum(day > after for day in purchases),
            f"purchase_days_{n}": sum(day > after for day in days),
            f"net_revenue_{n}": sum(net for day, net in booked if day > after),
            f"count_visit_{n}": sum(day > after for day in visits),
        }
    return expected


DAYS = st.sampled_from([AS_OF + timedelta(days=d) for d in (-400, -365, -364, -31, -30, -29, -2, -1, 0, 1)])
ROWS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.none() | st.integers(1, 3),
        st.sampled_from(["purchase", "purchase", "refund", "visit"]),
        DAYS,
        st.none() | st.integers(-3, 5),
        st.none() | st.sampled_from(["Dairy", "Bread"]),
    ).map(lambda row: (*row[:4], -abs(row[4] or 0) if row[2] == "refund" else row[4], row[5])),
    max_size=12,
)


def agrees(table: pd.DataFrame, rows: Sequence[Row]) -> None:
    for record in (1, 2, 3):
        have = of(table, record)
        for name, value in naive(rows, record).items():
            got = None if pd.isna(have[name]) else have[name]
            got = got.date() if isinstance(got, pd.Timestamp) else got
            assert got == value, f"{name} of record {record}: {got}, expected {value}"


@settings(max_examples=25)
@given(ROWS)
def test_every_feature_is_what_its_definition_says(rows: list[Row]) -> None:
    agrees(frame(rows, AS_OF, needs=NEEDS), rows)


@settings(max_examples=15)
@given(ROWS)
def test_facts_about_the_activity_spare_work_and_change_nothing(rows: list[Row]) -> None:
    single = [(row[0], None, *row[2:]) for row in rows]
    agrees(frame(single, AS_OF, needs=NEEDS, shape=Shape(order_lines=False)), single)
    paid = [row for row in rows if row[2] != "refund" and (row[4] or 0) >= 0]
    agrees(frame(paid, AS_OF, needs=NEEDS, shape=Shape(refunds=False)), paid)
    plain = [row for row in single if row[2] != "refund" and (row[4] or 0) >= 0]
    agrees(frame(plain, AS_OF, needs=NEEDS, shape=Shape(order_lines=False, refunds=False)), plain)


def test_lines_of_one_order_are_one_purchase_on_the_day_of_the_first() -> None:
    got = of(frame([buy(1, date(2025, 6, 2), 300, 7), buy(1, date(2025, 6, 1), 500, 7)], AS_OF), 1)
    assert (got["orders"], got["purchase_days"], got["net_revenue"]) == (1, 1, 800)
    assert got["last_purchase"].date() == date(2025, 6, 1)


def test_a_refund_reduces_money_on_the_day_of_its_order_and_refreshes_nothing() -> None:
    rows = [buy(1, date(2024, 1, 1), 900, 7), buy(1, date(2025, 6, 20), -400, 7, "refund")]
    got = of(frame(rows, AS_OF, needs=Needs(windows=(30,))), 1)
    assert (got["orders"], got["net_revenue"], got["net_revenue_30"]) == (1, 500, 0)
    assert got["last_purchase"].date() == date(2024, 1, 1)


def test_a_fully_refunded_order_is_no_purchase_but_one_of_value_zero_is() -> None:
    rows = [
        buy(1, date(2025, 1, 1), 900, 7),
        buy(1, date(2025, 1, 5), -900, 7, "refund"),
        buy(2, date(2025, 1, 1), 0),
    ]
    table = frame(rows, AS_OF)
    assert of(table, 1)["orders"] == 0 and pd.isna(of(table, 1)["last_purchase"])
    assert of(table, 2)["orders"] == 1


def test_a_refund_after_as_of_is_not_known_yet() -> None:
    rows = [buy(1, date(2025, 6, 1), 900, 7), buy(1, date(2025, 7, 1), -900, 7, "refund")]
    assert of(frame(rows, AS_OF), 1)["net_revenue"] == 900


def test_a_window_of_n_days_holds_as_of_and_not_the_day_n_days_before() -> None:
    rows = [buy(1, AS_OF, 1), buy(1, AS_OF - timedelta(days=29), 10), buy(1, AS_OF - timedelta(days=30), 100)]
    assert of(frame(rows, AS_OF, needs=Needs(windows=(30,))), 1)["net_revenue_30"] == 11


def test_records_without_activity_hold_zero_and_null() -> None:
    got = of(frame([], AS_OF, needs=NEEDS), 2)
    assert all(got[name] == 0 for name in NEEDS.counts())
    assert all(
        pd.isna(got[name]) for name in ("first_purchase", "last_purchase", "mean_gap_days", "median_gap_days")
    )


def test_counts_and_money_are_whole_numbers_in_the_engine_itself() -> None:
    con = cdnow()
    sql = ibis.to_sql(features(con.table("records"), con.table("activity"), AS_OF, NEEDS), dialect="duckdb")
    types = dict(con.con.execute(f"SELECT column_name, column_type FROM (DESCRIBE {sql})").fetchall())
    assert {name: types[name] for name in NEEDS.counts()} == dict.fromkeys(NEEDS.counts(), "BIGINT")


def test_money_beyond_the_precision_of_floats_stays_exact() -> None:
    rows = [buy(1, date(2025, 6, 1), 2**53), buy(1, date(2025, 6, 2), 1)]
    assert of(frame(rows, AS_OF), 1)["net_revenue"] == 2**53 + 1


def test_needs_are_merged() -> None:
    merged = Needs(windows=(365,), kinds=("visit",)) | Needs(windows=(30, 365), median_gap=True)
    assert merged == Needs(windows=(30, 365), kinds=("visit",), median_gap=True)


def test_a_missing_column_or_wrong_type_is_named() -> None:
    records = ibis.table({"record": "int64"}, name="records")
    activity = {
        "record": "int64",
        "order": "int64",
        "kind": "string",
        "day": "date",
        "amount": "int64",
        "category": "string",
    }
    with pytest.raises(ValueError, match="activity frame has no column 'day'"):
        features(records, ibis.table({k: v for k, v in activity.items() if k != "day"}, name="a"), AS_OF)
    with pytest.raises(ValueError, match="'amount' of the activity frame is float64, expected integer"):
        features(records, ibis.table({**activity, "amount": "float64"}, name="a"), AS_OF)


@pytest.mark.parametrize("dialect", ["postgres", "snowflake", "databricks"])
def test_the_same_expression_is_worded_for_other_engines(dialect: str) -> None:
    con = cdnow()
    assert "GROUP BY" in ibis.to_sql(
        features(con.table("records"), con.table("activity"), AS_OF, NEEDS), dialect=dialect
    )
